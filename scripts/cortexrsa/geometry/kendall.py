"""Kendall's tau-a of RDMs, also of resampled and of relabelled stimuli, in n log n."""

from __future__ import annotations

import numba
import numpy as np

from cortexrsa.geometry.ranks import ascending
from cortexrsa.geometry.rdm import n_stimuli, pair_indices

RUN = 16


def sorted_pairs(rdm: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Stimuli of the pairs in ascending order of dissimilarity, and their dense ranks in that order.

    Returns
    -------
    first, second : (pairs,) int32
    ranks : (pairs,) uint32, ascending
    """
    order, new = ascending(rdm)
    first, second = pair_indices(n_stimuli(len(rdm)))
    return first[order], second[order], (np.cumsum(new) - 1).astype(np.uint32)


@numba.njit(nogil=True, cache=True)
def _sort_and_count(values, size, scratch):
    """Sort values[:size] by merging, and count the pairs that stood in descending order.

    Returns
    -------
    number of pairs, and whether the sorted values are in `scratch`
    """
    inversions = np.int64(0)
    for start in range(0, size, RUN):
        for i in range(start + 1, min(size, start + RUN)):
            value, j = values[i], i - 1
            while j >= start and values[j] > value:
                values[j + 1] = values[j]
                j -= 1
            values[j + 1] = value
            inversions += i - 1 - j
    width, source, target, swapped = RUN, values, scratch, False
    while width < size:
        for start in range(0, size, 2 * width):
            middle, stop = min(size, start + width), min(size, start + 2 * width)
            i, j, k = start, middle, start
            while i < middle and j < stop:
                left, right = source[i], source[j]
                # without branches, which would be mispredicted half of the time
                take = right < left
                target[k] = right if take else left
                inversions += (middle - i) if take else 0
                j += take
                i += not take
                k += 1
            while i < middle:
                target[k] = source[i]
                i += 1
                k += 1
            while j < stop:
                target[k] = source[j]
                j += 1
                k += 1
        source, target, swapped = target, source, not swapped
        width *= 2
    return inversions, swapped


@numba.njit(nogil=True, cache=True)
def _ties(values, size):
    """Number of pairs of equal values among sorted values[:size]."""
    ties, run = np.int64(0), np.int64(1)
    for k in range(1, size):
        if values[k] == values[k - 1]:
            run += 1
        else:
            ties += run * (run - 1) // 2
            run = 1
    return ties + run * (run - 1) // 2


@numba.njit(nogil=True, cache=True)
def tau_a(first, second, ranks, others, counts, labels):
    """Kendall's tau-a of two RDMs over drawn stimuli.

    tau-a = (concordant - discordant pairs) / all pairs, of dissimilarities; ties count in neither.
    Discordant pairs are the inversions of one RDM in the order of the other (Knight 1966).

    Parameters
    ----------
    first, second, ranks : of `sorted_pairs`, of one RDM
    others : (pairs,) dense ranks of the other RDM, in the order of the RDM
    counts : (n,) how often each stimulus is drawn; a pair counts as often as both are
    labels : (n,) stimulus of the other RDM that stands for each stimulus (a permutation)

    Returns
    -------
    float, NaN with fewer than two pairs
    """
    n = counts.size
    drawn = np.int64(0)
    squares = np.int64(0)
    for i in range(n):
        drawn += counts[i]
        squares += counts[i] * counts[i]
    size = (drawn * drawn - squares) // 2
    if size < 2:
        return np.nan
    values, scratch = np.empty(size, np.uint32), np.empty(size, np.uint32)
    tied, tied_in_both = np.int64(0), np.int64(0)
    filled, k = 0, 0
    while k < ranks.size:
        start, rank = filled, ranks[k]
        while k < ranks.size and ranks[k] == rank:
            copies = counts[first[k]] * counts[second[k]]
            if copies:
                a, b = labels[first[k]], labels[second[k]]
                i, j = min(a, b), max(a, b)
                other = others[i * n - i * (i + 1) // 2 + j - i - 1]
                for _ in range(copies):
                    values[filled] = other
                    filled += 1
            k += 1
        group = filled - start
        if group > 1:
            # ascending within a tie group: no inversions there
            tied += np.int64(group) * (group - 1) // 2
            values[start:filled] = np.sort(values[start:filled])
            tied_in_both += _ties(values[start:filled], group)
    discordant, swapped = _sort_and_count(values, size, scratch)
    tied_in_other = _ties(scratch if swapped else values, size)
    total = size * (size - 1) // 2
    return (total - tied - tied_in_other + tied_in_both - 2 * discordant) / total
