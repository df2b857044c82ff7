"""A small calibration of the comparisons, and the world it is made in."""

import numpy as np
import pytest

from cortexrsa.geometry.compare import compare
from cortexrsa.validation.comparisons import TRUTHS, World, drawn_networks, orders


@pytest.fixture(scope="module")
def some_equal():
    table = orders("some equal", 1, 40, simulations=30, draws=60, methods=("one-pass",))
    return table.set_index("statistic")["rate"]


def test_networks_of_one_weight_are_equal_in_truth_and_others_are_not():
    generator, world, weights = np.random.default_rng(0), World(1), (0.3, 0.3, 2.0)
    scores = []
    for _ in range(40):
        brain, networks = world.sample(40, weights, generator)
        scores.append(compare(brain, networks[:, 0])[0])
    mean, error = np.mean(scores, axis=0), np.std(scores, axis=0) / np.sqrt(40)
    assert abs(mean[0] - mean[1]) < 3 * np.hypot(*error[:2])
    assert mean[1] - mean[2] > 5 * np.hypot(*error[1:])


@pytest.mark.slow
def test_orders_are_rarely_wrong_and_differences_found(some_equal):
    assert some_equal["any wrong order, p_fwe"] <= 0.2
    assert some_equal["true differences told, p_fwe"] > 0.2
    assert some_equal["interval of a difference"] > 0.85
    assert some_equal["all ranks at once"] >= 0.8


@pytest.mark.slow
def test_families_and_seeds_are_covered():
    table = drawn_networks(1, 40, simulations=30, draws=60, methods=("one-pass",))
    rates = table.set_index("statistic")["rate"]
    assert len(rates) == 3
    assert (rates.drop("the same, its networks taken as they are") >= 0.8).all()


def test_truths_are_of_eight_networks():
    assert {len(weights) for weights in TRUTHS.values()} == {8}
    assert len(set(TRUTHS["all equal"])) == 1
    assert len(set(TRUTHS["some equal"])) == 3
