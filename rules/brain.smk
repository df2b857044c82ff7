# Stimuli and brain data of every data set.


rule simulate:
    output:
        bids=directory("results/{dataset}/bids"),
        truth="results/{dataset}/truth.nc",
    log:
        "results/logs/{dataset}/simulate.log",
    benchmark:
        "results/benchmarks/{dataset}/simulate.tsv"
    wildcard_constraints:
        dataset=datasets_with("simulated"),
    conda:
        "../envs/brain.yaml"
    threads: 1
    params:
        settings=part_of_dataset("rois", "options"),
        code=code("simulate.py"),
    message:
        "Simulating the BOLD of {wildcards.dataset}"
    script:
        "../scripts/simulate.py"


rule read_bids_stimuli:
    input:
        unpack(bids_files),
    output:
        images="results/{dataset}/stimuli.npy",
        stimuli="results/{dataset}/stimuli.tsv",
    log:
        "results/logs/{dataset}/read_bids_stimuli.log",
    benchmark:
        "results/benchmarks/{dataset}/read_bids_stimuli.tsv"
    wildcard_constraints:
        dataset=either(BIDS),
    # its checks come before the long jobs
    priority: 20
    conda:
        "../envs/brain.yaml"
    threads: 1
    params:
        settings=lambda wildcards: BIDS[wildcards.dataset],
        outside=lambda wildcards: state_of(outside_files(wildcards)),
        code=code("read_bids_stimuli.py"),
    message:
        "Reading the stimuli and events of {wildcards.dataset}"
    script:
        "../scripts/read_bids_stimuli.py"


rule glm:
    input:
        unpack(bids_files),
    output:
        betas="results/{dataset}/glm/{glm}/sub-{subject}_betas.nc",
        mean="results/{dataset}/glm/{glm}/sub-{subject}_mean.nii.gz",
        tsnr="results/{dataset}/glm/{glm}/sub-{subject}_tsnr.nii.gz",
        rois="results/{dataset}/glm/{glm}/sub-{subject}_rois.nii.gz",
        design="results/{dataset}/glm/{glm}/sub-{subject}_design.tsv",
    log:
        "results/logs/{dataset}/glm/{glm}/sub-{subject}.log",
    benchmark:
        "results/benchmarks/{dataset}/glm/{glm}/sub-{subject}.tsv"
    wildcard_constraints:
        dataset=either(BIDS),
    conda:
        "../envs/brain.yaml"
    threads: 1
    resources:
        mem_mb=scaled(FIRST["glm"]["mem_mb"]),
        runtime=scaled(FIRST["glm"]["runtime"]),
    params:
        settings=lambda wildcards: {
            key: value for key, value in BIDS[wildcards.dataset].items() if key != "subjects"
        }
        | {"glm": GLMS[wildcards.glm]},
        outside=lambda wildcards: state_of(outside_files(wildcards)),
        code=code("glm.py"),
    message:
        "Betas of sub-{wildcards.subject} of {wildcards.dataset}"
    script:
        "../scripts/glm.py"


rule responses:
    input:
        stimuli="results/{dataset}/stimuli.tsv",
        betas=lambda wildcards: glm_files(
            wildcards.dataset, SELECTIONS[wildcards.responses]["glm"], "betas.nc"
        ),
    output:
        responses="results/{dataset}/responses/{responses}.nc",
    log:
        "results/logs/{dataset}/responses/{responses}.log",
    benchmark:
        "results/benchmarks/{dataset}/responses/{responses}.tsv"
    wildcard_constraints:
        dataset=either(BIDS),
    conda:
        "../envs/brain.yaml"
    threads: 1
    resources:
        mem_mb=scaled(4000),
    params:
        settings=lambda wildcards: {
            "subjects": BIDS[wildcards.dataset]["subjects"],
            "betas": SELECTIONS[wildcards.responses]["betas"],
            "zscore": SELECTIONS[wildcards.responses]["zscore"],
            "selection": SELECTIONS[wildcards.responses]["selection"],
        },
        code=code("responses.py"),
    message:
        "Responses of {wildcards.dataset}"
    script:
        "../scripts/responses.py"


rule read_rdm_dataset:
    input:
        unpack(rdm_files),
    output:
        images="results/{dataset}/stimuli.npy",
        stimuli="results/{dataset}/stimuli.tsv",
        rdms=f"results/{{dataset}}/rdms/brain-{studies.PUBLISHED}.h5",
    log:
        "results/logs/{dataset}/read_rdm_dataset.log",
    benchmark:
        "results/benchmarks/{dataset}/read_rdm_dataset.tsv"
    wildcard_constraints:
        dataset=datasets_with("rdms"),
    conda:
        "../envs/brain.yaml"
    threads: 1
    params:
        settings=part_of_dataset("rois", "options", "images", "path"),
        outside=lambda wildcards: state_of(local_files(DATASETS[wildcards.dataset])),
        files=lambda wildcards: cards.card_files(DATASETS[wildcards.dataset]),
        code=code("read_rdm_dataset.py"),
    message:
        "Reading the stimuli and brain RDMs of {wildcards.dataset}"
    script:
        "../scripts/read_rdm_dataset.py"


rule read_responses_stimuli:
    input:
        unpack(downloads_of),
    output:
        images="results/{dataset}/stimuli.npy",
        stimuli="results/{dataset}/stimuli.tsv",
    log:
        "results/logs/{dataset}/read_responses_stimuli.log",
    benchmark:
        "results/benchmarks/{dataset}/read_responses_stimuli.tsv"
    wildcard_constraints:
        dataset=datasets_with("responses"),
    # its checks come before the long jobs
    priority: 20
    conda:
        "../envs/brain.yaml"
    threads: 1
    params:
        settings=settings_of_responses_stimuli,
        outside=outside_of(responses_files.names_of_stimuli),
        files=lambda wildcards: cards.card_files(DATASETS[wildcards.dataset]),
        code=code("read_responses_stimuli.py"),
    message:
        "Reading the stimuli of {wildcards.dataset}"
    script:
        "../scripts/read_responses_stimuli.py"


rule read_responses:
    input:
        unpack(downloads_of),
        stimuli="results/{dataset}/stimuli.tsv",
    output:
        responses=f"results/{{dataset}}/responses/{studies.PUBLISHED}.nc",
    log:
        "results/logs/{dataset}/read_responses.log",
    benchmark:
        "results/benchmarks/{dataset}/read_responses.tsv"
    wildcard_constraints:
        dataset=datasets_with("responses"),
    conda:
        "../envs/brain.yaml"
    threads: 1
    resources:
        mem_mb=scaled(4000),
    params:
        settings=settings_of_responses,
        outside=outside_of(responses_files.names_of_responses),
        files=lambda wildcards: cards.card_files(DATASETS[wildcards.dataset]),
        code=code("read_responses.py"),
    message:
        "Reading the responses of {wildcards.dataset}"
    script:
        "../scripts/read_responses.py"


rule read_kay:
    input:
        downloads="results/downloads/{dataset}",
    output:
        images="results/{dataset}/stimuli.npy",
        stimuli="results/{dataset}/stimuli.tsv",
        responses=f"results/{{dataset}}/responses/{studies.PUBLISHED}.nc",
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
        mem_mb=scaled(3000),
    params:
        settings=part_of_dataset("loader", "rois", "options"),
        files=lambda wildcards: cards.card_files(DATASETS[wildcards.dataset]),
        code=code("read_kay.py"),
    message:
        "Reading the stimuli and responses of {wildcards.dataset}"
    script:
        "../scripts/read_kay.py"


rule reliability:
    input:
        responses=path_of_responses,
        stimuli="results/{dataset}/stimuli.tsv",
    output:
        table=f"{RESULTS}/reliability.csv",
    log:
        f"{LOGS}/reliability.log",
    benchmark:
        f"{BENCHMARKS}/reliability.tsv"
    conda:
        "../envs/brain.yaml"
    threads: 1
    params:
        settings=lambda wildcards: {
            **part_of_study("ceiling_splits", "seed")(wildcards),
            "unit": DATASETS[wildcards.dataset].get("unit"),
        },
        code=code("reliability.py"),
    message:
        "Reliability of the voxels of {wildcards.dataset}"
    script:
        "../scripts/reliability.py"
