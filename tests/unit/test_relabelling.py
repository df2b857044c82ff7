"""Moments under relabelling against all relabellings of few stimuli, and p against permutations of more."""

import itertools

import numpy as np
import pytest
from scipy import stats

from cortexrsa.geometry.compare import compare, normalise
from cortexrsa.geometry.rdm import rdm, squareform
from cortexrsa.geometry.registry import COMPARISONS
from cortexrsa.inference import relabelling
from cortexrsa.inference.families import p_values
from cortexrsa.inference.influence import PairGroups
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
