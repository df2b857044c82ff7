# Encoding models: how well layers predict the responses of voxels; and soft matching of features with voxels.


rule encoding:
    input:
        unpack(guidance_of_network),
        activations=lambda wildcards: activations_of(
            wildcards.dataset, studies.features_key(CONFIGS[wildcards.study]), wildcards.model
        ),
        stimuli="results/{dataset}/stimuli.tsv",
        responses=path_of_responses,
    output:
        scores=f"{RESULTS}/encoding/{{model}}.nc",
    log:
        f"{LOGS}/encoding/{{model}}.log",
    benchmark:
        f"{BENCHMARKS}/encoding/{{model}}.tsv"
    wildcard_constraints:
        dataset=either(filter(has_responses, DATASETS)),
    # before the next extraction, so that temporary activations leave the disk
    priority: 5
    conda:
        "../envs/encoding.yaml"
    threads: threads_of_study
    resources:
        mem_mb=memory_of_encoding,
        runtime=scaled(240),
    params:
        settings=encoding_settings,
        recipe=recipe_of_activations,
        code=code("encoding.py"),
    message:
        "Encoding models of {wildcards.model} for {wildcards.dataset}"
    script:
        "../scripts/encoding.py"


rule encoding_table:
    input:
        scores=encodings_of,
    output:
        table=f"{RESULTS}/encoding.csv",
    log:
        f"{LOGS}/encoding_table.log",
    benchmark:
        f"{BENCHMARKS}/encoding_table.tsv"
    wildcard_constraints:
        dataset=either(filter(has_responses, DATASETS)),
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=scaled_with_input(4000, 3),
    params:
        settings=lambda wildcards: {
            "inference": part_of_study("confidence", "seed")(wildcards),
            "trained_on": trained_on_stimuli(wildcards),
        },
        code=code("encoding_table.py"),
    message:
        "Table of the encoding scores of {wildcards.dataset}"
    script:
        "../scripts/encoding_table.py"


rule banded:
    input:
        activations=activations_of_bands,
        stimuli="results/{dataset}/stimuli.tsv",
        responses=path_of_responses,
    output:
        table=f"{RESULTS}/banded.csv",
    log:
        f"{LOGS}/banded.log",
    benchmark:
        f"{BENCHMARKS}/banded.tsv"
    wildcard_constraints:
        dataset=either(filter(has_responses, DATASETS)),
    priority: 5
    conda:
        "../envs/encoding.yaml"
    threads: 1
    resources:
        mem_mb=memory_of_encoding,
        runtime=scaled(480),
    params:
        settings=band_settings,
        recipe=recipe_of_bands,
        code=code("banded.py"),
    message:
        "Unique and shared variance of the bands in {wildcards.dataset}"
    script:
        "../scripts/banded.py"


rule soft_matching:
    input:
        activations=lambda wildcards: activations_of(
            wildcards.dataset, studies.features_key(CONFIGS[wildcards.study]), wildcards.model
        ),
        stimuli="results/{dataset}/stimuli.tsv",
        responses=path_of_responses,
    output:
        scores=f"{RESULTS}/soft_matching/{{model}}.nc",
    log:
        f"{LOGS}/soft_matching/{{model}}.log",
    benchmark:
        f"{BENCHMARKS}/soft_matching/{{model}}.tsv"
    wildcard_constraints:
        dataset=either(filter(has_responses, DATASETS)),
    priority: 5
    conda:
        "../envs/analysis.yaml"
    threads: threads_of_study
    resources:
        mem_mb=memory_of_matching,
        runtime=scaled(240),
    params:
        settings=lambda wildcards: {
            "inference": part_of_study("permutations", "halves", "seed")(wildcards)
            | design_settings(wildcards)
        },
        recipe=recipe_of_activations,
        code=code("soft_matching.py"),
    message:
        "Soft matching of {wildcards.model} with {wildcards.dataset}"
    script:
        "../scripts/soft_matching.py"


rule plot_encoding:
    input:
        unpack(learning_of),
        table=f"{RESULTS}/encoding.csv",
    output:
        **figure("encoding", "Scores", "encoding models"),
    log:
        f"{LOGS}/plot_encoding.log",
    benchmark:
        f"{BENCHMARKS}/plot_encoding.tsv"
    wildcard_constraints:
        dataset=either(filter(has_responses, DATASETS)),
    conda:
        "../envs/figures.yaml"
    threads: 1
    params:
        settings=settings_of_score_figures,
        code=code("plot_encoding.py"),
    message:
        "Figure of the encoding models for {wildcards.dataset}"
    script:
        "../scripts/plot_encoding.py"


rule encoding_maps:
    input:
        unpack(learning_of),
        unpack(spaces_of),
        scores=encodings_of,
    output:
        **figure("encoding_maps", "Scores", "encoding models on the brain"),
        maps=directory(f"{RESULTS}/encoding_maps"),
    log:
        f"{LOGS}/encoding_maps.log",
    benchmark:
        f"{BENCHMARKS}/encoding_maps.tsv"
    wildcard_constraints:
        dataset=either(filter(has_space, DATASETS)),
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=scaled_with_input(4000, 3),
    params:
        settings=lambda wildcards: {
            "models": labels_of_models(wildcards),
            "estimator": CONFIGS[wildcards.study]["encoding"]["methods"][0],
            "subjects": BIDS[wildcards.dataset]["subjects"] if wildcards.dataset in BIDS else None,
        },
        code=code("encoding_maps.py"),
    message:
        "Maps of the encoding models for {wildcards.dataset}"
    script:
        "../scripts/encoding_maps.py"
