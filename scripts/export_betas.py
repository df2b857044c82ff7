"""Write single-trial betas as a folder: `python scripts/export_betas.py results/simulated FOLDER`.

The folder has betas.npy (trials, x, y, z), trials.csv, roi.nii.gz with its names in roi.tsv, and images/. It
is the folder that docs/datasets.md begins with.
"""

from __future__ import annotations

import argparse
import glob
import sys
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
from PIL import Image

from cortexrsa.brain.loaders.nifti import load_nifti
from cortexrsa.errors import InputError, concerning, reason
from cortexrsa.formats.netcdf import read_dataset
from cortexrsa.formats.stimuli import read_stimuli
from cortexrsa.storage import atomic_folder

PLACE = ("i", "j", "k")


def betas_of(dataset: Path, subject: str) -> Path:
    """The betas of a subject, of which a data set may have several by different settings of the GLM."""
    found = sorted(dataset.glob(f"glm/*/{glob.escape(subject)}_betas.nc"))
    if len(found) != 1:
        names = ", ".join(str(path.parent.name) for path in found) or "none"
        raise InputError("betas", names, f"one folder with {subject}_betas.nc", file=dataset / "glm")
    return found[0]


def volumes(betas, grid: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Betas (trials, x, y, z), labels (x, y, z) of the ROIs from 1 on, and the names of the labels.

    Raises
    ------
    InputError : a grid of other than three dimensions, or a voxel outside of it.
    """
    where = tuple(betas[axis].values for axis in PLACE)
    if len(grid) != len(PLACE):
        raise InputError("shape", grid, "three dimensions")
    for axis, places, size in zip(PLACE, where, grid, strict=True):
        outside = places[(places < 0) | (places >= size)]
        if len(outside):
            raise InputError(f"voxels: {axis}", outside[0], f"0 to {size - 1}, as the mean image has it")
    values = np.zeros((len(betas["betas"]), *grid), np.float32)
    values[:, *where] = betas["betas"].values
    names = list(dict.fromkeys(betas["roi"].values))
    labels = np.zeros(grid, np.int16)
    labels[where] = [names.index(roi) + 1 for roi in betas["roi"].values]
    return values, labels, names


def table_of_trials(betas, stimuli: pd.DataFrame) -> pd.DataFrame:
    """Session, run and stimulus of each trial, with what else is known of the stimulus.

    Raises
    ------
    InputError : a trial of a stimulus that is not there.
    """
    known = set(stimuli["stimulus_id"])
    unknown = [name for name in betas["stimulus_id"].values.tolist() if name not in known]
    if unknown:
        raise InputError("stimulus_id", f"a trial of {unknown[0]!r}", "stimuli of stimuli.tsv")
    trials = pd.DataFrame({name: betas[name].values for name in ("session", "run", "stimulus_id")})
    labelled = stimuli.drop(columns=["repeats", "filename"], errors="ignore")
    return trials.merge(labelled, "left", "stimulus_id")


def check_names(names: pd.Series) -> None:
    """Refuse stimuli whose names no image of a folder can have."""
    for name in names:
        if Path(name).name != name or name in ("", "..") or "\0" in name:
            raise InputError("stimulus_id", repr(name), "the name of an image, without a folder")


def main(dataset: Path, folder: Path, subject: str) -> None:
    """Write the folder, which must not be there yet."""
    path = betas_of(dataset, subject)
    betas = read_dataset(path, ["betas", "roi", "stimulus_id", "session", "run", *PLACE])
    images, stimuli = read_stimuli(dataset / "stimuli.npy", dataset / "stimuli.tsv")
    with concerning(dataset / "stimuli.tsv"):
        check_names(stimuli["stimulus_id"])
    mean = load_nifti(path.with_name(f"{subject}_mean.nii.gz"))
    if folder.exists():
        raise InputError("folder", "a folder or file of this name", "a new folder", file=folder)
    with concerning(path):
        values, labels, names = volumes(betas, mean.shape)
        trials = table_of_trials(betas, stimuli)
    rois = pd.DataFrame({"index": range(1, len(names) + 1), "name": names})
    try:
        with atomic_folder(folder) as target:
            np.save(target / "betas.npy", values)
            nibabel.save(nibabel.Nifti1Image(labels, mean.affine), target / "roi.nii.gz")
            rois.to_csv(target / "roi.tsv", sep="\t", index=False)
            trials.to_csv(target / "trials.csv", index=False)
            (target / "images").mkdir()
            for name, image in zip(stimuli["stimulus_id"], images, strict=True):
                Image.fromarray(image).save(target / "images" / f"{name}.png")
    except OSError as error:
        above = isinstance(error, FileExistsError | NotADirectoryError)
        found = "a file above it" if above else reason(error)
        raise InputError("folder", found, "a new folder, where you may write", file=folder) from error
    print(f"{folder}: {len(trials)} trials of {len(stimuli)} stimuli, ROIs {', '.join(names)}")


if __name__ == "__main__":
    # names of letters that the terminal does not know
    sys.stdout.reconfigure(errors="backslashreplace")
    parser = argparse.ArgumentParser(description="Write single-trial betas as a folder.")
    parser.add_argument("dataset", type=Path, help="a data set below results/ whose GLM has been run")
    parser.add_argument("folder", type=Path, help="a new folder")
    parser.add_argument("--subject", default="sub-01")
    arguments = parser.parse_args()
    try:
        main(arguments.dataset, arguments.folder.expanduser(), arguments.subject)
    except InputError as error:
        sys.exit(f"Error: {error}")
    except OSError as error:
        sys.exit(f"Error: {error.filename or arguments.dataset}: {error.strerror}")
