"""Moments under relabelling against all relabellings of few stimuli, and p against permutations of more."""

import functools
import itertools

import numpy as np
import pytest
from scipy import stats

from cortexrsa.geometry.compare import compare, normalise
from cortexrsa.geometry.rdm import rdm, squareform
from cortexrsa.geometry.registry import COMPARISONS
from cortexrsa.inference import against_zero, relabelling
from cortexrsa.inference.families import familywise_p, p_values
from cortexrsa.inference.pair_groups import PairGroups
from cortexrsa.inference.permutation import permutation_null
from cortexrsa.inference.relabelling import Parts, null_draws, relabelled


def parts_of(values, comparison, groups):
    return Parts.of(normalise(values, comparison), groups)


PRODUCTS = [name for name, record in COMPARISONS.items() if record.kernel != "concordances"]


def rdms(n, number, dimensions, seed):
    generator = np.random.default_rng(seed)
    return np.stack([rdm(generator.normal(size=(n, dimensions)), "euclidean") for _ in range(number)])


@pytest.mark.parametrize("comparison", PRODUCTS)
def test_moments_are_those_of_all_relabellings(comparison):
    n = 7
    brain, models = rdms(n, 2, 3, 0), rdms(n, 2, 2, 1)
    orders = np.array(list(itertools.permutations(range(n))))
    first, second = np.triu_indices(n, 1)
    target, candidates = normalise(brain, comparison), normalise(models, comparison)
    groups = PairGroups.of(n, 0)
    found = relabelled(*(parts_of(each, comparison, groups) for each in (brain, models)))
    for r in range(2):
        square = squareform(target[r])
        null = square[orders[:, first], orders[:, second]] @ candidates.T
        np.testing.assert_allclose(found.mean[r], null.mean(axis=0), atol=1e-12)
        np.testing.assert_allclose(found.deviation[r], null.std(axis=0), rtol=1e-10)
        np.testing.assert_allclose(found.skewness[r], stats.skew(null, axis=0), rtol=1e-8, atol=1e-10)


def test_draws_have_the_covariance_of_relabellings():
    n = 40
    brain = rdms(n, 1, 4, 2)
    shared = rdms(n, 1, 3, 3)
    models = np.concatenate([shared + scale * rdms(n, 1, 3, 4 + k) for k, scale in enumerate((0.3, 1, 3))])
    groups = PairGroups.of(n, 0)
    parts = [parts_of(each, "spearman", groups) for each in (brain, models)]
    drawn = null_draws(*parts, 20_000, seed=0)[:, 0]
    null = permutation_null(brain, models, 20_000, 0)[:, 0]
    np.testing.assert_allclose(np.corrcoef(drawn.T), np.corrcoef(null.T), atol=0.03)
    np.testing.assert_allclose(drawn.std(axis=0), null.std(axis=0), rtol=0.03)
    np.testing.assert_allclose(
        np.quantile(drawn.max(axis=1), [0.5, 0.9, 0.95, 0.99]),
        np.quantile(null.max(axis=1), [0.5, 0.9, 0.95, 0.99]),
        rtol=0.05,
    )
    # networks of different jobs see the same draws
    alone = parts_of(models[1:], "spearman", groups)
    np.testing.assert_allclose(null_draws(parts[0], alone, 20_000, seed=0)[:, 0], drawn[:, 1:], atol=1e-9)


@pytest.mark.parametrize("dimensions", [1, 6])
def test_p_is_that_of_permutations(dimensions):
    """Down to .001, where a model of two categories makes the distribution skewed."""
    n = 120
    brain = rdms(n, 1, dimensions, 8)
    category = (np.arange(n) % 2)[:, None].astype(float)
    model = (rdm(category, "euclidean") > 0).astype(float)[None]
    null = permutation_null(brain, model, 50_000, 0)[:, 0, 0]
    groups = PairGroups.of(n, 0)
    found = relabelled(*(parts_of(each, "spearman", groups) for each in (brain, model)))
    for level in (0.1, 0.01, 0.001):
        p = found.p_values(np.quantile(null, 1 - level)[None, None])[0, 0]
        assert p == pytest.approx(level, abs=max(0.15 * level, 4 * np.sqrt(level / 50_000)))
    if dimensions == 1:
        assert found.skewness[0, 0] > 0.5
        normal = stats.norm.sf((np.quantile(null, 0.999) - found.mean) / found.deviation)
        assert normal[0, 0] < 0.0005


def test_tests_of_unrelated_rdms_keep_their_level():
    p = []
    for trial in range(300):
        brain, model = rdms(30, 1, 5, 100 + trial), rdms(30, 1, 2, 1000 + trial)
        groups = PairGroups.of(30, 0)
        found = relabelled(*(parts_of(each, "spearman", groups) for each in (brain, model)))
        p.append(found.p_values(compare(brain, model))[0, 0])
    assert stats.kstest(p, "uniform").pvalue > 0.01


@pytest.mark.slow
def test_families_keep_their_level():
    """The largest of eight layers that resemble each other, one of them with two categories."""
    n, studies, wrong = 60, 300, 0
    category = (rdm((np.arange(n) % 2)[:, None].astype(float), "euclidean") > 0).astype(float)
    for study in range(studies):
        brain = rdms(n, 1, 4, 3000 + study)
        shared = rdms(n, 1, 4, 4000 + study)[0]
        models = np.stack([shared + 0.5 * k * rdms(n, 1, 4, 5000 + 8 * study + k)[0] for k in range(7)])
        models = np.concatenate([models, category[None]])
        observed = compare(brain, models)[:, None]
        _, null = against_zero._by_moments(brain, models, observed, "spearman", 1000, study, 1)
        wrong += familywise_p(observed[0, 0], null[:, 0, 0].max(axis=1)).min() <= 0.05
    assert stats.binom.sf(wrong - 1, studies, 0.05) > 0.01


@pytest.mark.parametrize(
    "comparison", [pytest.param("tau-a", marks=pytest.mark.slow), "spearman", "corr_cov"]
)
def test_both_tests_give_the_same_p_and_maxima(comparison):
    """Several people, two ROIs: p of single people and of their mean."""
    n = 60
    shared = rdms(n, 1, 3, 12)[0]
    brain = np.stack([0.05 * shared + rdm for rdm in rdms(n, 4, 8, 13)])
    models = np.stack([shared, *(shared + rdms(n, 2, 3, 14)), (shared > np.median(shared)).astype(float)])
    similarity = compare(brain, models, comparison).reshape(2, 2, 4)
    observed = np.concatenate([similarity, similarity.mean(axis=0, keepdims=True)])
    by = functools.partial(against_zero._by_permutations, design=None), against_zero._by_moments
    (p, null), (other, drawn) = (test(brain, models, observed, comparison, 6000, 0, 1) for test in by)
    assert p.shape == other.shape == (3, 2, 4)
    np.testing.assert_allclose(other, p, rtol=0.1, atol=0.015)
    maxima, others = (np.quantile(each.max(axis=-1), [0.5, 0.95], axis=0) for each in (null, drawn))
    np.testing.assert_allclose(others, maxima, rtol=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("comparison", ["spearman", "tau-a"])
def test_p_at_500_stimuli_is_within_the_error_of_permutations(comparison):
    n, permutations = 500, 20_000 if comparison == "spearman" else 2000
    brain, models = rdms(n, 1, 6, 15), rdms(n, 1, 2, 16)
    null = permutation_null(brain, models, permutations, 0, comparison)[:, 0, 0]
    for level in (0.1, 0.01, 0.001):
        observed = np.full((1, 1, 1), np.quantile(null, 1 - level))
        p, _ = against_zero._by_moments(brain, models, observed, comparison, 10, 0, 1)
        assert p.item() == pytest.approx(level, abs=4 * np.sqrt(level / permutations))


def test_trace_of_a_cube_without_the_cube():
    values = rdms(300, 1, 4, 9)[0]
    square = squareform(values - values.mean())
    exact = np.trace(square @ square @ square)
    assert relabelling.cube_trace(square) == pytest.approx(exact, rel=0.02)


def test_undefined_rdms():
    brain, models = rdms(12, 1, 3, 10), rdms(12, 2, 3, 11)
    models[1] = 1.0
    groups = PairGroups.of(12, 0)
    found = relabelled(*(parts_of(each, "spearman", groups) for each in (brain, models)))
    p = found.p_values(compare(brain, models))
    assert np.isnan(p).tolist() == [[False, True]]
    assert p_values(compare(brain, models), np.zeros((9, 1, 2)))[0, 0] > 0
