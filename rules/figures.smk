# Figures, with the captions that the report shows.


rule plot_scores:
    input:
        unpack(learning_of),
        scores=f"{RESULTS}/scores.csv",
        ceilings=f"{RESULTS}/ceilings.csv",
    output:
        **figure("profiles", "Scores", "layer profiles"),
        **figure("rois", "Scores", "ROIs side by side"),
        **figure("heatmap", "Scores", "heat map of ROIs and layers"),
    log:
        f"{LOGS}/plot_scores.log",
    benchmark:
        f"{BENCHMARKS}/plot_scores.tsv"
    conda:
        "../envs/figures.yaml"
    threads: 1
    params:
        settings=settings_of_score_figures,
        code=code("plot_scores.py"),
    message:
        "Figures of the scores of {wildcards.dataset}"
    script:
        "../scripts/plot_scores.py"


rule plot_geometry:
    input:
        unpack(learning_of),
        brain=path_of_brain_rdms,
        networks=paths_of_network_rdms,
        scores=f"{RESULTS}/scores.csv",
        images="results/{dataset}/stimuli.npy",
        stimuli="results/{dataset}/stimuli.tsv",
    output:
        **figure("rdms", "Geometry", "RDMs"),
        **figure("mds", "Geometry", "map of layers and ROIs"),
    log:
        f"{LOGS}/plot_geometry.log",
    benchmark:
        f"{BENCHMARKS}/plot_geometry.tsv"
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(15),
    params:
        settings=lambda wildcards: {
            "models": labels_of_models(wildcards),
            "comparison": CONFIGS[wildcards.study]["measures"]["comparison"],
            "seed": CONFIGS[wildcards.study]["inference"]["seed"],
        },
        code=code("plot_geometry.py"),
    message:
        "Figures of the geometry of {wildcards.dataset}"
    script:
        "../scripts/plot_geometry.py"


rule plot_claims:
    input:
        unpack(learning_of),
        claims=f"{RESULTS}/claims.csv",
        profiles=f"{RESULTS}/profiles.csv",
    output:
        **figure("centroids", "Claims", "depth centroids"),
        **figure("verdicts", "Claims", "verdicts"),
    log:
        f"{LOGS}/plot_claims.log",
    benchmark:
        f"{BENCHMARKS}/plot_claims.tsv"
    conda:
        "../envs/figures.yaml"
    threads: 1
    params:
        settings=settings_of_score_figures,
        code=code("plot_claims.py"),
    message:
        "Figures of the claims about {wildcards.dataset}"
    script:
        "../scripts/plot_claims.py"


rule plot_comparisons:
    input:
        unpack(learning_of),
        comparisons=f"{RESULTS}/comparisons.csv",
        ranks=f"{RESULTS}/ranks.csv",
        ceilings=f"{RESULTS}/ceilings.csv",
    output:
        **figure("comparisons", "Comparisons", "networks compared"),
    log:
        f"{LOGS}/plot_comparisons.log",
    benchmark:
        f"{BENCHMARKS}/plot_comparisons.tsv"
    conda:
        "../envs/figures.yaml"
    threads: 1
    params:
        settings=settings_of_score_figures,
        code=code("plot_comparisons.py"),
    message:
        "Figure of the networks compared on {wildcards.dataset}"
    script:
        "../scripts/plot_comparisons.py"


rule plot_reliability:
    input:
        table=f"{RESULTS}/reliability.csv",
    output:
        **figure("reliability", "Quality", "reliability of the voxels"),
    log:
        f"{LOGS}/plot_reliability.log",
    benchmark:
        f"{BENCHMARKS}/plot_reliability.tsv"
    conda:
        "../envs/figures.yaml"
    threads: 1
    params:
        code=code("plot_reliability.py"),
    message:
        "Figure of the reliability of {wildcards.dataset}"
    script:
        "../scripts/plot_reliability.py"


rule plot_learning:
    input:
        metrics=metrics_of,
        learning=f"{RESULTS}/learning.csv",
    output:
        **figure("learning", "Quality", "what the networks learned"),
    log:
        f"{LOGS}/plot_learning.log",
    benchmark:
        f"{BENCHMARKS}/plot_learning.tsv"
    conda:
        "../envs/figures.yaml"
    threads: 1
    params:
        settings=labels_of_trained,
        code=code("plot_learning.py"),
    message:
        "Figure of what the networks trained for {wildcards.dataset} learned"
    script:
        "../scripts/plot_learning.py"


rule plot_inputs:
    input:
        inputs=f"{RESULTS}/inputs.nc",
    output:
        **figure("inputs", "Quality", "what the networks saw"),
    log:
        f"{LOGS}/plot_inputs.log",
    benchmark:
        f"{BENCHMARKS}/plot_inputs.tsv"
    conda:
        "../envs/figures.yaml"
    threads: 1
    params:
        settings=labels_of_models,
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
        f"{LOGS}/plot_stimuli.log",
    benchmark:
        f"{BENCHMARKS}/plot_stimuli.tsv"
    conda:
        "../envs/figures.yaml"
    threads: 1
    params:
        code=code("plot_stimuli.py"),
    message:
        "Figure of the stimuli of {wildcards.dataset}"
    script:
        "../scripts/plot_stimuli.py"


rule plot_bold:
    input:
        mean=glm_files_of("mean.nii.gz"),
        tsnr=glm_files_of("tsnr.nii.gz"),
        rois=glm_files_of("rois.nii.gz"),
        design=glm_files_of("design.tsv"),
    output:
        **figure("masks", "Quality", "ROIs over the mean BOLD"),
        **figure("tsnr", "Quality", "tSNR"),
        **figure("design", "Quality", "design matrix of a run"),
    log:
        f"{LOGS}/plot_bold.log",
    benchmark:
        f"{BENCHMARKS}/plot_bold.tsv"
    wildcard_constraints:
        dataset=either(BIDS),
    conda:
        "../envs/figures.yaml"
    threads: 1
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
        table=f"{RESULTS}/beta_recovery.csv",
    output:
        **figure("beta_recovery", "Quality", "planted and recovered betas"),
    log:
        f"{LOGS}/plot_beta_recovery.log",
    benchmark:
        f"{BENCHMARKS}/plot_beta_recovery.tsv"
    wildcard_constraints:
        dataset=datasets_with("simulated"),
    conda:
        "../envs/figures.yaml"
    threads: 1
    params:
        code=code("plot_beta_recovery.py"),
    message:
        "Figure of planted and recovered betas of {wildcards.dataset}"
    script:
        "../scripts/plot_beta_recovery.py"


rule plot_measures:
    input:
        unpack(learning_of),
        measures=f"{RESULTS}/measures.csv",
        ranks=f"{RESULTS}/measure_ranks.csv",
        variance=f"{RESULTS}/rdm_variance.csv",
    output:
        **figure("measures", "Measures", "profiles under every measure"),
        **figure("measure_ranks", "Measures", "ranks under every measure"),
        **figure("rdm_variance", "Measures", "unique and shared variance"),
    log:
        f"{LOGS}/plot_measures.log",
    benchmark:
        f"{BENCHMARKS}/plot_measures.tsv"
    conda:
        "../envs/figures.yaml"
    threads: 1
    params:
        settings=settings_of_score_figures,
        code=code("plot_measures.py"),
    message:
        "Figures of all measures of {wildcards.dataset}"
    script:
        "../scripts/plot_measures.py"
