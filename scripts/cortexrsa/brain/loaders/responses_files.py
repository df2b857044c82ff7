"""Files of a data set of responses: names with placeholders, and what of them lies on this disk."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from pathlib import Path

from cortexrsa.brain.loaders.places import place
from cortexrsa.errors import InputError

PLACEHOLDERS = ("subject", "session", "run", "hemisphere", "roi")
VALUE = "[A-Za-z0-9]+"  # of a session or run that is looked for on the disk


def placeholders_of(name: str) -> list[str]:
    """Placeholders of a file's name, each once."""
    return [key for key in PLACEHOLDERS if f"{{{key}}}" in name]


def filled(name: str, values: dict[str, str]) -> str:
    """A file's name with the placeholders replaced for which there are values."""
    for key, value in values.items():
        name = name.replace(f"{{{key}}}", str(value))
    return name


def on_disk(base: str | Path, name: str) -> list[dict[str, str]]:
    """Values of a name's placeholders for which there is a file, in the order of numbers and names.

    Examples
    --------
    >>> on_disk("/no/such/folder", "betas_{session}.npy")
    []
    """
    keys = placeholders_of(name)
    path = str(place(base, name))
    pattern = re.escape(path)
    for key in keys:
        mark = re.escape(f"{{{key}}}")
        pattern = pattern.replace(mark, f"(?P<{key}>{VALUE})", 1).replace(mark, f"(?P={key})")
    wild = glob.escape(path)
    for key in keys:
        wild = wild.replace(f"{{{key}}}", "*")
    found = (re.fullmatch(pattern, other) for other in glob.glob(wild))
    values = [match.groupdict() for match in found if match]
    return sorted(values, key=lambda value: [_natural(value[key]) for key in keys])


def _natural(text: str) -> list:
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", text)]


def listed(value: list[str] | str | dict | None, subject: str) -> list[str] | None:
    """Sessions or runs of a subject as the card has them: a list, or a range such as 01-40; None for all.

    Raises
    ------
    InputError : a mapping without the subject.

    Examples
    --------
    >>> listed("09-11", "sub-01")
    ['09', '10', '11']
    """
    if isinstance(value, dict):
        if subject not in value:
            raise InputError(
                "options.sessions", f"nothing for {subject!r}", "those of every subject", file="data set card"
            )
        value = value[subject]
    if isinstance(value, str):
        first, last = value.split("-")
        return [str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)]
    return value


def same_name(a: str, b: str) -> bool:
    """Whether two names of a session or run are the same: 1 is 01."""
    return a == b or (a.isdecimal() and b.isdecimal() and int(a) == int(b))


# ---- what a result depends on ----------------------------------------------------------------------------


def base_of(card: dict, downloads: str | Path | None = None) -> Path:
    """Folder from which the names of a card start: its downloads where it has any, else its `path`."""
    return Path(downloads) if downloads else Path(card.get("path") or "").expanduser()


def roi_names(entry: dict) -> list[str]:
    """Files of a ROI: masks or atlases, and the table of the labels' names."""
    names = entry.get("mask", entry.get("atlas", []))
    names = [names] if isinstance(names, str) else list(names)
    return names + ([entry["labels"]] if isinstance(entry.get("labels"), str) else [])


def names_of_stimuli(card: dict) -> Iterator[str]:
    """Names of the files that stimuli are read from, placeholders included."""
    options = card["options"]
    # whose trials follow one another through the files of values
    if "{session}" in options["values"]["file"] or "{run}" in options["values"]["file"]:
        yield options["values"]["file"]
    yield options["trials"]["file"]
    yield options["stimuli"]["images"]
    if options["stimuli"]["table"]:
        yield options["stimuli"]["table"]
    for rule in (options["splits"] or {}).values():
        if "list" in rule:
            yield rule["list"]


def names_of_responses(card: dict) -> Iterator[str]:
    """Names of the files that responses are read from, placeholders included."""
    options = card["options"]
    yield options["trials"]["file"]
    yield options["values"]["file"]
    for entry in card["rois"].values():
        yield from roi_names(entry)
    for key in ("table", "mask"):
        if options["voxels"][key]:
            yield options["voxels"][key]


def outside_files(card: dict, names: Iterator[str]) -> list[str]:
    """Files on this disk that names stand for, as far as they are there; those of downloads are left out.

    Parameters
    ----------
    card : of the data set
    names : of `names_of_stimuli` or `names_of_responses`
    """
    base, found = base_of(card), set()
    for name in names:
        if card.get("files") and not Path(name).expanduser().is_absolute():
            continue
        # names of masks may have * and ? themselves
        wild = str(place(glob.escape(str(base)), name))
        for key in PLACEHOLDERS:
            wild = wild.replace(f"{{{key}}}", "*")
        for path in {str(place(base, name)), *glob.glob(wild)}:
            if os.path.isdir(path):
                found |= {os.path.join(where, file) for where, _, files in os.walk(path) for file in files}
            elif os.path.exists(path):
                found.add(path)
    # what is missing is reported by the job that reads it
    return sorted(found)
