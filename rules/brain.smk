# Stimuli and brain data of every data set.


rule simulate:
    output:
        images="results/{dataset}/stimuli.npy",
        stimuli="results/{dataset}/stimuli.tsv",
        responses="results/{dataset}/responses.nc",
    log:
        "results/logs/{dataset}/simulate.log",
    benchmark:
        "results/benchmarks/{dataset}/simulate.tsv"
    wildcard_constraints:
        dataset=datasets_with("simulated"),
    conda:
        "../envs/brain.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=lambda wildcards: {key: DATASETS[wildcards.dataset][key] for key in ("rois", "options")},
        code=code("simulate.py"),
    message:
        "Simulating the stimuli and responses of {wildcards.dataset}"
    script:
        "../scripts/simulate.py"


rule read_rdm_dataset:
    input:
        downloads="results/downloads/{dataset}",
    output:
        images="results/{dataset}/stimuli.npy",
        stimuli="results/{dataset}/stimuli.tsv",
        rdms="results/{dataset}/rdms/brain.h5",
    log:
        "results/logs/{dataset}/read_rdm_dataset.log",
    benchmark:
        "results/benchmarks/{dataset}/read_rdm_dataset.tsv"
    wildcard_constraints:
        dataset=datasets_with("rdms"),
    conda:
        "../envs/brain.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=lambda wildcards: {key: DATASETS[wildcards.dataset][key] for key in ("rois", "options")},
        code=code("read_rdm_dataset.py"),
    message:
        "Reading the stimuli and brain RDMs of {wildcards.dataset}"
    script:
        "../scripts/read_rdm_dataset.py"


rule read_kay:
    input:
        downloads="results/downloads/{dataset}",
    output:
        images="results/{dataset}/stimuli.npy",
        stimuli="results/{dataset}/stimuli.tsv",
        responses="results/{dataset}/responses.nc",
    log:
        "results/logs/{dataset}/read_kay.log",
    benchmark:
        "results/benchmarks/{dataset}/read_kay.tsv"
    wildcard_constraints:
        dataset=datasets_with("kay2008", "vim1"),
    conda:
        "../envs/brain.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=30,
    params:
        settings=lambda wildcards: {
            key: DATASETS[wildcards.dataset][key] for key in ("loader", "rois", "options")
        },
        code=code("read_kay.py"),
    message:
        "Reading the stimuli and responses of {wildcards.dataset}"
    script:
        "../scripts/read_kay.py"


rule reliability:
    input:
        responses="results/{dataset}/responses.nc",
    output:
        table="results/{dataset}/reliability.csv",
    log:
        "results/logs/{dataset}/reliability.log",
    benchmark:
        "results/benchmarks/{dataset}/reliability.tsv"
    conda:
        "../envs/brain.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings={key: CONFIG["inference"][key] for key in ("ceiling_splits", "seed")},
        code=code("reliability.py"),
    message:
        "Reliability of the voxels of {wildcards.dataset}"
    script:
        "../scripts/reliability.py"
