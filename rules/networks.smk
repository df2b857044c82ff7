# Training corpora, training, and the activations of every network.


rule corpus:
    output:
        images="results/corpora/{corpus}/images.npy",
        labels="results/corpora/{corpus}/labels.tsv",
    log:
        "results/logs/corpora/{corpus}.log",
    benchmark:
        "results/benchmarks/corpora/{corpus}.tsv"
    conda:
        "../envs/brain.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=lambda wildcards: CORPORA[wildcards.corpus]["options"],
        code=code("corpus.py"),
    message:
        "Making the training corpus {wildcards.corpus}"
    script:
        "../scripts/corpus.py"


rule train:
    input:
        images=lambda wildcards: corpus_file(wildcards, "images.npy"),
        labels=lambda wildcards: corpus_file(wildcards, "labels.tsv"),
    output:
        weights="results/networks/{model}/weights.pt",
        metrics="results/networks/{model}/metrics.csv",
    log:
        "results/logs/train/{model}.log",
    benchmark:
        "results/benchmarks/train/{model}.tsv"
    wildcard_constraints:
        model=either(TRAINED),
    # the longest jobs first
    priority: 10
    conda:
        "../envs/networks.yaml"
    threads: CONFIG["training"]["threads"]
    resources:
        gpu=gpus("training"),
        mem_mb=resource("training", "mem_mb"),
        runtime=resource("training", "runtime"),
    params:
        settings=part_of_model("network", "weights", "preprocessing"),
        code=code("train.py"),
    message:
        "Training {wildcards.model}"
    script:
        "../scripts/train.py"


rule network_inputs:
    input:
        images="results/{dataset}/stimuli.npy",
        stimuli="results/{dataset}/stimuli.tsv",
    output:
        inputs="results/{dataset}/inputs.nc",
    log:
        "results/logs/{dataset}/network_inputs.log",
    benchmark:
        "results/benchmarks/{dataset}/network_inputs.tsv"
    conda:
        "../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        settings={name: card["preprocessing"] for name, card in MODELS.items()},
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
        activations=kept_or_temporary("results/{dataset}/activations/{model}/{shard}"),
    log:
        "results/logs/{dataset}/extract/{model}/{shard}.log",
    benchmark:
        "results/benchmarks/{dataset}/extract/{model}/{shard}.tsv"
    conda:
        "../envs/networks.yaml"
    threads: CONFIG["extraction"]["threads"]
    resources:
        gpu=gpus("extraction"),
        mem_mb=resource("extraction", "mem_mb"),
        runtime=resource("extraction", "runtime"),
        # a smaller batch changes the speed, not the result
        batch_size=lambda wildcards: MODELS[wildcards.model]["batch_size"],
    params:
        settings=extraction_settings,
        code=code("extract.py"),
    message:
        "Activations of {wildcards.model} to the stimuli of {wildcards.dataset}, part {wildcards.shard}"
    script:
        "../scripts/extract.py"
