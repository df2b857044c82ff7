"""Write single-trial betas as a folder: `python scripts/export_betas.py results/simulated FOLDER`.

The folder has betas.npy (trials, x, y, z), trials.csv, roi.nii.gz with its names in roi.tsv, and images/. It
is the folder that docs/datasets.md begins with.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
from PIL import Image

from cortexrsa.errors import InputError
from cortexrsa.formats.netcdf import read_dataset
from cortexrsa.formats.stimuli import read_stimuli
from cortexrsa.storage import atomic_folder

PLACE = ("i", "j", "k")


def betas_of(dataset: Path, subject: str) -> Path:
    """The betas of a subject, of which a data set may have several by different settings of the GLM."""
    found = sorted(dataset.glob(f"glm/*/{subject}_betas.nc"))
    if len(found) != 1:
        names = ", ".join(str(path.parent.name) for path in found) or "none"
        raise InputError("betas", names, f"one folder with {subject}_betas.nc", file=dataset / "glm")
    return found[0]


def volumes(betas, grid: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Betas (trials, x, y, z), labels (x, y, z) of the ROIs from 1 on, and the names of the labels."""
    where = tuple(betas[axis].values for axis in PLACE)
    values = np.zeros((len(betas["betas"]), *grid), np.float32)
    values[:, *where] = betas["betas"].values
    names = list(dict.fromkeys(betas["roi"].values))
    labels = np.zeros(grid, np.int16)
    labels[where] = [names.index(roi) + 1 for roi in betas["roi"].values]
    return values, labels, names


def main(dataset: Path, folder: Path, subject: str) -> None:
    """Write the folder, which must not be there yet."""
    path = betas_of(dataset, subject)
    betas = read_dataset(path, ["betas", "roi", "stimulus_id", "session", "run", *PLACE])
    images, stimuli = read_stimuli(dataset / "stimuli.npy", dataset / "stimuli.tsv")
    mean = nibabel.load(path.with_name(f"{subject}_mean.nii.gz"))
    if folder.exists():
        raise InputError("folder", "a folder or file of this name", "a new folder", file=folder)
    values, labels, names = volumes(betas, mean.shape)
    rois = pd.DataFrame({"index": range(1, len(names) + 1), "name": names})
    labelled = stimuli.drop(columns=["repeats", "filename"], errors="ignore")
    trials = pd.DataFrame({name: betas[name].values for name in ("session", "run", "stimulus_id")})
    trials = trials.merge(labelled, "left", "stimulus_id")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with atomic_folder(folder) as target:
        np.save(target / "betas.npy", values)
        nibabel.save(nibabel.Nifti1Image(labels, mean.affine), target / "roi.nii.gz")
        rois.to_csv(target / "roi.tsv", sep="\t", index=False)
        trials.to_csv(target / "trials.csv", index=False)
        (target / "images").mkdir()
        for name, image in zip(stimuli["stimulus_id"], images, strict=True):
            Image.fromarray(image).save(target / "images" / f"{name}.png")
    print(f"{folder}: {len(trials)} trials of {len(stimuli)} stimuli, ROIs {', '.join(names)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write single-trial betas as a folder.")
    parser.add_argument("dataset", type=Path, help="a data set below results/ whose GLM has been run")
    parser.add_argument("folder", type=Path, help="a new folder")
    parser.add_argument("--subject", default="sub-01")
    arguments = parser.parse_args()
    try:
        main(arguments.dataset, arguments.folder.expanduser(), arguments.subject)
    except InputError as error:
        sys.exit(f"Error: {error}")
