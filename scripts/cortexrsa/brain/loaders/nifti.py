"""NIfTI files: headers, volumes and labels, and that they are what an analysis can take."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import xxhash

from cortexrsa.errors import InputError, reason

GRID_TOLERANCE = 1e-3  # mm, between affines
LEAST_TSNR = 1.0  # mean over SD of raw BOLD, in most voxels; of centred BOLD it is nearly 0


def load_nifti(path: Path) -> nib.Nifti1Image:
    """A NIfTI file, its data still on disk.

    Raises
    ------
    InputError : not there, or its header cannot be read.
    """
    try:
        return nib.load(path)
    except FileNotFoundError as error:
        found = "a link to a file that is not there (datalad get)" if path.is_symlink() else "no such file"
        raise InputError("file", found, "a NIfTI file", file=path) from error
    # nibabel has an exception for each part of a header, without a common ancestor
    except Exception as error:
        raise InputError("NIfTI", reason(error), "a readable NIfTI file", file=path) from error


def open_bold(path: Path) -> nib.Nifti1Image:
    """A 4-D NIfTI file, its data still on disk.

    Raises
    ------
    InputError : not readable as NIfTI, not of four dimensions, or without a usable affine.
    """
    image = load_nifti(path)
    if len(image.shape) != 4 or image.shape[3] < 2:
        raise InputError("shape", image.shape, "four dimensions, time last", file=path)
    check_affine(image, path)
    return image


def check_affine(image: nib.Nifti1Image, path: Path) -> None:
    """Refuse an affine that has no inverse."""
    if not np.isfinite(image.affine).all() or abs(np.linalg.det(image.affine)) < 1e-9:
        raise InputError("affine", "one without an inverse", "a place for every voxel", file=path)


def check_place(image: nib.Nifti1Image, path: str | Path) -> None:
    """Refuse a header that says nowhere where the image lies: left and right are a guess then."""
    header = image.header
    if isinstance(header, nib.Nifti1Header) and header["qform_code"] == header["sform_code"] == 0:
        expected = "one of them, to bring images on different grids together"
        raise InputError("header", "neither qform nor sform", expected, file=path)


def read_volumes(path: Path) -> np.ndarray:
    """Data of a NIfTI file as float32, whatever it is stored in: nilearn smooths integers in integers.

    Raises
    ------
    InputError : not readable, or shorter than its header says.
    """
    return _data(load_nifti(path), path, lambda image: image.get_fdata(dtype=np.float32, caching="unchanged"))


def read_labels(path: Path) -> np.ndarray:
    """Data of a NIfTI file in the type that it is stored in: float32 has no whole numbers above 2^24.

    Raises
    ------
    InputError : see `read_volumes`.
    """
    return _data(load_nifti(path), path, lambda image: np.asanyarray(image.dataobj))


def _data(image: nib.Nifti1Image, path: Path, read) -> np.ndarray:
    try:
        return read(image)
    except (OSError, EOFError, ValueError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            "data", reason(error), f"{image.shape} values, a file that is complete", file=path
        ) from error


def fingerprint(volumes: np.ndarray) -> str:
    """What identifies the data of a run, whatever the type they were stored in."""
    return xxhash.xxh3_128(np.ascontiguousarray(volumes, np.float32)).hexdigest()


def gzip_mark(path: Path) -> bytes | None:
    """Checksum and length of what a gzip file holds, its last eight bytes (RFC 1952); None without them."""
    if path.suffix != ".gz" or not path.is_file() or path.stat().st_size < 18:
        return None
    with open(path, "rb") as file:
        file.seek(-8, 2)
        mark = file.read()
    # files of several parts end in an empty one
    return mark if any(mark) else None


def check_series(series: np.ndarray, path: Path, centred: bool = False) -> None:
    """Refuse volumes without data, and BOLD without its mean.

    Parameters
    ----------
    series : (scans, v) of the voxels of interest
    path : to name in an error
    centred : the card says that the mean signal was taken out

    Raises
    ------
    InputError : a volume that is NaN or zero in all voxels of interest; a mean that is smaller than the SD
        over time in most voxels, as in data that were denoised, standardised or scaled to percent change,
        unless the card says so; or a larger one although it says so.
    """
    for name, missing in (("NaN", ~np.isfinite(series)), ("zero", series == 0)):
        volumes = np.flatnonzero(missing.all(axis=1))
        if len(volumes):
            found = f"{len(volumes)} of {len(series)} volumes {name} in all ROIs, the first is {volumes[0]}"
            raise InputError("volumes", found, "data in every volume", file=path)
    with np.errstate(invalid="ignore"):
        mean, deviation = series.mean(axis=0, dtype=np.float64), series.std(axis=0, dtype=np.float64)
    varying = np.isfinite(mean) & (deviation > 0)
    if not varying.any():
        raise InputError("volumes", "no voxel of a ROI that varies and is finite", "BOLD", file=path)
    ratio = float(np.median(np.abs(mean[varying]) / deviation[varying]))
    if not centred and ratio < LEAST_TSNR:
        found = f"a mean of {ratio:.2g} SDs over time in the median voxel: centred BOLD"
        expected = "BOLD with its mean signal (options.centred: true takes it as it is)"
        raise InputError("data", found, expected, file=path)
    if centred and ratio >= LEAST_TSNR:
        found = f"a mean of {ratio:.3g} SDs over time in the median voxel"
        raise InputError("data", found, "centred BOLD, as options.centred says", file=path)


def check_grid(image: nib.Nifti1Image, first: nib.Nifti1Image, path: Path, first_path: Path) -> None:
    """Refuse a run whose voxels are not those of the subject's first run."""
    if image.shape[:3] != first.shape[:3]:
        raise InputError("grid", image.shape[:3], f"{first.shape[:3]}, as in {first_path.name}", file=path)
    if np.abs(image.affine - first.affine).max() > GRID_TOLERANCE:
        found = f"an affine that differs by {np.abs(image.affine - first.affine).max():.3g}"
        raise InputError(
            "grid", found, f"that of {first_path.name} (realign and resample the runs)", file=path
        )
