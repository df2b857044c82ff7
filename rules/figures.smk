# Figures, with the captions that the report shows.


rule plot_scores:
    input:
        unpack(learning_of),
        scores="results/{dataset}/scores.csv",
        ceilings="results/{dataset}/ceilings.csv",
    output:
        **figure("profiles", "Scores", "layer profiles"),
        **figure("rois", "Scores", "ROIs side by side"),
        **figure("heatmap", "Scores", "heat map of ROIs and layers"),
    log:
        "results/logs/{dataset}/plot_scores.log",
    benchmark:
        "results/benchmarks/{dataset}/plot_scores.tsv"
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=scaled(1000),
        runtime=scaled(15),
    params:
        settings={"models": labels_of_models(), "confidence": CONFIG["inference"]["confidence"]},
        code=code("plot_scores.py"),
    message:
        "Figures of the scores of {wildcards.dataset}"
    script:
        "../scripts/plot_scores.py"


rule plot_geometry:
    input:
        unpack(learning_of),
        brain="results/{dataset}/rdms/brain.h5",
        networks=expand("results/{{dataset}}/rdms/{model}.h5", model=MODELS),
        scores="results/{dataset}/scores.csv",
    output:
        **figure("rdms", "Geometry", "RDMs"),
        **figure("mds", "Geometry", "map of layers and ROIs"),
    log:
        "results/logs/{dataset}/plot_geometry.log",
    benchmark:
        "results/benchmarks/{dataset}/plot_geometry.tsv"
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(15),
    params:
        settings={
            "models": labels_of_models(),
            "comparison": CONFIG["measures"]["comparison"],
            "seed": CONFIG["inference"]["seed"],
        },
        code=code("plot_geometry.py"),
    message:
        "Figures of the geometry of {wildcards.dataset}"
    script:
        "../scripts/plot_geometry.py"


rule plot_claims:
    input:
        unpack(learning_of),
        claims="results/{dataset}/claims.csv",
        profiles="results/{dataset}/profiles.csv",
    output:
        **figure("centroids", "Claims", "depth centroids"),
        **figure("verdicts", "Claims", "verdicts"),
    log:
        "results/logs/{dataset}/plot_claims.log",
    benchmark:
        "results/benchmarks/{dataset}/plot_claims.tsv"
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=scaled(1000),
        runtime=scaled(15),
    params:
        settings={"models": labels_of_models(), "confidence": CONFIG["inference"]["confidence"]},
        code=code("plot_claims.py"),
    message:
        "Figures of the claims about {wildcards.dataset}"
    script:
        "../scripts/plot_claims.py"


rule plot_reliability:
    input:
        table="results/{dataset}/reliability.csv",
    output:
        **figure("reliability", "Quality", "reliability of the voxels"),
    log:
        "results/logs/{dataset}/plot_reliability.log",
    benchmark:
        "results/benchmarks/{dataset}/plot_reliability.tsv"
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=scaled(1000),
        runtime=scaled(15),
    params:
        code=code("plot_reliability.py"),
    message:
        "Figure of the reliability of {wildcards.dataset}"
    script:
        "../scripts/plot_reliability.py"


rule plot_learning:
    input:
        metrics=expand("results/networks/{model}/metrics.csv", model=TRAINED),
        learning="results/{dataset}/learning.csv",
    output:
        **figure("learning", "Quality", "what the networks learned"),
    log:
        "results/logs/{dataset}/plot_learning.log",
    benchmark:
        "results/benchmarks/{dataset}/plot_learning.tsv"
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=scaled(1000),
        runtime=scaled(15),
    params:
        settings=labels_of_models(),
        code=code("plot_learning.py"),
    message:
        "Figure of what the networks trained for {wildcards.dataset} learned"
    script:
        "../scripts/plot_learning.py"


rule plot_inputs:
    input:
        inputs="results/{dataset}/inputs.nc",
    output:
        **figure("inputs", "Quality", "what the networks saw"),
    log:
        "results/logs/{dataset}/plot_inputs.log",
    benchmark:
        "results/benchmarks/{dataset}/plot_inputs.tsv"
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=scaled(1000),
        runtime=scaled(15),
    params:
        settings=labels_of_models(),
        code=code("plot_inputs.py"),
    message:
        "Contact sheet of what the networks saw of {wildcards.dataset}"
    script:
        "../scripts/plot_inputs.py"


rule plot_stimuli:
    input:
        images="results/{dataset}/stimuli.npy",
        stimuli="results/{dataset}/stimuli.tsv",
    output:
        **figure("stimuli", "Quality", "stimuli"),
    log:
        "results/logs/{dataset}/plot_stimuli.log",
    benchmark:
        "results/benchmarks/{dataset}/plot_stimuli.tsv"
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=scaled(1000),
        runtime=scaled(15),
    params:
        code=code("plot_stimuli.py"),
    message:
        "Figure of the stimuli of {wildcards.dataset}"
    script:
        "../scripts/plot_stimuli.py"


rule plot_bold:
    input:
        mean=lambda wildcards: glm_files(wildcards, "mean.nii.gz"),
        tsnr=lambda wildcards: glm_files(wildcards, "tsnr.nii.gz"),
        rois=lambda wildcards: glm_files(wildcards, "rois.nii.gz"),
        design=lambda wildcards: glm_files(wildcards, "design.tsv"),
    output:
        **figure("masks", "Quality", "ROIs over the mean BOLD"),
        **figure("tsnr", "Quality", "tSNR"),
        **figure("design", "Quality", "design matrix of a run"),
    log:
        "results/logs/{dataset}/plot_bold.log",
    benchmark:
        "results/benchmarks/{dataset}/plot_bold.tsv"
    wildcard_constraints:
        dataset=either(BIDS),
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(15),
    params:
        settings=lambda wildcards: {
            "subjects": BIDS[wildcards.dataset]["subjects"],
            "rois": list(BIDS[wildcards.dataset]["rois"]),
        },
        code=code("plot_bold.py"),
    message:
        "Figures of the BOLD of {wildcards.dataset}"
    script:
        "../scripts/plot_bold.py"


rule plot_beta_recovery:
    input:
        table="results/{dataset}/beta_recovery.csv",
    output:
        **figure("beta_recovery", "Quality", "planted and recovered betas"),
    log:
        "results/logs/{dataset}/plot_beta_recovery.log",
    benchmark:
        "results/benchmarks/{dataset}/plot_beta_recovery.tsv"
    wildcard_constraints:
        dataset=datasets_with("simulated"),
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=scaled(1000),
        runtime=scaled(15),
    params:
        code=code("plot_beta_recovery.py"),
    message:
        "Figure of planted and recovered betas of {wildcards.dataset}"
    script:
        "../scripts/plot_beta_recovery.py"
