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

from cortexrsa.geometry import kendall
from cortexrsa.geometry.compare import row_sums, usable, whiten
from cortexrsa.geometry.ranks import ascending
from cortexrsa.geometry.rdm import Rows, n_stimuli
from cortexrsa.geometry.registry import COMPARISONS
from cortexrsa.geometry.threads import in_threads, one_blas_thread
from cortexrsa.inference.pair_groups import FEW, STEP, PairGroups, add, summed
from cortexrsa.inference.rank_influence import rankings

# layers at a time; of few stimuli fewer, since what is looked up for them is to stay in the cache
BLOCK, FEW_BLOCK = 8, 4


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
    block = BLOCK if n > FEW else FEW_BLOCK
    blocks = [columns[begin : begin + block] for begin in range(0, len(columns), block)]
    with one_blas_thread():
        for chosen, scores, sums, sketch, extra in method(
            brain, models, rows, blocks, groups, comparison, threads
        ):
            place = np.ix_(rows, chosen)
            found.scores[place] = scores
            stimuli, pairs = decomposed(sums, sketch, groups, n)
            if extra is not None:
                stimuli += extra - extra.mean(axis=0)
            for own, values in ((found.stimuli, stimuli), (found.pairs, pairs)):
                values = values.reshape(-1, *scores.shape)
                if len(rows) == shape[0] and np.ptp(chosen) + 1 == len(chosen):
                    own[:, :, chosen[0] : chosen[-1] + 1] = values  # faster than by indices
                else:
                    own[:, place[0], place[1]] = values
    return found


def decomposed(sums, sketch, groups, n) -> tuple[np.ndarray, np.ndarray]:
    """a_i and sums of e_ij, from row sums (n, k) and group sums (groups, k) of h_ij."""
    mean = sums.sum(axis=0) / (n * (n - 1))
    stimuli = (sums - (n - 1) * mean) / (n - 2)
    return stimuli, groups.without(stimuli + mean / 2, sketch)


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
            add(h, length, i, begin, row + begin, signed, sums, sketch, total)
        sums[i] += total


def _products(brain, models, rows, blocks, groups, comparison, threads):
    """Pearson, cosine and their whitened forms."""
    n = n_stimuli(brain.shape[1])
    y, effects_y = _vectors(brain, rows, comparison, threads)
    for chosen in blocks:
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
        yield chosen, scores, *summed(kernel, n, groups, scores.size, threads), extra


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
            add(h, length, i, begin, row + begin, signed, sums, sketch, total)
        sums[i] += total


def _concordances(brain, models, rows, blocks, groups, comparison, threads):
    """Kendall's tau-a: 2 (E[sign(x - X) sign(y - Y)] - tau), one RDM against one."""
    pairs = brain.shape[1]
    n = n_stimuli(pairs)
    sorted_brain = dict(zip(rows, in_threads(lambda row: ascending(brain[row]), rows, threads), strict=True))
    for column in np.concatenate(blocks):
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


KERNELS = {"ranks": rankings, "products": _products, "concordances": _concordances}
