# RSA scores, noise ceilings and claims.


rule rsa:
    input:
        unpack(voxels_of),
        unpack(guidance_of_network),
        network=path_of_network_rdms,
        brain=path_of_brain_rdms,
        stimuli="results/{dataset}/stimuli.tsv",
    output:
        scores=f"{RESULTS}/rsa/{{model}}.nc",
    log:
        f"{LOGS}/rsa/{{model}}.log",
    benchmark:
        f"{BENCHMARKS}/rsa/{{model}}.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: threads_of_study
    resources:
        mem_mb=memory_of_rsa,
        runtime=runtime_of_rsa,
    params:
        settings=inference_settings(
            "bootstrap", "permutations", "halves", "fitted", "group", "standard_error", "seed"
        ),
        code=code("rsa.py"),
    message:
        "RSA of {wildcards.model} with {wildcards.dataset}"
    script:
        "../scripts/rsa.py"


rule scores:
    input:
        scores=similarities_of,
    output:
        table=f"{RESULTS}/scores.csv",
    log:
        f"{LOGS}/scores.log",
    benchmark:
        f"{BENCHMARKS}/scores.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=scaled(4000),
    params:
        settings=lambda wildcards: {
            "comparison": CONFIGS[wildcards.study]["measures"]["comparison"],
            "inference": part_of_study("confidence", "seed")(wildcards),
            "trained_on": trained_on_stimuli(wildcards),
        },
        code=code("scores.py"),
    message:
        "Table of the scores of {wildcards.dataset}"
    script:
        "../scripts/scores.py"


rule measures:
    input:
        unpack(confounds_of),
        unpack(distances_of),
        unpack(guidance_of_network),
        network=path_of_network_rdms,
        brain=path_of_brain_rdms,
    output:
        scores=f"{RESULTS}/measures/{{model}}.nc",
    log:
        f"{LOGS}/measures/{{model}}.log",
    benchmark:
        f"{BENCHMARKS}/measures/{{model}}.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: threads_of_study
    resources:
        mem_mb=memory_of_rsa,
        runtime=runtime_of_rsa,
    params:
        settings=lambda wildcards: inference_settings("permutations", "halves", "seed")(wildcards)
        | {"measures": measured_in(wildcards.study)},
        code=code("measures.py"),
    message:
        "Other measures of {wildcards.model} with {wildcards.dataset}"
    script:
        "../scripts/measures.py"


rule measure_tables:
    input:
        unpack(claimed_encodings),
        unpack(matchings_of),
        scores=similarities_of,
        measures=measures_of,
    output:
        measures=f"{RESULTS}/measures.csv",
        ranks=f"{RESULTS}/measure_ranks.csv",
        variance=f"{RESULTS}/rdm_variance.csv",
    log:
        f"{LOGS}/measure_tables.log",
    benchmark:
        f"{BENCHMARKS}/measure_tables.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=scaled_with_input(4000, 3),
    params:
        settings=lambda wildcards: {
            "comparison": CONFIGS[wildcards.study]["measures"]["comparison"],
            "encoding": next(iter(CONFIGS[wildcards.study]["encoding"]["methods"]), None),
            "measures": measured_in(wildcards.study),
            "variants": paired_in(wildcards.study),
            "inference": part_of_study("confidence", "standard_error", "seed")(wildcards),
            "unit": DATASETS[wildcards.dataset].get("unit"),
        },
        code=code("measure_tables.py"),
    message:
        "Tables of all measures of {wildcards.dataset}"
    script:
        "../scripts/measure_tables.py"


rule ceilings:
    input:
        unpack(responses_of),
        brain=path_of_brain_rdms,
        stimuli="results/{dataset}/stimuli.tsv",
    output:
        table=f"{RESULTS}/ceilings.csv",
    log:
        f"{LOGS}/ceilings.log",
    benchmark:
        f"{BENCHMARKS}/ceilings.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: threads_of_study
    resources:
        mem_mb=scaled_with_input(4000, 7),
        runtime=scaled(60),
    params:
        settings=inference_settings(
            "bootstrap", "ceiling_splits", "confidence", "group", "standard_error", "seed"
        ),
        code=code("ceilings.py"),
    message:
        "Noise ceilings of {wildcards.dataset}"
    script:
        "../scripts/ceilings.py"


rule claims:
    input:
        unpack(learning_of),
        unpack(claimed_encodings),
        unpack(claimed_matchings),
        measures=measures_of,
        scores=similarities_of,
        table=f"{RESULTS}/scores.csv",
        ceilings=f"{RESULTS}/ceilings.csv",
    output:
        claims=report(
            f"{RESULTS}/claims.csv",
            caption="../resources/captions/claims.rst",
            category="Claims",
            labels={"study": "{study}", "data set": "{dataset}", "content": "table of claims"},
        ),
        profiles=f"{RESULTS}/profiles.csv",
    log:
        f"{LOGS}/claims.log",
    benchmark:
        f"{BENCHMARKS}/claims.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=scaled(4000),
    params:
        settings=settings_of_claims,
        code=code("claims.py"),
    message:
        "Claims about {wildcards.dataset}"
    script:
        "../scripts/claims.py"


rule comparisons:
    input:
        scores=similarities_of,
        ceilings=f"{RESULTS}/ceilings.csv",
    output:
        comparisons=report(
            f"{RESULTS}/comparisons.csv",
            caption="../resources/captions/compared.rst",
            category="Comparisons",
            labels={
                "study": "{study}",
                "data set": "{dataset}",
                "content": "table of comparisons",
            },
        ),
        ranks=report(
            f"{RESULTS}/ranks.csv",
            caption="../resources/captions/ranks.rst",
            category="Comparisons",
            labels={"study": "{study}", "data set": "{dataset}", "content": "table of ranks"},
        ),
    log:
        f"{LOGS}/comparisons.log",
    benchmark:
        f"{BENCHMARKS}/comparisons.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=scaled(4000),
    params:
        settings=lambda wildcards: {
            "comparison": CONFIGS[wildcards.study]["measures"]["comparison"],
            "controls": controls_of_models(wildcards),
            "variants": paired_in(wildcards.study),
            **part_of_study("confidence", "seed")(wildcards),
        },
        code=code("comparisons.py"),
    message:
        "Networks of {wildcards.study} compared on {wildcards.dataset}"
    script:
        "../scripts/comparisons.py"


rule beta_recovery:
    input:
        responses=path_of_responses,
        truth="results/{dataset}/truth.nc",
        brain=path_of_brain_rdms,
        ceilings=f"{RESULTS}/ceilings.csv",
    output:
        table=report(
            f"{RESULTS}/beta_recovery.csv",
            caption="../resources/captions/beta_recovery.rst",
            category="Quality",
            labels={
                "study": "{study}",
                "data set": "{dataset}",
                "content": "table of planted and recovered betas",
            },
        ),
    log:
        f"{LOGS}/beta_recovery.log",
    benchmark:
        f"{BENCHMARKS}/beta_recovery.tsv"
    wildcard_constraints:
        dataset=datasets_with("simulated"),
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=scaled(4000),
    params:
        settings=lambda wildcards: {"comparison": CONFIGS[wildcards.study]["measures"]["comparison"]}
        | part_of_study("ceiling_splits", "seed")(wildcards),
        code=code("beta_recovery.py"),
    message:
        "Planted against recovered betas of {wildcards.dataset}"
    script:
        "../scripts/beta_recovery.py"
