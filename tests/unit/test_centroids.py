"""Intervals of depth centroids and of their differences."""

import numpy as np
import pytest

from cortexrsa.inference.centroids import Centroid, CentroidContrast
from cortexrsa.inference.claims.values import of_limits
from cortexrsa.inference.errors import Replicated, Replicates

DEPTH = np.linspace(0, 1, 5)
RISING = np.array([0.1, 0.2, 0.3, 0.4, 0.5])


def resampled(scores, error, seed=0, shared=0.0):
    generator = np.random.default_rng(seed)
    common = np.random.default_rng(99).normal(0, shared, (600, 1))
    drawn = scores + generator.normal(0, error, (600, 5)) + common
    return Replicated(scores, drawn, Replicates.of_bootstrap(120, 600))


def difference_of(late, early):
    return CentroidContrast([late, early], [1, -1])


def test_with_small_errors_the_interval_is_that_of_the_ratio():
    error = 0.01
    centroid = Centroid(resampled(RISING, error), DEPTH)
    assert centroid.estimate == pytest.approx((DEPTH * RISING).sum() / RISING.sum())
    gradient = (DEPTH - centroid.estimate) / RISING.sum()
    half = 1.98 * error * np.linalg.norm(gradient)
    low, high = centroid.interval(0.95)
    assert (low, high) == pytest.approx((centroid.estimate - half, centroid.estimate + half), abs=half / 8)
    assert centroid.interval(0.5)[0] > low


def test_faint_scores_leave_every_depth_possible():
    assert Centroid(resampled(0.05 * RISING, 0.1), DEPTH).interval(0.95) == (0, 1)


def test_no_positive_score_has_no_centroid():
    centroid = Centroid(resampled(-RISING, 0.01), DEPTH)
    assert np.isnan(centroid.estimate)
    assert np.isnan(centroid.interval(0.95)).all()


def test_difference_and_its_p_agree_with_the_interval():
    late, early = Centroid(resampled(RISING, 0.02), DEPTH), Centroid(resampled(RISING[::-1], 0.02, 1), DEPTH)
    difference = difference_of(late, early)
    p = of_limits(difference.estimate, difference.interval).p_value(0)
    assert difference.estimate > 0
    assert p < 0.001
    same = difference_of(late, Centroid(resampled(RISING, 0.02, 2), DEPTH))
    p = of_limits(same.estimate, same.interval).p_value(0)
    low, high = same.interval(1 - p)
    assert min(abs(low), abs(high)) < 1e-3  # at level p the interval just reaches 0
    assert same.interval(0.95)[0] < 0 < same.interval(0.95)[1]


def test_shared_errors_narrow_the_difference():
    """Two ROIs whose profiles err alike: the error of the difference is smaller than of either."""
    noise = resampled(RISING, 0.03)
    late = Centroid(noise, DEPTH)
    early = Centroid(noise.apply(lambda scores: scores + np.array([0.1, 0, 0, 0, -0.1])), DEPTH)
    low, high = difference_of(late, early).interval(0.95)
    alone = late.interval(0.95)
    assert high - low < 0.6 * (alone[1] - alone[0])


def test_an_interval_at_the_end_of_the_depths_gives_no_narrow_difference():
    vague, sharp = Centroid(resampled(0.05 * RISING, 0.1), DEPTH), Centroid(resampled(RISING, 0.01), DEPTH)
    low, high = difference_of(vague, sharp).interval(0.95)
    assert (low, high) == pytest.approx((0 - sharp.interval(0.95)[1], 1 - sharp.interval(0.95)[0]))


def test_a_sum_of_centroids_is_as_wide_as_its_linearisation():
    """Mean of two, less a third: with small errors the interval is that of the gradient."""
    error, weights = 0.005, np.array([0.5, 0.5, -1.0])
    centroids = [
        Centroid(resampled(RISING[::sign], error, seed), DEPTH) for seed, sign in enumerate((1, 1, -1))
    ]
    found = CentroidContrast(centroids, weights)
    assert found.estimate == pytest.approx(
        sum(w * c.estimate for w, c in zip(weights, centroids, strict=True))
    )
    gradient = np.linalg.norm((DEPTH - centroids[0].estimate) / RISING.sum())
    half = 1.98 * error * gradient * np.sqrt((weights**2).sum())
    low, high = found.interval(0.95)
    assert (low, high) == pytest.approx((found.estimate - half, found.estimate + half), abs=half / 6)
    alone = CentroidContrast(centroids[:1], [1.0])
    assert alone.interval(0.95) == pytest.approx(centroids[0].interval(0.95))


@pytest.mark.parametrize("other", [-0.001, 0.001])
def test_no_less_than_the_replicates_and_the_draws(other):
    """Near the sample replicates see one side of 0, draws both."""
    scores, error = np.array([other, 0.5, other, other, other]), 0.1
    rows = scores + np.random.default_rng(0).normal(0, 1e-4, (600, 5))
    near = Replicated(scores, rows, Replicates((600, 0), (error**2 / 1e-8 / 600, 0.0), 0.0, 119.0))
    centroid = Centroid(near.drawn(seed=0), DEPTH)
    at_middle = np.argmin(np.abs(centroid.grid - 0.5))
    away = DEPTH - 0.5
    linear = error * np.sqrt((away**2 * (scores > 0)).sum())
    # the positive part of a score near 0 has the mean and the variance of one side of a normal distribution
    near_zero = scores < 0.1
    variance = (away**2 * np.where(near_zero, 0.5 - 0.5 / np.pi, 1)).sum()
    bias = (away * near_zero).sum() / np.sqrt(2 * np.pi)
    draws = error * np.sqrt(variance + bias**2)
    assert centroid.error[at_middle] == pytest.approx(max(linear, draws), rel=0.12)
