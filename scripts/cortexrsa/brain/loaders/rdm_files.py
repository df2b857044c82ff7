"""RDMs in files of others: NumPy, MATLAB, HDF5 (rsatoolbox's layout, or plain) and text; no pickles."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cortexrsa.errors import InputError, reason, suggestion
from cortexrsa.formats.arrays import ARRAY_ERRORS, load_foreign_array

TOLERANCE = 1e-6  # of the largest dissimilarity: rounding of float32 passes, another matrix does not
# descriptors of rsatoolbox that count rows, and name nothing
COUNTED = "index"
LONGEST = 2**20  # bytes of an array that may hold names


@dataclass
class Found:
    """What a file holds.

    Attributes
    ----------
    values : (n, n), (pairs,), or one of them for each subject along the first or the last axis
    stimuli : names by which the file calls the rows of an RDM: lists of n, none where it has no names
    subjects : names of the subjects, where the file has them
    """

    values: np.ndarray
    stimuli: list[list[str]]
    subjects: list[str] | None = None


def read_rdms_of_others(path: str | Path, key: str | None, select: dict | None, n: int) -> Found:
    """RDMs of a file, by its suffix: .npz, .npy, .mat, .h5, .hdf5, .csv, .tsv or .txt.

    Parameters
    ----------
    path : the file
    key : name of the array; in .mat files `a.b` is the field b of the structure a, in HDF5 files also a/b;
        needed by .npz and .mat files of several arrays and HDF5 files that are not in rsatoolbox's layout
    select : of an rsatoolbox file, the value that a descriptor has in the RDMs to take; None for all
    n : number of stimuli

    Raises
    ------
    InputError : a damaged file, pickled objects, a key or descriptor that is not there, another suffix.
    """
    path = Path(path)
    readers = {".npz": _from_npz, ".npy": _from_npy, ".mat": _from_mat}
    readers |= dict.fromkeys((".h5", ".hdf5"), _from_hdf5)
    readers |= dict.fromkeys((".csv", ".tsv", ".txt"), _from_text)
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError("format", f"the suffix {path.suffix!r}", f"one of {', '.join(readers)}", file=path)
    if not path.is_file():
        raise InputError("file", "no such file", "a file of RDMs", file=path)
    if select and reader is not _from_hdf5:
        raise InputError(
            "select", ", ".join(select), "no such key: only HDF5 files have descriptors", file=path
        )
    try:
        if reader is _from_hdf5:
            return _from_hdf5(path, key, select)
        return _from_text(path, key, n) if reader is _from_text else reader(path, key)
    except InputError:
        raise
    except (*ARRAY_ERRORS, KeyError, UnicodeDecodeError, csv.Error, NotImplementedError) as error:
        raise InputError("content", reason(error), "a file of RDMs that is complete", file=path) from error


# ---- NumPy -----------------------------------------------------------------------------------------------


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
            for key in keys or [_only(path, archive.files)]:
                if key not in archive.files:
                    raise InputError("key", f"no {key!r}", suggestion(key, archive.files), file=path)
            arrays = {key: archive[key] for key in keys or archive.files}
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


def _only(path: Path, names: Sequence[str]) -> str:
    """The name of the only array of a file."""
    if len(names) != 1:
        raise InputError("key", "nothing", f"the name of an array, {suggestion('', names)}", file=path)
    return names[0]


def _from_npz(path: Path, key: str | None) -> Found:
    ((name, values),) = read_npz(path, [key] if key else []).items()
    stimuli = []
    with np.load(path, allow_pickle=False) as archive:
        for other in archive.files:
            small = archive.zip.getinfo(f"{other}.npy").file_size < LONGEST
            # an array of objects is not asked for
            with contextlib.suppress(ValueError):
                stimuli += [_texts(archive[other])] if small and other != name else []
    return Found(values, list(filter(None, stimuli)))


def _texts(value: np.ndarray) -> list[str]:
    """The texts of an array or a cell array of texts; none of any other."""
    items = [item.item() if getattr(item, "size", 0) == 1 else item for item in np.ravel(value)]
    return [item.strip() for item in items] if all(isinstance(item, str) for item in items) else []


def _from_npy(path: Path, key: str | None) -> Found:
    if key:
        raise InputError("key", repr(key), "none: an .npy file holds one array", file=path)
    return Found(load_foreign_array(path), [])


# ---- MATLAB and HDF5 -------------------------------------------------------------------------------------


def _from_mat(path: Path, key: str | None) -> Found:
    """An array, a field of structures, or a cell array of equal RDMs; of version 7.3 through HDF5."""
    import h5py
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    if h5py.is_hdf5(path):
        return _from_mat_73(path, key)
    try:
        content = loadmat(path, struct_as_record=True)
    except MatReadError as error:
        raise InputError("content", reason(error), "a MATLAB file that is complete", file=path) from error
    names = [name for name in content if not name.startswith("__")]
    first, *fields = (key or _only(path, names)).split(".")
    if first not in names:
        raise InputError("key", f"no {first!r}", suggestion(first, names), file=path)
    value = content[first]
    for field in fields:
        if field not in (value.dtype.names or ()):
            raise InputError(
                "key", f"no field {field!r}", suggestion(field, value.dtype.names or []), file=path
            )
        value = _joined(path, value[field], key)
    if value.dtype.names:
        raise InputError("key", f"a structure with {', '.join(value.dtype.names)}", f"{key}.FIELD", file=path)
    # names of the rows, in whatever variable they stand (Meadows calls it stimuli)
    stimuli = [_texts(content[name]) for name in names if name != first]
    return Found(_joined(path, value, key), list(filter(None, stimuli)))


def _joined(path: Path, cells: np.ndarray, key: str | None) -> np.ndarray:
    """The arrays of a cell array, or of a field of several structures, along a first axis; others as is."""
    if cells.dtype != object:
        return cells
    if sum(length > 1 for length in cells.shape) > 1:
        found = f"{' x '.join(map(str, cells.shape))} of them"
        raise InputError(str(key), found, "one row of RDMs, one for each subject", file=path)
    values = [np.asarray(value) for value in cells.ravel()]
    if len({value.shape for value in values}) > 1:
        raise InputError(str(key), "RDMs of several sizes", "one size", file=path)
    return values[0] if len(values) == 1 else np.stack(values)


def _from_mat_73(path: Path, key: str | None) -> Found:
    import h5py

    with h5py.File(path, "r") as file:
        names = [name for name in file if not name.startswith("#")]
        name = (key or _only(path, names)).replace(".", "/")
        if name not in file:
            raise InputError("key", f"no {key!r}", suggestion(key, names), file=path)
        node = file[name]
        if isinstance(node, h5py.Group):
            raise InputError("key", f"a structure with {', '.join(node)}", f"{key}.FIELD", file=path)
        if h5py.check_ref_dtype(node.dtype):
            cells = np.empty(node.shape, object)
            for place, reference in np.ndenumerate(node[()]):
                # axes are stored in the reverse order
                cells[place] = file[reference][()].T
            return Found(_joined(path, cells.T, key), [])
        return Found(node[()].T, [])


def _from_hdf5(path: Path, key: str | None, select: dict | None) -> Found:
    """RDMs as rsatoolbox saves them, or an array by its key."""
    import h5py

    with h5py.File(path, "r") as file:
        if key:
            node = file.get(key.replace(".", "/"))
            if not isinstance(node, h5py.Dataset):
                raise InputError("key", f"no array {key!r}", suggestion(key, file), file=path)
            return Found(node[()], [])
        if not {"dissimilarities", "rdm_descriptors", "pattern_descriptors"} <= set(file):
            raise InputError("key", "nothing", f"the name of an array, {suggestion('', file)}", file=path)
        values = np.atleast_2d(file["dissimilarities"][()])
        rows, patterns = (_descriptors(file[f"{of}_descriptors"]) for of in ("rdm", "pattern"))
    keep = np.ones(len(values), bool)
    for name, value in (select or {}).items():
        if name not in rows:
            raise InputError("select", f"no descriptor {name!r}", suggestion(name, rows), file=path)
        if str(value) not in rows[name]:
            raise InputError(f"select.{name}", f"no {value!r}", suggestion(value, set(rows[name])), file=path)
        keep &= np.array(rows[name]) == str(value)
    stimuli = [names for name, names in patterns.items() if name != COUNTED]
    subjects = [name for name, kept in zip(rows.get("subject", []), keep, strict=False) if kept]
    return Found(values[keep], stimuli, subjects or None)


def _descriptors(group) -> dict[str, list[str]]:
    """The descriptors of rsatoolbox as text; lists of text are attributes in some of its files."""
    columns = {name: node[()] for name, node in group.items() if getattr(node, "shape", ())}
    columns |= {name: value for name, value in group.attrs.items() if np.ndim(value) == 1}
    return {
        name: [value.decode() if isinstance(value, bytes) else str(value) for value in np.asarray(column)]
        for name, column in columns.items()
    }


# ---- text ------------------------------------------------------------------------------------------------


def _from_text(path: Path, key: str | None, n: int) -> Found:
    """A table of numbers, with or without the names of rows, of columns, or of both."""
    if key:
        raise InputError("key", repr(key), "none: a text file holds one table", file=path)
    lines = [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    separator = next((mark for mark in "\t;," if lines and mark in lines[0]), None)
    rows = list(csv.reader(lines, delimiter=separator)) if separator else [line.split() for line in lines]
    if rows and not any(row[-1].strip() for row in rows):
        # every line ends in a separator
        rows = [row[:-1] for row in rows]
    lengths = {len(row) for row in rows}
    if len(lengths) != 1 or 0 in lengths:
        found = f"rows of {min(lengths, default=0)} to {max(lengths, default=0)} values"
        raise InputError("table", found, "rows of one length", file=path)
    table = np.char.strip(np.array(rows))
    # names may be numbers: the shape tells, or their counting from 0 or 1
    named = table.shape in ((n + 1, n), (n + 1, n + 1))
    head = named or not _is_number(table[0, -1]) or (len(table) > 1 and _counts(table[0]))
    side = table.shape in ((n, n + 1), (n + 1, n + 1)) or not _is_number(table[-1, 0])
    side |= head and table[0, 0] == ""
    names = [table[0, side:].tolist()] * head + [table[head:, 0].tolist()] * side
    body = table[head:, side:]
    values = pd.to_numeric(pd.Series(body.ravel()), errors="coerce").to_numpy(float)
    wrong = np.flatnonzero(np.isnan(values))
    words = [k for k in wrong if body.ravel()[k].lower() not in ("nan", "na", "n/a", "")]
    if words:
        row, column = divmod(words[0], body.shape[1])
        field = f"line {row + head + 1}, column {column + side + 1}"
        raise InputError(field, repr(str(body[row, column])), "a number (with a decimal point)", file=path)
    values = values.reshape(body.shape)
    if values.shape[1] == 1 or (values.shape == (n, n)):
        return Found(values, [labels for labels in names if len(labels) == n])
    # a row of pairs for each subject
    subjects = names[-1] if side and len(names[-1]) == len(values) else None
    return Found(values, [], subjects)


def _counts(row: np.ndarray) -> bool:
    """Whether a row counts 0, 1, 2, ... or 1, 2, 3, ..., as names of columns do where none are given."""
    # above the names of rows is nothing
    own = row[1:] if row[0] == "" else row
    return any((own == np.arange(start, start + len(own)).astype(str)).all() for start in (0, 1))


def _is_number(cell: str) -> bool:
    try:
        float(cell or "nan")
    except ValueError:
        return cell.lower() in ("na", "n/a")
    return True


# ---- what every RDM must be ------------------------------------------------------------------------------


def square_rdms(
    values: np.ndarray, n: int, path: str | Path, field: str, images: str | Path = "the data set"
) -> np.ndarray:
    """RDMs as (subjects, n, n) float64, from squares or condensed vectors, with subjects first or last.

    Condensed vectors are in the order (1, 2), (1, 3), ..., (2, 3), ..., as those of `pdist` in SciPy and in
    MATLAB. A diagonal that is NaN throughout counts as 0.

    Raises
    ------
    InputError : other than numbers, another shape or number of stimuli;
        RDMs that are not finite, not symmetric or not zero on the diagonal (to 1e-6 of their largest value),
        or constant.
    """
    if values.dtype.kind not in "iuf":
        raise InputError(field, f"dtype {values.dtype}", "numbers", file=path)
    expected = f"(subjects, {n}, {n}) or (subjects, {n * (n - 1) // 2}), for the {n} images in {images}"
    squares = _as_squares(np.asarray(values, np.float64), n)
    if squares is None:
        raise InputError(field, f"shape {values.shape}", expected, file=path)
    for subject, rdm in enumerate(squares):
        _check_rdm(rdm, path, f"{field}[{subject}]")
    return squares


def _as_squares(values: np.ndarray, n: int) -> np.ndarray | None:
    """(subjects, n, n), or None where the shape fits no RDMs of n stimuli."""
    pairs = n * (n - 1) // 2
    if 0 in values.shape or values.ndim not in (1, 2, 3):
        return None
    if values.ndim < 3 and values.shape != (n, n):
        vectors = np.atleast_2d(values)
        if vectors.shape[-1] != pairs:
            vectors = vectors.T
        if vectors.shape[-1] != pairs:
            return None
        squares = np.zeros((len(vectors), n, n))
        squares[:, *np.triu_indices(n, 1)] = vectors
        return squares + squares.transpose(0, 2, 1)
    squares = values.reshape(-1, *values.shape[-2:])
    # MATLAB has the subjects last
    last = np.moveaxis(squares, -1, 0)
    fits = squares.shape[1:] == (n, n)
    if last.shape[1:] == (n, n) and not (fits and _symmetric(squares)):
        return last.copy()
    return squares.copy() if fits else None


def _symmetric(squares: np.ndarray) -> bool:
    return np.allclose(squares, squares.transpose(0, 2, 1), equal_nan=True)


def _check_rdm(rdm: np.ndarray, path: str | Path, field: str) -> None:
    n = len(rdm)
    if np.isnan(np.diagonal(rdm)).all():
        np.fill_diagonal(rdm, 0)
    if not np.isfinite(rdm).all():
        i, j = np.argwhere(~np.isfinite(rdm))[0]
        raise InputError(field, f"{rdm[i, j]} at ({i}, {j})", "finite dissimilarities", file=path)
    bound = TOLERANCE * np.abs(rdm).max()
    if np.abs(np.diagonal(rdm)).max() > bound:
        i = np.abs(np.diagonal(rdm)).argmax()
        raise InputError(field, f"{rdm[i, i]:.6g} at ({i}, {i})", "zeros on the diagonal (an RDM)", file=path)
    asymmetry = np.abs(rdm - rdm.T)
    if asymmetry.max() > bound:
        i, j = np.unravel_index(asymmetry.argmax(), rdm.shape)
        found = f"{rdm[i, j]:.6g} at ({i}, {j}) but {rdm[j, i]:.6g} at ({j}, {i})"
        raise InputError(
            field, found, f"a symmetric matrix (to {TOLERANCE:g} of its largest value)", file=path
        )
    if np.ptp(rdm[np.triu_indices(n, 1)]) <= bound:
        raise InputError(field, "equal dissimilarities only", "dissimilarities that differ", file=path)


def row_order(found: Found, stimuli: pd.DataFrame, path: str | Path) -> np.ndarray | None:
    """Rows of the RDMs in the order of the stimuli, by the names in the file; None where it has none of use.

    Parameters
    ----------
    found : names of rows in `stimuli`
    stimuli : n rows with stimulus_id and filename

    Raises
    ------
    InputError : names of which only some are those of stimuli, or that give two orders.
    """
    orders = []
    for column in ("stimulus_id", "filename"):
        ours = stimuli[column].tolist()
        for names in found.stimuli:
            shared = set(names) & set(ours)
            if len(names) == len(ours) == len(shared):
                orders.append([names.index(name) for name in ours])
            elif shared and not all(name.isdecimal() for name in names):
                strange = next((name for name in names if name not in ours), None)
                lacking = next((name for name in ours if name not in names), None)
                what = f"{strange!r}" if strange else f"no {lacking!r}" if lacking else "a name twice"
                raise InputError("names of rows", what, "the names of the images, each once", file=path)
    if any(order != orders[0] for order in orders):
        raise InputError("names of rows", "two orders", "one, of rows and columns alike", file=path)
    return np.array(orders[0]) if orders else None
