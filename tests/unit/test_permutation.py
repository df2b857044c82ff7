"""Permutation tests: validity under the null, power, and the family corrections."""

import numpy as np
import pytest
from scipy import stats

from cortexrsa.geometry.compare import compare
from cortexrsa.geometry.rdm import rdm, squareform
from cortexrsa.geometry.registry import COMPARISONS
from cortexrsa.inference.families import false_discovery_q, familywise_p, p_values
from cortexrsa.inference.permutation import permutation_null


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_null_is_that_of_relabelled_stimuli(comparison):
    generator = np.random.default_rng(0)
    brain, models = (np.stack([rdm(generator.normal(size=(9, 20))) for _ in range(k)]) for k in (2, 3))
    null = permutation_null(brain, models, 4, seed=1, comparison=comparison)
    assert (null == permutation_null(brain, models, 4, seed=1, comparison=comparison, threads=3)).all()
    orders = np.random.default_rng(1).permuted(np.tile(np.arange(9), (4, 1)), axis=1)
    for draw, order in enumerate(orders):
        relabelled = np.stack([squareform(b)[np.ix_(order, order)][np.triu_indices(9, 1)] for b in brain])
        assert np.abs(null[draw] - compare(relabelled, models, comparison)).max() < 1e-12


def test_p_is_uniform_without_a_relation():
    generator = np.random.default_rng(3)
    p = []
    for trial in range(300):
        brain, model = (rdm(generator.normal(size=(12, 15)))[None] for _ in range(2))
        null = permutation_null(brain, model, 99, seed=trial)
        p.append(p_values(compare(brain, model), null)[0, 0])
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert np.mean(np.array(p) <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)


def test_a_relation_is_found():
    generator = np.random.default_rng(4)
    latent = generator.normal(size=(30, 5))
    brain, model = (rdm(latent @ generator.normal(size=(5, 40)))[None] for _ in range(2))
    null = permutation_null(brain, model, 199, seed=0)
    assert p_values(compare(brain, model), null)[0, 0] == 1 / 200


def test_family_of_unrelated_layers_is_rejected_at_the_nominal_rate():
    generator = np.random.default_rng(5)
    rejected = []
    for trial in range(200):
        brain = rdm(generator.normal(size=(12, 15)))[None]
        models = np.stack([rdm(generator.normal(size=(12, 15))) for _ in range(6)])
        null = permutation_null(brain, models, 99, seed=trial)[:, 0]
        rejected.append(familywise_p(compare(brain, models)[0], null.max(axis=1)).min() <= 0.05)
    assert np.mean(rejected) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)
    assert np.mean(rejected) >= 0.01


def test_false_discovery_equals_scipy_and_skips_nan():
    p = np.array([0.01, np.nan, 0.04, 0.03, 0.5])
    q = false_discovery_q(p)
    assert np.isnan(q[1])
    assert q[~np.isnan(p)] == pytest.approx(stats.false_discovery_control(p[~np.isnan(p)]))


def test_p_counts_the_observed_order_itself():
    null = np.array([[0.3], [0.1]])
    assert p_values(np.array([0.3]), null)[0] == 2 / 3
    assert np.isnan(p_values(np.array([np.nan]), null)[0])
