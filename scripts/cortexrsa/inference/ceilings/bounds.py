"""Noise ceilings: bounds of people, the reliability of repeats, and what a perfect model attains."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

import numpy as np

from cortexrsa.brain.reliability import spearman_brown
from cortexrsa.geometry.registry import COMPARISONS
from cortexrsa.inference.errors import Estimate, Replicated


@dataclass(frozen=True)
class Ceiling:
    """What the best possible model could score, and what that is known from; NaN where there is none.

    Bounds of people and the reliability of repeats are different quantities. A perfect model's score lies
    between the former. It exceeds the latter, the similarity of two measurements, since its own RDM has no
    noise.

    Attributes
    ----------
    lower, lower_ci_low : of people: similarity to the mean RDM of the others, lower limit of its interval
    upper, upper_ci_high : of people: similarity to the mean RDM of all, upper limit of its interval
    reliability, reliability_ci_low : of repeats: similarity of two measurements of this quality
    attainable, attainable_ci_low, attainable_ci_high : score of a perfect model: of the geometry that people
        share, or of the noiseless RDM
    """

    lower: float = np.nan
    lower_ci_low: float = np.nan
    upper: float = np.nan
    upper_ci_high: float = np.nan
    reliability: float = np.nan
    reliability_ci_low: float = np.nan
    attainable: float = np.nan
    attainable_ci_low: float = np.nan
    attainable_ci_high: float = np.nan

    @classmethod
    def names(cls) -> list[str]:
        return [field.name for field in fields(cls)]

    def known(self) -> dict[str, float]:
        """Those that there are."""
        return {name: value for name, value in asdict(self).items() if not np.isnan(value)}


def as_correlations(similarity: np.ndarray, comparison: str) -> np.ndarray:
    """Similarities as product-moment correlations, which reliabilities and their roots are made of.

    Kendall's tau of normal variables of correlation r is 2 / pi arcsin r (Greiner 1909; Kruskal 1958,
    doi:10.1080/01621459.1958.10501481); other comparisons are correlations themselves.

    Parameters
    ----------
    similarity : (...)
    comparison : of `registry.COMPARISONS`

    Examples
    --------
    >>> round(float(as_correlations(1 / 3, "tau-a")), 12), as_correlations(0.5, "spearman")
    (0.5, 0.5)
    """
    if COMPARISONS[comparison].kernel != "concordances":
        return similarity
    return np.sin(np.pi / 2 * np.clip(similarity, -1, 1))


def of_correlations(r: np.ndarray, comparison: str) -> np.ndarray:
    """The similarities that are these correlations: undoes `as_correlations`."""
    if COMPARISONS[comparison].kernel != "concordances":
        return r
    return 2 / np.pi * np.arcsin(np.clip(r, -1, 1))


def of_people(
    lower: Replicated, upper: Replicated, people: int, confidence: float, comparison: str
) -> Ceiling:
    """Ceiling of two bounds of several people."""

    def attainable(values: np.ndarray) -> np.ndarray:
        found = attainable_of_people(as_correlations(values, comparison), people)
        return of_correlations(found, comparison)

    found = lower.apply(attainable).evaluated()
    _, low, _ = lower.evaluated().interval(confidence)
    _, _, high = upper.evaluated().interval(confidence)
    return Ceiling(
        lower=float(lower.estimate),
        lower_ci_low=float(low),
        upper=float(upper.estimate),
        upper_ci_high=float(high),
        **_attainable(found, confidence),
    )


def of_repeats(reliability: Estimate, attainable: Estimate, confidence: float) -> Ceiling:
    """Ceiling of the reliability of a measured RDM, and of its root."""
    _, low, _ = reliability.interval(confidence)
    return Ceiling(
        reliability=float(reliability.value),
        reliability_ci_low=float(low),
        **_attainable(attainable, confidence),
    )


def of_mean_rdm(lower: Replicated, people: int, confidence: float, comparison: str) -> Ceiling:
    """Ceiling of scores against the mean RDM of several people, from the lower bound of theirs.

    Of people whose RDMs have the pairwise similarity r, the mean RDM of m has the reliability
    m r / (1 + (m - 1) r) (Spearman 1910 and Brown 1910), the similarity to that of other m people; the
    geometry that all share attains its root.
    """

    def reliability(values: np.ndarray) -> np.ndarray:
        r = attainable_of_people(as_correlations(values, comparison), people) ** 2
        return spearman_brown(r, people)

    return of_reliability(lower.apply(reliability), confidence, comparison)


def of_reliability(reliability: Replicated, confidence: float, comparison: str) -> Ceiling:
    """Ceiling of a reliability on the scale of `as_correlations`, and of its root."""
    found = reliability.apply(lambda values: of_correlations(values, comparison))
    root = reliability.apply(lambda values: of_correlations(np.sqrt(np.maximum(values, 0)), comparison))
    return of_repeats(found.evaluated(), root.evaluated(), confidence)


def _attainable(found: Estimate, confidence: float) -> dict[str, float]:
    _, low, high = found.interval(confidence)
    return {
        "attainable": float(found.value),
        "attainable_ci_low": float(low),
        "attainable_ci_high": float(high),
    }


def taken_as_known(value: float, people: int = 1) -> dict[str, float]:
    """Ceiling without an error: of the lower bound of several people, or of a reliability."""
    name = "lower" if people > 1 else "reliability"
    best = attainable_of_people(value, people) if people > 1 else np.sqrt(max(value, 0.0))
    limits = dict.fromkeys(("attainable", "attainable_ci_low", "attainable_ci_high"), float(best))
    return Ceiling(**{name: value, f"{name}_ci_low": value}, **limits).known()


def attainable_of_people(lower: np.ndarray, people: int) -> np.ndarray:
    """Mean similarity of people's RDMs to the geometry that they share, from the lower bound.

    With RDMs of one geometry and errors of their own, of pairwise similarity r, the bound that leaves each
    person out is r / sqrt(r + (1 - r) / m) with m others, and the similarity to the shared geometry sqrt(r):
    above the lower bound, whose mean RDM is noisy, and below the upper one, whose mean RDM has the person's
    own errors in it.

    Parameters
    ----------
    lower : (...); below 0 nothing is shared
    people : at least 2

    References
    ----------
    Nili et al. 2014, doi:10.1371/journal.pcbi.1003553 (the bounds); Spearman 1910 and Brown 1910 (means of
    parallel measurements)

    Examples
    --------
    >>> r, m = 0.25, 3
    >>> bool(np.isclose(attainable_of_people(r / np.sqrt(r + (1 - r) / m), m + 1), np.sqrt(r)))
    True
    """
    m, square = people - 1, np.maximum(lower, 0) ** 2
    r = (square * (m - 1) + np.sqrt((square * (m - 1)) ** 2 + 4 * m * square)) / (2 * m)
    return np.sqrt(r)
