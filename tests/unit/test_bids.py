"""BIDS folders: what is read from them, and that wrong ones are refused in one line."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import struct
from dataclasses import replace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from cortexrsa import cards
from cortexrsa.brain.assembly import assemble, select_reliable, source_of_betas, standardise
from cortexrsa.brain.betas import fit_subject
from cortexrsa.brain.loaders import bids, bids_rois, bids_stimuli, bids_tables
from cortexrsa.brain.loaders.bids_tables import EventSettings, read_events
from cortexrsa.brain.settings import GLMSettings
from cortexrsa.brain.simulated import bold
from cortexrsa.brain.simulated.settings import experiment_of
from cortexrsa.errors import InputError
from cortexrsa.formats import bids_names
from cortexrsa.formats.foreign_tables import read_foreign_table
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
GLM = GLMSettings(noise="ols")
MASK = "derivatives/rois/sub-{subject}/anat/sub-{subject}_label-%s_mask.nii.gz"
FIRST = "sub-01/ses-01/func/sub-01_ses-01_task-images_run-01"
SECOND = "sub-01/ses-01/func/sub-01_ses-01_task-images_run-02"


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bids") / "data"
    folder.mkdir()
    return folder, bold.simulate_bids(experiment_of(**EXPERIMENT), folder)


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
    settings = EventSettings(**options["events"])
    events = {run: read_events(run, settings) for run in bids.find_runs(folder, options)}
    return bids_stimuli.read_stimuli(folder, options, events)


def events_of(run, **settings):
    """Presentations of a run as the card has them by default."""
    return read_events(run, EventSettings(**card_of()[1]["events"] | settings))


def responses_of(folder, rois=None, glm=None, zscore="session", **options):
    """What the rules read_bids_stimuli, glm and responses do, one after the other."""
    rois, options = card_of(rois, **options)
    _, stimuli = stimuli_of(folder, options)
    glm = replace(GLM, **(glm or {}))
    sources = [
        source_of_betas(f"sub-{subject}", fit_subject(folder, rois, options, subject, glm).betas)
        for subject in bids_names.subject_labels(folder, options)
    ]
    return assemble(stimuli, sources, zscore, glm.betas != "stimulus")


def zscored(betas):
    """Betas as responses have them."""
    return standardise(betas.values, betas["session"].values)


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


@pytest.mark.slow
def test_betas_of_one_kind_a_stimulus_are_means_over_runs(original):
    """As nilearn's fixed effects: one model a run, the effects averaged."""
    from nilearn.glm.first_level import FirstLevelModel

    folder, _ = original
    responses = responses_of(folder, glm={"betas": "stimulus"}, zscore="none", subjects=["01"])
    assert responses.dims == ("stimulus", "voxel")
    mask = nib.load(folder / (MASK % "V1").replace("{subject}", "01"))
    runs = bids.find_runs(folder, card_of(subjects=["01"])[1])
    stimulus = "test-0003"
    shown = [run for run in runs if stimulus in set(events_of(run)["stimulus_id"])]
    assert len(shown) > 1
    events = [events_of(run).rename(columns={"stimulus_id": "trial_type"}) for run in shown]
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
    betas = fit_subject(folder, *card_of(), "01", GLM).betas
    for zscore in ("run", "session"):
        responses = responses_of(folder, zscore=zscore, subjects=["01"])
        groups = betas.groupby(zscore)
        scores = (groups - groups.mean("trial")).groupby(zscore) / groups.std("trial")
        for stimulus, part in scores.groupby("stimulus_id"):
            found = responses.values[(responses["stimulus_id"] == stimulus).values][0]
            np.testing.assert_allclose(found[: part.sizes["trial"]], part, atol=1e-4)


def test_smoothing_is_nilearns_and_off_by_default(folder):
    from nilearn.image import smooth_img

    plain = fit_subject(folder, *card_of(), "01", GLM).betas
    smoothed = fit_subject(folder, *card_of(), "01", replace(GLM, smoothing=6.0)).betas
    for session in (1, 2):
        for run in (1, 2):
            path = folder / FIRST.replace("ses-01", f"ses-0{session}").replace("run-01", f"run-0{run}")
            path = f"{path}_bold.nii.gz"
            image = nib.load(path)
            nib.save(smooth_img(nib.Nifti1Image(image.get_fdata(), image.affine, image.header), 6.0), path)
            rewrite(path, lambda data: data)
    again = fit_subject(folder, *card_of(), "01", GLM).betas
    np.testing.assert_allclose(zscored(smoothed), zscored(again), atol=2e-2)
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
    before = events_of(run).drop(columns="line")
    edit_events(folder / FIRST, add_fixation)
    assert events_of(run).drop(columns="line").equals(before)


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
    for path in (folder / "derivatives/fmriprep").rglob("sub-01*desc-confounds*"):
        table = pd.read_csv(path, sep="\t").assign(flat=1.0)
        table.to_csv(path, sep="\t", index=False, na_rep="n/a")
    rois, chosen = card_of(**options, confounds=["flat", "trans_x"])
    told = fit_subject(folder, rois, chosen, "01", GLM).warnings
    assert told == ["sub-01: the confound flat is dropped in 4 of 4 runs: constant"]
    with_confounds = responses_of(folder, **options, confounds=names)
    without = responses_of(folder, **options)
    assert np.nanmax(np.abs(with_confounds - without)) > 0.01
    run = bids.find_runs(folder, card_of(**options, confounds=names)[1])[0]
    confounds = bids_tables.read_confounds(run, names, nib.load(run.bold).shape[3])
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
            "trans_x, line 7: found n/a, expected a number",
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
    return bids_rois.roi_masks(folder, rois, run, nib.load(run.bold))[0]["ROI"]


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
        r"ses-01/func: runs: found no events of .*run-01_bold\.nii\.gz, expected BOLD with events for every",
    ),
    "nothing shown": (
        lambda f: edit_events(f / FIRST, lambda t: t.assign(stimulus_id="n/a")),
        r"run-01_events\.tsv: stimulus_id: found nothing that is shown",
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
        "onset, line 3: found two stimuli at 10 s",
    ),
    "unknown stimulus": (
        lambda f: edit_events(
            f / FIRST, lambda t: t.assign(stimulus_id=["train-000", *t["stimulus_id"][1:]])
        ),
        r"events\.tsv: stimulus_id, line 2: found 'train-000', expected a stimulus of .*train-000\d\?",
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
        r"stimuli\.tsv: stimulus_id, line \d+: found 'test-0002' twice",
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
        ({"subjects": ["03"]}, r"subjects\[0\]: found '03'"),
        ({"sessions": ["05"]}, "runs: found no BOLD of task-images in sessions 05"),
        ({"table": "none.tsv"}, r"none\.tsv: table: found .*No such file"),
    ],
)
def test_options_that_do_not_fit_the_folder(original, options, message):
    refused(original[0], message, **options)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="path: found no folder .*, expected a BIDS folder"):
        bids.find_runs(tmp_path / "nothing", card_of()[1])
    with pytest.raises(InputError, match=r"path: found no folder sub-\*"):
        bids.find_runs(tmp_path, card_of()[1])


# ---- folders as they come --------------------------------------------------------------------------------


def rename(folder, change):
    """Rename the files of all runs: {old part of a name: new}."""
    for path in list(folder.glob("sub-*/ses-*/func/*")):
        name = path.name
        for old, new in change.items():
            name = name.replace(old, new)
        path.rename(path.with_name(name))


def test_directions_in_the_names_change_nothing(original, folder):
    rename(folder, {"_run-01": "_dir-AP_run-01", "_run-02": "_dir-PA_run-01"})
    found, expected = responses_of(folder), responses_of(original[0])
    np.testing.assert_array_equal(found.values, expected.values)
    assert list(found["stimulus_id"].values) == list(expected["stimulus_id"].values)


def test_subjects_may_differ_in_their_sessions(original, folder):
    for path in folder.glob("sub-01/ses-02/func/*"):
        path.unlink()
    for run in (FIRST, SECOND):
        edit_events(folder / run, lambda t: t[~t["stimulus_id"].isin(["train-0002", "train-0005"])])
    refused(folder, r"stimuli\.tsv: stimuli: found .* was never shown to sub-01 \(and 1 more stimuli")
    responses, expected = responses_of(folder, unshown="drop"), responses_of(original[0])
    shown = set(responses["stimulus_id"].values)
    assert len(shown) == 14
    # each subject keeps all that it has
    kept = np.isin(expected["stimulus_id"].values, list(shown))
    second = expected["subject"].values == "sub-02"
    np.testing.assert_array_equal(responses.values[..., second], expected.values[kept][..., second])
    _, options = card_of()
    (sentence,) = bids.unbalanced(bids.find_runs(folder, options))
    assert sentence == (
        "subjects differ in their runs: sub-01 2 runs in ses-01; sub-02 2 runs in ses-01, 2 runs in ses-02"
    )
    assert not bids.unbalanced(bids.find_runs(original[0], options))


def test_columns_patterns_and_rows_to_leave_out(original, folder):
    for path in folder.rglob("*_events.tsv"):
        table = pd.read_csv(path, sep="\t").drop(columns="stimulus_id")
        table["stim_file"] = "images/" + table["stim_file"]
        extra = pd.DataFrame({"onset": [1.0, 3.0], "duration": 0.0})
        extra["trial_type"] = ["fixation", "button_left"]
        extra["stim_file"] = ["images/cross.png", "none"]
        pd.concat([extra, table]).to_csv(path, sep="\t", index=False)
    events = {
        "column": "stim_file",
        "pattern": r"images/(.+)\.png",
        "leave_out": {"trial_type": ["fixation", "button*"]},
    }
    responses = responses_of(folder, events=events)
    np.testing.assert_array_equal(responses.values, responses_of(original[0]).values)
    run = bids.find_runs(folder, card_of()[1])[0]
    for change, message in (
        ({"column": "picture"}, "also picture (options.events.column names another)"),
        ({"leave_out": {}}, "stim_file, line 3: found 'none', expected a value that "),
        ({"leave_out": {"kind": ["fixation"]}}, "expected also kind"),
        ({"pattern": r"images/(\d+)\.png"}, "stim_file, line 4: found 'images/"),
    ):
        with pytest.raises(InputError) as caught:
            events_of(run, **(events | change))
        assert message in str(caught.value)


def test_one_duration_for_all_presentations(folder):
    run = bids.find_runs(folder, card_of()[1])[0]
    edit_events(folder / FIRST, lambda table: table.assign(duration="n/a"))
    with pytest.raises(InputError, match="duration, line 2: found n/a, expected seconds .or options.events"):
        events_of(run)
    assert set(events_of(run, duration=1.5)["duration"]) == {1.5}


def test_images_in_folders_of_their_own(folder):
    (folder / "stimuli/stimuli.tsv").unlink()
    (folder / "stimuli/cats").mkdir()
    for path in (folder / "stimuli").glob("*.png"):
        path.rename(folder / "stimuli/cats" / path.name)
    for path in folder.rglob("*_events.tsv"):
        table = pd.read_csv(path, sep="\t")
        table.assign(stim_file="cats/" + table["stim_file"]).to_csv(path, sep="\t", index=False)
    _, stimuli = stimuli_of(folder, card_of(events={"column": "stim_file"})[1])
    assert stimuli["stimulus_id"].iloc[0] == "cats/test-0000.png"
    _, stimuli = stimuli_of(folder, card_of(events={"column": "stim_file", "pattern": r"[^.]+"})[1])
    assert stimuli["stimulus_id"].iloc[0] == "cats/test-0000"
    shutil.copy(folder / "stimuli/cats/test-0000.png", folder / "stimuli/cats/test-0000.jpg")
    with pytest.raises(InputError, match="image of 'cats/test-0000': found cats/test-0000.jpg and cats/"):
        stimuli_of(folder, card_of(events={"column": "stim_file", "pattern": r"[^.]+"})[1])


# ---- tables ----------------------------------------------------------------------------------------------


def test_tabs_at_the_end_of_rows_are_no_columns(tmp_path):
    """pandas takes the first column for the index of the rows, and every name for its neighbour's values."""
    path = tmp_path / "t.tsv"
    path.write_text("trans_x\ttrans_y\ttrans_z\trot_x\n" + "1\t2\t3\t4\t\n" * 3)
    table = read_foreign_table(path)
    assert table.iloc[0].to_dict() == {"trans_x": "1", "trans_y": "2", "trans_z": "3", "rot_x": "4"}
    path.write_text("﻿a\tb\t\r\n1\tn/a\t\r\n\r\n2\t4\r\n")
    table = read_foreign_table(path)
    assert list(table["a"]) == ["1", "2"]
    assert table["b"].isna().tolist() == [True, False]
    assert list(table.index) == [2, 4]
    # nor is the index that pandas writes
    path.write_text("\ta\tb\n0\t001\t2\n")
    assert read_foreign_table(path).iloc[0].to_dict() == {"a": "001", "b": "2"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\tb\n1\t2\t3\n", "line 2: found 3 values, expected 2, one for each column"),
        ("a\tb\n1\t2\n1\n", "line 3: found 1 values"),
        ("a\ta\n1\t2\n", "header: found 'a' twice"),
        ("a\t\tb\n1\t2\t3\n", "header: found a nameless column"),
        ("", "table: found an empty file"),
    ],
)
def test_tables_that_are_no_tables(tmp_path, text, message):
    (tmp_path / "t.tsv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_foreign_table(tmp_path / "t.tsv")


@pytest.mark.parametrize(
    ("events", "share"),
    [
        ([(0, 1), (2, 1)], 0),
        ([(0, 2), (2, 2)], 0),
        ([(0, 2), (1, 2)], 1 / 3),
        ([(0, 10), (2, 2)], 0.2),
        ([(0, 3), (1, 3), (2, 3)], 3 / 5),
        ([(0, 0), (1, 0)], 0),
    ],
)
def test_share_of_overlap(events, share):
    table = pd.DataFrame(events, columns=["onset", "duration"])
    assert bids_tables.overlap(table) == pytest.approx(share)


def test_presentations_that_overlap_are_warned_of(folder):
    assert not fit_subject(folder, *card_of(), "01", GLM).warnings
    edit_events(folder / FIRST, lambda table: table.assign(duration=12.0))
    (warning,) = fit_subject(folder, *card_of(), "01", GLM).warnings
    found = re.search(
        r"ses-01_run-01: presentations overlap in (\d+)% .* condition number .* is ([\d.]+)$", warning
    )
    table = pd.read_csv(f"{folder / FIRST}_events.tsv", sep="\t").sort_values("onset")
    gaps = np.diff(table["onset"])
    assert int(found[1]) == pytest.approx(100 * (12 - gaps).sum() / (gaps.sum() + 12), abs=0.6)
    assert float(found[2]) > 2


def test_betas_that_the_design_does_not_tell_are_told_with_their_line(folder):
    events = f"{folder / FIRST}_events.tsv"

    def shorten(rows):
        edit_events(
            folder / FIRST, lambda table: table.assign(duration=np.where(np.arange(len(table)) < rows, 0, 1))
        )

    shorten(1)
    (warning,) = fit_subject(folder, *card_of(), "01", GLM).warnings
    assert warning.startswith(f"{events}, line 2: no beta of t")
    shorten(4)
    message = message_of(fit_subject, folder, *card_of(), "01", GLM)
    assert re.match(rf"{re.escape(events)}: design matrix: found 4 of \d+ betas .*; line 2: no beta", message)


# ---- confounds -------------------------------------------------------------------------------------------


def fmriprep_confounds(folder, scans=60):
    """Confounds of a run as fMRIPrep names them, and the run."""
    rng = np.random.default_rng(0)
    names = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
    names += [*(f"a_comp_cor_{k:02d}" for k in range(8)), *(f"cosine{k:02d}" for k in range(2)), "csf"]
    names += ["white_matter", "framewise_displacement", "std_dvars"]
    table = pd.DataFrame(rng.standard_normal((scans, len(names))), columns=names)
    for name in names[:6]:
        table[f"{name}_derivative1"] = table[name].diff()
    table["framewise_displacement"] = [np.nan, *np.full(scans - 1, 0.1)]
    table.loc[20, "framewise_displacement"] = 2.0
    table["std_dvars"] = [np.nan, *np.ones(scans - 1)]
    for k, scan in enumerate((7, 20)):
        table[f"motion_outlier{k:02d}"] = (np.arange(scans) == scan).astype(float)
    table["non_steady_state_outlier00"] = (np.arange(scans) == 0).astype(float)
    path = folder / "sub-01_task-x_run-1_desc-confounds_timeseries.tsv"
    table.to_csv(path, sep="\t", index=False, na_rep="n/a")
    described = {
        f"a_comp_cor_{k:02d}": {
            "Method": "aCompCor",
            "Mask": "combined",
            "Retained": True,
            "CumulativeVarianceExplained": 0.1 * k,
        }
        for k in range(8)
    }
    path.with_suffix(".json").write_text(json.dumps(described))
    bold_path = folder / "sub-01_task-x_run-1_space-T1w_desc-preproc_bold.nii.gz"
    bold_path.touch()
    return bids_names.RunFiles("01", None, "sub-01_run-1", bold_path, path, path, ()), table


def test_confounds_by_pattern(tmp_path):
    run, table = fmriprep_confounds(tmp_path)
    found = bids_tables.read_confounds(run, ["trans_?", "a_comp_cor_0[0-5]", "motion_outlier*", "none*"], 60)
    names = ["trans_x", "trans_y", "trans_z", *(f"a_comp_cor_{k:02d}" for k in range(6))]
    names += ["motion_outlier00", "motion_outlier01"]
    assert list(found) == names
    np.testing.assert_allclose(found, table[names])
    assert bids_tables.read_confounds(run, ["none*"], 60).shape == (60, 0)
    with pytest.raises(InputError, match="columns: found no 'trans_a', expected .*did you mean trans_"):
        bids_tables.read_confounds(run, ["trans_*", "trans_a"], 60)


@pytest.mark.parametrize("trailing", ["", "\t"])
def test_confounds_by_strategy_are_nilearns(tmp_path, trailing):
    from nilearn.interfaces.fmriprep import load_confounds

    run, _ = fmriprep_confounds(tmp_path)
    settings = {"strategy": ["motion", "wm_csf", "high_pass", "compcor"], "motion": "basic", "n_compcor": 3}
    expected, _ = load_confounds(str(run.bold), **settings)
    lines = run.confounds.read_text().splitlines()
    run.confounds.write_text("\n".join([lines[0], *(line + trailing for line in lines[1:])]) + "\n")
    found = bids_tables.read_confounds(run, settings, 60)
    # the non-steady first volume, which nilearn leaves out whatever the strategy
    assert list(found) == [*expected, "volume_0"]
    np.testing.assert_allclose(found[list(expected)], expected)
    assert found["volume_0"].tolist() == [1.0] + [0.0] * 59


def test_volumes_that_a_strategy_leaves_out_have_regressors_of_their_own(tmp_path):
    run, _ = fmriprep_confounds(tmp_path)
    settings = {"strategy": ["motion", "scrub"], "motion": "basic", "scrub": 0, "fd_threshold": 0.5}
    found = bids_tables.read_confounds(run, settings, 60)
    spikes = found.filter(like="volume_")
    assert list(spikes) == ["volume_0", "volume_20"]
    assert spikes.to_numpy().sum() == 2
    with pytest.raises(
        InputError, match=r"timeseries\.tsv: confounds: found .*, expected a strategy that fits"
    ):
        bids_tables.read_confounds(run, {"strategy": ["global_signal"]}, 60)


def test_a_pattern_that_fits_no_run_is_said(folder):
    rois, options = card_of(**preprocessed(folder), confounds=["rot_*", "trans_?"])
    assert fit_subject(folder, rois, options, "01", GLM).warnings == ["sub-01: no confound fits rot_*"]
    tables = [pd.DataFrame(columns=["trans_x"]), pd.DataFrame(columns=["trans_x", "motion_outlier00"])]
    assert bids.unfitting(["trans_*", "motion_*", "csf*"], tables) == ["csf*"]
    assert bids.unfitting({"strategy": ["motion"]}, tables) == []


@pytest.mark.parametrize("noise", ["ols", "ar1"])
def test_a_volume_left_out_does_not_reach_the_betas(folder, noise):
    """Nor does it by the autocorrelation of its neighbours (nilearn issue 2526)."""
    options = preprocessed(folder) | {"subjects": ["01"], "sessions": ["01"]}
    for path in (folder / "derivatives/fmriprep").rglob("sub-01*desc-confounds*"):
        table = pd.read_csv(path, sep="\t")
        table["motion_outlier00"] = (np.arange(len(table)) == 20).astype(float)
        table.to_csv(path, sep="\t", index=False, na_rep="n/a")

    def betas():
        rois, chosen = card_of(**options, confounds=["motion_outlier*"])
        return fit_subject(folder, rois, chosen, "01", replace(GLM, noise=noise)).betas

    before = betas()

    def jump(data):
        # but for the mean, by which each voxel is scaled
        data[..., 20] += 50
        data[..., :] -= 50 / data.shape[-1]
        return data

    for path in (folder / "derivatives/fmriprep").rglob("sub-01_ses-01*_space-T1w*bold.nii.gz"):
        rewrite(path, jump)
    np.testing.assert_allclose(betas(), before, atol=1e-3)


# ---- times -----------------------------------------------------------------------------------------------


def slice_times(folder, setting=None, **content):
    (folder / "task-images_bold.json").write_text(json.dumps({"RepetitionTime": 2.0} | content))
    return bids.slice_time_ref(bids.find_runs(folder, card_of()[1])[0], setting)


def test_times_of_slices_are_those_of_the_sidecars(folder):
    assert slice_times(folder) == 0
    assert slice_times(folder, 0.5) == 0.5
    assert slice_times(folder, StartTime=0.95, SliceTimingCorrected=True) == pytest.approx(0.475)
    assert slice_times(folder, 0.5, StartTime=0.95) == pytest.approx(0.475)
    assert slice_times(folder, 0.5, SliceTimingCorrected=True) == 0.5
    shifted = fit_subject(folder, *card_of(), "01", replace(GLM, slice_time_ref=0.5)).betas
    (folder / "task-images_bold.json").write_text('{"RepetitionTime": 2, "StartTime": 1.0}')
    np.testing.assert_array_equal(fit_subject(folder, *card_of(), "01", GLM).betas, shifted)


@pytest.mark.parametrize(
    ("setting", "content", "message"),
    [
        (
            0.0,
            {"StartTime": 0.95},
            "StartTime 0.95 s, 0.47 of the TR, expected 0, as glm.slice_time_ref says",
        ),
        (
            None,
            {"SliceTimingCorrected": True},
            "SliceTimingCorrected without StartTime, expected also StartTime",
        ),
        (None, {"StartTime": 950}, "StartTime: found 950, expected seconds from 0 to the TR, 2"),
        (None, {"StartTime": "1"}, "StartTime: found '1'"),
        (None, {"StartTime": True}, "StartTime: found True"),
        (None, {"SliceTimingCorrected": "yes"}, "SliceTimingCorrected: found 'yes', expected true or false"),
        (None, {"RepetitionTime": True}, "RepetitionTime: found True, expected seconds"),
        (None, {"RepetitionTime": 2000}, "RepetitionTime: found 2000, expected seconds, below 100"),
        (None, {"RepetitionTime": None, "VolumeTiming": [0, 2]}, "found VolumeTiming without RepetitionTime"),
    ],
    ids=str,
)
def test_times_that_are_refused(folder, setting, content, message):
    with pytest.raises(InputError) as caught:
        slice_times(folder, setting, **content)
    assert message in str(caught.value)


def test_raw_sidecars_do_not_speak_of_slices_of_preprocessed_bold(folder):
    options = preprocessed(folder)
    (folder / "task-images_bold.json").write_text('{"RepetitionTime": 2, "StartTime": 7, "SliceTiming": [0]}')
    run = bids.find_runs(folder, card_of(**options)[1])[0]
    assert (run.start, run.corrected, run.tr) == (None, False, 2.0)


def test_a_repetition_time_of_the_card_and_milliseconds_without_a_unit(folder):
    def rewrite_tr(value, unit):
        for path in folder.rglob("*bold.nii.gz"):
            rewrite_header(
                path, lambda h: (h.set_zooms((*h.get_zooms()[:3], value)), h.set_xyzt_units("mm", unit))
            )

    rewrite_tr(1.0, "sec")
    refused(folder, "1 s in the header, 2 s in the sidecar, expected one TR .options.repetition_time gives")
    assert {run.tr for run in bids.find_runs(folder, card_of(repetition_time=2.0)[1])} == {2.0}
    rewrite_tr(2000, "unknown")
    assert {run.tr for run in bids.find_runs(folder, card_of()[1])} == {2.0}
    (folder / "task-images_bold.json").unlink()
    refused(folder, "RepetitionTime: found 2000 s in the header, expected seconds")


def test_a_sidecar_that_is_a_list(folder):
    (folder / "task-images_bold.json").write_text("[1]")
    refused(folder, r"task-images_bold\.json: JSON: found a list, expected an object")


# ---- volumes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int16, np.int64, np.float64])
def test_smoothing_whatever_the_volumes_are_stored_in(folder, kind):
    """nilearn smooths integers in integers, cut off after every axis (issue 6440)."""
    path = folder / f"{FIRST}_bold.nii.gz"
    rois, options = card_of(sessions=["01"])
    image = nib.load(path)
    whole = np.rint(np.asarray(image.dataobj) / 10).clip(0, 255)
    settings = replace(GLM, smoothing=5.0)

    def betas(stored_as):
        nib.save(nib.Nifti1Image(whole.astype(stored_as), image.affine, dtype=stored_as), path)
        return fit_subject(folder, rois, options | {"repetition_time": 2.0}, "01", settings).betas

    np.testing.assert_allclose(betas(kind), betas(np.float32), atol=1e-4)


def centre(folder, standardise=False):
    def change(data):
        data = data - data.mean(axis=-1, keepdims=True)
        return data / np.maximum(data.std(axis=-1, keepdims=True), 1e-6) if standardise else data

    for path in folder.rglob("*bold.nii.gz"):
        rewrite(path, change)


@pytest.mark.parametrize("standardise", [False, True])
def test_centred_bold_is_recognised_and_taken_as_it_is_where_the_card_says_so(original, folder, standardise):
    centre(folder, standardise)
    message = r"bold\.nii\.gz: data: found a mean of .* SDs over time in the median voxel: centred BOLD"
    refused(folder, message)
    found, expected = responses_of(folder, centred=True), responses_of(original[0])
    assert np.isfinite(found.values).sum() == np.isfinite(expected.values).sum()
    shown = np.isfinite(expected.values)
    # standardised runs have other scales within a session
    assert np.corrcoef(found.values[shown], expected.values[shown])[0, 1] > (0.9 if standardise else 0.99)
    refused(original[0], "found a mean of .*, expected centred BOLD, as options.centred", centred=True)


def test_the_same_person_under_two_names(folder):
    shutil.rmtree(folder / "sub-02")
    shutil.copytree(folder / "sub-01", folder / "sub-02")
    for path in list((folder / "sub-02").rglob("*sub-01*")):
        path.rename(path.with_name(path.name.replace("sub-01", "sub-02")))
    # before the first GLM: the files are the same
    with pytest.raises(
        InputError, match=r"sub-02.*run-01_bold\.nii\.gz: runs: found the same data as sub-01_"
    ):
        bids.check_people(bids.find_runs(folder, card_of()[1]))
    # after it: in another type
    for path in (folder / "sub-02").rglob("*bold.nii.gz"):
        rewrite(path, lambda data: data)
    bids.check_people(bids.find_runs(folder, card_of()[1]))
    refused(folder, "sub-02: sub-02_ses-01_run-01: found the same data as sub-01_ses-01_run-01")


def test_a_stimulus_whose_presentations_were_left_out(original):
    rois, options = card_of(subjects=["01"])
    _, stimuli = stimuli_of(original[0], options)
    fitted = fit_subject(original[0], rois, options, "01", GLM).betas
    lacking = fitted.isel(trial=np.flatnonzero(fitted["stimulus_id"].values != "test-0003"))
    with pytest.raises(InputError, match="sub-01: betas: found no beta of test-0003"):
        assemble(stimuli, [source_of_betas("sub-01", lacking)])


def test_headers_that_are_no_headers(folder):
    path = folder / f"{SECOND}_bold.nii.gz"
    data = bytearray(gzip.decompress(path.read_bytes()))
    # the slope 1, the intercept NaN
    data[112:120] = struct.pack("<ff", 1.0, float("nan"))
    path.write_bytes(gzip.compress(bytes(data)))
    refused(folder, r"run-02_bold\.nii\.gz: NIfTI: found .*intercept.*, expected a readable NIfTI file")
    path.unlink()
    path.symlink_to(folder / ".git/annex/objects/nothing")
    refused(folder, r"run-02_bold\.nii\.gz: file: found a link to a file that is not there .datalad get")


# ---- more ROIs -------------------------------------------------------------------------------------------


@pytest.fixture
def atlas(folder):
    """An atlas of four labels, one of them large, on the grid of the BOLD."""
    shape = nib.load(folder / f"{FIRST}_bold.nii.gz").shape[:3]
    labels = np.random.default_rng(0).choice([0, 1, 2, 3, 16777217], shape).astype(np.int32)
    save_like_bold(folder, "atlas_dseg.nii.gz", labels)
    return folder, labels


def test_hemispheres_and_unions_are_joined(folder):
    shape = nib.load(folder / f"{FIRST}_bold.nii.gz").shape[:3]
    left, right = np.zeros((2, *shape), np.uint8)
    left[:2, :3], right[-2:, :3] = 1, 1
    save_like_bold(folder, "lh.nii.gz", left)
    save_like_bold(folder, "rh.nii.gz", right)
    np.testing.assert_array_equal(mask_of(folder, {"mask": ["lh.nii.gz", "rh.nii.gz"]}), left | right)
    rois = {"both": {"union": ["L", "R"]}, "L": {"mask": "lh.nii.gz"}, "R": {"mask": "rh.nii.gz"}}
    rois, options = card_of(rois)
    run = bids.find_runs(folder, options)[0]
    masks, _ = bids_rois.roi_masks(folder, rois, run, nib.load(run.bold))
    assert list(masks) == ["both", "L", "R"]
    np.testing.assert_array_equal(masks["both"], left | right)


@pytest.mark.parametrize("kind", ["tsv", "dseg.tsv", "JSON", "LabelMap", "named"])
def test_labels_by_name(atlas, kind):
    folder, labels = atlas
    place = {"atlas": "atlas_dseg.nii.gz", "label": ["V1", "LO"]}
    names = {1: "V1", 2: "V2", 3: "LO", 16777217: "far"}
    table = pd.DataFrame({"index": names.keys(), "name": names.values()})
    if kind in ("JSON", "LabelMap"):
        content = {str(index): name for index, name in names.items()}
        content = {"LabelMap": content} if kind == "LabelMap" else content
        (folder / "atlas_dseg.json").write_text(json.dumps(content))
    else:
        file = {"tsv": "atlas_dseg.tsv", "dseg.tsv": "dseg.tsv", "named": "other.tsv"}[kind]
        table.to_csv(folder / file, sep="\t", index=False)
        place |= {"labels": "other.tsv"} if kind == "named" else {}
    np.testing.assert_array_equal(mask_of(folder, place), np.isin(labels, [1, 3]))
    with pytest.raises(InputError, match=r"label: found 'V11', expected one of .*did you mean V1\?"):
        mask_of(folder, place | {"label": "V11"})


def test_labels_above_2_to_the_24(atlas):
    folder, labels = atlas
    found = mask_of(folder, {"atlas": "atlas_dseg.nii.gz", "label": 16777217})
    np.testing.assert_array_equal(found, labels == 16777217)
    with pytest.raises(InputError, match="label: found 16777216, expected one of 1, 2, 3, 16777217"):
        mask_of(folder, {"atlas": "atlas_dseg.nii.gz", "label": 16777216})
    with pytest.raises(InputError, match=r"label: found no table of names, expected atlas_dseg\.tsv"):
        mask_of(folder, {"atlas": "atlas_dseg.nii.gz", "label": "V1"})


@pytest.mark.parametrize(
    ("values", "threshold", "message"),
    [
        ([0, 1, 2, 3], None, "found 3 values from 1 to 3, expected one value, or probabilities from 0 to 1"),
        ([0, 20, 55.5, 100], None, "found 3 values from 20 to 100"),
        ([-1, 0, 1], None, "found 2 values from -1 to 1"),
        ([0, 20, 55.5, 100], 50, None),
        ([0, 255], None, None),
        ([0, 0.2, 0.7, 1], None, None),
        ([-3, 0, 2.3, 4.1], 3, None),
    ],
    ids=str,
)
def test_masks_are_one_value_or_probabilities(folder, values, threshold, message):
    shape = nib.load(folder / f"{FIRST}_bold.nii.gz").shape[:3]
    data = np.random.default_rng(0).choice(values, shape).astype(np.float32)
    save_like_bold(folder, "m.nii.gz", data)
    if message:
        with pytest.raises(InputError, match=rf"m\.nii\.gz: ROI: {message}"):
            mask_of(folder, {"mask": "m.nii.gz"})
        return
    found = mask_of(folder, {"mask": "m.nii.gz", "threshold": threshold})
    np.testing.assert_array_equal(found, data > (0.5 if threshold is None else threshold))


def test_masks_of_a_slice_may_have_two_dimensions(folder):
    for path in folder.rglob("*bold.nii.gz"):
        image = nib.load(path)
        data = np.asarray(image.dataobj)
        middle = data.shape[2] // 2
        nib.save(nib.Nifti1Image(data[:, :, middle : middle + 1], image.affine, image.header), path)
    mask = np.zeros(nib.load(folder / f"{FIRST}_bold.nii.gz").shape[:2], np.uint8)
    mask[2:6, 2:6] = 1
    save_like_bold(folder, "slice.nii.gz", mask)
    rois, options = card_of({"V1": {"mask": "slice.nii.gz"}})
    fitted = fit_subject(folder, rois, options, "01", GLM)
    assert fitted.betas.sizes["voxel"] == 16
    assert fitted.mean.shape[2] == 1


def test_a_roi_partly_outside_of_the_volume_is_said(folder):
    image = nib.load(folder / f"{FIRST}_bold.nii.gz")
    affine = image.affine.copy()
    # the mask's first three planes lie outside
    affine[0, 3] -= 3 * image.affine[0, 0]
    save_like_bold(folder, "m.nii.gz", np.ones(image.shape[:3], np.uint8), affine)
    rois, options = card_of({"V1": {"mask": "m.nii.gz"}})
    fitted = fit_subject(folder, rois, options, "01", GLM)
    plane = int(np.prod(image.shape[1:3]))
    lost, whole = 3 * plane, image.shape[0] * plane
    assert fitted.warnings[0] == (
        f"sub-01: V1: {lost} of {whole} voxels of m.nii.gz lie outside of the volume of the BOLD"
    )


def test_a_roi_that_resampling_shrinks_is_said(folder):
    """Labels get lost where voxels become larger (nilearn issue 1673)."""
    image = nib.load(folder / f"{FIRST}_bold.nii.gz")
    fine = np.zeros([3 * n for n in image.shape[:3]], np.uint8)
    affine = image.affine.copy()
    affine[:3, :3] /= 3
    affine[:3, 3] -= np.diag(image.affine)[:3] / 3
    # eight whole voxels of the BOLD, and half of many others, which fall below the threshold
    fine[:6, :6, :6] = 1
    fine[6:, ::3] = 1
    save_like_bold(folder, "m.nii.gz", fine, affine)
    rois, options = card_of({"V1": {"mask": "m.nii.gz"}})
    run = bids.find_runs(folder, options)[0]
    masks, warnings = bids_rois.roi_masks(folder, rois, run, nib.load(run.bold))
    before, after = fine.sum() * 1.0, masks["V1"].sum() * 27.0
    assert after < before / 2
    text = f"sub-01: V1: m.nii.gz: {before:.4g} mm³ became {after:.4g} mm³ on the grid of the BOLD"
    assert warnings == [text]


def test_sizes_of_rois_are_said(folder, capsys):
    fit_subject(folder, *card_of(), "01", GLM)
    said = capsys.readouterr().out
    assert "sub-01: V1: 12 voxels" in said
    assert "sub-01: LO: 10 voxels" in said


# ---- what public reports describe ------------------------------------------------------------------------


def test_scaling_that_is_nan_is_none(folder):
    """Masks of fMRIPrep have NaN as slope and intercept (fMRIPrep issue 2507)."""
    path = folder / (MASK % "V1").replace("{subject}", "01")
    expected = nib.load(path).get_fdata() > 0
    data = bytearray(gzip.decompress(path.read_bytes()))
    data[112:120] = struct.pack("<ff", float("nan"), float("nan"))
    path.write_bytes(gzip.compress(bytes(data)))
    np.testing.assert_array_equal(mask_of(folder, {"mask": MASK % "V1"}), expected)


def test_an_image_whose_header_has_no_place_is_not_resampled(folder):
    """nibabel takes left for right at will where qform and sform are 0 (fMRIPrep issue 573)."""
    image = nib.load(folder / f"{FIRST}_bold.nii.gz")
    save_like_bold(folder, "m.nii.gz", np.ones([n + 1 for n in image.shape[:3]], np.uint8))
    rewrite_header(folder / "m.nii.gz", lambda h: h.set_sform(None, 0))
    mask = nib.load(folder / "m.nii.gz")
    mask.set_sform(None, 0)
    mask.set_qform(None, 0)
    nib.save(nib.Nifti1Image(mask.get_fdata().astype(np.uint8), None, mask.header), folder / "m.nii.gz")
    with pytest.raises(InputError, match=r"m\.nii\.gz: header: found neither qform nor sform"):
        mask_of(folder, {"mask": "m.nii.gz"})


def test_volumes_that_were_cut_off_are_said(folder):
    """Onsets count from the first volume of the raw BOLD (issue 5 of openneuro_glmfitlins)."""
    raw = {path.name: nib.load(path) for path in folder.glob("sub-01/ses-*/func/*_bold.nii.gz")}
    options = preprocessed(folder)
    for name, image in raw.items():
        place = folder / "sub-01" / name.split("_")[1] / "func"
        nib.save(nib.Nifti1Image(np.zeros(image.shape, np.uint8), image.affine, image.header), place / name)
    path = folder / "derivatives/fmriprep" / f"{FIRST}_space-T1w_desc-preproc_bold.nii.gz"
    rewrite(path, lambda data: data[..., 4:])
    runs = bids.find_runs(folder, card_of(**options)[1])
    run = runs[0]
    (warning,) = bids.cut_off(runs)
    assert warning == (
        f"{path.name}: {run.scans} volumes, and {run.scans + 4} in the raw BOLD: onsets count from the first "
        f"of the {run.scans}"
    )


def test_nifti_2_is_read_like_nifti_1(folder):
    """nilearn issue 1611."""
    expected = fit_subject(folder, *card_of(), "01", GLM).betas
    for path in folder.rglob("sub-01*.nii.gz"):
        image = nib.load(path)
        second = nib.Nifti2Image(np.asarray(image.dataobj), image.affine)
        second.header.set_zooms(image.header.get_zooms())
        nib.save(second, path)
    _, options = card_of(repetition_time=2.0)
    rois, _ = card_of()
    np.testing.assert_array_equal(fit_subject(folder, rois, options, "01", GLM).betas, expected)


def test_a_column_of_confounds_without_any_number(folder):
    """Signals of the CSF may be n/a throughout (fMRIPrep issue 2200)."""
    options = preprocessed(folder)
    path = folder / "derivatives/fmriprep" / f"{FIRST}_desc-confounds_timeseries.tsv"
    table = pd.read_csv(path, sep="\t").assign(csf="n/a")
    table.to_csv(path, sep="\t", index=False, na_rep="n/a")
    refused(
        folder, r"timeseries\.tsv: csf, line 2: found n/a, expected a number", **options, confounds=["csf"]
    )


def test_a_column_of_confounds_whose_last_number_is_missing(folder):
    """ASLPrep wrote the first value of the framewise displacement last (its issue 249)."""
    options = preprocessed(folder)
    path = folder / "derivatives/fmriprep" / f"{FIRST}_desc-confounds_timeseries.tsv"
    table = pd.read_csv(path, sep="\t")
    table.loc[len(table) - 1, "trans_x"] = np.nan
    table.to_csv(path, sep="\t", index=False, na_rep="n/a")
    refused(folder, rf"trans_x, line {len(table) + 1}: found n/a", **options, confounds=["trans_x"])


def test_events_whose_onsets_are_volumes(folder):
    """A last presentation in the first half of a run is suspicious (BIDS legacy validator, issue 148)."""
    edit_events(folder / FIRST, lambda table: table.assign(onset=table["onset"] / 4))
    warnings = fit_subject(folder, *card_of(), "01", GLM).warnings
    assert any(
        re.search(r"run-01_events\.tsv: the last presentation begins after 2\d% of the run", text)
        for text in warnings
    )


def test_a_resolution_in_the_names_of_the_bold_but_not_of_the_confounds(folder):
    """nilearn issue 3741."""
    options = preprocessed(folder)
    for path in folder.rglob("*_space-T1w_desc-preproc_bold.nii.gz"):
        path.rename(path.with_name(path.name.replace("space-T1w", "space-T1w_res-2")))
    rois, options = card_of(**options, entities={"res": "2"}, confounds=["trans_x"])
    assert fit_subject(folder, rois, options, "01", GLM).betas.sizes["trial"] == 40


# ---- selection of voxels ---------------------------------------------------------------------------------


def test_voxels_are_selected_on_the_training_stimuli_alone(original):
    responses = responses_of(original[0])
    selected = select_reliable(responses, 0.2, 20, 1)
    assert 0 < selected.sizes["voxel"] < responses.sizes["voxel"]
    other = responses.copy()
    test = (responses["split"] == "test").values
    other.values[test] = np.random.default_rng(0).standard_normal(other.values[test].shape)
    again = select_reliable(other, 0.2, 20, 1)
    np.testing.assert_array_equal(selected["i"].values, again["i"].values)
    reliable = responses.copy()
    train = (responses["split"] == "train").values
    reliable.values[train, 1] = reliable.values[train, 0]
    assert select_reliable(reliable, 0.99, 5, 1).sizes["voxel"] == responses.sizes["voxel"]


def test_stimuli_shown_once_have_no_reliability_to_select_by(original):
    responses = responses_of(original[0], subjects=["01"])
    once = responses.copy()
    once.values[(responses["split"] == "train").values, 1:] = np.nan
    message = "^repeats: found 0 training stimuli with two single-trial betas for sub-01"
    with pytest.raises(InputError, match=message):
        select_reliable(once, 0.2, 5, 1)
    with pytest.raises(InputError, match=message):
        select_reliable(responses.mean("repeat"), 0.2, 5, 1)
