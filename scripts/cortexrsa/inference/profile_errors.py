"""Errors of what is made of whole profiles and is not smooth in their scores: from draws of the scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from cortexrsa.inference import profiles
from cortexrsa.inference.errors import Replicated
from cortexrsa.inference.study import ModelScores
from cortexrsa.inference.tails import student_quantile, student_tail


@dataclass(frozen=True)
class Largest:
    """Largest absolute difference of two profiles: value, limits, and p with regard to a bound.

    Attributes
    ----------
    p : of equivalence: that some depth differs by the bound or more
    p_larger : one-sided, that no depth differs by more than the bound
    """

    value: float
    low: float
    high: float
    p: float
    p_larger: float


def largest_difference(
    first: Replicated, second: Replicated, bound: float, confidence: float, seed: int
) -> Largest | None:
    """Largest absolute difference of two profiles at common depths.

    All depths within a bound is an intersection-union test, so the upper limit is that of the pointwise
    intervals. Some depth outside it is the largest of many, so the lower limit is simultaneous (max-t).

    Parameters
    ----------
    first, second : Replicated of (depths,)
    bound : of equivalence, for the p
    confidence : of the limits
    seed : of the draws

    Returns
    -------
    None where a score is undefined
    """
    difference = first.apply(np.subtract, second)
    found = difference.evaluated()
    se, low, high = found.interval(confidence)
    if not np.isfinite(se).all():
        return None
    scale = np.where(se > 0, se, np.inf)
    draws = difference.drawn(seed).draws
    drawn = np.abs((draws - difference.estimate) / scale).max(axis=-1)
    # draws are normal: the same tail of t, and never below the pointwise limit
    tail = np.maximum(special.ndtr(np.quantile(drawn, confidence)), 0.5 + confidence / 2)
    critical = student_quantile(tail, found.dof)
    # the smallest level at which the simultaneous lower limit exceeds the bound
    excess = (np.abs(difference.estimate) - bound) / scale
    most = excess.argmax()
    tail = student_tail(-excess[most], found.dof[most])
    larger = max((drawn >= special.ndtri(tail)).mean(), 2 * (1 - tail)) / 2
    return Largest(
        float(np.abs(difference.estimate).max()),
        max(0.0, float((np.abs(difference.estimate) - critical * se).max())),
        float(np.maximum(np.abs(low), np.abs(high)).max()),
        float(found.equivalence_p(bound).max()),
        float(min(larger, 1.0)),
    )


def profile_correlations(
    networks: Sequence[ModelScores], rois: Sequence[int], seed: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """Disattenuated correlations of networks' profiles with that of the first of them.

    Profiles of all ROIs at common depths, each centred within its ROI, joined.

    Parameters
    ----------
    networks : the first, and k others
    rois : indices
    seed : of the draws

    Returns
    -------
    correlations : (k,) on the sample; NaN where a profile varies no more than its sampling error
    draws : (draws, k), from the joint distribution of the scores
    dof : degrees of freedom
    """
    scores = [network.scores.apply(lambda values: values[..., rois, :]) for network in networks]
    sizes = [each.estimate.size for each in scores]
    flat = [each.apply(lambda values: values.reshape(*values.shape[:-2], -1)) for each in scores]
    together = flat[0].apply(lambda *values: np.concatenate(values, axis=-1), *flat[1:])

    def profiles_of(values: np.ndarray) -> list[np.ndarray]:
        parts = np.split(values, np.cumsum(sizes)[:-1], axis=-1)
        found = []
        for network, part in zip(networks, parts, strict=True):
            shaped = part.reshape(*part.shape[:-1], len(rois), -1)
            found.append(profiles.centred_profiles(profiles.on_grid(shaped, network.depth)))
        return found

    # what sampling adds to the variances of the profiles, and to the covariances with the first one
    covariance = together.apply(lambda values: np.concatenate(profiles_of(values), axis=-1)).covariance()
    k = len(covariance) // len(networks)
    blocks = covariance.reshape(len(networks), k, len(networks), k)
    own = [np.trace(blocks[m, :, m]) / k for m in range(len(networks))]
    shared = [np.trace(blocks[0, :, m]) / k for m in range(len(networks))]

    def correlations(values: np.ndarray, times: int) -> np.ndarray:
        first, *others = profiles_of(values)
        found = [
            profiles.disattenuated_correlation(
                other, first, times * own[m], times * own[0], times * shared[m]
            )
            for m, other in enumerate(others, 1)
        ]
        return np.stack(found, axis=-1)

    # a draw carries the error of the sample and its own; without any signal left it says nothing: 0
    draws = np.nan_to_num(correlations(together.drawn(seed).draws, 2))
    found = together.evaluated()
    # of what is made of many scores: their mean, weighted by variance
    dof = np.average(found.dof, weights=np.maximum(found.variance, np.finfo(float).tiny))
    return correlations(together.estimate, 1), draws, float(dof)
