"""Bootstrap over stimuli and subjects, exact and re-ranked inside every resample."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numba
import numpy as np
from scipy import stats

from cortexrsa.geometry.rdm import n_stimuli

RANKED = ("spearman", "rho-a")
# a statistic that is undefined in a larger share of the resamples has no standard error
UNDEFINED = 0.05


def draw_counts(n: int, draws: int, seed: int | list[int]) -> np.ndarray:
    """How often each of n units is drawn, in every resample: (draws, n) int32, rows sum to n."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(n, np.full(n, 1 / n), size=draws).astype(np.int32)


# ---- similarity of RDMs in resamples ---------------------------------------------------------------------


def _sorted_pairs(rdm: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Sort one RDM once for all resamples.

    Returns
    -------
    first, second : (pairs,) stimuli of each pair, in ascending order of dissimilarity
    start, stop : (pairs,) in the order of the RDM, the range of each pair's tie group in the sorted order
    """
    first, second = np.triu_indices(n_stimuli(len(rdm)), 1)
    order = np.argsort(rdm, kind="stable")
    ascending = rdm[order]
    new_group = np.flatnonzero(np.r_[True, ascending[1:] != ascending[:-1]])
    group = np.cumsum(np.r_[False, ascending[1:] != ascending[:-1]])
    start, stop = np.empty(len(rdm), np.int32), np.empty(len(rdm), np.int32)
    start[order] = new_group[group]
    stop[order] = np.r_[new_group[1:], len(rdm)][group]
    return first[order].astype(np.int32), second[order].astype(np.int32), start, stop


@numba.njit(nogil=True, cache=True)
def _drawn_ranks(first, second, start, stop, counts, drawn, total, before, out):
    """Twice the midrank of each drawn pair among the resample, less its mean, in the order of the RDM."""
    running = 0
    for k in range(first.size):
        before[k] = running
        running += counts[first[k]] * counts[second[k]]
    before[first.size] = running
    n, q = counts.size, 0
    for a in range(drawn.size):
        row = drawn[a] * n - drawn[a] * (drawn[a] + 1) // 2 - drawn[a] - 1
        for b in range(a + 1, drawn.size):
            pair = row + drawn[b]
            out[q] = before[start[pair]] + before[stop[pair]] - total
            q += 1


@numba.njit(nogil=True, cache=True)
def _drawn_values(rdm, counts, drawn, weights, total, centred, out):
    """Dissimilarity of each drawn pair, less its weighted mean if `centred`, in the order of the RDM."""
    n, q, mean = counts.size, 0, 0.0
    for a in range(drawn.size):
        row = drawn[a] * n - drawn[a] * (drawn[a] + 1) // 2 - drawn[a] - 1
        for b in range(a + 1, drawn.size):
            out[q] = rdm[row + drawn[b]]
            mean += out[q] * weights[q]
            q += 1
    if centred:
        mean /= total
        for k in range(q):
            out[k] -= mean


@numba.njit(parallel=True, cache=True)
def _similarities(
    values, first, second, start, stop, n_models, counts, ranked, centred, absolute, threads, out
):
    draws, n = counts.shape
    k, pairs = values.shape
    for thread in numba.prange(threads):
        before = np.empty(pairs + 1, np.int64)
        drawn_values = np.empty((k, pairs))
        weights = np.empty(pairs)
        for draw in range(thread, draws, threads):
            count = counts[draw]
            drawn = np.flatnonzero(count)
            q = 0
            total = 0
            for a in range(drawn.size):
                for b in range(a + 1, drawn.size):
                    multiplicity = count[drawn[a]] * count[drawn[b]]
                    weights[q] = multiplicity
                    total += multiplicity
                    q += 1
            squares = np.zeros(k)
            for r in range(k):
                row = drawn_values[r]
                if ranked:
                    _drawn_ranks(first[r], second[r], start[r], stop[r], count, drawn, total, before, row)
                else:
                    _drawn_values(values[r], count, drawn, weights, total, centred, row)
                for p in range(q):
                    squares[r] += weights[p] * row[p] * row[p]
            ranks_square = (float(total) ** 3 - total) / 3
            for i in range(n_models, k):
                for j in range(n_models):
                    product = 0.0
                    for p in range(q):
                        product += weights[p] * drawn_values[i, p] * drawn_values[j, p]
                    scale = ranks_square if absolute else np.sqrt(squares[i] * squares[j])
                    out[draw, i - n_models, j] = product / scale if scale > 0 else np.nan


def resampled_similarity(
    brain: np.ndarray, models: np.ndarray, counts: np.ndarray, comparison: str = "spearman", threads: int = 1
) -> np.ndarray:
    """Similarity of brain and model RDMs in every resample of the stimuli.

    A stimulus drawn w times counts w_i * w_j for a pair, and pairs of a stimulus with itself are dropped.
    Ranks are those inside the resample, ties as midranks. No resample is sorted: with the pairs sorted once,
    the prefix sum of the multiplicities in that order is the rank, and a pair's doubled midrank is the sum at
    the start of its tie group plus the sum at its end.

    Parameters
    ----------
    brain : (r, pairs)
    models : (l, pairs)
    counts : (draws, n) int, how often each stimulus is drawn; zeros leave stimuli out (so subsets of the
        stimuli are resamples too)
    comparison : spearman, rho-a, pearson or cosine
    threads : numba threads; the result does not depend on it

    Returns
    -------
    (draws, r, l) float64; NaN for an RDM with a NaN, or that does not vary in the resample.

    References
    ----------
    Nili et al. 2014, doi:10.1371/journal.pcbi.1003553; Schütt et al. 2023, doi:10.7554/eLife.82566
    """
    stacked = np.concatenate([models, brain]).astype(np.float64)
    sound = np.isfinite(stacked).all(axis=1)
    stacked[~sound] = 0
    ranked = comparison in RANKED
    if ranked:
        parts = [np.stack(part) for part in zip(*map(_sorted_pairs, stacked), strict=True)]
    else:
        parts = [np.zeros((len(stacked), 1), np.int32)] * 4
    out = np.empty((len(counts), len(brain), len(models)))
    threads = min(threads, numba.config.NUMBA_NUM_THREADS)
    numba.set_num_threads(threads)
    _similarities(
        stacked,
        *parts,
        len(models),
        np.ascontiguousarray(counts, np.int64),
        ranked,
        comparison != "cosine",
        comparison == "rho-a",
        threads,
        out,
    )
    out[:, :, ~sound[: len(models)]] = np.nan
    out[:, ~sound[len(models) :], :] = np.nan
    return out


# ---- from resamples to standard errors and intervals -----------------------------------------------------


@dataclass
class Resampled:
    """A statistic on the full sample and in the resamples that all models share.

    Attributes
    ----------
    estimate : array (...), on the full sample
    stimulus : (draws, ...), stimuli resampled
    subject, both : (draws, ...), subjects, or subjects and stimuli, resampled; None with one subject
    n_stimuli, n_subjects : sizes of the sample
    """

    estimate: np.ndarray
    stimulus: np.ndarray
    subject: np.ndarray | None
    both: np.ndarray | None
    n_stimuli: int
    n_subjects: int

    def apply(self, statistic: Callable, *others: Resampled) -> Resampled:
        """The statistic of this (and others), evaluated on the sample and in every resample alike.

        Parameters
        ----------
        statistic : function of as many arrays as there are arguments, that leaves leading axes alone
        others : resampled with the same draws
        """

        def of(field):
            if getattr(self, field) is None:
                return None
            return statistic(*(np.asarray(getattr(each, field)) for each in (self, *others)))

        return Resampled(
            of("estimate"), of("stimulus"), of("subject"), of("both"), self.n_stimuli, self.n_subjects
        )

    @property
    def degrees_of_freedom(self) -> int:
        """One less than the smaller sample (Schütt et al. 2023)."""
        return (min(self.n_stimuli, self.n_subjects) if self.subject is not None else self.n_stimuli) - 1


def group_scores(
    scores: np.ndarray, draws: np.ndarray, n_stimuli: int, seed: int, fixed: bool = False
) -> Resampled:
    """Mean over subjects, with both factors resampled.

    Parameters
    ----------
    scores : (subjects, ...) scores on the full sample
    draws : (draws, subjects, ...) scores in resamples of the stimuli
    n_stimuli : number of stimuli
    seed : of the draws of subjects, shared by all models
    fixed : take the subjects as fixed, so that only stimuli are resampled

    Returns
    -------
    Resampled : estimate (...); with one subject only its stimuli are resampled.
    """
    n_subjects = len(scores)
    if n_subjects == 1 or fixed:
        return Resampled(scores.mean(axis=0), draws.mean(axis=1), None, None, n_stimuli, n_subjects)
    # a stream of its own: the stimuli are drawn from `seed`
    weights = draw_counts(n_subjects, len(draws), [seed, 1]) / n_subjects
    return Resampled(
        scores.mean(axis=0),
        draws.mean(axis=1),
        np.einsum("bs,s...->b...", weights, scores),
        np.einsum("bs,bs...->b...", weights, draws),
        n_stimuli,
        n_subjects,
    )


def standard_error(resampled: Resampled) -> np.ndarray:
    """Bootstrap standard error, corrected for small samples.

    One factor: the standard deviation over resamples times sqrt(n / (n - 1)). Two factors: the variance of
    the doubly resampled statistic overestimates, and is corrected from the variances of either factor alone
    (Schütt et al. 2023, doi:10.7554/eLife.82566; small-sample form as in rsatoolbox 0.3). An interaction
    below zero counts as none; rsatoolbox there falls back to the uncorrected variance, which is too small
    for few subjects.

    Returns
    -------
    array shaped like the estimate; NaN where the statistic is NaN in more than 5 % of the resamples.
    """
    by_stimulus = _variance(resampled.stimulus) * _unbias(resampled.n_stimuli)
    if resampled.subject is None:
        return np.sqrt(by_stimulus)
    subjects, stimuli = _unbias(resampled.n_subjects), _unbias(resampled.n_stimuli)
    by_subject = _variance(resampled.subject) * subjects
    by_both = _variance(resampled.both)
    interaction = subjects * stimuli * (by_both - by_subject / subjects - by_stimulus / stimuli)
    variance = np.maximum(by_subject + by_stimulus - interaction, np.maximum(by_subject, by_stimulus))
    return np.sqrt(np.minimum(variance, by_subject + by_stimulus))


def _variance(draws: np.ndarray) -> np.ndarray:
    """Variance over resamples (draws, ...) of those in which the statistic is defined, if that is most."""
    undefined = np.isnan(draws).mean(axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of columns without any value
        return np.where(undefined > UNDEFINED, np.nan, np.nanvar(draws, axis=0))


def _unbias(n: int) -> float:
    return n / (n - 1)


def interval(resampled: Resampled, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standard error and confidence limits: estimate -+ t quantile x standard error.

    The bootstrap distribution of a rank correlation of RDMs is shifted against the estimate (resamples hold
    fewer distinct stimuli), so its percentiles are not used.

    Returns
    -------
    se, low, high : arrays shaped like the estimate
    """
    se = standard_error(resampled)
    half = stats.t.ppf(0.5 + confidence / 2, resampled.degrees_of_freedom) * se
    return se, resampled.estimate - half, resampled.estimate + half


def p_value(resampled: Resampled, null: float = 0.0) -> np.ndarray:
    """Two-sided p that the statistic equals `null`, from the t distribution of the bootstrap interval."""
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.abs(resampled.estimate - null) / standard_error(resampled)
    return 2 * stats.t.sf(t, resampled.degrees_of_freedom)
