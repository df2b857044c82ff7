"""Differences of many networks, paired and corrected for all of them; and ranks of the networks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from cortexrsa.inference.errors import Replicated
from cortexrsa.inference.families import false_discovery_q
from cortexrsa.inference.holm import holm
from cortexrsa.inference.tails import student_tail

# with fewer degrees of freedom the correlations of the differences are not known well enough to use them
LEAST_DOF = 20
# differences whose draws are in memory together
BLOCK = 2000


@dataclass(frozen=True)
class Differences:
    """Differences first - second of scores of networks, arrays (differences,).

    Attributes
    ----------
    value, se, low, high : with their pointwise interval
    p : two-sided, that the two are equal
    p_fwe : corrected for the order of all pairs at once, see `familywise_order`
    q_fdr : of p, after Benjamini & Hochberg
    """

    value: np.ndarray
    se: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray
    p_fwe: np.ndarray
    q_fdr: np.ndarray


def differences(
    scores: Replicated, first: np.ndarray, second: np.ndarray, confidence: float, seed: int
) -> Differences:
    """Paired differences of networks' scores, a family of tests.

    Parameters
    ----------
    scores : Replicated of (networks,), finite
    first, second : (differences,) indices of networks
    confidence : of the intervals
    seed : of the draws for p_fwe

    Returns
    -------
    Differences ; two networks with equal scores in every replicate have p 1
    """
    scores = filled(scores)
    columns = np.arange(len(first))
    weights = np.zeros((len(scores.estimate), len(first)))
    weights[first, columns] += 1
    weights[second, columns] -= 1
    found = scores.along(weights)
    se, low, high = found.interval(confidence)
    with np.errstate(invalid="ignore", divide="ignore"):
        t = np.where(se > 0, np.abs(found.value) / se, 0)
    tail = student_tail(t, found.dof)
    p = 2 * tail
    if len(first) and np.median(found.dof) >= LEAST_DOF:
        deviations = scores.drawn(seed).draws - scores.estimate
        p_fwe = familywise_order(found.value, -special.ndtri(tail), deviations, first, second)
    else:
        p_fwe = holm_order(p)
    return Differences(found.value, se, low, high, p, p_fwe, false_discovery_q(p))


def filled(scores: Replicated) -> Replicated:
    """Scores with the mean of their replicates in the few in which they are undefined."""
    if np.isfinite(scores.rows).all():
        return scores
    return scores.apply(lambda values: np.where(np.isfinite(values), values, np.nanmean(scores.rows, axis=0)))


def familywise_order(
    value: np.ndarray, z: np.ndarray, deviations: np.ndarray, first: np.ndarray, second: np.ndarray
) -> np.ndarray:
    """p of each difference, corrected by the maximum over the family, in steps.

    Two hypotheses a pair, "the first is no better" and "the second is no better", so that whoever is rejected
    is told to be worse: an order of the wrong sign counts as an error. The largest statistic is compared with
    the maximum over all hypotheses in draws of the scores, each further one with the maximum over those that
    are left. The reversed hypotheses are always left. The chance of any error is at most the level, whichever
    networks are equal in truth.

    Parameters
    ----------
    value : (differences,) whose sign is that of the order
    z : (differences,) >= 0, as standard normal quantiles
    deviations : (draws, networks) of the scores from their estimates, in draws of their joint distribution
    first, second : (differences,) indices of networks

    Returns
    -------
    (differences,)

    References
    ----------
    Westfall & Young 1993, Resampling-based multiple testing; Romano & Wolf 2005,
    doi:10.1198/016214504000000539
    """
    covariance = deviations.T @ deviations / len(deviations)
    own = np.diag(covariance)
    spread = np.sqrt(np.maximum(own[first] + own[second] - 2 * covariance[first, second], 0))
    # two networks that never differ are in no draw the largest
    scale = np.where(value < 0, -1, 1) / np.where(spread > 1e-7 * np.sqrt(own.max()), spread, np.inf)
    order = np.argsort(z, kind="stable")
    blocks = [order[start : start + BLOCK] for start in range(0, len(order), BLOCK)]

    def drawn(block: np.ndarray) -> np.ndarray:
        return (deviations[:, first[block]] - deviations[:, second[block]]) * scale[block]

    maximum = np.max([-drawn(block).min(axis=1) for block in blocks], axis=0)
    reached = np.empty(len(z))
    for block in blocks:
        running = np.maximum.accumulate(np.column_stack([maximum, drawn(block)]), axis=1)[:, 1:]
        reached[block] = (running >= z[block]).sum(axis=0)
        maximum = running[:, -1]
    p = (reached + 1) / (len(deviations) + 1)
    # none is more significant than one with a larger statistic
    p[order[::-1]] = np.maximum.accumulate(p[order[::-1]])
    return p


def holm_order(p: np.ndarray) -> np.ndarray:
    """As `familywise_order`, without the correlations: Holm (1979) over both hypotheses of each pair.

    Parameters
    ----------
    p : (differences,) two-sided
    """
    return holm(np.concatenate([p / 2, 1 - p / 2]))[: len(p)]


@dataclass(frozen=True)
class Ranks:
    """Ranks of networks from 1, the highest score, arrays (networks,); low and high hold for all at once."""

    rank: np.ndarray
    low: np.ndarray
    high: np.ndarray


def ranks(
    scores: np.ndarray, p_fwe: np.ndarray, first: np.ndarray, second: np.ndarray, confidence: float
) -> Ranks:
    """Ranks with simultaneous confidence intervals, from the order of all pairs.

    A network cannot rank higher than all that are told to be better than it, nor lower than all that are
    told to be worse. With the chance of any wrong order at most 1 - confidence, all intervals hold their true
    ranks at once at least that often. Networks that are equal in truth may have any rank among themselves.

    Parameters
    ----------
    scores : (networks,)
    p_fwe : (pairs,) of `familywise_order` over all pairs
    first, second : (pairs,) indices of networks
    confidence : of all intervals together

    References
    ----------
    Mogstad, Romano, Shaikh & Wilhelm 2024, Review of Economic Studies 91: 476-518, doi:10.1093/restud/rdad006
    """
    # imported here, as in `families`
    from scipy.stats import rankdata

    told = p_fwe < 1 - confidence
    higher = np.where(scores[first] > scores[second], first, second)[told]
    lower = np.where(scores[first] > scores[second], second, first)[told]
    m = len(scores)
    rank = rankdata(-scores, method="min").astype(int)
    return Ranks(rank, 1 + np.bincount(lower, minlength=m), m - np.bincount(higher, minlength=m))
