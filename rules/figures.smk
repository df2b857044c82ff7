# Figures, with the captions that the report shows.

def labels_of_models():
    """Label and family of every model: what figures show of the cards."""
    return {name: {"label": card["label"], "family": card["family"]} for name, card in MODELS.items()}


def figure(name: str, category: str):
    """Both files of a figure; the SVG goes into the report with its caption."""
    return {
        f"{name}_svg": report(
            f"results/{{dataset}}/figures/{name}.svg",
            caption=f"../resources/captions/{name}.rst",
            category=category,
            labels={"data set": "{dataset}", "content": name},
        ),
        f"{name}_png": f"results/{{dataset}}/figures/{name}.png",
    }


rule plot_scores:
    message:
        "Figures of the scores of {wildcards.dataset}"
    input:
        scores="results/{dataset}/scores.csv",
        ceilings="results/{dataset}/ceilings.csv",
    output:
        **figure("profiles", "Scores"),
        **figure("rois", "Scores"),
        **figure("heatmap", "Scores"),
    params:
        settings=labels_of_models(),
        code=code("plot_scores.py"),
    log:
        "results/logs/{dataset}/plot_scores.log",
    benchmark:
        "results/benchmarks/{dataset}/plot_scores.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=15,
    conda:
        "../envs/figures.yaml"
    script:
        "../scripts/plot_scores.py"


rule plot_geometry:
    message:
        "Figures of the geometry of {wildcards.dataset}"
    input:
        brain="results/{dataset}/rdms/brain.h5",
        networks=expand("results/{{dataset}}/rdms/{model}.h5", model=MODELS),
        scores="results/{dataset}/scores.csv",
    output:
        **figure("rdms", "Geometry"),
        **figure("mds", "Geometry"),
    params:
        settings={
            "models": labels_of_models(),
            "comparison": CONFIG["measures"]["comparison"],
            "seed": CONFIG["inference"]["seed"],
        },
        code=code("plot_geometry.py"),
    log:
        "results/logs/{dataset}/plot_geometry.log",
    benchmark:
        "results/benchmarks/{dataset}/plot_geometry.tsv"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=15,
    conda:
        "../envs/figures.yaml"
    script:
        "../scripts/plot_geometry.py"


rule plot_claims:
    message:
        "Figures of the claims about {wildcards.dataset}"
    input:
        claims="results/{dataset}/claims.csv",
        profiles="results/{dataset}/profiles.csv",
    output:
        **figure("centroids", "Claims"),
        **figure("verdicts", "Claims"),
    params:
        settings=labels_of_models(),
        code=code("plot_claims.py"),
    log:
        "results/logs/{dataset}/plot_claims.log",
    benchmark:
        "results/benchmarks/{dataset}/plot_claims.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=15,
    conda:
        "../envs/figures.yaml"
    script:
        "../scripts/plot_claims.py"


rule plot_reliability:
    message:
        "Figure of the reliability of {wildcards.dataset}"
    input:
        table="results/{dataset}/reliability.csv",
    output:
        **figure("reliability", "Quality"),
    params:
        code=code("plot_reliability.py"),
    log:
        "results/logs/{dataset}/plot_reliability.log",
    benchmark:
        "results/benchmarks/{dataset}/plot_reliability.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=15,
    conda:
        "../envs/figures.yaml"
    script:
        "../scripts/plot_reliability.py"


rule plot_learning:
    message:
        "Figure of what the networks trained for {wildcards.dataset} learned"
    input:
        metrics=expand("results/networks/{model}/metrics.csv", model=TRAINED),
    output:
        **figure("learning", "Quality"),
    params:
        settings=labels_of_models(),
        code=code("plot_learning.py"),
    log:
        "results/logs/{dataset}/plot_learning.log",
    benchmark:
        "results/benchmarks/{dataset}/plot_learning.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=15,
    conda:
        "../envs/figures.yaml"
    script:
        "../scripts/plot_learning.py"
