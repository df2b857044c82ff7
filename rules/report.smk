# What the report tells beside figures and tables.


rule collect_warnings:
    input:
        lambda wildcards: results_of(wildcards.study, wildcards.dataset),
    output:
        table=report(
            f"{RESULTS}/warnings.csv",
            caption="../resources/captions/warnings.rst",
            category="Quality",
            labels={"study": "{study}", "data set": "{dataset}", "content": "table of warnings"},
        ),
    log:
        f"{LOGS}/collect_warnings.log",
    benchmark:
        f"{BENCHMARKS}/collect_warnings.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    params:
        settings=lambda wildcards: {"logs": logs_of(wildcards.study, wildcards.dataset)},
        code=code("collect_warnings.py"),
    message:
        "Warnings of the jobs of {wildcards.dataset}"
    script:
        "../scripts/collect_warnings.py"
