"""Masks and labels of ROIs: where a mask is cut, and what the numbers of an atlas are called."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from cortexrsa.errors import InputError, reason, suggestion
from cortexrsa.formats.foreign_tables import read_foreign_table

THRESHOLD = 0.5  # of probabilities, and of masks after resampling
ROUNDING = 1e-6  # by which a probability may exceed 1


def levels(values: np.ndarray, threshold: float | None, path: Path) -> tuple[np.ndarray, float]:
    """Values of a mask or of probabilities as float32, and where to cut them.

    Raises
    ------
    InputError : several values that are no probabilities, and no threshold; nothing above it.
    """
    cut = THRESHOLD if threshold is None else threshold
    if threshold is None and not (values.min() >= 0 and values.max() <= 1 + ROUNDING):
        found = np.unique(values[values != 0])
        if len(found) > 1:
            shown = f"{len(found)} values from {found[0]:g} to {found[-1]:g}"
            expected = "one value, or probabilities from 0 to 1 (else a threshold, or atlas with a label)"
            raise InputError("ROI", shown, expected, file=path)
        values = values != 0
    if not (values > cut).any():
        shown = f"no voxel above {cut:g} (largest value {values.max():g})"
        raise InputError("ROI", shown, "at least one voxel", file=path)
    return values.astype(np.float32), cut


def numbers_of_labels(
    wanted: list[int | str], names: dict[Path, dict[str, list[int]]], present: dict[Path, np.ndarray]
) -> dict[Path, list[int]]:
    """Numbers of the labels of a ROI in each of its atlases; each label stands in at least one of them.

    Parameters
    ----------
    wanted : numbers or names
    names : {atlas: {name: numbers}}
    present : {atlas: numbers that some voxel has}

    Raises
    ------
    InputError : a name that no table has (with the nearest), or a label that no voxel has.
    """
    numbers: dict[Path, list[int]] = {path: [] for path in present}
    first = next(iter(present))
    for label in wanted:
        for path in present:
            own = names[path].get(label, []) if isinstance(label, str) else [label]
            numbers[path] += [number for number in own if number in present[path]]
        known = {name for table in names.values() for name in table}
        if isinstance(label, str) and label not in known:
            raise InputError("label", repr(label), suggestion(label, sorted(known)), file=first)
        if not any(set(numbers[path]) & set(names[path].get(label, [label])) for path in present):
            listed = sorted({int(value) for values in present.values() for value in values if value})
            raise InputError("label", label, f"one of {', '.join(map(str, listed[:30]))}", file=first)
    return numbers


def label_names(table: Path) -> dict[str, list[int]]:
    """{name: numbers} of a table of labels: dseg.tsv or CSV, JSON, or FreeSurfer's colour table (.ctab).

    Raises
    ------
    InputError : a damaged file, or one without numbers and names.
    """
    if table.suffix == ".json":
        return _from_json(table)
    return _from_ctab(table) if table.suffix == ".ctab" else _from_tsv(table)


def _from_tsv(path: Path) -> dict[str, list[int]]:
    table = read_foreign_table(path)
    if not {"index", "name"} <= set(table):
        raise InputError("columns", ", ".join(table), "index and name, as in a dseg.tsv", file=path)
    names: dict[str, list[int]] = {}
    for column in ("name", "abbreviation"):
        for line, index, name in zip(table.index, table["index"], table.get(column, []), strict=False):
            if not str(index).strip().lstrip("-").isdecimal():
                raise InputError(f"index, line {line}", index, "a whole number", file=path)
            if isinstance(name, str) and int(index) not in names.setdefault(name, []):
                names[name].append(int(index))
    return names


def _from_json(path: Path) -> dict[str, list[int]]:
    """Names from a JSON object, {number: name} or {name: number}, by itself or below LabelMap or Labels."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise InputError("JSON", reason(error), "a JSON object", file=path) from error
    if isinstance(content, dict):
        content = content.get("LabelMap", content.get("Labels", content))
    names: dict[str, list[int]] = {}
    for key, value in content.items() if isinstance(content, dict) else ():
        if isinstance(value, str) and key.lstrip("-").isdecimal():
            names.setdefault(value, []).append(int(key))
        elif isinstance(value, int) and not isinstance(value, bool):
            names.setdefault(key, []).append(value)
    return names


def _from_ctab(path: Path) -> dict[str, list[int]]:
    """Lines of a number and a name, maybe with a colour after them; # begins a comment."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise InputError("colour table", reason(error), "lines of a number and a name", file=path) from error
    names: dict[str, list[int]] = {}
    for number, line in enumerate(lines, 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        if len(words) < 2 or not words[0].lstrip("-").isdecimal():
            raise InputError(f"line {number}", repr(line), "a number and a name", file=path)
        names.setdefault(words[1], []).append(int(words[0]))
    return names
