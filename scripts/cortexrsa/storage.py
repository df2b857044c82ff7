"""Results on the disk: atomic writing, checksums, and the record of what made a result."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import io
import json
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import xxhash

from cortexrsa.errors import InputError

RECORDED_PACKAGES = (
    *("numpy", "scipy", "scikit-learn", "numba", "pandas", "xarray", "h5py", "h5netcdf", "matplotlib"),
    *("torch", "torchvision", "timm", "lightning", "lightly", "nilearn", "nibabel", "snakemake"),
)
# larger files have a faster checksum: activations may be hundreds of gigabytes
LARGE = 64 * 2**20
READ = 2**20


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


class _PatientFile(io.FileIO):
    """File that keeps its first failure to write, and goes on as if nothing had happened."""

    failure: OSError | None = None

    def write(self, data) -> int:
        rest = memoryview(data).cast("B")
        count = len(rest)
        try:
            while self.failure is None and rest:
                rest = rest[super().write(rest) :]
        except OSError as error:
            self.failure = error
        if rest:
            self.seek(len(rest), os.SEEK_CUR)
        return count


@contextlib.contextmanager
def atomic_hdf5(path: str | Path) -> Iterator[io.FileIO]:
    """Yield a file for h5py or xarray to write to, as `atomic_path` does for others.

    HDF5 2.0 dies of a segmentation fault when a write fails: a full disk is told after HDF5 has closed the
    file.

    Raises
    ------
    OSError : the file could not be written, for example since the disk is full.
    """
    with atomic_path(path) as temporary, _PatientFile(temporary, "w+") as file:
        try:
            yield file
        finally:
            if file.failure is not None:
                file.failure.filename = str(path)
                raise file.failure


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
        raise InputError(
            "record", " ".join(str(error).split()), f"that of {path.name}", file=record
        ) from error
    if found != recorded:
        raise InputError("content", found, f"{recorded}, as it was written (see {record.name})", file=path)
