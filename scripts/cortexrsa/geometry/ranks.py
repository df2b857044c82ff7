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
        if stop - start > SHORT:
            # indices ascend within a run, so a stable sort keeps ties in their order
            run = order[start:stop].copy()
            order[start:stop] = run[np.argsort(values[run], kind="mergesort")]
        elif stop - start > 1:
            for k in range(start + 1, stop):
                index, j = order[k], k - 1
                while j >= start and values[order[j]] > values[index]:
                    order[j + 1] = order[j]
                    j -= 1
                order[j + 1] = index
        for k in range(start + 1, stop):
            new[k] = values[order[k]] != values[order[k - 1]]
        start = stop


def ascending(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Stable argsort of finite values, and where ties end.

    The high bits of a 64-bit key hold the position of the value within the range (a monotone function of it,
    rounding included), the low bits its index; one vectorised sort of integers does most of the work, and
    values that share a key are compared as they are.

    Parameters
    ----------
    values : (k,) finite float64, k < 2**32

    Returns
    -------
    order : (k,) uint32, indices of the values in ascending order
    new : (k,) bool, whether the value there is larger than the one before it
    """
    values = np.ascontiguousarray(values, np.float64)
    low, high = values.min(), values.max()
    shift = max(1, int(len(values) - 1).bit_length())
    # one bit less than there is room for, so that rounding cannot overflow
    with np.errstate(over="ignore", divide="ignore"):
        scale = np.float64(2.0 ** (63 - shift)) / (high - low)
    if not np.isfinite(scale):  # one value only, a range of denormal numbers, or one too wide
        order = np.argsort(values, kind="stable").astype(np.uint32)
        ordered = values[order]
        return order, np.r_[True, ordered[1:] != ordered[:-1]]
    keys = np.empty(len(values), np.uint64)
    _packed_keys(values, low, scale, np.uint64(shift), keys)
    keys.sort()
    order, new = np.empty(len(values), np.uint32), np.empty(len(values), np.bool_)
    _unpack(keys, np.uint64(shift), values, order, new)
    return order, new


@numba.njit(nogil=True, cache=True)
def _centred_ranks(order, new, out):
    size = order.size
    start = 0
    while start < size:
        stop = start + 1
        while stop < size and not new[stop]:
            stop += 1
        rank = (start + stop - size) * 0.5
        for k in range(start, stop):
            out[order[k]] = rank
        start = stop


def centred_ranks(values: np.ndarray) -> np.ndarray:
    """Midranks less their mean: (k,) finite -> (k,) float64, exact (multiples of 0.5)."""
    ranks = np.empty(len(values))
    _centred_ranks(*ascending(values), ranks)
    return ranks


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
def _midranks(order, new, out):
    size = order.size
    start = 0
    while start < size:
        stop = start + 1
        while stop < size and not new[stop]:
            stop += 1
        for k in range(start, stop):
            out[order[k]] = start + stop
        start = stop


def midranks(values: np.ndarray, out: np.ndarray) -> None:
    """Number of smaller values and of values not larger, added: (k,) finite -> (k,) uint32, into `out`.

    That is twice the midrank (from 1) less 1; over 2 k it is P(X < x) + P(X = x) / 2.
    """
    _midranks(*ascending(values), out)
