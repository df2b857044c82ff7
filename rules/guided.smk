# What networks that are trained with a brain gain: likeness to the brain over every control, task, robustness.


rule robustness:
    input:
        unpack(corpus_files),
        weights="results/networks/{model}/weights.safetensors",
    output:
        table="results/networks/{model}/robustness.csv",
    log:
        "results/logs/robustness/{model}.log",
    benchmark:
        "results/benchmarks/robustness/{model}.tsv"
    wildcard_constraints:
        model=either(GUIDED),
    conda:
        "../envs/networks.yaml"
    threads: FIRST["extraction"]["threads"]
    resources:
        gpu=FIRST["extraction"]["gpu"],
        mem_mb=scaled_from_card("extraction", "mem_mb"),
        runtime=scaled_from_card("extraction", "runtime"),
    params:
        settings=robustness_settings,
        code=code("robustness.py"),
    message:
        "Robustness of {wildcards.model}"
    script:
        "../scripts/robustness.py"


rule guided:
    input:
        unpack(other_results_of_guided),
        unpack(held_out_of_guided),
        scores=results_of_guided("rsa"),
        ceilings=f"{RESULTS}/ceilings.csv",
        learning=f"{RESULTS}/learning.csv",
        robustness=robustness_of,
    output:
        gains=report(
            f"{RESULTS}/guided.csv",
            caption="../resources/captions/gains.rst",
            category="Training with the brain",
            labels={"study": "{study}", "data set": "{dataset}", "content": "table of gains"},
        ),
        robustness=f"{RESULTS}/robustness.csv",
    log:
        f"{LOGS}/guided.log",
    benchmark:
        f"{BENCHMARKS}/guided.tsv"
    wildcard_constraints:
        study=either(study for study in CONFIGS if guided_in(study)),
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=scaled(4000),
    params:
        settings=settings_of_gains,
        code=code("guided.py"),
    message:
        "Gains of training with a brain in {wildcards.dataset}"
    script:
        "../scripts/guided.py"


rule plot_guided:
    input:
        unpack(learning_of),
        gains=f"{RESULTS}/guided.csv",
    output:
        **figure("guided", "Training with the brain", "gains over every control"),
        **figure("guided_tasks", "Training with the brain", "task and robustness"),
    log:
        f"{LOGS}/plot_guided.log",
    benchmark:
        f"{BENCHMARKS}/plot_guided.tsv"
    conda:
        "../envs/figures.yaml"
    threads: 1
    params:
        settings=settings_of_score_figures,
        code=code("plot_guided.py"),
    message:
        "Figure of the gains of training with a brain in {wildcards.dataset}"
    script:
        "../scripts/plot_guided.py"
