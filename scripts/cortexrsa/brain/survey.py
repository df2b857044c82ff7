"""What lies in a folder of data: arrays by their headers, tables, volumes of ROIs and images."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from cortexrsa.errors import InputError, reason
from cortexrsa.formats.image_names import IMAGE_SUFFIXES

HDF5 = {".h5", ".hdf5", ".mat", ".nc"}
TABLES = {".csv", ".tsv", ".txt"}
FEW_CODES = 500  # more values in a volume are no labels
MOST_FILES = 100_000
# how names of files tell sessions and subjects apart
SESSION = re.compile(r"(?<![A-Za-z])(ses(?:sion)?[-_]?)(\d+)")
HEMISPHERE = re.compile(r"(?<![A-Za-z])(hemi-|)(lh|rh|(?<=hemi-)[LR])(?=[._])")
SUBJECT = re.compile(r"(?<![A-Za-z])(sub(?:j(?:ect)?)?[-_]?)([A-Za-z0-9]+?)(?=[/_.]|$)")


@dataclass(frozen=True)
class Array:
    """An array on the disk, or several alike: a file a session, a subject, a hemisphere.

    Attributes
    ----------
    file : its name below the folder, with {session}, {subject}, {hemisphere} in the place of what differs
    key : in a file of several arrays
    shape, dtype : as stored; of the first file
    files : names of all files
    lengths : shapes of all files
    """

    file: str
    key: str | None
    shape: tuple[int, ...]
    dtype: np.dtype
    files: tuple[str, ...] = ()
    lengths: tuple[tuple[int, ...], ...] = ()

    def trials(self, axis: int) -> int:
        """Length of an axis in all files; those of two hemispheres have the same trials."""
        hemispheres = len(labels_of(self.files, HEMISPHERE)) if "{hemisphere}" in self.file else 1
        return sum(shape[axis] for shape in self.lengths) // hemispheres


@dataclass(frozen=True)
class Trials:
    """A table of trials, or a text file of names.

    Attributes
    ----------
    file : its name below the folder, as of `Array`
    rows : how many, of all its files
    columns : None of a text file
    ids : what names the stimuli, as far as a column of a usual name does
    """

    file: str
    rows: int
    columns: tuple[str, ...] | None
    ids: tuple[str, ...] = ()


@dataclass
class Survey:
    """All that was found; names are those below the folder, in their order."""

    arrays: list[Array] = field(default_factory=list)
    tables: list[Trials] = field(default_factory=list)
    labels: dict[str, tuple[tuple[int, ...], list[int]]] = field(default_factory=dict)
    images: dict[str, list[str]] = field(default_factory=dict)
    stacks: list[Array] = field(default_factory=list)
    pickled: list[str] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)


def look(folder: Path) -> Survey:
    """Read the headers of all files below a folder.

    Raises
    ------
    InputError : no such folder, or nothing of a known kind in it.
    """
    if not folder.is_dir():
        raise InputError("folder", "no such folder", "the folder of a data set", file=folder)
    found, arrays = Survey(), []
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    if len(paths) > MOST_FILES:
        raise InputError("folder", f"{len(paths)} files", f"at most {MOST_FILES}: one data set", file=folder)
    for path in paths:
        name = path.relative_to(folder).as_posix()
        try:
            arrays += _arrays_of(path, name, found)
        # every library below has errors of its own for damaged files
        except Exception as error:
            found.unread[name] = reason(error)
    for array in _grouped(arrays):
        (found.stacks if _is_stack(array) else found.arrays).append(array)
    found.tables = _joined(found.tables)
    if not (found.arrays or found.tables or found.images or found.pickled):
        expected = "arrays (.npy, .npz, .h5, .nii.gz), tables (.csv, .tsv, .txt) or images"
        raise InputError("folder", "none of the files that a data set has", expected, file=folder)
    return found


def _arrays_of(path: Path, name: str, found: Survey) -> list[Array]:
    """Arrays of a file; what else it is goes into `found`."""
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        found.images.setdefault(Path(name).parent.as_posix(), []).append(path.name)
    elif suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            names = [Path(n).name for n in archive.namelist() if Path(n).suffix.lower() in IMAGE_SUFFIXES]
        if names:
            found.images[name] = names
    elif suffix in TABLES:
        if table := _table(path, name):
            found.tables.append(table)
    elif suffix == ".npy":
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except ValueError:
            found.pickled.append(name)
            return []
        return [Array(name, None, array.shape, array.dtype)]
    elif suffix == ".npz":
        return _members(path, name)
    elif suffix in HDF5:
        return _datasets(path, name)
    elif path.name.endswith((".nii", ".nii.gz", ".mgh", ".mgz", ".gii")):
        return _image(path, name, found)
    return []


def _members(path: Path, name: str) -> list[Array]:
    """Arrays of an .npz by their headers."""
    arrays = []
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            with archive.open(member) as file:
                version = np.lib.format.read_magic(file)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else None
                shape, _, dtype = (read or np.lib.format.read_array_header_2_0)(file)
                arrays.append(Array(name, member.removesuffix(".npy"), shape, dtype))
    return arrays


def _datasets(path: Path, name: str) -> list[Array]:
    import h5py

    arrays = []

    def visit(key, item):
        if isinstance(item, h5py.Dataset) and item.ndim and item.dtype.kind in "iuf":
            arrays.append(Array(name, key, item.shape, item.dtype))

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return arrays


def _image(path: Path, name: str, found: Survey) -> list[Array]:
    image = nib.load(path)
    if isinstance(image, nib.GiftiImage):
        return _surface(image, name, found)
    shape = tuple(int(n) for n in image.shape)
    if len(shape) != 3:
        return [Array(name, None, shape, image.get_data_dtype())]
    values = np.unique(np.asanyarray(image.dataobj))
    values = values[np.isfinite(values)]
    if len(values) <= FEW_CODES and (values == values.round()).all():
        found.labels[name] = (shape, [int(value) for value in values if value > 0])
    return []


def _surface(image: nib.GiftiImage, name: str, found: Survey) -> list[Array]:
    """A GIFTI file of one array of whole numbers has labels; any other has a value a vertex and trial."""
    arrays = [array.data for array in image.darrays]
    if len(arrays) == 1 and arrays[0].dtype.kind in "iu":
        found.labels[name] = (arrays[0].shape, [int(value) for value in np.unique(arrays[0]) if value > 0])
        return []
    return [Array(name, None, (len(arrays), *arrays[0].shape), arrays[0].dtype)] if arrays else []


def _table(path: Path, name: str) -> Trials | None:
    """Rows and columns; a text file of one name a line has no columns."""
    if path.suffix.lower() == ".txt":
        lines = path.read_text(encoding="utf-8-sig").split("\n")
        lines = [line.strip() for line in lines if line.strip()]
        return Trials(name, len(lines), None, tuple(lines)) if lines else None
    table = pd.read_csv(path, sep="\t" if path.suffix == ".tsv" else ",", dtype=str, encoding="utf-8-sig")
    column = next((column for column in ("stimulus_id", "stimulus", "label") if column in table), None)
    ids = tuple(table[column].dropna()) if column else ()
    return Trials(name, len(table), tuple(map(str, table.columns)), ids) if len(table) else None


def _is_stack(array: Array) -> bool:
    """Whether an array holds images: (n, H, W, 3), or grey (n, H, W), of bytes."""
    grey = len(array.shape) == 3 and min(array.shape[1:]) >= 16
    return array.dtype == np.uint8 and (grey or (len(array.shape) == 4 and array.shape[-1] == 3))


def pattern_of(name: str) -> str:
    """A name with {session}, {subject} and {hemisphere} in the place of their labels.

    Examples
    --------
    >>> pattern_of("sub-02/betas_ses-01.npy")
    'sub-{subject}/betas_ses-{session}.npy'
    """
    name = HEMISPHERE.sub(r"\1{hemisphere}", SESSION.sub(r"\1{session}", name))
    return SUBJECT.sub(r"\1{subject}", name)


def labels_of(names: tuple[str, ...], kind: re.Pattern) -> list[str]:
    """Labels of sessions, subjects or hemispheres in names, each once, sorted."""
    return sorted({match[2] for name in names for match in kind.finditer(name)})


def _grouped(arrays: list[Array]) -> list[Array]:
    """Arrays whose names differ in the session or the subject are one; alone, a file keeps its name."""
    groups: dict[tuple, list[Array]] = {}
    for array in arrays:
        groups.setdefault((pattern_of(array.file), array.key, len(array.shape)), []).append(array)
    made = []
    for (pattern, _, _), own in groups.items():
        first, files = own[0], tuple(array.file for array in own)
        shapes = tuple(array.shape for array in own)
        made.append(Array(_shared(pattern, files), first.key, first.shape, first.dtype, files, shapes))
    return made


def _joined(tables: list[Trials]) -> list[Trials]:
    """Tables of the same columns whose names differ in the session or the subject are one."""
    groups: dict[tuple, list[Trials]] = {}
    for table in tables:
        groups.setdefault((pattern_of(table.file), table.columns), []).append(table)
    return [
        Trials(
            _shared(pattern, tuple(table.file for table in own)),
            sum(table.rows for table in own),
            columns,
            tuple(name for table in own for name in table.ids),
        )
        for (pattern, columns), own in groups.items()
    ]


def _shared(pattern: str, files: tuple[str, ...]) -> str:
    """The pattern of files; a label that all of them share stays as it is."""
    if len(files) == 1:
        return files[0]
    places = ((SESSION, "{session}"), (SUBJECT, "{subject}"), (HEMISPHERE, "{hemisphere}"))
    for kind, place in places:
        if len(labels := labels_of(files, kind)) == 1:
            pattern = pattern.replace(place, labels[0])
    return pattern
