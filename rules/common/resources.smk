# Memory and run time of jobs: more at every retry (`snakemake --retries`). What a rule leaves out is usual, and
# stands in the profile's default-resources.


def scaled(amount: int):
    """Memory or run time of a job: `amount`, and as much again at every retry."""
    return lambda wildcards, attempt: amount * attempt


def scaled_from_card(stage: str, name: str):
    """Memory or run time of a network's job, from its card or the configuration; more at every retry."""
    return lambda wildcards, attempt: (
        MODELS[wildcards.model].get("resources", {}).get(name, FIRST[stage][name]) * attempt
    )


def scaled_with_input(least: int, factor: float):
    """Memory (MB) or run time (minutes) of a job: `factor` for each MB it reads, `least` or more; more at every retry."""
    return lambda wildcards, input, attempt: attempt * max(least, int(factor * input.size_mb))


def memory_of_rsa(wildcards, input, attempt) -> int:
    """MB: the RDMs, those of one split, the same once sorted, and working space; in one pass ranks of some of them."""
    if CONFIGS[wildcards.study]["inference"]["standard_error"] == "one-pass":
        return attempt * int(4000 + 0.5 * input.size_mb)
    return attempt * max(4000, int(4.2 * input.size_mb))


def runtime_of_rsa(wildcards, input, attempt) -> int:
    """Minutes: 0.12 for each MB and 1,000 resamples on one core, jackknife groups included (docs/cost.md)."""
    inference = CONFIGS[wildcards.study]["inference"]
    # one pass takes as long as a few resamples
    resamples = 10 if inference["standard_error"] == "one-pass" else inference["bootstrap"] + 200
    return attempt * max(120, int(0.2 * resamples / 1000 * input.size_mb))


def memory_of_encoding(wildcards, input, attempt, threads) -> int:
    """MB: the responses a few times over, and for each thread the kernel of a layer and what solves it."""
    with open(input.stimuli) as table:
        n = sum(1 for _ in table) - 1
    responses = os.path.getsize(input.responses) / 1e6
    return attempt * int(2000 + 10 * responses + threads * (600 + 100 * n**2 / 1e6))


def memory_of_matching(wildcards, input, attempt, threads) -> int:
    """MB: the responses a few times over, and for each thread a plan of 2,000 features and the voxels of a ROI."""
    responses = os.path.getsize(input.responses) / 1e6
    return attempt * int(2000 + 10 * responses + threads * 2000)


def memory_of_rdms(wildcards, input, attempt) -> int:
    """MB: all layers' RDMs and the Gram matrix of one."""
    with open(input.stimuli) as table:
        n = sum(1 for _ in table) - 1
    layers = len(MODELS[wildcards.model]["layers"])
    return attempt * max(2000, int((4 * layers + 24) * n**2 / 1e6))
