"""ROIs of a BIDS folder: masks, probabilities and atlases, brought to the grid of the BOLD."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
from nilearn.image import resample_to_img

from cortexrsa.brain.loaders.nifti import GRID_TOLERANCE, check_affine, check_place, load_nifti, read_labels
from cortexrsa.brain.loaders.roi_labels import THRESHOLD, label_names, levels, numbers_of_labels
from cortexrsa.errors import InputError
from cortexrsa.formats.bids_names import RunFiles, entities_of, label_tables, roi_files

LEAST_OVERLAP = 0.5  # of a mask's voxels that must lie in the volume of the BOLD
LARGEST_CHANGE = 2.0  # of the size of a ROI by resampling, in either direction


def roi_masks(
    folder: str | Path, rois: dict[str, dict], run: RunFiles, bold: nib.Nifti1Image
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Voxels of every ROI, on the grid of the BOLD; how many they are is said in the log.

    Masks and atlases on another grid are resampled (nilearn; masks linearly and cut at the threshold, atlases
    to the nearest label).

    Parameters
    ----------
    folder : BIDS folder
    rois : {label: place}. A place has mask (a file, or several that are joined) with threshold (voxels above
        it belong to the ROI; None for masks and for probabilities in [0, 1]); or atlas (likewise) with
        label (a number or name, or several) and labels (file that names them; None); or union (of other ROIs)
    run : of the subject
    bold : a run of the subject

    Returns
    -------
    masks : {label: (x, y, z) bool}
    warnings : sentences on ROIs that lie partly outside of the volume, or that resampling changes in size

    Raises
    ------
    InputError : no such file; another space than the BOLD, by its name or by where it lies; no voxel, as it
        is or after resampling; a mask that is neither one value nor probabilities, without threshold; labels
        that the atlas lacks.
    """
    masks, warnings = {}, []
    for roi, place in rois.items():
        if "union" in place:
            continue
        paths = roi_files(folder, place, run.subject)
        for path in paths:
            if not path.is_file():
                raise InputError("ROI", "no such file", "a NIfTI mask or atlas", file=path)
            _check_space(path, run.bold)
        labels = _atlas_labels(paths, place, folder, run.subject) if "atlas" in place else {}
        parts = [_on_grid(path, place.get("threshold"), labels.get(path), bold) for path in paths]
        masks[roi] = np.logical_or.reduce([mask for mask, _ in parts])
        warnings += [f"sub-{run.subject}: {roi}: {text}" for _, texts in parts for text in texts]
    for roi, place in rois.items():
        if "union" in place:
            masks[roi] = np.logical_or.reduce([masks[part] for part in place["union"]])
    for roi in rois:
        print(f"sub-{run.subject}: {roi}: {masks[roi].sum()} voxels")
    return {roi: masks[roi] for roi in rois}, warnings


def _values(path: Path) -> tuple[np.ndarray, nib.Nifti1Image]:
    """Values (x, y, z) of an image, NaN as 0, in the type they are stored in, and the image."""
    image = load_nifti(path)
    check_affine(image, path)
    shape = image.shape[:-1] if len(image.shape) == 4 and image.shape[3] == 1 else image.shape
    # a slice may have lost its third axis
    shape = (*shape, 1) if len(shape) == 2 else shape
    if len(shape) != 3:
        raise InputError("shape", image.shape, "three dimensions", file=path)
    values = read_labels(path).reshape(shape)
    return (np.nan_to_num(values) if values.dtype.kind == "f" else values), image


def _on_grid(
    path: Path, threshold: float | None, labels: list[int] | None, bold: nib.Nifti1Image
) -> tuple[np.ndarray, list[str]]:
    """Voxels (x, y, z) of a mask, or of some labels of an atlas, on the grid of the BOLD; and warnings."""
    values, image = _values(path)
    affine = image.affine
    if labels is None:
        source, threshold = levels(values, threshold, path)
    else:
        source, threshold = np.isin(values, labels).astype(np.float32), THRESHOLD
    inside, grid = source > threshold, bold.shape[:3]
    if not inside.any():
        return np.zeros(grid, bool), []
    if values.shape == grid and np.abs(affine - bold.affine).max() <= GRID_TOLERANCE:
        return inside, []
    check_place(image, path)
    check_place(bold, bold.get_filename())
    warnings = _outside(inside, affine, bold, path)
    resampled = resample_to_img(
        nib.Nifti1Image(source, affine),
        nib.Nifti1Image(np.zeros(grid, np.float32), bold.affine),
        interpolation="linear" if labels is None else "nearest",
        force_resample=True,
        copy_header=True,
    ).get_fdata()
    mask = resampled.reshape(grid) > threshold
    print(
        f"{path.name}: resampled from {values.shape} to the grid of the BOLD {grid}, "
        f"{inside.sum()} voxels became {mask.sum()}"
    )
    if not mask.any():
        found = f"no voxel left of {inside.sum()} after resampling to the grid of the BOLD {grid}"
        raise InputError("ROI", found, "at least one voxel", file=path)
    before, after = (
        float(voxels.sum() * abs(np.linalg.det(grid_affine)))
        for voxels, grid_affine in ((inside, affine), (mask, bold.affine))
    )
    if not (warnings or 1 / LARGEST_CHANGE <= after / before <= LARGEST_CHANGE):
        warnings.append(f"{path.name}: {before:.4g} mm³ became {after:.4g} mm³ on the grid of the BOLD")
    return mask, warnings


# ---- labels ----------------------------------------------------------------------------------------------


def _atlas_labels(paths: list[Path], place: dict, folder: str | Path, subject: str) -> dict[Path, list[int]]:
    """Numbers of the labels of a ROI in each of its atlases; each label stands in at least one of them."""
    wanted = place["label"] if isinstance(place["label"], list) else [place["label"]]
    named = any(isinstance(label, str) for label in wanted)
    present = {path: np.unique(_values(path)[0]) for path in paths}
    names = {path: _label_names(path, place, folder, subject) if named else {} for path in paths}
    return numbers_of_labels(wanted, names, present)


def _label_names(path: Path, place: dict, folder: str | Path, subject: str) -> dict[str, list[int]]:
    """{name: numbers} of the labels of an atlas, from the first table that names them."""
    for table in label_tables(path, place, folder, subject):
        if table.is_file():
            if names := label_names(table):
                return names
        elif place.get("labels"):
            raise InputError("labels", "no such file", "a dseg.tsv or JSON file", file=table)
    expected = f"{path.name.split('.')[0]}.tsv with columns index and name beside it (or `labels: FILE`)"
    raise InputError("label", "no table of names", expected, file=path)


# ---- places ----------------------------------------------------------------------------------------------


def _check_space(path: Path, bold: Path) -> None:
    """Refuse a mask whose name says another space than the BOLD's."""
    spaces = [entities_of(file).get("space") for file in (path, bold)]
    # T1w and native masks may well be on the grid of raw BOLD; templates never are
    if spaces[0] is not None and spaces[0] != spaces[1] and "MNI" in f"{spaces[0]}{spaces[1]}":
        expected = f"that of {bold.name} ({spaces[1] or 'native'})"
        raise InputError("space", spaces[0], expected, file=path)


def _outside(inside: np.ndarray, affine: np.ndarray, bold: nib.Nifti1Image, path: Path) -> list[str]:
    """A warning on a mask that lies partly outside of the BOLD's volume; refuse one that mostly does."""
    place = nib.affines.apply_affine(np.linalg.inv(bold.affine) @ affine, np.argwhere(inside))
    within = ((place > -0.5) & (place < np.array(bold.shape[:3]) - 0.5)).all(axis=1)
    if within.mean() < LEAST_OVERLAP:
        found = f"{within.mean():.0%} of its voxels in the volume of the BOLD"
        raise InputError("space", found, f"the space of the BOLD (at least {LEAST_OVERLAP:.0%})", file=path)
    lost = f"{(~within).sum()} of {len(within)} voxels of {path.name} lie outside of the volume of the BOLD"
    return [] if within.all() else [lost]
