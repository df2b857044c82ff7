"""Ceilings from averages over different numbers of repeats, against simulated truth."""

from dataclasses import replace

import moment_ceilings
import numpy as np
import pandas as pd
import pytest
import xarray

from cortexrsa.brain.reliability import reliability_table, repeats_of, signal_and_noise
from cortexrsa.brain.responses import clean_responses
from cortexrsa.formats.rdms import RDMs
from cortexrsa.geometry.regions import brain_rdms
from cortexrsa.inference.ceilings.bounds import Ceiling
from cortexrsa.inference.ceilings.moments import moment_ceiling
from cortexrsa.inference.ceilings.primary import primary_ceilings
from cortexrsa.inference.ceilings.repeats import voxel_half_ceiling
from cortexrsa.inference.ceilings.table import ceiling_table
from cortexrsa.inference.replication import replication
from cortexrsa.inference.settings import Settings

REPEATS = {"train": 2, "test": 13}


def test_variances_of_signal_and_noise_follow_from_two_averages():
    # Kay's 2 and 13 repeats: s = (13 V_te - 2 V_tr) / 11, n = (26 / 11)(V_tr - V_te)
    signal, noise = signal_and_noise(np.array([1.0, 1.0]), np.array([0.4, 0.1]), 2, 13)
    np.testing.assert_allclose(signal, [(13 * 0.4 - 2) / 11, (13 * 0.1 - 2) / 11])
    np.testing.assert_allclose(noise, [26 / 11 * 0.6, 26 / 11 * 0.9])
    s, n = signal_and_noise(0.3 + 1.7 / 2, 0.3 + 1.7 / 13, 2, 13)
    assert (s, n) == (pytest.approx(0.3), pytest.approx(1.7))


def averages(reliability=0.48, sizes=(250, 120), voxels=60, subjects=("sub-01",), seed=0, **options):
    """Responses as loaders give them, of two ROIs: one with signal, one of noise alone."""
    blocks, names = [], []
    for number, subject in enumerate(subjects):
        for roi in ("V1", "noise"):
            train, test, _ = moment_ceilings.world(
                "gaussian", "shared", reliability, seed + number, sizes, voxels, **options
            )
            values = np.concatenate([train, test[0]])
            if roi == "noise":
                generator = np.random.default_rng(9)
                values = generator.normal(size=values.shape)
                values[sizes[0] :] *= np.sqrt(2 / 13)
            blocks.append(values)
            names += [(subject, roi)] * voxels
    n = sum(sizes)
    split = np.repeat(["train", "test"], sizes)
    return xarray.DataArray(
        np.concatenate(blocks, 1),
        dims=("stimulus", "voxel"),
        coords={
            "stimulus_id": ("stimulus", [f"s{index}" for index in range(n)]),
            "split": ("stimulus", split),
            "repeats": ("stimulus", np.where(split == "train", 2, 13)),
            "subject": ("voxel", [name[0] for name in names]),
            "roi": ("voxel", [name[1] for name in names]),
        },
    )


def test_voxel_reliability_from_averages():
    table = reliability_table(averages(sizes=(1500, 120), voxels=200))
    medians = table.groupby(["roi", "split"])["reliability"].median()
    assert medians["V1", "test"] == pytest.approx(0.48, abs=0.06)
    # the average over 2 presentations: 1 / (1 + (13 / 2)(1 / .48 - 1))
    assert medians["V1", "train"] == pytest.approx(1 / (1 + 6.5 * (1 / 0.48 - 1)), abs=0.03)
    assert abs(medians["noise", "test"]) < 0.05
    assert table.groupby("split")["repeats"].first().to_dict() == {"test": 13, "train": 2}


def test_averages_over_equal_or_unknown_repeats_tell_nothing():
    responses = averages()
    for other in (
        responses.drop_vars("repeats"),
        responses.assign_coords(repeats=("stimulus", np.full(370, 2))),
        responses.isel(stimulus=responses["split"].to_numpy() == "test"),
    ):
        assert repeats_of(other) is None
        assert reliability_table(other).empty


@pytest.mark.parametrize(
    ("signal", "noise", "reliability"),
    [("gaussian", "independent", 0.48), ("categories", "shared", 0.2), ("contrast", "aligned", 0.48)],
)
def test_bounds_are_near_the_true_ones(signal, noise, reliability):
    cases = [
        moment_ceilings.bounds(
            seed=seed, signal=signal, noise=noise, reliability=reliability, draws=100, halves=4
        )
        for seed in range(3)
    ]
    found = pd.DataFrame(cases).mean()
    # biases of the table in docs/statistics.md, and the error of three worlds
    assert found["RDM reliability"] == pytest.approx(found["true RDM reliability"], abs=0.08)
    assert found["attainable"] == pytest.approx(found["true attainable"], abs=0.08)
    if noise != "independent":
        # the optimistic end of the bracket
        assert found["halves attainable"] > found["attainable"]


@pytest.mark.parametrize(("test_noise", "sign"), [(0.5, -1), (1.5, 1)])
def test_bounds_err_in_the_stated_direction_where_noise_differs(test_noise, sign):
    # quieter test images than assumed: the bound is too low; noisier ones: too high
    case = {"signal": "gaussian", "noise": "shared", "reliability": 0.48, "test_noise": test_noise}
    found = moment_ceilings.bounds(seed=1, draws=50, halves=2, **case)
    assert np.sign(found["RDM reliability"] - found["true RDM reliability"]) == sign
    assert abs(found["RDM reliability"] - found["true RDM reliability"]) > 0.04


def split_patterns(responses, roi="V1"):
    own = responses.isel(voxel=(responses["roi"] == roi).to_numpy())
    return {split: own.to_numpy()[own["split"].to_numpy() == split] for split in ("train", "test")}


@pytest.mark.parametrize("dissimilarity", ["correlation", "euclidean", "cosine"])
def test_training_images_are_bounded_lower(dissimilarity):
    patterns = split_patterns(averages())
    settings = Settings(bootstrap=50)
    bounds = {
        split: moment_ceiling(patterns, REPEATS, split, dissimilarity, "spearman", settings)
        for split in patterns
    }
    for row in bounds.values():
        assert 0 < row.reliability < row.attainable < 1
        assert row.reliability_ci_low < row.reliability
        assert row.attainable_ci_low < row.attainable < row.attainable_ci_high <= 1
    assert bounds["train"].attainable < bounds["test"].attainable


def test_without_signal_the_interval_reaches_zero():
    patterns = split_patterns(averages(), "noise")
    row = moment_ceiling(patterns, REPEATS, "test", "correlation", "spearman", Settings(bootstrap=200))
    assert row.reliability_ci_low < 0
    assert row.reliability < 0.2


def test_the_same_seed_gives_the_same_bounds():
    patterns = split_patterns(averages())
    settings = Settings(bootstrap=20, seed=3, ceiling_splits=3)
    arguments = ("correlation", "spearman", settings)
    first, second = (moment_ceiling(patterns, REPEATS, "test", *arguments) for _ in range(2))
    assert first == second
    method = replication(len(patterns["test"]), settings)
    halves = [voxel_half_ceiling(patterns["test"], method, *arguments) for _ in "ab"]
    assert halves[0] == halves[1]


INFERENCE = Settings(bootstrap=20, ceiling_splits=3)
FIXED = replace(INFERENCE, subject_effect="fixed")


def test_averages_get_both_ends_of_the_bracket_in_the_table():
    responses, _ = clean_responses(averages())
    table = ceiling_table(brain_rdms(responses, "correlation"), responses, "kay", "spearman", INFERENCE)
    assert set(table["kind"]) == {"moments", "voxel-halves"}
    assert len(table) == 2 * 2 * 2
    assert table["assumes"].notna().all()
    bounds = primary_ceilings(table)
    # what bounds the scores is the moment estimate of the test images
    assert {roi: row["kind"] for roi, row in bounds.items()} == {"V1": "moments", "noise": "moments"}
    assert bounds["V1"]["reliability_ci_low"] > 0 > bounds["noise"]["reliability_ci_low"]


def noiseless(responses, subject):
    """As if there were no noise: the test images of one subject vary as much as the training images."""
    own = (responses["subject"] == subject) & (responses["split"] == "test")
    return responses.where(~own, 3 * responses)


def test_averages_that_tell_no_noise_leave_the_ceiling_unknown():
    responses, _ = clean_responses(noiseless(averages(), "sub-01"))
    table = ceiling_table(brain_rdms(responses, "correlation"), responses, "kay", "spearman", INFERENCE)
    assert set(table["kind"]) == {"unknown", "voxel-halves"}
    assert table.loc[table["kind"] == "unknown", Ceiling.names()].isna().all(axis=None)
    assert {row["kind"] for row in primary_ceilings(table).values()} == {"unknown"}


def test_a_group_with_an_unknown_ceiling_has_none():
    responses, _ = clean_responses(noiseless(averages(subjects=("sub-S1", "sub-S2")), "sub-S1"))
    table = ceiling_table(brain_rdms(responses, "correlation"), responses, "vim1", "spearman", FIXED)
    assert "moments" in set(table.loc[table["subject"] == "sub-S2", "kind"])
    assert set(table.loc[table["subject"] == "group", "kind"]) == {"unknown", "voxel-halves"}
    bounds = primary_ceilings(table)["V1"]
    assert (bounds["subject"], bounds["kind"]) == ("group", "unknown")


@pytest.mark.slow
def test_fixed_subjects_have_the_mean_of_their_ceilings():
    responses, _ = clean_responses(averages(subjects=("sub-S1", "sub-S2")))
    rdms = brain_rdms(responses, "correlation")
    assert isinstance(rdms, RDMs)
    table = ceiling_table(rdms, responses, "vim1", "spearman", FIXED)
    assert "subjects" not in set(table["kind"])
    part = table[(table["split"] == "test") & (table["roi"] == "V1") & (table["kind"] == "moments")]
    bounds = part.set_index("subject")["attainable"]
    assert bounds["group"] == pytest.approx((bounds["sub-S1"] + bounds["sub-S2"]) / 2)
    assert primary_ceilings(table)["V1"]["subject"] == "group"
    # random subjects: the same table, and the ceiling between subjects
    random = replace(INFERENCE, subject_effect="random")
    table = ceiling_table(rdms, responses, "vim1", "spearman", random)
    assert primary_ceilings(table)["V1"]["kind"] == "subjects"
