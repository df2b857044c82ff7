"""ROIs of a data set of responses: which voxels of which file belong to each."""

from __future__ import annotations

import glob
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from cortexrsa.brain.loaders.nifti import GRID_TOLERANCE
from cortexrsa.brain.loaders.places import place
from cortexrsa.brain.loaders.responses_files import filled, placeholders_of
from cortexrsa.brain.loaders.responses_trials import netcdf_table
from cortexrsa.brain.loaders.roi_labels import label_names, levels, numbers_of_labels
from cortexrsa.errors import InputError, suggestion
from cortexrsa.formats.foreign_arrays import open_array
from cortexrsa.formats.foreign_tables import read_foreign_table

YES, NO = {"1", "1.0", "true", "yes"}, {"0", "0.0", "false", "no", ""}


@dataclass
class Part:
    """Voxels that are in the same files: all, those of a hemisphere, or those of a ROI.

    Attributes
    ----------
    keys : {placeholder: value} of its files, such as {hemisphere: lh}
    grid : lengths of x, y, z, or (voxels,)
    affine : of the values, where their files have one
    source : file of the values, to name in an error
    """

    keys: dict[str, str]
    grid: tuple[int, ...]
    affine: np.ndarray | None
    source: Path
    voxels: int = field(init=False)

    def __post_init__(self):
        self.voxels = int(np.prod(self.grid))


def parts_of_values(options: dict, rois: dict[str, dict]) -> list[dict[str, str]]:
    """Values of {hemisphere} and {roi} in the names of the files of values, in the order of the voxels."""
    keys = placeholders_of(options["values"]["file"])
    sides = options["hemispheres"] if "hemisphere" in keys else []
    hemispheres = [{"hemisphere": side} for side in sides] or [{}]
    if "roi" not in keys:
        return hemispheres
    names = [name for entry in rois.values() for name in _as_list(entry.get("file", []))]
    return [{"roi": name} | hemisphere for name in dict.fromkeys(names) for hemisphere in hemispheres]


def _as_list(value) -> list:
    return value if isinstance(value, list) else [value]


def voxels_of_rois(
    base: str | Path,
    rois: dict[str, dict],
    options: dict,
    subject: str,
    parts: list[Part],
    inside: Brain | None = None,
) -> dict[str, np.ndarray]:
    """Places of the voxels of every ROI, counted through all parts one after the other.

    Parameters
    ----------
    base : folder from which the names of the card start
    rois : {label: entry} of the card: mask, atlas with label, column, file, whole, or union
    options : of the card: voxels (table, subject)
    subject : name
    parts : of the values, in their order
    inside : mask whose voxels they are, see `brain_of`

    Raises
    ------
    InputError : a file that is not there or cannot be read; a mask on another grid, with another affine or of
        another length; values that are no mask; labels that the atlas lacks; a column that is not there; a
        ROI without voxels.
    """
    total = sum(part.voxels for part in parts)
    columns = [_as_list(entry["column"])[0] for entry in rois.values() if "column" in entry]
    table = _voxel_table(base, options["voxels"], subject, total, parts[0].source, columns)
    chosen: dict[str, np.ndarray] = {}
    for roi, entry in rois.items():
        if "union" not in entry:
            mask = _mask_of(base, roi, entry, subject, parts, table, inside)
            if table is not None and table.own is not None:
                mask &= table.own
            chosen[roi] = np.flatnonzero(mask)
    for roi, entry in rois.items():
        if "union" in entry:
            chosen[roi] = np.unique(np.concatenate([chosen[part] for part in entry["union"]]))
        if not len(chosen[roi]):
            raise InputError(f"rois.{roi}", f"no voxel of {subject}", "at least one", file=parts[0].source)
        print(f"{subject}: {roi}: {len(chosen[roi])} voxels")
    return {roi: chosen[roi] for roi in rois}


def _mask_of(base, roi, entry, subject, parts, table, inside) -> np.ndarray:
    """(voxels of all parts,) bool of one ROI that is no union."""
    total = sum(part.voxels for part in parts)
    if "whole" in entry:
        return np.ones(total, bool)
    if "column" in entry:
        if table is None:
            raise InputError(f"rois.{roi}.column", entry["column"], "also options.voxels.table", file=base)
        return table.mask(roi, entry)
    if "file" in entry:
        wanted = _as_list(entry["file"])
        own = [np.full(part.voxels, part.keys.get("roi") in wanted) for part in parts]
        return np.concatenate(own)
    return _from_images(base, entry, subject, parts, inside)


# ---- masks and atlases -----------------------------------------------------------------------------------


def _from_images(base, entry, subject, parts: list[Part], inside) -> np.ndarray:
    """Voxels of a mask, or of labels of an atlas, in one or several files."""
    kind = "mask" if "mask" in entry else "atlas"
    values: dict[Path, tuple[np.ndarray, list[int], dict[str, list[int]]]] = {}
    for name in _as_list(entry[kind]):
        for keys, own in _parts_by_file(name, parts):
            for path in _fitting(place(base, filled(name, {"subject": subject} | keys))):
                values[path] = _flat(path, [parts[k] for k in own], inside), own
    if kind == "mask":
        inside_of = {path: _cut(flat[0], entry["threshold"], path) for path, (flat, _) in values.items()}
    else:
        present = {path: np.unique(flat[0]) for path, (flat, _) in values.items()}
        wanted = _as_list(entry["label"])
        named = any(isinstance(label, str) for label in wanted)
        names = {
            path: _names_of(base, entry, path, subject, flat[1]) if named else {}
            for path, (flat, _) in values.items()
        }
        numbers = numbers_of_labels(wanted, names, present)
        inside_of = {path: np.isin(flat[0], numbers[path]) for path, (flat, _) in values.items()}
    starts = np.r_[0, np.cumsum([part.voxels for part in parts])]
    mask = np.zeros(starts[-1], bool)
    for path, (_, own) in values.items():
        lengths = np.cumsum([parts[k].voxels for k in own])[:-1]
        for k, piece in zip(own, np.split(inside_of[path], lengths), strict=True):
            mask[starts[k] : starts[k + 1]] |= piece
    return mask


def _fitting(path: Path) -> list[Path]:
    """The file of a name, or those that fit one with * or ?."""
    if path.is_file() or not glob.has_magic(str(path)):
        return [path]
    found = sorted(Path(name) for name in glob.glob(str(path)))
    if not found:
        raise InputError("ROI", "no file that fits", "a mask or atlas at least", file=path)
    return found


def _cut(values: np.ndarray, threshold: float | None, path: Path) -> np.ndarray:
    source, cut = levels(values, threshold, path)
    return source > cut


def _parts_by_file(name: str, parts: list[Part]) -> list[tuple[dict[str, str], list[int]]]:
    """Files of a mask: their placeholders, and the parts of the values that each is of."""
    if "{hemisphere}" not in name:
        return [({}, list(range(len(parts))))]
    hemispheres = list(dict.fromkeys(part.keys.get("hemisphere") for part in parts))
    if hemispheres == [None]:
        # volumes have both hemispheres on one grid
        return [({"hemisphere": side}, list(range(len(parts)))) for side in ("lh", "rh")]
    return [
        ({"hemisphere": side}, [k for k, part in enumerate(parts) if part.keys["hemisphere"] == side])
        for side in hemispheres
    ]


def _flat(path: Path, parts: list[Part], inside) -> tuple[np.ndarray, dict[str, list[int]]]:
    """Values (voxels of the parts,) of a mask or atlas, NaN as 0, and the names that the file gives them."""
    with open_array(path) as array:
        values = np.asarray(array[...])
        affine, names = array.affine, array.labels
    values = np.nan_to_num(values) if values.dtype.kind == "f" else values
    if values.ndim and array.axes and array.axes[0] == "trial":
        values = values[0] if len(values) == 1 else values
    values = values[..., 0] if values.ndim == 4 and values.shape[-1] == 1 else values
    if inside is not None and values.shape == inside.values.shape:
        _check_affine(affine, inside.affine, path, inside.path)
        return values[inside.values] if inside.order == "C" else values.T[inside.values.T], names
    grids = {part.grid for part in parts}
    if len(parts) == 1 or (values.shape not in grids and values.size == sum(part.voxels for part in parts)):
        _check_grid(values, affine, parts, path)
        return values.reshape(-1), names
    if len(grids) == 1 and values.shape in grids:
        # one file for parts on the same grid
        _check_affine(affine, parts[0].affine, path, parts[0].source)
        return np.tile(values.reshape(-1), len(parts)), names
    expected = " and ".join(str(part.grid) for part in parts)
    raise InputError("shape", values.shape, f"{expected}, the grids of the values", file=path)


def _check_grid(values: np.ndarray, affine, parts: list[Part], path: Path) -> None:
    part = parts[0]
    flat = values.squeeze().ndim == 1 and values.size == sum(part.voxels for part in parts)
    if values.shape != part.grid and not (flat and (len(part.grid) == 1 or 1 in part.grid)):
        expected = f"{part.grid}, the grid of the values"
        if values.shape[::-1] == part.grid:
            expected += " (options.values.axes says which axis is which)"
        elif len(part.grid) == 1 and values.ndim == 3:
            expected += " (options.voxels.mask and order say which voxels of a volume they are)"
        raise InputError("shape", values.shape, expected, file=path)
    _check_affine(affine, part.affine, path, part.source)


def _check_affine(affine, other, path: Path, other_path: Path) -> None:
    if affine is not None and other is not None and np.abs(affine - other).max() > GRID_TOLERANCE:
        found = f"an affine that differs by {np.abs(affine - other).max():.3g}"
        raise InputError("affine", found, f"that of {other_path.name}", file=path)


def _names_of(base, entry, path: Path, subject: str, own: dict[str, list[int]]) -> dict[str, list[int]]:
    """{name: numbers} of an atlas: of the card, of the table that it names, or of the file itself."""
    labels = entry["labels"]
    if isinstance(labels, dict):
        return {name: _as_list(number) for name, number in labels.items()}
    if isinstance(labels, str):
        table = place(base, filled(labels, {"subject": subject}))
        if not table.is_file():
            raise InputError("labels", "no such file", "a dseg.tsv, JSON or .ctab file", file=table)
        return label_names(table)
    if own:
        return own
    raise InputError("label", "no names of the numbers", "rois: labels: a file, or {name: number}", file=path)


# ---- voxels of a flat axis -------------------------------------------------------------------------------


@dataclass
class Brain:
    """The mask whose voxels the values are of."""

    values: np.ndarray
    affine: np.ndarray | None
    path: Path
    order: str

    def places(self) -> np.ndarray:
        """(3, voxels) i, j, k of the voxels, in their order."""
        if self.order == "C":
            return np.argwhere(self.values).T
        return np.argwhere(self.values.T).T[::-1]


def brain_of(base: str | Path, settings: dict, subject: str, parts: list[Part]) -> Brain | None:
    """The mask of `options.voxels.mask`, where the card has one.

    Raises
    ------
    InputError : a file that is not there or cannot be read, or with another number of voxels than the values.
    """
    if not settings["mask"]:
        return None
    path = place(base, filled(settings["mask"], {"subject": subject}))
    with open_array(path) as array:
        values, affine = np.nan_to_num(np.asarray(array[...])) > 0, array.affine
    total = sum(part.voxels for part in parts)
    if values.sum() != total:
        found = f"{values.sum()} voxels above 0"
        raise InputError("mask", found, f"{total}, the voxels of {parts[0].source.name}", file=path)
    return Brain(values, affine, path, settings["order"])


@dataclass
class _VoxelTable:
    """The table of the voxels."""

    table: pd.DataFrame
    path: Path
    own: np.ndarray | None

    def mask(self, roi: str, entry: dict) -> np.ndarray:
        """Voxels with a flag in a column (or in one of several), or with one of some values."""
        mask = np.zeros(len(self.table), bool)
        for column in _as_list(entry["column"]):
            if column not in self.table:
                columns = [str(name) for name in self.table]
                raise InputError(
                    f"rois.{roi}.column", repr(column), suggestion(column, columns), file=self.path
                )
            cells = self.table[column].fillna("").astype(str)
            if "value" in entry:
                wanted = {str(value) for value in _as_list(entry["value"])}
                mask |= cells.isin(wanted).to_numpy()
                continue
            flags = cells.str.lower()
            wrong = ~flags.isin(YES | NO)
            if wrong.any():
                found = f"{cells[wrong.idxmax()]!r} in the column {column}"
                expected = "0 or 1 (else rois: value: the values that make the ROI)"
                raise InputError(f"rois.{roi}", found, expected, file=self.path)
            mask |= flags.isin(YES).to_numpy()
        return mask


def _voxel_table(base, settings: dict, subject: str, total: int, source: Path, columns: list[str]):
    """The table of `options.voxels.table`, a row for each voxel."""
    if not settings["table"] or not (columns or settings["subject"]):
        return None
    path = place(base, filled(settings["table"], {"subject": subject}))
    if path.suffix.lower() == ".nc":
        # the dimension of the voxels is that of the columns in use
        table = netcdf_table(path, settings["subject"] or columns[0])
    else:
        table = read_foreign_table(path)
    table = table.reset_index(drop=True)
    if len(table) != total:
        raise InputError("rows", len(table), f"{total}, the voxels of {source.name}", file=path)
    own = None
    if settings["subject"]:
        if settings["subject"] not in table:
            raise InputError("columns", ", ".join(table), f"also {settings['subject']}", file=path)
        own = (table[settings["subject"]] == subject).to_numpy()
        if not own.any():
            present = sorted(table[settings["subject"]].dropna().unique())
            raise InputError(
                settings["subject"], f"no voxel of {subject!r}", suggestion(subject, present), file=path
            )
    return _VoxelTable(table, path, own)
