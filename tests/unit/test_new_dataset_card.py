"""The command that writes the card of a data set: layouts recognised, other folders looked through."""

import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import yaml

from cortexrsa.brain import new_card
from cortexrsa.brain.field_cards import LAYOUTS
from cortexrsa.cards import load_card
from standins.layouts import LAYOUTS as STANDINS
from support import message_of

ROOT = Path(__file__).resolve().parents[2]
CARDS = ROOT / "resources/datasets"
SCRIPT = ROOT / "scripts/new_dataset_card.py"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Every stand-in by its layout; no test may write in them."""
    made = {}

    def folder(layout):
        if layout not in made:
            made[layout] = tmp_path_factory.mktemp("standins") / layout
            STANDINS[layout](made[layout])
        return made[layout]

    return folder


def card_of(folder, **options):
    text = new_card.card_text(folder, CARDS, **options)
    return text, yaml.safe_load(text)


@pytest.mark.parametrize(
    ("layout", "subjects", "rois"),
    [
        ("nsd", ["subj01"], {"V1", "V2", "V3", "hV4", "ventral", "lateral", "FFA"}),
        ("things_fmri", ["01", "02"], {"V1", "V2", "LO", "FFA"}),
        ("bold5000", ["CSI1", "CSI2"], {"EarlyVis", "LOC"}),
        ("algonauts2023", ["subj01"], {"V1", "V2", "V3", "hV4"}),
        ("laion_fmri", ["sub-01", "sub-03"], {"V1", "hV4", "FFA"}),
        ("brainscore", ["subj1", "subj2"], {"V1", "IT"}),
    ],
)
def test_a_layout_of_the_field_is_recognised(folders, layout, subjects, rois):
    folder = folders(layout)
    text, card = card_of(folder)
    assert card["options"]["subjects"] == subjects
    assert card["path"] == str(folder)
    # ROIs whose files or columns are not there are comments, and a sentence says what they lack
    assert set(card["rois"]) == rois
    template = yaml.safe_load((CARDS / f"{layout}.yaml").read_text())
    for roi in set(template["rois"]) - rois:
        assert f"# Left out: {roi}, for lack of " in text
    if layout != "brainscore":
        assert card["options"]["values"] == template["options"]["values"]
        assert {roi: card["rois"][roi] for roi in rois} == {roi: template["rois"][roi] for roi in rois}


@pytest.mark.parametrize("layout", [layout.card for layout in LAYOUTS])
def test_every_layout_has_a_template(layout):
    """A valid card with a line for each thing that is filled in, and a place for each that is looked for."""
    card = load_card("datasets", layout, ROOT)
    assert card["loader"] == "responses"
    assert card["rois"]
    assert {"values", "trials", "stimuli", "subjects"} <= set(card["options"])
    lines = (CARDS / f"{layout}.yaml").read_text(encoding="utf-8").splitlines()
    for start in ("path: ", "  subjects: "):
        assert len([line for line in lines if line.startswith(start)]) == 1


def test_a_card_of_one_person_names_the_others(folders):
    text, card = card_of(folders("nsd"), subject="subj02")
    assert card["options"]["subjects"] == ["subj02"]
    assert "# Also there: subj01 (--subject)." in text
    assert "(here subj02)" in card["description"]
    assert "# 3 sessions: nsddata_betas/ppdata/subj02/" in text
    message = message_of(card_of, folders("nsd"), subject="subj1")
    assert message.endswith("--subject: found 'subj1', expected one of subj01, subj02; did you mean subj01?")


def test_what_a_folder_lacks_is_said(folders, tmp_path):
    shutil.copytree(folders("nsd"), tmp_path, dirs_exist_ok=True)
    (tmp_path / "nsddata/experiments/nsd/nsd_expdesign.mat").unlink()
    (tmp_path / "nsddata/ppdata/subj01/func1pt8mm/roi/streams.nii.gz").unlink()
    text, card = card_of(tmp_path)
    assert "# Not found: nsddata/experiments/nsd/nsd_expdesign.mat" in text
    assert "# Left out: ventral, for lack of nsddata/ppdata/subj01/func1pt8mm/roi/streams.nii.gz" in text
    assert {"ventral", "lateral"}.isdisjoint(card["rois"])


def test_the_betas_of_nsd_that_are_there_are_taken(folders, tmp_path):
    shutil.copytree(folders("nsd"), tmp_path, dirs_exist_ok=True)
    for path in tmp_path.rglob("betas_session*.hdf5"):
        path.unlink()
    values = card_of(tmp_path)[1]["options"]["values"]
    assert values["file"].endswith("/betas_fithrf_GLMdenoise_RR/betas_session{session}.nii.gz")
    assert values["axes"] == ["x", "y", "z", "trial"]
    assert values["scale"] == "1/300"
    assert "key" not in values
    shutil.rmtree(tmp_path / "nsddata_betas/ppdata/subj01/func1pt8mm/betas_fithrf_GLMdenoise_RR")
    text, card = card_of(tmp_path)
    assert card["options"]["values"]["file"].endswith("/betas_fithrf/betas_session{session}.nii.gz")
    assert "# TO DECIDE: betas_fithrf_GLMdenoise_RR is not there; taken is betas_fithrf" in text


def test_an_assembly_tells_its_own_names(folders):
    _, card = card_of(folders("brainscore"))
    assert (
        card["options"]["values"]["file"] == card["options"]["trials"]["file"] == "assy_Standin2024_fmri.nc"
    )
    assert card["options"]["stimuli"]["images"] == "stimulus_Standin2024.zip"
    assert card["rois"] == {roi: {"column": "region", "value": roi} for roi in ("V1", "IT")}


def test_the_folder_of_glmsingle_is_read_from_its_hdf5(folders, tmp_path):
    text, card = card_of(folders("glmsingle"))
    assert card["options"]["values"] == {
        "file": "GLMsingle/TYPED_FITHRF_GLMDENOISE_RR.hdf5",
        "key": "betasmd",
        "axes": ["x", "y", "z", "trial"],
    }
    assert card["options"]["trials"] == {"file": "trials.csv"}
    # a grid that is as long in x as in z fits either way, and only a person can tell
    assert "TO DECIDE: z, y, x would fit as well" in text
    shutil.copytree(folders("glmsingle"), tmp_path, dirs_exist_ok=True)
    (tmp_path / "GLMsingle/TYPED_FITHRF_GLMDENOISE_RR.hdf5").unlink()
    message = message_of(card_of, tmp_path)
    assert (
        "TYPED_FITHRF_GLMDENOISE_RR.npy: file: found a pickled result of GLMsingle, expected an HDF5"
        in message
    )
    assert "allow_pickle=True" in message


def test_a_folder_of_a_lab_is_looked_through(folders):
    text, card = card_of(folders("lab"))
    assert card["options"] == {
        "values": {"file": "betas.npy", "axes": ["trial", "x", "y", "z"]},
        "trials": {"file": "trials.csv"},
        "stimuli": {"images": "images", "size": 224},
        "splits": {"train": {"rest": True}, "test": {"fraction": 0.3}},
    }
    assert card["rois"] == {
        "label1": {"atlas": "roi.nii.gz", "label": 1},
        "label2": {"atlas": "roi.nii.gz", "label": 2},
    }
    assert text.count("TO DECIDE: its name") == 2


def lab(folder, betas, trials="stimulus_id\n" + "a\n" * 20):
    folder.mkdir(exist_ok=True)
    np.save(folder / "betas.npy", betas)
    (folder / "trials.csv").write_text(trials)
    return folder


def test_what_cannot_be_decided_is_a_comment(tmp_path):
    text, card = card_of(lab(tmp_path / "square", np.zeros((20, 20))))
    assert "axes" not in card["options"]["values"]
    assert "TO DECIDE: which of the two is that of the trials?" in text
    text, card = card_of(lab(tmp_path / "whole", np.zeros((20, 30), np.int16)))
    assert "scale" not in card["options"]["values"]
    assert "TO DECIDE: int16, what is one unit?" in text
    text, card = card_of(lab(tmp_path / "other", np.zeros((21, 30))))
    assert "trials" not in card["options"]
    assert "TO DECIDE: no table has as many rows as an axis of the betas" in text
    text, card = card_of(lab(tmp_path / "named", np.zeros((20, 30)), "image\n" + "a\n" * 20))
    assert "TO DECIDE: which of image names the stimulus?" in text
    assert "TO DECIDE: no images were found" in text
    assert card["rois"] == {"all": {"whole": True}}


def test_files_of_sessions_and_subjects_are_one(tmp_path):
    for subject in ("01", "02"):
        for session in (1, 2, 3):
            place = tmp_path / f"sub-{subject}/ses-{session}"
            place.mkdir(parents=True)
            np.save(place / "betas.npy", np.zeros((8 + session, 40)))
            (place / "trials.tsv").write_text("stimulus_id\n" + "a\n" * (8 + session))
    text, card = card_of(tmp_path)
    assert card["options"]["values"]["file"] == "sub-{subject}/ses-{session}/betas.npy"
    assert card["options"]["values"]["axes"] == ["trial", "voxel"]
    assert card["options"]["trials"]["file"] == "sub-{subject}/ses-{session}/trials.tsv"
    assert card["options"]["subjects"] == ["01", "02"]
    assert "sessions: null  # 3 are there: 1 to 3" in text


def test_files_of_two_hemispheres_are_one(tmp_path):
    lab(tmp_path, np.zeros((20, 5)))
    (tmp_path / "betas.npy").unlink()
    for side, vertices, code in (("L", 40, 1), ("R", 30, 2)):
        np.save(tmp_path / f"hemi-{side}_betas.npy", np.zeros((20, vertices)))
        labels = nib.gifti.GiftiDataArray(np.repeat([0, code], vertices // 2).astype(np.int32))
        nib.save(nib.GiftiImage(darrays=[labels]), tmp_path / f"hemi-{side}_rois.label.gii")
    _, card = card_of(tmp_path)
    assert card["options"]["values"] == {"file": "hemi-{hemisphere}_betas.npy", "axes": ["trial", "voxel"]}
    assert card["options"]["hemispheres"] == ["L", "R"]
    assert card["rois"]["label2"] == {"atlas": "hemi-{hemisphere}_rois.label.gii", "label": 2}


def test_names_of_labels_come_from_a_table_beside_them(folders, tmp_path):
    shutil.copytree(folders("lab"), tmp_path, dirs_exist_ok=True)
    (tmp_path / "roi.ctab").write_text("0 Unknown 0 0 0 0\n1 V1 1 2 3 0\n2 LO 4 5 6 0\n")
    _, card = card_of(tmp_path)
    assert set(card["rois"]) == {"V1", "LO"}


def test_archives_and_surfaces_are_read_by_their_headers(tmp_path):
    lab(tmp_path, np.zeros((20, 5)))
    (tmp_path / "betas.npy").unlink()
    np.savez(tmp_path / "betas.npz", values=np.zeros((20, 40), np.float32), sessions=np.zeros(20))
    labels = nib.gifti.GiftiDataArray(np.repeat([0, 1, 2, 2], 10).astype(np.int32))
    nib.save(nib.GiftiImage(darrays=[labels]), tmp_path / "lh.rois.label.gii")
    _, card = card_of(tmp_path)
    assert card["options"]["values"] == {"file": "betas.npz", "key": "values", "axes": ["trial", "voxel"]}
    assert card["rois"]["label2"] == {"atlas": "lh.rois.label.gii", "label": 2}
    stack = [nib.gifti.GiftiDataArray(np.zeros(40, np.float32)) for _ in range(20)]
    nib.save(nib.GiftiImage(darrays=stack), tmp_path / "lh.betas.func.gii")
    (tmp_path / "betas.npz").unlink()
    assert card_of(tmp_path)[1]["options"]["values"]["file"] == "lh.betas.func.gii"


def test_an_image_that_is_not_there_is_said(folders, tmp_path):
    shutil.copytree(folders("lab"), tmp_path, dirs_exist_ok=True)
    (tmp_path / "images/007.png").unlink()
    text, _ = card_of(tmp_path)
    assert "TO DECIDE: 1 stimuli have no image of their name, first '007'" in text


def test_a_damaged_file_is_named(folders, tmp_path):
    shutil.copytree(folders("lab"), tmp_path, dirs_exist_ok=True)
    (tmp_path / "more.npz").write_bytes(b"PK no archive")
    assert "# Not read: more.npz (" in card_of(tmp_path)[0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "nowhere", "nowhere: folder: found no such folder, expected the folder of"),
        (lambda folder: folder, "folder: found none of the files that a data set has, expected arrays"),
        (
            lambda folder: (folder / "words.csv").write_text("a,b\n1,2\n") and folder,
            "betas: found no array of two dimensions or more, expected an array of betas",
        ),
    ],
)
def test_a_folder_without_a_data_set_is_one_line(tmp_path, make, message):
    assert message in message_of(card_of, make(tmp_path))


def test_a_subject_is_asked_for_where_cards_have_one(folders):
    message = message_of(card_of, folders("lab"), subject="sub-01")
    assert message.endswith("--subject: found 'sub-01', expected a folder of NSD or Algonauts 2023")


@pytest.mark.parametrize("name", ["a.b", "../x", "-x", "downloads"])
def test_a_card_cannot_have_any_name(monkeypatch, tmp_path, name):
    monkeypatch.setattr(sys, "argv", ["new_dataset_card.py", str(tmp_path), f"--out={name}"])
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    message = str(caught.value)
    assert message.startswith(f"Error: new_dataset_card.py: --out: found {name!r}, expected a name ")
    assert "\n" not in message


@pytest.mark.slow
def test_the_command_prints_a_card_or_one_line(folders):
    def command(*arguments):
        return subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True)

    run = command(folders("lab"))
    assert run.returncode == 0, run.stderr
    assert yaml.safe_load(run.stdout)["loader"] == "responses"
    run = command(folders("lab"), "--out", "nsd")
    assert run.returncode == 1
    assert run.stdout == ""
    assert len(run.stderr.splitlines()) == 1
    assert "nsd.yaml: card: found one there already, expected another name after --out" in run.stderr
