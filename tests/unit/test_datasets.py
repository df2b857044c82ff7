"""Raw images, RDMs and responses: read as they are, or refused in one line."""

import hashlib
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import xarray
from PIL import Image
from scipy.spatial.distance import pdist, squareform
from scipy.stats import spearmanr

from cortexrsa import cards
from cortexrsa.brain.loaders.rdm_files import read_rdms_of_others, square_rdms
from cortexrsa.brain.loaders.rdms import load_rdm_dataset
from cortexrsa.brain.responses import clean_responses
from support import message_of

ROOT = Path(__file__).resolve().parents[2]


# ---- RDMs --------------------------------------------------------------------------------------------------


def save_images(folder, n=10, size=(12, 16)):
    """n random PNG images."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, image in enumerate(np.random.default_rng(0).integers(0, 256, (n, *size, 3), np.uint8)):
        Image.fromarray(image).save(folder / f"{index}.png")


def make_rdms(subjects=3, n=10, seed=0):
    rng = np.random.default_rng(seed)
    return np.stack([squareform(pdist(rng.normal(size=(n, 20)), "correlation")) for _ in range(subjects)])


def load_npz(path, key, n=10):
    return square_rdms(read_rdms_of_others(path, key, None, n).values, n, path, key)


def save_rdms(path, rdms, key="rdm"):
    np.savez(path, **{key: rdms})
    return path


def test_rdms_are_read_exactly(tmp_path):
    rdms = make_rdms()
    path = save_rdms(tmp_path / "v1.npz", rdms)
    np.testing.assert_array_equal(load_npz(path, "rdm"), rdms)


def test_one_subject_and_rounding_of_float32(tmp_path):
    rdm = make_rdms(1)[0].astype(np.float32)
    rdm[2, 1] = np.nextafter(rdm[2, 1], np.float32(9))
    path = save_rdms(tmp_path / "v1.npz", rdm)
    read = load_npz(path, "rdm")
    assert (read.shape, read.dtype) == ((1, 10, 10), np.float64)
    np.testing.assert_array_equal(read[0], rdm)


def edited(edit):
    rdms = make_rdms()
    edit(rdms)
    return rdms


def put(*place_and_value):
    *place, value = place_and_value

    def edit(rdms):
        rdms[tuple(place)] = value

    return edited(edit)


BAD_RDMS = [
    (make_rdms().astype(object), "content: found Object arrays cannot be loaded when allow_pickle=False"),
    (make_rdms().astype(str), "rdm: found dtype <U"),
    (make_rdms() + 0j, "rdm: found dtype complex128, expected numbers"),
    (make_rdms() > 1, "rdm: found dtype bool, expected numbers"),
    (make_rdms()[:, :9], "rdm: found shape (3, 9, 10), expected (subjects, 10, 10) or (subjects, 45)"),
    (make_rdms()[0, 0], "rdm: found shape (10,), expected"),
    (make_rdms()[:0], "rdm: found shape (0, 10, 10), expected"),
    (make_rdms(n=9), "rdm: found shape (3, 9, 9), expected (subjects, 10, 10)"),
    (put(1, 2, 3, np.nan), "rdm[1]: found nan at (2, 3), expected finite dissimilarities"),
    (put(1, 2, 3, np.inf), "rdm[1]: found inf at (2, 3), expected finite dissimilarities"),
    (put(2, 4, 4, 0.5), "rdm[2]: found 0.5 at (4, 4), expected zeros on the diagonal"),
    (1 - make_rdms(), "rdm[0]: found 1 at (0, 0), expected zeros on the diagonal (an RDM)"),
    (put(0, 5, 1, 9.0), "expected a symmetric matrix (to 1e-06 of its largest value)"),
    (np.ones((2, 10, 10)) - np.eye(10), "rdm[0]: found equal dissimilarities only, expected"),
    (np.zeros((2, 10, 10)), "rdm[0]: found equal dissimilarities only, expected"),
]


@pytest.mark.parametrize(("rdms", "expected"), BAD_RDMS)
def test_arrays_that_are_no_rdms(tmp_path, rdms, expected):
    path = save_rdms(tmp_path / "v1.npz", rdms)
    message = message_of(load_npz, path, "rdm")
    assert message.startswith(f"{path}: ")
    assert expected in message


def test_wrong_key_lists_those_there(tmp_path):
    path = tmp_path / "v1.npz"
    np.savez(path, Net_RDM=make_rdms(), subjects=np.arange(3))
    message = message_of(load_npz, path, "NetRDM")
    assert (
        message == f"{path}: key: found no 'NetRDM', expected one of Net_RDM, subjects; did you mean Net_RDM?"
    )


@pytest.mark.parametrize(
    "damage", ["cut", "flipped", "text", "html", "empty", "missing", "npy", "pickle", "method", "member"]
)
def test_damaged_npz(tmp_path, damage):
    path = save_rdms(tmp_path / "v1.npz", make_rdms())
    content = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    elif damage == "npy":
        with open(path, "wb") as file:
            np.save(file, make_rdms())
    elif damage == "pickle":
        make_rdms().dump(path)
    elif damage == "member":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("rdm", "0 1 2")
    elif damage == "method":
        # the way of compression, in the directory at the end
        content[content.rindex(b"PK\x01\x02") + 10] = 99
        path.write_bytes(content)
    else:
        content[len(content) // 2] ^= 255
        kinds = {"cut": content[:1000], "flipped": content, "text": b"1 2", "html": b"<html>", "empty": b""}
        path.write_bytes(kinds[damage])
    message = message_of(load_npz, path, "rdm")
    assert message.startswith(f"{path}: ")
    missing = damage == "missing"
    assert message.endswith("expected a file of RDMs" if missing else "expected an .npz file of plain arrays")


CARD = {
    "images": "stimuli",
    "files": [],
    "rois": {"EVC": {"file": "evc.npz", "key": "rdm"}, "IT": {"file": "it.npz", "key": "rdm"}},
    "options": {"dissimilarity": "correlation", "aspect_tolerance": 0.05},
}


@pytest.fixture
def folder(tmp_path):
    save_images(tmp_path / "stimuli")
    save_rdms(tmp_path / "evc.npz", make_rdms())
    save_rdms(tmp_path / "it.npz", make_rdms(seed=1))
    return tmp_path


def test_rdm_dataset_names_every_row_and_pattern(folder):
    images, stimuli, rdms = load_rdm_dataset(CARD, folder)
    assert images.shape == (10, 12, 16, 3)
    assert stimuli["stimulus_id"].tolist() == [str(index) for index in range(10)]
    assert set(stimuli["split"]) == {"test"}
    assert rdms.rdm_descriptors["roi"].tolist() == ["EVC"] * 3 + ["IT"] * 3
    assert rdms.rdm_descriptors["subject"].tolist() == ["sub-01", "sub-02", "sub-03"] * 2
    assert rdms.pattern_descriptors["stimulus_id"].tolist() == stimuli["stimulus_id"].tolist()
    assert rdms.dissimilarity_measure == "correlation"
    expected = [squareform(rdm, checks=False) for rdm in [*make_rdms(), *make_rdms(seed=1)]]
    np.testing.assert_array_equal(rdms.dissimilarities, expected)


def test_number_of_stimuli_is_that_of_the_images(folder):
    save_rdms(folder / "it.npz", make_rdms(n=9))
    message = message_of(load_rdm_dataset, CARD, folder)
    assert message == (
        f"{folder / 'it.npz'}: rdm: found shape (3, 9, 9), expected (subjects, 10, 10) or (subjects, 45), "
        f"for the 10 images in {folder / 'stimuli'}"
    )


def test_rois_have_the_same_subjects(folder):
    save_rdms(folder / "it.npz", make_rdms(subjects=2))
    message = message_of(load_rdm_dataset, CARD, folder)
    assert "it.npz: rdm: found 2 subjects, expected 3, as in EVC" in message


def test_too_few_images(folder):
    for index in range(3, 10):
        (folder / "stimuli" / f"{index}.png").unlink()
    assert "stimuli: found 3, expected at least 8" in message_of(load_rdm_dataset, CARD, folder)


def test_two_images_of_one_name(folder):
    (folder / "stimuli/0.jpg").write_bytes((folder / "stimuli/0.png").read_bytes())
    assert "stimulus_id: found '0' twice" in message_of(load_rdm_dataset, CARD, folder)


# ---- the real 92 images ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def algonauts():
    """Raw files of the real data set, and its card."""
    mirrors = [os.environ.get("CORTEXRSA_MIRROR"), ROOT.parent / "shared/mirror"]
    for mirror in filter(None, mirrors):
        if (Path(mirror) / "algonauts92").is_dir():
            return cards.load_card("datasets", "algonauts92", ROOT), Path(mirror) / "algonauts92"
    pytest.skip("no mirror with algonauts92 (set CORTEXRSA_MIRROR)")


def test_real_files_have_the_checksums_of_the_card(algonauts):
    card, folder = algonauts
    for name, entry in cards.card_files(card).items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == entry["sha256"], name


def test_real_rdms_belong_to_the_images_in_this_order(algonauts):
    images, stimuli, rdms = load_rdm_dataset(*algonauts)
    assert images.shape == (92, 175, 175, 3)
    assert rdms.dissimilarities.shape == (30, 92 * 91 // 2)
    assert rdms.rdm_descriptors.groupby("roi").size().to_dict() == {"EVC": 15, "IT": 15}
    assert stimuli["stimulus_id"].iloc[[0, 91]].tolist() == ["image_01", "image_92"]
    # early visual cortex follows the pixels of the right images, and of no random order of them
    evc = squareform(rdms.dissimilarities[:15].mean(0))
    pixels = squareform(pdist(images[:, ::5, ::5].mean(-1).reshape(92, -1), "correlation"))
    upper = np.triu_indices(92, 1)
    rng = np.random.default_rng(0)
    right = spearmanr(evc[upper], pixels[upper]).statistic
    orders = [rng.permutation(92) for _ in range(200)]
    others = [spearmanr(evc[upper], pixels[np.ix_(o, o)][upper]).statistic for o in orders]
    assert right > max(others)


# ---- voxels ------------------------------------------------------------------------------------------------


def make_responses(repeats=None, voxels=60, stimuli=20, seed=0):
    """Two subjects with ROIs V1 and LO; with `repeats`, training stimuli have but 2 of them."""
    rng = np.random.default_rng(seed)
    shape = (stimuli, voxels) if repeats is None else (stimuli, repeats, voxels)
    values = rng.normal(size=shape).astype(np.float32)
    split = np.where(np.arange(stimuli) < stimuli // 2, "train", "test").astype(object)
    if repeats is not None:
        values[split == "train", 2:] = np.nan
    return xarray.DataArray(
        values,
        dims=("stimulus", "voxel") if repeats is None else ("stimulus", "repeat", "voxel"),
        coords={
            "stimulus_id": ("stimulus", [f"s{index}" for index in range(stimuli)]),
            "split": ("stimulus", split),
            "subject": ("voxel", np.repeat(["sub-01", "sub-02"], voxels // 2).astype(object)),
            "roi": ("voxel", np.tile(np.repeat(["V1", "LO"], voxels // 4), 2).astype(object)),
        },
    )


@pytest.mark.parametrize("repeats", [None, 4])
def test_clean_responses_are_left_alone(repeats):
    responses = make_responses(repeats)
    cleaned, dropped = clean_responses(responses)
    xarray.testing.assert_identical(cleaned, responses)
    assert dropped[["nan_voxels", "constant_voxels"]].to_numpy().sum() == 0
    assert dropped["voxels"].tolist() == [15] * 4


@pytest.mark.parametrize("repeats", [None, 4])
def test_bad_voxels_are_dropped_and_counted(repeats):
    responses = make_responses(repeats)
    values = responses.values
    recorded = (0,) if repeats is None else (0, 1)
    values[(*recorded, 0)] = np.nan  # V1 of sub-01, one trial
    values[(*recorded, 1)] = np.inf
    values[..., 16] = np.where(np.isnan(values[..., 16]), np.nan, 3)  # LO of sub-01
    values[10:, ..., 17] = 2  # constant in the test split alone
    values[..., 31] = np.nan  # V1 of sub-02
    cleaned, dropped = clean_responses(responses)
    counts = {(row.subject, row.roi): tuple(row[3:]) for row in dropped.itertuples()}
    assert counts == {
        ("sub-01", "V1"): (13, 2, 0),
        ("sub-01", "LO"): (13, 0, 2),
        ("sub-02", "V1"): (14, 1, 0),
        ("sub-02", "LO"): (15, 0, 0),
    }
    keep = np.setdiff1d(np.arange(60), [0, 1, 16, 17, 31])
    xarray.testing.assert_identical(cleaned, responses.isel(voxel=keep))


def test_trials_that_were_not_recorded_are_no_fault():
    responses = make_responses(4)
    responses.values[12, 1:, :30] = np.nan  # sub-01 saw this stimulus once
    cleaned, dropped = clean_responses(responses)
    assert cleaned.sizes["voxel"] == 60
    assert dropped["nan_voxels"].sum() == 0


def test_roi_with_too_few_voxels():
    responses = make_responses()
    responses.values[0, 45:51] = np.nan
    responses.values[:, 51] = 1
    message = message_of(clean_responses, responses)
    assert message == (
        "roi LO: found 8 usable voxels for subject sub-02 (6 with NaN and 1 constant were dropped), "
        "expected at least 10"
    )


@pytest.mark.parametrize("repeats", [None, 4])
def test_stimulus_without_responses(repeats):
    responses = make_responses(repeats)
    responses.values[11, ..., 30:] = np.nan
    message = message_of(clean_responses, responses)
    assert message == (
        "responses: found no trial of s11 for subject sub-02, expected at least one trial of each stimulus"
    )
