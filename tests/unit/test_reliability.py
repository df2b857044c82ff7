"""Split-half reliability against known truth."""

import numpy as np
import pytest
import xarray

from cortexrsa.brain.reliability import (
    bound_of_r,
    noise_ceiling,
    reliability_table,
    split_half_reliability,
)
from cortexrsa.formats.columns.reliability import RELIABILITY


def planted(n, repeats, reliability, seed=0):
    """Trials (n, repeats, v) whose averages have the given reliabilities (v,) in expectation."""
    rng = np.random.default_rng(seed)
    noise_sd = np.sqrt(repeats * (1 / np.asarray(reliability) - 1))
    signal = rng.standard_normal((n, 1, len(noise_sd)))
    return signal + noise_sd * rng.standard_normal((n, repeats, len(noise_sd)))


@pytest.mark.parametrize("repeats", [2, 3, 8, 13])
def test_recovers_the_planted_reliability(repeats):
    truth = np.repeat([0.2, 0.5, 0.8, 0.95], 50)
    found = split_half_reliability(planted(400, repeats, truth), splits=20).reshape(4, 50).mean(axis=1)
    np.testing.assert_allclose(found, [0.2, 0.5, 0.8, 0.95], atol=0.04)


def test_pure_noise_has_none():
    noise = np.random.default_rng(3).standard_normal((300, 6, 400))
    assert abs(split_half_reliability(noise, splits=20).mean()) < 0.02


def test_two_repeats_are_the_plain_formula():
    trials = planted(1000, 2, [0.3, 0.6, 0.9])
    # which repeat comes first is drawn for each stimulus: in expectation, both orders are entered
    first, second = np.concatenate([trials[:, 0], trials[:, 1]]), np.concatenate([trials[:, 1], trials[:, 0]])
    r = np.array([np.corrcoef(first[:, v], second[:, v])[0, 1] for v in range(3)])
    np.testing.assert_allclose(split_half_reliability(trials, splits=100), 2 * r / (1 + r), atol=0.01)


def test_identical_repeats_are_perfectly_reliable():
    signal = np.random.default_rng(0).standard_normal((30, 1, 4))
    np.testing.assert_allclose(split_half_reliability(np.repeat(signal, 5, axis=1), splits=5), 1)


def test_padding_changes_nothing_in_expectation_and_is_never_averaged():
    trials = planted(200, 6, np.full(40, 0.6))
    padded = np.concatenate([trials, np.full((200, 4, 40), np.nan)], axis=1)
    with_padding = split_half_reliability(padded, splits=100)
    without = split_half_reliability(trials, splits=100)
    np.testing.assert_allclose(with_padding, without, atol=0.03)


def test_stimuli_with_a_single_repeat_are_left_out():
    trials = planted(100, 4, [0.5, 0.7])
    single = np.full((20, 4, 2), np.nan)
    single[:, 0] = 1e6
    both = np.concatenate([trials, single])
    np.testing.assert_array_equal(split_half_reliability(both, 10), split_half_reliability(trials, 10))


def test_mixed_numbers_of_repeats_use_each_stimulus_own():
    trials = planted(400, 6, np.full(60, 0.6))
    trials[:200, 4:] = np.nan
    # reliability of an average of 4 and of 6 of these repeats: .5 and .6
    assert 0.48 < split_half_reliability(trials, 20).mean() < 0.62


def test_voxel_without_variance_or_with_missing_trials_is_nan():
    trials = planted(50, 4, [0.5, 0.5, 0.5])
    trials[:, :, 1] = 0.1
    trials[7, 2, 2] = np.nan
    found = split_half_reliability(trials, splits=5)
    np.testing.assert_array_equal(np.isnan(found), [False, True, True])


def test_opposite_halves_stay_in_range():
    trials = np.empty((9, 2, 1))
    trials[:, 0, 0] = np.arange(9) - 4.0
    trials[:, 1, 0] = 4.0 - np.arange(9)
    found = split_half_reliability(trials, splits=50)
    assert found[0] == pytest.approx(-1)


def test_same_seed_same_result():
    trials = planted(30, 5, [0.5, 0.7])
    first, again = (split_half_reliability(trials, 7, seed=4) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (first != split_half_reliability(trials, 7, seed=5)).any()


@pytest.mark.parametrize(
    ("trials", "splits", "message"), [((10, 1, 2), 5, "two repeats"), ((10, 4, 2), 0, "splits")]
)
def test_refuses_what_cannot_be_halved(trials, splits, message):
    with pytest.raises(ValueError, match=message):
        split_half_reliability(np.ones(trials), splits)


def measured(trials, split):
    n, _, voxels = trials.shape
    return xarray.DataArray(
        trials,
        dims=("stimulus", "repeat", "voxel"),
        coords={
            "stimulus_id": ("stimulus", [f"s{i}" for i in range(n)]),
            "split": ("stimulus", split),
            "subject": ("voxel", ["sub-01"] * voxels),
            "roi": ("voxel", ["V1", "LO"] * (voxels // 2)),
        },
    )


def test_table_has_a_row_for_each_voxel_and_split():
    trials = planted(90, 6, [0.5, 0.7, 0.6, 0.8])
    trials[:60, 2:] = np.nan
    table = reliability_table(measured(trials, ["train"] * 60 + ["test"] * 30), splits=5, seed=2)
    assert list(table.columns) == list(RELIABILITY.columns)
    assert table.groupby("split")["repeats"].unique().explode().to_dict() == {"train": 2, "test": 6}
    assert list(table["roi"]) == ["V1", "LO"] * 4
    for split, part in (("train", trials[:60, :2]), ("test", trials[60:])):
        # the padding draws other halves
        expected = split_half_reliability(part, 200).mean()
        found = table.loc[table["split"] == split, "reliability"].mean()
        assert found == pytest.approx(expected, abs=0.1)


def test_table_leaves_out_a_split_without_repeats_and_says_nothing_of_averages():
    trials = planted(40, 4, [0.5, 0.7])
    trials[:20, 1:] = np.nan
    responses = measured(trials, ["train"] * 20 + ["test"] * 20)
    assert set(reliability_table(responses, splits=3)["split"]) == {"test"}
    averages = reliability_table(responses.mean("repeat"), splits=3)
    assert averages.empty
    assert list(averages.columns) == list(RELIABILITY.columns)


# ---- noise ceilings --------------------------------------------------------------------------------------


def published_noise_ceiling(trials):
    """The formula of Allen et al. 2022 for one voxel, written out; images shown three times."""
    variances = []
    for image in trials:
        shown = [x for x in image if not np.isnan(x)]
        mean = sum(shown) / len(shown)
        variances.append(sum((x - mean) ** 2 for x in shown) / (len(shown) - 1))
    noise_sd = (sum(variances) / len(variances)) ** 0.5
    signal_sd = max(0.0, 1 - noise_sd**2) ** 0.5
    ncsnr = signal_sd / noise_sd
    ones = [1 / sum(not np.isnan(x) for x in image) for image in trials]
    return ncsnr, 100 * ncsnr**2 / (ncsnr**2 + sum(ones) / len(ones))


def test_noise_ceilings_are_those_of_the_published_formula():
    trials = planted(60, 3, [0.2, 0.5, 0.9])
    trials /= trials.std(axis=(0, 1))
    ncsnr, nc = noise_ceiling(trials)
    for v in range(3):
        assert (ncsnr[v], nc[v]) == pytest.approx(published_noise_ceiling(trials[..., v]), rel=1e-12)
    # images with one trial tell no noise, but have means of one
    single = np.concatenate([trials, np.full((20, 3, 3), np.nan)])
    single[60:, 0] = 5.0
    again, lower = noise_ceiling(single)
    np.testing.assert_array_equal(again, ncsnr)
    np.testing.assert_allclose(lower, 100 * ncsnr**2 / (ncsnr**2 + (60 / 3 + 20) / 80))


def test_noise_ceilings_are_the_planted_share_of_the_variance():
    truth = np.repeat([0.2, 0.5, 0.8], 40)
    trials = planted(800, 3, truth)
    total = trials.reshape(-1, 120).var(axis=0, ddof=1)
    nc = noise_ceiling(trials, total)[1].reshape(3, 40).mean(axis=1) / 100
    np.testing.assert_allclose(nc, [0.2, 0.5, 0.8], atol=0.03)
    halves = split_half_reliability(trials, 20).reshape(3, 40).mean(axis=1)
    np.testing.assert_allclose(halves, nc, atol=0.03)


def test_a_voxel_of_noise_or_with_missing_trials():
    trials = planted(50, 3, [0.5, 0.5])
    # more variance within stimuli than in all: nothing is left for the signal
    trials[..., 0] *= 10
    trials[4, 1, 1] = np.nan
    ncsnr, nc = noise_ceiling(trials)
    assert (ncsnr[0], nc[0]) == (0, 0)
    assert np.isnan([ncsnr[1], nc[1]]).all()
    with pytest.raises(ValueError, match="2 repeats"):
        noise_ceiling(trials[:, :1])


def test_bounds_of_r_are_roots_of_shares_of_variance():
    found = bound_of_r(np.array([0.25, 1.0, 0.0, -0.1, np.nan]))
    np.testing.assert_array_equal(found, [0.5, 1, 0, np.nan, np.nan])


@pytest.mark.parametrize("zscore", ["session", "none"])
def test_table_has_the_ceilings_of_trials(zscore):
    trials = planted(40, 3, [0.5, 0.7]) * 3
    responses = measured(trials, ["test"] * 40).assign_attrs(zscore=zscore)
    table = reliability_table(responses, splits=3)
    total = 1.0 if zscore == "session" else trials.reshape(-1, 2).var(axis=0, ddof=1)
    ncsnr, nc = noise_ceiling(trials, total)
    np.testing.assert_array_equal(table["ncsnr"], ncsnr)
    np.testing.assert_array_equal(table["nc"], nc)
    np.testing.assert_allclose(table["r_nc"], np.sqrt(nc / 100))
    np.testing.assert_allclose(table["r_reliability"] ** 2, table["reliability"])


def test_subjects_with_other_repeats_have_reliabilities_of_their_own():
    trials = planted(60, 6, [0.5, 0.7, 0.5, 0.7])
    trials[:, 3:, 2:] = np.nan
    responses = measured(trials, ["test"] * 60)
    responses["subject"] = ("voxel", ["sub-01"] * 2 + ["sub-02"] * 2)
    table = reliability_table(responses, splits=20)
    assert table["repeats"].tolist() == [6, 6, 3, 3]
    for own, part in ((slice(0, 2), trials[..., :2]), (slice(2, 4), trials[:, :3, 2:])):
        np.testing.assert_allclose(table["reliability"][own], split_half_reliability(part, 200), atol=0.1)
        np.testing.assert_array_equal(
            table["ncsnr"][own], noise_ceiling(part, part.reshape(-1, 2).var(0, ddof=1))[0]
        )
