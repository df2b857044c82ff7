"""Kendall's tau-a of RDMs, also of resampled and of relabelled stimuli, in n log n."""

from __future__ import annotations

import numba
import numpy as np

from cortexrsa.geometry.ranks import ascending, dense_ranks
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


@numba.njit(nogil=True, cache=True)
def _end_of_ties(new, start):
    """First place after `start` at which another value begins."""
    stop = start + 1
    while stop < new.size and not new[stop]:
        stop += 1
    return stop


@numba.njit(nogil=True, cache=True)
def _sorted_within_ties(order, new, others):
    """Order of one RDM, within its ties ascending in the other."""
    found = np.empty(order.size, np.uint32)
    start = 0
    while start < order.size:
        stop = _end_of_ties(new, start)
        group = order[start:stop]
        if stop - start > 1:
            group = group[np.argsort(others[group], kind="mergesort")]
        found[start:stop] = group
        start = stop
    return found


@numba.njit(nogil=True, cache=True)
def _smaller_before(values):
    """Of every element: twice the number of smaller and once that of equal ones among those before it.

    By merging, as in `_sort_and_count`, with each element's place in the lower half of its key.
    """
    size = values.size
    shift = np.uint64(32)
    keys, scratch = np.empty(size, np.uint64), np.empty(size, np.uint64)
    counts, moved = np.zeros(size, np.uint32), np.empty(size, np.uint32)
    for k in range(size):
        keys[k] = (np.uint64(values[k]) << shift) | np.uint64(k)
    width = 1
    while width < size:
        for first in range(0, size, 2 * width):
            middle, last = min(size, first + width), min(size, first + 2 * width)
            i, less, j = first, first, middle
            for k in range(first, last):
                if j < last and (i >= middle or keys[j] < keys[i]):
                    while less < middle and keys[less] >> shift < keys[j] >> shift:
                        less += 1
                    scratch[k], moved[k] = keys[j], counts[j] + np.uint32(i - first + less - first)
                    j += 1
                else:
                    scratch[k], moved[k] = keys[i], counts[i]
                    i += 1
        keys, scratch = scratch, keys
        counts, moved = moved, counts
        width *= 2
    mask = (np.uint64(1) << shift) - np.uint64(1)
    for k in range(size):
        moved[keys[k] & mask] = counts[k]
    return moved


@numba.njit(nogil=True, cache=True)
def _concordances(order, new, others, other_order, other_new, out):
    """See `concordances`: sign(x) sign(y) = (2 K - 1)(2 K' - 1), with K of 1, 1/2 or 0."""
    size = order.size
    total = np.int64(size)
    sorted_order = _sorted_within_ties(order, new, others)
    before = _smaller_before(others[sorted_order])
    start = 0
    while start < size:
        stop = _end_of_ties(new, start)
        first = start
        while first < stop:
            last = first + 1
            while last < stop and others[sorted_order[last]] == others[sorted_order[first]]:
                last += 1
            for k in range(first, last):
                smaller = np.int64(before[k]) - 2 * (first - start) - (k - first)
                out[sorted_order[k]] = (
                    2 * smaller + 2 * (first - start) + (last - first) - (start + stop) + total
                )
            first = last
        start = stop
    start = 0
    while start < size:
        stop = _end_of_ties(other_new, start)
        for k in range(start, stop):
            out[other_order[k]] -= start + stop
        start = stop


def concordances(rdm: np.ndarray, other: np.ndarray) -> np.ndarray:
    """For every pair of stimuli: concordant less discordant pairs among all others, in n log n.

    Parameters
    ----------
    rdm, other : (order, new) of `ranks.ascending` of two RDMs

    Returns
    -------
    (pairs,) int64, sum over all pairs q of sign(x_p - x_q) sign(y_p - y_q)

    References
    ----------
    Knight 1966, doi:10.2307/2282833 (merging)
    """
    out = np.empty(len(rdm[0]), np.int64)
    _concordances(*rdm, dense_ranks(*other), *other, out)
    return out
