"""Kay et al. (2008), packaged and raw: read as it is, or refused in one line."""

import os
import re
import tracemalloc
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import savemat
from scipy.sparse import csc_matrix
from scipy.stats import zscore

from cortexrsa import cards
from cortexrsa.brain.loaders import kay
from cortexrsa.brain.responses import clean_responses
from cortexrsa.downloads import fetch
from cortexrsa.errors import InputError
from support import message_of

ROOT = Path(__file__).resolve().parents[2]
MIRROR = Path(os.environ.get("CORTEXRSA_MIRROR") or ROOT.parent / "shared" / "mirror")
TRAIN, TEST, SIZE, VOXELS = 30, 12, 32, 64
OPTIONS = {
    "package": "kay_images.npz",
    "train": TRAIN,
    "test": TEST,
    "train_repeats": 2,
    "test_repeats": 13,
    "size": SIZE,
    "aperture": True,
}
ROIS = {"V1": {"code": 1, "voxels": 24}, "LatOcc": {"code": 7, "voxels": 20}}
CARD = {"rois": ROIS, "options": OPTIONS}


def images(n, generator):
    """Grey noise in a circular aperture, on Kay's scale."""
    axis = np.arange(SIZE) - (SIZE - 1) / 2
    outside = np.hypot(*np.meshgrid(axis, axis)) > SIZE / 2
    pixels = generator.uniform(-0.55, 0.45, (n, SIZE, SIZE)).astype(np.float32)
    pixels[:, outside] = 0
    return pixels


def arrays():
    generator = np.random.default_rng(0)
    return {
        "stimuli": images(TRAIN, generator),
        "stimuli_test": images(TEST, generator),
        "responses": generator.normal(size=(TRAIN, VOXELS)),
        # averages over more repeats vary less
        "responses_test": 0.6 * generator.normal(size=(TEST, VOXELS)),
        "roi": np.repeat([1, 7, 2], [24, 20, 20]).astype(np.int64),
        "roi_names": np.array(list(kay.ROI_CODES)),
    }


def package(folder, **changes):
    content = arrays() | changes
    np.savez(folder / "kay_images.npz", **{key: value for key, value in content.items() if value is not None})
    return content


# ---- the packaged file -------------------------------------------------------------------------------------


def test_the_package_is_read_as_it_is(tmp_path):
    content = package(tmp_path)
    pixels, stimuli, responses = kay.load_kay2008(CARD, tmp_path)
    assert pixels.shape == (TRAIN + TEST, SIZE, SIZE, 3)
    # one affine map for all images: grey values are in proportion, to half a step of 256
    grey = np.concatenate([content["stimuli"], content["stimuli_test"]])
    scale = 255 / (grey.max() - grey.min())
    for channel in range(3):
        assert np.abs(pixels[..., channel] - (grey - grey.min()) * scale).max() <= 0.501
    assert stimuli["split"].tolist() == ["train"] * TRAIN + ["test"] * TEST
    assert stimuli["repeats"].tolist() == [2] * TRAIN + [13] * TEST
    assert stimuli["stimulus_id"].is_unique
    assert responses.dtype == np.float32
    for roi, entry in ROIS.items():
        voxels = content["roi"] == entry["code"]
        expected = np.concatenate([content["responses"], content["responses_test"]])[:, voxels]
        found = responses.isel(voxel=(responses["roi"] == roi).to_numpy())
        np.testing.assert_array_equal(found, expected.astype(np.float32))
    assert set(responses["roi"].to_numpy()) == {"V1", "LatOcc"}
    np.testing.assert_array_equal(responses["repeats"], stimuli["repeats"])


def test_contrast_is_kept(tmp_path):
    content = arrays()
    content["stimuli"][3] *= 0.1
    package(tmp_path, **content)
    pixels, _, _ = kay.load_kay2008(CARD, tmp_path)
    assert pixels[3].std() == pytest.approx(0.1 * pixels[4].std(), rel=0.1)


def test_labels_are_optional_columns_with_the_predicted_one_marked(tmp_path):
    package(tmp_path)
    labels = np.array([[f"level{row}_{index}" for index in range(TRAIN)] for row in range(4)])
    np.save(tmp_path / "labels.npy", labels)
    card = {"rois": ROIS, "options": OPTIONS | {"labels": {"train": "labels.npy"}}}
    _, stimuli, _ = kay.load_kay2008(card, tmp_path)
    for row, name in enumerate(("wordnet_1", "wordnet_2", "wordnet_3", "imagenet_predicted")):
        assert stimuli[name].tolist() == [*labels[row], *[""] * TEST]
    assert list(kay.load_kay2008(CARD, tmp_path)[1]) == ["stimulus_id", "split", "repeats"]
    np.save(tmp_path / "labels.npy", labels[:, :5])
    assert "labels: found <U9 (4, 5)" in message_of(kay.load_kay2008, card, tmp_path)


@pytest.mark.parametrize("damage", ["npz", "cut npz", "missing"])
def test_damaged_labels_are_one_line(tmp_path, damage):
    package(tmp_path)
    path = tmp_path / "labels.npy"
    if damage != "missing":
        with open(path, "wb") as file:
            np.savez(file, labels=np.full((4, TRAIN), "x"))
        path.write_bytes(path.read_bytes()[: -50 if damage == "cut npz" else None])
    card = {"rois": ROIS, "options": OPTIONS | {"labels": {"train": "labels.npy"}}}
    message = message_of(kay.load_kay2008, card, tmp_path)
    assert message.startswith(f"{path}: array: found ")
    assert message.endswith("expected an .npy file with a plain array")


def test_the_real_labels_are_read():
    path = MIRROR / "kay2008" / "kay_labels.npy"
    if not path.is_file():
        pytest.skip(f"{path} is not there: the real labels are read from a mirror folder")
    options = {"train": 1750, "test": 120, "train_repeats": 2, "test_repeats": 13}
    table = kay.stimulus_table(options, {"train": kay._read_labels(path, 1750)})
    assert table.loc[2, ["wordnet_1", "wordnet_3", "imagenet_predicted"]].tolist() == [
        "animal",
        "mammal",
        "komondor",
    ]


def swapped():
    content = arrays()
    return {
        "stimuli": content["stimuli_test"],
        "stimuli_test": content["stimuli"],
        "responses": content["responses_test"],
        "responses_test": content["responses"],
    }


def changed(key, change):
    value = arrays()[key].copy()
    change(value)
    return {key: value}


def normalised_one_by_one():
    values = arrays()["stimuli"]
    values[4] = 0.3 * values[4] - 0.2
    return {"stimuli": values}


def each_z_scored():
    content = arrays()
    return {key: zscore(content[key], axis=0) for key in ("responses", "responses_test")}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (lambda: {"responses_test": None}, "key: found no 'responses_test', expected one of .*responses"),
        (swapped, r"stimuli: found shape \(12, 32, 32\), as many as the test split .*swapped"),
        (lambda: {"responses": arrays()["responses_test"]}, r"responses: found shape \(12, 64\), .*swapped"),
        (lambda: {"responses": arrays()["responses"].T}, r"responses: found shape \(64, 30\), transposed"),
        (lambda: {"responses": np.rint(arrays()["responses"]).astype(int)}, "responses: found dtype int64"),
        (lambda: {"roi": arrays()["roi"][:-3]}, r"responses: found shape \(30, 64\), expected .*61 voxels"),
        (
            lambda: changed("roi", lambda v: v.__setitem__(0, 9)),
            r"found the code 9, expected .*7 LatOcc",
        ),
        (lambda: changed("roi", lambda v: v.__setitem__(0, 7)), r"roi: found 23 voxels of code 1 \(V1\)"),
        (lambda: {"roi": arrays()["roi"] + 0.5}, "roi: found dtype float64 with other than whole numbers"),
        (lambda: {"roi": arrays()["roi"][None]}, r"roi: found shape \(1, 64\)"),
        (lambda: {"roi_names": arrays()["roi_names"][::-1]}, r"roi_names\[1\]: found 'V4', expected 'V1'"),
        (lambda: {"roi_names": arrays()["roi_names"].astype(object)}, "content: .*allow_pickle=False"),
        (lambda: {"roi_names": np.arange(8)}, "roi_names: found int64"),
        (lambda: {"stimuli": arrays()["stimuli"][:, :20]}, r"stimuli: found shape \(30, 20, 32\), expected"),
        (lambda: {"stimuli": arrays()["stimuli"].astype(str)}, "stimuli: found dtype <U"),
        (lambda: {"stimuli": np.float32(1)}, r"stimuli: found shape \(\), expected \(30, 32, 32\)"),
        (lambda: {"responses": np.float64(1)}, r"responses: found shape \(\), expected"),
        (
            lambda: {"stimuli": np.rint(255 * (arrays()["stimuli"] + 0.55)).astype(np.uint8)},
            "stimuli: found dtype uint8, expected float32 grey values",
        ),
        (lambda: {"roi_names": np.array(["Other", "V2", *"abcdef"], "S")}, "found 'V2', expected 'V1'"),
        (
            lambda: changed("stimuli_test", lambda v: v.__setitem__((2, 5, 5), np.nan)),
            "stimuli_test: found NaN or infinite values in 1 images, first in image 2",
        ),
        (lambda: changed("stimuli", lambda v: v.__setitem__(7, 0.1)), "image 7 of a single grey value"),
        (
            lambda: changed("stimuli_test", lambda v: v.__setitem__(3, arrays()["stimuli"][8])),
            "stimuli_test: found image 3, which is training image 8",
        ),
        (normalised_one_by_one, "stimuli: found corners that differ by .* in image 4"),
        (lambda: {"responses": np.full((TRAIN, VOXELS), np.nan)}, "responses: found no finite value"),
        (lambda: {"responses": np.rint(arrays()["responses"])}, "responses: found whole numbers only"),
        (each_z_scored, r"responses: found a variance of 1 over 13 repeats \(test\) and 1 over 2 \(train\)"),
        (
            lambda: {"stimuli_test": 10 * arrays()["stimuli_test"]},
            "stimuli_test: found images whose grey values span 10 times those of the training images",
        ),
    ],
)
def test_a_wrong_package_is_one_line(tmp_path, changes, message):
    package(tmp_path, **changes())
    text = message_of(kay.load_kay2008, CARD, tmp_path)
    assert text.startswith(str(tmp_path / "kay_images.npz"))
    assert re.search(message, text), text


@pytest.mark.parametrize(
    ("repeats", "message"),
    [
        ((13, 2), r"responses: found a variance of .* over 13 repeats \(train\) and .* over 2 \(test\)"),
        ((2, 2), "options: train_repeats, test_repeats: found 2 and 2, expected different numbers"),
    ],
)
def test_repeats_that_the_responses_contradict_are_refused(tmp_path, repeats, message):
    package(tmp_path)
    options = OPTIONS | dict(zip(("train_repeats", "test_repeats"), repeats, strict=True))
    with pytest.raises(InputError, match=message):
        kay.load_kay2008(CARD | {"options": options}, tmp_path)


def test_a_field_without_aperture_passes_where_the_card_says_so(tmp_path):
    package(tmp_path, **normalised_one_by_one())
    card = {"rois": ROIS, "options": OPTIONS | {"aperture": False}}
    assert len(kay.load_kay2008(card, tmp_path)[0]) == TRAIN + TEST


def test_names_of_rois_may_be_bytes(tmp_path):
    package(tmp_path, roi_names=np.array(list(kay.ROI_CODES), "S"))
    assert len(kay.load_kay2008(CARD, tmp_path)[0]) == TRAIN + TEST


@pytest.mark.parametrize("damage", ["truncated", "html", "npy", "missing", "member"])
def test_a_damaged_package_is_one_line(tmp_path, damage):
    package(tmp_path)
    path = tmp_path / "kay_images.npz"
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-4000])
    elif damage == "html":
        path.write_text("<!doctype html><html>Sign in</html>")
    elif damage == "npy":
        np.save(tmp_path / "one.npy", np.ones(3))
        path.write_bytes((tmp_path / "one.npy").read_bytes())
    elif damage == "member":
        package(tmp_path, roi=None)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("roi", "1 1 1 7")
    else:
        path.unlink()
    assert str(path) in message_of(kay.load_kay2008, CARD, tmp_path)


def test_a_flipped_bit_in_the_package_is_found(tmp_path):
    package(tmp_path)
    path = tmp_path / "kay_images.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert "CRC" in message_of(kay.load_kay2008, CARD, tmp_path)


# ---- the raw release ---------------------------------------------------------------------------------------

RAW = {
    "rois": {"V1": {"code": 1}, "LatOcc": {"code": 7}},
    "options": OPTIONS | {"subjects": ["S1", "S2"], "full_resolution": False},
}


def raw(folder, **changes):
    """The two files as published: MATLAB 5 stimuli, MATLAB 7.3 (HDF5) responses as h5py sees them."""
    content = arrays()
    savemat(folder / "Stimuli.mat", {"stimTrn": content["stimuli"], "stimVal": content["stimuli_test"]})
    generator = np.random.default_rng(1)
    variables = {}
    for subject, voxels in (("S1", 70), ("S2", 60)):
        variables[f"dataTrn{subject}"] = generator.normal(size=(TRAIN, voxels))
        variables[f"dataVal{subject}"] = 0.6 * generator.normal(size=(TEST, voxels))
        variables[f"roi{subject}"] = np.repeat([0.0, 1, 7], [10, 30, voxels - 40])[None]
        variables[f"voxIdx{subject}"] = np.arange(voxels, dtype=float)[None]
    variables["dataTrnS1"][:, 12] = np.nan
    variables["dataValS2"][:, 15] = np.nan
    variables |= changes
    with h5py.File(folder / "EstimatedResponses.mat", "w") as file:
        for name, value in variables.items():
            if isinstance(value, dict):
                file.create_group(name).update(value)
            elif value is not None:
                file[name] = value
    return variables


def test_the_raw_release_is_read_and_nan_voxels_are_counted(tmp_path):
    variables = raw(tmp_path)
    pixels, stimuli, responses = kay.load_vim1(RAW, tmp_path)
    assert pixels.shape == (TRAIN + TEST, SIZE, SIZE, 3)
    first = responses.isel(voxel=((responses["subject"] == "sub-S1") & (responses["roi"] == "V1")).to_numpy())
    expected = np.concatenate([variables["dataTrnS1"], variables["dataValS1"]])[:, 10:40]
    np.testing.assert_array_equal(first, expected.astype(np.float32))
    cleaned, counts = clean_responses(responses)
    assert counts.set_index(["subject", "roi"])["nan_voxels"].to_dict() == {
        ("sub-S1", "V1"): 1,
        ("sub-S1", "LatOcc"): 0,
        ("sub-S2", "V1"): 1,
        ("sub-S2", "LatOcc"): 0,
    }
    assert cleaned.sizes["voxel"] == responses.sizes["voxel"] - 2


FULL = {**RAW, "options": RAW["options"] | {"full_resolution": True}}


def full_resolution(folder, train, test):
    """The files of the stimuli at full resolution, with their axes as MATLAB has them."""
    for number, part in enumerate(np.array_split(train, kay.FULL_SIZE_PARTS), start=1):
        with h5py.File(folder / f"Stimuli_Trn_FullRes_{number:02d}.mat", "w") as file:
            file["stimTrn"] = part.T
    with h5py.File(folder / "Stimuli_Val_FullRes.mat", "w") as file:
        file["stimVal"] = test.T


def test_full_resolution_stimuli_are_optional(tmp_path):
    raw(tmp_path)
    content = arrays()
    full_resolution(tmp_path, content["stimuli"], content["stimuli_test"])
    np.testing.assert_array_equal(kay.load_vim1(FULL, tmp_path)[0], kay.load_vim1(RAW, tmp_path)[0])
    (tmp_path / "Stimuli_Trn_FullRes_07.mat").unlink()
    assert "FullRes_07.mat: content" in message_of(kay.load_vim1, FULL, tmp_path)


def with_image(index, change):
    values = arrays()["stimuli"]
    values[index] = change(values[index])
    return {"train": values}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        # two images in each of the 15 files
        (
            lambda: with_image(13, lambda v: v * np.nan),
            "Trn_FullRes_07.mat: stimTrn: found NaN .* in image 1",
        ),
        (
            lambda: with_image(4, lambda v: 0 * v),
            "Trn_FullRes_03.mat: stimTrn: found image 0 of a single grey",
        ),
        (
            lambda: with_image(29, lambda v: 0.3 * v - 0.2),
            "Trn_FullRes_15.mat: stimTrn: found corners that differ .* in image 1",
        ),
        (
            lambda: {"test": arrays()["stimuli_test"][:, :20]},
            r"Val_FullRes.mat: stimVal: found shape \(12, 20, 32\), expected \(images, 32, 32\)",
        ),
        (lambda: {"train": arrays()["stimuli"] + 0j}, "Trn_FullRes_01.mat: stimTrn: found dtype complex64"),
        (lambda: {"train": arrays()["stimuli"][:-1]}, r"Trn_FullRes_\*.mat: stimTrn: found 29 images, .* 30"),
        (
            lambda: {"test": images(13, np.random.default_rng(2))},
            "Val_FullRes.mat: .* 13 images, expected 12",
        ),
    ],
)
def test_a_fault_at_full_resolution_names_its_file(tmp_path, changes, message):
    raw(tmp_path)
    content = {"train": arrays()["stimuli"], "test": arrays()["stimuli_test"]} | changes()
    full_resolution(tmp_path, **content)
    with pytest.raises(InputError, match=message):
        kay.load_vim1(FULL, tmp_path)


def test_full_resolution_stimuli_are_in_memory_once(tmp_path):
    generator, size = np.random.default_rng(3), 96
    train, test = (generator.normal(size=(n, size, size)).astype(np.float32) for n in (150, 12))
    full_resolution(tmp_path, train, test)
    options = {"train": 150, "test": 12, "size": size, "aperture": False}
    # what is imported at the first call is not counted
    kay._read_hdf5(tmp_path / "Stimuli_Val_FullRes.mat", ["stimVal"])
    tracemalloc.start()
    try:
        images, places = kay._full_resolution(tmp_path, options)
        kay.check_grey_stimuli(images, options, places)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.3 * (train.nbytes + test.nbytes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataTrnS2": None}, "no 'dataTrnS2', expected one of .*did you mean"),
        ({"dataValS1": np.ones((70, TEST))}, r"dataValS1: found shape \(70, 12\), transposed"),
        ({"roiS1": np.repeat([0.0, 1, 8], [10, 30, 30])[None]}, "roiS1: found the code 8"),
        ({"roiS1": np.repeat([0.0, 1], [10, 60])[None]}, r"found 0 voxels of code 7 \(LatOcc\)"),
        ({"dataTrnS1": b"none"}, r"dataTrnS1: found dtype \|S4"),
        ({"dataTrnS1": {"part": np.ones(3)}}, "dataTrnS1: found a group .*, expected an array"),
    ],
)
def test_wrong_raw_variables_are_one_line(tmp_path, changes, message):
    raw(tmp_path, **changes)
    with pytest.raises(InputError, match=message):
        kay.load_vim1(RAW, tmp_path)


@pytest.mark.parametrize("rois", [{"V1": 7, "LatOcc": 1}, {"Mine": 1, "V2": 1}])
def test_a_card_cannot_call_one_area_by_the_name_of_another(tmp_path, rois):
    raw(tmp_path)
    card = {**RAW, "rois": {roi: {"code": code} for roi, code in rois.items()}}
    message = message_of(kay.load_vim1, card, tmp_path)
    roi = next(roi for roi in rois if roi != "Mine")
    code = kay.ROI_CODES[roi]
    assert message.startswith(f"data set card: rois.{roi}.code: found {rois[roi]}, expected {code}, the code")


def test_a_card_may_have_labels_of_its_own(tmp_path):
    raw(tmp_path)
    responses = kay.load_vim1({**RAW, "rois": {"striate": {"code": 1}}}, tmp_path)[2]
    assert set(responses["roi"].to_numpy()) == {"striate"}


@pytest.mark.parametrize("name", ["Stimuli.mat", "EstimatedResponses.mat"])
@pytest.mark.parametrize("damage", ["truncated", "html", "missing"])
def test_damaged_raw_files_are_one_line(tmp_path, name, damage):
    raw(tmp_path)
    path = tmp_path / name
    content = path.read_bytes()
    path.unlink()
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "html":
        path.write_text("<!doctype html><html>Sign in</html>")
    assert f"{path}: " in message_of(kay.load_vim1, RAW, tmp_path)


def test_stimuli_without_their_variables_are_refused(tmp_path):
    raw(tmp_path)
    savemat(tmp_path / "Stimuli.mat", {"stimTrn": arrays()["stimuli"]})
    assert "no 'stimVal'" in message_of(kay.load_vim1, RAW, tmp_path)


def test_sparse_stimuli_are_refused(tmp_path):
    raw(tmp_path)
    sparse = {"stimTrn": csc_matrix(np.eye(TRAIN)), "stimVal": arrays()["stimuli_test"]}
    savemat(tmp_path / "Stimuli.mat", sparse)
    assert "Stimuli.mat: stimTrn: found a csc_" in message_of(kay.load_vim1, RAW, tmp_path)


# ---- files that need an account ----------------------------------------------------------------------------


def test_files_for_an_account_come_from_the_mirror_folder_only(tmp_path, monkeypatch):
    monkeypatch.delenv("CORTEXRSA_MIRROR", raising=False)
    files = cards.card_files(cards.load_card("datasets", "vim1", ROOT))
    assert list(files) == ["Stimuli.mat", "EstimatedResponses.mat"]

    def get(mirror):
        fetch("vim1", files, tmp_path / "vim1", mirror, tmp_path / "checksums.lock")

    message = message_of(get, None)
    assert "https://crcns.org/data-sets/vc/vim-1" in message
    assert "MIRROR/vim1/Stimuli.mat" in message
    mirror = tmp_path / "mirror"
    (mirror / "vim1").mkdir(parents=True)
    (mirror / "vim1" / "Stimuli.mat").write_bytes(b"stimuli")
    message = message_of(get, mirror)
    assert str(mirror / "vim1" / "EstimatedResponses.mat") in message
    assert not (tmp_path / "vim1").exists()
    (mirror / "vim1" / "EstimatedResponses.mat").write_bytes(b"responses")
    get(mirror)
    assert (tmp_path / "vim1" / "EstimatedResponses.mat").read_bytes() == b"responses"
    # recorded at the first download, and enforced from then on
    (mirror / "vim1" / "Stimuli.mat").write_bytes(b"another")
    assert "recorded in" in message_of(get, mirror)
