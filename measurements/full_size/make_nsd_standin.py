"""Make a stand-in of one person of NSD at its real size: shapes, dtypes, chunks and bytes, simulated values.

    python measurements/full_size/make_nsd_standin.py FOLDER [--sessions 40] [--distinct 4]

FOLDER gets the layout of NSD for subj01: sessions of (750, 83, 104, 81) int16 as HDF5 (1.05 GB each, all
trials of a voxel in one chunk), of which all after the first `--distinct` are links to these, three ROIs of
5,000 voxels, the design, and the images that were shown (0.5 MB each). Voxels outside of the ROIs are 0.
Good to measure time, memory and disk, not for results.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pandas as pd
from scipy.io import savemat

GRID = (81, 104, 83)  # x, y, z
TRIALS, PEOPLE, IMAGES, OWN, SHARED = 750, 8, 73_000, 10_000, 1_000
VOXELS, CODES = 5_000, {"V1": 1, "V2": 3, "hV4": 7}
SIDE = 425


def make_design(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """masterordering (1, 30000), subjectim (8, 10000), sharedix (1, 1000), all from 1."""
    order = rng.permutation(np.repeat(np.arange(1, OWN + 1), 3))
    numbers = rng.permutation(IMAGES) + 1
    shared, others = np.sort(numbers[:SHARED]), numbers[SHARED:]
    subjectim = [np.concatenate([shared, others[k * 9000 : (k + 1) * 9000]]) for k in range(PEOPLE)]
    return order[None], np.stack(subjectim), shared[None]


def write_rois(folder: Path) -> np.ndarray:
    """Label image with three blocks of 5,000 voxels; indices (3, voxels) of those in it."""
    labels = np.full(GRID, -1, np.int16)
    labels[10:70, 10:90, 10:70] = 0
    for block, code in enumerate(CODES.values()):
        part = labels[12 + 20 * block : 32 + 20 * block, 20:70, 20:25]
        part[:] = code
        assert part.size == VOXELS
    place = folder / "nsddata/ppdata/subj01/func1pt8mm/roi"
    place.mkdir(parents=True)
    nib.save(nib.Nifti1Image(labels, np.diag([1.8, 1.8, 1.8, 1])), place / "prf-visualrois.nii.gz")
    return np.argwhere(labels > 0).T


def write_session(path: Path, voxels: np.ndarray, rng: np.random.Generator) -> None:
    """All trials of a voxel are one chunk, as in the release, and every chunk is there."""
    values = rng.normal(0, 300, (voxels.shape[1], TRIALS)).astype(np.int16)
    own = {(z, y, x): row for (x, y, z), row in zip(voxels.T.tolist(), values, strict=True)}
    empty = np.zeros(TRIALS, np.int16)
    with h5py.File(path, "w") as file:
        shape = (TRIALS, *GRID[::-1])
        betas = file.create_dataset("betas", shape, np.int16, chunks=(TRIALS, 1, 1, 1))
        for place in np.ndindex(*GRID[::-1]):
            betas.id.write_direct_chunk((0, *place), own.get(place, empty).tobytes())


def write_images(path: Path, shown: np.ndarray, rng: np.random.Generator) -> None:
    """The images that were shown; the others are never written."""
    path.parent.mkdir(parents=True)
    with h5py.File(path, "w") as file:
        bricks = file.create_dataset("imgBrick", (IMAGES, SIDE, SIDE, 3), np.uint8, chunks=(1, SIDE, SIDE, 3))
        image = rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
        for row in shown:
            bricks.id.write_direct_chunk((int(row), 0, 0, 0), np.roll(image, int(row), axis=0).tobytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sessions", type=int, default=40)
    parser.add_argument("--distinct", type=int, default=4)
    arguments = parser.parse_args()
    rng, folder = np.random.default_rng(0), arguments.folder
    order, subjectim, shared = make_design(rng)
    place = folder / "nsddata/experiments/nsd"
    place.mkdir(parents=True)
    savemat(
        place / "nsd_expdesign.mat",
        {"masterordering": order, "subjectim": subjectim, "sharedix": shared},
    )
    table = pd.DataFrame({"cocoId": np.arange(IMAGES), "nsdId": np.arange(IMAGES)})
    table["shared1000"] = np.isin(table["nsdId"] + 1, shared)
    table.to_csv(place / "nsd_stim_info_merged.csv")
    voxels = write_rois(folder)
    place = folder / "nsddata_betas/ppdata/subj01/func1pt8mm/betas_fithrf_GLMdenoise_RR"
    place.mkdir(parents=True)
    for session in range(arguments.sessions):
        path = place / f"betas_session{session + 1:02d}.hdf5"
        if session < arguments.distinct:
            write_session(path, voxels, rng)
        else:
            path.symlink_to(f"betas_session{session % arguments.distinct + 1:02d}.hdf5")
    shown = np.unique(subjectim[0][order[0, : arguments.sessions * TRIALS] - 1] - 1)
    write_images(folder / "nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5", shown, rng)


if __name__ == "__main__":
    main()
