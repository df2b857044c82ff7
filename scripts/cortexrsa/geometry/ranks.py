"""Sorting and ranking of dissimilarities: exact in float64, ties as midranks, faster than a plain argsort."""

from __future__ import annotations

import numba
import numpy as np

SHORT = 24


@numba.njit(nogil=True, cache=True)
def _packed_keys(values, low, scale, shift, keys):
    for k in range(values.size):
        keys[k] = (np.uint64((values[k] - low) * scale) << shift) | np.uint64(k)


@numba.njit(nogil=True, cache=True)
def _sort_run(values, run):
    """Indices that ascend, in place in the order of their values, ties as they are."""
    if run.size > SHORT:
        run[:] = run[np.argsort(values[run], kind="mergesort")]
        return
    for k in range(1, run.size):
        index, j = run[k], k - 1
        while j >= 0 and values[run[j]] > values[index]:
            run[j + 1] = run[j]
            j -= 1
        run[j + 1] = index


@numba.njit(nogil=True, cache=True)
def _unpack(keys, shift, values, order, new):
    """Order of the values from their sorted keys; where keys agree, from the values themselves."""
    mask = (np.uint64(1) << shift) - np.uint64(1)
    for k in range(keys.size):
        order[k] = keys[k] & mask
        new[k] = k == 0 or keys[k] >> shift != keys[k - 1] >> shift
    start = 0
    while start < keys.size:
        stop = start + 1
        while stop < keys.size and not new[stop]:
            stop += 1
        if stop - start > 1:
            _sort_run(values, order[start:stop])
        for k in range(start + 1, stop):
            new[k] = values[order[k]] != values[order[k - 1]]
        start = stop


def _sorted_keys(values: np.ndarray, keys: np.ndarray | None = None) -> tuple[np.ndarray | None, np.uint64]:
    """Sorted keys of values, and how many of their low bits are the index; None where there are no keys.

    The high bits hold the position of the value within the range: a monotone function of it, rounding
    included.
    """
    low, high = values.min(), values.max()
    shift = max(1, int(len(values) - 1).bit_length())
    # one bit less than there is room for, so that rounding cannot overflow
    with np.errstate(over="ignore", divide="ignore"):
        scale = np.float64(2.0 ** (63 - shift)) / (high - low)
    if not np.isfinite(scale):  # one value only, a range of denormal numbers, or one too wide
        return None, np.uint64(shift)
    keys = np.empty(len(values), np.uint64) if keys is None else keys
    _packed_keys(values, low, scale, np.uint64(shift), keys)
    keys.sort()
    return keys, np.uint64(shift)


def ascending(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Stable argsort of finite values, and where ties end.

    One vectorised sort of integer keys does most of the work, and values that share a key are compared as
    they are.

    Parameters
    ----------
    values : (k,) finite float64, k < 2**32

    Returns
    -------
    order : (k,) uint32, indices of the values in ascending order
    new : (k,) bool, whether the value there is larger than the one before it
    """
    values = np.ascontiguousarray(values, np.float64)
    keys, shift = _sorted_keys(values)
    if keys is None:
        order = np.argsort(values, kind="stable").astype(np.uint32)
        ordered = values[order]
        return order, np.r_[True, ordered[1:] != ordered[:-1]]
    order, new = np.empty(len(values), np.uint32), np.empty(len(values), np.bool_)
    _unpack(keys, shift, values, order, new)
    return order, new


@numba.njit(nogil=True, cache=True)
def _dense_ranks(order, new, out):
    rank = -1
    for k in range(order.size):
        rank += new[k]
        out[order[k]] = rank


def dense_ranks(order: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Rank among the distinct values, from 0, ties alike: (k,) uint32, from those of `ascending`."""
    ranks = np.empty(len(order), np.uint32)
    _dense_ranks(order, new, ranks)
    return ranks


@numba.njit(nogil=True, cache=True)
def _tie_groups(order, new, start, stop):
    size = order.size
    first = 0
    while first < size:
        last = first + 1
        while last < size and not new[last]:
            last += 1
        for k in range(first, last):
            start[order[k]] = first
            if stop.size:
                stop[order[k]] = last
        first = last


def tie_groups(order: np.ndarray, new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Range of each value's tie group in the sorted order.

    Parameters
    ----------
    order, new : (k,) of `ascending`

    Returns
    -------
    start, stop : (k,) int32; `stop` is empty where no two values are equal (it is start + 1 then).
    """
    start = np.empty(len(order), np.int32)
    stop = np.empty(0 if new.all() else len(order), np.int32)
    _tie_groups(order, new, start, stop)
    return start, stop


@numba.njit(nogil=True, cache=True)
def _rank_tied(values, run, first, keys, shift):
    """Midranks of values whose keys agree, the first of which is in place `first`, into their keys."""
    _sort_run(values, run)
    start = 0
    while start < run.size:
        stop = start + 1
        while stop < run.size and values[run[stop]] == values[run[start]]:
            stop += 1
        for k in range(start, stop):
            keys[first + k] = (np.uint64(2 * first + start + stop) << shift) | run[k]
        start = stop


@numba.njit(nogil=True, cache=True)
def _keys_to_ranks(keys, shift, values):
    """Sorted keys, in place, with the midrank for the position of the value."""
    mask = (np.uint64(1) << shift) - np.uint64(1)
    start = 0
    while start < keys.size:
        key, stop = keys[start] >> shift, start + 1
        while stop < keys.size and keys[stop] >> shift == key:
            stop += 1
        if stop == start + 1:
            keys[start] = (np.uint64(2 * start + 1) << shift) | (keys[start] & mask)
        else:
            _rank_tied(values, keys[start:stop] & mask, start, keys, shift)
        start = stop


@numba.njit(nogil=True, cache=True)
def _place(keys, shift, block, ordered, out):
    """Ranks to where their index says, by blocks of places of which few are written to at a time."""
    mask = (np.uint64(1) << shift) - np.uint64(1)
    following = np.empty(((keys.size - 1) >> block) + 1, np.int64)
    for b in range(following.size):
        following[b] = b << block
    for k in range(keys.size):
        b = (keys[k] & mask) >> block
        ordered[following[b]] = keys[k]
        following[b] += 1
    for k in range(keys.size):
        out[ordered[k] & mask] = ordered[k] >> shift


def scratch_for(k: int) -> np.ndarray:
    """Memory for `midranks` of k values: fresh memory for each of many RDMs takes as long as the sorting."""
    return np.empty((2, k), np.uint64)


def midranks(values: np.ndarray, out: np.ndarray, scratch: np.ndarray | None = None) -> None:
    """Number of smaller values and of values not larger, added: (k,) finite -> `out` (k,), uint32 or float64.

    That is twice the midrank (from 1) less 1; over 2 k it is P(X < x) + P(X = x) / 2. k < 2**31.

    Parameters
    ----------
    values, out : as above
    scratch : of `scratch_for`, used by one thread at a time
    """
    values = np.ascontiguousarray(values, np.float64)
    scratch = scratch_for(len(values)) if scratch is None else scratch
    keys, shift = _sorted_keys(values, scratch[0])
    if keys is None:
        _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
        below = np.cumsum(counts) - counts
        out[:] = (2 * below + counts)[inverse]
        return
    _keys_to_ranks(keys, shift, values)
    # so many blocks that both passes stay in the cache
    block = np.uint64(max(int(shift) - 6, 0))
    _place(keys, shift, block, scratch[1], out)


def centred_ranks(values: np.ndarray, out: np.ndarray, scratch: np.ndarray | None = None) -> None:
    """Midranks less their mean: (k,) finite -> `out` (k,) float64, exact multiples of 0.5; see `midranks`."""
    midranks(values, out, scratch)
    out -= len(values)
    out *= 0.5
