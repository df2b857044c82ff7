"""BIDS folders: what is read from them, and that wrong ones are refused in one line."""

from __future__ import annotations

import json
import re
import shutil

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from cortexrsa import cards
from cortexrsa.brain.betas import assemble, fit_subject, select_reliable
from cortexrsa.brain.loaders import bids
from cortexrsa.brain.simulated import bold
from cortexrsa.errors import InputError
from support import message_of

EXPERIMENT = {
    "train": 8,
    "test": 8,
    "train_repeats": 2,
    "test_repeats": 3,
    "size": 16,
    "subjects": 2,
    "sessions": 2,
    "runs": 4,
    "interval": [8, 10],
    "seed": 11,
    "rois": {
        "V1": {"voxels": 12, "area": "v1", "reliability": 0.8},
        "LO": {"voxels": 10, "area": "lo", "reliability": 0.8},
    },
}
GLM = {
    "betas": "trial-lss",
    "hrf": "spm",
    "drift": "cosine",
    "high_pass": 0.01,
    "drift_order": 1,
    "noise": "ols",
    "slice_time_ref": 0.0,
    "smoothing": None,
    "zscore": "session",
}
MASK = "derivatives/rois/sub-{subject}/anat/sub-{subject}_label-%s_mask.nii.gz"
FIRST = "sub-01/ses-01/func/sub-01_ses-01_task-images_run-01"
SECOND = "sub-01/ses-01/func/sub-01_ses-01_task-images_run-02"


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bids") / "data"
    folder.mkdir()
    return folder, bold.simulate_bids(EXPERIMENT, folder)


@pytest.fixture
def folder(original, tmp_path):
    return shutil.copytree(original[0], tmp_path / "data")


def card_of(rois=None, **options):
    """ROIs and options of a card, with the defaults of the schema."""
    card = {
        "description": "",
        "citation": "",
        "licence": "",
        "loader": "bids",
        "path": "data",
        "rois": rois or {roi: {"mask": MASK % roi} for roi in EXPERIMENT["rois"]},
        "options": {"task": "images"} | options,
    }
    card = cards.validate("datasets", card, "card")
    return card["rois"], card["options"]


def stimuli_of(folder, options):
    """What the rule read_bids_stimuli does."""
    events = {run: bids.read_events(run) for run in bids.find_runs(folder, options)}
    return bids.read_stimuli(folder, options, events)


def responses_of(folder, rois=None, glm=None, **options):
    """What the rules read_bids_stimuli, glm and responses do, one after the other."""
    rois, options = card_of(rois, **options)
    _, stimuli = stimuli_of(folder, options)
    glm = GLM | (glm or {})
    fitted = {
        subject: fit_subject(folder, rois, options, subject, glm).betas
        for subject in bids.subject_labels(folder, options)
    }
    return assemble(stimuli, fitted, glm["betas"] != "stimulus")


def rewrite(path, change):
    """Change the data of a NIfTI file."""
    image = nib.load(path)
    data = change(np.asarray(image.dataobj).astype(np.float32))
    header = image.header.copy()
    header.set_data_dtype(np.float32)
    nib.save(nib.Nifti1Image(data, image.affine, header), path)


def edit_events(path, change):
    table = pd.read_csv(f"{path}_events.tsv", sep="\t")
    change(table).to_csv(f"{path}_events.tsv", sep="\t", index=False)


# ---- what is read ----------------------------------------------------------------------------------------


def test_responses_are_those_planted(original):
    folder, truth = original
    responses = responses_of(folder)
    assert responses.dtype == np.float32
    assert responses.dims == ("stimulus", "repeat", "voxel")
    for name in ("stimulus_id", "split", "subject"):
        assert list(responses[name].values) == list(truth[name].values)
    assert list(responses["roi"].values) == (["V1"] * 12 + ["LO"] * 10) * 2
    assert (np.isfinite(responses.values) == np.isfinite(truth["trials"].values)).all()
    # each trial is where it belongs: recovered and planted betas go together, those of other repeats less so
    shown = np.isfinite(truth["trials"].values).all(axis=2)
    found, planted = responses.values[shown], truth["trials"].values[shown]
    together = [np.corrcoef(found[:, v], planted[:, v])[0, 1] for v in range(44)]
    assert np.median(together) > 0.6
    # not so those of the next repeat, once what repeats share is gone
    noise = truth["trials"].values - truth["signal"].values[:, None]
    test = (truth["split"] == "test").values
    found = responses.values[test] - responses.values[test].mean(axis=1, keepdims=True)
    own = np.corrcoef(found.reshape(-1), noise[test].reshape(-1))[0, 1]
    other = np.corrcoef(found.reshape(-1), np.roll(noise[test], 1, axis=1).reshape(-1))[0, 1]
    assert own > 0.25 > 0 > other


def test_voxels_have_their_places(original):
    folder, _ = original
    fitted = fit_subject(folder, *card_of(), "02", GLM)
    mask = nib.load(folder / (MASK % "LO").replace("{subject}", "02")).get_fdata() > 0
    chosen = fitted.betas[:, fitted.betas["roi"].values == "LO"]
    assert [tuple(x) for x in np.argwhere(mask)] == list(
        zip(*(chosen[axis].values for axis in "ijk"), strict=True)
    )
    assert fitted.mean[mask].min() > 300
    assert 5 < np.median(fitted.tsnr[mask]) < 500


def test_tsnr_is_mean_over_deviation_without_the_linear_trend(original):
    from scipy.signal import detrend

    folder, _ = original
    fitted = fit_subject(folder, *card_of(sessions=["01"]), "01", GLM)
    expected = np.zeros(fitted.tsnr.shape)
    for run in (FIRST, SECOND):
        volumes = nib.load(folder / f"{run}_bold.nii.gz").get_fdata()
        expected += volumes.mean(axis=-1) / detrend(volumes).std(axis=-1) / 2
    np.testing.assert_allclose(fitted.tsnr, expected, rtol=1e-6)


def test_runs_are_in_their_order_and_chosen_by_session(folder):
    _, options = card_of(subjects=["02"])
    runs = bids.find_runs(folder, options)
    assert [run.label for run in runs] == [
        f"sub-02_ses-0{session}_run-0{run}" for session in (1, 2) for run in (1, 2)
    ]
    assert {run.tr for run in runs} == {2.0}
    _, options = card_of(sessions=["02"])
    assert {run.session for run in bids.find_runs(folder, options)} == {"02"}


def test_betas_of_one_kind_a_stimulus_are_means_over_runs(original):
    """As nilearn's fixed effects: one model a run, the effects averaged."""
    from nilearn.glm.first_level import FirstLevelModel

    folder, _ = original
    responses = responses_of(folder, glm={"betas": "stimulus", "zscore": "none"}, subjects=["01"])
    assert responses.dims == ("stimulus", "voxel")
    mask = nib.load(folder / (MASK % "V1").replace("{subject}", "01"))
    runs = bids.find_runs(folder, card_of(subjects=["01"])[1])
    stimulus = "test-0003"
    shown = [run for run in runs if stimulus in set(bids.read_events(run)["stimulus_id"])]
    assert len(shown) > 1
    events = [bids.read_events(run).rename(columns={"stimulus_id": "trial_type"}) for run in shown]
    model = FirstLevelModel(
        t_r=2.0, hrf_model="spm", noise_model="ols", mask_img=mask, high_pass=0.01, standardize=False
    )
    # nilearn's names of conditions are identifiers
    events = [
        run.assign(trial_type=run["trial_type"].str.replace("-", "_")).sort_values("onset") for run in events
    ]
    model.fit([run.bold for run in shown], events=events)
    effect = model.compute_contrast("test_0003", output_type="effect_size").get_fdata()
    expected = effect[mask.get_fdata() > 0]
    found = responses.sel(stimulus=(responses["stimulus_id"] == stimulus).values).values[0]
    np.testing.assert_allclose(found[:12], expected, atol=1e-5 * np.abs(expected).max())


def test_z_scores_over_runs_or_sessions(original):
    folder, _ = original
    for zscore in ("run", "session"):
        betas = fit_subject(folder, *card_of(), "01", GLM | {"zscore": zscore}).betas
        for _, part in betas.groupby(zscore):
            np.testing.assert_allclose(part.mean("trial"), 0, atol=1e-5)
            np.testing.assert_allclose(part.std("trial"), 1, rtol=1e-4)


def test_smoothing_is_nilearns_and_off_by_default(folder):
    from nilearn.image import smooth_img

    plain = fit_subject(folder, *card_of(), "01", GLM).betas
    smoothed = fit_subject(folder, *card_of(), "01", GLM | {"smoothing": 6.0}).betas
    for session in (1, 2):
        for run in (1, 2):
            path = folder / FIRST.replace("ses-01", f"ses-0{session}").replace("run-01", f"run-0{run}")
            path = f"{path}_bold.nii.gz"
            image = nib.load(path)
            nib.save(smooth_img(nib.Nifti1Image(image.get_fdata(), image.affine, image.header), 6.0), path)
            rewrite(path, lambda data: data)
    again = fit_subject(folder, *card_of(), "01", GLM).betas
    np.testing.assert_allclose(smoothed, again, atol=2e-2)
    assert np.abs(plain - smoothed).max() > 0.5


def test_a_table_is_not_needed(folder):
    (folder / "stimuli/stimuli.tsv").unlink()
    images, stimuli = stimuli_of(folder, card_of()[1])
    assert list(stimuli["stimulus_id"]) == sorted(stimuli["stimulus_id"])
    assert set(stimuli["split"]) == {"test"}
    assert images.shape == (16, 16, 16, 3)
    assert stimuli.set_index("stimulus_id")["repeats"].to_dict()["test-0000"] == 3


def test_the_table_may_lie_elsewhere_and_its_labels_are_kept(folder, tmp_path):
    table = pd.read_csv(folder / "stimuli/stimuli.tsv", sep="\t")
    table = table.sort_values("stimulus_id", ascending=False).assign(animate="no")
    table.to_csv(tmp_path / "mine.tsv", sep="\t", index=False)
    _, stimuli = stimuli_of(folder, card_of(table=str(tmp_path / "mine.tsv"))[1])
    assert list(stimuli["stimulus_id"]) == list(table["stimulus_id"])
    assert {"animate", "category"} <= set(stimuli)


def test_stimuli_that_one_subject_did_not_see_can_be_dropped(folder):
    for path in (folder / "sub-02").rglob("*_events.tsv"):
        table = pd.read_csv(path, sep="\t")
        table[table["stimulus_id"] != "train-0002"].to_csv(path, sep="\t", index=False)
    with pytest.raises(InputError, match=r"stimuli\.tsv: stimuli: found 'train-0002' was never .* sub-02"):
        stimuli_of(folder, card_of()[1])
    responses = responses_of(folder, unshown="drop")
    assert responses.sizes["stimulus"] == 15
    assert "train-0002" not in responses["stimulus_id"].values


def test_events_that_show_nothing_are_left_out(folder):
    def add_fixation(table):
        row = table.iloc[[0]].assign(onset=1.0, trial_type="fixation", stimulus_id="n/a")
        return pd.concat([row, table])

    run = bids.find_runs(folder, card_of()[1])[0]
    before = bids.read_events(run)
    edit_events(folder / FIRST, add_fixation)
    assert bids.read_events(run).equals(before)


def test_the_nearest_sidecar_describes_a_run(folder):
    (folder / "task-images_bold.json").unlink()
    for path in folder.glob("sub-*"):
        (path / f"{path.name}_task-images_bold.json").write_text(json.dumps({"RepetitionTime": 2.0}))
    assert bids.find_runs(folder, card_of()[1])[0].tr == 2.0
    (folder / f"{FIRST}_bold.json").write_text(json.dumps({"RepetitionTime": 3.0}))
    with pytest.raises(InputError, match="2 s in the header, 3 s in the sidecar"):
        bids.find_runs(folder, card_of()[1])


def preprocessed(folder):
    """Move the BOLD into a folder of derivatives, as fMRIPrep would name it, with confounds."""
    rng = np.random.default_rng(0)
    for path in list(folder.glob("sub-*/ses-*/func/*_bold.nii.gz")):
        place = folder / "derivatives/fmriprep" / path.parent.relative_to(folder)
        place.mkdir(parents=True, exist_ok=True)
        stem = path.name.removesuffix("_bold.nii.gz")
        scans = nib.load(path).shape[3]
        path.rename(place / f"{stem}_space-T1w_desc-preproc_bold.nii.gz")
        shutil.copy(
            place / f"{stem}_space-T1w_desc-preproc_bold.nii.gz",
            place / f"{stem}_space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz",
        )
        confounds = pd.DataFrame(rng.standard_normal((scans, 2)), columns=["trans_x", "trans_x_derivative1"])
        confounds.loc[0, "trans_x_derivative1"] = np.nan
        path = place / f"{stem}_desc-confounds_timeseries.tsv"
        confounds.to_csv(path, sep="\t", index=False, na_rep="n/a")
    return {"derivatives": "derivatives/fmriprep", "space": "T1w"}


def test_preprocessed_runs_with_confounds(folder):
    options = preprocessed(folder)
    names = ["trans_x", "trans_x_derivative1"]
    with_confounds = responses_of(folder, **options, confounds=names)
    without = responses_of(folder, **options)
    assert np.nanmax(np.abs(with_confounds - without)) > 0.01
    run = bids.find_runs(folder, card_of(**options, confounds=names)[1])[0]
    confounds = bids.read_confounds(run, names, nib.load(run.bold).shape[3])
    assert list(confounds) == names
    assert confounds.iloc[0, 1] == pytest.approx(confounds.iloc[1:, 1].mean())


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (None, {"space": None}, "found two files for one run, .*MNI.* and .*T1w"),
        (None, {"space": "T2w"}, "found no BOLD of task-images, space-T2w"),
        (None, {"confounds": ["trans_z"]}, "columns: found no 'trans_z', .*did you mean trans_x"),
        (lambda t: t.iloc[1:], {}, r"rows: found \d+, expected \d+, one for each volume"),
        (
            lambda t: t.assign(trans_x=[*t["trans_x"][:5], "n/a", *t["trans_x"][6:]]),
            {},
            "trans_x, line 7: found nan, expected a number",
        ),
        ("unlink", {}, "confounds: found no file of them"),
    ],
)
def test_confounds_and_spaces_that_are_refused(folder, change, options, message):
    defaults = preprocessed(folder) | {"confounds": ["trans_x"]}
    path = folder / "derivatives/fmriprep" / f"{FIRST}_desc-confounds_timeseries.tsv"
    if change == "unlink":
        path.unlink()
    elif change:
        change(pd.read_csv(path, sep="\t")).to_csv(path, sep="\t", index=False)
    refused(folder, message, **(defaults | options))


# ---- ROIs ------------------------------------------------------------------------------------------------


def mask_of(folder, place, **options):
    rois, options = card_of({"ROI": place}, **options)
    run = bids.find_runs(folder, options)[0]
    return bids.roi_mask(folder, rois["ROI"], run, nib.load(run.bold))


def save_like_bold(folder, path, values, affine=None):
    image = nib.load(folder / f"{FIRST}_bold.nii.gz")
    nib.save(nib.Nifti1Image(values, image.affine if affine is None else affine), folder / path)


def test_probabilities_are_cut_and_atlases_looked_up(folder):
    shape = nib.load(folder / f"{FIRST}_bold.nii.gz").shape[:3]
    values = np.random.default_rng(0).random(shape).astype(np.float32)
    save_like_bold(folder, "probability.nii.gz", values)
    mask = mask_of(folder, {"mask": "probability.nii.gz", "threshold": 0.8})
    np.testing.assert_array_equal(mask, values > 0.8)
    labels = (values * 4).astype(np.int16)
    save_like_bold(folder, "atlas.nii.gz", labels)
    np.testing.assert_array_equal(mask_of(folder, {"atlas": "atlas.nii.gz", "label": 2}), labels == 2)
    found = mask_of(folder, {"atlas": "atlas.nii.gz", "label": [1, 3]})
    np.testing.assert_array_equal(found, np.isin(labels, [1, 3]))


@pytest.mark.parametrize("kind", ["mask", "atlas"])
def test_another_grid_is_resampled_and_said(folder, capsys, kind):
    image = nib.load(folder / (MASK % "V1").replace("{subject}", "01"))
    truth = image.get_fdata() > 0
    fine = np.kron(truth, np.ones((2, 2, 2))).astype(np.uint8)
    affine = image.affine.copy()
    affine[:3, :3] /= 2
    affine[:3, 3] -= np.diag(image.affine)[:3] / 4
    save_like_bold(folder, "fine.nii.gz", fine, affine)
    place = {"mask": "fine.nii.gz"} if kind == "mask" else {"atlas": "fine.nii.gz", "label": 1}
    np.testing.assert_array_equal(mask_of(folder, place), truth)
    said = capsys.readouterr().out
    assert re.search(rf"fine\.nii\.gz: resampled from .* {fine.sum()} voxels became 12", said)


def test_a_voxel_of_two_rois_is_in_both(folder):
    rois = {"V1": {"mask": MASK % "V1"}, "all": {"mask": "all.nii.gz"}}
    masks = [nib.load(folder / (MASK % roi).replace("{subject}", "01")).get_fdata() for roi in ("V1", "LO")]
    save_like_bold(folder, "all.nii.gz", np.maximum(*masks).astype(np.uint8))
    responses = responses_of(folder, rois, subjects=["01"])
    v1 = responses[:, :, responses["roi"].values == "V1"]
    both = responses[:, :, responses["roi"].values == "all"]
    assert both.sizes["voxel"] == 22
    places = {tuple(x): v for v, x in enumerate(zip(*(both[a].values for a in "ijk"), strict=True))}
    chosen = [places[tuple(x)] for x in zip(*(v1[a].values for a in "ijk"), strict=True)]
    np.testing.assert_array_equal(v1.values, both.values[:, :, chosen])


@pytest.mark.parametrize(
    ("name", "values", "place", "message"),
    [
        ("gone.nii.gz", None, {"mask": "no.nii.gz"}, r"no\.nii\.gz: ROI: found no such file"),
        ("m.nii.gz", 0, {"mask": "m.nii.gz"}, r"no voxel above 0\.5 \(largest value 0\)"),
        (
            "m.nii.gz",
            0.6,
            {"mask": "m.nii.gz", "threshold": 0.7},
            r"no voxel above 0\.7 \(largest value 0\.6",
        ),
        ("a.nii.gz", 3, {"atlas": "a.nii.gz", "label": 4}, "label: found 4, expected one of 3"),
        (
            "m_space-MNI152NLin6Asym_mask.nii.gz",
            1,
            {"mask": "m_space-MNI152NLin6Asym_mask.nii.gz"},
            r"space: found MNI152NLin6Asym, expected that of .* \(native\)",
        ),
    ],
    ids=str,
)
def test_rois_that_are_refused(folder, name, values, place, message):
    if values is not None:
        shape = nib.load(folder / f"{FIRST}_bold.nii.gz").shape[:3]
        save_like_bold(folder, name, np.full(shape, values, np.float32))
    with pytest.raises(InputError, match=message):
        mask_of(folder, place)


def test_a_mask_elsewhere_is_in_another_space(folder):
    image = nib.load(folder / (MASK % "V1").replace("{subject}", "01"))
    affine = image.affine.copy()
    affine[:3, 3] += 100
    save_like_bold(folder, "far.nii.gz", image.get_fdata().astype(np.uint8), affine)
    with pytest.raises(InputError, match=r"far\.nii\.gz: space: found 0% of its voxels in the volume"):
        mask_of(folder, {"mask": "far.nii.gz"})


def test_a_mask_that_resampling_empties(folder):
    image = nib.load(folder / (MASK % "V1").replace("{subject}", "01"))
    fine = np.zeros((5, 5, 5), np.uint8)
    fine[2, 2, 2] = 1
    place = np.argwhere(image.get_fdata() > 0)[0]
    affine = np.diag([0.2, 0.2, 0.2, 1])
    # between the centres of two voxels
    affine[:3, 3] = nib.affines.apply_affine(image.affine, place + [0.5, 0, 0]) - 0.4
    save_like_bold(folder, "speck.nii.gz", fine, affine)
    with pytest.raises(InputError, match=r"speck\.nii\.gz: ROI: found no voxel left of 1 after resampling"):
        mask_of(folder, {"mask": "speck.nii.gz"})


# ---- wrong folders ---------------------------------------------------------------------------------------


def refused(folder, message, **options):
    text = message_of(responses_of, folder, **options)
    assert re.search(message, text), text


def set_tr(folder, tr):
    path = folder / f"{SECOND}_bold.nii.gz"
    image = nib.load(path)
    image.header.set_zooms((*image.header.get_zooms()[:3], tr))
    data = np.asarray(image.dataobj)
    nib.save(nib.Nifti1Image(data, image.affine, image.header), path)
    (folder / f"{SECOND}_bold.json").write_text(json.dumps({"RepetitionTime": tr}))


def other_grid(folder, shift):
    path = folder / f"{SECOND}_bold.nii.gz"
    image = nib.load(path)
    affine = image.affine.copy()
    affine[0, 3] += shift
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), affine, image.header), path)


def truncate(folder):
    path = folder / f"{SECOND}_bold.nii.gz"
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def truncate_unpacked(folder):
    path = folder / f"{SECOND}_bold.nii.gz"
    image = nib.load(path)
    nib.save(image, folder / f"{SECOND}_bold.nii")
    path.unlink()
    data = (folder / f"{SECOND}_bold.nii").read_bytes()
    (folder / f"{SECOND}_bold.nii").write_bytes(data[: len(data) // 2])


def nan_volumes(data):
    data[..., 7:9] = np.nan
    return data


def zero_volume(data):
    data[..., 4] = 0
    return data


def without_third_session(folder):
    for path in list((folder / "sub-01/ses-02/func").glob("*")):
        path.unlink()


CASES = {
    "runs of different TR": (
        lambda f: set_tr(f, 2.5),
        r"run-02_bold\.nii\.gz: RepetitionTime: found 2\.5 s, expected 2 s, as in .*run-01",
    ),
    "no TR": (
        lambda f: (
            [(f / "task-images_bold.json").unlink()]
            + [
                rewrite_header(path, lambda h: h.set_zooms((*h.get_zooms()[:3], 0)))
                for path in f.rglob("*bold.nii.gz")
            ]
        ),
        "RepetitionTime: found none in sidecars or header",
    ),
    "events without stimulus_id": (
        lambda f: edit_events(f / FIRST, lambda t: t.drop(columns="stimulus_id")),
        r"run-01_events\.tsv: columns: found onset, duration, .*, expected also stimulus_id",
    ),
    "no events": (
        lambda f: (f / f"{FIRST}_events.tsv").unlink(),
        r"run-01_events\.tsv: file: found no such file",
    ),
    "nothing shown": (
        lambda f: edit_events(f / FIRST, lambda t: t.assign(stimulus_id="n/a")),
        r"run-01_events\.tsv: stimulus_id: found n/a only",
    ),
    "onset that is no number": (
        lambda f: edit_events(f / FIRST, lambda t: t.assign(onset=["soon", *t["onset"][1:]])),
        r"events\.tsv: onset, line 2: found soon, expected seconds",
    ),
    "negative duration": (
        lambda f: edit_events(f / FIRST, lambda t: t.assign(duration=-1)),
        r"events\.tsv: duration, line 2: found -1",
    ),
    "onset after the end of the run": (
        lambda f: edit_events(f / FIRST, lambda t: t.assign(onset=t["onset"] + 500)),
        r"events\.tsv: onset, line 2: found 506 s, expected at most \d+ s, the end of the run",
    ),
    "two at a time": (
        lambda f: edit_events(f / FIRST, lambda t: t.assign(onset=10)),
        "onset: found two stimuli at 10 s",
    ),
    "unknown stimulus": (
        lambda f: edit_events(
            f / FIRST, lambda t: t.assign(stimulus_id=["train-000", *t["stimulus_id"][1:]])
        ),
        r"events\.tsv: stimulus_id: found 'train-000', expected a stimulus of stimuli\.tsv: .*train-000\d\?",
    ),
    "stimulus never shown": (
        lambda f: (f / "stimuli/stimuli.tsv").write_text(
            (f / "stimuli/stimuli.tsv").read_text() + "new\ttrain\ta\tb\tnew.png\n"
        ),
        r"stimuli\.tsv: stimuli: found 'new' was never shown to sub-01, expected every stimulus shown",
    ),
    "missing image": (
        lambda f: (f / "stimuli/test-0002.png").unlink(),
        r"stimuli: image of 'test-0002': found no file test-0002\.png",
    ),
    "no images": (lambda f: shutil.rmtree(f / "stimuli"), "stimuli: folder: found no such folder"),
    "duplicate ids": (
        lambda f: (f / "stimuli/stimuli.tsv").write_text(
            (f / "stimuli/stimuli.tsv").read_text().replace("test-0001\t", "test-0002\t")
        ),
        "stimulus_id: found '?test-000",
    ),
    "NaN volumes": (
        lambda f: rewrite(f / f"{SECOND}_bold.nii.gz", nan_volumes),
        r"run-02_bold\.nii\.gz: volumes: found 2 of \d+ volumes NaN in all ROIs, the first is 7",
    ),
    "empty volume": (
        lambda f: rewrite(f / f"{SECOND}_bold.nii.gz", zero_volume),
        r"volumes: found 1 of \d+ volumes zero in all ROIs, the first is 4",
    ),
    "truncated NIfTI": (truncate, r"run-02_bold\.nii\.gz: data: found .*, expected .* complete"),
    "truncated NIfTI, not compressed": (truncate_unpacked, r"run-02_bold\.nii: data: found .*complete"),
    "no NIfTI": (
        lambda f: (f / f"{SECOND}_bold.nii.gz").write_text("<html>"),
        r"run-02_bold\.nii\.gz: NIfTI: found",
    ),
    "a single volume": (
        lambda f: rewrite(f / f"{SECOND}_bold.nii.gz", lambda data: data[..., 0]),
        r"shape: found \(\d+, \d+, \d+\), expected four dimensions",
    ),
    "a run twice, in two files": (
        lambda f: shutil.copy(f / f"{SECOND}_bold.nii.gz", f / f"{SECOND.replace('02', '2')}_bold.nii.gz"),
        "runs: found two files for one run, .*run-02_bold.nii.gz and .*run-2_bold.nii.gz",
    ),
    "a run twice, under two numbers": (
        lambda f: [
            shutil.copy(f / f"{FIRST}_{x}", f / f"{SECOND}_{x}") for x in ("bold.nii.gz", "events.tsv")
        ],
        r"run-02_bold\.nii\.gz: runs: found the same data as .*run-01_bold\.nii\.gz",
    ),
    "a session that others have": (
        without_third_session,
        "sub-01: sessions: found no runs of ses-02, expected all sessions in all subjects",
    ),
    "another grid": (
        lambda f: other_grid(f, 1.5),
        r"run-02_bold\.nii\.gz: grid: found an affine that differs by 1\.5",
    ),
    "another shape": (
        lambda f: rewrite(f / f"{SECOND}_bold.nii.gz", lambda data: data[1:]),
        r"run-02_bold\.nii\.gz: grid: found \(\d+, \d+, \d+\)",
    ),
    "broken sidecar": (
        lambda f: (f / "task-images_bold.json").write_text("{"),
        r"task-images_bold\.json: JSON: found",
    ),
    "TR in words": (
        lambda f: (f / "task-images_bold.json").write_text('{"RepetitionTime": "2 s"}'),
        "RepetitionTime: found '2 s', expected seconds",
    ),
}


def rewrite_header(path, change):
    image = nib.load(path)
    change(image.header)
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), image.affine, image.header), path)


@pytest.mark.parametrize("case", CASES)
def test_refused_in_one_line(folder, case):
    change, message = CASES[case]
    change(folder)
    refused(folder, message)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task": "rest"}, "sub-01: runs: found no BOLD of task-rest"),
        ({"subjects": ["03"]}, "subjects: found '03'"),
        ({"sessions": ["05"]}, "runs: found no BOLD of task-images in sessions 05"),
        ({"table": "none.tsv"}, r"none\.tsv: table: found .*No such file"),
    ],
)
def test_options_that_do_not_fit_the_folder(original, options, message):
    refused(original[0], message, **options)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="path: found no such folder, expected a BIDS folder"):
        bids.find_runs(tmp_path / "nothing", card_of()[1])
    with pytest.raises(InputError, match=r"subjects: found no folder sub-\*"):
        bids.find_runs(tmp_path, card_of()[1])


# ---- selection of voxels ---------------------------------------------------------------------------------


def test_voxels_are_selected_on_the_training_stimuli_alone(original):
    responses = responses_of(original[0])
    selected = select_reliable(responses, 0.2, 20, 1, "stimuli.tsv")
    assert 0 < selected.sizes["voxel"] < responses.sizes["voxel"]
    other = responses.copy()
    test = (responses["split"] == "test").values
    other.values[test] = np.random.default_rng(0).standard_normal(other.values[test].shape)
    again = select_reliable(other, 0.2, 20, 1, "stimuli.tsv")
    np.testing.assert_array_equal(selected["i"].values, again["i"].values)
    reliable = responses.copy()
    train = (responses["split"] == "train").values
    reliable.values[train, 1] = reliable.values[train, 0]
    assert select_reliable(reliable, 0.99, 5, 1, "x").sizes["voxel"] == responses.sizes["voxel"]


def test_stimuli_shown_once_have_no_reliability_to_select_by(original):
    responses = responses_of(original[0], subjects=["01"])
    once = responses.copy()
    once.values[(responses["split"] == "train").values, 1:] = np.nan
    message = "stimuli.tsv: repeats: found 0 training stimuli with two single-trial betas for sub-01"
    with pytest.raises(InputError, match=message):
        select_reliable(once, 0.2, 5, 1, "stimuli.tsv")
    with pytest.raises(InputError, match=message):
        select_reliable(responses.mean("repeat"), 0.2, 5, 1, "stimuli.tsv")
