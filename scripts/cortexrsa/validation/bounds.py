"""Do noise ceilings hold what a perfect model scores, and claims about shares of them keep their level?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from cortexrsa.geometry.rdm import rdm
from cortexrsa.inference.ceilings.bounds import Ceiling
from cortexrsa.inference.ceilings.repeats import split_half_ceiling
from cortexrsa.inference.ceilings.subjects import subject_ceiling
from cortexrsa.inference.claims.values import of_estimate
from cortexrsa.inference.claims.verdicts import Bound, judged
from cortexrsa.inference.errors import Replicated, over_subjects
from cortexrsa.inference.replication import OnePass
from cortexrsa.inference.settings import Settings
from cortexrsa.jobs import progress

CODE, VOXELS, REPEATS, PEOPLE = 8, 60, 4, 6
LEVEL = 0.05
FORMER, ATTAINABLE = "lower bound or reliability, as if known", "attainable"
# SD of a trial's noise (of a person's mean response), against a signal of about 2.8
NOISE = {"repeats": 4.0, "people": 4.0}


def _study(data: str, n: int, random: np.random.Generator, settings: Settings) -> tuple[Replicated, Ceiling]:
    """Scores of a perfect and of another model, and the noise ceiling."""
    code = random.normal(size=(n, CODE))
    method = OnePass(n, settings.seed)
    number = REPEATS if data == "repeats" else PEOPLE
    signal = code @ random.normal(size=(CODE, VOXELS))
    noise = NOISE[data] * random.normal(size=(n, number, VOXELS))
    if data == "repeats":
        trials = signal[:, None] + noise
        brain = rdm(trials.mean(axis=1))[None]
        ceiling = split_half_ceiling(trials, method, "correlation", "spearman", settings)
    else:
        own = np.stack([code @ random.normal(size=(CODE, VOXELS)) for _ in range(number)], axis=1)
        brain = np.stack([rdm(values) for values in (own + noise).transpose(1, 0, 2)])
        ceiling = subject_ceiling(brain, method, "spearman", settings)
        # many voxels of one code: what people share
        signal = code @ random.normal(size=(CODE, 100 * VOXELS))
    other = np.hstack([code, 1.2 * random.normal(size=code.shape)]) @ random.normal(size=(2 * CODE, 400))
    models = np.stack([rdm(signal), rdm(other)])
    values = method.similarity(brain, models, "spearman")
    return over_subjects(*values, method.replicates, settings.seed), ceiling


def _verdicts(scores: Replicated, ceiling: Ceiling, share: float) -> dict[str, str]:
    """Verdict on "at least this share of the ceiling", by what is attainable and by the former bound."""
    found = of_estimate(scores.apply(lambda values: values[..., 1]).evaluated())
    limits = ceiling.attainable, ceiling.attainable_ci_low, ceiling.attainable_ci_high
    bounds = {
        FORMER: share * _former(ceiling),
        ATTAINABLE: Bound(*(share * limit for limit in limits)).with_error(found.value),
    }
    return {name: judged(found, 1 - LEVEL, bound, "greater")["verdict"] for name, bound in bounds.items()}


def _former(ceiling: Ceiling) -> float:
    """The lower bound of people, or the reliability of repeats: what claims took shares of before."""
    return float(np.nansum([ceiling.lower, ceiling.reliability]))


def shares_of_ceilings(data: str, n: int, simulations: int, seed: int = 0) -> pd.DataFrame:
    """How a perfect model scores against a ceiling, and how often a share of it is claimed wrongly.

    The other model's share of the perfect one's score is the truth about it: more than this share is claimed
    by chance alone.

    Parameters
    ----------
    data : repeats (of one person), or people
    n : stimuli of a study
    simulations : number of studies

    Returns
    -------
    table with columns data, statistic, bound, value (mean over the studies), mc_error
    """
    studies = []
    with progress(simulations, "studies") as bar:
        for number in range(simulations):
            settings = Settings(standard_error="one-pass", ceiling_splits=10, seed=number)
            studies.append(_study(data, n, np.random.default_rng([seed, number]), settings))
            bar.update(1)
    perfect, other = np.array([scores.estimate for scores, _ in studies]).T
    ceilings = [ceiling for _, ceiling in studies]
    share = other.mean() / perfect.mean()
    verdicts = pd.DataFrame([_verdicts(scores, ceiling, share) for scores, ceiling in studies])
    best = perfect.mean()
    values = {
        ("score of a perfect model", ""): perfect,
        ("value of the bound", FORMER): [_former(each) for each in ceilings],
        ("value of the bound", ATTAINABLE): [each.attainable for each in ceilings],
        ("share of intervals that hold the score of a perfect model", ATTAINABLE): [
            each.attainable_ci_low <= best <= each.attainable_ci_high for each in ceilings
        ],
    }
    for bound in (FORMER, ATTAINABLE):
        statistic = "share of models that just reach a share of it, and are said to exceed that"
        values[statistic, bound] = verdicts[bound] == "supported"
    rows = [
        {
            "data": data,
            "statistic": statistic,
            "bound": bound,
            "value": np.mean(each),
            "mc_error": np.std(each) / np.sqrt(simulations),
        }
        for (statistic, bound), each in values.items()
    ]
    return pd.DataFrame(rows)
