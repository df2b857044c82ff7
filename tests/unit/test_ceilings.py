"""Noise ceilings against rsatoolbox and simulated truth."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import rsatoolbox
import xarray
from rsatoolbox.inference.noise_ceiling import boot_noise_ceiling
from scipy.stats import spearmanr

from cortexrsa.brain.reliability import spearman_brown
from cortexrsa.formats.rdms import RDMs
from cortexrsa.geometry.compare import compare
from cortexrsa.geometry.mean_rdm import mean_rdm
from cortexrsa.geometry.rdm import rdm
from cortexrsa.geometry.registry import COMPARISONS
from cortexrsa.inference.ceilings.bounds import Ceiling
from cortexrsa.inference.ceilings.primary import primary_ceilings
from cortexrsa.inference.ceilings.repeats import split_half_ceiling
from cortexrsa.inference.ceilings.subjects import published_ceilings, subject_ceiling
from cortexrsa.inference.ceilings.table import ceiling_table
from cortexrsa.inference.replication import replication
from cortexrsa.inference.settings import STANDARD_ERRORS, Settings

INFERENCE = Settings(bootstrap=50, ceiling_splits=10, seed=0)


def split_half(trials, standard_error="one-pass", **settings):
    settings = Settings(standard_error=standard_error, **settings)
    method = replication(len(trials), settings)
    return split_half_ceiling(trials, method, "correlation", "spearman", settings)


def noisy_trials(signal, repeats, noise, generator):
    n, voxels = signal.shape
    return signal[:, None] + noise * generator.normal(size=(n, repeats, voxels))


@pytest.mark.parametrize(
    ("comparison", "theirs"),
    [(name, name) for name in COMPARISONS if name != "pearson"] + [("pearson", "corr")],
)
def test_subjects_equal_rsatoolbox(comparison, theirs):
    generator = np.random.default_rng(0)
    signal = generator.normal(size=(20, 30))
    brain = np.stack([rdm(signal + generator.normal(size=signal.shape)) for _ in range(6)])
    ours = subject_ceiling(brain, replication(20, INFERENCE), comparison, INFERENCE)
    lower, upper = boot_noise_ceiling(rsatoolbox.rdm.RDMs(brain), method=theirs)
    assert (ours.lower, ours.upper) == (
        pytest.approx(lower, abs=1e-12),
        pytest.approx(upper, abs=1e-12),
    )


def test_spearman_brown():
    assert spearman_brown(np.array(0.5)) == pytest.approx(2 / 3)
    assert spearman_brown(np.array(0.5), 1) == 0.5


def test_without_noise_the_ceiling_is_one_and_the_generator_reaches_it():
    signal = np.random.default_rng(1).normal(size=(25, 40))
    trials = np.repeat(signal[:, None], 4, axis=1)
    ceiling = split_half(trials, bootstrap=20, ceiling_splits=5)
    assert (ceiling.reliability, ceiling.attainable) == (pytest.approx(1), pytest.approx(1))
    assert compare(rdm(signal)[None], rdm(trials.mean(axis=1))[None])[0, 0] == pytest.approx(1)


@pytest.mark.slow
def test_the_noiseless_geometry_scores_what_is_attainable():
    generator = np.random.default_rng(2)
    attainable, reached = [], []
    for trial in range(25):
        signal = generator.normal(size=(60, 5)) @ generator.normal(size=(5, 80))
        trials = noisy_trials(signal, 12, 6.0, generator)
        attainable.append(split_half(trials, ceiling_splits=20, seed=trial).attainable)
        reached.append(compare(rdm(signal)[None], rdm(trials.mean(axis=1))[None])[0, 0])
    assert np.mean(reached) == pytest.approx(np.mean(attainable), abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("standard_error", STANDARD_ERRORS)
def test_pure_noise_has_no_ceiling_above_zero(standard_error):
    generator = np.random.default_rng(3)
    above = []
    for trial in range(60):
        trials = noisy_trials(np.zeros((20, 30)), 6, 1.0, generator)
        bounds = split_half(trials, standard_error, bootstrap=100, ceiling_splits=8, seed=trial)
        above.append(bounds.reliability_ci_low > 0)
    # one-sided 2.5 %, within Monte Carlo error
    assert np.mean(above) <= 0.025 + 3 * np.sqrt(0.025 * 0.975 / 60)


def brain_of(responses):
    average = responses.mean("repeat") if "repeat" in responses.dims else responses
    patterns = pd.DataFrame({"stimulus_id": responses["stimulus_id"], "split": responses["split"]})
    subjects = list(dict.fromkeys(responses["subject"].to_numpy()))
    values = [rdm(average.isel(voxel=(average["subject"] == s).to_numpy()).to_numpy()) for s in subjects]
    return RDMs(np.stack(values), pd.DataFrame({"subject": subjects, "roi": "V1"}), patterns, "correlation")


def responses_of(subjects, repeats, n=12, voxels=15):
    generator = np.random.default_rng(4)
    signal = generator.normal(size=(n, 1, voxels))
    values = np.concatenate(
        [signal + generator.normal(size=(n, repeats, voxels)) for _ in range(subjects)], axis=2
    )
    return xarray.DataArray(
        values,
        dims=("stimulus", "repeat", "voxel"),
        coords={
            "stimulus_id": ("stimulus", [f"s{k}" for k in range(n)]),
            "split": ("stimulus", ["test"] * n),
            "subject": ("voxel", np.repeat([f"sub-{k}" for k in range(subjects)], voxels)),
            "roi": ("voxel", ["V1"] * (voxels * subjects)),
        },
    )


def test_kinds_follow_the_data():
    several = responses_of(subjects=3, repeats=4)
    table = ceiling_table(brain_of(several), several, "d", "spearman", INFERENCE)
    # so few people are taken as they are, unless the card says otherwise
    assert sorted(table["kind"]) == ["split-half"] * 4
    random = replace(INFERENCE, subject_effect="random")
    table = ceiling_table(brain_of(several), several, "d", "spearman", random)
    published = ["subjects-unscaled", "subjects-unscaled-squared"]
    assert sorted(table["kind"]) == ["split-half"] * 3 + ["subjects", *published]
    assert primary_ceilings(table)["V1"]["kind"] == "subjects"

    one = responses_of(subjects=1, repeats=4)
    table = ceiling_table(brain_of(one), one, "d", "spearman", INFERENCE)
    assert list(table["kind"]) == ["split-half"]

    averages = one.mean("repeat")
    table = ceiling_table(brain_of(averages), averages, "d", "spearman", INFERENCE)
    assert list(table["kind"]) == ["unknown"]
    assert table[Ceiling.names()].isna().all(axis=None)


def test_published_conventions_against_scipy():
    """The mean of RDMs as they are, and the mean of squares, step by step."""
    generator = np.random.default_rng(0)
    truth = generator.random(66)
    # of very different scales, so that the scaling of the mean matters
    brain = (truth + generator.normal(0, 0.3, (4, 66))) * np.array([1, 1, 1, 30])[:, None]
    plain, squared = published_ceilings(brain, "spearman")
    lower = [spearmanr(brain[k], np.delete(brain, k, axis=0).mean(axis=0)).statistic for k in range(4)]
    upper = [spearmanr(rdm, brain.mean(axis=0)).statistic for rdm in brain]
    assert (plain["kind"], squared["kind"]) == ("subjects-unscaled", "subjects-unscaled-squared")
    assert (plain["lower"], plain["upper"]) == pytest.approx((np.mean(lower), np.mean(upper)))
    squares = (np.mean(np.square(lower)), np.mean(np.square(upper)))
    assert (squared["lower"], squared["upper"]) == pytest.approx(squares)
    ours = subject_ceiling(brain, replication(12, INFERENCE), "spearman", INFERENCE)
    assert ours.lower != pytest.approx(plain["lower"], abs=1e-3)


def test_two_repeats_can_be_split_in_one_way_only():
    trials = noisy_trials(np.random.default_rng(5).normal(size=(15, 20)), 2, 1.0, np.random.default_rng(6))
    one, many = (split_half(trials, ceiling_splits=splits, seed=0) for splits in (1, 9))
    assert one == many


@pytest.mark.parametrize("comparison", ["spearman", "tau-a"])
def test_what_is_attainable_is_on_the_scale_of_the_comparison(comparison):
    """The root is that of a correlation: of Kendall's tau itself it would be too large by a tenth."""
    inference = replace(INFERENCE, group="mean-rdm", subject_effect="random", ceiling_splits=2)
    found, reached = [], []
    for seed in range(8):
        random = np.random.default_rng(seed)
        code = random.normal(size=(40, 8))
        trials = code[:, None] + 1.4 * random.normal(size=(5, 40, 4, 8))
        own = np.stack([rdm(each.mean(axis=1)) for each in trials])
        table = pd.DataFrame({"subject": list("abcde"), "roi": "A"})
        patterns = pd.DataFrame({"stimulus_id": [f"{k}" for k in range(40)], "split": "test"})
        brain = RDMs(own, table, patterns, "correlation")
        rows = ceiling_table(brain, None, "sim", comparison, inference).set_index("kind")["attainable"]
        repeats = split_half_ceiling(
            trials[0], replication(40, inference), "correlation", comparison, inference
        )
        found.append([rows["mean-rdm"], rows["subjects"], repeats.attainable])
        scores = [compare(each[None], rdm(code)[None], comparison).item() for each in own]
        mean = compare(mean_rdm(own, comparison)[None], rdm(code)[None], comparison).item()
        reached.append([mean, np.mean(scores), scores[0]])
    assert np.mean(found, axis=0) == pytest.approx(np.mean(reached, axis=0), abs=0.025)
