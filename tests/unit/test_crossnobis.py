"""Mahalanobis and crossnobis distances against rsatoolbox and scikit-learn, and without bias from noise."""

import numpy as np
import pandas as pd
import pytest
import rsatoolbox
import xarray
from scipy.spatial.distance import pdist
from sklearn.covariance import LedoitWolf

from cortexrsa.brain.assembly import Source, assemble
from cortexrsa.formats.responses import runs_name, runs_of
from cortexrsa.geometry.crossnobis import crossnobis, prepared, rdm_of_trials, residuals, whiten
from cortexrsa.geometry.rdm import rdm
from cortexrsa.geometry.regions import brain_rdms, shared_runs
from cortexrsa.inference.ceilings.table import usable_trials
from cortexrsa.validation.folds import bias_of_crossnobis
from support import message_of

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
    with pytest.raises(ValueError, match="1 stimuli without trials in two folds"):
        crossnobis(trials)
    assert np.isfinite(rdm_of_trials(prepared(trials, "mahalanobis"), "mahalanobis")).all()


def test_trials_of_one_run_are_not_multiplied():
    """Against sums over all pairs of trials of different runs, one by one."""
    generator = np.random.default_rng(3)
    trials = 50 + generator.normal(size=(4, 3, 6))
    trials[1, 2] = np.nan
    runs = np.array([[0, 1, 1], [2, 0, -1], [1, 2, 0], [0, 0, 2]])
    gram, present = np.zeros((4, 4)), np.isfinite(trials).all(axis=2)
    around = trials - trials[present].mean(axis=0)
    for i in range(4):
        for j in range(4):
            products = [
                around[i, r] @ around[j, s]
                for r in range(3)
                for s in range(3)
                if runs[i, r] != runs[j, s] and min(runs[i, r], runs[j, s]) >= 0
            ]
            gram[i, j] = np.mean(products)
    expected = [(gram[i, i] + gram[j, j] - 2 * gram[i, j]) / 6 for i in range(4) for j in range(i + 1, 4)]
    np.testing.assert_allclose(crossnobis(trials, runs), expected, rtol=1e-8, atol=1e-8)
    with pytest.raises(ValueError, match="1 stimuli without trials in two folds"):
        crossnobis(trials, np.where(np.arange(4)[:, None] == 3, 0, runs))


def test_runs_that_show_each_stimulus_once_are_the_repeats(trials):
    order = np.random.default_rng(4).permutation(REPEATS)
    runs = np.tile(np.arange(REPEATS)[order], (N, 1))
    np.testing.assert_allclose(crossnobis(trials, runs), crossnobis(trials), rtol=1e-9)


def test_stimuli_that_share_runs_are_no_more_alike():
    table = bias_of_crossnobis(150).set_index(["folds", "shared_runs"])
    assert table.loc[("order of repeats", 2), "distance"] < -0.15
    by_run = table.loc["runs"]
    assert (by_run["distance"].abs() < 4 * by_run["mc_error"]).all()


def responses_in(runs):
    values = np.random.default_rng(5).normal(size=(*runs.shape, 15))
    coords = {
        "stimulus_id": ("stimulus", np.array([f"image {k}" for k in range(len(runs))], object)),
        "split": ("stimulus", ["test"] * len(runs)),
        "subject": ("voxel", ["sub-01"] * 15),
        "roi": ("voxel", ["V1"] * 15),
        runs_name("sub-01"): (("stimulus", "repeat"), runs),
    }
    return xarray.DataArray(values, dims=("stimulus", "repeat", "voxel"), coords=coords)


def test_repeats_within_a_run_are_told_or_refused():
    apart = np.tile([0, 1, 2], (9, 1))
    assert shared_runs(responses_in(apart)) == []
    together = apart.copy()
    together[4] = [0, 0, 2]
    assert "1 pairs of repeats of a stimulus share a run" in shared_runs(responses_in(together))[0]
    assert np.isfinite(brain_rdms(responses_in(together), "crossnobis").dissimilarities).all()
    together[4] = 1
    message = message_of(brain_rdms, responses_in(together), "crossnobis")
    assert message.startswith("repeats: found all 3 trials of 'image 4' for sub-01 in one run")
    # other dissimilarities have nothing to do with it
    brain_rdms(responses_in(together), "correlation")
    unknown = responses_in(apart).drop_vars(runs_name("sub-01"))
    assert "not known" in shared_runs(unknown)[0]


def test_halves_for_a_ceiling_of_crossnobis_need_runs_of_their_own():
    apart = np.tile(np.arange(4), (9, 1))
    trials, runs = usable_trials(responses_in(apart), "sub-01", "V1", "test", "crossnobis")
    assert trials.shape[1] == 4
    assert runs.shape == (9, 4)
    apart[2, 3] = 0
    assert usable_trials(responses_in(apart), "sub-01", "V1", "test", "crossnobis") is None
    assert usable_trials(responses_in(apart), "sub-01", "V1", "test") is not None


def test_trials_keep_their_runs():
    """Numbered over sessions, in which runs have the same names; averages have none."""
    order = ["b", "a", "a", "b", "a", "c", "b", "c"]
    places = {"session": ["1"] * 4 + ["2"] * 4, "run": ["1", "1", "2", "2"] * 2}
    trials = pd.DataFrame({"stimulus_id": order} | places)
    values = np.random.default_rng(6).normal(size=(8, 5)).astype(np.float32)
    source = Source("01", trials, {"roi": np.full(5, "V1", object)}, lambda rows: values[rows])
    stimuli = pd.DataFrame({"stimulus_id": ["a", "b", "c"], "split": "test"})
    found = assemble(stimuli, [source])
    assert runs_of(found, "01").tolist() == [[0, 1, 2], [0, 1, 3], [2, 3, -1]]
    averages = assemble(stimuli, [source], single_trials=False)
    assert runs_of(averages, "01") is None
    assert "run_of_01" not in averages.coords
    nameless = Source("01", trials.assign(session="", run=""), source.voxels, source.read)
    assert runs_of(assemble(stimuli, [nameless]), "01") is None
