"""Representational dissimilarity matrices, from the Gram matrix."""

from __future__ import annotations

import numpy as np

from cortexrsa.geometry.gram import centred_gram, gram


def n_stimuli(pairs: int) -> int:
    """Number of stimuli n of a condensed RDM with n (n - 1) / 2 pairs.

    Raises
    ------
    ValueError : no n has that many pairs.
    """
    n = round((1 + np.sqrt(1 + 8 * pairs)) / 2)
    if n * (n - 1) // 2 != pairs:
        raise ValueError(f"{pairs} is not a number of pairs")
    return n


def condense(square: np.ndarray) -> np.ndarray:
    """Upper triangle, i < j, row by row, of a (n, n) matrix: (n (n - 1) / 2,)."""
    return np.concatenate([square[i, i + 1 :] for i in range(len(square))])


def squareform(condensed: np.ndarray) -> np.ndarray:
    """Symmetric (n, n) matrix with zero diagonal of a condensed RDM (pairs,)."""
    n = n_stimuli(len(condensed))
    square = np.zeros((n, n))
    square[np.triu_indices(n, 1)] = condensed
    return square + square.T


def select_stimuli(condensed: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """RDMs of a subset of the stimuli, in their order.

    Parameters
    ----------
    condensed : (k, pairs)
    keep : (n,) bool

    Returns
    -------
    (k, pairs of the kept stimuli)
    """
    first, second = np.triu_indices(len(keep), 1)
    return np.ascontiguousarray(condensed[:, keep[first] & keep[second]])


def _correlation(features: np.ndarray) -> np.ndarray:
    products, constant = centred_gram(features)
    scale = np.sqrt(np.diag(products))
    scale[constant] = np.nan
    return 1 - products / np.outer(scale, scale)


def _cosine(features: np.ndarray) -> np.ndarray:
    products = gram(features)
    scale = np.sqrt(np.diag(products))
    scale[scale == 0] = np.nan
    return 1 - products / np.outer(scale, scale)


def _euclidean(features: np.ndarray) -> np.ndarray:
    products = gram(features, centre_features=True)
    squares = np.diag(products)
    return np.maximum(squares[:, None] + squares[None, :] - 2 * products, 0) / features.shape[1]


DISSIMILARITIES = {"correlation": _correlation, "cosine": _cosine, "euclidean": _euclidean}


def rdm(features: np.ndarray, dissimilarity: str = "correlation") -> np.ndarray:
    """Condensed RDM of patterns.

    Parameters
    ----------
    features : (n, p) array or memory map, float32 or float64; peak memory does not grow with p
    dissimilarity : correlation (1 - Pearson r across features), cosine (1 - cosine), or euclidean (squared
        Euclidean distance divided by p, as in rsatoolbox)

    Returns
    -------
    (n (n - 1) / 2,) float64, i < j; NaN where a pattern has no variance (correlation) or no length (cosine).

    Raises
    ------
    KeyError : unknown dissimilarity.

    References
    ----------
    Kriegeskorte, Mur & Bandettini 2008, doi:10.3389/neuro.06.004.2008
    """
    return condense(DISSIMILARITIES[dissimilarity](features))
