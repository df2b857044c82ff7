"""Loaders of raw data: images, RDMs as published, and the voxels that can be used."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from cortexrsa.errors import InputError, reason, suggestion
from cortexrsa.formats.arrays import ARRAY_ERRORS
from cortexrsa.formats.rdms import RDMs
from cortexrsa.formats.stimuli import MINIMUM_STIMULI, check_stimuli

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png"}
IMAGE_MODES = {"1", "L", "P", "RGB"}  # those with 8 bits a channel and without transparency
TOLERANCE = 1e-6  # of the largest dissimilarity: rounding of float32 passes, another matrix does not


# ---- images ----------------------------------------------------------------------------------------------


def load_images(folder: str | Path, names: list[str]) -> np.ndarray:
    """Images as they are stored: one map for all, so that luminance and contrast stay comparable.

    Parameters
    ----------
    folder : of the images
    names : file names, in the order of the stimuli

    Returns
    -------
    images : (n, H, W, 3) uint8; grey images have three equal channels

    Raises
    ------
    InputError : an image that cannot be read, has more than 8 bits a channel or transparency, or another size
        than the first.
    """
    images = None
    for index, name in enumerate(names):
        path = Path(folder, name)
        try:
            with Image.open(path) as image:
                if image.mode not in IMAGE_MODES or "transparency" in image.info:
                    found = f"mode {image.mode}{', transparent' if 'transparency' in image.info else ''}"
                    raise InputError(
                        "image", found, "grey or RGB, 8 bits a channel, no transparency", file=path
                    )
                pixels = np.asarray(image.convert("RGB"))
        except InputError:
            raise
        # Pillow raises SyntaxError for a broken PNG
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise InputError("image", reason(error), "a readable JPEG or PNG", file=path) from error
        if images is None:
            images = np.empty((len(names), *pixels.shape), np.uint8)
        if pixels.shape != images.shape[1:]:
            found, expected = _size(pixels.shape), _size(images.shape[1:])
            raise InputError("size", found, f"{expected}, the size of {names[0]}", file=path)
        images[index] = pixels
    if images is None:
        raise InputError("images", "none", "at least one", file=folder)
    return images


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} x {shape[0]} pixels"


def image_names(folder: str | Path) -> list[str]:
    """JPEG and PNG files of a folder by name, numbers in names in numerical order (2 before 10).

    Raises
    ------
    InputError : no such folder, or no images in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError("folder", "no such folder", "a folder of images", file=folder)
    names = [path.name for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES]
    if not names:
        raise InputError("images", "none", f"files {', '.join(sorted(IMAGE_SUFFIXES))}", file=folder)
    return sorted(names, key=lambda name: [int(x) if x.isdecimal() else x for x in re.split(r"(\d+)", name)])


# ---- arrays ----------------------------------------------------------------------------------------------


def read_npz(path: str | Path, keys: Sequence[str]) -> dict[str, np.ndarray]:
    """Arrays of an .npz file by their keys.

    Raises
    ------
    InputError : the file is damaged, is no .npz, holds objects, or lacks a key (those there are listed).
    """
    expected = "an .npz file of plain arrays"
    try:
        with open(path, "rb") as handle:
            archive = np.load(handle, allow_pickle=False)
            # an .npy file
            if isinstance(archive, np.ndarray):
                raise InputError("format", "a single array", expected, file=path)
            for key in keys:
                if key not in archive.files:
                    raise InputError("key", f"no {key!r}", suggestion(key, archive.files), file=path)
            arrays = {key: archive[key] for key in keys}
    except InputError:
        raise
    # object arrays are a ValueError here
    except ARRAY_ERRORS as error:
        raise InputError("content", reason(error), expected, file=path) from error
    for key, value in arrays.items():
        # NumPy returns the bytes of a member that is no .npy file
        if not isinstance(value, np.ndarray):
            raise InputError(key, "no array", expected, file=path)
    return arrays


# ---- RDMs ------------------------------------------------------------------------------------------------


def load_rdm_npz(file: str | Path, key: str) -> np.ndarray:
    """Square RDMs from an .npz file.

    Parameters
    ----------
    file : path
    key : name of the array, (subjects, n, n), or (n, n) for one subject

    Returns
    -------
    rdms : (subjects, n, n) float64

    Raises
    ------
    InputError : see `read_npz`; the array holds other than numbers, is not square, not finite, not symmetric
        or not zero on the diagonal (to 1e-6 of its largest value), is constant, or has fewer than 8 stimuli.
    """
    return _check_rdms(read_npz(file, [key])[key], file, key)


def _check_rdms(rdms: np.ndarray, file: str | Path, key: str) -> np.ndarray:
    """The RDMs of `load_rdm_npz` as (subjects, n, n) float64, if that is what they are."""
    if rdms.dtype.kind not in "iuf":
        raise InputError(key, f"dtype {rdms.dtype}", "numbers", file=file)
    if rdms.ndim not in (2, 3) or rdms.shape[-1] != rdms.shape[-2] or not len(rdms):
        raise InputError(key, f"shape {rdms.shape}", "(subjects, n, n), square RDMs", file=file)
    rdms = np.asarray(rdms, np.float64).reshape(-1, *rdms.shape[-2:])
    n = rdms.shape[-1]
    if n < MINIMUM_STIMULI:
        raise InputError(key, f"{n} stimuli", f"at least {MINIMUM_STIMULI}", file=file)
    for subject, rdm in enumerate(rdms):
        field = f"{key}[{subject}]"
        if not np.isfinite(rdm).all():
            i, j = np.argwhere(~np.isfinite(rdm))[0]
            raise InputError(field, f"{rdm[i, j]} at ({i}, {j})", "finite dissimilarities", file=file)
        bound = TOLERANCE * np.abs(rdm).max()
        if np.abs(np.diagonal(rdm)).max() > bound:
            i = np.abs(np.diagonal(rdm)).argmax()
            raise InputError(
                field, f"{rdm[i, i]:.6g} at ({i}, {i})", "zeros on the diagonal (an RDM)", file=file
            )
        asymmetry = np.abs(rdm - rdm.T)
        if asymmetry.max() > bound:
            i, j = np.unravel_index(asymmetry.argmax(), rdm.shape)
            found = f"{rdm[i, j]:.6g} at ({i}, {j}) but {rdm[j, i]:.6g} at ({j}, {i})"
            raise InputError(
                field, found, f"a symmetric matrix (to {TOLERANCE:g} of its largest value)", file=file
            )
        if np.ptp(rdm[np.triu_indices(n, 1)]) <= bound:
            raise InputError(field, "equal dissimilarities only", "dissimilarities that differ", file=file)
    return rdms


def load_rdm_dataset(card: dict, folder: str | Path) -> tuple[np.ndarray, pd.DataFrame, RDMs]:
    """A data set published as images and RDMs (loader `rdms`).

    Parameters
    ----------
    card : of the data set; `rois`: {label: {file, key}}, `options`: {stimuli: folder of the images in the
        order of the RDMs, dissimilarity: name of the RDMs' measure}
    folder : of the raw files

    Returns
    -------
    images : (n, H, W, 3) uint8
    stimuli : n rows; all are `test`, and `repeats` is 1: averages over unknown repeats are all there is
    rdms : one for each ROI and subject, in the order of the card; the upper triangle of each matrix

    Raises
    ------
    InputError : see `load_images` and `load_rdm_npz`; RDMs of another number of stimuli than there are
        images, or ROIs with different numbers of subjects.
    """
    folder, options = Path(folder), card["options"]
    names = image_names(folder / options["stimuli"])
    images = load_images(folder / options["stimuli"], names)
    n = len(names)
    stimuli = pd.DataFrame(
        {"stimulus_id": [Path(name).stem for name in names], "split": "test", "repeats": 1}
    )
    check_stimuli(images, stimuli, folder / options["stimuli"])
    upper = np.triu_indices(n, 1)
    triangles, rows = [], []
    for roi, place in card["rois"].items():
        file = folder / place["file"]
        squares = load_rdm_npz(file, place["key"])
        if squares.shape[1] != n:
            expected = f"{n}, the images in {folder / options['stimuli']}"
            raise InputError(place["key"], f"{squares.shape[1]} stimuli", expected, file=file)
        if triangles and len(squares) != len(triangles[0]):
            expected = f"{len(triangles[0])}, as in {rows[0][1]}: rows are the same subjects in every ROI"
            raise InputError(place["key"], f"{len(squares)} subjects", expected, file=file)
        triangles.append(squares[:, *upper])
        rows += [(f"sub-{subject:02d}", roi) for subject in range(1, len(squares) + 1)]
    table = pd.DataFrame(rows, columns=["subject", "roi"])
    patterns = stimuli[["stimulus_id", "split"]]
    return images, stimuli, RDMs(np.concatenate(triangles), table, patterns, options["dissimilarity"])
