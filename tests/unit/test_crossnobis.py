"""Mahalanobis and crossnobis distances against rsatoolbox and scikit-learn, and without bias from noise."""

import numpy as np
import pytest
import rsatoolbox
from scipy.spatial.distance import pdist
from sklearn.covariance import LedoitWolf

from cortexrsa.geometry.crossnobis import crossnobis, prepared, rdm_of_trials, residuals, whiten
from cortexrsa.geometry.rdm import rdm

N, REPEATS, VOXELS = 12, 4, 20


@pytest.fixture
def trials():
    generator = np.random.default_rng(0)
    mixing = generator.normal(size=(VOXELS, VOXELS))
    return generator.normal(size=(N, 1, VOXELS)) + generator.normal(size=(N, REPEATS, VOXELS)) @ mixing


def precision(trials):
    """Of the noise, by scikit-learn alone."""
    values = (trials - trials.mean(axis=1, keepdims=True)).reshape(-1, VOXELS)
    covariance = LedoitWolf(assume_centered=True).fit(values).covariance_
    return np.linalg.inv(covariance * len(values) / (len(values) - N))


def as_rsatoolbox(trials):
    descriptors = {"stimulus": np.repeat(np.arange(N), REPEATS), "run": np.tile(np.arange(REPEATS), N)}
    return rsatoolbox.data.Dataset(trials.reshape(-1, VOXELS), obs_descriptors=descriptors)


def test_crossnobis_equals_rsatoolbox(trials):
    expected = rsatoolbox.rdm.calc_rdm(
        as_rsatoolbox(trials),
        method="crossnobis",
        descriptor="stimulus",
        cv_descriptor="run",
        noise=precision(trials),
    )
    ours = rdm_of_trials(prepared(trials, "crossnobis"), "crossnobis")
    assert np.abs(ours - expected.dissimilarities[0]).max() < 1e-12 * expected.dissimilarities.max()


def test_mahalanobis_equals_rsatoolbox_and_scipy(trials):
    ours = rdm_of_trials(prepared(trials, "mahalanobis"), "mahalanobis")
    expected = rsatoolbox.rdm.calc_rdm(
        as_rsatoolbox(trials), method="mahalanobis", descriptor="stimulus", noise=precision(trials)
    )
    assert np.abs(ours - expected.dissimilarities[0]).max() < 1e-12 * ours.max()
    distances = pdist(trials.mean(axis=1), "mahalanobis", VI=precision(trials))
    assert np.abs(ours - distances**2 / VOXELS).max() < 1e-12 * ours.max()


def test_missing_trials_are_left_out():
    """A stimulus with fewer repeats: mean over its own pairs of different repeats."""
    generator = np.random.default_rng(1)
    trials = generator.normal(size=(3, 4, 6))
    trials[0, 2:] = np.nan
    trials[1, 0] = np.nan
    products = np.empty((3, 3))
    for i in range(3):
        for j in range(3):
            a, b = ([r for r in range(4) if np.isfinite(trials[k, r, 0])] for k in (i, j))
            products[i, j] = np.mean([trials[i, r] @ trials[j, s] for r in a for s in b if r != s])
    first, second = np.triu_indices(3, 1)
    expected = (products[first, first] + products[second, second] - 2 * products[first, second]) / 6
    # an origin far away is taken off: it would enter unequal numbers of repeats
    assert crossnobis(trials) == pytest.approx(expected, abs=1)
    complete = np.where(np.isfinite(trials), trials, 0)
    assert crossnobis(complete + 1e6) == pytest.approx(crossnobis(complete), abs=1e-6)


def test_crossnobis_of_pure_noise_is_zero_on_average_and_mahalanobis_is_not():
    generator = np.random.default_rng(2)
    trials = generator.normal(size=(40, 3, 30))
    distances = crossnobis(trials)
    assert abs(distances.mean()) < 0.05
    assert rdm(trials.mean(axis=1), "euclidean").mean() == pytest.approx(2 / 3, abs=0.05)


def test_noise_is_white_afterwards(trials):
    values, dof = residuals(whiten(trials))
    assert dof == N * (REPEATS - 1)
    generator = np.random.default_rng(3)
    many = np.zeros((200, 1, 5)) + generator.normal(size=(200, 5, 5)) @ generator.normal(size=(5, 5))
    values, dof = residuals(whiten(many))
    assert values.T @ values / dof == pytest.approx(np.eye(5), abs=0.1)


def test_without_repeats_the_covariance_is_that_of_the_patterns():
    patterns = np.random.default_rng(4).normal(size=(30, 1, 5)) @ np.diag([1, 2, 3, 4, 5.0])
    covariance = LedoitWolf().fit(patterns[:, 0]).covariance_ * 30 / 29
    expected = pdist(patterns[:, 0], "mahalanobis", VI=np.linalg.inv(covariance)) ** 2 / 5
    assert rdm_of_trials(prepared(patterns, "mahalanobis"), "mahalanobis") == pytest.approx(expected)


def test_one_trial_of_a_stimulus_is_refused_by_crossnobis(trials):
    trials[5, 1:] = np.nan
    with pytest.raises(ValueError, match="1 stimuli with fewer than two trials"):
        crossnobis(trials)
    assert np.isfinite(rdm_of_trials(prepared(trials, "mahalanobis"), "mahalanobis")).all()
