"""Representational dissimilarity matrices, from the Gram matrix."""

from __future__ import annotations

from collections.abc import Sequence

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


def pair_indices(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Stimuli i < j of each pair, in the order of a condensed RDM: two (n (n - 1) / 2,) int32."""
    stimuli = np.arange(n, dtype=np.int32)
    later = np.arange(n - 1, -1, -1)
    return np.repeat(stimuli, later), np.concatenate([stimuli[i + 1 :] for i in range(n)])


def squareform(condensed: np.ndarray) -> np.ndarray:
    """Symmetric (n, n) matrix with zero diagonal of a condensed RDM (pairs,)."""
    n, start = n_stimuli(len(condensed)), 0
    square = np.zeros((n, n))
    # row by row: index arrays of all pairs would take more memory than the matrix
    for i in range(n - 1):
        square[i, i + 1 :] = square[i + 1 :, i] = condensed[start : start + n - 1 - i]
        start += n - 1 - i
    return square


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
    return np.ascontiguousarray(condensed if keep.all() else condensed[:, kept_pairs(keep)])


def kept_pairs(keep: np.ndarray) -> np.ndarray:
    """Pairs of which both stimuli are kept, keep (n,) bool: (pairs,) bool."""
    n, start = len(keep), 0
    out = np.zeros(n * (n - 1) // 2, np.bool_)
    # row by row: index arrays of all pairs would take more memory than an RDM
    for i in range(n - 1):
        if keep[i]:
            out[start : start + n - 1 - i] = keep[i + 1 :]
        start += n - 1 - i
    return out


class Rows:
    """RDMs over some of the stimuli, each read from an array or an open file when it is asked for.

    Parameters
    ----------
    source : (k, pairs), what gives an RDM by its row
    keep : (n,) bool, stimuli
    rows : of the source, in the order that is wanted
    """

    def __init__(self, source, keep: np.ndarray, rows: Sequence[int] | None = None):
        self.source, self.keep = source, keep
        self.rows = list(range(len(source)) if rows is None else rows)
        self.pairs = None if keep.all() else kept_pairs(keep)
        n = int(keep.sum())
        self.shape = len(self.rows), n * (n - 1) // 2

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, k: int) -> np.ndarray:
        rdm = np.asarray(self.source[self.rows[k]], np.float64)
        return rdm if self.pairs is None else rdm[self.pairs]

    def take(self, which: Sequence[int]) -> Rows:
        """Some of these RDMs."""
        return type(self)(self.source, self.keep, [self.rows[k] for k in which])

    def subset(self, keep: np.ndarray) -> Rows:
        """RDMs over some of these stimuli, keep (kept,) bool."""
        both = self.keep.copy()
        both[self.keep] = keep
        return type(self)(self.source, both, self.rows)


def subset(rdms: np.ndarray | Rows, keep: np.ndarray) -> np.ndarray | Rows:
    """RDMs over some of the stimuli, of either kind."""
    return rdms.subset(keep) if isinstance(rdms, Rows) else select_stimuli(rdms, keep)


def _one_less(products: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Condensed 1 - products / (scale_i scale_j); NaN where a scale is."""
    n, start = len(scale), 0
    out = np.empty(n * (n - 1) // 2)
    for i in range(n - 1):
        stop = start + n - 1 - i
        out[start:stop] = 1 - products[i, i + 1 :] / (scale[i] * scale[i + 1 :])
        start = stop
    return out


def _correlation(features: np.ndarray, threads: int) -> np.ndarray:
    products, constant = centred_gram(features, threads)
    scale = np.sqrt(np.diag(products))
    scale[constant] = np.nan
    return _one_less(products, scale)


def _cosine(features: np.ndarray, threads: int) -> np.ndarray:
    products = gram(features, threads=threads)
    scale = np.sqrt(np.diag(products))
    scale[scale == 0] = np.nan
    return _one_less(products, scale)


def squared_distances(products: np.ndarray) -> np.ndarray:
    """Condensed g_ii + g_jj - 2 g_ij of a Gram matrix (n, n)."""
    squares = np.diag(products)
    rows = (squares[i] + squares[i + 1 :] - 2 * products[i, i + 1 :] for i in range(len(squares)))
    return np.concatenate(list(rows))


def _euclidean(features: np.ndarray, threads: int) -> np.ndarray:
    return np.maximum(squared_distances(gram(features, True, threads)), 0) / features.shape[1]


KERNELS = {"correlation": _correlation, "cosine": _cosine, "euclidean": _euclidean}


def rdm_of_sums(products: np.ndarray, sums: np.ndarray, p: int, dissimilarity: str) -> np.ndarray:
    """Condensed RDM of patterns of which only sums over features are known.

    Parameters
    ----------
    products : (n, n) inner products of the patterns, less an origin near them
    sums : (n,) of each pattern's features
    p : number of features
    dissimilarity : correlation, cosine or euclidean

    Returns
    -------
    (n (n - 1) / 2,) float64, as of `rdm`
    """
    if dissimilarity == "euclidean":
        return np.maximum(squared_distances(products), 0) / p
    if dissimilarity == "correlation":
        products = products - np.outer(sums, sums) / p
    squares = np.diag(products)
    # what rounding leaves of a pattern that is constant without the features
    nothing = squares <= 1e-12 * np.abs(products).max()
    return _one_less(products, np.where(nothing, np.nan, np.sqrt(np.maximum(squares, 0))))


def rdm(features: np.ndarray, dissimilarity: str = "correlation", threads: int = 1) -> np.ndarray:
    """Condensed RDM of patterns.

    Parameters
    ----------
    features : (n, p) array or memory map, float32 or float64; peak memory does not grow with p
    dissimilarity : of `registry.DISSIMILARITIES`, one that needs no more than patterns: correlation, cosine,
        or euclidean (squared, divided by p, as in rsatoolbox); for the others see `crossnobis`
    threads : the result does not depend on it

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
    return KERNELS[dissimilarity](features, threads)
