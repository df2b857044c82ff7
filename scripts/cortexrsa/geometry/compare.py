"""Comparison of RDMs, many against many."""

from __future__ import annotations

import numpy as np

from cortexrsa.geometry import kendall
from cortexrsa.geometry.ranks import ascending, centred_ranks, dense_ranks, scratch_for
from cortexrsa.geometry.rdm import n_stimuli
from cortexrsa.geometry.registry import COMPARISONS
from cortexrsa.geometry.threads import in_groups, in_threads


def usable(rdm: np.ndarray) -> bool:
    """Whether an RDM (pairs,) can be compared: finite, and not all the same."""
    low, high = rdm.min(), rdm.max()
    return bool(np.isfinite(low) and np.isfinite(high) and low < high)


def row_sums(rdm: np.ndarray) -> np.ndarray:
    """Sum of the dissimilarities of each stimulus to all others: (pairs,) -> (n,)."""
    n = n_stimuli(len(rdm))
    sums, start = np.zeros(n), 0
    for i in range(n - 1):
        row = rdm[start : start + n - 1 - i]
        sums[i] += row.sum()
        sums[i + 1 :] += row
        start += n - 1 - i
    return sums


def whiten(rdm: np.ndarray) -> np.ndarray:
    """RDM (pairs,) whitened by the covariance of the errors of its dissimilarities.

    With independent noise of the patterns, errors of two dissimilarities that share a stimulus correlate 1/4:
    covariance V = 2 I + B'B up to scale, B the (n, pairs) incidence of stimuli and pairs. V has three
    eigenspaces (the mean, the effects of single stimuli, the rest; eigenvalues 2 n, n and 2), so V^(-1/2)
    costs one pass.

    References
    ----------
    Diedrichsen et al. 2020, arXiv:2007.02789
    """
    n, mean = n_stimuli(len(rdm)), rdm.mean()
    effects = (row_sums(rdm) - (n - 1) * mean) / (n - 2)
    rest, single, common = 1 / np.sqrt([2, n, 2 * n])
    out = rest * rdm + (common - rest) * mean
    start = 0
    for i in range(n - 1):
        out[start : start + n - 1 - i] += (single - rest) * (effects[i] + effects[i + 1 :])
        start += n - 1 - i
    return out


def normalise(rdms: np.ndarray, comparison: str = "spearman", threads: int = 1) -> np.ndarray:
    """Transform RDMs so that their inner product is their similarity.

    Parameters
    ----------
    rdms : (k, pairs)
    comparison : of `registry.COMPARISONS`, but Kendall's tau-a, which is no inner product of this length
    threads : over the RDMs; the result does not depend on it

    Returns
    -------
    (k, pairs) float64; rows with a NaN, or without variance, are NaN throughout.
    """
    rdms = np.asarray(rdms, np.float64)
    pairs, record = rdms.shape[1], COMPARISONS[comparison]
    out = np.empty(rdms.shape)

    def transform(row: int, scratch: np.ndarray) -> None:
        if not usable(rdms[row]):
            out[row] = np.nan
            return
        if record.kernel == "ranks":
            centred_ranks(rdms[row], out[row], scratch)
        else:
            out[row] = rdms[row] - rdms[row].mean() if record.centred else rdms[row]
        if record.whitened:
            out[row] = whiten(out[row])
        # rho-a without the length of the ranks, which ties shorten: the expectation over random tie-breaking
        square = (float(pairs) ** 3 - pairs) / 12 if record.expected_ties else out[row] @ out[row]
        out[row] /= np.sqrt(square)

    def transform_all(rows: np.ndarray) -> None:
        scratch = scratch_for(pairs)
        for row in rows:
            transform(row, scratch)

    in_groups(transform_all, np.arange(len(rdms)), threads)
    return out


def compare(
    rdms: np.ndarray, references: np.ndarray, comparison: str = "spearman", threads: int = 1
) -> np.ndarray:
    """Similarity of every RDM with every reference RDM.

    Parameters
    ----------
    rdms : (k, pairs)
    references : (m, pairs)
    comparison : of `registry.COMPARISONS`
    threads : the result does not depend on it

    Returns
    -------
    (k, m) float64, NaN where an RDM has a NaN or does not vary.
    """
    if COMPARISONS[comparison].kernel == "concordances":
        return _tau_a(np.asarray(rdms, np.float64), np.asarray(references, np.float64), threads)
    return normalise(rdms, comparison, threads) @ normalise(references, comparison, threads).T


def _tau_a(rdms: np.ndarray, references: np.ndarray, threads: int) -> np.ndarray:
    once = np.ones(n_stimuli(rdms.shape[1]), np.int32)
    sound = [usable(reference) for reference in references]
    orders = [kendall.sorted_pairs(rdm) if usable(rdm) else None for rdm in rdms]
    out = np.full((len(rdms), len(references)), np.nan)

    def against(column: int) -> None:
        ranks = dense_ranks(*ascending(references[column]))
        for row, order in enumerate(orders):
            if order is not None:
                out[row, column] = kendall.tau_a(*order, ranks, once, np.arange(len(once)))

    in_threads(against, np.flatnonzero(sound), threads)
    return out
