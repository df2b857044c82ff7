"""Gram matrices of features, accumulated over chunks of features."""

from __future__ import annotations

from collections.abc import Callable

import numba
import numpy as np

from cortexrsa.geometry.threads import in_threads, one_blas_thread

CHUNK_BYTES = 32 * 2**20


def feature_slices(features: np.ndarray, chunk_bytes: int = CHUNK_BYTES) -> list[slice]:
    """Slices over the features of (n, p) patterns, of which each chunk (n, c) holds at most `chunk_bytes`."""
    n, p = features.shape
    width = max(1, chunk_bytes // (n * features.dtype.itemsize))
    return [slice(start, min(start + width, p)) for start in range(0, p, width)]


def _accumulated(
    features: np.ndarray, product: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]], threads: int
) -> tuple[np.ndarray, np.ndarray]:
    """Sums over chunks of features of a Gram matrix (n, n) and of row sums (n,), in float64.

    The same bits for any number of threads: each chunk's product is made by one of them (several threads of
    BLAS would round differently), and the products are added in the order of the chunks.
    """
    n, slices = len(features), feature_slices(features)
    gram, sums = np.zeros((n, n)), np.zeros(n)
    with one_blas_thread():
        for start in range(0, len(slices), threads):
            group = slices[start : start + threads]
            for part, total in in_threads(lambda columns: product(features[:, columns]), group, threads):
                gram += part
                sums += total
    return gram, sums


@numba.njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _subtract(chunk, shift, out, sums):
    """Rows of a chunk less their shift, and the sums of what is left, in one pass over memory."""
    for i in range(chunk.shape[0]):
        total = 0.0
        for j in range(chunk.shape[1]):
            value = chunk[i, j] - shift[i]
            out[i, j] = value
            total += value
        sums[i] += total


def centred_gram(features: np.ndarray, threads: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Gram matrix of the patterns, each centred across its features.

    The mean of a pattern is subtracted in two steps, so that large constant offsets do no harm and features
    are held a chunk at a time: first a provisional mean (of the first chunk), then, from the sums, what that
    left over (Chan, Golub & LeVeque 1983, shifted data). Products are formed in the dtype of the features
    (float32, or float64) and accumulated in float64.

    Parameters
    ----------
    features : (n, p) array or memory map; n patterns of p features
    threads : the result does not depend on it

    Returns
    -------
    gram : (n, n) float64, sum over features of (x_i - mean_i)(x_j - mean_j)
    constant : (n,) bool, patterns that do not vary across features beyond rounding
    """
    n, p = features.shape
    dtype = np.float32 if features.dtype == np.float32 else np.float64
    first = features[:, feature_slices(features)[0]]
    shift = np.asarray(first, dtype).mean(axis=1, dtype=np.float64).astype(dtype)

    def product(chunk: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        shifted, sums = np.empty(chunk.shape, dtype), np.zeros(n)
        _subtract(np.asarray(chunk, dtype), shift, shifted, sums)
        return shifted @ shifted.T, sums  # NumPy makes this a SYRK: half of the products

    gram, sums = _accumulated(features, product, threads)
    for row, total in zip(gram, sums, strict=True):
        row -= total / p * sums
    rounding = 4 * np.finfo(dtype).eps * np.abs(shift.astype(np.float64))
    return gram, np.diag(gram) <= p * rounding**2


def gram(features: np.ndarray, centre_features: bool = False, threads: int = 1) -> np.ndarray:
    """Gram matrix (n, n) float64 of patterns (n, p), uncentred or with each feature centred over patterns.

    Centring the features changes no distance between patterns, and keeps small distances between patterns
    that share a large offset. The result does not depend on the number of threads.
    """
    dtype = np.float32 if features.dtype == np.float32 else np.float64

    def product(chunk: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if centre_features:
            chunk = chunk - chunk.mean(axis=0, dtype=np.float64)
        chunk = chunk.astype(dtype, copy=False)
        return chunk @ chunk.T, np.zeros(len(chunk))

    return _accumulated(features, product, threads)[0]
