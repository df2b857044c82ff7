"""A lab's folder (betas, trials, ROIs, images) with a planted signal, for tests of `loader: responses`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from PIL import Image

from cortexrsa.schemas import validate

GRID = (7, 6, 5)
AFFINE = np.diag([2.0, 2.0, 2.5, 1.0])
SIZE = 24
PATTERNS = 6


@dataclass
class World:
    """What was planted.

    Attributes
    ----------
    signal : (n, voxels of the grid) of every stimulus, z fastest
    betas : (trials, voxels of the grid) measured: each session has a scale and an offset of its own
    trials : stimulus_id, session, run of each trial
    labels : (x, y, z) 0, 1 (V1) or 2 (LO)
    pixels : (n, SIZE, SIZE, 3) of every stimulus
    """

    signal: np.ndarray
    betas: np.ndarray
    trials: pd.DataFrame
    labels: np.ndarray
    pixels: np.ndarray

    @property
    def ids(self) -> list[str]:
        """Ids of the stimuli, in the order of `signal`."""
        return [f"{k:03d}" for k in range(len(self.signal))]

    def voxels(self, code: int) -> np.ndarray:
        """Places of the voxels of a ROI in the grid."""
        return np.flatnonzero(self.labels.ravel() == code)

    def volumes(self) -> np.ndarray:
        """Betas as (x, y, z, trial)."""
        return self.betas.T.reshape(*GRID, len(self.betas))


def make_world(n: int = 30, repeats: int = 3, sessions: int = 3, noise: float = 0.3, seed: int = 0) -> World:
    """A world in which every stimulus is shown once in every session."""
    rng = np.random.default_rng(seed)
    voxels = int(np.prod(GRID))
    # mixtures of a few patterns of 6 x 6 grey squares
    patterns = np.linalg.qr(rng.standard_normal((36, PATTERNS)))[0].T
    squares = np.clip(np.rint(127.5 + 100 * rng.standard_normal((n, PATTERNS)) @ patterns), 0, 255)
    pixels = squares.reshape(n, 6, 6, 1).astype(np.uint8)
    pixels = pixels.repeat(SIZE // 6, 1).repeat(SIZE // 6, 2).repeat(3, 3)
    # voxels see the pixels, so that the RDM of the pixels is theirs
    seen = (squares - 127.5) @ patterns.T
    signal = seen / seen.std() @ rng.standard_normal((PATTERNS, voxels)) / np.sqrt(PATTERNS)
    rows, betas = [], []
    for session in range(sessions):
        offset = 50 * session * rng.standard_normal(voxels)
        for repeat in range(repeats // sessions):
            order = rng.permutation(n)
            shown = signal[order] + noise * rng.standard_normal((n, voxels))
            # what only z-scores within the session take out
            betas.append((shown * (1 + 3 * session) + offset) / 100)
            rows += [(f"{k:03d}", f"{session + 1:02d}", f"{repeat + 1}") for k in order]
    labels = np.zeros(voxels, int)
    labels[rng.permutation(voxels)[:80]] = np.repeat([1, 2], 40)
    trials = pd.DataFrame(rows, columns=["stimulus_id", "session", "run"], dtype=object)
    return World(signal, np.concatenate(betas).astype(np.float32), trials, labels.reshape(GRID), pixels)


def write_lab(folder: Path, world: World) -> Path:
    """The folder of a lab: betas.npy (x, y, z, trial), trials.csv, roi.nii.gz, images/."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "betas.npy", world.volumes())
    world.trials.to_csv(folder / "trials.csv", index=False)
    save_volume(folder / "roi.nii.gz", world.labels.astype(np.int16))
    (folder / "images").mkdir(exist_ok=True)
    for name, image in zip(world.ids, world.pixels, strict=True):
        Image.fromarray(image).save(folder / "images" / f"{name}.png")
    return folder


def save_volume(path: Path, values: np.ndarray, affine: np.ndarray = AFFINE) -> None:
    """Write a NIfTI file."""
    nib.save(nib.Nifti1Image(values, affine), path)


def card_of(folder: Path, rois: dict | None = None, path: Path | None = None, **options) -> dict:
    """The card of a lab's folder, with its defaults; `options` replace parts of its own."""
    own = {
        "values": {"file": "betas.npy", "axes": ["x", "y", "z", "trial"]},
        "trials": {"file": "trials.csv"},
        "stimuli": {"images": "images"},
        "splits": {"test": {"fraction": 0.4}, "train": {"rest": True}},
    }
    for name, value in options.items():
        merged = isinstance(value, dict) and isinstance(own.get(name), dict) and name != "splits"
        own[name] = own[name] | value if merged else value
    atlas = {"V1": {"atlas": "roi.nii.gz", "label": 1}, "LO": {"atlas": "roi.nii.gz", "label": 2}}
    content = {
        "description": "A lab's experiment",
        "citation": "none",
        "licence": "none",
        "loader": "responses",
        "path": str(path or folder),
        "rois": rois or atlas,
        "options": own,
    }
    return validate("datasets", content, "card")
