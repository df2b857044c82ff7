"""Errors of the score of the layer that is best on other stimuli."""

import numpy as np
import pytest

from cortexrsa.inference.errors import Replicated, Replicates
from cortexrsa.inference.layer_choice import choose_layers, scores_of_chosen
from cortexrsa.inference.splits import _by_choice

CANDIDATES = {
    "all": np.arange(4),
    "middle": np.array([1, 2]),
    "last": np.array([3]),
    "none": np.array([], int),
}
ROWS = 3000


def replicated(scores, error, seed):
    """One subject, one ROI: scores, deviations, and the mean that layers are chosen by."""
    deviations = np.random.default_rng(seed).normal(0, error, (ROWS, 1, 1, 4))
    made = Replicates.of_draws(ROWS, 39.0)
    group = Replicated(scores[None], scores + deviations[:, 0], made)
    return scores[None, None], deviations, group


def moved(scores, other, error):
    """Deviations of the score of the layer that is best on others, and what they follow from."""
    values, deviations, _ = replicated(np.array(scores), error, 0)
    chosen_by, selecting, group = replicated(np.array(other), error, 1)
    of_layer = scores_of_chosen(deviations, choose_layers(chosen_by[0], CANDIDATES))
    found = of_layer + _by_choice(values, selecting[:, 0], group, CANDIDATES, 0)
    return found[:, 0, 0], deviations, selecting


def test_a_layer_that_is_best_for_sure_moves_as_it_does():
    found, deviations, _ = moved([0.1, 0.5, 0.2, 0.1], [0.1, 0.5, 0.2, 0.1], 0.01)
    np.testing.assert_allclose(found[:, 0], deviations[:, 0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(found[:, 2], deviations[:, 0, 0, 3], atol=1e-12)
    assert np.isnan(found[:, 3]).all()


# what is not linear in the scores that a layer is chosen by is left out: most where the choice is rare
@pytest.mark.parametrize(("apart", "near"), [(0.0, 0.05), (0.05, 0.05), (0.1, 0.1)])
def test_a_choice_between_near_layers_varies_as_in_other_samples(apart, near):
    scores, error = np.array([0.1, 0.3, 0.3 + apart, 0.0]), 0.05
    found, deviations, selecting = moved(scores, scores, error)
    chosen = choose_layers(scores + selecting[:, 0, 0], CANDIDATES)[:, 0]
    exact = (scores + deviations[:, 0, 0])[np.arange(ROWS), chosen]
    assert found[:, 0].std() == pytest.approx(exact.std(), rel=near)


def test_a_layer_without_a_score_is_never_chosen_in_silence():
    scores = np.array([0.1, np.nan, 0.3, 0.2])
    found, deviations, _ = moved([0.1, 0.2, 0.3, 0.2], scores, 0.001)
    np.testing.assert_allclose(found[:, 0], deviations[:, 0, 0, 2], atol=1e-9)
    found, _, _ = moved(scores, [0.1, 0.9, 0.3, 0.2], 0.001)
    assert np.isnan(found[:, 0]).all()
    assert np.isfinite(found[:, 2]).all()


def test_layers_that_are_the_same_give_no_steep_slope():
    """What rounding leaves of a direction in which scores do not vary is no direction to be chosen by."""
    error, scores = 0.05, np.array([0.3, 0.3, 0.31, 0.3])
    deviations = np.random.default_rng(3).normal(0, error, (ROWS, 1, 1, 4))
    deviations[..., 1] = deviations[..., 0] - 2 * deviations[..., 2]
    group = Replicated(scores[None], scores + deviations[:, 0], Replicates.of_draws(ROWS, 39.0))
    found = _by_choice(scores[None, None], deviations[:, 0], group, CANDIDATES, 0)
    assert np.abs(found[..., :3]).max() < 20 * error
