"""The planted signal, and what must be recovered of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from PIL import Image

# X and Z are equal: a transposed grid fits without a word
GRID = (7, 6, 7)
AFFINE = np.diag([-1.8, 1.8, 1.8, 1.0]) + np.pad([[9.0], [-8.0], [7.0]], ((0, 1), (3, 0)))
SIZE = 24  # pixels


@dataclass
class Person:
    """One subject: what was shown, and what every voxel did.

    Attributes
    ----------
    trials : a row a trial, in the order of the betas: session (from 1), stimulus_id
    signal : (stimuli, voxels), rows as `stimuli`
    stimuli : ids of all stimuli that the subject saw
    betas : (trials, voxels) in percent signal change, before they are scaled and rounded
    rois : {roi: positions among the voxels, in the order in which the loader gives them}
    """

    trials: pd.DataFrame
    signal: np.ndarray
    stimuli: list[str]
    betas: np.ndarray
    rois: dict[str, np.ndarray] = field(default_factory=dict)

    def zscored(self) -> np.ndarray:
        """(trials, voxels), each voxel z-scored over the trials of each session."""
        values = np.empty_like(self.betas)
        for session in self.trials["session"].unique():
            own = (self.trials["session"] == session).to_numpy()
            part = self.betas[own]
            # a voxel that was not recorded in a session is NaN there
            with np.errstate(invalid="ignore"):
                values[own] = (part - part.mean(axis=0)) / part.std(axis=0, ddof=0)
        return values

    def expected(self, roi: str, zscore: bool = True) -> pd.DataFrame:
        """Averages over the repeats of each stimulus, a row a stimulus_id and a column a voxel of the ROI."""
        values = self.zscored() if zscore else self.betas
        table = pd.DataFrame(values[:, self.rois[roi]])
        return table.groupby(self.trials["stimulus_id"].to_numpy()).mean()

    def planted(self, roi: str) -> pd.DataFrame:
        """The signal itself, as `expected` has it."""
        return pd.DataFrame(self.signal[:, self.rois[roi]], index=self.stimuli)


@dataclass
class StandIn:
    """A stand-in on the disk.

    Attributes
    ----------
    folder : that a card's `path` names
    people : by the name that the layout gives the subjects
    images : {stimulus_id: (SIZE, SIZE, 3) uint8}, as the files hold them
    """

    folder: Path
    people: dict[str, Person]
    images: dict[str, np.ndarray]


def plant(
    rng: np.random.Generator,
    shown: pd.DataFrame,
    images: dict[str, np.ndarray],
    voxels: int,
    noise: float = 0.5,
    drift: float = 5.0,
) -> Person:
    """Betas of one subject: sums of the pixels, trial noise, a gain and offset of each session and voxel.

    Parameters
    ----------
    shown : session and stimulus_id of every trial
    images : {stimulus_id: pixels}; a network of pixels explains the signal
    voxels : how many
    noise : standard deviation of a trial, the signal's is 1
    drift : standard deviation over sessions of a voxel's mean
    """
    stimuli = sorted(shown["stimulus_id"].unique())
    signal = seen(rng, [images[name] for name in stimuli], voxels)
    betas = signal[pd.Index(stimuli).get_indexer(shown["stimulus_id"])]
    betas = betas + noise * rng.normal(size=betas.shape)
    for session in shown["session"].unique():
        own = (shown["session"] == session).to_numpy()
        gain, offset = rng.uniform(0.5, 2.0, voxels), drift * rng.normal(size=voxels)
        betas[own] = gain * betas[own] + offset
    return Person(shown.reset_index(drop=True), signal, stimuli, betas)


def seen(rng: np.random.Generator, images: list[np.ndarray], voxels: int) -> np.ndarray:
    """(n, voxels): random sums of pixels, of mean 0 and variance 1 in every voxel."""
    pixels = np.stack(images).reshape(len(images), -1).astype(float)
    signal = (pixels - pixels.mean(axis=0)) @ rng.normal(size=(pixels.shape[1], voxels))
    return (signal - signal.mean(axis=0)) / signal.std(axis=0)


def design(rng: np.random.Generator, counts: dict[str, int], sessions: int) -> pd.DataFrame:
    """Every stimulus as often as `counts` says, shuffled over sessions (the last is the shortest)."""
    order = np.repeat(list(counts), list(counts.values()))
    rng.shuffle(order)
    length = int(np.ceil(len(order) / sessions))
    return pd.DataFrame({"session": np.arange(len(order)) // length + 1, "stimulus_id": order})


def pictures(rng: np.random.Generator, ids: list[str], size: int = SIZE) -> dict[str, np.ndarray]:
    """Coloured noise of low frequency: no two look alike, even after JPEG."""
    coarse = rng.integers(0, 256, (len(ids), 6, 6, 3), np.uint8)
    return {
        name: np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))
        for name, image in zip(ids, coarse, strict=True)
    }


def save_picture(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, quality=95)


def save_volume(path: Path, values: np.ndarray, dtype: type, affine: np.ndarray = AFFINE) -> None:
    """NIfTI (X, Y, Z) or (X, Y, Z, trials) of one dtype, header slope 1."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(values.astype(dtype), affine)
    image.header.set_slope_inter(1, 0)
    nib.save(image, path)


def volume(values: np.ndarray, where: np.ndarray, outside: float = 0) -> np.ndarray:
    """(..., X, Y, Z) with `values` (..., voxels) at the True places of `where` (X, Y, Z), in C order."""
    whole = np.full((*values.shape[:-1], *where.shape), outside, values.dtype)
    whole[..., where] = values
    return whole


def brain(grid: tuple[int, int, int] = GRID) -> np.ndarray:
    """(X, Y, Z) bool: an ellipsoid that is cut on one side, so that no symmetry maps it onto itself."""
    axes = np.meshgrid(*[np.linspace(-1, 1, n) for n in grid], indexing="ij")
    return (sum(axis**2 for axis in axes) < 2.3) & (axes[0] + 2 * axes[1] + 3 * axes[2] < 3.5)


def slabs(where: np.ndarray, names: list[str]) -> dict[str, np.ndarray]:
    """ROIs that part the brain by its first axis: positions among the voxels of `where` in C order."""
    x = np.argwhere(where)[:, 0]
    edges = np.quantile(x, np.linspace(0, 1, len(names) + 2))
    return {
        name: np.flatnonzero((x >= low) & (x < high))
        for name, low, high in zip(names, edges[:-2], edges[1:-1], strict=True)
    }
