"""Tests against zero by permutation of the stimulus labels (Mantel)."""

from __future__ import annotations

import numpy as np
from scipy import stats

from cortexrsa.geometry.compare import normalise
from cortexrsa.geometry.rdm import n_stimuli

BLOCK_BYTES = 64 * 2**20


def permutation_null(brain: np.ndarray, models: np.ndarray, permutations: int, seed: int) -> np.ndarray:
    """Similarities under random relabelling of the brain RDMs' stimuli.

    Every brain RDM and every call with the same seed sees the same permutations, so maxima over models are
    taken within one permutation.

    Parameters
    ----------
    brain : (r, pairs), normalised (see `compare.normalise`), or means of normalised RDMs (see `group_rdm`)
    models : (l, pairs), normalised
    permutations : number of random permutations
    seed : of the permutations

    Returns
    -------
    (permutations, r, l) float64, NaN for a model RDM with a NaN or without variance.

    References
    ----------
    Mantel 1967; Nili et al. 2014, doi:10.1371/journal.pcbi.1003553
    """
    n = n_stimuli(brain.shape[1])
    first, second = np.triu_indices(n, 1)
    square = np.zeros((len(brain), n, n))
    square[:, first, second] = square[:, second, first] = brain
    generator = np.random.default_rng(seed)
    orders = generator.permuted(np.tile(np.arange(n), (permutations, 1)), axis=1)
    null = np.empty((permutations, len(brain), len(models)))
    block = max(1, BLOCK_BYTES // (8 * brain.size))
    for start in range(0, permutations, block):
        order = orders[start : start + block]
        shuffled = square[:, order[:, first], order[:, second]]
        null[start : start + block] = np.moveaxis(shuffled @ models.T, 0, 1)
    return null


def group_rdm(brain: np.ndarray, comparison: str = "spearman") -> np.ndarray:
    """Mean of the normalised RDMs (subjects, pairs) of one ROI.

    Its inner product with a normalised model RDM is the mean over subjects of the similarities.
    """
    return normalise(brain, comparison).mean(axis=0)


def p_values(observed: np.ndarray, null: np.ndarray) -> np.ndarray:
    """One-sided p = (b + 1) / (N + 1), b the number of null values at least as large (Phipson & Smyth 2010).

    Parameters
    ----------
    observed : (...)
    null : (N, ...)
    """
    # a permutation that reproduces the observed order must count in spite of rounding
    reached = null >= observed - 1e-12
    p = (reached.sum(axis=0) + 1) / (len(null) + 1)
    return np.where(np.isnan(observed), np.nan, p)


def familywise_p(observed: np.ndarray, null_maximum: np.ndarray) -> np.ndarray:
    """p corrected for the family by the distribution of the maximum (Nichols & Holmes 2002).

    Parameters
    ----------
    observed : (k,) all scores of the family
    null_maximum : (N,) the largest score of the family in each permutation
    """
    return p_values(observed, np.broadcast_to(null_maximum[:, None], (len(null_maximum), len(observed))))


def false_discovery_q(p: np.ndarray) -> np.ndarray:
    """Benjamini-Hochberg adjusted p of a family (k,), NaN left out of it."""
    q = np.full(len(p), np.nan)
    valid = ~np.isnan(p)
    if valid.any():
        q[valid] = stats.false_discovery_control(p[valid])
    return q
