"""In how many people of a population an effect is, from tests of few people one by one."""

from __future__ import annotations

import numpy as np
from scipy import special

GRID = 2001


def prevalence(found: int, people: int, level: float, confidence: float = 0.95) -> tuple[float, float, float]:
    """Share of the population in whom the effect is, with the shortest credible interval.

    A test of level a finds what is not there in a share a of people, and what is there always, so it finds
    something in a + (1 - a) x prevalence of them. With a uniform prior of the prevalence, that share has a
    beta distribution above a.

    Parameters
    ----------
    found : people in whom the test is significant
    people : that were tested
    level : of the test

    Returns
    -------
    most probable value, and the limits of the interval of highest density

    References
    ----------
    Ince, Paton, Kay & Schyns 2021, doi:10.7554/eLife.62461 (Bayesian inference of population prevalence)

    Examples
    --------
    >>> [round(value, 2) for value in prevalence(3, 3, 0.025)]
    [1.0, 0.46, 1.0]
    """
    shape = found + 1, people - found + 1
    below = special.betainc(*shape, level)
    # the interval of this mass that begins at each quantile; the shortest is that of highest density
    start = np.linspace(0, 1 - confidence, GRID)
    low, high = (
        special.betaincinv(*shape, below + (1 - below) * mass) for mass in (start, start + confidence)
    )
    shortest = np.argmin(high - low)
    shares = np.array([found / people, low[shortest], high[shortest]])
    return tuple(np.clip((shares - level) / (1 - level), 0, 1).tolist())
