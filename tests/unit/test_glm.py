"""Betas against nilearn's FirstLevelModel, fitted by itself for every trial on whole volumes."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.glm.first_level import FirstLevelModel, make_first_level_design_matrix, run_glm
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

from cortexrsa.brain import glm
from cortexrsa.brain.assembly import standardise
from cortexrsa.brain.glm import (
    condition_number,
    errors_of_all,
    errors_of_separate,
    frame_times,
    regressors,
    run_betas,
)
from cortexrsa.brain.settings import GLMSettings
from cortexrsa.errors import InputError

TR, SCANS, SHAPE = 2.0, 70, (5, 4, 3)
SETTINGS = GLMSettings(slice_time_ref=0.0)


@pytest.fixture(scope="module")
def run():
    """A run of 24 presentations of 10 stimuli: volumes (x, y, z, scans) with drift and AR noise, events."""
    rng = np.random.default_rng(5)
    noise = rng.standard_normal((*SHAPE, SCANS))
    for t in range(1, SCANS):
        noise[..., t] += rng.uniform(-0.2, 0.6, SHAPE) * noise[..., t - 1]
    drift = np.linspace(-3, 3, SCANS) * rng.standard_normal((*SHAPE, 1))
    volumes = 500 + 5 * noise + drift + 3 * np.sin(np.arange(SCANS) / 3)
    onsets = 4 + np.cumsum(rng.uniform(3, 6, 24))
    stimuli = [f"s{k}" for k in [*range(10), *range(10), 0, 1, 2, 3]]
    events = pd.DataFrame({"onset": onsets, "duration": 1.5, "stimulus_id": rng.permutation(stimuli)})
    return volumes.astype(np.float32), events


def flat(volumes):
    return volumes.reshape(-1, volumes.shape[-1]).T


def first_level_model(volumes, events, settings, condition):
    """Beta image (v,) of one condition by FirstLevelModel, without a mask."""
    image = nib.Nifti1Image(volumes, np.eye(4))
    everywhere = nib.Nifti1Image(np.ones(volumes.shape[:3], np.uint8), np.eye(4))
    model = FirstLevelModel(
        t_r=TR,
        hrf_model=settings.hrf,
        drift_model=settings.drift,
        high_pass=settings.high_pass,
        noise_model=settings.noise,
        slice_time_ref=settings.slice_time_ref,
        mask_img=everywhere,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(image, events=events[["onset", "duration", "trial_type"]])
        effect = model.compute_contrast(condition, output_type="effect_size")
    return effect.get_fdata().reshape(-1)


def nilearn_beta(volumes, events, settings, condition, confounds=None):
    """What FirstLevelModel does inside (the test below holds it to that), several times faster."""
    design = make_first_level_design_matrix(
        TR * (np.arange(SCANS) + settings.slice_time_ref),
        events[["onset", "duration", "trial_type"]],
        hrf_model=settings.hrf,
        drift_model=None if settings.drift == "none" else settings.drift,
        high_pass=settings.high_pass,
        drift_order=settings.drift_order,
        add_regs=confounds,
    )
    scaled = 100 * (flat(volumes) / flat(volumes).mean(axis=0) - 1)
    labels, results = run_glm(scaled, design.to_numpy(), noise_model=settings.noise)
    betas = np.empty(len(labels))
    for label, result in results.items():
        betas[labels == label] = result.theta[design.columns.get_loc(condition)]
    return betas


def betas_of(volumes, events, settings, confounds=None):
    times = frame_times(volumes.shape[-1], TR, settings.slice_time_ref)
    return run_betas(flat(volumes), events, times, settings, confounds)[:3]


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"noise": "ols"},
        {"hrf": "glover", "slice_time_ref": 0.5},
        {"hrf": "spm + derivative"},
        {"hrf": "glover + derivative + dispersion", "noise": "ols"},
        {"drift": "polynomial", "drift_order": 3},
        {"drift": "none"},
    ],
    ids=str,
)
def test_least_squares_separate_is_nilearns(run, change):
    """One model a trial, in which all other trials are one condition (nilearn's example of LSS)."""
    volumes, events = run
    settings = replace(SETTINGS, **change)
    betas, rows, _ = betas_of(volumes, events, settings)
    assert betas.dtype == np.float32
    assert list(rows["stimulus_id"]) == list(events["stimulus_id"])
    for trial in (0, 11, 23):
        named = events.assign(trial_type=np.where(np.arange(24) == trial, "trial", "others"))
        expected = nilearn_beta(volumes, named, settings, "trial")
        np.testing.assert_allclose(betas[trial], expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["trial-lss", "trial-lsa", "stimulus"])
def test_betas_are_those_of_a_first_level_model_on_the_whole_volume(run, kind):
    volumes, events = run
    betas, rows, _ = betas_of(volumes, events, replace(SETTINGS, betas=kind))
    names = {
        "trial-lss": np.where(np.arange(24) == 11, "chosen", "others"),
        "trial-lsa": [f"t{k}" if k != 11 else "chosen" for k in range(24)],
        "stimulus": events["stimulus_id"].replace(rows["stimulus_id"][7], "chosen"),
    }
    expected = first_level_model(volumes, events.assign(trial_type=names[kind]), SETTINGS, "chosen")
    found = betas[7 if kind == "stimulus" else 11]
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("noise", ["ar1", "ols"])
def test_least_squares_all_is_nilearns(run, noise):
    volumes, events = run
    settings = replace(SETTINGS, betas="trial-lsa", noise=noise)
    betas, _, design = betas_of(volumes, events, settings)
    named = events.assign(trial_type=[f"t{k}" for k in range(24)])
    for trial in (0, 11, 23):
        expected = nilearn_beta(volumes, named, settings, f"t{trial}")
        np.testing.assert_allclose(betas[trial], expected, atol=1e-5 * np.abs(expected).max())
    assert design.shape[0] == SCANS


@pytest.mark.parametrize("noise", ["ar1", "ols"])
def test_one_beta_a_stimulus_is_nilearns(run, noise):
    volumes, events = run
    settings = replace(SETTINGS, betas="stimulus", noise=noise)
    betas, rows, _ = betas_of(volumes, events, settings)
    assert sorted(rows["stimulus_id"]) == [f"s{k}" for k in range(10)]
    for stimulus in ("s0", "s9"):
        expected = nilearn_beta(volumes, events.assign(trial_type=events["stimulus_id"]), settings, stimulus)
        found = betas[list(rows["stimulus_id"]).index(stimulus)]
        np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_confounds_are_those_of_nilearn_and_take_away_what_they_explain(run):
    volumes, events = run
    confounds = pd.DataFrame({"motion": np.random.default_rng(0).standard_normal(SCANS).cumsum()})
    moved = volumes + 20 * confounds["motion"].to_numpy().astype(np.float32)
    settings = replace(SETTINGS, noise="ols")
    corrected, *_ = betas_of(moved, events, settings, confounds)
    named = events.assign(trial_type=np.where(np.arange(24) == 5, "trial", "others"))
    expected = nilearn_beta(moved, named, settings, "trial", confounds)
    np.testing.assert_allclose(corrected[5], expected, atol=1e-5 * np.abs(expected).max())
    clean, *_ = betas_of(volumes, events, settings, confounds)
    raw, *_ = betas_of(moved, events, settings)
    scale = (moved.mean(axis=-1) / volumes.mean(axis=-1)).reshape(-1)
    assert np.abs(corrected * scale - clean).max() < 0.01 * np.abs(clean).max()
    assert np.abs(raw * scale - clean).max() > np.abs(clean).max()


def test_planted_betas_are_found():
    """Without noise and with the right HRF all three kinds return what was planted."""
    rng = np.random.default_rng(1)
    onsets = 4 + 9.0 * np.arange(12)
    events = pd.DataFrame({"onset": onsets, "duration": 1.0, "stimulus_id": [f"s{k}" for k in range(6)] * 2})
    times = frame_times(70, TR, 0)
    _, _, design, *_ = run_betas(rng.random((70, 3)), events, times, replace(SETTINGS, betas="trial-lsa"))
    planted = rng.uniform(2, 8, (6, 3))
    trials = design.to_numpy()[:, :12] @ planted[np.arange(12) % 6]
    drifts = design.to_numpy()[:, 12:] @ rng.standard_normal((design.shape[1] - 12, 3))
    series = 800 * (1 + (trials + drifts) / 100)
    # percent of the mean over time, which the responses themselves raise
    scale = series.mean(axis=0) / 800
    for kind in ("trial-lsa", "stimulus"):
        betas, rows, *_ = run_betas(series, events, times, replace(SETTINGS, betas=kind, noise="ols"))
        expected = planted[[int(name[1:]) for name in rows["stimulus_id"]]]
        np.testing.assert_allclose(betas * scale, expected, rtol=1e-3)
    betas, *_ = run_betas(series, events, times, replace(SETTINGS, noise="ols"))
    # responses to others that differ from their mean leak a little
    assert np.corrcoef(betas.reshape(-1), planted[np.arange(12) % 6].reshape(-1))[0, 1] > 0.98


def test_a_run_of_one_presentation(run):
    volumes, events = run
    betas, *_ = betas_of(volumes, events.iloc[[3]], SETTINGS)
    all_at_once, *_ = betas_of(volumes, events.iloc[[3]], replace(SETTINGS, betas="trial-lsa"))
    np.testing.assert_allclose(betas, all_at_once, rtol=1e-4)


def test_events_need_not_be_sorted(run):
    volumes, events = run
    betas, rows, _ = betas_of(volumes, events, SETTINGS)
    shuffled, shuffled_rows, _ = betas_of(volumes, events.sample(frac=1, random_state=1), SETTINGS)
    np.testing.assert_array_equal(shuffled, betas)
    assert shuffled_rows.equals(rows)


def test_voxels_without_usable_signal_have_no_betas_and_leave_the_others_alone(run):
    volumes, events = run
    broken = volumes.copy()
    broken[0, 0, 0, 10] = np.nan
    broken[0, 0, 1] = 0
    betas, *_ = betas_of(broken, events, SETTINGS)
    expected, *_ = betas_of(volumes, events, SETTINGS)
    assert np.isnan(betas[:, :2]).all()
    np.testing.assert_array_equal(betas[:, 2:], expected[:, 2:])


# ---- what a design cannot tell ---------------------------------------------------------------------------

STIMULI = 40


def session(change=lambda events, times: events, kind="trial-lss", confound=None):
    """Mean z-scored betas (stimuli, v) of 80 presentations whose events are changed, and the warnings.

    The data are always those of the events as they were.
    """
    rng = np.random.default_rng(0)
    signal = 5 + 2.5 * rng.standard_normal((STIMULI, 60))
    shown = np.concatenate([rng.permutation(STIMULI) for _ in range(2)])
    onsets = 6 + 4.0 * np.arange(len(shown))
    events = pd.DataFrame({"onset": onsets, "duration": 1.0, "stimulus_id": [f"s{k:02d}" for k in shown]})
    events["line"] = np.arange(len(events)) + 2
    times = frame_times(168, TR, 0)
    responses = np.stack([regressors(events.iloc[[k]], times, "spm")[0] for k in range(len(events))])
    trials = signal[shown] + rng.standard_normal((len(shown), 60))
    percent = responses.T @ trials + 0.5 * rng.standard_normal((len(times), 60))
    series, settings = 1000 * (1 + percent / 100), replace(SETTINGS, betas=kind, noise="ols")
    confounds = None if confound is None else pd.DataFrame({"c": confound(responses)})
    fitted = run_betas(series, change(events, times), times, settings, confounds)
    betas = pd.DataFrame(standardise(fitted.betas, np.zeros(len(fitted.betas))))
    return betas.groupby(fitted.rows["stimulus_id"]).mean(), fitted.warnings


def changed(row, **values):
    def change(events, times):
        events = events.copy()
        for column, value in values.items():
            events.loc[row, column] = value(times) if callable(value) else value
        return events

    return change


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["trial-lss", "trial-lsa"])
@pytest.mark.parametrize(
    ("row", "values", "peak"),
    [
        (79, {"onset": lambda times: times[-1] - 0.5}, 0.07),
        (79, {"onset": lambda times: times[-1] + 0.5}, 1e-3),
        (79, {"onset": lambda times: times[-1] - 1.5}, 0.07),
        (3, {"onset": -100.0}, 1e-3),
        (40, {"duration": 0.0}, 0.07),
        (40, {"duration": 0.1}, 0.12),
    ],
)
def test_one_beta_that_the_design_does_not_tell_leaves_the_others_alone(kind, row, values, peak):
    """The RDM of the changed study is that of the intact one: rho was .19 to .87 with that beta."""
    intact, warnings = session(kind=kind)
    assert not warnings
    found, warnings = session(changed(row, **values), kind)
    assert found.index.equals(intact.index)
    assert spearmanr(pdist(found, "correlation"), pdist(intact, "correlation"))[0] > 0.95
    (warning,) = warnings
    found = re.search(rf"^line {row + 2}: no beta of s\d\d at .*peaks at (\S+) times", warning)
    assert float(found[1]) < peak


def test_what_one_such_beta_does_to_the_rdm(monkeypatch):
    """The numbers of docs/bids.md."""
    late, (intact, _) = changed(79, onset=lambda times: times[-1] - 0.5), session()
    found = {}
    for largest in (np.inf, glm.LARGEST_ERROR):
        monkeypatch.setattr(glm, "LARGEST_ERROR", largest)
        betas, _ = session(late)
        found[largest] = spearmanr(pdist(betas, "correlation"), pdist(intact, "correlation"))[0]
    assert list(found.values()) == pytest.approx([0.21, 0.97], abs=0.006)


def test_a_beta_in_the_place_of_a_confound():
    intact, _ = session()
    found, warnings = session(confound=lambda responses: responses[7] + 1e-4 * np.arange(168))
    assert spearmanr(pdist(found, "correlation"), pdist(intact, "correlation"))[0] > 0.95
    (warning,) = warnings
    assert re.search(r"line 9: no beta .* inflate its variance [\d.e+]{4,} times", warning)


def test_durations_of_a_known_range_are_all_used():
    _, warnings = session(lambda events, times: events.assign(duration=np.linspace(0.5, 2, 80)))
    assert not warnings


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_many_betas_that_the_design_does_not_tell_are_refused():
    message = "^design matrix: found 30 of 80 betas that the design cannot estimate; line 2: no beta"
    with pytest.raises(InputError, match=message):
        session(lambda events, times: events.assign(duration=np.where(np.arange(80) < 30, 0, 1)))


def test_errors_and_inflation_are_those_of_the_textbook():
    rng = np.random.default_rng(3)
    design = rng.standard_normal((50, 6)) @ rng.standard_normal((6, 6))
    design[:, 5] = 1
    errors, inflation = errors_of_all(design, [0, 1, 2])
    covariance = np.linalg.inv(design.T @ design)
    np.testing.assert_allclose(errors, np.sqrt(np.diag(covariance)[:3]))
    for k in range(3):
        others = np.delete(design, k, axis=1)
        residual = design[:, k] - others @ np.linalg.lstsq(others, design[:, k])[0]
        r2 = 1 - residual @ residual / ((design[:, k] - design[:, k].mean()) ** 2).sum()
        assert inflation[k] == pytest.approx(1 / (1 - r2))
    separate = errors_of_separate(design.T[None, :3], design[:, 3:])
    assert separate[0][0] == pytest.approx(errors[0])
    assert separate[1][0] == pytest.approx(inflation[0])
    twice = np.column_stack([design, design[:, 0]])
    assert np.isinf(errors_of_all(twice, [0, 1])[0]).tolist() == [True, False]


def test_condition_number_of_presentations_that_overlap():
    times = frame_times(100, TR, 0)

    def number(duration):
        events = pd.DataFrame({"onset": 6 + 6.0 * np.arange(25), "duration": duration, "stimulus_id": "s"})
        events["stimulus_id"] += events.index.astype(str)
        _, _, design, *_ = run_betas(np.ones((100, 1)), events, times, SETTINGS)
        return condition_number(design, [f"event_{k:05d}" for k in range(25)])

    assert 1 < number(1.0) < number(6.0) < number(30.0)
    orthogonal = pd.DataFrame(np.eye(4), columns=["event_0", "event_1", "a", "b"])
    assert condition_number(orthogonal, ["event_0", "event_1"]) == pytest.approx(1)


# ---- confounds -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["trial-lss", "trial-lsa"])
@pytest.mark.parametrize("noise", ["ar1", "ols"])
def test_confounds_are_regressed_out_whatever_their_scales(run, kind, noise):
    volumes, events = run
    rng = np.random.default_rng(1)
    columns = rng.standard_normal((SCANS, 4)).cumsum(axis=0)
    moved = volumes + (columns @ [20, 10, 30, 5]).astype(np.float32)
    settings = replace(SETTINGS, betas=kind, noise=noise)
    plain = pd.DataFrame(columns, columns=list("abcd"))
    expected, *_ = betas_of(moved, events, settings, plain)
    scaled = plain * [1e8, 1e-10, 1, 1e-6] + [1e9, 0, 5, 0]
    found, *_ = betas_of(moved, events, settings, scaled)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
    # and they are those of the volumes without the confounds
    clean, *_ = betas_of(volumes, events, settings, plain)
    assert np.corrcoef(found.ravel(), clean.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("kind", ["trial-lss", "trial-lsa"])
def test_confounds_may_be_called_like_regressors_of_the_design(run, kind):
    volumes, events = run
    names = ["constant", "drift_1", "event_00001"]
    confounds = pd.DataFrame(np.random.default_rng(0).standard_normal((SCANS, 3)), columns=names)
    settings = replace(SETTINGS, betas=kind, noise="ols")
    betas, _, design = betas_of(volumes, events, settings, confounds)
    expected, *_ = betas_of(volumes, events, settings, confounds.set_axis(list("abc"), axis=1))
    np.testing.assert_array_equal(betas, expected)
    assert {f"confound_{name}" for name in names} <= set(design)


def test_confounds_that_add_nothing_are_dropped_and_named(run):
    volumes, events = run
    times = frame_times(SCANS, TR, 0)
    rng = np.random.default_rng(0)
    confounds = pd.DataFrame({"a": rng.standard_normal(SCANS), "flat": 7.0})
    confounds["b"] = 3 * confounds["a"] - 2
    confounds["slow"] = 1e-3 * np.cos(np.pi * (np.arange(SCANS) + 0.5) / SCANS)
    fitted = run_betas(flat(volumes), events, times, replace(SETTINGS, noise="ols"), confounds)
    why = "explained by the drifts and the confounds before it"
    assert fitted.dropped == {"flat": "constant", "b": why, "slow": why}
    expected, *_ = betas_of(volumes, events, replace(SETTINGS, noise="ols"), confounds[["a"]])
    np.testing.assert_allclose(fitted.betas, expected, atol=1e-5)


# ---- signals ---------------------------------------------------------------------------------------------


def test_a_signal_without_its_mean_is_taken_as_it_is(run):
    volumes, events = run
    series, times = flat(volumes).astype(np.float64), frame_times(SCANS, TR, 0)
    percent = 100 * (series / series.mean(axis=0) - 1)
    expected = run_betas(series, events, times, SETTINGS).betas
    found = run_betas(percent, events, times, SETTINGS, centred=True).betas
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
    # not scaled by means that are rounding errors
    assert np.isnan(run_betas(percent + 1e-3, events, times, SETTINGS).betas).all()


def test_more_regressors_than_scans_are_refused(run):
    volumes, events = run
    with pytest.raises(InputError, match="found 20 scans for 2. regressors, expected more scans"):
        run_betas(
            flat(volumes)[:20],
            events[events["onset"] < 36],
            frame_times(20, TR, 0),
            replace(SETTINGS, betas="trial-lsa", drift="polynomial", drift_order=14),
        )


def test_standardise_within_groups():
    rng = np.random.default_rng(2)
    betas = rng.normal(5, 3, (30, 4)).astype(np.float32)
    betas[:10, 1] = 7
    groups = np.repeat(["a", "b"], [10, 20])
    scored = standardise(betas, groups)
    assert scored.dtype == np.float32
    for group in ("a", "b"):
        part = scored[groups == group][:, [0, 2, 3]]
        np.testing.assert_allclose(part.mean(axis=0), 0, atol=1e-6)
        np.testing.assert_allclose(part.std(axis=0), 1, rtol=1e-6)
    # constant in a session: not recorded there, and no score of 0
    assert np.isnan(scored[:10, 1]).all()
    assert scored[10:, 1].std() == pytest.approx(1)
