"""Claims about families of networks, which generalise over networks: these are a random factor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cortexrsa.inference.errors import Estimate, Replicated

# of fewer lineages a family's mean says nothing about other members of it
LEAST_LINEAGES = 5


def lineage_weights(lineages: Sequence[str]) -> np.ndarray:
    """Weights (networks,) of the mean of a family: within each lineage, then over lineages; their sum is 1.

    Examples
    --------
    >>> lineage_weights(["resnet50", "resnet50", "vit"]).tolist()
    [0.25, 0.25, 0.5]
    """
    names = list(lineages)
    return np.array([1 / names.count(name) / len(set(names)) for name in names])


def family_contrast(
    scores: Replicated, weights: np.ndarray, lineages: Sequence[str | None]
) -> tuple[Estimate, str | None]:
    """A mean of a family of networks, or a difference of two, for networks that might have been others.

    Networks of one lineage (an architecture with all its trainings) are one draw from the family. With
    lineage means m_l, the variance is that over stimuli (and subjects) plus that between lineages,
    s^2 / L less what sampling the stimuli alone makes lineages differ by, which the former holds already:
    the V_subjects + V_stimuli - I of `errors.Replicated.evaluated`, with lineages in the place of subjects.
    A lineage in both families counts with its difference. Degrees of freedom: Satterthwaite.

    Parameters
    ----------
    scores : Replicated of (networks,)
    weights : (networks,) of the contrast: those of a family add up to 1, those of the family that is
        subtracted to -1, see `lineage_weights`
    lineages : of each network; None for a network that is meant as such, and stands for no family

    Returns
    -------
    contrast : Estimate; without a variance where there is no claim
    reason : why there is none; None if there is

    References
    ----------
    Satterthwaite 1946, doi:10.2307/3002019; Schütt et al. 2023, doi:10.7554/eLife.82566 (two random factors)
    """
    weights = np.asarray(weights, float)
    sample = scores.along(weights[:, None])
    sample = Estimate(sample.value[0], sample.variance[0], sample.dof[0])
    deviations, numbers = _deviations(weights, lineages)
    few = [number for number in numbers if number < LEAST_LINEAGES]
    if few:
        reason = f"{min(few)} independent lineage{'s' * (min(few) > 1)} of networks in a family, of at least "
        reason += f"{LEAST_LINEAGES} that a claim about families needs"
        return Estimate(sample.value, np.full_like(sample.value, np.nan), sample.dof), reason
    if not numbers:
        return sample, None
    found = scores.along(deviations)
    between = (found.value**2).sum()
    variance = sample.variance + max(between - found.variance.sum(), 0)
    spread = sample.variance**2 / sample.dof + _spread(found.value, deviations, weights, numbers)
    dof = variance**2 / spread
    return Estimate(sample.value, np.asarray(variance), np.asarray(dof)), None


def _deviations(weights: np.ndarray, lineages: Sequence[str | None]) -> tuple[np.ndarray, list[int]]:
    """Contrasts (networks, lineages) whose squares add up to the variance between lineages.

    Also the number of lineages in each family.
    """
    names = np.array([name or "" for name in lineages], object)
    random = np.array([name is not None for name in lineages])
    order = sorted(set(names[random]))
    columns, numbers = np.zeros((len(weights), len(order))), []
    for family in (random & (weights > 0), random & (weights < 0)):
        if not family.any():
            continue
        own = np.where(family, weights, 0.0)
        present = [name for name in order if (family & (names == name)).any()]
        numbers.append(len(present))
        if len(present) < 2:
            continue
        scale = np.sqrt(len(present) / (len(present) - 1))
        for name in present:
            member = np.where(names == name, own, 0.0)
            # the lineage's part of the mean, less its share of the whole
            columns[:, order.index(name)] += scale * (member - member.sum() / own.sum() * own)
    return columns, numbers


def _spread(values: np.ndarray, deviations: np.ndarray, weights: np.ndarray, numbers: list[int]) -> float:
    """Sum of squared variances between lineages over their degrees of freedom."""
    first, second = ((deviations[sign * weights > 0] != 0).any(axis=0) for sign in (1, -1))
    if (first & second).any():
        # one difference for each lineage in both families
        return float((values**2).sum() ** 2 / (min(numbers) - 1))
    # a family that is absent has no lineages here
    parts = [(values[of] ** 2).sum() ** 2 / (of.sum() - 1) for of in (first, second) if of.any()]
    return float(sum(parts))
