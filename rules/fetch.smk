# Downloads: one job a card, all files of the card at once.


rule fetch:
    message:
        "Downloading the files of {wildcards.card}"
    output:
        directory("results/downloads/{card}"),
    params:
        settings=lambda wildcards: cards.card_files({**DATASETS, **MODELS}[wildcards.card]),
        code=code("fetch.py"),
    log:
        "results/logs/fetch/{card}.log",
    benchmark:
        "results/benchmarks/fetch/{card}.tsv"
    threads: 1
    resources:
        mem_mb=500,
        runtime=120,
    conda:
        "../envs/brain.yaml"
    script:
        "../scripts/fetch.py"
