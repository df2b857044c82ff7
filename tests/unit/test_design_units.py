"""Influences over units of a design: against the weighted score, the jackknife, and simulated truth."""

import numpy as np
import pytest
from scipy import stats

from cortexrsa.errors import InputError
from cortexrsa.geometry.compare import compare
from cortexrsa.geometry.rdm import pair_indices, rdm, select_stimuli
from cortexrsa.inference.design import Design
from cortexrsa.inference.design_units import Units
from cortexrsa.inference.errors import over_subjects
from cortexrsa.inference.influence import influences
from cortexrsa.inference.pair_groups import PairGroups
from cortexrsa.inference.replication import OnePass


def unequal(number, seed=0, mean=4):
    sizes = 1 + np.random.default_rng(seed).poisson(mean - 1, number)
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(number), sizes))


def related(n, seed, categories=None, share=0.0):
    """RDMs of a model and of a brain that share part of their codes; categories share part of theirs."""
    generator = np.random.default_rng(seed)
    common, own = generator.normal(size=(2, n, 6))
    if categories is not None:
        number = categories.max() + 1
        means = generator.normal(size=(2, number, 6))
        common, own = (
            np.sqrt(share) * mean[categories] + np.sqrt(1 - share) * single
            for mean, single in zip(means, (common, own), strict=True)
        )
    weights = np.random.default_rng(99).normal(size=(3, 6, 40))
    model = rdm(common @ weights[0])[None]
    brain = rdm(common @ weights[1] + own @ weights[2] + generator.normal(0, 2, (n, 40)))[None]
    return brain, model


def weighted_pearson(x, y, mass):
    share = mass / mass.sum()
    x, y = x - share @ x, y - share @ y
    return (share * x * y).sum() / np.sqrt((share * x * x).sum() * (share * y * y).sum())


def test_derivative_of_the_score_where_a_unit_counts_more():
    """Pairs across units count with either unit, those within one with it alone."""
    codes = unequal(7)
    n, number, step = len(codes), 7, 1e-30
    y, x = related(n, 1)
    units = Units(codes, 0)
    single, pairs = units.summed(influences(y, x, units.pair_groups, "pearson"))
    first, second = pair_indices(n)
    slopes, of_pairs = np.empty(number), np.zeros((number, number))
    for u in range(number):
        weights = np.ones(number, complex)
        weights[u] += 1j * step
        weights *= number / weights.sum()
        mass = weights[codes[first]] * weights[codes[second]]
        mass[codes[first] == codes[second]] = weights[codes[first]][codes[first] == codes[second]]
        slopes[u] = weighted_pearson(x[0], y[0], mass).imag / step
        for v in range(u):
            mass = np.ones(len(first), complex)
            chosen = (codes[first] == u) & (codes[second] == v) | (codes[first] == v) & (codes[second] == u)
            mass[chosen] += 1j * step
            of_pairs[u, v] = weighted_pearson(x[0], y[0], mass).imag / step
    # alpha by least squares gives single units (u - 1) / (u - 2) of what their rows sum up to
    rows = of_pairs + of_pairs.T
    mean = rows.sum() / (number * (number - 1))
    alpha = (rows.sum(axis=0) - (number - 1) * mean) / (number - 2)
    within = slopes - (rows.sum(axis=0) - (number - 1) * mean)
    np.testing.assert_allclose(single[:, 0, 0], (number - 1) * alpha + within - within.mean(), atol=1e-9)
    upper = np.triu_indices(number, 1)
    epsilon = rows - mean - alpha - alpha[:, None]
    np.testing.assert_allclose(pairs[:, 0, 0], epsilon[upper], atol=1e-9)


@pytest.mark.parametrize("comparison", ["spearman", "pearson", "tau-a"])
def test_units_of_one_stimulus_are_stimuli(comparison):
    n = 30
    y, x = related(n, 2)
    plain, units = (
        OnePass(n, 0),
        OnePass(n, 0, Design(np.array([f"image {k:02}" for k in range(n)]), "image")),
    )
    for one, other in zip(
        plain.similarity(y, x, comparison), units.similarity(y, x, comparison), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-12)
    assert plain.replicates == units.replicates
    keep = np.arange(n) % 2 > 0
    half = select_stimuli(y, keep), select_stimuli(x, keep)
    for one, other in zip(
        plain.in_part(*half, keep, comparison), units.in_part(*half, keep, comparison), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-12)


def test_jackknife_over_units_agrees_to_order_1_over_units():
    errors = []
    for number in (10, 60):
        codes = unequal(number, 3)
        y, x = related(len(codes), 3, codes, 0.6)
        units = Units(codes, 0)
        single = units.summed(influences(y, x, units.pair_groups))[0][:, 0, 0]
        without = np.array(
            [
                compare(select_stimuli(y, codes != u), select_stimuli(x, codes != u))[0, 0]
                for u in range(number)
            ]
        )
        jackknife = (number - 1) / number * ((without - without.mean()) ** 2).sum()
        errors.append(abs(number / (number - 1) * (single @ single) / jackknife - 1))
    assert errors[1] < 0.1
    assert errors[1] < errors[0]


def test_sketch_of_many_units_keeps_the_variance():
    codes = unequal(60, 4, mean=3)
    y, x = related(len(codes), 4, codes, 0.3)
    exact, sketched = (Units(codes, 1, groups) for groups in (10_000, 1024))
    one, other = (each.summed(influences(y, x, each.pair_groups)) for each in (exact, sketched))
    np.testing.assert_allclose(one[0], other[0], atol=1e-12)
    assert (other[1] ** 2).sum() == pytest.approx((one[1] ** 2).sum(), rel=4 * np.sqrt(2 / 1024))


def coverage(share, by_unit, studies=160, number=12, each=10):
    codes = np.repeat(np.arange(number), each)
    # of studies of the same design: with more categories fewer pairs are within one
    truth = np.mean([compare(*related(len(codes), 10_000 + k, codes, share))[0, 0] for k in range(300)])
    hits = []
    for study in range(studies):
        y, x = related(len(codes), study, codes, share)
        method = OnePass(len(codes), 0, Design(codes, "category") if by_unit else None)
        scores, deviations = method.similarity(y, x, "spearman")
        found = over_subjects(scores, deviations, method.replicates, 0).evaluated()
        _, low, high = found.interval()
        hits.append(low[0] <= truth <= high[0])
    return np.mean(hits)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 0.3, 0.6])
def test_intervals_over_categories_cover_the_truth_for_new_categories(share):
    found = coverage(share, by_unit=True)
    assert stats.binom.cdf(round(found * 160), 160, 0.93) > 0.01
    if share == 0.6:
        # over single images they do not
        assert coverage(share, by_unit=False) < found - 0.08


def test_few_units_are_refused():
    with pytest.raises(InputError, match="at least 4"):
        Units(["a", "b", "a", "c"], 0)


def test_groups_of_pairs_of_units():
    codes = np.array([0, 1, 0, 2, 3])
    groups = Units(codes, 0).pair_groups
    first, second = pair_indices(5)
    one = PairGroups.of(4, 0)
    for p, (i, j) in enumerate(zip(first, second, strict=True)):
        u, v = sorted((codes[i], codes[j]))
        upper = list(zip(*np.triu_indices(4, 1), strict=True))
        assert groups.signed[p] == (one.size + u + 1 if u == v else upper.index((u, v)) + 1)
