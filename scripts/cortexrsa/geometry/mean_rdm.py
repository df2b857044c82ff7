"""Mean RDMs, on the scale of the comparison that they are made for."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from cortexrsa.geometry.compare import normalise
from cortexrsa.geometry.ranks import centred_ranks
from cortexrsa.geometry.registry import COMPARISONS


def on_scale(rdm: np.ndarray, comparison: str) -> np.ndarray:
    """RDM as it is averaged: ranks, or dissimilarities of unit length, centred where the comparison is.

    It is not whitened: a comparison whitens what it is given.

    Parameters
    ----------
    rdm : (pairs,)
    comparison : of `registry.COMPARISONS`

    Returns
    -------
    (pairs,) float64

    References
    ----------
    Nili et al. 2014, doi:10.1371/journal.pcbi.1003553
    """
    record = COMPARISONS[comparison]
    if record.kernel != "products":
        # ranks themselves, not scaled: their sums tie exactly
        ranks = np.empty(len(rdm))
        centred_ranks(rdm, ranks)
        return ranks + (len(rdm) + 1) / 2
    return normalise(rdm[None], "pearson" if record.centred else "cosine")[0]


def sum_of_rdms(rdms: Iterable[np.ndarray], comparison: str | None = None) -> np.ndarray:
    """Sum (pairs,) of RDMs (k, pairs), each on the scale of the comparison; of many stimuli one at a time.

    Without a comparison they are summed as they are.
    """
    total = 0.0
    for rdm in rdms:
        total = total + (rdm if comparison is None else on_scale(rdm, comparison))
    return total


def mean_rdm(rdms: np.ndarray, comparison: str) -> np.ndarray:
    """Mean (pairs,) of RDMs (k, pairs), each brought to the scale of the comparison."""
    return sum_of_rdms(rdms, comparison) / len(rdms)
