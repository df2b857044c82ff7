# Downloads: one job a card, all files of the card at once.


rule fetch:
    output:
        directory("results/downloads/{card}"),
    log:
        "results/logs/fetch/{card}.log",
    benchmark:
        "results/benchmarks/fetch/{card}.tsv"
    conda:
        "../envs/brain.yaml"
    threads: 1
    resources:
        mem_mb=scaled(500),
        runtime=scaled(120),
    params:
        settings=lambda wildcards: cards.card_files({**DATASETS, **MODELS, **CORPORA}[wildcards.card]),
        outside=lambda wildcards: state_of_local_urls(
            cards.card_files({**DATASETS, **MODELS, **CORPORA}[wildcards.card])
        ),
        code=code("fetch.py"),
    message:
        "Downloading the files of {wildcards.card}"
    script:
        "../scripts/fetch.py"
