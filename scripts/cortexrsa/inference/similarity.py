"""Similarity of RDMs in resamples of the stimuli: exact, and re-ranked in each, many resamples at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numba
import numpy as np

from cortexrsa.errors import InputError
from cortexrsa.geometry import kendall
from cortexrsa.geometry.compare import usable
from cortexrsa.geometry.ranks import ascending, dense_ranks, tie_groups
from cortexrsa.geometry.rdm import n_stimuli, pair_indices, squareform
from cortexrsa.geometry.registry import COMPARISONS
from cortexrsa.geometry.threads import in_threads, one_blas_thread
from cortexrsa.jobs import progress

# twice the number of pairs of a ranking must fit into 32 bits
MOST_STIMULI = 46_340
# what the sorted RDMs may take beside the inputs, and what all threads together may
SORTED_BYTES, WORKSPACE_BYTES = 3 * 2**30, 2 * 2**30
# sizes of the products of the GEMM form
PAIR_BLOCK, DRAW_BLOCK = 2048, 256


def resampled_similarity(
    brain: np.ndarray, models: np.ndarray, counts: np.ndarray, comparison: str = "spearman", threads: int = 1
) -> np.ndarray:
    """Similarity of brain and model RDMs in every resample of the stimuli.

    A stimulus drawn w times counts w_i * w_j for a pair, and pairs of a stimulus with itself are dropped.
    Everything a comparison takes from the sample (ranks, means, the whitening) is that of the resample.

    spearman, rho-a: no resample is sorted. With the pairs sorted once, the prefix sum of the multiplicities
    in that order is the rank, and a pair's doubled midrank is the sum at the start of its tie group plus the
    sum at its end. pearson, cosine and their whitened forms: sums over pairs of w_i w_j x y, for all
    resamples in one matrix product. tau-a: inversions in the order of one RDM.

    Parameters
    ----------
    brain : (r, pairs)
    models : (l, pairs)
    counts : (draws, n) int, how often each stimulus is drawn; zeros leave stimuli out (so subsets of the
        stimuli are resamples too)
    comparison : see `compare.compare`
    threads : over the resamples; the result does not depend on it

    Returns
    -------
    (draws, r, l) float64; NaN for an RDM with a NaN, or that does not vary in the resample. Beside the inputs
    and the result it takes at most 5 GiB at 10,000 stimuli, whatever the number of RDMs and resamples (for
    rankings: 12 bytes a pair and RDM, models in blocks of as many as fit).

    Raises
    ------
    InputError : more stimuli than rankings can count.

    References
    ----------
    Nili et al. 2014, doi:10.1371/journal.pcbi.1003553; Schütt et al. 2023, doi:10.7554/eLife.82566
    """
    brain, models = np.asarray(brain, np.float64), np.asarray(models, np.float64)
    counts = np.ascontiguousarray(counts, np.int32)
    rows, columns = (np.flatnonzero([usable(rdm) for rdm in rdms]) for rdms in (brain, models))
    out = np.full((len(counts), len(brain), len(models)), np.nan)
    if counts.shape[1] > MOST_STIMULI and COMPARISONS[comparison].kernel == "ranks":
        raise InputError("stimuli", counts.shape[1], f"at most {MOST_STIMULI} for {comparison}", file="RDMs")
    if len(rows) and len(columns):
        method = KERNELS[COMPARISONS[comparison].kernel]
        with one_blas_thread():  # the threads are ours: a product's rounding then does not depend on them
            for part, chosen, block in method(brain, models, rows, columns, counts, comparison, threads):
                out[:, part[:, None], chosen] = block
    return out


def _over_draws(function: Callable, counts: np.ndarray, size: int, threads: int) -> np.ndarray:
    """`function` of blocks of the resamples, joined; each takes (block of counts)."""
    blocks = [counts[start : start + size] for start in range(0, len(counts), size)]
    bar = progress(len(counts), "resamples")

    def of(block: np.ndarray) -> np.ndarray:
        result = function(block)
        bar.update(len(block))
        return result

    with bar:
        return np.concatenate(in_threads(of, blocks, threads))


# ---- rankings --------------------------------------------------------------------------------------------


@numba.njit(nogil=True, cache=True)
def _drawn_ranks(first, second, start, stop, counts, drawn, total, before, out):
    """Twice the midrank of each drawn pair among the resample, less its mean, in the order of the RDM."""
    running = np.int32(0)
    for k in range(first.size):
        before[k] = running
        running += counts[first[k]] * counts[second[k]]
    before[first.size] = running
    n, q = counts.size, 0
    for a in range(drawn.size):
        i = drawn[a]
        row = i * n - i * (i + 1) // 2 - i - 1
        if stop.size:
            for b in range(a + 1, drawn.size):
                pair = row + drawn[b]
                out[q] = before[start[pair]] + before[stop[pair]] - total
                q += 1
        else:
            # no ties: the sum at the end of the group is one pair's multiplicity more
            for b in range(a + 1, drawn.size):
                pair = row + drawn[b]
                out[q] = 2 * before[start[pair]] + counts[i] * counts[drawn[b]] - total
                q += 1


@numba.njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _add_products(ranks, weights, size, n_models, products, squares):
    """Weighted sums of products of the ranks of every target with every model, and of squares."""
    k = ranks.shape[0]
    step = 512
    weighted = np.empty((k - n_models, step))
    plain = np.empty(step)
    for begin in range(0, size, step):
        length = min(step, size - begin)
        for r in range(n_models, k):
            square = 0.0
            for p in range(length):
                value = float(ranks[r, begin + p])
                product = value * weights[begin + p]
                weighted[r - n_models, p] = product
                square += value * product
            squares[r] += square
        for m in range(n_models):
            square = 0.0
            for p in range(length):
                value = float(ranks[m, begin + p])
                plain[p] = value
                square += value * value * weights[begin + p]
            squares[m] += square
            for r in range(k - n_models):
                product = 0.0
                for p in range(length):
                    product += plain[p] * weighted[r, p]
                products[r, m] += product


@numba.njit(nogil=True, cache=True)
def _rank_similarities(first, second, start, stop, tied, n_models, counts, absolute, out):
    k, pairs = first.shape
    most = 0
    for draw in range(counts.shape[0]):
        most = max(most, np.count_nonzero(counts[draw]))
    before = np.empty(pairs + 1, np.int32)
    ranks = np.empty((k, most * (most - 1) // 2), np.int32)
    weights = np.empty(most * (most - 1) // 2)
    for draw in range(counts.shape[0]):
        count = counts[draw]
        drawn = np.flatnonzero(count)
        size, total = 0, np.int32(0)
        for a in range(drawn.size):
            for b in range(a + 1, drawn.size):
                multiplicity = count[drawn[a]] * count[drawn[b]]
                weights[size] = multiplicity
                total += multiplicity
                size += 1
        for r in range(k):
            ends = stop[r] if tied[r] else stop[r, :0]
            _drawn_ranks(first[r], second[r], start[r], ends, count, drawn, total, before, ranks[r])
        products, squares = np.zeros((k - n_models, n_models)), np.zeros(k)
        _add_products(ranks, weights, size, n_models, products, squares)
        ranks_square = (float(total) ** 3 - total) / 3
        for r in range(k - n_models):
            for m in range(n_models):
                scale = ranks_square if absolute else np.sqrt(squares[n_models + r] * squares[m])
                defined = squares[n_models + r] > 0 and squares[m] > 0
                out[draw, r, m] = products[r, m] / scale if defined else np.nan


class _Sorted:
    """RDMs sorted once for all resamples.

    Attributes
    ----------
    first, second : (k, pairs) uint16, stimuli of each pair, in ascending order of dissimilarity
    start, stop : (k, pairs) int32, in the order of the RDM, range of each pair's tie group in the sorted
        order; `stop` is empty where no RDM has ties
    tied : (k,) bool
    """

    def __init__(self, rdms: list[np.ndarray], threads: int):
        pairs = len(rdms[0])
        stimuli = [index.astype(np.uint16) for index in pair_indices(n_stimuli(pairs))]
        self.first, self.second = (np.empty((len(rdms), pairs), np.uint16) for _ in range(2))
        self.start = np.empty((len(rdms), pairs), np.int32)

        def sort(row: int) -> np.ndarray:
            order, new = ascending(rdms[row])
            self.first[row], self.second[row] = (index[order] for index in stimuli)
            self.start[row], stop = tie_groups(order, new)
            return stop

        stops = in_threads(sort, range(len(rdms)), threads)
        self.tied = np.array([len(stop) > 0 for stop in stops])
        self.stop = np.empty((len(rdms), pairs if self.tied.any() else 0), np.int32)
        for row in np.flatnonzero(self.tied):
            self.stop[row], stops[row] = stops[row], None


def _rankings(brain, models, rows, columns, counts, comparison, threads) -> Iterator:
    """Spearman and rho-a of `resampled_similarity`, by blocks of models."""
    pairs = brain.shape[1]
    block = max(1, SORTED_BYTES // (12 * pairs) - len(rows))
    for begin in range(0, len(columns), block):
        chosen = columns[begin : begin + block]
        # one by one: an index of several would copy them
        presorted = _Sorted([models[k] for k in chosen] + [brain[k] for k in rows], threads)
        k = len(chosen) + len(rows)
        # of one thread: prefix sums, and ranks and weights of the 40 % of the pairs that a resample holds
        workspace = pairs * (4 + 0.4 * (4 * k + 8))
        workers = max(1, min(threads, int(WORKSPACE_BYTES / workspace)))

        def similarities(block_of_counts, chosen=chosen, presorted=presorted):
            out = np.empty((len(block_of_counts), len(rows), len(chosen)))
            _rank_similarities(
                presorted.first,
                presorted.second,
                presorted.start,
                presorted.stop,
                presorted.tied,
                len(chosen),
                block_of_counts,
                COMPARISONS[comparison].expected_ties,
                out,
            )
            return out

        size = max(1, min(64, len(counts) // (4 * workers)))
        yield rows, chosen, _over_draws(similarities, counts, size, workers)


# ---- Kendall ---------------------------------------------------------------------------------------------


def _concordances(brain, models, rows, columns, counts, comparison, threads) -> Iterator:
    """Kendall's tau-a of `resampled_similarity`, one RDM against one."""
    labels = np.arange(counts.shape[1])
    for row in rows:
        order = kendall.sorted_pairs(brain[row])
        for column in columns:
            ranks = dense_ranks(*ascending(models[column]))

            def similarities(block, order=order, ranks=ranks):
                return np.array([[[kendall.tau_a(*order, ranks, count, labels)]] for count in block])

            found = _over_draws(similarities, counts, max(1, len(counts) // 32), threads)
            yield np.array([row]), np.array([column]), found


# ---- products --------------------------------------------------------------------------------------------


def _products(brain, models, rows, columns, counts, comparison, threads) -> Iterator:
    """Pearson, cosine and their whitened forms of `resampled_similarity`."""
    targets = brain if len(rows) == len(brain) else brain[rows]
    candidates = models if len(columns) == len(models) else models[columns]
    means = [
        rdms.mean(axis=1) if COMPARISONS[comparison].centred else np.zeros(len(rdms))
        for rdms in (targets, candidates)
    ]

    pairs = pair_indices(counts.shape[1])

    def similarities(block):
        return _product_similarities(targets, candidates, *means, block, pairs, comparison)

    workspace = 1
    if COMPARISONS[comparison].whitened:
        # of one thread: a square RDM and its condensed copy, and row sums of every RDM in every resample
        drawn = min(len(counts), DRAW_BLOCK) * counts.shape[1]
        workspace = 8 * (3 * brain.shape[1] + (len(targets) + len(candidates)) * drawn)
    workers = max(1, min(threads, WORKSPACE_BYTES // workspace))
    yield rows, columns, _over_draws(similarities, counts, DRAW_BLOCK, workers)


def _product_similarities(brain, models, brain_mean, model_mean, counts, pairs, comparison):
    """Similarities (draws, r, l) of one block of resamples."""
    weights = counts.T.astype(np.float64)
    n, draws = weights.shape
    r, m = len(brain), len(models)
    # less their mean over the full sample, which changes no correlation and keeps sums of squares accurate
    cross, sums, squares = np.zeros((r * m, draws)), np.zeros((r + m, draws)), np.zeros((r + m, draws))
    whitened = COMPARISONS[comparison].whitened
    row_sums = np.zeros((r + m, n, draws)) if whitened else None
    first, second = pairs
    for begin in range(0, len(first), PAIR_BLOCK):
        block = slice(begin, begin + PAIR_BLOCK)
        multiplicity = weights[first[block]] * weights[second[block]]
        y, x = brain[:, block] - brain_mean[:, None], models[:, block] - model_mean[:, None]
        values = np.concatenate([y, x])
        cross += (y[:, None] * x).reshape(r * m, -1) @ multiplicity
        squares += values**2 @ multiplicity
        if COMPARISONS[comparison].centred:
            sums += values @ multiplicity
    drawn = weights.sum(axis=0)
    total = (drawn**2 - (weights**2).sum(axis=0)) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = sums / total
    if whitened:
        means = [*brain_mean, *model_mean]
        for k, rdm in enumerate([*brain, *models]):
            row_sums[k] = squareform(rdm - means[k]) @ weights - mean[k] * (drawn - weights)
    cross = cross.reshape(r, m, draws) - mean[:r, None] * mean[None, r:] * total
    # what rounding leaves of an RDM that does not vary in the resample counts as nothing
    scale = squares - mean**2 * total
    scale[scale <= 1e-13 * squares] = np.nan
    if whitened:
        cross, scale = _whitened_products(cross, scale, row_sums, weights, r)
    return np.moveaxis(cross / np.sqrt(scale[:r, None] * scale[None, r:]), -1, 0)


def _whitened_products(cross, scale, row_sums, weights, r):
    """Inner products x' V^-1 y of the pairs in each resample (see `compare.whiten`), up to a factor.

    With V = 2 I + B'B, V^-1 = (I - B' (2 I + BB')^-1 B) / 2. Copies of a stimulus are alike, and 2 I + BB' of
    the drawn stimuli is a diagonal plus a matrix of ones, so the inverse is one line (Sherman & Morrison).
    """
    diagonal = 2 + weights.sum(axis=0) - 2 * weights
    share = weights / diagonal
    common = (share * row_sums).sum(axis=1, keepdims=True) / (1 + share.sum(axis=0))
    effects = weights * (row_sums - common) / diagonal
    cross = cross - np.stack([[(y * x).sum(axis=0) for x in effects[r:]] for y in row_sums[:r]])
    return cross, scale - (row_sums * effects).sum(axis=1)


KERNELS = {"ranks": _rankings, "products": _products, "concordances": _concordances}
