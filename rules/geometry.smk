# RDMs of the brain and of the networks' layers.


rule brain_rdms:
    input:
        responses="results/{dataset}/responses/{responses}.nc",
    output:
        rdms="results/{dataset}/rdms/{dissimilarity}/brain-{responses}.h5",
    log:
        "results/logs/{dataset}/brain_rdms/{dissimilarity}/{responses}.log",
    benchmark:
        "results/benchmarks/{dataset}/brain_rdms/{dissimilarity}/{responses}.tsv"
    wildcard_constraints:
        dataset=either(filter(has_responses, DATASETS)),
    conda:
        "../envs/analysis.yaml"
    threads: FIRST["inference"]["threads"]
    params:
        settings=lambda wildcards: {"dissimilarity": wildcards.dissimilarity},
        code=code("brain_rdms.py"),
    message:
        "RDMs of the ROIs of {wildcards.dataset}"
    script:
        "../scripts/brain_rdms.py"


rule voxel_rdms:
    input:
        responses="results/{dataset}/responses/{responses}.nc",
    output:
        rdms="results/{dataset}/rdms/{dissimilarity}/voxels-{groups}-{noise}-{seed}-{responses}.h5",
    log:
        "results/logs/{dataset}/voxel_rdms/{dissimilarity}/{responses}-{groups}-{noise}-{seed}.log",
    benchmark:
        "results/benchmarks/{dataset}/voxel_rdms/{dissimilarity}/{responses}-{groups}-{noise}-{seed}.tsv"
    wildcard_constraints:
        dataset=either(filter(has_responses, DATASETS)),
        groups=r"\d+",
        noise="matched|ignored",
        seed=r"\d+",
    conda:
        "../envs/analysis.yaml"
    threads: FIRST["inference"]["threads"]
    resources:
        mem_mb=scaled_with_input(4000, 7),
    params:
        settings=lambda wildcards: {
            "dissimilarity": wildcards.dissimilarity,
            "voxel_groups": int(wildcards.groups),
            "unequal_noise": wildcards.noise,
            "seed": int(wildcards.seed),
        },
        code=code("voxel_rdms.py"),
    message:
        "RDMs of the ROIs of {wildcards.dataset} without each of {wildcards.groups} groups of voxels"
    script:
        "../scripts/voxel_rdms.py"


rule network_rdms:
    input:
        activations=lambda wildcards: activations_of(wildcards.dataset, wildcards.features, wildcards.model),
        stimuli="results/{dataset}/stimuli.tsv",
    output:
        rdms="results/{dataset}/rdms/{dissimilarity}/{units}/{features}/{model}.h5",
    log:
        "results/logs/{dataset}/network_rdms/{dissimilarity}/{units}/{features}/{model}.log",
    benchmark:
        "results/benchmarks/{dataset}/network_rdms/{dissimilarity}/{units}/{features}/{model}.tsv"
    # before the next extraction, so that temporary activations leave the disk
    priority: 5
    conda:
        "../envs/analysis.yaml"
    threads: FIRST["inference"]["threads"]
    resources:
        mem_mb=memory_of_rdms,
    params:
        settings=lambda wildcards: {
            "dissimilarity": wildcards.dissimilarity,
            "units": wildcards.units,
        },
        recipe=recipe_of_activations,
        code=code("network_rdms.py"),
    message:
        "RDMs of the layers of {wildcards.model} for {wildcards.dataset}"
    script:
        "../scripts/network_rdms.py"


rule confounds:
    input:
        images="results/{dataset}/stimuli.npy",
        stimuli="results/{dataset}/stimuli.tsv",
        files=files_of_confounds,
    output:
        rdms=f"{RESULTS}/confounds.h5",
        table=f"{RESULTS}/confounds.csv",
    log:
        f"{LOGS}/confounds.log",
    benchmark:
        f"{BENCHMARKS}/confounds.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=scaled_with_input(4000, 3),
    params:
        settings=lambda wildcards: {
            key: CONFIGS[wildcards.study]["measures"][key]
            for key in ("confounds", "dissimilarity", "comparison")
        }
        | {
            key: DATASETS[wildcards.dataset][key]
            for key in ("background",)
            if key in DATASETS[wildcards.dataset]
        },
        code=code("confounds.py"),
    message:
        "Confound RDMs of {wildcards.dataset}"
    script:
        "../scripts/confounds.py"
