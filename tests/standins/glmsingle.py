"""What GLMsingle leaves of a lab's own experiment, and a plain folder of a lab without it."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from standins.world import StandIn, brain, design, pictures, plant, save_picture, save_volume, slabs, volume

STIMULI, REPEATS, SESSIONS = 40, 4, 4


def _experiment(folder: Path, rng: np.random.Generator) -> tuple[pd.DataFrame, dict, np.ndarray]:
    """Trials, images on the disk and the brain; ids with zeros in front are texts."""
    names = [f"{k:03d}" for k in range(1, STIMULI + 1)]
    images = pictures(rng, names)
    for name, image in images.items():
        save_picture(folder / "images" / f"{name}.png", image)
    shown = design(rng, dict.fromkeys(names, REPEATS), SESSIONS)
    shown.assign(run=1)[["session", "run", "stimulus_id"]].to_csv(folder / "trials.csv", index=False)
    return shown, images, brain()


def _rois(folder: Path, where: np.ndarray) -> dict[str, np.ndarray]:
    rois = slabs(where, ["V1", "LO"])
    codes = np.zeros(where.sum(), int)
    for code, own in enumerate(rois.values(), start=1):
        codes[own] = code
    save_volume(folder / "roi.nii.gz", volume(codes, where), np.int16)
    return rois


def make(folder: Path, seed: int = 0) -> StandIn:
    """The folder of GLMsingle (Python) with its HDF5 and its pickled twin, beside trials, ROIs and images."""
    rng = np.random.default_rng(seed)
    shown, images, where = _experiment(folder, rng)
    person = plant(rng, shown, images, where.sum())
    person.rois = _rois(folder, where)
    place = folder / "GLMsingle"
    place.mkdir(parents=True)
    whole = volume(person.betas.astype(np.float32), where, np.nan).transpose(1, 2, 3, 0)
    content = {"betasmd": whole, "R2": whole[..., 0], "HRFindex": np.zeros(where.shape), "pcnum": 3}
    with h5py.File(place / "TYPED_FITHRF_GLMDENOISE_RR.hdf5", "w") as file:
        for name, value in content.items():
            file.create_dataset(name, data=value)
    np.save(place / "TYPED_FITHRF_GLMDENOISE_RR.npy", content, allow_pickle=True)
    return StandIn(folder, {"sub-01": person}, images)


def make_lab(folder: Path, seed: int = 0) -> StandIn:
    """betas.npy (trials, x, y, z), trials.csv, roi.nii.gz and images, as a student has them."""
    rng = np.random.default_rng(seed)
    shown, images, where = _experiment(folder, rng)
    person = plant(rng, shown, images, where.sum())
    person.rois = _rois(folder, where)
    np.save(folder / "betas.npy", volume(person.betas.astype(np.float32), where))
    return StandIn(folder, {"sub-01": person}, images)
