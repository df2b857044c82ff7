# RSA scores, noise ceilings and claims.


rule rsa:
    input:
        network="results/{dataset}/rdms/{model}.h5",
        brain="results/{dataset}/rdms/brain.h5",
    output:
        scores="results/{dataset}/rsa/{model}.nc",
    log:
        "results/logs/{dataset}/rsa/{model}.log",
    benchmark:
        "results/benchmarks/{dataset}/rsa/{model}.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: CONFIG["inference"]["threads"]
    resources:
        # the RDMs, those of one split, the same once sorted, and working space
        mem_mb=scaled_with_input(4000, 4.2),
        # 0.12 minutes for each MB and 1,000 resamples on one core, jackknife groups included (docs/scale.md)
        runtime=scaled_with_input(120, 0.2 * (CONFIG["inference"]["bootstrap"] + 200) / 1000),
    params:
        settings=inference_settings("bootstrap", "permutations", "halves", "fitted", "seed"),
        code=code("rsa.py"),
    message:
        "RSA of {wildcards.model} with {wildcards.dataset}"
    script:
        "../scripts/rsa.py"


rule scores:
    input:
        scores=expand("results/{{dataset}}/rsa/{model}.nc", model=MODELS),
    output:
        table="results/{dataset}/scores.csv",
    log:
        "results/logs/{dataset}/scores.log",
    benchmark:
        "results/benchmarks/{dataset}/scores.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(30),
    params:
        settings={
            "comparison": CONFIG["measures"]["comparison"],
            "inference": {key: CONFIG["inference"][key] for key in ("confidence", "standard_error", "seed")},
        },
        code=code("scores.py"),
    message:
        "Table of the scores of {wildcards.dataset}"
    script:
        "../scripts/scores.py"


rule ceilings:
    input:
        unpack(responses_of),
        brain="results/{dataset}/rdms/brain.h5",
    output:
        table="results/{dataset}/ceilings.csv",
    log:
        "results/logs/{dataset}/ceilings.log",
    benchmark:
        "results/benchmarks/{dataset}/ceilings.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: CONFIG["inference"]["threads"]
    resources:
        mem_mb=scaled_with_input(4000, 7),
        runtime=scaled(60),
    params:
        settings=inference_settings("bootstrap", "ceiling_splits", "confidence", "seed"),
        code=code("ceilings.py"),
    message:
        "Noise ceilings of {wildcards.dataset}"
    script:
        "../scripts/ceilings.py"


rule claims:
    input:
        unpack(learning_of),
        scores=expand("results/{{dataset}}/rsa/{model}.nc", model=MODELS),
        table="results/{dataset}/scores.csv",
        ceilings="results/{dataset}/ceilings.csv",
    output:
        claims=report(
            "results/{dataset}/claims.csv",
            caption="../resources/captions/claims.rst",
            category="Claims",
            labels={"data set": "{dataset}", "content": "table of claims"},
        ),
        profiles="results/{dataset}/profiles.csv",
    log:
        "results/logs/{dataset}/claims.log",
    benchmark:
        "results/benchmarks/{dataset}/claims.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(30),
    params:
        settings={
            "claims": CONFIG["claims"],
            "inference": {key: CONFIG["inference"][key] for key in ("confidence", "standard_error", "seed")},
        },
        code=code("claims.py"),
    message:
        "Claims about {wildcards.dataset}"
    script:
        "../scripts/claims.py"


rule beta_recovery:
    input:
        responses="results/{dataset}/responses.nc",
        truth="results/{dataset}/truth.nc",
        brain="results/{dataset}/rdms/brain.h5",
        ceilings="results/{dataset}/ceilings.csv",
    output:
        table=report(
            "results/{dataset}/beta_recovery.csv",
            caption="../resources/captions/beta_recovery.rst",
            category="Quality",
            labels={"data set": "{dataset}", "content": "table of planted and recovered betas"},
        ),
    log:
        "results/logs/{dataset}/beta_recovery.log",
    benchmark:
        "results/benchmarks/{dataset}/beta_recovery.tsv"
    wildcard_constraints:
        dataset=datasets_with("simulated"),
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(30),
    params:
        settings={"comparison": CONFIG["measures"]["comparison"]}
        | {key: CONFIG["inference"][key] for key in ("ceiling_splits", "seed")},
        code=code("beta_recovery.py"),
    message:
        "Planted against recovered betas of {wildcards.dataset}"
    script:
        "../scripts/beta_recovery.py"
