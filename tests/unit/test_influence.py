"""Influence functions against the numerical derivative of the weighted score, and against the jackknife."""

import numpy as np
import pytest
from scipy.stats import rankdata

from cortexrsa.geometry.compare import compare
from cortexrsa.geometry.rdm import pair_indices, select_stimuli, squareform
from cortexrsa.geometry.registry import COMPARISONS
from cortexrsa.inference import rank_influence
from cortexrsa.inference.draws import left_out_counts
from cortexrsa.inference.influence import influences
from cortexrsa.inference.pair_groups import PairGroups
from cortexrsa.inference.similarity import resampled_similarity

N = 14


def rdms(seed, n=N, ties=True):
    generator = np.random.default_rng(seed)
    shared = generator.normal(size=n * (n - 1) // 2)
    values = np.stack([shared + generator.normal(size=shared.size) * noise for noise in (0.5, 1, 2)])
    values = values**2 + 0.5
    return np.round(values, 1) if ties else values


def of_pairs(weights):
    first, second = pair_indices(len(weights))
    return weights[first] * weights[second]


def weighted(x, y, mass, weights, comparison):
    """The score where pairs count `mass` times, written for complex numbers (so that it can be derived).

    weights : (n,) of the stimuli, whose copies have noise of their own: of the whitened comparisons
    """
    n = len(weights)
    first, second = pair_indices(n)
    share = mass / mass.sum()
    if comparison == "tau-a":
        signs = np.sign(x[:, None] - x) * np.sign(y[:, None] - y)
        return share @ signs @ share * len(x) / (len(x) - 1)
    if comparison in ("spearman", "rho-a"):
        x, y = (((v[:, None] > v) + (v[:, None] == v) / 2) @ share - 0.5 for v in (x, y))
        if comparison == "rho-a":
            return 12 * (share * x * y).sum() * len(x) ** 2 / (len(x) ** 2 - 1)
    if comparison in ("pearson", "corr_cov"):
        x, y = x - share @ x, y - share @ y
    if comparison in ("corr_cov", "cosine_cov"):
        incidence = np.zeros((n, len(x)))
        incidence[first, np.arange(len(x))] = incidence[second, np.arange(len(x))] = 1
        middle = (incidence * mass) @ incidence.T + 2 * np.diag(weights)

        def product(u, v):
            rows = incidence @ (mass * u), incidence @ (mass * v)
            return (mass * u * v).sum() - rows[0] @ np.linalg.solve(middle, rows[1])
    else:

        def product(u, v):
            return (share * u * v).sum()

    return product(x, y) / np.sqrt(product(x, x) * product(y, y))


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("comparison", COMPARISONS)
def test_derivative_of_the_weighted_score(comparison, ties):
    x, y = rdms(0, ties=ties), rdms(1, ties=ties)[:2] + 0.7 * rdms(0, ties=ties)[:2]
    y = np.round(y, 1) if ties else y
    found = influences(y, x, PairGroups.of(N, 0), comparison)
    step = 1e-30
    for r in range(2):
        for k in range(3):
            assert found.scores[r, k] == pytest.approx(
                weighted(x[k], y[r], np.ones(x.shape[1]), np.ones(N), comparison), abs=1e-12
            )
            slopes = []
            for i in range(N):
                weights = np.ones(N, complex)
                weights[i] += 1j * step
                # as many stimuli as before: the sample has a size
                weights *= N / weights.sum()
                slopes.append(weighted(x[k], y[r], of_pairs(weights), weights, comparison).imag / step)
            expected = np.array(slopes) * N / 2 * (N - 1) / (N - 2)
            np.testing.assert_allclose(found.stimuli[:, r, k], expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_pairs_have_the_derivative_of_the_weighted_pair(comparison):
    n = 10
    x, y = rdms(5, n)[:1], np.round(rdms(6, n)[:1] + 0.7 * rdms(5, n)[:1], 1)
    found = influences(y, x, PairGroups.of(n, 0), comparison)
    pairs, step = x.shape[1], 1e-30
    slopes = []
    for p in range(pairs):
        mass = np.ones(pairs, complex)
        mass[p] += 1j * step
        mass *= pairs / mass.sum()
        slopes.append(weighted(x[0], y[0], mass, np.ones(n), comparison).imag / step * pairs)
    first, second = pair_indices(n)
    design = np.zeros((pairs, n))
    design[np.arange(pairs), first] = design[np.arange(pairs), second] = 1
    residual = slopes - design @ np.linalg.lstsq(design, slopes, rcond=None)[0]
    np.testing.assert_allclose(found.pairs[:, 0, 0], residual, rtol=0, atol=1e-9)


def test_sketch_keeps_variances_and_covariances():
    n = 150
    x, y = rdms(7, n), rdms(8, n)[:1]
    exact = influences(y, x, PairGroups.of(n, 0, groups=n * n), "spearman")
    sketched = influences(y, x, PairGroups.of(n, 0, groups=2048), "spearman")
    np.testing.assert_allclose(sketched.stimuli, exact.stimuli, atol=1e-12)
    products = [np.einsum("grl,grm->lm", found.pairs, found.pairs) for found in (exact, sketched)]
    scale = np.sqrt(np.outer(np.diag(products[0]), np.diag(products[0])))
    # relative standard deviation sqrt(2 / groups)
    assert np.abs((products[1] - products[0]) / scale).max() < 4 * np.sqrt(2 / 2048)


@pytest.mark.parametrize("comparison", ["spearman", "tau-a", "corr_cov"])
def test_subset_and_threads(comparison):
    n = 40
    x, y = rdms(9, n), rdms(10, n)[:2]
    keep = np.arange(n) % 3 > 0
    groups = PairGroups.of(n, 3, groups=100).subset(keep)
    one, two = (
        influences(select_stimuli(y, keep), select_stimuli(x, keep), groups, comparison, threads)
        for threads in (1, 2)
    )
    for field in ("scores", "stimuli", "pairs"):
        np.testing.assert_array_equal(getattr(one, field), getattr(two, field))
    assert one.pairs.shape == (100, 2, 3)


def test_large_rankings_use_bins():
    # more pairs than bins: ranks within a bin count as ties in the influence, not in the score
    n = 400
    x, y = rdms(11, n, ties=False)[:1], rdms(12, n, ties=False)[:1] + rdms(11, n, ties=False)[:1]
    coarse = influences(y, x, PairGroups.of(n, 0), "spearman")
    assert coarse.scores[0, 0] == pytest.approx(compare(y, x)[0, 0], abs=1e-12)
    ranks = [rankdata(v[0]) / len(v[0]) - 0.5 for v in (x, y)]
    h = influence_of_ranks(*ranks)
    sums = squareform(h).sum(axis=1) / (n - 2)
    np.testing.assert_allclose(coarse.stimuli[:, 0, 0], sums - sums.mean(), atol=2e-4)


@pytest.mark.parametrize("comparison", ["spearman", "rho-a"])
def test_counts_give_what_looking_up_gives(monkeypatch, comparison):
    """Many stimuli, in blocks of models and in threads; ties in one RDM; groups of neighbouring pairs."""
    n = 550
    x, y = rdms(15, n, ties=False), rdms(16, n, ties=False)[:2] + rdms(15, n, ties=False)[:2]
    x[1] = np.round(x[1], 1)
    groups, blocks = PairGroups.of(n, 0), [np.arange(2), np.array([2])]
    found = {}
    for few, threads in ((n, 1), (500, 1), (500, 2)):
        monkeypatch.setattr(rank_influence, "FEW", few)
        made = list(rank_influence.rankings(y, x, np.arange(2), blocks, groups, comparison, threads))
        found[few, threads] = [np.concatenate([np.ravel(block[k]) for block in made]) for k in range(4)]
    for looked_up, counted, in_threads in zip(*found.values(), strict=True):
        np.testing.assert_allclose(counted, looked_up, rtol=0, atol=1e-11)
        np.testing.assert_array_equal(in_threads, counted)


def influence_of_ranks(u, v):
    """h of Spearman without ties, from sums over all pairs of larger rank."""
    scale = 1 / np.sqrt((u @ u) * (v @ v)) * len(u)

    def larger(by, of):
        order = np.argsort(by)
        out = np.empty(len(by))
        ordered = of[order]
        out[order] = (ordered.sum() - np.cumsum(ordered) + ordered / 2) / len(by)
        return out

    rho = scale * (u @ v) / len(u)
    of_u, of_v = (w * w + 2 * larger(w, w) for w in (u, v))
    cross = scale * (u * v + larger(u, v) + larger(v, u))
    return cross - rho / 2 * (of_u / np.mean(u * u) + of_v / np.mean(v * v))


def test_undefined_rdms():
    x, y = rdms(13), rdms(14)[:2]
    x[1], y[0, 3] = 1.0, np.nan
    found = influences(y, x, PairGroups.of(N, 0))
    undefined = np.array([[True, True, True], [False, True, False]])
    for values in (found.scores, found.stimuli[0], found.pairs[0]):
        np.testing.assert_array_equal(np.isnan(values), undefined)


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_scores_are_those_of_compare(comparison):
    x, y = rdms(2), rdms(3)[:2]
    found = influences(y, x, PairGroups.of(N, 0), comparison)
    np.testing.assert_allclose(found.scores, compare(y, x, comparison), atol=1e-12)
    assert np.abs(found.stimuli.sum(axis=0)).max() < 1e-9


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_jackknife_agrees_to_order_1_over_n(comparison):
    errors = []
    for n in (20, 120):
        x, y = rdms(4, n, ties=False)[:1], rdms(4, n, ties=False)[1:2]
        a = influences(y, x, PairGroups.of(n, 0), comparison).stimuli[:, 0, 0]
        left_out = resampled_similarity(y, x, left_out_counts(n, 0), comparison)[:, 0, 0]
        jackknife = (n - 1) * ((left_out - left_out.mean()) ** 2).sum() / n
        errors.append(abs(4 * (a @ a) / n**2 / jackknife - 1))
    assert errors[1] < 8 / 120
    assert errors[1] < errors[0]
