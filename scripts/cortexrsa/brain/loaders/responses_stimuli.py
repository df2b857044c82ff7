"""Stimuli of a data set of responses: their table, their splits and their images."""

from __future__ import annotations

import contextlib
import difflib
import functools
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from cortexrsa.brain.loaders.encoded_images import encoded_images, encoded_rows
from cortexrsa.brain.loaders.places import place
from cortexrsa.brain.loaders.responses_files import base_of, filled
from cortexrsa.brain.loaders.responses_trials import read_trials
from cortexrsa.errors import InputError, reason, suggestion
from cortexrsa.formats.foreign_arrays import open_array
from cortexrsa.formats.foreign_tables import read_foreign_table
from cortexrsa.formats.image_names import IMAGE_SUFFIXES, natural_key
from cortexrsa.formats.images import images_one_by_one, resized
from cortexrsa.formats.stimuli import MINIMUM_STIMULI

OWN = ("stimulus_id", "split", "repeats", "category")


def load_stimuli(
    card: dict, downloads: str | Path | None
) -> tuple[Callable[[Path], None], pd.DataFrame, list[str]]:
    """Stimuli of a data set of responses.

    Parameters
    ----------
    card : of the data set: path, options
    downloads : folder of the downloaded files, or None

    Returns
    -------
    images : function that writes them to an .npy file, (n, H, W, 3) uint8, one at a time in memory
    stimuli : n rows for `stimuli.tsv`
    warnings : sentences for the reader of the results

    Raises
    ------
    InputError : see `responses_trials.read_trials`, `stimulus_table` and `write_images`.
    """
    base, options = base_of(card, downloads), card["options"]
    trials = {subject: read_trials(base, options, subject) for subject in options["subjects"]}
    table, warnings = stimulus_table(base, options, trials)
    images = functools.partial(write_images, base, options, table.pop("image"))
    return images, table, warnings


def stimulus_table(
    base: str | Path, options: dict, trials: dict[str, pd.DataFrame]
) -> tuple[pd.DataFrame, list[str]]:
    """Stimuli that every subject saw, with the images that show them.

    Parameters
    ----------
    base : folder from which the names of the card start
    options : of the card: stimuli, splits, unshown, trials
    trials : of every subject, see `responses_trials.read_trials`

    Returns
    -------
    table : stimulus_id, split, repeats (the fewest of any subject), the labels of the card's table, and image
        (file below the images, or row of the array as text)
    warnings : sentences on the stimuli that are left out

    Raises
    ------
    InputError : a stimulus of the trials that the table lacks, one that a subject did not see (unless the
        card drops those), one in two splits, a split of fewer than 8 stimuli, images that are not there.
    """
    settings = options["stimuli"]
    counts = pd.DataFrame(
        {subject: own.groupby("stimulus_id")["repeats"].sum() for subject, own in trials.items()}
    )
    table, path = _listed(base, settings, counts, trials)
    counts = counts.reindex(table["stimulus_id"]).fillna(0).astype(int)
    warnings = []
    table, counts = _seen_by_all(table, counts, options["unshown"], path, warnings)
    table["repeats"] = counts.min(axis=1).to_numpy()
    table["split"] = _splits(base, options["splits"], table, trials, path, warnings)
    if settings["category"]:
        table["category"] = _column(settings["category"], table, trials, "options.stimuli.category", path)
    table = table[table["split"] != ""].reset_index(drop=True)
    table["image"] = _images(_place_of_images(base, settings, list(trials)), settings, table)
    first = ["stimulus_id", "split", "repeats"]
    dropped = {settings["id"], settings["filename"], settings["row"], "filename", "order"} - set(first)
    labels = [name for name in table if name not in first and name not in dropped]
    return table[first + labels].fillna(""), warnings


def _listed(base, settings: dict, counts: pd.DataFrame, trials: dict) -> tuple[pd.DataFrame, Path]:
    """The stimuli of the card's table (all that were shown stand in it), or those that were shown."""
    first = next(iter(trials.values()))
    if not settings["table"]:
        ids = sorted(counts.index, key=natural_key)
        return pd.DataFrame({"stimulus_id": ids}, dtype=object), Path(first["path"].iloc[0])
    path = place(base, settings["table"])
    table, column = read_foreign_table(path), settings["id"]
    if column not in table:
        expected = f"also {column} (options.stimuli.id names another)"
        raise InputError("columns", ", ".join(table), expected, file=path)
    for fault, found in ((table[column].isna(), "n/a"), (table[column].duplicated(), None)):
        if fault.any():
            line = fault.idxmax()
            shown = found or f"{table[column][line]!r} twice"
            raise InputError(f"{column}, line {line}", shown, "an id of its own in every row", file=path)
    known = set(table[column])
    for own in trials.values():
        unknown = own[~own["stimulus_id"].isin(known)]
        if len(unknown):
            row = unknown.iloc[0]
            field = f"trial in line {row['line']}"
            raise InputError(
                field, repr(row["stimulus_id"]), _near(row["stimulus_id"], known, path), file=row["path"]
            )
    table["order"] = np.arange(len(table))
    table.attrs["rows"] = len(table)
    table = table[table[column].isin(counts.index)].reset_index(drop=True)
    others = table.drop(columns=[name for name in OWN if name in table and name not in (column, "split")])
    return others.assign(stimulus_id=table[column]), path


def _near(word: str, known: set[str], where: Path) -> str:
    """What an unknown stimulus may have been; ids may be many."""
    near = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.5)
    number = [other for other in known if other.isdecimal() and word.isdecimal() and int(other) == int(word)]
    text = f"one of the {len(known)} stimuli of {where.name}"
    if number:
        return f"{text}; did you mean {number[0]}? A program may have read ids as numbers"
    return text + (f"; did you mean {near[0]}?" if near else "")


def _seen_by_all(table, counts, unshown: str, path: Path, warnings: list[str]):
    """The stimuli that every subject saw; others are refused, or left out with a warning."""
    seen = (counts > 0).all(axis=1).to_numpy()
    if seen.all():
        return table, counts
    stimulus = counts.index[~seen][0]
    subject = counts.columns[(counts.loc[stimulus] == 0).to_numpy()][0]
    if unshown == "refuse":
        found = f"{stimulus!r} was never shown to {subject}"
        if (~seen).sum() > 1:
            found += f" (and {(~seen).sum() - 1} more stimuli not to every subject)"
        expected = (
            "every stimulus shown to every subject (options.unshown: drop keeps those that all saw; or "
        )
        expected += "a data set for each subject)"
        raise InputError("stimuli", found, expected, file=path)
    warnings.append(
        f"{seen.sum()} of {len(seen)} stimuli were shown to all {counts.shape[1]} subjects and are used; "
        f"{(~seen).sum()} are left out"
    )
    if not seen.any():
        raise InputError("stimuli", "none that every subject saw", "some", file=path)
    return table[seen].reset_index(drop=True), counts[seen]


# ---- splits ----------------------------------------------------------------------------------------------


def _splits(base, rules: dict | None, table: pd.DataFrame, trials: dict, path: Path, warnings: list[str]):
    """The split of each stimulus; "" for one of none."""
    if not rules:
        if "split" in table or any("split" in own for own in trials.values()):
            values = _column("split", table, trials, "split", path)
            rules = {value: {"column": "split", "value": value} for value in sorted(set(values) - {""})}
        else:
            return np.full(len(table), "test", object)
    splits = np.full(len(table), "", object)
    # whatever their order in the card, which has its keys sorted
    for name, rule in sorted(rules.items(), key=lambda item: "rest" in item[1]):
        chosen = _of_rule(base, name, rule, table, trials, path, splits)
        twice = chosen & (splits != "")
        if twice.any():
            stimulus = table["stimulus_id"][twice.argmax()]
            found = f"{stimulus!r}, also in {splits[twice.argmax()]} (and {twice.sum() - 1} more)"
            raise InputError(f"options.splits.{name}", found, "each stimulus in one split", file=path)
        splits[chosen] = name
        if chosen.sum() < MINIMUM_STIMULI:
            found = f"{chosen.sum()} stimuli"
            raise InputError(f"options.splits.{name}", found, f"at least {MINIMUM_STIMULI}", file=path)
    if (splits == "").any():
        lost = (splits == "").sum()
        warnings.append(f"{lost} of {len(splits)} stimuli are in no split of the card, and are left out")
    return splits


def _of_rule(base, name: str, rule: dict, table, trials, path: Path, splits: np.ndarray) -> np.ndarray:
    """(n,) bool: the stimuli that a rule of the card takes."""
    ids = table["stimulus_id"]
    if "rest" in rule:
        return splits == ""
    if "column" in rule:
        wanted = rule["value"] if isinstance(rule["value"], list) else [rule["value"]]
        values = _column(rule["column"], table, trials, f"options.splits.{name}.column", path)
        unknown = [str(value) for value in wanted if str(value) not in set(values)]
        if unknown:
            expected = suggestion(unknown[0], sorted(set(values))[:30])
            raise InputError(f"options.splits.{name}.value", repr(unknown[0]), expected, file=path)
        return np.isin(values.astype(str), [str(value) for value in wanted])
    if "list" in rule:
        listed = _list_of_ids(place(base, rule["list"]), rule.get("key"))
        return ids.isin(listed).to_numpy()
    if "fraction" in rule:
        return np.array([_share(value) < rule["fraction"] for value in ids])
    return (table["repeats"] >= rule["repeats"]).to_numpy()


def _share(stimulus: str) -> float:
    """A number in [0, 1) that follows from the id alone, so that splits do not depend on other stimuli."""
    return int.from_bytes(hashlib.sha256(stimulus.encode()).digest()[:8]) / 2**64


def _column(name: str, table: pd.DataFrame, trials: dict, field: str, path: Path) -> np.ndarray:
    """Values of a column of the stimuli, or of the trials where it is the same for all trials of one."""
    if name in table:
        return table[name].fillna("").to_numpy(object)
    if not all(name in own for own in trials.values()):
        columns = [str(column) for column in [*table, *next(iter(trials.values()))]]
        raise InputError(field, repr(name), suggestion(name, dict.fromkeys(columns)), file=path)
    shown = pd.concat([own[["stimulus_id", name, "line", "path"]] for own in trials.values()]).fillna("")
    first = shown.drop_duplicates("stimulus_id").set_index("stimulus_id")[name]
    other = shown[shown[name] != first.reindex(shown["stimulus_id"]).to_numpy()]
    if len(other):
        row = other.iloc[0]
        found = f"{row[name]!r} of {row['stimulus_id']!r}, and {first[row['stimulus_id']]!r} in another trial"
        raise InputError(f"{name}, line {row['line']}", found, "one value a stimulus", file=row["path"])
    return first.reindex(table["stimulus_id"]).to_numpy(object)


def _list_of_ids(path: Path, key: str | None) -> set[str]:
    """Ids of a list: one a line, a column stimulus_id, or a JSON list (`key`: where in it, as a.0.b)."""
    if not path.is_file():
        raise InputError("list", "no such file", "a list of stimuli", file=path)
    if path.suffix.lower() in (".csv", ".tsv"):
        table = read_foreign_table(path)
        if "stimulus_id" not in table:
            raise InputError("columns", ", ".join(table), "also stimulus_id", file=path)
        return set(table["stimulus_id"].dropna())
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() != ".json":
            return {line.strip() for line in text.splitlines() if line.strip()}
        content = json.loads(text)
        for part in key.split(".") if key else []:
            content = content[int(part)] if isinstance(content, list) else content[part]
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise InputError(key or "list", reason(error), "a list of stimuli", file=path) from error
    if not isinstance(content, list):
        raise InputError(key or "list", f"a {type(content).__name__}", "a list of stimuli (key)", file=path)
    return {str(item) for item in content}


# ---- images ----------------------------------------------------------------------------------------------


def _place_of_images(base, settings: dict, subjects: list[str]) -> Path:
    """Folder, archive or array of the images."""
    name = settings["images"]
    if "{subject}" in name and len(subjects) > 1:
        expected = "one place for the images of all subjects (or a data set for each subject)"
        raise InputError("options.stimuli.images", repr(name), expected, file=base)
    path = place(base, filled(name, {"subject": subjects[0]}))
    if not path.exists():
        raise InputError("stimuli", "no such file or folder", "a folder, .zip or array of images", file=path)
    return path


def _images(path: Path, settings: dict, table: pd.DataFrame) -> list[str]:
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
        raise InputError(
            f"image of {lacking[0]!r}", f"no file{more}", _near(lacking[0], set(tables[3]), path), file=path
        )
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
    path = _place_of_images(base, settings, options["subjects"])
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
