"""Weighted layers: against scikit-learn, and recovery of planted mixtures on other stimuli."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from cortexrsa.geometry.compare import compare
from cortexrsa.geometry.rdm import rdm, select_stimuli
from cortexrsa.inference import layer_choice, splits
from cortexrsa.inference.draws import draw_counts
from cortexrsa.inference.fitted import group_target, layer_weights, mixtures
from cortexrsa.inference.halves import random_halves

N = 20


@pytest.fixture
def layers():
    generator = np.random.default_rng(0)
    return np.stack([rdm(generator.normal(size=(N, 12))) for _ in range(5)])


def test_weights_equal_scikit_learn_in_every_resample(layers):
    generator = np.random.default_rng(1)
    brain = np.array([[1, 0, 0.5, 0, 0], [0, -1, 0, 0, 2]]) @ layers + 0.1 * generator.random((2, 190))
    counts = draw_counts(N, 6, 0)
    weights = layer_weights(brain, layers, counts)
    first, second = np.triu_indices(N, 1)
    for count, found in zip(counts, weights, strict=True):
        times = count[first] * count[second]
        for target, row in zip(brain, found, strict=True):
            fit = LinearRegression(positive=True).fit(layers.T, target, sample_weight=times)
            assert row == pytest.approx(fit.coef_, abs=1e-6)
    assert (weights >= 0).all()
    assert (weights == layer_weights(brain, layers, counts, threads=3)).all()


def test_layers_that_are_equal_are_no_fault(layers):
    twice = np.concatenate([layers, layers[:1]])
    weights = layer_weights(layers[:1], twice, np.ones((1, N), int))[0, 0]
    assert weights[0] + weights[5] == pytest.approx(1, abs=1e-4)


def test_a_mixture_is_predicted_better_than_by_any_layer(layers):
    brain = (layers[0] + layers[1])[None, None]
    half = np.arange(N) < N // 2
    once = np.ones((1, N // 2), int)
    weights = layer_weights(select_stimuli(brain[0], half), select_stimuli(layers, half), once)
    rest = select_stimuli(brain[0], ~half), select_stimuli(layers, ~half)
    score = mixtures(rest[0][None], rest[1], once, weights, "spearman")
    assert score[0, 0, 0] == pytest.approx(1)
    assert compare(*rest).max() < 0.9


def test_target_is_the_mean_over_subjects():
    brain = np.random.default_rng(2).random((3, 2, 45))
    target = group_target(brain)
    assert target.shape == (2, 45)
    assert target[0] == pytest.approx(sum(compare_free(each) for each in brain[:, 0]) / 3)


def compare_free(values):
    return (values - values.mean()) / np.linalg.norm(values - values.mean())


def test_fitted_in_halves_is_not_optimistic():
    """Unrelated layers: on the stimuli that the weights were fitted to they score, held out they do not."""
    generator = np.random.default_rng(3)
    heldout, naive = [], []
    for trial in range(30):
        brain = rdm(generator.normal(size=(24, 10)))[None, None]
        models = np.stack([rdm(generator.normal(size=(24, 10))) for _ in range(6)])
        once = np.ones((1, 24), int)
        halves = random_halves(24, 3, trial)
        candidates = layer_choice.candidate_layers(np.linspace(0, 1, 6))
        scores = splits.heldout_in_halves(brain, models, once, halves, candidates, "spearman", fitted=True)
        assert scores.shape == (1, 1, 1, len(candidates) + 1)
        heldout.append(scores[0, 0, 0, -1])
        weights = layer_weights(brain[0], models, once)
        naive.append(mixtures(brain, models, once, weights, "spearman")[0, 0, 0])
    assert np.mean(naive) > 0.05
    assert np.mean(heldout) < 3 * np.std(heldout) / np.sqrt(30)


def test_layers_that_only_contradict_predict_nothing(layers):
    brain = -layers[:1]
    weights = layer_weights(brain, layers[:1], np.ones((2, N), int))
    assert (weights == 0).all()
    for chosen in (weights, weights[:1]):
        assert (mixtures(brain[None], layers[:1], np.ones((2, N), int), chosen, "spearman") == 0).all()
