"""Gram matrices of features, accumulated over chunks of features."""

from __future__ import annotations

import numba
import numpy as np

from cortexrsa.geometry.threads import in_threads

CHUNK_BYTES = 64 * 2**20


def feature_chunks(features: np.ndarray, chunk_bytes: int = CHUNK_BYTES):
    """Yield (n, c) slices of `features` (n, p) that hold at most `chunk_bytes` each."""
    n, p = features.shape
    width = max(1, chunk_bytes // (n * features.dtype.itemsize))
    for start in range(0, p, width):
        yield features[:, start : start + width]


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

    The mean of a pattern is subtracted in two steps so that one pass over the features suffices and large
    constant offsets do no harm: first a provisional mean (of the first chunk), then, from the sums, what that
    left over (Chan, Golub & LeVeque 1983, shifted data). Products are formed in the dtype of the features
    (float32, or float64) and accumulated in float64.

    Parameters
    ----------
    features : (n, p) array or memory map; n patterns of p features
    threads : of the subtraction; those of the product are BLAS's own

    Returns
    -------
    gram : (n, n) float64, sum over features of (x_i - mean_i)(x_j - mean_j)
    constant : (n,) bool, patterns that do not vary across features beyond rounding
    """
    n, p = features.shape
    dtype = np.float32 if features.dtype == np.float32 else np.float64
    shift = np.zeros(n, dtype)
    gram, sums = np.zeros((n, n)), np.zeros(n)
    bounds = np.linspace(0, n, threads + 1).astype(int)
    shifted = None
    for k, chunk in enumerate(feature_chunks(features)):
        chunk = np.asarray(chunk, dtype)
        if k == 0:
            shift = chunk.mean(axis=1, dtype=np.float64).astype(dtype)
        if shifted is None or shifted.shape != chunk.shape:
            shifted = np.empty(chunk.shape, dtype)

        def subtract(part: int, chunk=chunk, shift=shift, shifted=shifted) -> None:
            rows = slice(bounds[part], bounds[part + 1])
            _subtract(chunk[rows], shift[rows], shifted[rows], sums[rows])

        in_threads(subtract, range(threads), threads)
        gram += shifted @ shifted.T  # NumPy makes this a SYRK: half of the products
    for row, total in zip(gram, sums, strict=True):
        row -= total / p * sums
    rounding = 4 * np.finfo(dtype).eps * np.abs(shift.astype(np.float64))
    return gram, np.diag(gram) <= p * rounding**2


def gram(features: np.ndarray, centre_features: bool = False) -> np.ndarray:
    """Gram matrix (n, n) float64 of patterns (n, p), uncentred or with each feature centred over patterns.

    Centring the features changes no distance between patterns, and keeps small distances between patterns
    that share a large offset.
    """
    dtype = np.float32 if features.dtype == np.float32 else np.float64
    total = np.zeros((len(features), len(features)))
    for chunk in feature_chunks(features):
        if centre_features:
            chunk = chunk - chunk.mean(axis=0, dtype=np.float64)
        chunk = chunk.astype(dtype, copy=False)
        total += chunk @ chunk.T
    return total
