from snakemake.utils import min_version

min_version("9.20")


# no `configfile:`: it would be looked for where Snakemake runs; rules/common/studies.smk reads config.yaml and overlays
include: "rules/common/studies.smk"
include: "rules/common/places.smk"
include: "rules/common/settings.smk"
include: "rules/common/resources.smk"
include: "rules/common/reporting.smk"
include: "rules/fetch.smk"
include: "rules/brain.smk"
include: "rules/networks.smk"
include: "rules/geometry.smk"
include: "rules/inference.smk"
include: "rules/encoding.smk"
include: "rules/guided.smk"
include: "rules/figures.smk"
include: "rules/report.smk"
include: "rules/validation.smk"


report: "resources/captions/workflow.rst"


localrules:
    all,
    calibration,
    fetch,
    guided_recovery,
    power,
    recovery,


rule all:
    default_target: True
    input:
        [everything(study) for study in CONFIGS],
    message:
        "All results of the studies"


# studies of the methods; every table by name, for the reason that `intermediates` gives
rule calibration:
    input:
        expand(
            rules.calibration_truth.output.truth,
            population=("one", "several"),
            signal=[signal for signal in CALIBRATION["signal"] if signal != "none"],
        ),
        rules.plot_calibration.input.tables,
        rules.plot_calibration.output,
        expand(rules.calibration_comparisons.output.table, subjects=(1, 4), stimuli=40),
        expand(rules.calibration_regions.output.table, stimuli=60),
        expand(rules.calibration_encoding.output.table, stimuli=80),
        expand(rules.calibration_bounds.output.table, stimuli=60),
        rules.calibration_folds.output.table,
        rules.calibration_designs.output.table,


rule recovery:
    input:
        rules.plot_recovery.input.tables,
        rules.plot_recovery.output,


# does training with a brain find what is there, and nothing else?
rule guided_recovery:
    input:
        rules.plot_guided_recovery.input.tables,
        rules.plot_guided_recovery.output,


# how often the claims of the study would reach each verdict: before there are data
rule power:
    input:
        [
            f"results/power/{study}/{dataset}/power.{suffix}"
            for study, content in CONFIGS.items()
            for dataset in content["datasets"]
            for suffix in ("csv", "txt", "svg", "png")
        ],


onstart:
    record_studies()


onsuccess:
    tell_power()
    make_reports()


onerror:
    repeat_errors()
