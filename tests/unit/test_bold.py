"""Simulated BOLD: what the folder holds, and that the truth beside it is the truth."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import xarray

from cortexrsa.brain.reliability import reliability_table
from cortexrsa.brain.simulated import bold
from cortexrsa.brain.simulated import voxels as simulation
from cortexrsa.brain.simulated.settings import experiment_of
from cortexrsa.errors import InputError
from cortexrsa.formats.rdms import RDMs
from cortexrsa.geometry.rdm import rdm
from cortexrsa.validation.beta_recovery import align_truth, recovery_table, standardised_signal
from cortexrsa.validation.true_ceilings import add_true_ceilings

OPTIONS = {
    "train": 10,
    "test": 12,
    "train_repeats": 2,
    "test_repeats": 4,
    "size": 16,
    "subjects": 2,
    "sessions": 2,
    "runs": 4,
    "seed": 7,
    "rois": {
        "V1": {"voxels": 40, "area": "v1", "reliability": 0.6},
        "LO": {"voxels": 30, "area": "lo", "reliability": 0.5},
        "none": {"voxels": 20, "area": "noise"},
    },
}


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated")
    return folder, bold.simulate_bids(experiment_of(**OPTIONS), folder)


def events_of(folder, subject="01"):
    paths = sorted((folder / f"sub-{subject}").rglob("*_events.tsv"))
    return [pd.read_csv(path, sep="\t") for path in paths]


@pytest.mark.slow
def test_every_stimulus_is_shown_as_often_as_planned_and_repeats_lie_apart(simulated):
    folder, truth = simulated
    for subject in ("01", "02"):
        runs = events_of(folder, subject)
        assert len(runs) == 4
        shown = pd.concat([run.assign(run=k) for k, run in enumerate(runs)])
        counts = shown["stimulus_id"].value_counts()
        assert (counts[counts.index.str.startswith("train")] == 2).all()
        assert (counts[counts.index.str.startswith("test")] == 4).all()
        # the two presentations of a training stimulus are never in one run
        train = shown[shown["stimulus_id"].str.startswith("train")]
        assert not train.duplicated(["stimulus_id", "run"]).any()
        for run in runs:
            gaps = np.diff(run["onset"])
            assert ((gaps >= 2.95) & (gaps <= 5.05)).all()
    # subjects see the same images in orders of their own
    assert list(events_of(folder)[0]["stimulus_id"]) != list(events_of(folder, "02")[0]["stimulus_id"])


def test_masks_have_the_voxels_asked_for_and_share_none(simulated):
    folder, truth = simulated
    for subject in ("01", "02"):
        masks = {
            roi: nib.load(
                folder / f"derivatives/rois/sub-{subject}/anat/sub-{subject}_label-{roi}_mask.nii.gz"
            ).get_fdata()
            for roi in OPTIONS["rois"]
        }
        assert {roi: mask.sum() for roi, mask in masks.items()} == {"V1": 40, "LO": 30, "none": 20}
        assert sum(masks.values()).max() == 1
        own = (truth["subject"] == f"sub-{subject}").values & (truth["roi"] == "LO").values
        places = np.stack([truth[axis].values[own] for axis in "ijk"], axis=1)
        np.testing.assert_array_equal(places, np.argwhere(masks["LO"]))


def test_volumes_are_those_of_a_scanner(simulated):
    folder, _ = simulated
    image = nib.load(next((folder / "sub-01/ses-01/func").glob("*_bold.nii.gz")))
    assert image.get_data_dtype() == np.int16
    assert image.header.get_zooms() == (3, 3, 3, 2)
    assert image.header.get_xyzt_units() == ("mm", "sec")
    data = image.get_fdata()
    brain = data.mean(axis=-1) > 300
    assert 0.3 < brain.mean() < 0.6
    assert data[brain].mean() == pytest.approx(bold.BASELINE, rel=0.15)
    sidecar = json.loads((folder / "task-images_bold.json").read_text())
    assert sidecar["RepetitionTime"] == 2.0


def test_noise_has_the_planned_spread_and_autocorrelation():
    spread = np.array([0.5, 1.0, 2.0]).repeat(200)
    noise = bold._scanner(400, spread, np.random.default_rng(0))
    time = (np.arange(400) + 0.5) / 400
    drifts = np.cos(np.pi * time[:, None] * np.arange(1, bold.DRIFTS + 1))
    left = noise - drifts @ np.linalg.lstsq(drifts, noise, rcond=None)[0]
    np.testing.assert_allclose(left.std(axis=0).reshape(3, 200).mean(axis=1), [0.5, 1, 2], rtol=0.03)
    coefficient = (left[1:] * left[:-1]).sum() / (left**2).sum()
    assert coefficient == pytest.approx(bold.AUTOCORRELATION, abs=0.02)
    assert (noise - left).std(axis=0).mean() == pytest.approx(bold.DRIFT_SD, rel=0.15)


@pytest.mark.slow
def test_same_seed_same_folder_byte_for_byte(simulated, tmp_path):
    folder, truth = simulated
    again = bold.simulate_bids(experiment_of(**OPTIONS), tmp_path)
    assert again.identical(truth)
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    for path in files:
        assert (folder / path).read_bytes() == (tmp_path / path).read_bytes(), path


def test_the_truth_is_signal_and_half_of_the_noise(simulated):
    _, truth = simulated
    _, stimuli, planted = simulation.plant(experiment_of(**OPTIONS))
    v1 = (truth["roi"] == "V1").values & (truth["subject"] == "sub-01").values
    signal = bold.MEAN_BETA + bold.SIGNAL_BETA * planted[0].signal
    np.testing.assert_allclose(truth["signal"].values[:, v1], signal, rtol=1e-5)
    trials = truth["trials"].values[:, :, v1] - signal[:, None]
    assert (np.isfinite(trials).all(axis=2).sum(axis=1) == stimuli["repeats"]).all()
    share = np.nanvar(trials, axis=(0, 1)) / (bold.SIGNAL_BETA**2 * planted[0].noise_variance)
    assert np.median(share) == pytest.approx(bold.TRIAL_SHARE, abs=0.08)
    assert truth["signal"].values[:, (truth["roi"] == "none").values].std(axis=0).max() == 0


# ---- recovery --------------------------------------------------------------------------------------------


def measured(truth, noise, seed=0):
    """Responses (stimulus, repeat, voxel) with some more noise than the planted trials."""
    trials = truth["trials"]
    rng = np.random.default_rng(seed)
    return (trials + noise * rng.standard_normal(trials.shape)).rename("responses")


def test_perfect_betas_are_recovered_perfectly(simulated):
    _, truth = simulated
    table = recovery_table(3 * measured(truth, 0) - 2, truth, None).set_index(["roi", "split"])
    assert len(table) == 12
    np.testing.assert_allclose(table["r_trials"], 1, atol=1e-6)
    assert table["reliability"].isna().all()
    np.testing.assert_allclose(table.loc["V1", "reliability_true"], table.loc["V1", "r_mean"] ** 2, rtol=0.1)
    # a ROI without signal has nothing to recover
    assert table.loc["none", "r_mean"].isna().all()


def test_noise_lowers_what_is_recovered_and_the_estimate_follows_the_truth(simulated):
    _, truth = simulated
    responses = measured(truth, 4)
    table = recovery_table(responses, truth, reliability_table(responses, 20, 1)).set_index("roi")
    v1 = table.loc["V1"]
    assert v1["r_trials"].between(0.3, 0.95).all()
    test = v1[v1["split"] == "test"]
    assert np.abs(test["reliability"] - test["reliability_true"]).max() < 0.25


def test_voxels_are_matched_by_their_place(simulated):
    _, truth = simulated
    responses = measured(truth, 0)
    shuffled = responses.isel(voxel=np.random.default_rng(0).permutation(responses.sizes["voxel"])[:50])
    table = recovery_table(shuffled, align_truth(truth, shuffled), None)
    np.testing.assert_allclose(table["r_trials"], 1, atol=1e-6)
    elsewhere = shuffled.assign_coords(i=shuffled["i"] + 50)
    with pytest.raises(InputError, match=r"^truth: found 50 voxels and 0 stimuli"):
        align_truth(truth, elsewhere)


@pytest.mark.slow
def test_true_ceiling_is_the_similarity_to_the_noiseless_rdm(simulated):
    _, truth = simulated
    responses = measured(truth, 2)
    table = recovery_table(responses, truth, None)
    patterns = pd.DataFrame({name: truth[name].values for name in ("stimulus_id", "split")})

    def rdms(values: xarray.DataArray) -> RDMs:
        rows = sorted(set(zip(values["subject"].values, values["roi"].values, strict=True)))
        chosen = [((values["subject"] == s) & (values["roi"] == r)).values for s, r in rows]
        made = np.stack([rdm(values.values[:, own], "correlation") for own in chosen])
        return RDMs(made, pd.DataFrame(rows, columns=["subject", "roi"]), patterns, "correlation")

    true = rdms(standardised_signal(truth))
    assert set(true.rdm_descriptors["roi"]) == {"V1", "LO"}
    ceilings = pd.DataFrame(
        {
            "subject": ["sub-01"],
            "roi": ["V1"],
            "split": ["test"],
            "kind": ["split-half"],
            "reliability": [0.3],
            "attainable": [0.5],
        }
    )
    same = add_true_ceilings(table, true, true, ceilings, "spearman").set_index(["subject", "roi", "split"])
    np.testing.assert_allclose(same["ceiling_true"].dropna(), 1)
    assert same["ceiling_true"].isna().sum() == 4
    assert same.loc[("sub-01", "V1", "test"), "ceiling_attainable"] == 0.5
    assert same["ceiling_attainable"].notna().sum() == 1
    noisy = add_true_ceilings(table, rdms(responses.mean("repeat")), true, ceilings, "spearman")
    assert noisy["ceiling_true"].dropna().between(0, 0.99).all()
