"""Tests against zero by permutation of the stimulus labels (Mantel)."""

from __future__ import annotations

import functools

import numba
import numpy as np

from cortexrsa.errors import InputError
from cortexrsa.geometry import kendall
from cortexrsa.geometry.compare import normalise, usable
from cortexrsa.geometry.ranks import ascending, dense_ranks
from cortexrsa.geometry.rdm import n_stimuli, squareform
from cortexrsa.geometry.registry import COMPARISONS
from cortexrsa.geometry.threads import in_threads, one_blas_thread
from cortexrsa.inference.design import Design
from cortexrsa.inference.some_pairs import normalised
from cortexrsa.jobs import progress

BLOCK_BYTES = 32 * 2**20


def permutation_null(
    brain: np.ndarray,
    models: np.ndarray,
    permutations: int,
    seed: int,
    comparison: str = "spearman",
    threads: int = 1,
    design: Design | None = None,
) -> np.ndarray:
    """Similarities under random relabelling of the brain RDMs' stimuli, or of the units that they belong to.

    Every brain RDM and every call with the same seed sees the same permutations, so maxima over models are
    taken within one permutation, and means over subjects are those of one relabelling.

    Parameters
    ----------
    brain : (r, pairs)
    models : (l, pairs)
    permutations : number of random permutations
    seed : of the permutations
    comparison : see `compare.compare`
    threads : over the permutations; the result does not depend on it
    design : of the stimuli, where they are not drawn one by one: see `Design.relabellings`

    Returns
    -------
    (permutations, r, l) float64 (of films no more than there are shifts), NaN for an RDM with a NaN or
    without variance.

    References
    ----------
    Mantel 1967; Nili et al. 2014, doi:10.1371/journal.pcbi.1003553
    """
    n = n_stimuli(brain.shape[1])
    concordance = COMPARISONS[comparison].kernel == "concordances"
    generator = np.random.default_rng(seed)
    if design is None:
        orders = generator.permuted(np.tile(np.arange(n, dtype=np.int32), (permutations, 1)), axis=1)
    else:
        orders = design.relabellings(permutations, generator)
        if concordance and (np.diff(np.sort(orders, axis=1), axis=1) == 0).any():
            found = f"{comparison}, with units of unequal size"
            raise InputError("comparison", found, "rho-a, or units of one size")
    kept = None if design is None else design.kept_pairs()
    similarities = _concordances if concordance else functools.partial(_products, kept=kept)
    with (
        one_blas_thread(),  # the threads are ours
        progress(len(orders) * len(brain), "permutations") as bar,
    ):
        return similarities(brain, models, orders, comparison, threads, bar)


@numba.njit(nogil=True, cache=True)
def _relabel(square, orders, out):
    n = square.shape[0]
    for k in range(orders.shape[0]):
        order, q = orders[k], 0
        for i in range(n):
            row = square[order[i]]
            for j in range(i + 1, n):
                out[k, q] = row[order[j]]
                q += 1


def _products(brain, models, orders, comparison, threads, bar, kept=None) -> np.ndarray:
    if kept is None:
        targets, candidates = (normalise(rdms, comparison, threads) for rdms in (brain, models))
    else:
        targets, candidates = (normalised(rdms, kept, comparison) for rdms in (brain, models))
    candidates = candidates.T.copy()
    null = np.empty((len(orders), len(brain), len(models)))
    size = max(1, BLOCK_BYTES // (8 * brain.shape[1]))
    for row, target in enumerate(targets):
        square = squareform(target)

        def block(start: int, row=row, square=square) -> None:
            part = orders[start : start + size]
            relabelled = np.empty((len(part), brain.shape[1]))
            _relabel(square, part, relabelled)
            null[start : start + size, row] = relabelled @ candidates
            bar.update(len(part))

        in_threads(block, range(0, len(orders), size), threads)
    return null


def _concordances(brain, models, orders, comparison, threads, bar) -> np.ndarray:
    once = np.ones(orders.shape[1], np.int32)
    ranks = [dense_ranks(*ascending(rdm)) if usable(rdm) else None for rdm in models]
    null = np.full((len(orders), len(brain), len(models)), np.nan)
    for row, rdm in enumerate(brain):
        if not usable(rdm):
            continue
        pairs = kendall.sorted_pairs(rdm)

        def relabelled(k: int, row=row, pairs=pairs) -> None:
            # the stimulus that takes place i in the relabelled RDM is order[i], so the labels are its inverse
            labels = np.argsort(orders[k])
            for column, other in enumerate(ranks):
                if other is not None:
                    null[k, row, column] = kendall.tau_a(*pairs, other, once, labels)
            bar.update(1)

        in_threads(relabelled, range(len(orders)), threads)
    return null
