"""Influence of every stimulus and of every pair of stimuli on the similarity of RDMs: one pass, no resample.

The similarity of two RDMs is a functional of the distribution of the pairs of stimuli. Its derivative h_ij in
the direction of one pair has mean 0, and h_ij = a_i + a_j + e_ij by least squares (Hoeffding 1948). The
sampling variance is 4 var(a) / n + var(e) / pairs: see `errors`. a has n numbers a score; of e, which has one
for every pair, sums over groups of pairs with random signs are kept, which give variances and covariances
without bias.

References
----------
Hampel 1974, doi:10.2307/2285666 (influence curve); Efron 1982, chapter 6 (infinitesimal jackknife); Efron &
Stein 1981, doi:10.1214/aos/1176345462; Alon, Matias & Szegedy 1999, doi:10.1006/jcss.1997.1545 (sketch)
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from threadpoolctl import threadpool_limits

from cortexrsa.geometry import kendall
from cortexrsa.geometry.compare import row_sums, usable, whiten
from cortexrsa.geometry.ranks import ascending, midranks
from cortexrsa.geometry.rdm import Rows, n_stimuli, select_stimuli
from cortexrsa.geometry.registry import COMPARISONS
from cortexrsa.geometry.threads import in_threads

# groups of pairs in the sketch; with no more pairs than that, every pair is a group of its own
GROUPS = 8192
# sums over all pairs of smaller rank are looked up in a table: exact for so many pairs, by bins that stay in
# the cache for more, with ranks of one bin as ties (an error of the influence of 1 / (4 bins) at most)
EXACT, BINS = 8192, 2048
# layers at a time, and parts of the rows whose sums are added up in order: neither depends on the threads
BLOCK, PARTS, STEP, FEW = 8, 8, 64, 500


# ---- groups of pairs -------------------------------------------------------------------------------------


@numba.njit(nogil=True, cache=True)
def _mixed(value):
    """Hash of a 64-bit integer (the finaliser of SplitMix64, Steele, Lea & Flood 2014)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@numba.njit(nogil=True, cache=True)
def _hashed(groups, seed, out):
    for p in range(out.size):
        value = _mixed(np.uint64(p) + seed)
        group = np.int16(value % np.uint64(groups)) + np.int16(1)
        out[p] = group if value >> np.uint64(63) else -group


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
        _hashed(groups, start, signed)
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


@dataclass
class Influences:
    """Scores, and what stimuli and pairs contribute to them.

    Attributes
    ----------
    scores : (r, l)
    stimuli : (n, r, l), a_i: the score with one more copy of stimulus i differs by about 2 a_i / n
    pairs : (groups, r, l), signed sums of e_ij over groups of pairs
    """

    scores: np.ndarray
    stimuli: np.ndarray
    pairs: np.ndarray


def influences(
    brain: np.ndarray | Rows,
    models: np.ndarray | Rows,
    groups: PairGroups,
    comparison: str = "spearman",
    threads: int = 1,
) -> Influences:
    """Similarity of brain and model RDMs with the influence of every stimulus and group of pairs.

    Parameters
    ----------
    brain : (r, pairs), an array or `geometry.rdm.Rows`
    models : (l, pairs), likewise; no more than BLOCK of them are held at a time
    groups : of the same pairs
    comparison : see `geometry.compare.compare`
    threads : the result does not depend on it

    Returns
    -------
    Influences; NaN for an RDM with a NaN, or that does not vary.
    """
    rows, columns = (np.flatnonzero([usable(rdms[k]) for k in range(len(rdms))]) for rdms in (brain, models))
    n = n_stimuli(brain.shape[1])
    shape = len(brain), len(models)
    found = Influences(
        np.full(shape, np.nan), np.full((n, *shape), np.nan), np.full((groups.size, *shape), np.nan)
    )
    if not len(rows) or not len(columns):
        return found
    method = KERNELS[COMPARISONS[comparison].kernel]
    with threadpool_limits(1):
        for chosen, scores, sums, sketch, extra in method(
            brain, models, rows, columns, groups, comparison, threads
        ):
            place = np.ix_(rows, chosen)
            found.scores[place] = scores
            stimuli, pairs = _decomposed(sums, sketch, groups, n)
            if extra is not None:
                stimuli += extra - extra.mean(axis=0)
            for own, values in ((found.stimuli, stimuli), (found.pairs, pairs)):
                values = values.reshape(-1, *scores.shape)
                if len(rows) == shape[0] and np.ptp(chosen) + 1 == len(chosen):
                    own[:, :, chosen[0] : chosen[-1] + 1] = values  # faster than by indices
                else:
                    own[:, place[0], place[1]] = values
    return found


def _decomposed(sums, sketch, groups, n) -> tuple[np.ndarray, np.ndarray]:
    """a_i and sums of e_ij, from row sums (n, k) and group sums (groups, k) of h_ij."""
    mean = sums.sum(axis=0) / (n * (n - 1))
    stimuli = (sums - (n - 1) * mean) / (n - 2)
    return stimuli, groups.without(stimuli + mean / 2, sketch)


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
def _add(h, length, i, j, p, signed, sums, sketch, total):
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
    parts = PARTS if n > FEW else 1
    return [np.arange(part, n - 1, parts) for part in range(parts)]


def _summed(kernel, n: int, groups: PairGroups, k: int, threads: int) -> tuple[np.ndarray, np.ndarray]:
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


# ---- rankings --------------------------------------------------------------------------------------------
# u and v are the ranks of a pair in either RDM, over their number, less 1/2. E[u v] has the influence
# u v + E[K(x, X) v(Y)] + E[K(y, Y) u(X)] - 3 E[u v], with K(x, X) = 1 where X is larger, 1/2 where it is
# equal: one more pair shifts the ranks of all pairs above it. E[u u] likewise.


@numba.njit(nogil=True, cache=True, inline="always")
def _bin(rank, width):
    """Bin of a rank; with as many bins as pairs, each rank has its own (ranks are 2 apart, ties 1)."""
    return int((rank + 0.5) * width)


@numba.njit(nogil=True, cache=True)
def _sums_in_bins(ranks, others, bins, out):
    """Sums of the centred ranks of `others` (k, pairs) within bins of the ranks (pairs,): (bins, k)."""
    scale = 0.5 / ranks.size
    width = scale * bins
    for p in range(ranks.size):
        b = _bin(ranks[p], width)
        for k in range(others.shape[0]):
            out[b, k] += others[k, p] * scale - 0.5


@numba.njit(nogil=True, cache=True)
def _counts_in_bins(ranks, bins, out):
    width = 0.5 / ranks.size * bins
    for p in range(ranks.size):
        out[_bin(ranks[p], width)] += 1


@numba.njit(nogil=True, cache=True)
def _products_of_ranks(ranks, others, out):
    """Sums of products of doubled centred ranks, exact as long as they fit."""
    pairs = ranks.size
    for start in range(0, pairs, 512):
        stop = min(start + 512, pairs)
        for k in range(others.shape[0]):
            total = 0.0
            for p in range(start, stop):
                total += (float(ranks[p]) - pairs) * (float(others[k, p]) - pairs)
            out[k] += total


def _larger(table: np.ndarray, pairs: int) -> np.ndarray:
    """E[K(x, X) v] for x in every bin, from sums of v within bins (bins, ...)."""
    return (table.sum(axis=0) - np.cumsum(table, axis=0) + table / 2) / pairs


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
            _add(h, length, i, begin, row + begin, signed, sums, sketch, total)
        sums[i] += total


def _rankings(brain, models, rows, columns, groups, comparison, threads):
    """Spearman and rho-a, by blocks of models."""
    pairs = brain.shape[1]
    n, bins = n_stimuli(pairs), pairs if pairs <= EXACT else BINS
    y = _ranks_of(brain, rows, threads)
    own_y = _own(y, bins, threads)
    for begin in range(0, len(columns), BLOCK):
        chosen = columns[begin : begin + BLOCK]
        x = _ranks_of(models, chosen, threads)
        own_x = _own(x, bins, threads)
        products = np.zeros((len(rows), len(chosen)))
        in_threads(
            lambda b, x=x, out=products: _products_of_ranks(y[b], x, out[b]), range(len(rows)), threads
        )
        # of u v, and of u u: ranks doubled and times the number of pairs
        mean = products / (4.0 * pairs**3)
        if comparison == "rho-a":
            # the expectation over random tie-breaking: as of ranks without ties
            scale = np.full(mean.shape, 12 * pairs**2 / (pairs**2 - 1.0))
            scores, slope_x, slope_y = scale * mean, np.zeros(mean.shape), np.zeros(mean.shape)
        else:
            scale = 1 / np.sqrt(np.outer(own_y[0], own_x[0]))
            scores = scale * mean
            slope_x, slope_y = scores / 2 / own_x[0], scores / 2 / own_y[0][:, None]
        of_x = np.empty((len(chosen), bins, len(rows)))
        of_y = np.empty((len(rows), bins, len(chosen)))

        def tables_x(a, x=x, of_x=of_x, own_x=own_x, scale=scale, slope=slope_x):
            table = np.zeros((bins, len(rows)))
            _sums_in_bins(x[a], y, bins, table)
            of_x[a] = scale[:, a] * _larger(table, pairs) - own_x[1][a][:, None] * slope[:, a]

        def tables_y(b, x=x, of_y=of_y, scale=scale, slope=slope_y):
            table = np.zeros((bins, len(x)))
            _sums_in_bins(y[b], x, bins, table)
            of_y[b] = scale[b] * _larger(table, pairs) - own_y[1][b][:, None] * slope[b]

        in_threads(tables_x, range(len(chosen)), threads)
        in_threads(tables_y, range(len(rows)), threads)

        def kernel(part, sums, sketch, x=x, of_x=of_x, of_y=of_y, scale=scale):
            _ranked(part, x, y, of_x, of_y, scale, groups.signed, n, bins, sums, sketch)

        yield chosen, scores, *_summed(kernel, n, groups, scores.size, threads), None


def _ranks_of(rdms: np.ndarray, rows: np.ndarray, threads: int) -> np.ndarray:
    """`ranks.midranks` of some RDMs: (k, pairs) uint32."""
    out = np.empty((len(rows), rdms.shape[1]), np.uint32)
    in_threads(lambda k: midranks(rdms[rows[k]], out[k]), range(len(rows)), threads)
    return out


def _own(ranks: np.ndarray, bins: int, threads: int) -> tuple[np.ndarray, np.ndarray]:
    """E[u u] of each RDM (k,), and what of its influence varies, u u + 2 E[K(x, X) u], in bins (k, bins)."""
    k, pairs = ranks.shape
    square, table = np.zeros((k, 1)), np.zeros((k, bins, 1))
    in_threads(
        lambda row: _products_of_ranks(ranks[row], ranks[row : row + 1], square[row]), range(k), threads
    )
    in_threads(
        lambda row: _sums_in_bins(ranks[row], ranks[row : row + 1], bins, table[row]), range(k), threads
    )
    counts = np.zeros((k, bins))
    in_threads(lambda row: _counts_in_bins(ranks[row], bins, counts[row]), range(k), threads)
    with np.errstate(invalid="ignore"):
        centre = np.nan_to_num(table[..., 0] / counts)  # mean u of a bin; with few pairs each is one value
    larger = np.stack([_larger(each[:, 0], pairs) for each in table])
    return square[:, 0] / (4.0 * pairs**3), centre**2 + 2 * larger


# ---- products --------------------------------------------------------------------------------------------


@numba.njit(nogil=True, cache=True)
def _product(rows, x, y, scale, slope_x, slope_y, signed, n, sums, sketch):
    """Adds h of all pairs in some rows: scale x y - slope_x x x - slope_y y y."""
    m, r = x.shape[0], y.shape[0]
    h, total = np.empty((STEP, r * m)), np.empty(r * m)
    for i in rows:
        total[:] = 0
        row = i * n - i * (i + 1) // 2 - i - 1
        for begin in range(i + 1, n, STEP):
            length = min(STEP, n - begin)
            for q in range(length):
                p = row + begin + q
                for b in range(r):
                    v = y[b, p]
                    for a in range(m):
                        u = x[a, p]
                        h[q, b * m + a] = scale[b, a] * u * v - slope_x[b, a] * u * u - slope_y[b, a] * v * v
            _add(h, length, i, begin, row + begin, signed, sums, sketch, total)
        sums[i] += total


def _products(brain, models, rows, columns, groups, comparison, threads):
    """Pearson, cosine and their whitened forms."""
    n = n_stimuli(brain.shape[1])
    y, effects_y = _vectors(brain, rows, comparison, threads)
    for begin in range(0, len(columns), BLOCK):
        chosen = columns[begin : begin + BLOCK]
        x, effects_x = _vectors(models, chosen, comparison, threads)
        if COMPARISONS[comparison].whitened:
            # inner products of singly whitened vectors, influence by doubly whitened ones
            single = [np.stack([whiten(v) for v in vectors]) for vectors in (y[0], x[0])]
            products, squares_y, squares_x = _inner(*single)
            vectors_y, vectors_x = y[1], x[1]
        else:
            products, squares_y, squares_x = _inner(y[0], x[0])
            vectors_y, vectors_x = y[0], x[0]
        scale = 1 / np.sqrt(np.outer(squares_y, squares_x))
        scores = scale * products
        slope_x, slope_y = scores / 2 / squares_x, scores / 2 / squares_y[:, None]
        # squares of the doubly whitened vectors have twice the units: V = 2 I + B'B
        factor = brain.shape[1] * (2.0 if COMPARISONS[comparison].whitened else 1.0)
        factors = factor * scale, factor * slope_x, factor * slope_y

        def kernel(part, sums, sketch, x=vectors_x, y=vectors_y, factors=factors):
            _product(part, x, y, *factors, groups.signed, n, sums, sketch)

        extra = None
        if COMPARISONS[comparison].whitened:
            # copies of a stimulus count as stimuli with noise of their own: their effects' part
            a, b = effects_x.T, effects_y.T
            extra = (
                scale * b[:, :, None] * a[:, None] - slope_x * a[:, None] ** 2 - slope_y * b[:, :, None] ** 2
            )
            extra = (extra * brain.shape[1] / (n - 2)).reshape(n, -1)
        yield chosen, scores, *_summed(kernel, n, groups, scores.size, threads), extra


def _inner(y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return y @ x.T, np.einsum("kp,kp->k", y, y), np.einsum("kp,kp->k", x, x)


def _vectors(rdms, rows, comparison, threads):
    """Some RDMs, centred where they are to be, plain and doubly whitened; effects of their stimuli."""
    plain = np.stack(
        [rdms[row] - rdms[row].mean() if COMPARISONS[comparison].centred else rdms[row] for row in rows]
    )
    if not COMPARISONS[comparison].whitened:
        return (plain, plain), None
    double = np.stack(in_threads(lambda rdm: whiten(whiten(rdm)), plain, threads))
    n = n_stimuli(rdms.shape[1])
    # (2 I + B B')^-1 B x, the generalised least-squares effects of the stimuli: B B' = (n - 2) I + 1 1'
    sums = np.stack([row_sums(rdm) for rdm in plain])
    effects = (sums - sums.sum(axis=1, keepdims=True) / (2 * n)) / n
    return (plain, double), effects


# ---- Kendall ---------------------------------------------------------------------------------------------


@numba.njit(nogil=True, cache=True)
def _plain(rows, values, signed, n, sums, sketch):
    h, total = np.empty((STEP, 1)), np.empty(1)
    for i in rows:
        total[:] = 0
        row = i * n - i * (i + 1) // 2 - i - 1
        for begin in range(i + 1, n, STEP):
            length = min(STEP, n - begin)
            for q in range(length):
                h[q, 0] = values[row + begin + q]
            _add(h, length, i, begin, row + begin, signed, sums, sketch, total)
        sums[i] += total


def _concordances(brain, models, rows, columns, groups, comparison, threads):
    """Kendall's tau-a: 2 (E[sign(x - X) sign(y - Y)] - tau), one RDM against one."""
    pairs = brain.shape[1]
    n = n_stimuli(pairs)
    sorted_brain = dict(zip(rows, in_threads(lambda row: ascending(brain[row]), rows, threads), strict=True))
    for column in columns:
        order = ascending(models[column])

        def against(row, order=order):
            values = kendall.concordances(order, sorted_brain[row])
            # a pair is not compared with itself
            score = values.sum() / (pairs * (pairs - 1.0))
            h = 2 * (values / (pairs - 1.0) - score)
            sums, sketch = np.zeros((n, 1)), np.zeros((groups.size, 1))
            _plain(np.arange(n - 1), h, groups.signed, n, sums, sketch)
            return score, sums[:, 0], sketch[:, 0]

        scores, sums, sketch = zip(*in_threads(against, rows, threads), strict=True)
        yield np.array([column]), np.array(scores)[:, None], np.stack(sums, 1), np.stack(sketch, 1), None


KERNELS = {"ranks": _rankings, "products": _products, "concordances": _concordances}
