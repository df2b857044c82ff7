"""Voxels as a sample too: RDMs without groups of them, and the errors of what compares ROIs."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray

from cortexrsa.claim_names import Cast
from cortexrsa.errors import InputError
from cortexrsa.formats.netcdf import write_dataset
from cortexrsa.geometry.crossnobis import prepared, rdm_of_trials
from cortexrsa.geometry.matched_noise import Noise, noisy_averages
from cortexrsa.geometry.rdm import rdm
from cortexrsa.geometry.registry import DISSIMILARITIES
from cortexrsa.geometry.voxel_groups import brain_rdms_without, contiguous, rdms_without
from cortexrsa.inference.claims.evaluate import evaluate
from cortexrsa.inference.claims.study import Study
from cortexrsa.inference.claims.terms import Reading, compares_rois
from cortexrsa.inference.errors import over_subjects
from cortexrsa.inference.replication import OnePass
from cortexrsa.inference.settings import Settings
from cortexrsa.inference.study import model_scores, read_results
from cortexrsa.inference.voxels import noise_said, over_voxels
from cortexrsa.validation.recovery import QUESTIONS
from cortexrsa.validation.regions import ROIS, World, contrasts_of_rois, scored
from cortexrsa.validation.responses import responses_of
from support import ceiling

QUICK = Settings(standard_error="one-pass", permutations=1, halves=2)


@pytest.mark.parametrize("dissimilarity", list(DISSIMILARITIES))
def test_rdms_without_a_group_are_those_of_the_other_voxels(dissimilarity):
    generator = np.random.default_rng(0)
    # a large mean: what is left after a subtraction must not be its rounding
    trials = 1e4 + generator.normal(size=(9, 3, 20))
    trials[2, 2] = np.nan
    groups = generator.permutation(np.arange(20) % 4)
    for group, found in enumerate(rdms_without(trials, groups, dissimilarity)):
        kept = prepared(trials[..., groups != group], dissimilarity)
        np.testing.assert_allclose(found, rdm_of_trials(kept, dissimilarity), rtol=1e-6, atol=1e-9)


def test_a_pattern_that_is_constant_without_a_group_has_no_correlation():
    trials = np.random.default_rng(0).normal(size=(5, 1, 8))
    trials[1, 0, :6] = 0.3
    first, second = rdms_without(trials, np.repeat([0, 1], [6, 2]), "correlation")
    assert np.isnan(second[0])
    assert np.isfinite(first).all()


def test_groups_of_voxels_lie_together_and_are_of_one_size():
    places = np.stack(np.meshgrid(*map(np.arange, (12, 5, 4)), indexing="ij"), axis=-1).reshape(-1, 3)
    places = np.random.default_rng(0).permutation(places)
    groups = contiguous(places, 7)
    sizes = np.bincount(groups)
    assert len(sizes) == 7
    assert np.ptp(sizes) <= 2
    spread = [places[groups == group].var(axis=0).sum() for group in range(7)]
    assert max(spread) < 0.4 * places.var(axis=0).sum()


def responses(**places):
    generator = np.random.default_rng(1)
    coords = {
        "stimulus_id": ("stimulus", [f"{k}" for k in range(10)]),
        "split": ("stimulus", ["test"] * 10),
        "subject": ("voxel", ["01"] * 24),
        "roi": ("voxel", ["V1"] * 12 + ["LO"] * 12),
    }
    coords |= {name: ("voxel", values) for name, values in places.items()}
    return xarray.DataArray(generator.normal(size=(10, 24)), dims=("stimulus", "voxel"), coords=coords)


def test_rdms_without_groups_of_every_roi():
    rows = np.arange(24) % 3
    found, texts = brain_rdms_without(responses(i=rows, j=0 * rows, k=0 * rows), "correlation", 3)
    assert not texts
    table = found.rdm_descriptors
    assert list(table["roi"]) == ["V1"] * 4 + ["LO"] * 4
    assert list(table["group"]) == [-1, 0, 1, 2] * 2
    assert set(table["noise"]) == {"averages"}
    values = responses().to_numpy()[:, 12:]
    np.testing.assert_allclose(found.dissimilarities[4], rdm(values))
    np.testing.assert_allclose(found.dissimilarities[6], rdm(values[:, rows[12:] != 1]))
    unplaced, texts = brain_rdms_without(responses(), "correlation", 3)
    assert "follow their order" in texts[0]
    np.testing.assert_allclose(unplaced.dissimilarities[1], rdm(responses().to_numpy()[:, 4:12]))
    with pytest.raises(InputError, match="13, but 12 voxels in V1 of 01"):
        brain_rdms_without(responses(), "correlation", 13)


def repeated(noise, n=200, repeats=4, voxels=30):
    """Trials of one signal with noise that neighbours share, of the given variance."""
    generator = np.random.default_rng(7)
    mixing = np.sqrt(noise) * (np.eye(voxels) + 0.5 * np.eye(voxels, k=1))
    return generator.normal(size=(n, 1, voxels)) + generator.normal(size=(n, repeats, voxels)) @ mixing.T


def test_noise_of_a_roi_is_found_and_brought_down_to_a_reliability():
    trials = repeated(1.0)
    noise = Noise.of(trials)
    assert noise.signal == pytest.approx(1, rel=0.1)
    assert noise.trial == pytest.approx(1.25, rel=0.05)
    assert noise.reliability == pytest.approx(1 / (1 + 1.25 / 4), abs=0.02)
    everywhere = np.ones(len(trials), bool)
    (noisy,) = noisy_averages(trials, everywhere, noise.added(0.3), 1, np.random.default_rng(0))
    signal_and_noise = noisy[:, 0].var(axis=0, ddof=1).mean()
    assert noise.signal / signal_and_noise == pytest.approx(0.3, abs=0.02)
    # with the covariance of the trials' noise: neighbours share it
    added = noisy[:, 0] - trials.mean(axis=1)
    assert np.corrcoef(added[:, :-1].ravel(), added[:, 1:].ravel())[0, 1] > 0.3
    assert noise.added(0.95) == 0
    assert Noise.of(trials[:, :1]) is None


def test_stimuli_of_another_split_keep_their_averages():
    trials, keep = repeated(1.0), np.arange(200) < 80
    (noisy,) = noisy_averages(trials, keep, 2.0, 1, np.random.default_rng(0))
    np.testing.assert_array_equal(noisy[~keep, 0], trials[~keep].mean(axis=1))
    assert (noisy[keep, 0] != trials[keep].mean(axis=1)).all()


def unequal():
    """A reliable and an unreliable ROI, 20 stimuli."""
    patterns = pd.DataFrame({"stimulus_id": [f"{k}" for k in range(20)], "split": "test"})
    return responses_of({"V1": repeated(0.5, 20), "LO": repeated(8.0, 20)}, patterns)


def test_the_noise_of_rois_is_matched_in_several_draws():
    found, _ = brain_rdms_without(unequal(), "correlation", 4)
    table = found.rdm_descriptors
    assert set(table["noise"]) == {"matched"}
    drawn = table.groupby("roi")["draw"].nunique()
    assert drawn.to_dict() == {"V1": 4, "LO": 1}
    levels = table.groupby("roi")["reliability"].first()
    assert (table["target"] == levels["LO"]).all()
    assert levels["V1"] > 0.8
    again, _ = brain_rdms_without(unequal(), "correlation", 4)
    np.testing.assert_array_equal(found.dissimilarities, again.dissimilarities)
    ignored, _ = brain_rdms_without(unequal(), "correlation", 4, unequal_noise="ignored")
    assert len(ignored.dissimilarities) == 10
    assert set(ignored.rdm_descriptors["noise"]) == {"ignored"}
    free, _ = brain_rdms_without(unequal(), "crossnobis", 4)
    assert set(free.rdm_descriptors["noise"]) == {"crossnobis"}


def pseudovalues(whole, without):
    """What each of k parts adds to a score (Tukey 1958)."""
    return len(without) * whole - (len(without) - 1) * without


@pytest.fixture(scope="module")
def result():
    return scored(*World("same layer, unequal noise").sample(50, np.random.default_rng(4)), QUICK)


def test_voxels_of_one_roi_are_added_as_people_are(result):
    """The score of one layer in one ROI, against pseudovalues in the place of people."""
    part = result.sel(split="test")
    sampled = model_scores(result, 1, voxels=True).scores.apply(lambda scores: scores[..., 0, 3])
    score = float(part["score_contrast"][0, 0, 3])
    without = score + part["score_voxels"][:, 0, 0, 3].to_numpy()
    people = over_subjects(
        pseudovalues(score, without)[:, None],
        np.zeros((sum(OnePass(38, 1).replicates.sizes), len(without), 1)),
        OnePass(38, 1).replicates,
        0,
    )
    _, blocks, _ = sampled._without_voxels()
    own = sampled.voxels.weight * (blocks[0].var() * len(blocks[0]))
    assert own == pytest.approx(float(people.evaluated().variance[0]))
    assert not np.ptp(blocks[1])
    found, alone = sampled.evaluated(), sampled._without_voxels()[0].evaluated()
    assert alone.variance <= found.variance < alone.variance + own
    assert found.value == score


def test_the_interaction_with_stimuli_is_that_of_single_pseudovalues():
    """Random signs give the sum of squares of all groups in expectation."""
    generator = np.random.default_rng(2)
    groups, method = 10, OnePass(38, 1)
    deviations = generator.normal(size=(sum(method.replicates.sizes), groups))
    around = deviations - deviations.mean(axis=1, keepdims=True)
    signs = generator.choice([-1.0, 1.0], size=around.shape)
    crossed = np.sqrt((groups - 1) / groups) * (signs * around).sum(axis=1)

    def variance(rows):
        return float(method.replicates.variance(rows[:, None], lambda v: v.var(axis=0) * len(v))[0])

    expected = (groups - 1) / groups * sum(variance(around[:, k]) for k in range(groups))
    assert variance(crossed) == pytest.approx(expected, rel=0.15)


def test_layers_chosen_elsewhere_are_those_of_the_whole_roi(result):
    part = result.sel(split="test")
    gap = np.abs(part["score"][0] - part["heldout"][0, :, 0]).to_numpy()
    for roi, layer in enumerate(gap.argmin(axis=1)):
        assert gap[roi, layer] < 1e-12
        for kind in ("contrast", "voxels", "crossed"):
            ours, whole = part[f"heldout_{kind}"][..., 0, roi, 0], part[f"score_{kind}"][..., 0, roi, layer]
            np.testing.assert_allclose(ours, whole, atol=1e-7)


def test_where_nothing_is_matched_contrasts_are_of_the_scores_themselves(result):
    """The less reliable ROI has nothing added to it."""
    part = result.sel(split="test")
    np.testing.assert_allclose(part["score_contrast"][0, 1], part["score"][0, 1], atol=1e-9)
    assert (np.abs(part["score_contrast"][0, 0] - part["score"][0, 0]) > 1e-3).all()
    assert noise_said(part).startswith(
        "with noise added to responses until the ROIs' reliabilities (early 0.9"
    )


def test_two_people_as_they_are_have_half_the_variance_each(result):
    part = result.sel(split="test")
    alone = over_voxels(part, 1)
    two = part.isel(subject=[0, 0]).assign_attrs(subject_effect="fixed")
    both = over_voxels(two, 1)

    def blocks(scores):
        return scores.voxels.weight * sum(b.var(axis=0) * len(b) for b in scores._without_voxels()[1])

    np.testing.assert_allclose(blocks(both), blocks(alone) / 2)
    assert both.voxels.dof == 2 * alone.voxels.dof


def test_voxels_of_one_person_are_a_sample_whatever_the_group_is(result):
    shared = replace(QUICK, group="mean-rdm")
    found = scored(*World("same layer, unequal noise").sample(50, np.random.default_rng(4)), shared)
    own = [name for name in found if not name.startswith("group_")]
    xarray.testing.assert_equal(found[own], result)
    np.testing.assert_array_equal(found["group_score"], result["score"])


def test_what_compares_rois():
    late = Reading("score", "resnet18", ("LO",), layer="best")
    early = replace(late, rois=("V1",))
    other_late, other_early = (replace(each, network="vae") for each in (late, early))
    assert compares_rois([(1, late), (-1, early)])
    assert not compares_rois([(1, late), (-1, other_late)])
    # a mean over ROIs of differences of networks, and a difference of these differences
    assert not compares_rois([(0.5, late), (-0.5, other_late), (0.5, early), (-0.5, other_early)])
    assert compares_rois([(1, late), (-1, other_late), (-1, early), (1, other_early)])
    assert compares_rois([(1, late), (-1, replace(early, layer="last"))])
    joined = Reading("correlation", "resnet18", ("V1", "LO"), "simclr", ("V1", "LO"))
    assert not compares_rois([(1, joined)])
    assert compares_rois([(1, replace(joined, kind="largest difference", rois=("V1",), other_rois=("LO",)))])


@pytest.mark.slow
def test_rois_that_hold_one_layer_are_rarely_told_apart():
    rates = contrasts_of_rois("same layer", 40, 60).set_index(["statistic", "voxels"])["rate"]
    slopes = rates["difference of slopes"]
    assert slopes["as they are"] >= slopes["a sample"]
    # 5 % of 60 allows up to 7 (99 %)
    assert slopes["a sample"] <= 7 / 60


def test_claims_that_compare_rois_say_what_they_generalise_over(result, tmp_path):
    write_dataset(tmp_path / "network.nc", result, {})
    found = read_results([tmp_path / "network.nc"])["network"]
    ceilings = {roi: ceiling("split-half", 0.5, 0.4, 0.7) for roi in ROIS}
    study = Study({"network": model_scores(found, 1)}, list(ROIS), ceilings, Cast(), 0.95)
    compared = QUESTIONS["claims"][0]
    alone = {"score": "best", "roi": "late"}
    claims = [compared, compared | {"id": "one ROI", "statistic": alone}]
    content = QUESTIONS | {"claims": claims}

    def rows():
        table = evaluate([study], {"recovery": content})
        return table[table["statistic"] != "overall"].set_index("claim")

    fixed = rows()
    assert fixed.loc["H1", "reason"].endswith("; over stimuli, not over voxels")
    sample = {"network": model_scores(found, 1, voxels=True)}
    study.over_voxels = replace(study, models=sample, noise="with matched noise")
    sampled = rows()
    assert sampled.loc["H1", "reason"].endswith("; over stimuli and voxels, with matched noise")
    width = sampled["ci_high"] - sampled["ci_low"]
    assert width["H1"] > (fixed["ci_high"] - fixed["ci_low"])["H1"]
    assert (sampled.loc["one ROI"] == fixed.loc["one ROI"])[["ci_low", "ci_high", "reason"]].all()
