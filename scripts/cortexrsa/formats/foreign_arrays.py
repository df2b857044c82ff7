"""Arrays that others wrote, opened without reading them: NumPy, HDF5, NetCDF, volumes, surfaces, tables."""

from __future__ import annotations

import contextlib
import fnmatch
import gzip
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cortexrsa.errors import InputError, reason, suggestion
from cortexrsa.formats.arrays import ARRAY_ERRORS

# what libraries raise where a file ends too soon or is damaged
BROKEN = (*ARRAY_ERRORS, KeyError, gzip.BadGzipFile, zlib.error, zipfile.BadZipFile)
VOLUMES = (".nii", ".nii.gz", ".mgh", ".mgz")
SURFACES = (".gii", ".dscalar.nii", ".dtseries.nii", ".dlabel.nii")
HDF5 = (".h5", ".hdf5", ".mat")
TABLES = (".csv", ".tsv", ".parquet")
SUFFIXES = (".npy", ".npz", *HDF5, ".nc", *VOLUMES, *SURFACES, *TABLES)
PICKLED = (
    "an array without pickled objects, which may run any code; if you trust who wrote the file, save the "
    "array in it: python -c \"import numpy as np; d = np.load('{name}', allow_pickle=True); "
    "np.save('betas.npy', d.item()['betasmd'])\" (another key where it is called otherwise)"
)


@dataclass
class ForeignArray:
    """An array in a file, whose values are still on the disk where the format allows it.

    Attributes
    ----------
    values : has shape, dtype and slices
    path : of the file
    axes : names of the axes where the format says them (x, y, z of volumes and trial, voxel of surfaces)
    affine : of volumes with one
    chunks : of compressed formats, the part of each axis that is read at once; None elsewhere
    last_first : the last axis varies slowest, as in NIfTI
    scaled : the format itself scales its whole numbers
    labels : {name: numbers} that the file itself gives its values (GIFTI and CIFTI labels)
    """

    values: object
    path: Path
    axes: tuple[str, ...] | None = None
    affine: np.ndarray | None = None
    chunks: tuple[int, ...] | None = None
    last_first: bool = False
    scaled: bool = False
    labels: dict[str, list[int]] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return tuple(int(length) for length in self.values.shape)

    @property
    def dtype(self) -> np.dtype:
        """Type in which the values are stored."""
        return np.dtype(self.values.dtype)

    def __getitem__(self, where) -> np.ndarray:
        try:
            return np.asarray(self.values[where])
        except BROKEN as error:
            expected = f"{self.shape} values, a file that is complete"
            raise InputError("data", reason(error), expected, file=self.path) from error


def suffix_of(path: str | Path) -> str:
    """The suffix of a file by which it is read; of NIfTI and CIFTI with what stands before it."""
    name = Path(path).name.lower()
    return next((end for end in sorted(SUFFIXES, key=len, reverse=True) if name.endswith(end)), "")


@contextlib.contextmanager
def open_array(path: str | Path, key: str | None = None) -> Iterator[ForeignArray]:
    """Open the array of a file by its suffix.

    Parameters
    ----------
    path : the file
    key : name of the array in .npz, HDF5 and NetCDF (* and ? stand for any characters); may be None where the
        file has one array

    Raises
    ------
    InputError : no such file, another suffix, a damaged file, pickled objects, a key that is not there (those
        there are listed), no numbers.
    """
    path, suffix = Path(path), suffix_of(path)
    if not path.is_file():
        found = "a link to a file that is not there (datalad get)" if path.is_symlink() else "no such file"
        raise InputError("file", found, "a file of values", file=path)
    if not suffix:
        raise InputError("format", f"the suffix {path.suffix!r}", f"one of {', '.join(SUFFIXES)}", file=path)
    if key and suffix not in (".npz", ".nc", *HDF5):
        raise InputError("key", repr(key), f"none: a {suffix} file holds one array", file=path)
    with contextlib.ExitStack() as stack:
        try:
            opened = _OPENERS[suffix](path, key, stack)
        except InputError:
            raise
        except BROKEN as error:
            if "allow_pickle" in str(error) or "Python objects" in str(error):
                expected = PICKLED.format(name=path.name)
                raise InputError("content", "pickled objects", expected, file=path) from error
            raise InputError("content", reason(error), "a file that is complete", file=path) from error
        if opened.dtype.kind not in "iufb":
            raise InputError(key or "array", f"dtype {opened.dtype}", "real numbers", file=path)
        yield opened


def _chosen(key: str | None, names: list[str], path: Path) -> str:
    """The one array that a key, or no key, means."""
    fitting = names if key is None else fnmatch.filter(names, key.strip("/"))
    if len(fitting) == 1:
        return fitting[0]
    if key is None or fitting:
        listed = ", ".join(fitting or names) or "no array"
        raise InputError("key", repr(key) if key else "nothing", f"one of {listed}", file=path)
    raise InputError("key", f"no {key!r}", suggestion(key, names), file=path)


def _npy(path: Path, key: None, stack: contextlib.ExitStack) -> ForeignArray:
    values = np.load(path, mmap_mode="r", allow_pickle=False)
    if not isinstance(values, np.ndarray):
        raise InputError("array", "an .npz archive", "an .npy file", file=path)
    return ForeignArray(values, path, last_first=values.flags.f_contiguous and not values.flags.c_contiguous)


def _npz(path: Path, key: str | None, stack: contextlib.ExitStack) -> ForeignArray:
    archive = stack.enter_context(np.load(path, allow_pickle=False))
    if isinstance(archive, np.ndarray):
        raise InputError("format", "a single array", "an .npz file", file=path)
    return ForeignArray(archive[_chosen(key, archive.files, path)], path)


def _hdf5(path: Path, key: str | None, stack: contextlib.ExitStack) -> ForeignArray:
    import h5py

    if not h5py.is_hdf5(path):
        expected = "HDF5 (in MATLAB: save FILE NAME -v7.3)" if path.suffix == ".mat" else "an HDF5 file"
        raise InputError("content", "no HDF5", f"{expected} that is complete", file=path)
    file = stack.enter_context(h5py.File(path, "r"))
    names = []
    file.visititems(lambda name, node: names.append(name) if _is_array(node) else None)
    node = file[_chosen(key, names, path)]
    return ForeignArray(node, path, chunks=node.chunks)


def _is_array(node: object) -> bool:
    import h5py

    return isinstance(node, h5py.Dataset) and node.ndim > 0 and node.dtype.kind in "iufb"


def _netcdf(path: Path, key: str | None, stack: contextlib.ExitStack) -> ForeignArray:
    import xarray

    dataset = stack.enter_context(xarray.open_dataset(path, cache=False))
    names = [str(name) for name, values in dataset.data_vars.items() if values.ndim]
    variable = dataset[_chosen(key, names, path)].variable
    scaled = "scale_factor" in variable.encoding
    return ForeignArray(variable, path, chunks=variable.encoding.get("chunksizes"), scaled=scaled)


def _nibabel(path: Path):
    import nibabel as nib

    try:
        # open: slices of a compressed file are read one after the other
        return nib.load(path, keep_file_open=True)
    except TypeError:
        return nib.load(path)
    # nibabel has an exception for each part of a header, without a common ancestor
    except Exception as error:
        raise InputError("content", reason(error), "a file that nibabel reads", file=path) from error


def _volume(path: Path, key: None, stack: contextlib.ExitStack) -> ForeignArray:
    image = _nibabel(path)
    proxy = image.dataobj
    # nibabel keeps what the header says with the data; MGH has no scale
    scaled = (getattr(proxy, "slope", 1), getattr(proxy, "inter", 0)) != (1, 0)
    axes = ("x", "y", "z", "trial")[: len(proxy.shape)] if len(proxy.shape) <= 4 else None
    return ForeignArray(proxy, path, axes, image.affine, last_first=True, scaled=scaled)


def _cifti(path: Path, key: None, stack: contextlib.ExitStack) -> ForeignArray:
    image = _nibabel(path)
    labels: dict[str, list[int]] = {}
    axis = image.header.get_axis(0)
    if hasattr(axis, "label"):
        for table in axis.label:
            for number, (name, _) in table.items():
                labels.setdefault(name, []).append(int(number))
    return ForeignArray(image.dataobj, path, ("trial", "voxel"), scaled=True, labels=labels)


def _gifti(path: Path, key: None, stack: contextlib.ExitStack) -> ForeignArray:
    image = _nibabel(path)
    if not image.darrays:
        raise InputError("content", "no data array", "a data array for each trial", file=path)
    labels: dict[str, list[int]] = {}
    for label in image.labeltable.labels:
        labels.setdefault(label.label, []).append(int(label.key))
    values = np.stack([array.data for array in image.darrays])
    return ForeignArray(values, path, ("trial", "voxel"), labels=labels)


def _table(path: Path, key: None, stack: contextlib.ExitStack) -> ForeignArray:
    import pandas as pd

    if path.suffix.lower() == ".parquet":
        try:
            table = pd.read_parquet(path)
        except ImportError as error:
            expected = "the package pyarrow (pip install -r requirements-extra.txt), or the values as .npy"
            raise InputError("format", "a parquet file", expected, file=path) from error
    else:
        separator = "\t" if path.suffix.lower() == ".tsv" else ","
        table = pd.read_csv(path, sep=separator, header=None, dtype=str, keep_default_na=False)
        if pd.to_numeric(table.iloc[0], errors="coerce").isna().any() and len(table) > 1:
            table = table.iloc[1:].set_axis(table.iloc[0].astype(str), axis=1)
        table = table.replace({"": "nan", "n/a": "nan", "NA": "nan"})
    for name in table.columns:
        empty = table[name].astype(str) == "nan"
        if (pd.to_numeric(table[name], errors="coerce").isna() & ~empty).any():
            expected = "numbers alone: the table of the trials names stimuli and sessions"
            raise InputError(f"column {name}", "text", expected, file=path)
    return ForeignArray(table.to_numpy(np.float64), path)


_OPENERS = {".npy": _npy, ".npz": _npz, ".nc": _netcdf} | dict.fromkeys(HDF5, _hdf5)
_OPENERS |= dict.fromkeys(VOLUMES, _volume) | dict.fromkeys(TABLES, _table)
_OPENERS |= {suffix: _gifti if suffix == ".gii" else _cifti for suffix in SURFACES}
