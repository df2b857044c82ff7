"""Groups of pairs of stimuli, and sums of the pairs' values over groups and over stimuli.

References
----------
Alon, Matias & Szegedy 1999, doi:10.1006/jcss.1997.1545 (sums with random signs as a sketch)
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from cortexrsa.geometry.rdm import select_stimuli
from cortexrsa.geometry.threads import in_threads

# groups of pairs in the sketch; with no more pairs than that, every pair is a group of its own
GROUPS = 8192
# parts of the rows whose sums are added up in order, whatever the threads; one for no more than FEW stimuli.
# Pairs at a time, and rows at a time: what belongs to them stays in the cache
PARTS, FEW, STEP, TILE = 8, 500, 64, 16


@numba.njit(nogil=True, cache=True)
def _mixed(value):
    """Hash of a 64-bit integer (the finaliser of SplitMix64, Steele, Lea & Flood 2014)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@numba.njit(nogil=True, cache=True)
def _hashed(n, step, groups, seed, out):
    """A sign for every pair, and a group for every `step` pairs of a stimulus with its neighbours."""
    p, width = 0, np.uint64((n + step - 1) // step)
    for i in range(n):
        for j in range(i + 1, n):
            place = np.uint64(i) * width + np.uint64(j // step)
            group = np.int16(_mixed(place + seed) % np.uint64(groups)) + np.int16(1)
            out[p] = group if _mixed(np.uint64(p) ^ seed) >> np.uint64(63) else -group
            p += 1


@numba.njit(nogil=True, cache=True)
def _subtract(signed, effects, out):
    """From the signed sums over groups (groups, k), those of effect_i + effect_j of their pairs."""
    n, p = len(effects), 0
    for i in range(n):
        for j in range(i + 1, n):
            place = signed[p]
            group, sign = abs(place) - 1, (1.0 if place > 0 else -1.0)
            for k in range(effects.shape[1]):
                out[group, k] -= sign * (effects[i, k] + effects[j, k])
            p += 1


@numba.njit(nogil=True, cache=True)
def _incidence(signed, n, out):
    p = 0
    for i in range(n):
        for j in range(i + 1, n):
            place = signed[p]
            group, sign = abs(place) - 1, (1 if place > 0 else -1)
            out[group, i] += sign
            out[group, j] += sign
            p += 1


@dataclass
class PairGroups:
    """Group and sign of every pair of stimuli, the same for all networks of a data set.

    Attributes
    ----------
    signed : (pairs,) int16, the group from 1, with the sign of the pair
    size : number of groups
    """

    signed: np.ndarray
    size: int

    @classmethod
    def of(cls, n: int, random: int | np.random.Generator, groups: int = GROUPS) -> PairGroups:
        """Groups of the pairs of n stimuli; each pair is one (with sign +) where that makes no more."""
        pairs = n * (n - 1) // 2
        if pairs <= groups:
            return cls(np.arange(1, pairs + 1, dtype=np.int16), pairs)
        signed = np.empty(pairs, np.int16)
        start = np.random.default_rng(random).integers(1 << 63, dtype=np.uint64)
        _hashed(n, STEP if n > FEW else 1, groups, start, signed)
        return cls(signed, groups)

    def subset(self, keep: np.ndarray) -> PairGroups:
        """Those of the pairs of some of the stimuli, keep (n,) bool: the groups keep their numbers."""
        return PairGroups(select_stimuli(self.signed[None], keep)[0], self.size)

    def without(self, effects: np.ndarray, sums: np.ndarray) -> np.ndarray:
        """Signed sums (size, k) of h_ij, in place, less effect_i + effect_j: effects (n, k)."""
        n = len(effects)
        if len(self.signed) <= 16 * self.size:
            _subtract(self.signed, effects, sums)
            return sums
        # a product of matrices, of pairs by groups: fewer operations than pair by pair
        incidence = np.zeros((self.size, n), np.int16)
        _incidence(self.signed, n, incidence)
        for start in range(0, self.size, 1024):
            rows = slice(start, start + 1024)
            sums[rows] -= incidence[rows].astype(np.float64) @ effects
        return sums


@numba.njit(nogil=True, cache=True)
def _signed_sums(signed, values, out):
    for p in range(values.size):
        place = signed[p]
        out[abs(place) - 1] += values[p] if place > 0 else -values[p]


def sums_over_groups(values: np.ndarray, groups: PairGroups) -> np.ndarray:
    """Signed sums of values of the pairs (pairs,) over their groups: (groups,)."""
    out = np.zeros(groups.size)
    _signed_sums(groups.signed, values, out)
    return out


@numba.njit(nogil=True, cache=True, inline="always")
def add(h, length, i, j, p, signed, sums, sketch, total):
    """Add h (length, k) of the pairs (i, j), (i, j + 1), ... to the sums of stimuli and of groups."""
    for q in range(length):
        place = signed[p + q]
        group, sign = abs(place) - 1, (1.0 if place > 0 else -1.0)
        for k in range(total.size):
            value = h[q, k]
            total[k] += value
            sums[j + q, k] += value
            sketch[group, k] += sign * value


def _row_parts(n: int) -> list[np.ndarray]:
    """Rows of the upper triangle in parts of about the same number of pairs; one for few stimuli."""
    if n <= FEW:
        return [np.arange(n - 1)]
    tiles = np.arange(n - 1) // TILE
    return [np.flatnonzero(tiles % PARTS == part) for part in range(PARTS)]


def summed(kernel, n: int, groups: PairGroups, k: int, threads: int) -> tuple[np.ndarray, np.ndarray]:
    """Sums over stimuli (n, k) and groups (groups, k) that a kernel of (rows, sums, sketch) adds up."""

    def of(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        sums, sketch = np.zeros((n, k)), np.zeros((groups.size, k))
        kernel(rows, sums, sketch)
        return sums, sketch

    parts, found = _row_parts(n), None
    # in the order of the parts, whatever the threads
    for start in range(0, len(parts), threads):
        for part in in_threads(of, parts[start : start + threads], threads):
            if found is None:
                found = part
            else:
                for whole, more in zip(found, part, strict=True):
                    whole += more
    return found
