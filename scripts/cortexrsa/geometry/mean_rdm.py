"""Mean RDMs, on the scale of the comparison that they are made for."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from cortexrsa.geometry.compare import normalise
from cortexrsa.geometry.registry import COMPARISONS


def on_scale(rdms: np.ndarray, comparison: str) -> np.ndarray:
    """RDMs as they are averaged: ranks, or dissimilarities of unit length, centred where the comparison is.

    They are not whitened: a comparison whitens what it is given.

    Parameters
    ----------
    rdms : (k, pairs)
    comparison : of `registry.COMPARISONS`

    Returns
    -------
    (k, pairs) float64

    References
    ----------
    Nili et al. 2014, doi:10.1371/journal.pcbi.1003553
    """
    record = COMPARISONS[comparison]
    if record.kernel != "products":
        return rankdata(rdms, axis=1)  # ranks themselves, not scaled: their sums tie exactly
    return normalise(rdms, "pearson" if record.centred else "cosine")


def mean_rdm(rdms: np.ndarray, comparison: str) -> np.ndarray:
    """Mean (pairs,) of RDMs (k, pairs), each brought to the scale of the comparison."""
    return on_scale(rdms, comparison).mean(axis=0)


def means_without_each(rdms: np.ndarray, comparison: str) -> np.ndarray:
    """Mean of all other RDMs, for each: (k, pairs) -> (k, pairs)."""
    scaled = on_scale(rdms, comparison)
    return (scaled.sum(axis=0) - scaled) / (len(scaled) - 1)
