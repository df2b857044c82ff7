"""The simulated experiment: what was planted can be measured, and nothing else."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

from cortexrsa.brain.reliability import split_half_reliability
from cortexrsa.brain.simulated import images as world
from cortexrsa.brain.simulated import voxels as simulation
from cortexrsa.brain.simulated.settings import experiment_of
from cortexrsa.formats.responses import read_responses, write_responses
from cortexrsa.formats.stimuli import check_stimuli
from cortexrsa.jobs import last_line
from cortexrsa.schemas import validate
from simulated_world import simulate
from support import message_of

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = {
    "train": 96,
    "test": 120,
    "size": 32,
    "seed": 3,
    "rois": {
        "V1": {"voxels": 150, "area": "v1", "reliability": 0.6},
        "LO": {"voxels": 150, "area": "lo", "reliability": 0.5},
        "clean": {"voxels": 20, "area": "v1", "reliability": 1.0},
        "nothing": {"voxels": 150, "area": "noise"},
    },
}
SMALL = {"train": 12, "test": 12, "size": 32, "rois": {"V1": {"voxels": 5, "area": "v1"}}}


@pytest.fixture(scope="module")
def experiment():
    return simulate(OPTIONS)


@pytest.fixture(scope="module")
def stimuli():
    return world.make_images(120, 64, seed=77)


def trials(responses, roi, split):
    """(n, repeats, v) of one ROI and split, without padding."""
    chosen = responses[(responses["split"] == split).values][:, :, (responses["roi"] == roi).values].values
    return chosen[:, np.isfinite(chosen).all(axis=(0, 2))]


# ---- the experiment --------------------------------------------------------------------------------------


def test_follows_the_formats(experiment, tmp_path):
    images, table, responses = experiment
    check_stimuli(images, table)
    assert images.shape == (216, 32, 32, 3)
    assert {"category", "family"} <= set(table.columns)
    assert responses.dims == ("stimulus", "repeat", "voxel")
    assert responses.shape == (216, 13, 470)
    assert responses.dtype == np.float32
    assert list(responses["stimulus_id"].values) == list(table["stimulus_id"])
    assert list(responses["split"].values) == list(table["split"])
    write_responses(tmp_path / "responses.nc", responses, {"seed": 3})
    again = read_responses(tmp_path / "responses.nc")
    np.testing.assert_array_equal(again.values, responses.values)
    assert list(again["roi"].values) == list(responses["roi"].values)


def test_is_padded_beyond_the_repeats_of_each_split_and_nowhere_else(experiment):
    _, table, responses = experiment
    count = np.isfinite(responses.values).sum(axis=1)
    assert (count == table["repeats"].to_numpy()[:, None]).all()
    assert np.isfinite(responses.values[:, :2]).all()
    assert list(table.groupby("split")["repeats"].unique().loc[["test", "train"]].explode()) == [13, 2]


def test_voxels_are_scaled_by_the_training_average(experiment):
    responses = experiment[2]
    for roi in ("V1", "LO", "nothing"):
        average = trials(responses, roi, "train").astype(float).mean(axis=1)
        np.testing.assert_allclose(average.mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(average.std(axis=0), 1, rtol=1e-5)


def test_training_and_test_images_differ_from_each_other_and_from_the_corpus(experiment):
    images, table, _ = experiment
    flat = images[..., 0].reshape(len(images), -1)
    assert len(np.unique(flat, axis=0)) == len(flat)
    assert table["stimulus_id"].is_unique
    corpus = yaml.safe_load((ROOT / "resources/corpora/procedural.yaml").read_text())["options"]
    trained_on = world.make_images(500, 32, corpus["seed"])[0].reshape(500, -1)
    assert len(np.unique(np.concatenate([flat, trained_on]), axis=0)) == len(flat) + 500


def test_categories_are_balanced_in_each_split(experiment):
    counts = experiment[1].groupby(["split", "category"]).size().unstack()
    assert (counts.loc["train"] == 8).all()
    assert (counts.loc["test"] == 10).all()


def test_same_seed_same_experiment_and_another_seed_another():
    first, again, other = (simulate(SMALL | {"seed": seed}) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[2].values, again[2].values)
    assert first[1].equals(again[1])
    assert (first[0] != other[0]).any(axis=(1, 2, 3)).all()


@pytest.mark.slow
def test_rois_do_not_depend_on_which_others_there_are():
    def responses(rois, roi):
        result = simulate(SMALL | {"rois": rois})[2]
        return result.values[:, :, (result["roi"] == roi).values]

    v1, lo = {"voxels": 5, "area": "v1"}, {"voxels": 4, "area": "lo"}
    alone = responses({"LO": lo}, "LO")
    np.testing.assert_array_equal(alone, responses({"V1": v1, "LO": lo}, "LO"))
    np.testing.assert_array_equal(alone, responses({"LO": lo, "V1": v1}, "LO"))


def test_rois_alike_but_for_their_name_have_voxels_and_noise_of_their_own():
    settings = {"voxels": 6, "area": "v1", "reliability": 1.0}
    noise = {"voxels": 6, "area": "noise"}
    responses = simulate(SMALL | {"rois": {"a": settings, "b": settings, "c": noise, "d": noise}})[2]
    for start in (0, 12):
        first, second = (
            responses.values[:, 0, start : start + 6],
            responses.values[:, 0, start + 6 : start + 12],
        )
        assert np.abs(np.diagonal(np.corrcoef(first.T, second.T)[:6, 6:])).max() < 0.99


def test_subjects_see_the_same_images_with_voxels_and_noise_of_their_own():
    rois = {"V1": {"voxels": 6, "area": "v1", "reliability": 1.0}, "N": {"voxels": 6, "area": "noise"}}
    _, _, responses = simulate(SMALL | {"subjects": 2, "rois": rois})
    assert responses.sizes["voxel"] == 24
    for roi in rois:
        first, second = (
            responses.values[:, 0, ((responses["subject"] == s) & (responses["roi"] == roi)).values]
            for s in ("sub-01", "sub-02")
        )
        assert np.abs(np.diagonal(np.corrcoef(first.T, second.T)[:6, 6:])).max() < 0.99
    alone = simulate(SMALL | {"rois": rois})[2]
    np.testing.assert_array_equal(alone.values, responses.values[:, :, :12])


def test_the_card_can_be_simulated():
    card = yaml.safe_load((ROOT / "resources/datasets/simulated.yaml").read_text())
    assert experiment_of(card["rois"], **card["options"]).rois["LO"].area == "lo"
    corpus = yaml.safe_load((ROOT / "resources/corpora/procedural.yaml").read_text())["options"]
    assert len({card["options"]["seed"], corpus["seed"], simulation.REFERENCE_SEED}) == 3


CARD = {"description": "mine", "citation": "none", "licence": "none", "loader": "simulated"}
SIZES = {"train": 12, "test": 12, "size": 32}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"trian": 30}, "options.trian"),
        ({"train": 3}, "options.train"),
        ({"test_repeats": 0}, "options.test_repeats"),
        ({"size": 40}, "options.size"),
        ({"seed": -1}, "options.seed"),
        ({"subjects": 1.5}, "options.subjects"),
        ({"tr": 0}, "options.tr"),
        ({"interval": [0.2, 3]}, "options.interval[0]"),
        ({"rois": {}}, "rois"),
        ({"rois": {"V1": {"voxels": 15}}}, "rois.V1.area"),
        ({"rois": {"V1": {"voxels": 15, "area": "V1"}}}, "rois.V1.area"),
        ({"rois": {"V1": {"voxels": 1, "area": "v1"}}}, "rois.V1.voxels"),
        ({"rois": {"V1": {"voxels": 15, "area": "v1", "reliability": 0}}}, "rois.V1.reliability"),
        ({"rois": {"V1": {"voxels": 15, "area": "v1", "reliability": 1.2}}}, "rois.V1.reliability"),
        ({"rois": {"V1": {"voxels": 15, "area": "v1", "noise": 2}}}, "rois.V1.noise"),
    ],
)
def test_the_schema_refuses_wrong_options_in_one_line(change, field):
    options = SIZES | change
    card = CARD | {"rois": options.pop("rois", {"V1": {"voxels": 15, "area": "v1"}}), "options": options}
    message = message_of(validate, "datasets", card, "resources/datasets/mine.yaml")
    assert message.startswith(f"resources/datasets/mine.yaml: {field}: found ")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"runs": 2, "sessions": 3}, "options.runs"),
        ({"runs": 100}, "options.runs"),
        ({"interval": [5, 3]}, "options.interval"),
    ],
)
def test_a_scan_that_cannot_be_is_refused(change, field):
    assert message_of(experiment_of, **SMALL | change).startswith(f"{field}: found ")


def test_a_scan_that_cannot_be_names_its_card(tmp_path):
    options = {key: value for key, value in SMALL.items() if key != "rois"} | {"runs": 100_000}
    job = SimpleNamespace(
        params=SimpleNamespace(settings={"rois": SMALL["rois"], "options": options}),
        wildcards=SimpleNamespace(dataset="mine"),
        output=SimpleNamespace(bids=tmp_path / "bids", truth=tmp_path / "truth.nc"),
        log=[tmp_path / "simulate.log"],
    )
    with pytest.raises(SystemExit):
        runpy.run_path(str(ROOT / "scripts/simulate.py"), {"snakemake": job})
    card = "resources/datasets/mine.yaml"
    assert last_line(job.log[0]).startswith(f"Error: {card}: options.runs: found 100000, expected ")
    assert [path.name for path in tmp_path.iterdir()] == ["simulate.log"]


# ---- V1 and LO -------------------------------------------------------------------------------------------


def gratings(frequency, orientation, phases=(0.0,)):
    """(phases, 64, 64) full gratings; `orientation` is that of the frequency vector."""
    x, y = world.pixel_grid(64)
    along = np.cos(orientation) * x + np.sin(orientation) * y
    waves = [np.cos(np.pi * frequency * along + phase) for phase in phases]
    return np.rint(128 + 100 * np.array(waves)).astype(np.uint8)


@pytest.mark.parametrize(("scale", "orientation"), [(0, 0), (1, 3), (2, 4), (2, 7)])
def test_energy_peaks_in_the_gratings_own_channel_and_ignores_its_phase(scale, orientation):
    phases = np.linspace(0, 2 * np.pi, 5)[:4]
    images = gratings(simulation.SCALES[scale], simulation.ORIENTATIONS[orientation], phases)
    ((energy, rectified),) = simulation._pyramid(images)
    centre = energy[:, :, 6:10, 6:10].mean(axis=(2, 3))
    assert (centre.argmax(axis=1) == scale * 8 + orientation).all()
    best = centre[:, scale * 8 + orientation]
    assert np.ptp(best) / best.mean() < 0.03
    assert (rectified >= 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("area", ["v1", "lo"])
def test_tuning_follows_from_the_seed_and_not_from_the_images_passed(stimuli, area):
    images, factors = stimuli

    def patterns(rows, seed):
        if area == "v1":
            return simulation.v1_patterns(images[rows], 30, seed)
        return simulation.lo_patterns(images[rows], factors.iloc[rows].reset_index(drop=True), 30, seed)

    every = patterns(np.arange(120), 1)
    some = np.array([70, 3, 40, 119])
    np.testing.assert_allclose(patterns(some, 1), every[some], atol=2e-4)
    other = patterns(np.arange(120), 2)
    assert np.abs(np.diagonal(np.corrcoef(every.T, other.T)[:30, 30:])).mean() < 0.6


@pytest.mark.slow
def test_signals_are_standardised_in_the_world(stimuli):
    for patterns in (
        simulation.v1_patterns(stimuli[0], 100, 1),
        simulation.lo_patterns(*stimuli, 100, 1),
    ):
        assert np.isfinite(patterns).all()
        assert np.abs(patterns.mean(axis=0)).max() < 0.5
        assert patterns.std(axis=0) == pytest.approx(1, abs=0.4)


@pytest.mark.slow
def test_v1_follows_low_level_structure_and_lo_the_category(stimuli):
    images, factors = stimuli
    # a low-level RDM that shares no code with the simulation: local amplitude of the image's gradient
    vertical, horizontal = np.gradient(images / 255, axis=(1, 2))
    local = np.stack([np.abs(vertical), np.abs(horizontal)], axis=1).reshape(120, 2, 8, 8, 8, 8)
    low_level = pdist(np.sqrt(local.mean(axis=(3, 5))).reshape(120, -1), "correlation")
    upper = np.triu_indices(120, 1)
    labels = factors["category"].to_numpy(str)
    category = (labels[:, None] != labels)[upper]
    v1 = pdist(simulation.v1_patterns(images, 300, 1), "correlation")
    lo = pdist(simulation.lo_patterns(images, factors, 300, 2), "correlation")
    v1_low, v1_category, lo_low, lo_category = (
        spearmanr(area, model).statistic for area in (v1, lo) for model in (low_level, category)
    )
    assert v1_low > 0.4 > 0.25 > v1_category
    assert lo_category > 0.3 > 0.25 > lo_low


@pytest.mark.slow
def test_lo_tolerates_a_shift_of_the_object_that_v1_does_not():
    factors = world.draw_factors(60, np.random.default_rng(0))
    shifted = factors.assign(x=-factors["x"] + 0.15 * np.sign(-factors["x"]))
    # in one call: the patterns of an image do not depend on the others
    images = np.concatenate([world.render(f, 64, np.random.default_rng(1)) for f in (factors, shifted)])

    def similarity(patterns):
        return np.diagonal(np.corrcoef(patterns)[:60, 60:]).mean()

    v1 = similarity(simulation.v1_patterns(images, 200, 1))
    lo = similarity(simulation.lo_patterns(images, pd.concat([factors, shifted], ignore_index=True), 200, 1))
    assert lo > 0.75
    assert v1 < 0.6


def test_images_of_another_size_are_refused():
    with pytest.raises(ValueError, match="multiple of 16"):
        simulation.v1_patterns(np.zeros((3, 40, 40), np.uint8), 5, 0)


# ---- noise -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("reliability", "calibration"), [(0.3, 13), (0.6, 13), (0.9, 4)])
def test_noise_reaches_the_asked_reliability(reliability, calibration):
    signal = 5 + 3 * np.random.default_rng(0).standard_normal((600, 200))
    variance = simulation.noise_variance(signal.var(axis=0), reliability, calibration, 1)
    noisy = signal + np.sqrt(variance) * simulation.unit_noise(calibration, 600, 200, 2)
    assert noisy.shape == (calibration, 600, 200)
    found = split_half_reliability(noisy.swapaxes(0, 1), splits=10)
    assert np.median(found) == pytest.approx(reliability, abs=0.03)
    # against the truth, without any formula of reliability: the squared correlation with the signal
    truth = [np.corrcoef(noisy.mean(axis=0)[:, v], signal[:, v])[0, 1] ** 2 for v in range(200)]
    assert np.median(truth) == pytest.approx(reliability, abs=0.03)


@pytest.mark.parametrize(("roi", "asked"), [("V1", 0.6), ("LO", 0.5)])
def test_the_experiment_has_the_asked_reliability_in_its_test_set(experiment, roi, asked):
    found = split_half_reliability(trials(experiment[2], roi, "test"), splits=20)
    assert np.median(found) == pytest.approx(asked, abs=0.06)


def test_reliability_one_gives_identical_repeats(experiment):
    for split in ("train", "test"):
        clean = trials(experiment[2], "clean", split)
        assert np.ptp(clean, axis=1).max() == 0
        assert clean.std(axis=0).min() > 0


def test_a_noise_roi_has_no_reliability(experiment):
    nothing = trials(experiment[2], "nothing", "test")
    assert abs(np.median(split_half_reliability(nothing, splits=20))) < 0.1


def test_noise_is_shared_between_voxels_and_new_in_each_trial():
    noise = simulation.unit_noise(4, 2000, 60, seed=1)
    np.testing.assert_allclose(noise.var(axis=(0, 1)), 1, atol=0.07)
    eigenvalues = np.linalg.eigvalsh(np.cov(noise.reshape(-1, 60).T))[::-1]
    # six modes stand out, and they hold the shared 30 % of 60 units of variance
    assert eigenvalues[6] < 0.9 < 1.8 < eigenvalues[5]
    assert eigenvalues[:6].sum() - 6 * 0.7 == pytest.approx(18, rel=0.05)
    between_trials = np.corrcoef(noise.reshape(4, -1))[np.triu_indices(4, 1)]
    assert np.abs(between_trials).max() < 0.03


def test_noise_is_the_seeds():
    first, again, other = (simulation.unit_noise(3, 20, 5, seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()
    first, again, other = (simulation.noise_variance(np.ones(5), 0.5, 3, seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, again)
    assert (first != other).sum() >= 4


def test_impossible_reliability_is_refused():
    with pytest.raises(ValueError, match="reliability"):
        simulation.noise_variance(np.ones(2), 0.0, 2, 0)
