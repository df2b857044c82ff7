"""What is read off layer profiles."""

import numpy as np
import pytest

from cortexrsa.geometry.compare import compare
from cortexrsa.geometry.rdm import rdm
from cortexrsa.inference import layer_choice, profiles, splits
from cortexrsa.inference.draws import draw_counts
from cortexrsa.inference.halves import random_halves

DEPTH = np.linspace(0, 1, 6)


def test_centroid():
    assert profiles.centroid(np.array([0, 0, 1, 0, 0, 0.0]), DEPTH) == pytest.approx(0.4)
    assert profiles.centroid(np.array([-5, 0, 1, 1, 0, -5.0]), DEPTH) == pytest.approx(0.5)
    assert np.isnan(profiles.centroid(np.full(6, -0.1), DEPTH))


def test_slope_and_curvature_are_in_units_of_the_score():
    line, parabola = 0.1 + 0.3 * DEPTH, 0.2 - 4 * 0.07 * (DEPTH - 0.5) ** 2
    assert profiles.slope(line, DEPTH) == pytest.approx(0.3)
    assert profiles.curvature(line, DEPTH) == pytest.approx(0, abs=1e-12)
    assert profiles.curvature(parabola, DEPTH) == pytest.approx(0.07)
    assert profiles.slope(parabola, DEPTH) == pytest.approx(0, abs=1e-12)


def test_statistics_leave_leading_axes_alone():
    scores = np.random.default_rng(0).random((7, 3, 6))
    for function in (profiles.centroid, profiles.slope, profiles.curvature, profiles.on_grid):
        expected = [[function(row, DEPTH) for row in block] for block in scores]
        assert np.allclose(function(scores, DEPTH), expected)


def test_grid_interpolates_like_numpy():
    scores = np.random.default_rng(1).random(6)
    assert np.allclose(profiles.on_grid(scores, DEPTH), np.interp(profiles.GRID, DEPTH, scores))


def test_disattenuation_recovers_the_true_correlation():
    generator = np.random.default_rng(2)
    errors, shared, size = 0.5, 0.3, 20_000
    true = generator.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], size).T
    noise = generator.multivariate_normal([0, 0], [[errors, shared], [shared, errors]], size).T
    first, second = true + noise
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(
        0.6, abs=0.02
    )  # shared error hides the attenuation
    corrected = profiles.disattenuated_correlation(first, second, errors, errors, shared)
    assert corrected == pytest.approx(0.6, abs=0.02)
    independent = true + generator.normal(0, np.sqrt(errors), (2, size))
    assert profiles.disattenuated_correlation(*independent, errors, errors, 0) == pytest.approx(0.6, abs=0.03)


def test_a_profile_of_error_alone_has_no_correlation():
    flat = np.random.default_rng(3).normal(0, 0.1, 20)
    assert np.isnan(profiles.disattenuated_correlation(flat, np.linspace(-1, 1, 20), 0.05, 0.0, 0.0))


def test_candidates():
    sets = layer_choice.candidate_layers(np.linspace(0, 1, 10))
    assert list(sets["middle"]) == [3, 4, 5, 6]
    assert list(sets["last"]) == [9]
    assert list(layer_choice.candidate_layers(np.zeros(1))["middle"]) == []


def test_layers_are_chosen_and_scored():
    candidates = {"all": np.arange(4), "middle": np.array([1, 2]), "none": np.array([], int)}
    selection = np.array([[0.1, 0.3, 0.2, 0.9], [np.nan, 0.1, 0.4, 0.2]])
    chosen = layer_choice.choose_layers(selection, candidates)
    assert chosen.tolist() == [[3, 1, -1], [2, 2, -1]]
    evaluation = np.arange(8.0).reshape(2, 4)
    scores = layer_choice.scores_of_chosen(evaluation, chosen)
    assert scores[:, :2].tolist() == [[3, 1], [6, 6]]
    assert np.isnan(scores[:, 2]).all()


def test_choosing_on_other_stimuli_is_not_optimistic():
    """Layers that are all unrelated: the best on the same stimuli looks good, held out it does not."""
    generator = np.random.default_rng(4)
    heldout, naive = [], []
    for trial in range(40):
        brain = rdm(generator.normal(size=(24, 10)))[None]
        models = np.stack([rdm(generator.normal(size=(24, 10))) for _ in range(8)])
        halves = random_halves(24, 4, trial)
        once = np.ones((1, 24), int)
        candidates = layer_choice.candidate_layers(np.linspace(0, 1, 8))
        scores = splits.heldout_in_halves(brain[None], models, once, halves, candidates, "spearman")
        heldout.append(scores[0, 0, 0, 0])
        naive.append(compare(brain, models).max())
    assert np.mean(naive) > 0.05
    assert abs(np.mean(heldout)) < 3 * np.std(heldout) / np.sqrt(40)


def test_halves_share_no_stimulus_in_any_resample():
    generator = np.random.default_rng(5)
    brain = generator.random((2, 3, 190))
    models = generator.random((4, 190))
    counts = draw_counts(20, 6, 0)
    half = random_halves(20, 1, 0)
    candidates = {"all": np.arange(4)}
    scores = splits.heldout_in_halves(brain, models, counts, half, candidates, "spearman")
    first, second = np.triu_indices(20, 1)
    for draw, count in enumerate(counts):
        expected = 0
        for select, evaluate in ((half[0], ~half[0]), (~half[0], half[0])):

            def subset(side, count=count):
                members = np.repeat(np.arange(20), count * side)
                rows, columns = np.triu_indices(len(members), 1)
                drawn = zip(members[rows], members[columns], strict=True)
                pairs = [np.flatnonzero((first == a) & (second == b))[0] for a, b in drawn if a != b]
                flat = compare(brain.reshape(-1, 190)[:, pairs], models[:, pairs])
                return flat.reshape(2, 3, 4)

            chosen = subset(select).mean(axis=0).argmax(axis=-1)
            expected = expected + np.take_along_axis(subset(evaluate), chosen[None, :, None], axis=-1)[..., 0]
        assert np.allclose(scores[draw, ..., 0], expected / 2, atol=1e-12)
