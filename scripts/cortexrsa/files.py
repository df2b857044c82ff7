"""File formats between the stages, atomic writing, and one-line errors."""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import importlib.metadata
import json
import lzma
import os
import platform
import re
import shutil
import sys
import tempfile
import tokenize
import traceback
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xxhash

RECORDED_PACKAGES = (
    *("numpy", "scipy", "scikit-learn", "numba", "pandas", "xarray", "h5py", "h5netcdf", "matplotlib"),
    *("torch", "torchvision", "timm", "lightning", "lightly", "nilearn", "nibabel", "snakemake"),
)
# larger files have a faster checksum: activations may be hundreds of gigabytes
LARGE = 64 * 2**20
READ = 2**20
# what NumPy and the libraries below it raise at a damaged .npy or .npz file
ARRAY_ERRORS = (
    *(OSError, ValueError, TypeError, SyntaxError, EOFError, RuntimeError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, tokenize.TokenError),
)


class InputError(ValueError):
    """Something the user supplied is wrong; its text is one line that names where.

    Parameters
    ----------
    file : path of the file, card or config in which the fault lies
    field : the key, array, row or column at fault
    found, expected : what is there, and what should be
    """

    def __init__(self, file: str | Path, field: str, found: object, expected: object):
        self.file, self.field, self.found, self.expected = str(file), field, found, expected
        super().__init__(f"{file}: {field}: found {found}, expected {expected}")


def reason(error: BaseException) -> str:
    """What an exception says, in one line; of an OSError without the path, which `InputError` names."""
    text = getattr(error, "strerror", None) or error
    return " ".join(str(text).split()) or type(error).__name__


# ---- writing ---------------------------------------------------------------------------------------------


def _remove_stale(path: Path) -> None:
    """Remove what jobs that were killed left of `path`; one that still runs, as an orphan, will fail."""
    name = re.compile(rf"\.{re.escape(path.name)}\.[a-z0-9_]{{8}}({re.escape(''.join(path.suffixes))})?")
    for other in path.parent.iterdir():
        if name.fullmatch(other.name):
            if other.is_dir():
                shutil.rmtree(other, ignore_errors=True)
            else:
                other.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it takes the final name only when the block succeeds."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_stale(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix="".join(path.suffixes), dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes private files; results follow the user's umask instead
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; it takes the final name only when the block succeeds."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_stale(path)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o777 & ~umask)
        shutil.rmtree(path, ignore_errors=True)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def checksum(path: str | Path) -> str:
    """What identifies the content of a file, or of a folder with the names in it.

    Returns
    -------
    checksum : "sha256:..."; of files above 64 MiB "xxh3-128:...", many times as fast: it finds
        damage as surely, but not a forgery. That of a folder is the sha256 of the names and checksums of its
        files.
    """
    path = Path(path)
    if path.is_dir():
        # Snakemake's own mark of a folder is no content of it
        files = sorted(
            file for file in path.rglob("*") if file.is_file() and file.name != ".snakemake_timestamp"
        )
        names = (f"{file.relative_to(path).as_posix()}\0{checksum(file)}\n" for file in files)
        return "sha256:" + hashlib.sha256("".join(names).encode()).hexdigest()
    status = path.stat()
    if status.st_size > LARGE:
        return _checksum_of_large(path.resolve(), status.st_size, status.st_mtime_ns)
    with open(path, "rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


@functools.cache
def _checksum_of_large(path: Path, size: int, modified: int) -> str:
    """Of one state of a file: its reader and its record ask for it, one after the other."""
    digest, buffer = xxhash.xxh3_128(), memoryview(bytearray(READ))
    with open(path, "rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
    return "xxh3-128:" + digest.hexdigest()


# the inputs of a job do not change while it runs
_checksum_of_input = functools.cache(checksum)


def provenance(settings: dict | None) -> dict:
    """What made a result, as plain JSON types.

    Parameters
    ----------
    settings : of the job, seed included; None for all that its rule gives it

    Returns
    -------
    record : versions (package -> version), settings; and, in a job of the workflow, its rule, its script, the
        fingerprint of its code (see `code.fingerprint`) and its inputs (path -> `checksum`)
    """
    versions = {"python": platform.python_version()}
    for package in RECORDED_PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    # the script that Snakemake runs finds its job under this name
    job = getattr(sys.modules["__main__"], "snakemake", None)
    if settings is None and job is not None:
        settings = job.params.get("settings")
    record = {"versions": versions, "settings": settings}
    if job is not None:
        inputs = {path: _checksum_of_input(path) for path in job.input}
        # it runs as .snakemake/scripts/tmpXXXX.NAME.py
        script = Path(sys.argv[0]).name.split(".", 1)[-1]
        record |= {"rule": job.rule, "script": script, "code": job.params.code, "inputs": inputs}
    return record


def _record_of(path: str | Path) -> Path:
    return Path(path).with_name(Path(path).name + ".json")


def write_provenance(path: str | Path, settings: dict | None, files: dict[str, Path | str]) -> None:
    """Write `PATH.json`: what made the file `path`, and the checksums by which its readers know it again.

    Parameters
    ----------
    path : a result
    settings : see `provenance`
    files : name -> where it lies now, or its checksum; of `path` itself and of the files that belong to it
    """
    checksums = {name: file if isinstance(file, str) else checksum(file) for name, file in files.items()}
    record = provenance(settings) | {"files": checksums}
    with atomic_path(_record_of(path)) as temporary:
        temporary.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")


def check_unchanged(path: str | Path, record: str | Path | None = None) -> None:
    """Refuse a file that is not as it was written, where it stands in a record of `write_provenance`.

    Parameters
    ----------
    path : the file
    record : the result whose record names it; the file itself by default

    Raises
    ------
    InputError : another content than recorded, or a record that cannot be read.
    """
    path, record = Path(path), _record_of(record or path)
    if not record.exists():
        return
    try:
        recorded = json.loads(record.read_text()).get("files", {}).get(path.name)
        found = checksum(path) if recorded else None
    except (OSError, ValueError) as error:
        raise InputError(record, "record", " ".join(str(error).split()), f"that of {path.name}") from error
    if found != recorded:
        raise InputError(path, "content", found, f"{recorded}, as it was written (see {record.name})")


def write_table(path: str | Path, table: pd.DataFrame, settings: dict) -> None:
    """Write a tidy table as CSV (or TSV by its suffix), with its provenance beside it."""
    separator = "\t" if Path(path).suffix == ".tsv" else ","
    with atomic_path(path) as temporary:
        table.to_csv(temporary, sep=separator, index=False, float_format="%.10g")
        # provenance first: a table never stands without it
        write_provenance(path, settings, {Path(path).name: temporary})


def read_table(path: str | Path, columns: Iterable[str] = ()) -> pd.DataFrame:
    """Read a CSV or TSV table (by its suffix).

    Raises
    ------
    InputError : the file is missing, empty, damaged or not as it was written, or lacks one of `columns`.
    """
    check_unchanged(path)
    text = {"stimulus_id": str, "split": str, "layer": str, "subject": str, "roi": str, "model": str}
    try:
        table = pd.read_csv(path, sep="\t" if Path(path).suffix == ".tsv" else ",", dtype=text)
    except (OSError, ValueError) as error:
        raise InputError(path, "table", " ".join(str(error).split()), "a table with a header") from error
    missing = [column for column in columns if column not in table]
    if missing:
        raise InputError(path, "columns", list(table), f"also {missing}")
    return table


@contextlib.contextmanager
def job_log(path: str | Path) -> Iterator[None]:
    """Run a job with its output and traceback in the rule's log, and one line of error on the terminal.

    Raises
    ------
    SystemExit : with status 1, for any exception of the job; 130 if it was interrupted.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    # closed by hand: on a full disk that may fail, and must not hide the first error
    log = open(path, "w")  # noqa: SIM115
    try:
        with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
            yield
        log.flush()
    except (Exception, KeyboardInterrupt) as error:
        line, status = _one_line(error)
        print(f"Error: {line} (details: {path})", file=sys.__stderr__)
        with contextlib.suppress(OSError):
            traceback.print_exc(file=log)
        raise SystemExit(status) from None
    finally:
        with contextlib.suppress(OSError):
            log.close()


def _one_line(error: BaseException) -> tuple[str, int]:
    """What a user is told about an exception, and the exit status."""
    text = " ".join(str(error).split())
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", 130
    # libraries say it in words of their own; PyTorch only that a checkpoint was written in part
    told = re.search(r"No space left on device|errno = 28|inline_container.*unexpected pos", text)
    if told or (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)):
        place = getattr(error, "filename", None) or "results"
        return f"{place}: disk: found it full, expected free space", 1
    return (text if isinstance(error, InputError) else f"{type(error).__name__}: {text}"), 1


# ---- stimuli ---------------------------------------------------------------------------------------------

MINIMUM_STIMULI = 8


def check_stimuli(images: np.ndarray, table: pd.DataFrame, source: str | Path) -> None:
    """Refuse stimuli that do not follow the format.

    Parameters
    ----------
    images : (n, H, W, 3) uint8
    table : n rows with `stimulus_id` (unique), `split` (train or test), `repeats`
    source : file to name in an error

    Raises
    ------
    InputError : wrong dtype, shapes that disagree, missing columns, duplicate ids, fewer than 8 test stimuli.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3:
        raise InputError(source, "images", f"{images.dtype} {images.shape}", "uint8 (n, H, W, 3)")
    missing = {"stimulus_id", "split", "repeats"} - set(table.columns)
    if missing:
        raise InputError(source, "columns", sorted(table.columns), f"also {sorted(missing)}")
    if len(table) != len(images):
        raise InputError(source, "rows", len(table), f"{len(images)}, one for each image")
    if len(table) < MINIMUM_STIMULI:
        raise InputError(source, "stimuli", len(table), f"at least {MINIMUM_STIMULI}")
    duplicated = table["stimulus_id"][table["stimulus_id"].duplicated()]
    if len(duplicated):
        raise InputError(source, "stimulus_id", f"{duplicated.iloc[0]!r} twice", "unique ids")
    unknown = set(table["split"]) - {"train", "test"}
    if unknown:
        raise InputError(source, "split", sorted(map(str, unknown)), "train or test")
    tested = int((table["split"] == "test").sum())
    if tested < MINIMUM_STIMULI:
        raise InputError(source, "split", f"{tested} test stimuli", f"at least {MINIMUM_STIMULI}")


def write_stimuli(
    images_path: str | Path, table_path: str | Path, images: np.ndarray, table: pd.DataFrame, settings: dict
) -> None:
    """Write `stimuli.npy` (n, H, W, 3) uint8 and `stimuli.tsv`, after `check_stimuli`, with provenance."""
    check_stimuli(images, table, images_path)
    _write_array_and_table(images_path, table_path, images, table, settings)


def _write_array_and_table(
    array_path: str | Path, table_path: str | Path, array: np.ndarray, table: pd.DataFrame, settings: dict
) -> None:
    """Write an array and the table of its rows, with one record for both beside the table."""
    with atomic_path(array_path) as temporary, atomic_path(table_path) as temporary_table:
        np.save(temporary, array, allow_pickle=False)
        table.to_csv(temporary_table, sep="\t", index=False)
        files = {Path(array_path).name: temporary, Path(table_path).name: temporary_table}
        write_provenance(table_path, settings, files)


def read_stimuli(images_path: str | Path, table_path: str | Path) -> tuple[np.ndarray, pd.DataFrame]:
    """Memory-mapped images (n, H, W, 3) uint8 and their table.

    Raises
    ------
    InputError : see `check_stimuli`; also a file that is not a plain array, or not as it was written.
    """
    check_unchanged(images_path, table_path)
    images = load_array(images_path, mmap_mode="r")
    table = read_table(table_path)
    check_stimuli(images, table, images_path)
    return images, table


def load_array(path: str | Path, mmap_mode: str | None = None) -> np.ndarray:
    """Open an `.npy` file that holds a plain array; pickled objects are refused.

    Raises
    ------
    InputError : the file is cut short, is no `.npy`, or holds pickled objects.
    """
    expected = "an .npy file with a plain array"
    try:
        array = np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
    except ARRAY_ERRORS as error:
        raise InputError(path, "array", reason(error), expected) from error
    if not isinstance(array, np.ndarray):
        raise InputError(path, "array", "an .npz archive", expected)
    return array


# ---- activations -----------------------------------------------------------------------------------------

# of this many rows each shard holds a multiple: the batches (64, or 64 halved), and so the bits, are then
# those of an extraction in one piece
SHARD_STEP = 64


def shard_rows(n: int, shard: str, source: str | Path = "data set card") -> slice:
    """Rows of the stimuli that a shard of the activations holds.

    Parameters
    ----------
    n : number of stimuli
    shard : "K-of-N", counted from 1
    source : file to name in an error

    Returns
    -------
    rows : slice; the shards of N follow one another and cover all stimuli, none of them empty. Multiples of
        64 rows, where each shard can have as many.

    Raises
    ------
    InputError : more shards than stimuli.
    """
    k, shards = map(int, shard.split("-of-"))
    if shards > n:
        raise InputError(source, "shards", shards, f"at most {n}, the number of stimuli")
    step = SHARD_STEP if n >= SHARD_STEP * shards else 1
    steps = -(-n // step)
    return slice(steps * (k - 1) // shards * step, min(steps * k // shards * step, n))


class Activations:
    """Activations (n, features) of one layer as they lie in the files of the shards, never joined as a whole.

    Slices of features, `activations[:, start:stop]`, are read into memory; nothing else is. They are read
    from the files, not from memory maps, of which the kernel may map much more than is asked for.

    Parameters
    ----------
    paths : `.npy` files of the shards, in their order
    n : number of stimuli

    Raises
    ------
    InputError : an array that cannot be read, is not as it was written, or has another shape or dtype than
        its shard should.
    """

    ndim = 2

    def __init__(self, paths: Sequence[Path], n: int):
        self.paths, self.parts = paths, [load_array(path, mmap_mode="r") for path in paths]
        for path, part in zip(paths, self.parts, strict=True):
            check_unchanged(path, path.with_name("layers.tsv"))
            if part.dtype.kind != "f":
                raise InputError(path, "dtype", part.dtype, "float32 or float64")
            rows = shard_rows(n, path.parent.name)
            expected = (rows.stop - rows.start, *self.parts[0].shape[1:])
            if part.ndim != 2 or part.shape != expected or not part.size or not part.flags.c_contiguous:
                raise InputError(path, "shape", part.shape, f"({expected[0]} stimuli, features), row by row")
            if part.dtype != self.parts[0].dtype:
                raise InputError(path, "dtype", part.dtype, f"{self.parts[0].dtype}, as in the other shards")
        self.shape, self.dtype = (n, self.parts[0].shape[1]), self.parts[0].dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: tuple[slice, slice]) -> np.ndarray:
        rows, (start, stop, _) = key[0], key[1].indices(self.shape[1])
        chunk = np.empty((self.shape[0], stop - start), self.dtype)
        into = iter(chunk)
        for path, part in zip(self.paths, self.parts, strict=True):
            with open(path, "rb", buffering=0) as file:
                for k in range(len(part)):
                    file.seek(part.offset + k * part.strides[0] + start * part.itemsize)
                    if file.readinto(next(into)) != chunk.strides[0]:
                        raise InputError(path, "array", "its end too early", "the file as it was written")
        return chunk[rows]


def read_layers(folders: Sequence[str | Path]) -> pd.DataFrame:
    """Table of the layers of a network, the same in the folders of all shards of its activations.

    Raises
    ------
    InputError : a folder without a table, or with another than the first.
    """
    tables = [read_table(Path(folder, "layers.tsv"), ["layer", "index", "depth"]) for folder in folders]
    for folder, table in zip(folders, tables, strict=True):
        if not table.equals(tables[0]):
            raise InputError(Path(folder, "layers.tsv"), "layers", "another table", f"that of {folders[0]}")
    return tables[0]


# ---- responses -------------------------------------------------------------------------------------------


def _checked(dataset) -> dict:
    """Encoding of a netCDF file whose arrays carry HDF5's own checksum: what is damaged cannot be read."""
    return {
        name: {"fletcher32": True}
        for name, values in dataset.variables.items()
        if values.dtype.kind in "iufb" and values.size and values.ndim
    }


def write_responses(path: str | Path, responses, settings: dict) -> None:
    """Write `responses.nc`.

    Parameters
    ----------
    responses : xarray.DataArray (stimulus, voxel), or (stimulus, repeat, voxel) where single trials exist
        (NaN where a stimulus has fewer repeats), with coords stimulus_id and split on stimulus, subject and
        roi on voxel. Stored as float32.

    Raises
    ------
    InputError : a coordinate is missing.
    """
    missing = {"stimulus_id", "split", "subject", "roi"} - set(responses.coords)
    if missing:
        raise InputError(path, "coords", sorted(map(str, responses.coords)), f"also {sorted(missing)}")
    dataset = responses.astype(np.float32).to_dataset(name="responses")
    dataset.attrs["provenance"] = json.dumps(provenance(settings), sort_keys=True)
    with atomic_path(path) as temporary:
        dataset.to_netcdf(temporary, engine="h5netcdf", encoding=_checked(dataset))


def read_responses(path: str | Path):
    """The xarray.DataArray of `write_responses`, in memory.

    Raises
    ------
    InputError : a damaged file, or one without `responses` or one of their coordinates.
    """
    dataset = read_dataset(path, ["responses", "stimulus_id", "split", "subject", "roi"])
    return dataset["responses"]


# ---- RDMs ------------------------------------------------------------------------------------------------


@dataclass
class RDMs:
    """Representational dissimilarity matrices over the same stimuli.

    Attributes
    ----------
    dissimilarities : (k, n (n - 1) / 2) float64, condensed upper triangles, i < j
    rdms : k rows, what each RDM is of (layer, depth; or subject, roi)
    patterns : n rows, the stimuli (stimulus_id, split)
    measure : name of the dissimilarity
    """

    dissimilarities: np.ndarray
    rdms: pd.DataFrame
    patterns: pd.DataFrame
    measure: str


def write_rdms(path: str | Path, rdms: RDMs, settings: dict) -> None:
    """Write RDMs as HDF5 in the layout that `rsatoolbox.rdm.load_rdm` opens (rsatoolbox 0.3)."""
    import h5py

    n = len(rdms.patterns)
    if rdms.dissimilarities.shape != (len(rdms.rdms), n * (n - 1) // 2):
        raise ValueError(f"{rdms.dissimilarities.shape} does not fit {len(rdms.rdms)} RDMs of {n} stimuli")
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        # with a checksum of HDF5's own, so that a damaged file cannot be read
        file.create_dataset("dissimilarities", data=rdms.dissimilarities, fletcher32=True)
        file.attrs["dissimilarity_measure"] = rdms.measure
        file.create_group("descriptors").attrs["provenance"] = json.dumps(
            provenance(settings), sort_keys=True
        )
        for group, table in (("rdm_descriptors", rdms.rdms), ("pattern_descriptors", rdms.patterns)):
            for column, values in table.items():
                file[f"{group}/{column}"] = _hdf5_column(values)


def _hdf5_column(values: pd.Series) -> np.ndarray:
    """Numbers as they are, text as bytes: of fixed length, which rsatoolbox decodes, if it is ASCII."""
    import h5py

    if values.dtype.kind in "iufb":
        return values.to_numpy()
    text = values.astype(str).to_numpy(str)
    if all(map(str.isascii, text)):
        return text.astype("S")
    return text.astype(h5py.string_dtype("utf-8"))


def read_rdms(path: str | Path) -> RDMs:
    """Read what `write_rdms` wrote.

    Raises
    ------
    InputError : the file cannot be read as such, or its parts disagree.
    """
    import h5py

    def table(group) -> pd.DataFrame:
        return pd.DataFrame(
            {
                name: column.asstr()[:] if h5py.check_string_dtype(column.dtype) else column[:]
                for name, column in group.items()
            }
        )

    try:
        with h5py.File(path, "r") as file:
            rdms = RDMs(
                file["dissimilarities"][:],
                table(file["rdm_descriptors"]),
                table(file["pattern_descriptors"]),
                file.attrs["dissimilarity_measure"],
            )
    except (OSError, KeyError) as error:
        raise InputError(path, "RDM file", error, "HDF5 as written by this workflow") from error
    n = len(rdms.patterns)
    if rdms.dissimilarities.shape != (len(rdms.rdms), n * (n - 1) // 2):
        raise InputError(
            path, "dissimilarities", rdms.dissimilarities.shape, (len(rdms.rdms), n * (n - 1) // 2)
        )
    return rdms


# ---- other arrays and tables -----------------------------------------------------------------------------


def write_corpus(
    images_path: str | Path, labels_path: str | Path, images: np.ndarray, labels: pd.DataFrame, settings: dict
) -> None:
    """Write the images (n, H, W) uint8 of a training corpus and a row of labels for each, with provenance."""
    _write_array_and_table(images_path, labels_path, images, labels, settings)


def read_dataset(path: str | Path, variables: Iterable[str] = ()):
    """The xarray.Dataset of `write_dataset`, in memory.

    Raises
    ------
    InputError : the file is damaged, no netCDF, or lacks one of `variables` (coordinates included).
    """
    import xarray

    try:
        with xarray.open_dataset(path, engine="h5netcdf") as dataset:
            dataset.load()
    except (OSError, KeyError, ValueError) as error:
        raise InputError(path, "netCDF", error, "a file as written by this workflow") from error
    missing = [name for name in variables if name not in dataset.variables]
    if missing:
        raise InputError(path, "variables", sorted(map(str, dataset.variables)), f"also {missing}")
    return dataset


def write_dataset(path: str | Path, dataset, settings: dict) -> None:
    """Write an xarray.Dataset as netCDF, with its provenance."""
    dataset = dataset.assign_attrs(provenance=json.dumps(provenance(settings), sort_keys=True))
    with atomic_path(path) as temporary:
        dataset.to_netcdf(temporary, engine="h5netcdf", encoding=_checked(dataset))
