"""Comparison of RDMs, many against many."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1; rows of zeros become NaN."""
    with np.errstate(invalid="ignore"):
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _centred(vectors: np.ndarray) -> np.ndarray:
    return vectors - vectors.mean(axis=1, keepdims=True)


def _spearman(rdms: np.ndarray) -> np.ndarray:
    return _unit(_centred(rankdata(rdms, axis=1)))


def _rho_a(rdms: np.ndarray) -> np.ndarray:
    # without the length of the ranks, which ties shorten: the expectation over random tie-breaking
    pairs = rdms.shape[1]
    return _centred(rankdata(rdms, axis=1)) * np.sqrt(12 / (float(pairs) ** 3 - pairs))


def _pearson(rdms: np.ndarray) -> np.ndarray:
    return _unit(_centred(rdms))


NORMALISED = {"spearman": _spearman, "rho-a": _rho_a, "pearson": _pearson, "cosine": _unit}


def normalise(rdms: np.ndarray, comparison: str = "spearman") -> np.ndarray:
    """Transform RDMs so that their inner product is their similarity.

    Parameters
    ----------
    rdms : (k, pairs)
    comparison : spearman, rho-a (Schütt et al. 2023), pearson or cosine

    Returns
    -------
    (k, pairs) float64; rows with a NaN, or without variance, are NaN throughout.
    """
    rdms = np.asarray(rdms, np.float64)
    broken = ~np.isfinite(rdms).all(axis=1)
    transformed = NORMALISED[comparison](np.where(broken[:, None], 0.0, rdms))
    transformed[broken | (np.ptp(rdms, axis=1) == 0)] = np.nan
    return transformed


def compare(rdms: np.ndarray, references: np.ndarray, comparison: str = "spearman") -> np.ndarray:
    """Similarity of every RDM with every reference RDM.

    Parameters
    ----------
    rdms : (k, pairs)
    references : (m, pairs)
    comparison : see `normalise`

    Returns
    -------
    (k, m) float64, NaN where an RDM has a NaN or does not vary.
    """
    return normalise(rdms, comparison) @ normalise(references, comparison).T
