"""Loader `responses`: every layout gives what was planted, and what is wrong is refused in one line."""

import gzip
import json
import shutil
import zipfile

import h5py
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import xarray

from cortexrsa.brain.loaders.responses import load_responses
from cortexrsa.brain.loaders.responses_files import names_of_responses, names_of_stimuli, outside_files
from cortexrsa.brain.loaders.responses_stimuli import load_stimuli
from cortexrsa.brain.reliability import noise_ceiling, reliability_table
from cortexrsa.brain.responses import clean_responses
from cortexrsa.cards import check_folder, load_card
from cortexrsa.errors import InputError
from cortexrsa.formats.stimuli import check_stimuli
from cortexrsa.schemas import validate
from responses_world import AFFINE, GRID, SIZE, card_of, make_world, save_volume, write_lab
from support import message_of


@pytest.fixture(scope="module")
def world():
    return make_world()


@pytest.fixture(scope="module")
def original(world, tmp_path_factory):
    return write_lab(tmp_path_factory.mktemp("lab") / "lab", world)


@pytest.fixture
def lab(original, tmp_path):
    return shutil.copytree(original, tmp_path / "lab")


def read(card, folder):
    """What the rules read_responses_stimuli and read_responses do."""
    write, stimuli, warnings = load_stimuli(card, None)
    write(folder / "stimuli.npy")
    images = np.load(folder / "stimuli.npy", mmap_mode="r")
    check_stimuli(images, stimuli)
    responses = load_responses(card, None, stimuli, folder)
    return images, stimuli, clean_responses(responses)[0], warnings


def zscores(world, zscore=("session",)):
    """Betas of the world, z-scored in groups of trials (independently of the code under test)."""
    frame = pd.DataFrame(world.betas.astype(np.float64))
    groups = frame.groupby([world.trials[name] for name in zscore])
    return ((frame - groups.transform("mean")) / groups.transform("std", ddof=0)).to_numpy()


def assert_recovered(world, responses, stimuli, scored=None, codes=(("V1", 1), ("LO", 2))):
    """Responses are the z-scored trials of their stimulus and voxel, repeats in their order."""
    scored = zscores(world) if scored is None else scored
    for roi, code in codes:
        own = responses.isel(voxel=(responses["roi"] == roi).values)
        if "i" in own.coords:
            own = own.isel(voxel=np.argsort(np.ravel_multi_index([own[name].values for name in "ijk"], GRID)))
        found = own.values
        for row, stimulus in enumerate(stimuli["stimulus_id"]):
            own = (world.trials["stimulus_id"] == stimulus).to_numpy()
            expected = scored[own][:, world.voxels(code)]
            np.testing.assert_allclose(found[row], expected, atol=2e-5)


# ---- layouts -----------------------------------------------------------------------------------------------


def test_a_labs_folder(world, original, tmp_path):
    images, stimuli, responses, warnings = read(card_of(original), tmp_path)
    assert warnings == []
    assert stimuli["stimulus_id"].tolist() == world.ids
    np.testing.assert_array_equal(images, world.pixels)
    assert set(stimuli["split"]) == {"train", "test"}
    assert (stimuli["repeats"] == 3).all()
    assert (responses.dims, responses.dtype) == (("stimulus", "repeat", "voxel"), np.float32)
    assert responses.attrs["zscore"] == "session"
    assert_recovered(world, responses, stimuli)
    # where the voxels lie
    place = np.ravel_multi_index([responses[name].values for name in "ijk"], GRID)
    np.testing.assert_array_equal(place, np.r_[world.voxels(1), world.voxels(2)])


def test_only_right_indexing_axes_and_z_scores_recover_the_signal(world, lab, tmp_path):
    """The measure by which the tests of whole studies tell: each fault alone loses the signal."""
    signal = np.concatenate([world.signal[:, world.voxels(code)] for code in (1, 2)], axis=1)

    def recovery(card):
        _, stimuli, responses, _ = read(card, tmp_path)
        rows = [world.ids.index(stimulus) for stimulus in stimuli["stimulus_id"]]
        mean = responses.mean("repeat").values
        return np.median([np.corrcoef(mean[:, v], signal[rows, v])[0, 1] for v in range(signal.shape[1])])

    assert recovery(card_of(lab)) > 0.95
    assert recovery(card_of(lab, zscore="none")) > 0.95
    # trials of the sessions in another order: forgetting the sessions leaves their offsets as noise
    shuffled = world.trials.assign(session="")
    shuffled.to_csv(lab / "trials.csv", index=False)
    half = world.trials["stimulus_id"].astype(int) % 2 == 0
    keep = half | (world.trials["session"] == "01")
    np.save(lab / "betas.npy", world.volumes()[..., keep])
    world.trials[keep].to_csv(lab / "trials.csv", index=False)
    assert recovery(card_of(lab)) > 0.9
    assert recovery(card_of(lab, zscore="none")) < 0.5
    # a shifted index
    rolled = world.trials[keep].assign(stimulus_id=np.roll(world.trials["stimulus_id"][keep], 1))
    rolled.to_csv(lab / "trials.csv", index=False)
    assert abs(recovery(card_of(lab))) < 0.5


def as_npy(folder, world):
    np.save(folder / "betas.npy", np.moveaxis(world.volumes(), 3, 0))
    return {"file": "betas.npy", "axes": ["trial", "x", "y", "z"]}


def as_fortran(folder, world):
    np.save(folder / "betas.npy", np.asfortranarray(world.volumes()))
    return {"file": "betas.npy", "axes": ["x", "y", "z", "trial"]}


def as_npz(folder, world):
    np.savez(folder / "betas.npz", betasmd=world.volumes(), r2=np.zeros(GRID))
    return {"file": "betas.npz", "key": "betasmd", "axes": ["x", "y", "z", "trial"]}


def as_hdf5(folder, world):
    with h5py.File(folder / "betas.hdf5", "w") as file:
        values = np.rint(np.moveaxis(world.volumes(), 3, 0).transpose(0, 3, 2, 1) * 3000).astype(np.int16)
        file.create_dataset("glm/betas", data=values, chunks=(len(values), 1, 1, 1))
        file["glm/other"] = np.zeros((2, 2))
    return {"file": "betas.hdf5", "key": "glm/betas", "axes": ["trial", "z", "y", "x"], "scale": "1/3000"}


def as_chunked(folder, world):
    with h5py.File(folder / "betas.h5", "w") as file:
        file.create_dataset("betasmd", data=world.volumes(), chunks=(3, 2, 5, 40), compression="gzip")
    return {"file": "betas.h5", "axes": ["x", "y", "z", "trial"]}


def as_netcdf(folder, world):
    dims = ("presentation", "x", "y", "z", "time_bin")
    values = np.moveaxis(world.volumes(), 3, 0)[..., None]
    xarray.DataArray(values, dims=dims, name="data").to_netcdf(folder / "betas.nc", engine="h5netcdf")
    return {"file": "betas.nc", "key": "data", "axes": ["trial", "x", "y", "z", "single"]}


def as_nifti(folder, world):
    save_volume(folder / "betas.nii.gz", world.volumes())
    return {"file": "betas.nii.gz", "axes": None}


def as_scaled_nifti(folder, world):
    image = nib.Nifti1Image(world.volumes(), AFFINE)
    image.header.set_data_dtype(np.int16)
    nib.save(image, folder / "betas.nii")
    return {"file": "betas.nii", "axes": None}


def as_mgh(folder, world):
    nib.save(nib.MGHImage(world.volumes(), AFFINE), folder / "betas.mgz")
    return {"file": "betas.mgz", "axes": None, "affine": "ignore"}


VOLUMES = [as_npy, as_fortran, as_npz, as_hdf5, as_chunked, as_netcdf, as_nifti, as_scaled_nifti, as_mgh]


@pytest.mark.parametrize("written", VOLUMES)
def test_volumes_in_every_format(world, lab, tmp_path, written):
    (lab / "betas.npy").unlink()
    _, stimuli, responses, _ = read(card_of(lab, values=written(lab, world)), tmp_path)
    rounded = written in (as_hdf5, as_scaled_nifti)
    if not rounded:
        return assert_recovered(world, responses, stimuli)
    near = np.abs(
        responses.values - load_responses(card_of(lab, values=as_npy(lab, world)), None, stimuli).values
    )
    assert near.max() < 0.05
    return None


def flat(world):
    """Betas (trials, voxels of the brain) of a brain mask, which holds both ROIs and more."""
    brain = (world.labels > 0) | (np.arange(world.labels.size).reshape(GRID) % 3 == 0)
    return brain, np.moveaxis(world.volumes(), 3, 0)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("suffix", [".npy", ".csv", ".tsv", ".h5"])
def test_voxels_of_a_brain_mask(world, lab, tmp_path, order, suffix):
    brain, volumes = flat(world)
    values = volumes[:, brain] if order == "C" else volumes.transpose(0, 3, 2, 1)[:, brain.T]
    (lab / "betas.npy").unlink()
    if suffix == ".npy":
        np.save(lab / "betas.npy", values)
    elif suffix == ".h5":
        with h5py.File(lab / "betas.h5", "w") as file:
            file["betas"] = values
    else:
        pd.DataFrame(values).to_csv(
            lab / f"betas{suffix}", index=False, header=order == "C", sep="\t" if suffix == ".tsv" else ","
        )
    if suffix in (".csv", ".tsv") and order == "C":
        # a header of names, as most tables have
        frame = pd.DataFrame(values, columns=[f"v{k}" for k in range(values.shape[1])])
        frame.to_csv(lab / f"betas{suffix}", index=False, sep="\t" if suffix == ".tsv" else ",")
    save_volume(lab / "brain.nii.gz", brain.astype(np.uint8))
    card = card_of(
        lab,
        values={"file": f"betas{suffix}", "axes": None},
        voxels={"mask": "brain.nii.gz", "order": order},
    )
    _, stimuli, responses, _ = read(card, tmp_path)
    assert_recovered(world, responses, stimuli)


def test_a_file_for_each_session_and_run(world, lab, tmp_path):
    (lab / "betas.npy").unlink()
    for session in ("01", "02", "03"):
        own = (world.trials["session"] == session).to_numpy()
        np.save(lab / f"ses-{session}_betas.npy", world.volumes()[..., own])
    card = card_of(lab, values={"file": "ses-{session}_betas.npy"})
    _, stimuli, responses, _ = read(card, tmp_path)
    assert_recovered(world, responses, stimuli)
    # 1 is 01
    world.trials.assign(session=world.trials["session"].str.lstrip("0")).to_csv(
        lab / "trials.csv", index=False
    )
    np.testing.assert_array_equal(read(card, tmp_path)[2].values, responses.values)
    # the sessions of the card
    two = read(card_of(lab, values={"file": "ses-{session}_betas.npy"}, sessions="1-2"), tmp_path)[2]
    np.testing.assert_array_equal(two.values, responses.values[:, :2])
    # one table for each session
    (lab / "trials.csv").unlink()
    for session in ("01", "02", "03"):
        own = world.trials[world.trials["session"] == session]
        own[["stimulus_id"]].to_csv(lab / f"ses-{session}_trials.tsv", index=False, sep="\t")
    tables = {"trials": {"file": "ses-{session}_trials.tsv"}, "values": {"file": "ses-{session}_betas.npy"}}
    np.testing.assert_array_equal(read(card_of(lab, **tables), tmp_path)[2].values, responses.values)
    # one list of names through all files
    (lab / "names.txt").write_text("\n".join(world.trials["stimulus_id"]) + "\n")
    through = {"trials": {"file": "names.txt"}, "values": {"file": "ses-{session}_betas.npy"}}
    np.testing.assert_array_equal(read(card_of(lab, **through), tmp_path)[2].values, responses.values)
    (lab / "ses-02_betas.npy").unlink()
    assert "values: found no file of session 2, but one of 03" in message_of(
        read, card_of(lab, **through), tmp_path
    )


@pytest.mark.parametrize("base", [0, 1])
def test_places_in_the_file_may_be_said(world, lab, tmp_path, base):
    order = np.random.default_rng(1).permutation(len(world.trials))
    shuffled = world.trials.assign(beta=[str(k + base) for k in range(len(world.trials))]).iloc[order]
    shuffled.iloc[5:].to_csv(lab / "trials.csv", index=False)
    card = card_of(lab, trials={"index": "beta", "base": base}, zscore="none")
    _, stimuli, responses, _ = read(card, tmp_path)
    for row, stimulus in enumerate(stimuli["stimulus_id"]):
        own = [k for k in order[5:] if world.trials["stimulus_id"][k] == stimulus]
        expected = world.betas[own][:, world.voxels(1)]
        found = responses.values[row][: len(own), (responses["roi"] == "V1").values]
        np.testing.assert_allclose(np.sort(found, axis=0), np.sort(expected, axis=0), rtol=1e-6)
    wrong = card_of(lab, trials={"index": "beta", "base": 1 - base}, zscore="none")
    message = message_of(read, wrong, tmp_path)
    if base == 1:
        assert "beta: found trial 90 (from 0), and 90 trials in the file" in message
        assert "does the index count from 1? options.trials.base: 0" in message
    else:
        assert "beta, line" in message
        assert "found '0', expected a whole number from 1 on (options.trials.base)" in message


def surfaces(world):
    """Betas (trials, vertices) of two hemispheres, whose labels are those of the world."""
    half = world.labels.size // 2
    order = np.random.default_rng(3).permutation(world.labels.size)
    return {"lh": np.sort(order[:half]), "rh": np.sort(order[half:])}


def save_gifti(path, values, intent, names=None):
    image = nib.GiftiImage()
    if names:
        image.labeltable.labels = [nib.gifti.GiftiLabel(key) for key in names.values()]
        for label, name in zip(image.labeltable.labels, names, strict=True):
            label.label = name
    for row in values:
        image.add_gifti_data_array(nib.gifti.GiftiDataArray(row, intent))
    nib.save(image, path)


@pytest.mark.parametrize("kind", ["npy", "gifti", "mgh"])
def test_hemispheres_are_joined(world, lab, tmp_path, kind):
    (lab / "betas.npy").unlink()
    names = {"none": 0, "V1": 1, "LO": 2}
    for side, own in surfaces(world).items():
        betas, labels = world.betas[:, own], world.labels.ravel()[own].astype(np.int32)
        if kind == "npy":
            np.save(lab / f"{side}.betas.npy", betas)
            np.save(lab / f"{side}.rois.npy", labels)
        elif kind == "gifti":
            save_gifti(lab / f"{side}.betas.func.gii", betas, "NIFTI_INTENT_ESTIMATE")
            save_gifti(lab / f"{side}.rois.label.gii", labels[None], "NIFTI_INTENT_LABEL", names)
        else:
            nib.save(nib.MGHImage(betas.T[:, None, None], np.eye(4)), lab / f"{side}.betas.mgh")
            nib.save(nib.MGHImage(labels[:, None, None], np.eye(4)), lab / f"{side}.rois.mgh")
    ends = {"npy": (".npy", ".npy"), "gifti": (".func.gii", ".label.gii"), "mgh": (".mgh", ".mgh")}[kind]
    atlas = {"atlas": "{hemisphere}.rois" + ends[1], "labels": None if kind == "gifti" else names}
    card = card_of(
        lab,
        {"V1": atlas | {"label": "V1"}, "LO": atlas | {"label": "LO"}},
        values={"file": "{hemisphere}.betas" + ends[0], "axes": None},
    )
    _, stimuli, responses, _ = read(card, tmp_path)
    scored = zscores(world)
    for roi, code in (("V1", 1), ("LO", 2)):
        chosen = np.concatenate([own[world.labels.ravel()[own] == code] for own in surfaces(world).values()])
        found = responses.values[..., (responses["roi"] == roi).values]
        for row, stimulus in enumerate(stimuli["stimulus_id"]):
            own = (world.trials["stimulus_id"] == stimulus).to_numpy()
            np.testing.assert_allclose(found[row], scored[own][:, chosen], atol=2e-5)
    assert set(responses["part"].values) == {"lh", "rh"}
    (space,) = json.loads(responses.attrs["spaces"]).values()
    assert [(part["part"], part["file"]) for part in space] == [
        (side, str(lab / f"{side}.betas{ends[0]}")) for side in ("lh", "rh")
    ]
    assert [part["grid"][0] for part in space] == [own.size for own in surfaces(world).values()]
    if kind == "npy":
        shutil.copy(lab / "lh.rois.npy", lab / "swap.npy")
        shutil.copy(lab / "rh.rois.npy", lab / "lh.rois.npy")
        shutil.copy(lab / "swap.npy", lab / "rh.rois.npy")
        assert not np.array_equal(read(card, tmp_path)[2].values, responses.values)


def test_cifti(world, lab, tmp_path):
    (lab / "betas.npy").unlink()
    brain = nib.cifti2.BrainModelAxis.from_mask(np.ones(world.labels.size), "CortexLeft")
    scalars = nib.cifti2.ScalarAxis([f"trial {k}" for k in range(len(world.betas))])
    nib.save(nib.Cifti2Image(world.betas, (scalars, brain)), lab / "betas.dscalar.nii")
    table = {0: ("???", (0, 0, 0, 0)), 1: ("V1", (1, 0, 0, 1)), 2: ("LO", (0, 1, 0, 1))}
    labels = nib.cifti2.LabelAxis(["areas"], table)
    values = world.labels.reshape(1, -1).astype(np.float32)
    nib.save(nib.Cifti2Image(values, (labels, brain)), lab / "rois.dlabel.nii")
    rois = {roi: {"atlas": "rois.dlabel.nii", "label": roi} for roi in ("V1", "LO")}
    card = card_of(lab, rois, values={"file": "betas.dscalar.nii", "axes": None})
    _, stimuli, responses, _ = read(card, tmp_path)
    assert_recovered(world, responses, stimuli)


# ---- ROIs --------------------------------------------------------------------------------------------------


def test_every_kind_of_roi(world, lab, tmp_path):
    save_volume(lab / "v1.nii.gz", (world.labels == 1).astype(np.float32))
    outside = np.where(world.labels == 2, 1, -1).astype(np.int16)
    save_volume(lab / "lo.nii.gz", outside)
    np.save(lab / "labels.npy", world.labels)
    (lab / "labels.ctab").write_text("# colours\n0 Unknown 0 0 0 0\n1 V1 255 0 0 0\n2 LO 0 0 255 0\n")
    (lab / "labels.json").write_text(json.dumps({"1": "V1", "2": "LO"}))
    (lab / "labels.tsv").write_text("index\tname\n1\tV1\n2\tLO\n")
    pd.DataFrame({"name": range(world.labels.size), "V1": (world.labels.ravel() == 1).astype(int)}).assign(
        area=np.array(["none", "V1", "LO"])[world.labels.ravel()]
    ).to_csv(lab / "voxels.csv", index=False)
    rois = {
        "mask": {"mask": "v1.nii.gz"},
        "above": {"mask": "lo.nii.gz", "threshold": 0},
        "array": {"atlas": "labels.npy", "label": 1},
        "ctab": {"atlas": "labels.npy", "label": "V1", "labels": "labels.ctab"},
        "json": {"atlas": "labels.npy", "label": "V1", "labels": "labels.json"},
        "tsv": {"atlas": "roi.nii.gz", "label": "LO", "labels": "labels.tsv"},
        "card": {"atlas": "roi.nii.gz", "label": ["V1", "LO"], "labels": {"V1": 1, "LO": 2}},
        "flag": {"column": "V1"},
        "value": {"column": "area", "value": "LO"},
        "values": {"column": "area", "value": ["LO", "V1"]},
        "joined": {"mask": ["v1.nii.gz", "v1.n*.gz"]},
        "union": {"union": ["mask", "above"]},
        "whole": {"whole": True},
    }
    _, stimuli, responses, _ = read(card_of(lab, rois, voxels={"table": "voxels.csv"}), tmp_path)
    ones = [(roi, 1) for roi in ("mask", "array", "ctab", "json", "flag", "joined")]
    assert_recovered(world, responses, stimuli, codes=ones + [(roi, 2) for roi in ("above", "tsv", "value")])
    for roi in ("card", "values", "union"):
        assert (responses["roi"] == roi).sum() == 80
    assert (responses["roi"] == "whole").sum() == world.labels.size


def test_a_file_for_each_roi(world, lab, tmp_path):
    (lab / "betas.npy").unlink()
    for name, code, half in (("LHV1", 1, slice(0, 20)), ("RHV1", 1, slice(20, 40)), ("LO", 2, slice(None))):
        np.save(lab / f"betas_{name}.npy", world.betas[:, world.voxels(code)[half]])
    rois = {"V1": {"file": ["LHV1", "RHV1"]}, "LO": {"file": "LO"}, "both": {"union": ["V1", "LO"]}}
    card = card_of(lab, rois, values={"file": "betas_{roi}.npy", "axes": ["trial", "voxel"]})
    _, stimuli, responses, _ = read(card, tmp_path)
    assert_recovered(world, responses, stimuli)
    assert (responses["roi"] == "both").sum() == 80


# ---- processing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zscore", ["run", "none"])
def test_z_scores(world, lab, tmp_path, zscore):
    world = make_world(repeats=6)
    write_lab(lab, world)
    _, stimuli, responses, _ = read(card_of(lab, zscore=zscore), tmp_path)
    scored = zscores(world, ("session", "run")) if zscore == "run" else world.betas
    assert_recovered(world, responses, stimuli, scored)


def test_averages_are_means_over_the_repeats(world, original, tmp_path):
    single = read(card_of(original), tmp_path)[2]
    average = read(card_of(original, average=True), tmp_path)[2]
    np.testing.assert_allclose(average.values, single.mean("repeat").values, atol=1e-6)
    assert average.dims == ("stimulus", "voxel")
    assert set(average["repeats"].values) == {3}
    # what their trials told of the noise is kept
    np.testing.assert_allclose(average["ncsnr"], noise_ceiling(single.values)[0])
    tables = [reliability_table(responses, splits=2) for responses in (average, single)]
    assert tables[0]["reliability"].isna().all()
    np.testing.assert_allclose(
        tables[0]["nc"], 100 * tables[0]["ncsnr"] ** 2 / (tables[0]["ncsnr"] ** 2 + 1 / 3)
    )
    # of all stimuli instead of those of the split
    assert tables[0]["nc"].median() == pytest.approx(tables[1]["nc"].median(), abs=2)


def test_trials_are_left_out_by_a_column(world, lab, tmp_path):
    bad = np.arange(len(world.trials)) % 7 == 0
    world.trials.assign(quality=np.where(bad, "bad", "good")).to_csv(lab / "trials.csv", index=False)
    card = card_of(lab, trials={"leave_out": {"quality": ["b*"]}}, zscore="none")
    _, stimuli, responses, _ = read(card, tmp_path)
    assert np.isfinite(responses.values[..., 0]).sum() == (~bad).sum()
    # the places of the others in the file are as before
    for row, stimulus in enumerate(stimuli["stimulus_id"]):
        own = (world.trials["stimulus_id"] == stimulus).to_numpy() & ~bad
        found = responses.values[row][:, (responses["roi"] == "V1").values]
        np.testing.assert_allclose(found[: own.sum()], world.betas[own][:, world.voxels(1)], rtol=1e-6)


def test_voxels_are_selected_on_the_training_stimuli(world, lab, tmp_path):
    noisy = make_world(n=60, noise=1.0)
    noise = np.random.default_rng(5).standard_normal(noisy.betas.shape)
    # every other voxel has no signal
    noisy.betas[:, ::2] = noise[:, ::2]
    write_lab(lab, noisy)
    everything = read(card_of(lab), tmp_path)[2]
    for by, minimum in (("ncsnr", 0.5), ("split-half", 0.4)):
        chosen = read(card_of(lab, selection={"by": by, "minimum": minimum}), tmp_path)[2]
        place = np.ravel_multi_index([chosen[name].values for name in "ijk"], GRID)
        assert 20 < len(place) < everything.sizes["voxel"]
        assert (place % 2 == 1).mean() > 0.85


def test_already_averaged_responses(world, lab, tmp_path):
    mean = np.stack([world.betas[(world.trials["stimulus_id"] == s).to_numpy()].mean(0) for s in world.ids])
    np.save(lab / "betas.npy", mean)
    counts = [str(2 + k % 2) for k in range(len(world.ids))]
    pd.DataFrame({"stimulus_id": world.ids, "n": counts}).to_csv(lab / "trials.csv", index=False)
    values = {"axes": ["trial", "voxel"]}
    rois = {"all": {"whole": True}}
    card = card_of(lab, rois, values=values, trials={"repeats": "n"})
    _, stimuli, responses, _ = read(card, tmp_path)
    np.testing.assert_allclose(responses.values, mean, rtol=1e-6)
    assert (
        responses["repeats"].values.tolist() == stimuli["repeats"].tolist() == [2 + k % 2 for k in range(30)]
    )
    unknown = read(card_of(lab, rois, values=values, trials={"repeats": "unknown"}), tmp_path)[2]
    assert "repeats" not in unknown.coords
    three = read(card_of(lab, rois, values=values, trials={"repeats": 3}), tmp_path)[2]
    assert set(three["repeats"].values) == {3}
    message = message_of(
        read, card_of(lab, rois, values=values, trials={"repeats": 3}, zscore="session"), tmp_path
    )
    assert "options.zscore: found session, expected none: these are averages" in message


def test_a_large_array_lies_on_the_disk_while_it_is_filled(world, original, tmp_path, monkeypatch):
    expected = read(card_of(original), tmp_path)[2]
    monkeypatch.setattr("cortexrsa.brain.assembly.LARGE", 1000)
    monkeypatch.setattr("cortexrsa.brain.loaders.responses_values.PART", 1000)
    monkeypatch.setattr("cortexrsa.brain.responses.BLOCK", 7)
    monkeypatch.setattr("cortexrsa.brain.assembly.BLOCK", 7)
    found = read(card_of(original), tmp_path)[2]
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(read(card_of(original, average=True), tmp_path)[2].values.shape, (30, 80))
    assert [path.name for path in tmp_path.iterdir()] == ["stimuli.npy"]


# ---- stimuli -----------------------------------------------------------------------------------------------


def test_images_of_an_archive_an_array_and_of_one_size(world, lab, tmp_path):
    with zipfile.ZipFile(lab / "images.zip", "w") as archive:
        for name in world.ids:
            archive.write(lab / "images" / f"{name}.png", f"set/{name}.png")
    images = read(card_of(lab, stimuli={"images": "images.zip"}), tmp_path)[0]
    np.testing.assert_array_equal(images, world.pixels)
    with h5py.File(lab / "images.hdf5", "w") as file:
        file["imgBrick"] = np.concatenate([world.pixels[:1] * 0, world.pixels])
    # an error of one that stays inside shows the images of others
    images = read(card_of(lab, stimuli={"images": "images.hdf5", "base": 0}), tmp_path)[0]
    np.testing.assert_array_equal(images[1:], world.pixels[:-1])
    message = message_of(read, card_of(lab, stimuli={"images": "images.hdf5", "base": 1}), tmp_path)
    assert (
        "image: found '000' in row 000, expected rows from 1 to 31 (options.stimuli.base: 0 counts" in message
    )
    rows = pd.DataFrame({"id": world.ids, "row": [str(k + 1) for k in range(30)], "kind": ["a", "b"] * 15})
    rows.to_csv(lab / "stimuli.csv", index=False)
    settings = {"images": "images.hdf5", "base": 0, "table": "stimuli.csv", "id": "id", "row": "row"}
    images, stimuli, _, _ = read(card_of(lab, stimuli=settings | {"category": "kind"}), tmp_path)
    np.testing.assert_array_equal(images, world.pixels)
    assert stimuli["category"].tolist() == ["a", "b"] * 15
    assert list(stimuli)[:3] == ["stimulus_id", "split", "repeats"]
    small = read(card_of(lab, stimuli=settings | {"size": 16}), tmp_path)[0]
    assert small.shape == (30, 16, 16, 3)
    folder = read(card_of(lab, stimuli={"size": 16}), tmp_path)[0]
    np.testing.assert_array_equal(small, folder)


def test_images_in_folders_of_their_own(world, lab, tmp_path):
    for k, name in enumerate(world.ids):
        (lab / "images" / f"class{k % 3}").mkdir(exist_ok=True)
        (lab / "images" / f"{name}.png").rename(lab / "images" / f"class{k % 3}" / f"{name}.png")
    named = world.trials.assign(stimulus_id=world.trials["stimulus_id"] + ".png")
    named.to_csv(lab / "trials.csv", index=False)
    images, stimuli, _, _ = read(card_of(lab), tmp_path)
    np.testing.assert_array_equal(images, world.pixels)
    shutil.copy(lab / "images/class0/000.png", lab / "images/class1/000.png")
    assert "image of '000.png': found class0/000.png and class1/000.png, expected one" in message_of(
        read, card_of(lab), tmp_path
    )


def test_splits(world, lab, tmp_path):
    def split(rules, **options):
        _, stimuli, _, warnings = read(card_of(lab, splits=rules, **options), tmp_path)
        return stimuli.set_index("stimulus_id")["split"], warnings

    kinds = np.array(["train", "val", "far"])[np.arange(30) % 3]
    world.trials.assign(kind=kinds[world.trials["stimulus_id"].astype(int)]).to_csv(
        lab / "trials.csv", index=False
    )
    rules = {
        "test": {"column": "kind", "value": "val"},
        "ood": {"column": "kind", "value": ["far"]},
        "train": {"rest": True},
    }
    found, warnings = split(rules)
    assert found.value_counts().to_dict() == {"train": 10, "test": 10, "ood": 10}
    assert (found == pd.Series(kinds, world.ids).replace({"val": "test", "far": "ood"})).all()
    assert warnings == []
    (lab / "test.txt").write_text("\n".join(world.ids[:12]))
    (lab / "far.json").write_text(json.dumps({"variants": [{"ids": world.ids[12:20]}]}))
    rules = {"test": {"list": "test.txt"}, "far": {"list": "far.json", "key": "variants.0.ids"}}
    found, warnings = split(rules)
    assert found.value_counts().to_dict() == {"test": 12, "far": 8}
    assert warnings == ["10 of 30 stimuli are in no split of the card, and are left out"]
    # a split by a hash does not depend on other stimuli, nor on the order in the card
    found, _ = split({"train": {"rest": True}, "test": {"fraction": 0.5}})
    own = world.trials["stimulus_id"].isin(world.ids[:25])
    np.save(lab / "betas.npy", world.volumes()[..., own])
    world.trials[own].to_csv(lab / "trials.csv", index=False)
    fewer, _ = split({"test": {"fraction": 0.5}, "train": {"rest": True}})
    assert (found[fewer.index] == fewer).all()
    # by the number of repeats
    own = own & ~((world.trials["session"] == "03") & (world.trials["stimulus_id"] > "010"))
    np.save(lab / "betas.npy", world.volumes()[..., own])
    world.trials[own].to_csv(lab / "trials.csv", index=False)
    found, _ = split({"test": {"repeats": 3}, "train": {"rest": True}})
    assert found[found == "test"].index.tolist() == world.ids[:11]


def test_subjects_who_saw_different_stimuli(world, lab, tmp_path):
    for name, shown in (("a", world.ids[:25]), ("b", world.ids[5:])):
        own = world.trials["stimulus_id"].isin(shown)
        np.save(lab / f"{name}.npy", world.volumes()[..., own])
        world.trials[own].to_csv(lab / f"{name}.csv", index=False)
    options = {
        "subjects": ["a", "b"],
        "values": {"file": "{subject}.npy"},
        "trials": {"file": "{subject}.csv"},
    }
    message = message_of(read, card_of(lab, **options), tmp_path)
    assert "stimuli: found '000' was never shown to b (and 9 more stimuli not to every subject)" in message
    options["splits"] = {"test": {"fraction": 0.5}, "train": {"rest": True}}
    _, stimuli, responses, warnings = read(card_of(lab, unshown="drop", **options), tmp_path)
    assert stimuli["stimulus_id"].tolist() == world.ids[5:25]
    assert warnings == ["20 of 30 stimuli were shown to all 2 subjects and are used; 10 are left out"]
    # z-scored over all that each one saw
    first = responses.isel(voxel=(responses["subject"] == "a").values)
    frame = make_world()
    keep = frame.trials["stimulus_id"].isin(world.ids[:25]).to_numpy()
    frame.betas, frame.trials = frame.betas[keep], frame.trials[keep].reset_index(drop=True)
    assert_recovered(frame, first, stimuli)


def test_one_table_for_all_subjects(world, lab, tmp_path):
    tables = [world.trials.assign(person=name) for name in ("a", "b")]
    pd.concat(tables).to_csv(lab / "trials.csv", index=False)
    np.save(lab / "a.npy", world.volumes())
    np.save(lab / "b.npy", world.volumes()[::-1])
    options = {"subjects": ["a", "b"], "values": {"file": "{subject}.npy"}, "trials": {"subject": "person"}}
    _, stimuli, responses, _ = read(card_of(lab, **options), tmp_path)
    assert_recovered(world, responses.isel(voxel=(responses["subject"] == "a").values), stimuli)
    assert not np.allclose(responses.values[..., :80], responses.values[..., 80:])


def test_the_design_of_nsd_counts_from_one(world, lab, tmp_path):
    from scipy.io import savemat

    own = [
        world.trials["stimulus_id"].astype(int).to_numpy()[world.trials["session"] == s] for s in ("01", "02")
    ]
    for k, session in enumerate(("01", "02")):
        values = np.moveaxis(world.volumes()[..., (world.trials["session"] == session).to_numpy()], 3, 0)
        with h5py.File(lab / f"betas_session{session}.hdf5", "w") as file:
            stored = np.rint(values.transpose(0, 3, 2, 1) * 300).astype(np.int16)
            file.create_dataset("betas", data=stored, chunks=(len(own[k]), 1, 1, 1))
    # image k of the world is row 100 + k of the images, and number 101 + k of the design
    images = np.stack([np.arange(101, 131)[::-1], np.arange(101, 131)])
    ordering = np.concatenate(own) + 1
    later = np.random.default_rng(0).integers(1, 31, 30)
    design = {
        "masterordering": np.r_[ordering, later][None],
        "subjectim": images,
        "sharedix": np.arange(101, 111),
    }
    savemat(lab / "design.mat", design)
    with h5py.File(lab / "stimuli.hdf5", "w") as file:
        file["imgBrick"] = np.concatenate([np.zeros((100, SIZE, SIZE, 3), np.uint8), world.pixels])
    (lab / "betas.npy").unlink()
    card = card_of(
        lab,
        subjects=["subj02"],
        values={
            "file": "betas_session{session}.hdf5",
            "axes": ["trial", "z", "y", "x"],
            "scale": "1/300",
        },
        trials={"file": "design.mat", "design": "nsd"},
        stimuli={"images": "stimuli.hdf5", "base": 0},
        splits={"test": {"column": "shared", "value": "1"}, "train": {"rest": True}},
    )
    images, stimuli, responses, _ = read(card, tmp_path)
    assert stimuli["stimulus_id"].tolist() == [str(100 + k) for k in range(30)]
    np.testing.assert_array_equal(images, world.pixels)
    assert stimuli["split"].tolist() == ["test"] * 10 + ["train"] * 20
    near = []
    for row in range(30):
        shown = (
            (world.trials["stimulus_id"] == world.ids[row]) & (world.trials["session"] < "03")
        ).to_numpy()
        expected = zscores(world)[shown][:, world.voxels(1)]
        near.append(np.abs(responses.values[row][:, (responses["roi"] == "V1").values] - expected).max())
    # rounding to 1/300
    assert max(near) < 1
    assert np.median(near) < 0.4


def test_parquet_is_read_where_its_package_is_there(world, lab, tmp_path, monkeypatch):
    table = pd.DataFrame(world.betas, columns=[f"v{k}" for k in range(world.labels.size)])
    (lab / "betas.parquet").touch()
    np.save(lab / "labels.npy", world.labels.ravel())
    rois = {roi: {"atlas": "labels.npy", "label": code} for roi, code in (("V1", 1), ("LO", 2))}
    card = card_of(lab, rois, values={"file": "betas.parquet", "axes": None})
    monkeypatch.setattr(pd, "read_parquet", lambda path: table)
    _, stimuli, responses, _ = read(card, tmp_path)
    assert_recovered(world, responses, stimuli)

    def lacking(path):
        raise ImportError("no pyarrow")

    monkeypatch.setattr(pd, "read_parquet", lacking)
    message = message_of(read, card, tmp_path)
    assert (
        "betas.parquet: format: found a parquet file, expected the package pyarrow (pip install -r" in message
    )


def test_what_results_depend_on(lab):
    (lab / "lists").mkdir()
    (lab / "lists/ood.txt").touch()
    rois = {
        "V1": {"mask": "ro*.nii.gz"},
        "LO": {"atlas": "{hemisphere}.gii", "label": "LO", "labels": "names.ctab"},
    }
    for name in ("lh.gii", "rh.gii", "names.ctab", "ses-01.npy", "ses-02.npy", "other.npy"):
        (lab / name).touch()
    splits = {"test": {"list": "lists/ood.txt"}}
    card = card_of(lab, rois, values={"file": "ses-{session}.npy"}, splits=splits)
    stimuli, responses = (
        {path.removeprefix(f"{lab}/") for path in outside_files(card, names(card))}
        for names in (names_of_stimuli, names_of_responses)
    )
    sessions = {"trials.csv", "ses-01.npy", "ses-02.npy"}
    assert stimuli == sessions | {"lists/ood.txt"} | {f"images/{k:03d}.png" for k in range(30)}
    assert responses == sessions | {"roi.nii.gz", "lh.gii", "rh.gii", "names.ctab"}
    # those that a card downloads are inputs of the job
    assert outside_files(card | {"files": [{"file": "x"}]}, names_of_responses(card)) == []


# ---- bad input ---------------------------------------------------------------------------------------------


def refusal(lab, tmp_path, rois=None, **options):
    return message_of(read, card_of(lab, rois, **options), tmp_path)


def written_csv(name, change):
    """A fault of a table of the lab."""

    def fault(lab, world):
        table = pd.read_csv(lab / name, dtype=str, keep_default_na=False)
        change(table).to_csv(lab / name, index=False)

    return fault


def written_npy(change):
    """A fault of the betas (x, y, z, trial)."""

    def fault(lab, world):
        np.save(lab / "betas.npy", change(world.volumes()))

    return fault


def put(value, *where):
    def change(values):
        values = values.copy()
        values[where] = value
        return values

    return change


def set_cell(row, column, value):
    def change(table):
        table.loc[row, column] = value
        return table

    return change


def pickled(lab, world):
    np.save(lab / "betas.npy", np.array({"betasmd": world.volumes()}, dtype=object), allow_pickle=True)


def nan_session(values):
    values = values.copy()
    values[..., 30:60] = np.nan
    return values


def cut_nifti(lab, world):
    save_volume(lab / "whole.nii.gz", np.random.default_rng(0).normal(size=(*GRID, 90)).astype(np.float32))
    content = (lab / "whole.nii.gz").read_bytes()
    (lab / "betas.nii.gz").write_bytes(content[: len(content) // 2])


def shifted_roi(lab, world):
    affine = AFFINE.copy()
    affine[0, 3] = 2
    save_volume(lab / "betas.nii.gz", world.volumes())
    save_volume(lab / "roi.nii.gz", world.labels.astype(np.int16), affine)


def other_grid(lab, world):
    save_volume(lab / "roi.nii.gz", np.ones((5, 6, 7), np.int16))


def renamed(old, new):
    return lambda lab, world: (lab / old).rename(lab / new)


def sessions_as_files(lab, world):
    for session in ("01", "03"):
        own = (world.trials["session"] == session).to_numpy()
        np.save(lab / f"ses-{session}.npy", world.volumes()[..., own])


def without_key(lab, world):
    with h5py.File(lab / "betas.hdf5", "w") as file:
        file["model/betasmd"] = world.volumes()
        file["model/r2"] = np.zeros(GRID)


def transposed(lab, world):
    np.save(lab / "betas.npy", world.betas[:, :90])


NIFTI = {"values": {"file": "betas.nii.gz", "axes": None}}
FLAT = {"values": {"axes": None}}
BAD = [
    # axes and lengths
    (
        lambda lab, world: None,
        {"values": {"axes": ["trial", "x", "y", "z"]}},
        "trials: found 7 trials in (7, 6, 5, 90) (trial, x, y, z), expected 90, the rows of the table "
        "of trials; 90 are along z",
    ),
    (
        lambda lab, world: None,
        {"values": {"axes": ["x", "y", "z", "trial"][::2]}},
        "axes: found 4 axes of lengths (7, 6, 5, 90), expected 2: x, z",
    ),
    (
        lambda lab, world: None,
        FLAT,
        "betas.npy: axes: found 4 axes of lengths (7, 6, 5, 90), expected their names",
    ),
    (transposed, FLAT, "betas.npy: axes: found (90, 90), which fits both ways, expected options.values.axes"),
    (
        written_csv("trials.csv", lambda table: table.iloc[:-3]),
        {},
        "betas.npy: trials: found 90 trials in (7, 6, 5, 90) (x, y, z, trial), expected 87",
    ),
    # stimuli and ids
    (
        lambda lab, world: pd.DataFrame({"stimulus_id": world.ids[:-1]}).to_csv(
            lab / "stimuli.csv", index=False
        ),
        {"stimuli": {"table": "stimuli.csv"}},
        "found '029', expected one of the 29 stimuli of stimuli.csv; did you mean 028?",
    ),
    (
        lambda lab, world: pd.DataFrame({"stimulus_id": [str(k) for k in range(30)]}).to_csv(
            lab / "stimuli.csv", index=False
        ),
        {"stimuli": {"table": "stimuli.csv"}},
        "A program may have read ids as numbers",
    ),
    (
        written_csv("trials.csv", lambda table: table.assign(stimulus_id=table["stimulus_id"].astype(int))),
        {},
        "did you mean 000? A program may have read ids as numbers",
    ),
    (
        lambda lab, world: (lab / "images/004.png").unlink(),
        {},
        "images: image of '004': found no file, expected one of the 29 stimuli of images",
    ),
    (
        renamed("images", "pictures"),
        {},
        "images: stimuli: found no such file or folder, expected a folder, .zip or array of images",
    ),
    (
        written_csv("trials.csv", set_cell(4, "stimulus_id", "")),
        {},
        "trials.csv: stimulus_id, line 6: found n/a, expected the name of a stimulus",
    ),
    (
        lambda lab, world: None,
        {"trials": {"column": "image"}},
        "columns: found stimulus_id, session, run, expected also image (options.trials.column names another)",
    ),
    # ROIs
    (
        other_grid,
        {},
        "roi.nii.gz: shape: found (5, 6, 7), expected (7, 6, 5), the grid of the values "
        "(options.values.axes says which axis is which)",
    ),
    (
        shifted_roi,
        NIFTI,
        "roi.nii.gz: affine: found an affine that differs by 2, expected that of betas.nii.gz",
    ),
    (
        lambda lab, world: None,
        {"rois": {"V1": {"atlas": "roi.nii.gz", "label": "V1"}}},
        "roi.nii.gz: label: found no names of the numbers",
    ),
    (
        lambda lab, world: None,
        {"rois": {"V1": {"atlas": "roi.nii.gz", "label": 3}}},
        "roi.nii.gz: label: found 3, expected one of 1, 2",
    ),
    (
        lambda lab, world: None,
        {"rois": {"V1": {"atlas": "roi.nii.gz", "label": "V4", "labels": {"V1": 1}}}},
        "label: found 'V4', expected one of V1",
    ),
    (
        lambda lab, world: save_volume(lab / "none.nii.gz", np.zeros(GRID, np.uint8)),
        {"rois": {"V1": {"mask": "none.nii.gz"}}},
        "none.nii.gz: ROI: found no voxel above 0.5 (largest value 0), expected at least one",
    ),
    (
        lambda lab, world: None,
        {"rois": {"V1": {"mask": "roi.nii.gz"}}},
        "roi.nii.gz: ROI: found 2 values from 1 to 2, expected one value",
    ),
    (
        lambda lab, world: None,
        {"rois": {"V1": {"mask": "nothing.nii.gz"}}},
        "nothing.nii.gz: file: found no such file",
    ),
    (
        lambda lab, world: None,
        {"selection": {"by": "ncsnr", "minimum": 50.0}},
        "roi LO: found none of 40 voxels of sub-01 with an ncsnr of at least 50, expected at least one voxel",
    ),
    # values
    (
        written_npy(lambda values: np.rint(values * 300).astype(np.int16)),
        {},
        "betas.npy: dtype: found int16 without a scale, expected options.values.scale (1/300",
    ),
    (
        written_npy(nan_session),
        {},
        "betas.npy: trials of sub-01: found NaN in all 80 voxels of all 30 trials",
    ),
    (
        written_npy(lambda values: values.astype(complex)),
        {},
        "betas.npy: array: found dtype complex128, expected real numbers",
    ),
    (
        written_npy(lambda values: np.ones_like(values)),
        {},
        "found 1 in all voxels and trials, expected values that vary",
    ),
    (pickled, {}, "betas.npy: content: found pickled objects, expected an array without pickled objects"),
    (pickled, {}, "np.load('betas.npy', allow_pickle=True); np.save('betas.npy', d.item()['betasmd'])"),
    (
        cut_nifti,
        NIFTI,
        "betas.nii.gz: data: found Compressed file ended before the end-of-stream marker was reached",
    ),
    (
        lambda lab, world: (lab / "betas.npy").write_bytes((lab / "betas.npy").read_bytes()[:5000]),
        {},
        "betas.npy: content: found",
    ),
    (
        without_key,
        {"values": {"file": "betas.hdf5", "key": "betas"}},
        "betas.hdf5: key: found no 'betas', expected one of model/betasmd, model/r2",
    ),
    (
        without_key,
        {"values": {"file": "betas.hdf5", "key": None}},
        "betas.hdf5: key: found nothing, expected one of model/betasmd, model/r2",
    ),
    (
        renamed("betas.npy", "betas.xyz"),
        {"values": {"file": "betas.xyz"}},
        "format: found the suffix '.xyz', expected one of",
    ),
    (renamed("betas.npy", "b.npy"), {}, "betas.npy: file: found no such file, expected a file of values"),
    # sessions and repeats
    (
        sessions_as_files,
        {"values": {"file": "ses-{session}.npy"}},
        "ses-02.npy: session 02 of sub-01: found no file, expected a file of values (options.sessions",
    ),
    (
        lambda lab, world: None,
        {"sessions": ["01", "04"]},
        "trials.csv: session: found no trial of sub-01 in session 04",
    ),
    (
        written_csv(
            "trials.csv",
            lambda table: table.assign(repeat="1").pipe(set_cell(1, "stimulus_id", table["stimulus_id"][0])),
        ),
        {},
        "repeat 1, twice, expected each repeat of a stimulus once",
    ),
    (
        lambda lab, world: None,
        {"trials": {"repeats": 3}},
        "twice, expected each stimulus once: rows are averages",
    ),
    (
        lambda lab, world: None,
        {"zscore": "run", "trials": {"file": "trials.csv", "run": "no run"}},
        "expected also no run (options.trials.run)",
    ),
    (
        written_csv("trials.csv", lambda table: table.drop(columns="session")),
        {"sessions": "01-02"},
        "sub-01: options.sessions: found 01, and no session is known, expected a column of the session",
    ),
    # splits
    (
        lambda lab, world: (lab / "few.txt").write_text("000\n001\n"),
        {"splits": {"test": {"list": "few.txt"}, "train": {"rest": True}}},
        "options.splits.test: found 2 stimuli, expected at least 8",
    ),
    (
        lambda lab, world: (lab / "all.txt").write_text("\n".join(world.ids)),
        {"splits": {"test": {"fraction": 0.5}, "train": {"list": "all.txt"}}},
        "options.splits.train: found '0",
    ),
    (
        lambda lab, world: None,
        {"splits": {"test": {"column": "kind", "value": "a"}}},
        "options.splits.test.column: found 'kind', expected one of stimulus_id",
    ),
    (
        lambda lab, world: None,
        {"splits": {"test": {"column": "session", "value": "01"}}},
        "expected one value a stimulus",
    ),
]


@pytest.mark.parametrize(("fault", "options", "expected"), BAD)
def test_bad_input_is_refused_in_one_line(world, lab, tmp_path, fault, options, expected):
    fault(lab, world)
    options = dict(options)
    message = refusal(lab, tmp_path, options.pop("rois", None), **options)
    assert expected in message
    # the file at fault is named
    assert str(lab) in message or message.startswith(("options.", "sub-01", "data set card"))


def test_a_session_in_which_a_voxel_was_not_recorded_drops_and_counts_it(world, lab, tmp_path):
    values = world.volumes()
    where = np.unravel_index(world.voxels(1)[:2], GRID)
    values[(*(axis[0] for axis in where), slice(30, 60))] = 0
    np.save(lab / "betas.npy", values)
    card = card_of(lab)
    _, stimuli, _ = load_stimuli(card, None)
    cleaned, counts = clean_responses(load_responses(card, None, stimuli))
    assert cleaned.sizes["voxel"] == 79
    assert counts.set_index("roi")["nan_voxels"].to_dict() == {"LO": 0, "V1": 1}


def test_trials_that_were_not_recorded_are_left_out(world, lab, tmp_path, capsys):
    values = world.volumes()
    values[..., 7] = np.nan
    np.save(lab / "betas.npy", values)
    responses = read(card_of(lab), tmp_path)[2]
    assert np.isfinite(responses.values[..., 0]).sum() == 89
    assert "1 of 30 trials are NaN in all voxels: left out" in capsys.readouterr().out


def test_cards_are_checked_before_anything_is_read(original, tmp_path):
    folder = tmp_path / "resources/datasets"
    folder.mkdir(parents=True)

    def message(rois=None, **options):
        card = {
            "description": "", "citation": "", "licence": "", "loader": "responses", "path": "x",
            "rois": rois or {"V1": {"mask": "v1.nii"}},
            "options": {
                "values": {"file": "betas.npy"}, "trials": {"file": "t.csv"}, "stimuli": {"images": "images"},
            } | options,
        }  # fmt: skip
        (folder / "lab.yaml").write_text(json.dumps(card))
        return message_of(load_card, "datasets", "lab", tmp_path)

    assert "options.trials.base: found nothing, expected 0 or 1: what the index counts from" in message(
        trials={"file": "t.csv", "index": "beta"}
    )
    assert "options.voxels.order: found nothing, expected C (NumPy, nilearn) or F" in message(
        voxels={"mask": "m.nii"}
    )
    assert "options.voxels.table: found nothing" in message({"V1": {"column": "V1"}})
    assert "rois.V1: found file, expected {roi} in values.file" in message({"V1": {"file": "V1"}})
    assert "options.splits: found rest in a and b, expected rest in one split" in message(
        splits={"test": {"fraction": 0.5}, "a": {"rest": True}, "b": {"rest": True}}
    )
    assert "rois.LO.union: found 'V2', expected one of V1" in message(
        {"V1": {"whole": True}, "LO": {"union": ["V1", "V2"]}}
    )
    assert "options.values.scale: found '300th', expected a number, or a fraction such as 1/300" in message(
        values={"file": "b.npy", "scale": "300th"}
    )
    assert "options.values.axes[0]: found 't', expected one of trial, voxel" in message(
        values={"file": "b.npy", "axes": ["t", "voxel"]}
    )
    assert "options.splits.test" in message(splits={"train": {"rest": True}})
    assert "expected exactly one of column, list, fraction, repeats, rest" in message(
        splits={"test": {"share": 0.2}}
    )
    assert "options.sessions: found '1 to 4', expected a list of texts in quotes, or a range" in message(
        sessions="1 to 4"
    )
    assert "options.trials.pattern: found '(', expected a regular expression" in message(
        trials={"file": "t.csv", "pattern": "("}
    )
    with pytest.raises(InputError, match="images: found 'x', expected no such key here"):
        validate("datasets", card_of(original) | {"images": "x"}, "card")


def test_the_folder_of_a_card_is_on_this_disk(original, tmp_path):
    card = card_of(original)
    check_folder("lab", card)
    missing = card | {"path": str(tmp_path / "nothing"), "access": "on request"}
    assert message_of(check_folder, "lab", missing) == (
        f"resources/datasets/lab.yaml: path: found no folder {tmp_path}/nothing, expected the folder of "
        "the data on this disk (`access` in the card says where to get it)"
    )


def test_a_compressed_file_that_is_no_nifti(world, lab, tmp_path):
    with gzip.open(lab / "betas.nii.gz", "wb") as file:
        file.write(b"nothing")
    assert "betas.nii.gz: content: found" in refusal(lab, tmp_path, **NIFTI)
