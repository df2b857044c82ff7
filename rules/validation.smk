# Do the methods keep what they promise? Not part of a study: `snakemake calibration` and `snakemake recovery` ask for it.

CALIBRATION = {"subjects": (1, 4, 15), "stimuli": (40, 120), "signal": ("strong", "weak", "faint", "none")}


rule calibration_truth:
    output:
        truth="results/calibration/truth-{population}-{signal}.npy",
    log:
        "results/logs/calibration/truth-{population}-{signal}.log",
    benchmark:
        "results/benchmarks/calibration/truth-{population}-{signal}.tsv"
    wildcard_constraints:
        population="one|several",
        signal="|".join(CALIBRATION["signal"]),
    conda:
        "../envs/analysis.yaml"
    threads: 1
    params:
        settings={"stimuli": 500, "studies": 25, "subjects": 12},
        code=code("calibration_truth.py"),
    message:
        "Scores in the population: {wildcards.population} subject(s), {wildcards.signal} signal"
    script:
        "../scripts/calibration_truth.py"


rule calibration_study:
    input:
        unpack(truth_of),
    output:
        table="results/calibration/{subjects}-subjects-{stimuli}-stimuli-{signal}.csv",
    log:
        "results/logs/calibration/{subjects}-{stimuli}-{signal}.log",
    benchmark:
        "results/benchmarks/calibration/{subjects}-{stimuli}-{signal}.tsv"
    wildcard_constraints:
        subjects=r"\d+",
        stimuli=r"\d+",
        signal="|".join(CALIBRATION["signal"]),
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        runtime=scaled(60),
    params:
        settings=settings_of_calibration,
        code=code("calibration.py"),
    message:
        "Coverage and error rates: {wildcards.subjects} subjects, {wildcards.stimuli} stimuli, {wildcards.signal} signal"
    script:
        "../scripts/calibration.py"


rule calibration_comparisons:
    output:
        table="results/calibration/comparisons-{subjects}-subjects-{stimuli}-stimuli.csv",
    log:
        "results/logs/calibration/comparisons-{subjects}-{stimuli}.log",
    benchmark:
        "results/benchmarks/calibration/comparisons-{subjects}-{stimuli}.tsv"
    wildcard_constraints:
        subjects=r"\d+",
        stimuli=r"\d+",
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        runtime=scaled(60),
    params:
        settings={"simulations": 200, "draws": 200, "methods": ["resampled", "one-pass"]},
        code=code("calibrate_comparisons.py"),
    message:
        "Error rates of comparisons: {wildcards.subjects} subjects, {wildcards.stimuli} stimuli"
    script:
        "../scripts/calibrate_comparisons.py"


rule calibration_regions:
    output:
        table="results/calibration/regions-{stimuli}-stimuli.csv",
    log:
        "results/logs/calibration/regions-{stimuli}.log",
    benchmark:
        "results/benchmarks/calibration/regions-{stimuli}.tsv"
    wildcard_constraints:
        stimuli=r"\d+",
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        runtime=scaled(60),
    params:
        settings={"simulations": 400, "seed": 0},
        code=code("calibrate_regions.py"),
    message:
        "Error rates of contrasts of ROIs: {wildcards.stimuli} stimuli"
    script:
        "../scripts/calibrate_regions.py"


rule calibration_encoding:
    output:
        table="results/calibration/encoding-{stimuli}-stimuli.csv",
    log:
        "results/logs/calibration/encoding-{stimuli}.log",
    benchmark:
        "results/benchmarks/calibration/encoding-{stimuli}.tsv"
    wildcard_constraints:
        stimuli=r"\d+",
    conda:
        "../envs/encoding.yaml"
    threads: 1
    resources:
        runtime=scaled(60),
    params:
        settings={"studies": 300, "seed": 0},
        code=code("calibrate_encoding.py"),
    message:
        "Coverage of encoding models: {wildcards.stimuli} stimuli"
    script:
        "../scripts/calibrate_encoding.py"


rule calibration_low_level:
    output:
        table="results/calibration/low-level-{stimuli}-stimuli.csv",
    log:
        "results/logs/calibration/low-level-{stimuli}.log",
    benchmark:
        "results/benchmarks/calibration/low-level-{stimuli}.tsv"
    wildcard_constraints:
        stimuli=r"\d+",
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        runtime=scaled(60),
    params:
        settings={"worlds": 60, "seed": 0, "claims": cards.claim_files.load_claims("measures", ROOT)},
        code=code("calibrate_low_level.py"),
    message:
        "Claims beyond low-level descriptors where there is nothing beyond: {wildcards.stimuli} stimuli"
    script:
        "../scripts/calibrate_low_level.py"


rule calibration_bounds:
    output:
        table="results/calibration/bounds-{stimuli}-stimuli.csv",
    log:
        "results/logs/calibration/bounds-{stimuli}.log",
    benchmark:
        "results/benchmarks/calibration/bounds-{stimuli}.tsv"
    wildcard_constraints:
        stimuli=r"\d+",
    conda:
        "../envs/analysis.yaml"
    threads: 1
    params:
        settings={"simulations": 300, "seed": 0},
        code=code("calibrate_bounds.py"),
    message:
        "Noise ceilings and claims about shares of them: {wildcards.stimuli} stimuli"
    script:
        "../scripts/calibrate_bounds.py"


rule calibration_folds:
    output:
        table="results/calibration/folds.csv",
    log:
        "results/logs/calibration/folds.log",
    benchmark:
        "results/benchmarks/calibration/folds.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    params:
        settings={"simulations": 400, "seed": 0},
        code=code("calibrate_folds.py"),
    message:
        "Bias of crossnobis by the folds that it takes"
    script:
        "../scripts/calibrate_folds.py"


rule calibration_designs:
    output:
        table="results/calibration/designs.csv",
    log:
        "results/logs/calibration/designs.log",
    benchmark:
        "results/benchmarks/calibration/designs.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        runtime=scaled(60),
    params:
        settings={"simulations": 300, "permutations": 199},
        code=code("calibrate_designs.py"),
    message:
        "Coverage and error rates of categories, films and few people"
    script:
        "../scripts/calibrate_designs.py"


rule plot_calibration:
    input:
        tables=[
            *expand(rules.calibration_study.output.table, **CALIBRATION),
            "results/calibration/1-subjects-1000-stimuli-weak.csv",
        ],
    output:
        table="results/calibration/calibration.csv",
        summary="results/calibration/summary.md",
        svg="results/calibration/calibration.svg",
        png="results/calibration/calibration.png",
    log:
        "results/logs/calibration/plot_calibration.log",
    benchmark:
        "results/benchmarks/calibration/plot_calibration.tsv"
    conda:
        "../envs/figures.yaml"
    threads: 1
    params:
        settings={},
        code=code("plot_calibration.py"),
    message:
        "Figure and table of the calibration"
    script:
        "../scripts/plot_calibration.py"


# simulated experiments by scenario: more where the question is an error rate
RECOVERY = {
    "H1_true": 100,
    "H1_null": 200,
    "H1_null_with_other_voxels": 200,
    "VAE_deficit": 100,
    "equal_networks": 200,
    "low-level_world": 100,
    "shuffled_responses": 200,
    "no_label_codes": 100,
    "generative_world": 100,
    "H1_null_with_unequal_noise": 200,
}


rule recovery_experiments:
    input:
        unpack(recovery_layers),
    output:
        table="results/recovery/{dataset}/{scenario}.csv",
    log:
        "results/logs/recovery/{dataset}/{scenario}.log",
    benchmark:
        "results/benchmarks/recovery/{dataset}/{scenario}.tsv"
    wildcard_constraints:
        scenario="|".join(RECOVERY),
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=scaled(3000),
        runtime=scaled(60),
    params:
        settings=lambda wildcards: {"experiments": RECOVERY[wildcards.scenario], "seed": 0},
        code=code("recovery.py"),
    message:
        "Planted truth on the stimuli of {wildcards.dataset}: {wildcards.scenario}"
    script:
        "../scripts/recovery.py"


rule plot_recovery:
    input:
        tables=expand(
            "results/recovery/{dataset}/{scenario}.csv", dataset=FIRST["datasets"][:1], scenario=RECOVERY
        ),
    output:
        table="results/recovery/recovery.csv",
        svg="results/recovery/recovery.svg",
        png="results/recovery/recovery.png",
    log:
        "results/logs/recovery/plot_recovery.log",
    benchmark:
        "results/benchmarks/recovery/plot_recovery.tsv"
    conda:
        "../envs/figures.yaml"
    threads: 1
    params:
        settings={},
        code=code("plot_recovery.py"),
    message:
        "Figure and table of the recovery of planted truth"
    script:
        "../scripts/plot_recovery.py"


# simulated studies by world, and number of test stimuli and of people not trained with: more where the question is an
# error rate
GUIDED_WORLDS = {
    ("hidden_structure", 120, 1): 40,
    ("hidden_structure", 120, 4): 40,
    ("nothing_beyond_the_low-level_target", 120, 4): 60,
    ("shuffled_responses", 120, 4): 60,
}
GUIDED_LOSSES = ("rdm_pearson", "cka")


rule guided_recovery_studies:
    output:
        table="results/guided_recovery/{world}-{loss}-{stimuli}-stimuli-{unseen}-others.csv",
    log:
        "results/logs/guided_recovery/{world}-{loss}-{stimuli}-stimuli-{unseen}-others.log",
    benchmark:
        "results/benchmarks/guided_recovery/{world}-{loss}-{stimuli}-stimuli-{unseen}-others.tsv"
    wildcard_constraints:
        world="|".join({world for world, _, _ in GUIDED_WORLDS}),
        loss="|".join(GUIDED_LOSSES),
        stimuli=r"\d+",
        unseen=r"\d+",
    conda:
        "../envs/encoding.yaml"
    threads: 1
    resources:
        runtime=scaled(120),
    params:
        settings=lambda wildcards: {
            "studies": GUIDED_WORLDS[wildcards.world, int(wildcards.stimuli), int(wildcards.unseen)],
            "seed": 0,
            "claims": cards.claim_files.load_claims("brain_guided", ROOT),
        },
        code=code("guided_recovery.py"),
    message:
        "Training with a simulated brain: {wildcards.world}, {wildcards.loss}, {wildcards.unseen} other people"
    script:
        "../scripts/guided_recovery.py"


rule plot_guided_recovery:
    input:
        tables=[
            f"results/guided_recovery/{world}-{loss}-{stimuli}-stimuli-{unseen}-others.csv"
            for world, stimuli, unseen in GUIDED_WORLDS
            for loss in GUIDED_LOSSES
        ],
    output:
        table="results/guided_recovery/recovery.csv",
        svg="results/guided_recovery/recovery.svg",
        png="results/guided_recovery/recovery.png",
    log:
        "results/logs/guided_recovery/plot.log",
    benchmark:
        "results/benchmarks/guided_recovery/plot.tsv"
    conda:
        "../envs/figures.yaml"
    threads: 1
    params:
        settings={},
        code=code("plot_guided_recovery.py"),
    message:
        "Figure and table of training with a simulated brain"
    script:
        "../scripts/plot_guided_recovery.py"


rule power_of_design:
    output:
        table="results/power/{study}/{dataset}/{stimuli}-stimuli-effect-{effect}.csv",
    log:
        "results/logs/power/{study}/{dataset}/{stimuli}-{effect}.log",
    benchmark:
        "results/benchmarks/power/{study}/{dataset}/{stimuli}-{effect}.tsv"
    wildcard_constraints:
        stimuli=r"\d+",
        effect=r"[\d.]+",
    conda:
        "../envs/analysis.yaml"
    threads: 1
    params:
        settings=power_settings,
        code=code("power.py"),
    message:
        "Simulated studies of {wildcards.dataset}: {wildcards.stimuli} stimuli, effect {wildcards.effect}"
    script:
        "../scripts/power.py"


rule plot_power:
    input:
        tables=power_tables,
    output:
        table="results/power/{study}/{dataset}/power.csv",
        summary="results/power/{study}/{dataset}/power.txt",
        svg="results/power/{study}/{dataset}/power.svg",
        png="results/power/{study}/{dataset}/power.png",
    log:
        "results/logs/power/{study}/{dataset}/plot_power.log",
    benchmark:
        "results/benchmarks/power/{study}/{dataset}/plot_power.tsv"
    conda:
        "../envs/figures.yaml"
    threads: 1
    params:
        settings={},
        code=code("plot_power.py"),
    message:
        "Power of the design of {wildcards.dataset}"
    script:
        "../scripts/plot_power.py"
