from snakemake.utils import min_version

min_version("9.20")


configfile: "config.yaml"


include: "rules/common.smk"
include: "rules/fetch.smk"
include: "rules/brain.smk"
include: "rules/networks.smk"
include: "rules/geometry.smk"
include: "rules/inference.smk"
include: "rules/figures.smk"
include: "rules/validation.smk"


report: "resources/captions/workflow.rst"


localrules:
    all,
    calibration,
    fetch,
    recovery,


rule all:
    default_target: True
    input:
        [results_of(dataset) for dataset in DATASETS],
        intermediates(),


onsuccess:
    for dataset in DATASETS:
        make_report(dataset)
