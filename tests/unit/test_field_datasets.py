"""The field's data sets, read from stand-ins of their layouts: what was planted is recovered, or it is seen.

Each card is the one that scripts/new_dataset_card.py writes for the folder. What a wrong card or a wrong file
would do is tried too: the check below must fail then, since nothing else would tell.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray
import yaml
from scipy.io import loadmat, savemat

from cortexrsa.brain import new_card, reliability
from cortexrsa.brain.loaders.responses import load_responses
from cortexrsa.brain.loaders.responses_stimuli import load_stimuli
from cortexrsa.brain.responses import clean_responses
from cortexrsa.schemas import validate
from standins.ceilings import ncsnr, noise_ceiling
from standins.layouts import LAYOUTS
from standins.nsd import add_surface
from standins.world import SIZE, StandIn
from support import message_of

ROOT = Path(__file__).resolve().parents[2]
CARDS = ROOT / "resources/datasets"
# names that a person gives the labels of a folder of their own
NAMED = {"label1": "V1", "label2": "LO"}


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """Every stand-in, made once; tests that change files take a copy."""
    made = {}

    def original(layout) -> StandIn:
        if layout not in made:
            made[layout] = LAYOUTS[layout](tmp_path_factory.mktemp("standins") / layout)
        return made[layout]

    return original


def copied(standin: StandIn, folder: Path) -> StandIn:
    shutil.copytree(standin.folder, folder, dirs_exist_ok=True)
    return StandIn(folder, standin.people, standin.images)


def card_of(standin: StandIn, subject: str | None = None, **options) -> dict:
    """The card of the command, with the labels named, small images, and options of a test."""
    card = yaml.safe_load(new_card.card_text(standin.folder, CARDS, subject))
    card["rois"] = {NAMED.get(roi, roi): place for roi, place in card["rois"].items()}
    card["options"]["stimuli"]["size"] = SIZE
    for name, value in options.items():
        part = card["options"].get(name)
        merged = isinstance(value, dict) and isinstance(part, dict) and name != "splits"
        card["options"][name] = part | value if merged else value
    # what this stand-in does not show is of no use to the tests
    card["rois"] = {roi: card["rois"][roi] for roi in card["rois"] if roi in rois_of(standin)}
    return validate("datasets", card, "card")


def rois_of(standin: StandIn) -> set[str]:
    return set.union(*(set(person.rois) for person in standin.people.values()))


def read(card: dict, folder: Path) -> tuple[xarray.DataArray, pd.DataFrame, np.ndarray]:
    """Responses, stimuli and images of a card."""
    folder.mkdir(parents=True, exist_ok=True)
    images, stimuli, _ = load_stimuli(card, None)
    images(folder / "stimuli.npy")
    responses = load_responses(card, None, stimuli, folder)
    # as the jobs do that use them
    cleaned, _ = clean_responses(responses)
    return cleaned, stimuli, np.load(folder / "stimuli.npy")


def tables(responses: xarray.DataArray) -> dict[tuple[str, str], pd.DataFrame]:
    """Means over the repeats, a row a stimulus, of every subject and ROI."""
    if "repeat" in responses.dims:
        responses = responses.mean("repeat", skipna=True)
    responses = responses.transpose("stimulus", "voxel")
    found = {}
    for subject in pd.unique(responses["subject"].values):
        for roi in pd.unique(responses["roi"].values):
            own = ((responses["subject"] == subject) & (responses["roi"] == roi)).values
            values = responses.values[:, own]
            # voxels that lack a session are dropped with the unusable ones by a later job
            values = values[:, np.isfinite(values).all(axis=0)]
            found[subject, roi] = pd.DataFrame(values, index=responses["stimulus_id"].values)
    return found


def check(card: dict, responses: xarray.DataArray, standin: StandIn, zscore: bool = True) -> None:
    """What was read is what was planted, in every voxel of every ROI of every person."""
    found = tables(responses)
    subjects = card["options"]["subjects"]
    for name, (subject, person) in zip(subjects, standin.people.items(), strict=False):
        assert name in (subject, f"sub-{subject}")
        for roi in card["rois"]:
            own = found[next(key for key in found if key[0].endswith(name) and key[1] == roi)]
            expected = person.expected(roi, zscore).loc[own.index]
            assert own.shape == expected.shape, (name, roi)
            np.testing.assert_allclose(own.values, expected.values, atol=2e-3)
            planted = person.planted(roi).loc[own.index]
            r = [np.corrcoef(own[voxel], planted[voxel])[0, 1] for voxel in own]
            assert np.median(r) > 0.8, (name, roi)


EVERY = [layout for layout in LAYOUTS if layout != "lab"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_planted_betas_are_recovered(layout, originals, tmp_path):
    standin = originals(layout)
    card = card_of(standin)
    responses, stimuli, images = read(card, tmp_path)
    check(card, responses, standin, zscore=layout not in ("algonauts2023", "brainscore"))
    # each image is that of its stimulus: JPEG changes it, but not into another
    names = list(standin.images)
    known = np.stack([standin.images[name] for name in names]).astype(int)
    for name, image in zip(stimuli["stimulus_id"], images, strict=True):
        assert names[np.abs(known - image).mean(axis=(1, 2, 3)).argmin()] == name


# ---- what must not go unseen -----------------------------------------------------------------------------


def design(change):
    """Change the design of NSD."""

    def edit(folder: Path) -> None:
        path = folder / "nsddata/experiments/nsd/nsd_expdesign.mat"
        content = {key: value for key, value in loadmat(path).items() if not key.startswith("__")}
        change(content)
        savemat(path, content)

    return edit


def roll(key: str, by: int = 1):
    def change(content: dict) -> None:
        content[key] = np.roll(content[key], by, axis=-1)

    return change


def swap(first: str, second: str):
    """Exchange two files."""

    def edit(folder: Path) -> None:
        a, b = folder / first, folder / second
        a.rename(folder / "between")
        b.rename(a)
        (folder / "between").rename(b)

    return edit


def table(name: str, change):
    """Change a table of text columns."""

    def edit(folder: Path) -> None:
        for path in folder.glob(name):
            separator = "\t" if path.suffix == ".tsv" else ","
            content = pd.read_csv(path, sep=separator, dtype=str)
            change(content).to_csv(path, sep=separator, index=False)

    return edit


def shifted(column: str):
    return lambda content: content.assign(**{column: np.roll(content[column], 1)})


def shifted_in_splits(content: pd.DataFrame) -> pd.DataFrame:
    """Stimuli moved down by one among those of their split."""
    moved = content.groupby("trial_type")["stimulus"].transform(lambda own: np.roll(own, 1))
    return content.assign(stimulus=moved)


def lines(name: str):
    """Move every line of a text file down by one."""

    def edit(folder: Path) -> None:
        for path in folder.glob(name):
            content = path.read_text().splitlines()
            path.write_text("\n".join(content[-1:] + content[:-1]) + "\n")

    return edit


def assembly(change):
    """Change an assembly of Brain-Score."""

    def edit(folder: Path) -> None:
        (path,) = folder.glob("assy_*.nc")
        with xarray.open_dataset(path, engine="h5netcdf") as file:
            content = file.load()
        change(content).to_netcdf(path, engine="h5netcdf")

    return edit


NSD = "nsddata_betas/ppdata/subj01/func1pt8mm/betas_fithrf_GLMdenoise_RR/betas_session0{}.hdf5"
FILES = "nsddata_betas/ppdata/{subject}/func1pt8mm/%s/betas_session{session}.%s"
FMRI = "subj01/training_split/training_fmri/{}_training_fmri.npy"
BOLD = "CSI1_GLMbetas-TYPED-FITHRF-GLMDENOISE-RR_ses-0{}.nii.gz"
UNSEEN = [
    # the index of the stimuli
    ("nsd", "order shifted by one", design(roll("masterordering")), {}),
    ("nsd", "numbers shifted by one", design(roll("subjectim")), {}),
    ("things_fmri", "stimuli shifted by one", table("betas_csv/*Stimulus*.csv", shifted_in_splits), {}),
    ("bold5000", "names shifted by one", lines("CSI*_imgnames.txt"), {}),
    ("laion_fmri", "the order of the rows", None, {"trials": {"index": None}}),
    (
        "brainscore",
        "stimuli shifted by one",
        assembly(lambda a: a.assign(stimulus_id=a["stimulus_id"].roll(presentation=1))),
        {},
    ),
    ("glmsingle", "stimuli shifted by one", table("trials.csv", shifted("stimulus_id")), {}),
    ("lab", "stimuli shifted by one", table("trials.csv", shifted("stimulus_id")), {}),
    # the order of the axes: the grid is as long in x as in z
    ("nsd", "x, y, z", None, {"values": {"axes": ["trial", "x", "y", "z"]}}),
    ("bold5000", "z, y, x", None, {"values": {"axes": ["z", "y", "x", "trial"]}}),
    ("laion_fmri", "z, y, x", None, {"values": {"axes": ["z", "y", "x", "trial"]}}),
    ("laion_fmri", "y, x, z", None, {"values": {"axes": ["y", "x", "z", "trial"]}}),
    ("glmsingle", "z, y, x", None, {"values": {"axes": ["z", "y", "x", "trial"]}}),
    ("lab", "z, y, x", None, {"values": {"axes": ["trial", "z", "y", "x"]}}),
    # sessions
    *[
        (layout, "no z-scores", None, {"zscore": "none"})
        for layout in ("nsd", "things_fmri", "bold5000", "laion_fmri", "glmsingle", "lab")
    ],
    ("nsd", "sessions exchanged", swap(NSD.format(1), NSD.format(2)), {}),
    ("bold5000", "sessions exchanged", swap(BOLD.format(1), BOLD.format(2)), {}),
    # voxels
    ("algonauts2023", "hemispheres exchanged", swap(FMRI.format("lh"), FMRI.format("rh")), {}),
    (
        "things_fmri",
        "voxels shifted by one",
        table("betas_csv/*Voxel*.csv", lambda t: t.apply(lambda c: np.roll(c, 1))),
        {},
    ),
    (
        "brainscore",
        "regions shifted by one",
        assembly(lambda a: a.assign(region=a["region"].roll(neuroid=1))),
        {},
    ),
    (
        "brainscore",
        "subjects shifted by one",
        assembly(lambda a: a.assign(subject=a["subject"].roll(neuroid=1))),
        {},
    ),
]


@pytest.mark.parametrize(
    ("layout", "fault", "edit", "options"), UNSEEN, ids=lambda value: value if isinstance(value, str) else ""
)
def test_what_is_read_wrongly_is_not_what_was_planted(layout, fault, edit, options, originals, tmp_path):
    standin = originals(layout)
    if edit:
        standin = copied(standin, tmp_path / "copy")
        edit(standin.folder)
    card = card_of(standin, **options)
    responses, _, _ = read(card, tmp_path / "read")
    with pytest.raises(AssertionError):
        check(card, responses, standin, zscore=layout not in ("algonauts2023", "brainscore"))


@pytest.mark.parametrize(
    ("layout", "options", "words"),
    [
        (
            "laion_fmri",
            {"trials": {"base": 1}},
            "found '0', expected a whole number from 1 on (options.trials.base)",
        ),
        ("things_fmri", {"values": {"axes": ["trial", "voxel"]}}, "expected"),
        ("nsd", {"values": {"scale": None}}, "scale"),
        ("bold5000", {"values": {"affine": "check"}}, "affine"),
        ("algonauts2023", {"zscore": "session"}, "options.zscore: found session, expected none"),
        ("brainscore", {"values": {"axes": ["voxel", "trial", "single"]}}, "expected"),
    ],
)
def test_what_can_be_seen_is_refused(layout, options, words, originals, tmp_path):
    card = card_of(originals(layout), **options)
    assert words in message_of(read, card, tmp_path)


def counts_from_zero(folder: Path) -> None:
    """Image numbers of NSD as if they counted from 0."""

    def change(content: dict) -> None:
        content["subjectim"] = content["subjectim"] - 1

    design(change)(folder)


@pytest.mark.parametrize(
    ("layout", "edit", "words"),
    [
        ("nsd", counts_from_zero, "subjectim: found values from 0 to 72, expected numbers from 1"),
        ("nsd", lambda folder: (folder / NSD.format(2)).unlink(), "session"),
        ("bold5000", lambda folder: (folder / BOLD.format(4)).unlink(), "trials"),
        ("bold5000", lambda folder: next(folder.rglob("scene3.jpg")).unlink(), "scene3.jpg"),
        ("things_fmri", table("betas_csv/*Stimulus*.csv", shifted("stimulus")), "trial_type"),
        ("things_fmri", table("betas_csv/*Voxel*.csv", lambda rows: rows.iloc[:-1]), "VoxelMetadata.csv"),
        ("glmsingle", table("trials.csv", lambda rows: rows.iloc[:-1]), "trials: found 160 trials"),
    ],
)
def test_files_that_disagree_are_refused(layout, edit, words, originals, tmp_path):
    standin = copied(originals(layout), tmp_path / "copy")
    card = card_of(standin)
    edit(standin.folder)
    assert words in message_of(read, card, tmp_path / "read")


# ---- scale, versions and ceilings ------------------------------------------------------------------------


def test_betas_of_nsd_are_percent_signal_change(originals, tmp_path):
    standin = originals("nsd")
    card = card_of(standin, zscore="none")
    responses, _, _ = read(card, tmp_path)
    person = standin.people["subj01"]
    own = tables(responses)
    (key,) = (key for key in own if key[1] == "hV4")
    np.testing.assert_allclose(own[key], person.expected("hV4", False).loc[own[key].index], atol=1e-4)


def test_a_voxel_that_lacks_a_session_is_dropped_and_counted(originals, tmp_path):
    standin = originals("nsd")
    card = card_of(standin)
    _, stimuli, _ = load_stimuli(card, None)
    _, counts = clean_responses(load_responses(card, None, stimuli, tmp_path))
    counts = counts.set_index("roi")
    assert counts["nan_voxels"].to_dict() == {roi: int(roi == "V1") for roi in counts.index}


@pytest.mark.parametrize(
    "values",
    [
        {"file": FILES % ("betas_fithrf", "hdf5")},
        {
            "file": FILES % ("betas_fithrf_GLMdenoise_RR", "nii.gz"),
            "key": None,
            "axes": ["x", "y", "z", "trial"],
        },
    ],
    ids=["other GLM", "NIfTI"],
)
def test_other_files_of_nsd_are_read_alike(values, originals, tmp_path):
    standin = originals("nsd")
    card = card_of(standin, values=values)
    responses, _, _ = read(card, tmp_path)
    check(card, responses, standin)


SURFACE = {
    "file": "nsddata_betas/ppdata/{subject}/nativesurface/betas_fithrf_GLMdenoise_RR/"
    "{hemisphere}.betas_session{session}.hdf5",
    "axes": ["trial", "voxel"],
}


@pytest.mark.parametrize("exchanged", [False, True])
def test_betas_of_nsd_on_the_surface(exchanged, originals, tmp_path):
    standin = add_surface(copied(originals("nsd"), tmp_path / "copy"))
    card = card_of(standin, values=SURFACE)
    for place in card["rois"].values():
        place["atlas"] = "nsddata/freesurfer/{subject}/label/{hemisphere}.prf-visualrois.mgz"
    if exchanged:
        name = SURFACE["file"].format(subject="subj01", hemisphere="{0}", session="03")
        swap(name.format("lh"), name.format("rh"))(standin.folder)
    responses, _, _ = read(card, tmp_path / "read")
    if exchanged:
        with pytest.raises(AssertionError):
            check(card, responses, standin)
    else:
        check(card, responses, standin)


def test_a_person_with_fewer_sessions_has_fewer_repeats(originals, tmp_path):
    standin = originals("nsd")
    own = StandIn(standin.folder, {"subj02": standin.people["subj02"]}, standin.images)
    card = card_of(own, "subj02")
    responses, stimuli, _ = read(card, tmp_path)
    check(card, responses, own)
    counts = own.people["subj02"].trials["stimulus_id"].value_counts()
    assert stimuli["repeats"].tolist() == counts[stimuli["stimulus_id"]].tolist()
    assert set(stimuli["repeats"]) > {3}


def test_shared_images_are_those_that_all_saw_three_times(originals, tmp_path):
    standin = originals("nsd")
    card = yaml.safe_load((CARDS / "nsd_shared.yaml").read_text())
    card["path"] = str(standin.folder)
    card["rois"] = {"V1": card["rois"]["V1"], "hV4": card["rois"]["hV4"]}
    card["options"] |= {"subjects": list(standin.people), "splits": {"test": {"repeats": 2}}}
    card["options"]["stimuli"]["size"] = SIZE
    card = validate("datasets", card, "card")
    responses, stimuli, _ = read(card, tmp_path)
    counts = pd.DataFrame({n: p.trials["stimulus_id"].value_counts() for n, p in standin.people.items()}).min(
        axis=1
    )
    seen = set.intersection(*(set(person.trials["stimulus_id"]) for person in standin.people.values()))
    assert set(stimuli["stimulus_id"]) == {name for name in seen if counts[name] >= 2}
    check(card, responses, standin)


def test_splits_of_laion_are_the_lists_of_its_package(originals, tmp_path):
    standin = originals("laion_fmri")
    _, stimuli, _ = read(card_of(standin), tmp_path)
    for split, (file, part) in {
        "test": ("tau", "test_ids"),
        "ood": ("ood", "test_ids"),
        "train": ("tau", "train_ids"),
    }.items():
        content = json.loads((standin.folder / f"splits/data/shared/{file}.json").read_text())
        own = stimuli["stimulus_id"][stimuli["split"] == split]
        assert set(own) == set(content["variants"][0][part]), split


# ---- ceilings --------------------------------------------------------------------------------------------


def ceilings_of(responses: xarray.DataArray, split: str) -> pd.DataFrame:
    """ncsnr and NC of the project, a row a voxel of the responses."""
    found = reliability.reliability_table(responses, splits=2)
    return found[found["split"] == split].set_index("voxel")


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_noise_ceiling_is_that_of_the_published_formula(split, originals, tmp_path):
    standin = originals("nsd")
    person = standin.people["subj01"]
    responses, stimuli, _ = read(card_of(standin), tmp_path)
    shown = person.trials["stimulus_id"].isin(stimuli["stimulus_id"][stimuli["split"] == split]).to_numpy()
    names = person.trials["stimulus_id"].to_numpy()[shown]
    found = ceilings_of(responses, split)
    for roi in pd.unique(responses["roi"].values):
        own = found[found["roi"] == roi]
        values = person.zscored()[shown][:, person.rois[roi]]
        np.testing.assert_allclose(own["ncsnr"], ncsnr(values, names), rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(own["nc"], noise_ceiling(values, names), rtol=1e-6, atol=1e-6)


def test_images_that_lack_repeats_count_in_the_ceiling_as_published(originals):
    """Noise is that of images with two trials or more, and the mean of 1 / n is over all images."""
    person = originals("nsd").people["subj02"]
    names = person.trials["stimulus_id"].to_numpy()
    values = person.zscored()[:, person.rois["hV4"]]
    stimuli = sorted(set(names))
    trials = np.full((len(stimuli), 5, values.shape[1]), np.nan)
    for k, stimulus in enumerate(stimuli):
        own = values[names == stimulus][:5]
        trials[k, : len(own)] = own
    kept = np.isin(names, [name for name in stimuli if (names == name).sum() <= 5])
    assert kept.all()
    ratio, ceiling = reliability.noise_ceiling(trials)
    counts = [names.tolist().count(name) for name in stimuli]
    assert min(counts) == 1 < 2 < max(counts)
    independent = ncsnr(values, names)
    np.testing.assert_allclose(ratio, independent, rtol=1e-6)
    share = np.mean(1 / np.array(counts))
    np.testing.assert_allclose(ceiling, 100 * independent**2 / (independent**2 + share), rtol=1e-6)


def test_the_ceiling_of_things_is_the_one_in_its_table(originals, tmp_path):
    standin = originals("things_fmri")
    card = card_of(standin)
    responses, _, _ = read(card, tmp_path)
    found = ceilings_of(responses, "test")
    for subject, person in standin.people.items():
        table = pd.read_csv(standin.folder / f"betas_csv/sub-{subject}_VoxelMetadata.csv")
        for roi in card["rois"]:
            own = found[found["subject"].str.endswith(subject) & (found["roi"] == roi)]
            np.testing.assert_allclose(own["nc"], table["nc_testset"][person.rois[roi]], rtol=1e-6, atol=1e-6)


def test_averages_whose_repeats_nobody_knows_have_no_ceiling(originals, tmp_path):
    responses, _, _ = read(card_of(originals("algonauts2023")), tmp_path)
    assert reliability.reliability_table(responses).empty
