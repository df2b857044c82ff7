# RDMs of the brain and of the networks' layers.


rule brain_rdms:
    input:
        responses="results/{dataset}/responses.nc",
    output:
        rdms="results/{dataset}/rdms/brain.h5",
    log:
        "results/logs/{dataset}/brain_rdms.log",
    benchmark:
        "results/benchmarks/{dataset}/brain_rdms.tsv"
    wildcard_constraints:
        dataset=either(filter(has_responses, DATASETS)),
    conda:
        "../envs/analysis.yaml"
    threads: CONFIG["inference"]["threads"]
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(30),
    params:
        settings={"dissimilarity": CONFIG["measures"]["dissimilarity"]},
        code=code("brain_rdms.py"),
    message:
        "RDMs of the ROIs of {wildcards.dataset}"
    script:
        "../scripts/brain_rdms.py"


rule network_rdms:
    input:
        activations=shards_of,
        stimuli="results/{dataset}/stimuli.tsv",
    output:
        rdms="results/{dataset}/rdms/{model}.h5",
    log:
        "results/logs/{dataset}/network_rdms/{model}.log",
    benchmark:
        "results/benchmarks/{dataset}/network_rdms/{model}.tsv"
    # before the next extraction, so that temporary activations leave the disk
    priority: 5
    conda:
        "../envs/analysis.yaml"
    threads: CONFIG["inference"]["threads"]
    resources:
        mem_mb=scaled_with_rdms(2000),
        runtime=scaled(30),
    params:
        settings={"dissimilarity": CONFIG["measures"]["dissimilarity"]},
        # a failed extraction leaves neither activations nor a record of its settings: without them here, RDMs of
        # the settings before would pass for current
        recipe=lambda wildcards: {
            "settings": extraction_settings(wildcards),
            "code": code("extract.py"),
        },
        code=code("network_rdms.py"),
    message:
        "RDMs of the layers of {wildcards.model} for {wildcards.dataset}"
    script:
        "../scripts/network_rdms.py"
