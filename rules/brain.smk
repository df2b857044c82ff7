# Stimuli and brain data of every data set.


rule simulate:
    message:
        "Simulating the stimuli and responses of {wildcards.dataset}"
    output:
        images="results/{dataset}/stimuli.npy",
        stimuli="results/{dataset}/stimuli.tsv",
        responses="results/{dataset}/responses.nc",
    params:
        settings=lambda wildcards: {key: DATASETS[wildcards.dataset][key] for key in ("rois", "options")},
        code=code("simulate.py"),
    log:
        "results/logs/{dataset}/simulate.log",
    benchmark:
        "results/benchmarks/{dataset}/simulate.tsv"
    wildcard_constraints:
        dataset=datasets_with("simulated"),
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    conda:
        "../envs/brain.yaml"
    script:
        "../scripts/simulate.py"


rule read_rdm_dataset:
    message:
        "Reading the stimuli and brain RDMs of {wildcards.dataset}"
    input:
        downloads="results/downloads/{dataset}",
    output:
        images="results/{dataset}/stimuli.npy",
        stimuli="results/{dataset}/stimuli.tsv",
        rdms="results/{dataset}/rdms/brain.h5",
    params:
        settings=lambda wildcards: {key: DATASETS[wildcards.dataset][key] for key in ("rois", "options")},
        code=code("read_rdm_dataset.py"),
    log:
        "results/logs/{dataset}/read_rdm_dataset.log",
    benchmark:
        "results/benchmarks/{dataset}/read_rdm_dataset.tsv"
    wildcard_constraints:
        dataset=datasets_with("rdms"),
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    conda:
        "../envs/brain.yaml"
    script:
        "../scripts/read_rdm_dataset.py"


rule reliability:
    message:
        "Reliability of the voxels of {wildcards.dataset}"
    input:
        responses="results/{dataset}/responses.nc",
    output:
        table="results/{dataset}/reliability.csv",
    params:
        settings={key: CONFIG["inference"][key] for key in ("ceiling_splits", "seed")},
        code=code("reliability.py"),
    log:
        "results/logs/{dataset}/reliability.log",
    benchmark:
        "results/benchmarks/{dataset}/reliability.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    conda:
        "../envs/brain.yaml"
    script:
        "../scripts/reliability.py"
