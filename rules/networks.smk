# Training corpora, training, and the activations of every network.


rule corpus:
    input:
        lambda wildcards: (
            f"results/downloads/{wildcards.corpus}" if CORPORA[wildcards.corpus]["kind"] == "cifar10" else []
        ),
    output:
        images="results/corpora/{corpus}/images.npy",
        index="results/corpora/{corpus}/index.tsv",
    log:
        "results/logs/corpora/{corpus}.log",
    benchmark:
        "results/benchmarks/corpora/{corpus}.tsv"
    wildcard_constraints:
        corpus=corpora_of_kind("procedural", "cifar10"),
    conda:
        "../envs/brain.yaml"
    threads: 1
    params:
        settings=lambda wildcards: {key: CORPORA[wildcards.corpus][key] for key in ("kind", "options")},
        files=lambda wildcards: cards.card_files(CORPORA[wildcards.corpus]),
        code=code("corpus.py"),
    message:
        "Making the training corpus {wildcards.corpus}"
    script:
        "../scripts/corpus.py"


rule index_corpus:
    output:
        index="results/corpora/{corpus}/index.tsv",
    log:
        "results/logs/corpora/{corpus}.log",
    benchmark:
        "results/benchmarks/corpora/{corpus}.tsv"
    wildcard_constraints:
        corpus=corpora_of_kind("imagefolder"),
    conda:
        "../envs/brain.yaml"
    threads: 1
    resources:
        runtime=scaled(60),
    params:
        settings=lambda wildcards: {key: CORPORA[wildcards.corpus][key] for key in ("kind", "options")},
        outside=lambda wildcards: state_of(files_below(CORPORA[wildcards.corpus]["options"]["folder"])),
        code=code("index_corpus.py"),
    message:
        "Listing the training images of {wildcards.corpus}"
    script:
        "../scripts/index_corpus.py"


rule hash_corpus:
    input:
        unpack(corpus_files_by_name),
    output:
        hashes="results/corpora/{corpus}/hashes.npy",
    log:
        "results/logs/corpora/{corpus}_hashes.log",
    benchmark:
        "results/benchmarks/corpora/{corpus}_hashes.tsv"
    conda:
        "../envs/networks.yaml"
    threads: 1
    resources:
        runtime=scaled(240),
    params:
        settings=lambda wildcards: {
            "folder": CORPORA[wildcards.corpus]["options"].get("folder"),
        },
        code=code("hash_corpus.py"),
    message:
        "Perceptual hashes of the images of {wildcards.corpus}"
    script:
        "../scripts/hash_corpus.py"


rule train:
    input:
        unpack(corpus_files),
    output:
        weights="results/networks/{model}/weights.safetensors",
        metrics="results/networks/{model}/metrics.csv",
    log:
        "results/logs/train/{model}.log",
    benchmark:
        "results/benchmarks/train/{model}.tsv"
    wildcard_constraints:
        model=either(TRAINED.keys() - GUIDED.keys()),
    # the longest jobs first
    priority: 10
    conda:
        "../envs/networks.yaml"
    threads: FIRST["training"]["threads"]
    resources:
        gpu=FIRST["training"]["gpu"],
        mem_mb=scaled_from_card("training", "mem_mb"),
        runtime=scaled_from_card("training", "runtime"),
    params:
        settings=lambda wildcards: {
            **part_of_model("network", "weights", "preprocessing")(wildcards),
            "folder": CORPORA[corpus_of(wildcards.model)]["options"].get("folder"),
        },
        code=code("train.py"),
    message:
        "Training {wildcards.model}"
    script:
        "../scripts/train.py"


rule train_guided:
    input:
        unpack(corpus_files),
        unpack(guidance_files),
    output:
        weights="results/networks/{model}/weights.safetensors",
        metrics="results/networks/{model}/metrics.csv",
        guidance="results/networks/{model}/guidance.csv",
        choice="results/networks/{model}/choice.csv",
    log:
        "results/logs/train/{model}.log",
    benchmark:
        "results/benchmarks/train/{model}.tsv"
    wildcard_constraints:
        model=either(GUIDED),
    # the longest jobs first
    priority: 10
    conda:
        "../envs/networks.yaml"
    threads: FIRST["training"]["threads"]
    resources:
        gpu=FIRST["training"]["gpu"],
        mem_mb=scaled_from_card("training", "mem_mb"),
        runtime=scaled_from_card("training", "runtime"),
    params:
        settings=guidance_settings,
        code=code("train_guided.py"),
    message:
        "Training {wildcards.model} with the brain"
    script:
        "../scripts/train_guided.py"


rule learning:
    input:
        metrics=metrics_of,
    output:
        table=report(
            f"{RESULTS}/learning.csv",
            caption="../resources/captions/learned.rst",
            category="Quality",
            labels={
                "study": "{study}",
                "data set": "{dataset}",
                "content": "table of what the networks learned",
            },
        ),
    log:
        f"{LOGS}/learning.log",
    benchmark:
        f"{BENCHMARKS}/learning.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    params:
        settings=learning_settings,
        code=code("learning.py"),
    message:
        "What the networks trained for {wildcards.dataset} learned"
    script:
        "../scripts/learning.py"


rule network_inputs:
    input:
        images="results/{dataset}/stimuli.npy",
        stimuli="results/{dataset}/stimuli.tsv",
    output:
        inputs=f"{RESULTS}/inputs.nc",
    log:
        f"{LOGS}/network_inputs.log",
    benchmark:
        f"{BENCHMARKS}/network_inputs.tsv"
    conda:
        "../envs/networks.yaml"
    threads: 1
    params:
        settings=inputs_settings,
        code=code("network_inputs.py"),
    message:
        "What the networks receive of the stimuli of {wildcards.dataset}"
    script:
        "../scripts/network_inputs.py"


rule extract:
    input:
        unpack(weights_of),
        images="results/{dataset}/stimuli.npy",
        stimuli="results/{dataset}/stimuli.tsv",
    output:
        activations=kept_or_temporary("results/{dataset}/activations/{features}/{model}/{shard}"),
    log:
        "results/logs/{dataset}/extract/{features}/{model}/{shard}.log",
    benchmark:
        "results/benchmarks/{dataset}/extract/{features}/{model}/{shard}.tsv"
    wildcard_constraints:
        model=either(MODELS.keys() - BASELINES.keys()),
    conda:
        "../envs/networks.yaml"
    threads: FIRST["extraction"]["threads"]
    resources:
        gpu=FIRST["extraction"]["gpu"],
        mem_mb=scaled_from_card("extraction", "mem_mb"),
        runtime=scaled_from_card("extraction", "runtime"),
        # a smaller batch changes the speed, not the result
        batch_size=lambda wildcards: MODELS[wildcards.model]["batch_size"],
    params:
        settings=extraction_settings,
        code=code("extract.py"),
    message:
        "Activations of {wildcards.model} to the stimuli of {wildcards.dataset}, part {wildcards.shard}"
    script:
        "../scripts/extract.py"


use rule extract as extract_baseline with:
    wildcard_constraints:
        model=either(BASELINES),
    resources:
        mem_mb=scaled_from_card("extraction", "mem_mb"),
        runtime=scaled_from_card("extraction", "runtime"),
        batch_size=lambda wildcards: MODELS[wildcards.model]["batch_size"],
