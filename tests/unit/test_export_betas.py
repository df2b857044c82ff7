"""What scripts/export_betas.py refuses, in one line each."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
import xarray

from support import ROOT, message_of

SPEC = importlib.util.spec_from_file_location("export_betas", ROOT / "scripts/export_betas.py")
export = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(export)
NAMES = [f"s{k}" for k in range(8)]


def a_dataset(folder: Path, names: list[str] = NAMES, shown: str = "s1", first: int = 0) -> Path:
    """Betas of two voxels and four trials, with eight stimuli."""
    glm = folder / "glm/key"
    glm.mkdir(parents=True)
    voxels = {"roi": ["V1", "LO"], "i": [first, 1], "j": [0, 1], "k": [0, 1]}
    trials = {"stimulus_id": ["s0", shown, "s2", "s3"], "session": ["1"] * 4, "run": ["1", "1", "2", "2"]}
    coords = {name: ("voxel", value) for name, value in voxels.items()}
    coords |= {name: ("trial", value) for name, value in trials.items()}
    values = np.arange(8.0).reshape(4, 2)
    betas = xarray.Dataset({"betas": (("trial", "voxel"), values)}, coords)
    betas.to_netcdf(glm / "sub-01_betas.nc", engine="h5netcdf")
    nibabel.save(nibabel.Nifti1Image(np.ones((2, 2, 2), np.float32), np.eye(4)), glm / "sub-01_mean.nii.gz")
    np.save(folder / "stimuli.npy", np.zeros((8, 4, 4, 3), np.uint8))
    table = pd.DataFrame({"stimulus_id": names, "split": "test", "repeats": 1})
    table.to_csv(folder / "stimuli.tsv", sep="\t", index=False)
    return folder


def test_betas_lie_where_their_voxels_do(tmp_path):
    export.main(a_dataset(tmp_path / "data"), tmp_path / "out", "sub-01")
    betas = np.load(tmp_path / "out/betas.npy")
    assert betas.shape == (4, 2, 2, 2)
    assert betas[:, 0, 0, 0].tolist() == [0, 2, 4, 6]
    assert betas[:, 1, 1, 1].tolist() == [1, 3, 5, 7]
    assert pd.read_csv(tmp_path / "out/trials.csv")["stimulus_id"].tolist() == ["s0", "s1", "s2", "s3"]
    assert len(list((tmp_path / "out/images").iterdir())) == 8


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"shown": "other"}, "sub-01_betas.nc: stimulus_id: found a trial of 'other'"),
        ({"first": -1}, "sub-01_betas.nc: voxels: i: found -1, expected 0 to 1"),
        ({"first": 2}, "sub-01_betas.nc: voxels: i: found 2, expected 0 to 1"),
        (
            {"names": [*NAMES[:7], "a/b"]},
            "stimuli.tsv: stimulus_id: found 'a/b', expected the name of an image",
        ),
        ({"names": [*NAMES[:7], ".."]}, "stimulus_id: found '..', expected the name of an image"),
    ],
)
def test_betas_that_do_not_go_with_the_rest_are_refused(tmp_path, wrong, told):
    dataset = a_dataset(tmp_path / "data", **wrong)
    assert told in message_of(export.main, dataset, tmp_path / "out", "sub-01")
    assert not (tmp_path / "out").exists()


def test_places_and_subjects_that_are_none_are_refused(tmp_path, monkeypatch):
    dataset, out = a_dataset(tmp_path / "data"), tmp_path / "out"
    assert "betas: found none" in message_of(export.main, dataset, out, "**")
    below = tmp_path / "file/new"
    (tmp_path / "file").touch()
    assert f"{below}: folder: found a file above it" in message_of(export.main, dataset, below, "sub-01")

    def mkdtemp(**_):
        raise PermissionError(13, "Permission denied", "/tmp/.out.x")

    with monkeypatch.context() as patched:
        patched.setattr("tempfile.mkdtemp", mkdtemp)
        assert f"{out}: folder: found Permission denied" in message_of(export.main, dataset, out, "sub-01")
    mean = dataset / "glm/key/sub-01_mean.nii.gz"
    mean.write_bytes(b"no image")
    assert "sub-01_mean.nii.gz: NIfTI: found" in message_of(export.main, dataset, out, "sub-01")
    mean.unlink()
    assert "sub-01_mean.nii.gz: file: found no such file" in message_of(export.main, dataset, out, "sub-01")
    nibabel.save(nibabel.Nifti1Image(np.ones((2, 2), np.float32), np.eye(4)), mean)
    assert "shape: found (2, 2" in message_of(export.main, dataset, out, "sub-01")
    assert not out.exists()


@pytest.mark.slow
def test_a_terminal_that_knows_few_letters_stops_nothing(tmp_path):
    dataset, out = a_dataset(tmp_path / "data"), tmp_path / "größe"
    command = [sys.executable, "scripts/export_betas.py", str(dataset), str(out)]
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "gr\\xf6\\xdfe: 4 trials of 8 stimuli" in run.stdout
