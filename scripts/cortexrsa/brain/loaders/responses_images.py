"""Images of a data set of responses: in a folder, an archive or an array, found by name or by row."""

from __future__ import annotations

import contextlib
import difflib
import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from cortexrsa.brain.loaders.encoded_images import encoded_images, encoded_rows
from cortexrsa.brain.loaders.places import place
from cortexrsa.brain.loaders.responses_files import filled
from cortexrsa.errors import InputError, reason, suggestion
from cortexrsa.formats.foreign_arrays import open_array
from cortexrsa.formats.image_names import IMAGE_SUFFIXES
from cortexrsa.formats.images import images_one_by_one, resized


def nearest_stimulus(word: str, known: set[str], where: Path) -> str:
    """What an unknown stimulus may have been; ids may be many."""
    near = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.5)
    number = [other for other in known if other.isdecimal() and word.isdecimal() and int(other) == int(word)]
    text = f"one of the {len(known)} stimuli of {where.name}"
    if number:
        return f"{text}; did you mean {number[0]}? A program may have read ids as numbers"
    return text + (f"; did you mean {near[0]}?" if near else "")


def place_of_images(base, settings: dict, subjects: list[str]) -> Path:
    """Folder, archive or array of the images."""
    name = settings["images"]
    if "{subject}" in name and len(subjects) > 1:
        expected = "one place for the images of all subjects (or a data set for each subject)"
        raise InputError("options.stimuli.images", repr(name), expected, file=base)
    path = place(base, filled(name, {"subject": subjects[0]}))
    if not path.exists():
        raise InputError("stimuli", "no such file or folder", "a folder, .zip or array of images", file=path)
    return path


def names_of_images(path: Path, settings: dict, table: pd.DataFrame) -> list[str]:
    """The file or row that shows each stimulus."""
    if path.is_dir() or path.suffix.lower() == ".zip":
        column = settings["filename"] or ("filename" if "filename" in table else "stimulus_id")
        if column not in table:
            raise InputError(
                "options.stimuli.filename", repr(column), suggestion(column, list(table)), file=path
            )
        return _matching_files(path, table["stimulus_id"], table[column])
    return _rows(path, settings, table)


def _names_below(path: Path) -> list[str]:
    """Images below a folder or in an archive, by their paths there; hidden files are none."""
    if path.is_dir():
        found = (os.path.join(where, file) for where, _, files in os.walk(path) for file in files)
        names = [Path(name).relative_to(path).as_posix() for name in found]
    else:
        with _archive(path) as archive:
            names = archive.namelist()
    fitting = (name for name in names if Path(name).suffix.lower() in IMAGE_SUFFIXES)
    return sorted(name for name in fitting if not Path(name).name.startswith((".", "__MACOSX")))


@contextlib.contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError("archive", reason(error), "a .zip file that is complete", file=path) from error


def _matching_files(path: Path, ids: pd.Series, wanted: pd.Series) -> list[str]:
    """Files that are called as wanted: with their folders or without, with their suffix or without."""
    files = _names_below(path)
    kinds = (
        lambda name: name,
        lambda name: Path(name).with_suffix("").as_posix(),
        lambda name: Path(name).name,
        lambda name: Path(name).stem,
    )
    tables: list[dict[str, list[str]]] = [{} for _ in kinds]
    for name in files:
        for kind, known in zip(kinds, tables, strict=True):
            known.setdefault(kind(name), []).append(name)
    found, lacking = [], []
    for stimulus, name in zip(ids, wanted, strict=True):
        names = next((known[name] for known in tables if name in known), [])
        if len(names) > 1:
            expected = "one (a column filename in options.stimuli.table chooses)"
            raise InputError(f"image of {stimulus!r}", " and ".join(names[:3]), expected, file=path)
        found += names
        lacking += [] if names else [stimulus]
    if lacking:
        more = f" (nor of {len(lacking) - 1} more stimuli)" if len(lacking) > 1 else ""
        nearest = nearest_stimulus(lacking[0], set(tables[3]), path)
        raise InputError(f"image of {lacking[0]!r}", f"no file{more}", nearest, file=path)
    return found


def _rows(path: Path, settings: dict, table: pd.DataFrame) -> list[str]:
    """Rows of an array of images, from 0."""
    if (total := encoded_rows(path, settings["key"])) is None:
        with open_array(path, settings["key"]) as array:
            total = array.shape[0]
            _check_pixels(array, path)
    column = settings["row"] or (None if settings["table"] else "stimulus_id")
    if column is None:
        # the table has a row for each image, in their order
        if (listed := table.attrs["rows"]) != total:
            expected = f"{total}, one for each image (or options.stimuli.row)"
            raise InputError("rows of the table of stimuli", listed, expected, file=path)
        rows = table["order"].to_numpy()
    else:
        rows = _numbers(column, table, settings["base"], path)
    outside = (rows < 0) | (rows >= total)
    if outside.any():
        k = int(outside.argmax())
        written = table[column][k] if column else table["order"][k]
        other = 1 - (settings["base"] or 0)
        found = f"{table['stimulus_id'][k]!r} in row {written}"
        base = settings["base"] or 0
        expected = (
            f"rows from {base} to {total - 1 + base} (options.stimuli.base: {other} counts from {other})"
        )
        raise InputError("image", found, expected, file=path)
    print(f"{path}: rows {rows.min()} to {rows.max()} (from 0) of {total} images")
    return [str(row) for row in rows]


def _numbers(column: str, table: pd.DataFrame, base: int | None, path: Path) -> np.ndarray:
    """Rows that a column says, from 0."""
    if column not in table:
        raise InputError("options.stimuli.row", repr(column), suggestion(column, list(table)), file=path)
    if base is None:
        expected = f"0 or 1: what {column} counts from (an error of one shows other images)"
        raise InputError("options.stimuli.base", "nothing", expected, file=path)
    for value in table[column]:
        if not (isinstance(value, str) and value.isdecimal()):
            raise InputError(column, repr(value), "the number of a row of the images", file=path)
    return table[column].astype(int).to_numpy() - base


def _check_pixels(array, path: Path) -> None:
    shape = array.shape
    if array.dtype != np.uint8 or not (len(shape) == 3 or (len(shape) == 4 and shape[-1] == 3)):
        expected = "uint8 (images, height, width) or (images, height, width, 3)"
        raise InputError("images", f"{array.dtype} {shape}", expected, file=path)


def write_images(base: str | Path, options: dict, images: pd.Series, target: Path) -> None:
    """Write the images of the stimuli as an .npy file (n, H, W, 3) uint8, one at a time in memory.

    Parameters
    ----------
    base, options : of the card
    images : file or row of each stimulus, see `stimulus_table`
    target : the file

    Raises
    ------
    InputError : see `formats.images.images_one_by_one`.
    """
    settings = options["stimuli"]
    path = place_of_images(base, settings, options["subjects"])
    size = settings["size"]
    size = tuple(size) if isinstance(size, list) else (size, size) if size else None
    with contextlib.ExitStack() as stack:
        size, stream = _stream(stack, path, settings, list(images), size)
        with open(target, "wb") as file:
            described = {"descr": "|u1", "fortran_order": False, "shape": (len(images), *size, 3)}
            np.lib.format.write_array_header_1_0(file, described)
            for image in stream:
                file.write(np.ascontiguousarray(image, np.uint8).tobytes())


def _stream(stack, path: Path, settings: dict, images: list[str], size):
    """Size of the images, and the images one by one, of a folder, an archive or an array."""
    tolerance = settings["aspect_tolerance"]
    if path.is_dir():
        return images_one_by_one([path / name for name in images], tolerance, size)
    if path.suffix.lower() == ".zip":
        archive = stack.enter_context(_archive(path))
        members = [path / name for name in images]

        def content(member: Path) -> io.BytesIO:
            try:
                return io.BytesIO(archive.read(member.relative_to(path).as_posix()))
            except (OSError, zipfile.BadZipFile) as error:
                raise InputError("archive", reason(error), "a readable image", file=member) from error

        return images_one_by_one(members, tolerance, size, content)
    if encoded_rows(path, settings["key"]) is not None:
        names, content = encoded_images(stack, path, settings["key"], images)
        return images_one_by_one(names, tolerance, size, content)
    array = stack.enter_context(open_array(path, settings["key"]))
    size = size or tuple(array.shape[1:3])

    def rows() -> Iterator[np.ndarray]:
        for row in map(int, images):
            image = Image.fromarray(array[row]).convert("RGB")
            shown = Path(f"{path} (row {row})")
            yield np.asarray(resized(image, size[::-1], tolerance, shown, "the size of the card"))

    return size, rows()
