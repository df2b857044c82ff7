"""Stimuli of a BIDS folder: their images and their table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cortexrsa.errors import InputError, concerning, suggestion
from cortexrsa.formats.bids_names import RunFiles
from cortexrsa.formats.foreign_tables import read_foreign_table
from cortexrsa.formats.image_names import IMAGE_SUFFIXES
from cortexrsa.formats.images import load_images
from cortexrsa.formats.stimuli import check_stimuli

TABLE = "stimuli.tsv"


def read_stimuli(
    folder: str | Path, options: dict, events: dict[RunFiles, pd.DataFrame]
) -> tuple[np.ndarray, pd.DataFrame]:
    """Stimuli of a BIDS folder: their images, and one row each.

    Parameters
    ----------
    folder : BIDS folder
    options : of the card: stimuli (folder of the images below it), table (file with stimulus_id, filename,
        split and any labels; below `folder`, or absolute; None for `stimuli.tsv` among the images, if there
        is one), unshown (refuse, or drop stimuli that a subject did not see), aspect_tolerance
    events : of every run, see `bids_tables.read_events`

    Returns
    -------
    images : (n, H, W, 3) uint8
    stimuli : n rows: stimulus_id, split, repeats (the fewest of any subject) and the labels of the table.
        Without a table they are those that were shown, in the order of their names, all in the split test.

    Raises
    ------
    InputError : a stimulus that is shown but not in the table, in the table but not shown, or without image;
        see also `formats.stimuli.check_stimuli` and `images.load_images`.
    """
    folder = Path(folder)
    images = folder / options["stimuli"]
    if not images.is_dir():
        raise InputError("folder", "no such folder", "a folder of images", file=images)
    shown = pd.concat([e.assign(subject=run.subject) for run, e in events.items()], ignore_index=True)
    path = folder / options["table"] if options.get("table") else images / TABLE
    if options.get("table") or path.is_file():
        table = _read_table(path)
        _check_known(set(table["stimulus_id"]), events, options["events"]["column"], path.name)
    else:
        table = pd.DataFrame({"stimulus_id": sorted(set(shown["stimulus_id"]))})
    counts = shown.groupby(["stimulus_id", "subject"]).size().unstack(fill_value=0)
    counts = counts.reindex(table["stimulus_id"], fill_value=0)
    seen = (counts > 0).all(axis=1).to_numpy()
    if options["unshown"] == "refuse" and not seen.all():
        stimulus = counts.index[~seen][0]
        subject = counts.columns[(counts.loc[stimulus] == 0).to_numpy()][0]
        found = f"{stimulus!r} was never shown to sub-{subject}"
        if (~seen).sum() > 1:
            found += f" (and {(~seen).sum() - 1} more stimuli not to every subject)"
        expected = "every stimulus shown to every subject (options.unshown: drop leaves the others out)"
        raise InputError("stimuli", found, expected, file=path if path.is_file() else folder)
    table = table[seen].reset_index(drop=True)
    table["repeats"] = counts.min(axis=1).to_numpy()[seen]
    if "split" not in table:
        table["split"] = "test"
    names = table.pop("filename") if "filename" in table else _image_names(images, table["stimulus_id"])
    _check_images(images, table["stimulus_id"], names)
    pixels = load_images(images, list(names), options["aspect_tolerance"])
    first = ["stimulus_id", "split", "repeats"]
    table = table[first + [column for column in table if column not in first]]
    with concerning(path if path.is_file() else folder):
        check_stimuli(pixels, table)
    return pixels, table


def _read_table(path: Path) -> pd.DataFrame:
    """Table of the stimuli, whose ids are there and unique."""
    table = read_foreign_table(path)
    if "stimulus_id" not in table:
        raise InputError("columns", ", ".join(table), "also stimulus_id", file=path)
    if table["stimulus_id"].isna().any():
        raise InputError("stimulus_id", "n/a", "an id in every row", file=path)
    twice = table["stimulus_id"].duplicated()
    if twice.any():
        line = twice.idxmax()
        found = f"{table['stimulus_id'][line]!r} twice"
        raise InputError(f"stimulus_id, line {line}", found, "unique ids", file=path)
    return table.reset_index(drop=True)


def _check_known(known: set[str], events: dict[RunFiles, pd.DataFrame], column: str, table: str) -> None:
    """Refuse a stimulus that is shown, and not one of those `known`, of the file `table`."""
    for run, own in events.items():
        unknown = own[~own["stimulus_id"].isin(known)]
        if len(unknown):
            stimulus, line = unknown.iloc[0][["stimulus_id", "line"]]
            expected = f"a stimulus of {table}: {suggestion(stimulus, sorted(known))}"
            raise InputError(f"{column}, line {line}", repr(stimulus), expected, file=run.events)


def _check_images(folder: Path, stimuli: pd.Series, names: pd.Series | list[str | None]) -> None:
    """Refuse a stimulus without a file of the name that it has in the folder."""
    for stimulus, name in zip(stimuli, names, strict=True):
        if pd.isna(name) or not (folder / name).is_file():
            found = "no image" if pd.isna(name) else f"no file {name}"
            raise InputError(f"image of {stimulus!r}", found, "a JPEG or PNG of that name", file=folder)


def _image_names(folder: Path, stimuli: pd.Series) -> list[str | None]:
    """Files called like the stimuli, with or without the suffix of an image, sub-folders as in the id."""
    paths = [path.relative_to(folder) for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES]
    files = {path.as_posix(): [path.as_posix()] for path in paths}
    for path in sorted(paths):
        files.setdefault(path.with_suffix("").as_posix(), []).append(path.as_posix())
    for stimulus in stimuli:
        if len(names := files.get(stimulus, [])) > 1:
            expected = f"one (a column filename in {TABLE} chooses)"
            raise InputError(f"image of {stimulus!r}", " and ".join(names), expected, file=folder)
    return [files.get(stimulus, [None])[0] for stimulus in stimuli]


def what_was_left_out(events: dict[RunFiles, pd.DataFrame], stimuli: pd.DataFrame) -> list[str]:
    """A sentence on the stimuli that were shown and are not used, where there are any.

    Parameters
    ----------
    events : of every run, see `bids_tables.read_events`
    stimuli : from `read_stimuli`
    """
    shown = set(pd.concat(events.values())["stimulus_id"])
    lost = sorted(shown - set(stimuli["stimulus_id"]))
    named = ", ".join(lost[:3]) + ", ..." * (len(lost) > 3)
    many = f"{len(lost)} of {len(shown)} stimuli were not shown to every subject, and are left out: {named}"
    return [many] if lost else []
