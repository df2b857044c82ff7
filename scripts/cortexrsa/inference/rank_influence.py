"""Influence of pairs on Spearman's rank correlation of RDMs, and on rho-a.

u and v are the ranks of a pair in either RDM, over their number, less 1/2. E[u v] has the influence
u v + E[K(x, X) v(Y)] + E[K(y, Y) u(X)] - 3 E[u v], with K(x, X) = 1 where X is larger, 1/2 where it is equal:
one more pair shifts the ranks of all pairs above it. E[u u] likewise. The two expectations are looked up by
rank. Their sums over the pairs of a stimulus, and of a group, follow from how many of these pairs have which
rank: of many stimuli they are counted, once for an RDM, and no look-up is made for a pair of RDMs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numba
import numpy as np

from cortexrsa.geometry.ranks import midranks, scratch_for
from cortexrsa.geometry.rdm import Rows, n_stimuli
from cortexrsa.geometry.registry import COMPARISONS
from cortexrsa.geometry.threads import in_groups, in_threads
from cortexrsa.inference.pair_groups import FEW, PARTS, STEP, TILE, PairGroups, add, summed

# sums over all pairs of smaller rank are looked up in a table: exact for so many pairs, by bins that stay in
# the cache for more, with ranks of one bin as ties (an error of the influence of 1 / (4 bins) at most)
EXACT, BINS = 8192, 2048
# pairs of which ranks are turned to rows at a time, and rows of counts that are multiplied at a time
SLAB = 1024


@numba.njit(nogil=True, cache=True, inline="always")
def _bin(rank, width):
    """Bin of a rank; with as many bins as pairs, each rank has its own (ranks are 2 apart, ties 1)."""
    return int((rank + 0.5) * width)


@numba.njit(nogil=True, cache=True)
def _of_itself(ranks, own):
    """Sum of squares of doubled centred ranks, exact as long as it fits; `Ranks.own` of these ranks."""
    pairs, bins = ranks.size, own.size
    scale = 0.5 / pairs
    width, total = scale * bins, 0.0
    sums, counts = np.zeros(bins), np.zeros(bins)
    for start in range(0, pairs, 512):
        part = 0.0
        for p in range(start, min(start + 512, pairs)):
            twice = float(ranks[p]) - pairs
            part += twice * twice
            b = _bin(ranks[p], width)
            sums[b] += twice * scale
            counts[b] += 1
        total += part
    larger = 0.0
    for b in range(bins - 1, -1, -1):
        mean = sums[b] / counts[b] if counts[b] else 0.0
        own[b] = mean * mean + 2 * (larger + sums[b] / 2) / pairs
        larger += sums[b]
    return total


@numba.njit(nogil=True, cache=True)
def _look_up(table, own, scale, slope, pairs):
    """Sums of v within bins of u (bins, r), in place to scale E[K(x, X) v] - slope own for x in every bin."""
    larger = np.zeros(table.shape[1])
    for bin in range(len(table) - 1, -1, -1):
        for b in range(larger.size):
            value = table[bin, b]
            table[bin, b] = scale[b] * (larger[b] + value / 2) / pairs - slope[b] * own[bin]
            larger[b] += value


@dataclass
class Ranks:
    """Ranks of some RDMs, and what the variance of each owes to a pair.

    Attributes
    ----------
    ranks : (k, pairs) uint32, of `ranks.midranks`
    bins : their number
    square : (k,) E[u u]
    own : (k, bins), what of its influence varies: u u + 2 E[K(x, X) u]
    """

    ranks: np.ndarray
    bins: int
    square: np.ndarray
    own: np.ndarray

    @classmethod
    def of(cls, rdms: np.ndarray | Rows, rows: np.ndarray, threads: int) -> Ranks:
        """Those of some RDMs, each read when its turn comes."""
        pairs = rdms.shape[1]
        bins, k = pairs if pairs <= EXACT else BINS, len(rows)
        ranks, square, own = np.empty((k, pairs), np.uint32), np.empty(k), np.empty((k, bins))

        def some(group: np.ndarray) -> None:
            scratch = scratch_for(pairs)
            for row in group:
                midranks(rdms[rows[row]], ranks[row], scratch)
                square[row] = _of_itself(ranks[row], own[row]) / (4.0 * pairs**3)

        in_groups(some, np.arange(k), threads)
        return cls(ranks, bins, square, own)


@dataclass
class Factors:
    """By what E[u v], and the variances of u and of v, count in the influence on scores: each (r, l)."""

    scores: np.ndarray
    scale: np.ndarray
    slope_x: np.ndarray
    slope_y: np.ndarray

    @classmethod
    def of(cls, x: Ranks, y: Ranks, mean: np.ndarray, comparison: str) -> Factors:
        """From E[u v] (r, l)."""
        if COMPARISONS[comparison].expected_ties:
            # the expectation over random tie-breaking: as of ranks without ties
            pairs = x.ranks.shape[1]
            scale, none = np.full(mean.shape, 12 * pairs**2 / (pairs**2 - 1.0)), np.zeros(mean.shape)
            return cls(scale * mean, scale, none, none)
        scale = 1 / np.sqrt(np.outer(y.square, x.square))
        scores = scale * mean
        return cls(scores, scale, scores / 2 / x.square, scores / 2 / y.square[:, None])

    def looked_up(self, x: Ranks, y: Ranks, of_x: np.ndarray, of_y: np.ndarray) -> None:
        """From sums of v in bins of u, of_x (l, bins, r), and of u in bins of v, of_y (r, bins, l), to what a
        pair's rank adds to the influence; in place."""
        pairs = x.ranks.shape[1]
        for a in range(len(of_x)):
            _look_up(of_x[a], x.own[a], self.scale[:, a], self.slope_x[:, a], pairs)
        for b in range(len(of_y)):
            _look_up(of_y[b], y.own[b], self.scale[b], self.slope_y[b], pairs)


@numba.njit(nogil=True, cache=True)
def _sums_in_bins(x, y, start, stop, bins, of_x, of_y):
    """Sums of v within bins of u, (l, bins, r), and of u within bins of v, (r, bins, l), of some pairs."""
    m, r, pairs = x.shape[0], y.shape[0], x.shape[1]
    scale = 0.5 / pairs
    width = scale * bins
    u, v = np.empty((SLAB, m)), np.empty((SLAB, r))
    for first in range(start, stop, SLAB):
        length = min(SLAB, stop - first)
        for a in range(m):
            for q in range(length):
                u[q, a] = x[a, first + q] * scale - 0.5
        for b in range(r):
            for q in range(length):
                v[q, b] = y[b, first + q] * scale - 0.5
        for a in range(m):
            for q in range(length):
                place = _bin(x[a, first + q], width)
                for b in range(r):
                    of_x[a, place, b] += v[q, b]
        for b in range(r):
            for q in range(length):
                place = _bin(y[b, first + q], width)
                for a in range(m):
                    of_y[b, place, a] += u[q, a]


def _tables(x: Ranks, y: Ranks, threads: int) -> tuple[np.ndarray, np.ndarray]:
    """`_sums_in_bins` of all pairs."""
    pairs, (m, r) = x.ranks.shape[1], (len(x.ranks), len(y.ranks))
    parts = PARTS if pairs > EXACT else 1
    ends = np.linspace(0, pairs, parts + 1).astype(int)

    def of(part: int) -> tuple[np.ndarray, np.ndarray]:
        of_x, of_y = np.zeros((m, x.bins, r)), np.zeros((r, x.bins, m))
        _sums_in_bins(x.ranks, y.ranks, ends[part], ends[part + 1], x.bins, of_x, of_y)
        return of_x, of_y

    found = in_threads(of, range(parts), threads)
    return tuple(sum(each[1:], start=each[0]) for each in zip(*found, strict=True))


# ---- few stimuli: look-ups for every pair ----------------------------------------------------------------


@numba.njit(nogil=True, cache=True)
def _ranked(rows, x, y, of_x, of_y, scale, signed, n, bins, sums, sketch):
    """Adds h of all pairs in some rows: scale u v + of_x[bin of u] + of_y[bin of v]."""
    m, r, pairs = x.shape[0], y.shape[0], x.shape[1]
    unit = 0.5 / pairs
    width = unit * bins
    h, total = np.empty((STEP, r * m)), np.empty(r * m)
    u = np.empty(m)
    for i in rows:
        total[:] = 0
        row = i * n - i * (i + 1) // 2 - i - 1
        for begin in range(i + 1, n, STEP):
            length = min(STEP, n - begin)
            for q in range(length):
                p = row + begin + q
                for a in range(m):
                    u[a] = x[a, p] * unit - 0.5
                for b in range(r):
                    v = y[b, p] * unit - 0.5
                    table = of_y[b, _bin(y[b, p], width)]
                    for a in range(m):
                        h[q, b * m + a] = scale[b, a] * v * u[a] + table[a]
                for a in range(m):
                    table = of_x[a, _bin(x[a, p], width)]
                    for b in range(r):
                        h[q, b * m + a] += table[b]
            add(h, length, i, begin, row + begin, signed, sums, sketch, total)
        sums[i] += total


@numba.njit(nogil=True, cache=True)
def _products(x, y, out):
    """Sums of products of doubled centred ranks, exact as long as they fit."""
    pairs = x.shape[1]
    for start in range(0, pairs, 512):
        stop = min(start + 512, pairs)
        for b in range(y.shape[0]):
            for a in range(x.shape[0]):
                total = 0.0
                for p in range(start, stop):
                    total += (float(x[a, p]) - pairs) * (float(y[b, p]) - pairs)
                out[b, a] += total


def _of_few(x: Ranks, y: Ranks, groups: PairGroups, n: int, comparison: str) -> tuple:
    """Scores (r, l), and sums of h over stimuli (n, r x l) and groups (groups, r x l)."""
    of_x, of_y = _tables(x, y, threads=1)
    products = np.zeros((len(y.ranks), len(x.ranks)))
    _products(x.ranks, y.ranks, products)
    factors = Factors.of(x, y, products / (4.0 * x.ranks.shape[1] ** 3), comparison)
    factors.looked_up(x, y, of_x, of_y)

    def kernel(rows: np.ndarray, sums: np.ndarray, sketch: np.ndarray) -> None:
        tables = of_x, of_y, factors.scale
        _ranked(rows, x.ranks, y.ranks, *tables, groups.signed, n, x.bins, sums, sketch)

    return factors.scores, *summed(kernel, n, groups, products.size, threads=1)


# ---- many stimuli: counts --------------------------------------------------------------------------------


@numba.njit(nogil=True, cache=True)
def _outer(rows, x, y, signed, n, sums, sketch):
    """Adds u v of all pairs in some rows, in tiles of rows and columns."""
    m, r = x.shape[0], y.shape[0]
    unit = 0.5 / x.shape[1]
    u, v = np.empty((STEP, m)), np.empty((STEP, r))
    h, total, of_group = np.empty(r * m), np.empty(r * m), np.empty(r * m)
    for tile in range(0, rows.size, TILE):
        last = min(tile + TILE, rows.size)
        for left in range((rows[tile] + 1) // STEP * STEP, n, STEP):
            for i in rows[tile:last]:
                begin, length = max(left, i + 1), min(left + STEP, n) - max(left, i + 1)
                if length <= 0:
                    continue
                first = i * n - i * (i + 1) // 2 - i - 1 + begin
                for a in range(m):
                    for q in range(length):
                        u[q, a] = x[a, first + q] * unit - 0.5
                for b in range(r):
                    for q in range(length):
                        v[q, b] = y[b, first + q] * unit - 0.5
                total[:] = 0
                of_group[:] = 0
                group = abs(signed[first]) - 1
                for q in range(length):
                    place = signed[first + q]
                    if abs(place) - 1 != group:
                        sketch[group] += of_group
                        of_group[:] = 0
                        group = abs(place) - 1
                    sign = 1.0 if place > 0 else -1.0
                    for b in range(r):
                        for a in range(m):
                            h[b * m + a] = v[q, b] * u[q, a]
                    j = begin + q
                    for k in range(h.size):
                        total[k] += h[k]
                        of_group[k] += sign * h[k]
                        sums[j, k] += h[k]
                sketch[group] += of_group
                sums[i] += total


@numba.njit(nogil=True, cache=True)
def _counts(ranks, signed, n, bins, single, grouped):
    """How many pairs of each stimulus, and (with their signs) of each group, lie in each bin."""
    width = 0.5 / ranks.size * bins
    for tile in range(0, n - 1, TILE):
        for left in range((tile + 1) // STEP * STEP, n, STEP):
            for i in range(tile, min(tile + TILE, n - 1)):
                row = i * n - i * (i + 1) // 2 - i - 1
                for j in range(max(left, i + 1), min(left + STEP, n)):
                    place = _bin(ranks[row + j], width)
                    single[i, place] += 1
                    single[j, place] += 1
                    sign = signed[row + j]
                    grouped[abs(sign) - 1, place] += 1 if sign > 0 else -1


def _times(counts: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Product of counts (rows, bins) and a table (bins, k), a slab of the rows at a time."""
    out = np.empty((len(counts), table.shape[1]))
    for start in range(0, len(counts), SLAB):
        out[start : start + SLAB] = counts[start : start + SLAB].astype(np.float64) @ table
    return out


def _counted(
    ranks: np.ndarray, groups: PairGroups, n: int, bins: int, tables: Iterable[np.ndarray]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Sums of looked-up values over stimuli (n, k) and groups (groups, k), for each table (bins, k)."""
    counts = [np.zeros((size, bins), np.int16 if n < 1 << 15 else np.int32) for size in (n, groups.size)]
    _counts(ranks, groups.signed, n, bins, *counts)
    return [tuple(_times(each, table) for each in counts) for table in tables]


def _of_many(x: Ranks, y: Ranks, groups: PairGroups, n: int, comparison: str, threads: int) -> tuple:
    """As `_of_few`, sums shaped (.., r, l), with all but the look-ups by v; and the tables for these."""
    shape = len(y.ranks), len(x.ranks)

    def kernel(rows: np.ndarray, sums: np.ndarray, sketch: np.ndarray) -> None:
        _outer(rows, x.ranks, y.ranks, groups.signed, n, sums, sketch)

    found = [each.reshape(-1, *shape) for each in summed(kernel, n, groups, shape[0] * shape[1], threads)]
    factors = Factors.of(x, y, found[0].sum(axis=0) / 2 / x.ranks.shape[1], comparison)
    of_x, of_y = _tables(x, y, threads)
    factors.looked_up(x, y, of_x, of_y)
    for each in found:
        each *= factors.scale

    def of_model(a: int) -> None:
        # each adds to columns of its own
        (more,) = _counted(x.ranks[a], groups, n, x.bins, [of_x[a]])
        for each, own in zip(found, more, strict=True):
            each[:, :, a] += own

    in_threads(of_model, range(shape[1]), threads)
    return factors.scores, found, of_y


def rankings(
    brain: np.ndarray | Rows,
    models: np.ndarray | Rows,
    rows: np.ndarray,
    blocks: list[np.ndarray],
    groups: PairGroups,
    comparison: str,
    threads: int,
) -> Iterator[tuple]:
    """Of blocks of models: which, scores (r, l), and sums of h over stimuli and groups (.., r x l)."""
    n = n_stimuli(brain.shape[1])
    y = Ranks.of(brain, rows, threads)
    if n <= FEW:

        def of_block(chosen: np.ndarray) -> tuple:
            x = Ranks.of(models, chosen, threads=1)
            return chosen, *_of_few(x, y, groups, n, comparison), None

        yield from in_threads(of_block, blocks, threads)
        return
    parts = []
    for chosen in blocks:
        x = Ranks.of(models, chosen, threads)
        parts.append(_of_many(x, y, groups, n, comparison, threads))
        del x  # before the next block's are made

    def of_brain(b: int) -> None:
        tables = (of_y[b] for _, _, of_y in parts)
        for (_, found, _), more in zip(parts, _counted(y.ranks[b], groups, n, y.bins, tables), strict=True):
            for each, own in zip(found, more, strict=True):
                each[:, b] += own

    in_threads(of_brain, range(len(rows)), threads)
    for chosen, (scores, found, _) in zip(blocks, parts, strict=True):
        yield chosen, scores, *(each.reshape(len(each), -1) for each in found), None
