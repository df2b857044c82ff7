"""Data sets published as images and RDMs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cortexrsa.brain.loaders.places import names_of, place
from cortexrsa.brain.loaders.rdm_files import read_rdms_of_others, row_order, square_rdms
from cortexrsa.errors import InputError, concerning
from cortexrsa.formats.image_names import image_names
from cortexrsa.formats.images import load_images
from cortexrsa.formats.rdms import RDMs
from cortexrsa.formats.stimuli import check_stimuli
from cortexrsa.jobs import warn

GROUP = "group"  # the mean over subjects in tables of results


def stimulus_table(folder: Path, order: Path | None) -> pd.DataFrame:
    """The stimuli of a folder of images, in the order of their names or of a table.

    Parameters
    ----------
    folder : of the images
    order : CSV or TSV with a column `filename` or `stimulus_id` (the name, with or without suffix), a row for
        each row of the RDMs; its other columns are kept as labels. None: the images by name, 2 before 10.

    Returns
    -------
    n rows: stimulus_id, filename, and labels

    Raises
    ------
    InputError : see `image_names`; no such table, a row without image.
    """
    names = image_names(folder)
    if order is None:
        print(f"{len(names)} images in the order of their names, from {names[0]} to {names[-1]}")
        return pd.DataFrame({"stimulus_id": [Path(name).stem for name in names], "filename": names})
    separator = "\t" if order.suffix.lower() == ".tsv" else ","
    try:
        table = pd.read_csv(order, sep=separator, dtype=str, keep_default_na=False, index_col=False)
    except (OSError, ValueError) as error:
        raise InputError(
            "table", " ".join(str(error).split()), "a table with a header", file=order
        ) from error
    column = next((column for column in ("filename", "stimulus_id") if column in table), None)
    if column is None:
        raise InputError("columns", ", ".join(table), "filename or stimulus_id", file=order)
    by_name = {Path(name).stem: name for name in names} | {name: name for name in names}
    for row, name in enumerate(table[column]):
        if name not in by_name:
            raise InputError(f"{column}, line {row + 2}", repr(name), f"an image of {folder}", file=order)
    files = table[column].map(by_name)
    if len(files) < len(names):
        warn(f"{len(names) - len(files)} of {len(names)} images are not in {order}, and are left out")
    ids = table["stimulus_id"] if "stimulus_id" in table else [Path(name).stem for name in files]
    labels = table.drop(columns=["filename", "stimulus_id", "split", "repeats"], errors="ignore")
    return pd.concat([pd.DataFrame({"stimulus_id": ids, "filename": files}), labels], axis=1)


def load_rdm_dataset(card: dict, downloads: str | Path | None) -> tuple[np.ndarray, pd.DataFrame, RDMs]:
    """A data set published as images and RDMs (loader `rdms`).

    Parameters
    ----------
    card : of the data set; `images`: folder of the images; `rois`: {label: {file (or a list of files, whose
        RDMs follow each other), key, select, subjects (its own, who are in no other ROI)}}; `options`:
        {dissimilarity: name of the RDMs' measure, order, subjects, aspect_tolerance}; `path`: folder on this
        disk of what is not downloaded
    downloads : folder of the downloaded files, or None

    Returns
    -------
    images : (n, H, W, 3) uint8
    stimuli : n rows; all are `test`, and `repeats` is 1: averages over unknown repeats are all there is
    rdms : one for each ROI and subject, in the order of the card; the upper triangle of each matrix

    Raises
    ------
    InputError : see `stimulus_table`, `load_images`, `read_rdms_of_others` and `square_rdms`; RDMs of another
        number of stimuli than there are images, or ROIs with different subjects.
    """
    options, base = card["options"], Path(downloads or card.get("path") or "").expanduser()
    folder = place(base, card["images"])
    order = place(base, options["order"]) if "order" in options else None
    table = stimulus_table(folder, order)
    images = load_images(folder, table["filename"].tolist(), options["aspect_tolerance"])
    stimuli = table.drop(columns="filename").assign(split="test", repeats=1)
    first = ["stimulus_id", "split", "repeats"]
    stimuli = stimuli[first + [column for column in stimuli if column not in first]]
    with concerning(order or folder):
        check_stimuli(images, stimuli)
    upper = np.triu_indices(len(stimuli), 1)
    triangles, rows, first_roi = [], [], None
    for roi, entry in card["rois"].items():
        squares, subjects = _roi_rdms(entry, base, table, folder)
        file = place(base, names_of(entry)[0])
        field = entry.get("key") or "RDMs"
        own = entry.get("subjects")
        subjects = _names(own or options.get("subjects"), subjects, len(squares), file, field)
        if own and (shared := set(own) & {subject for subject, _ in rows}):
            raise InputError(f"subjects of {roi}", sorted(shared)[0], "subjects of no other ROI", file=file)
        known = [subject for subject, other in rows if other == first_roi]
        if known and not own and subjects != known:
            found = f"{len(subjects)} subjects" if len(subjects) != len(known) else ", ".join(subjects)
            listed = f"{len(known)}" if len(subjects) != len(known) else ", ".join(known)
            expected = f"{listed}, as in {first_roi} (name others as `subjects` of the ROI)"
            raise InputError(field, found, expected, file=file)
        first_roi = first_roi or (None if own else roi)
        triangles.append(squares[:, *upper])
        rows += [(subject, roi) for subject in subjects]
    patterns = stimuli[["stimulus_id", "split"]]
    descriptors = pd.DataFrame(rows, columns=["subject", "roi"])
    return images, stimuli, RDMs(np.concatenate(triangles), descriptors, patterns, options["dissimilarity"])


def _roi_rdms(
    entry: dict, base: Path, table: pd.DataFrame, images: Path
) -> tuple[np.ndarray, list[str] | None]:
    """The RDMs (subjects, n, n) of a ROI in the order of the stimuli; its subjects, if files name them."""
    n, parts, subjects = len(table), [], []
    for name in names_of(entry):
        path, key = place(base, name), entry.get("key")
        found = read_rdms_of_others(path, key, entry.get("select"), n)
        squares = square_rdms(found.values, n, path, key or "RDMs", images)
        rows = row_order(found, table, path)
        if rows is None and found.stimuli:
            warn(f"{path}: the rows have no names of images, and are taken to be in their order")
        elif rows is not None and not (rows == np.arange(n)).all():
            print(f"{path}: rows are put in the order of the images, by their names")
            squares = squares[:, rows][:, :, rows]
        parts.append(squares)
        subjects += found.subjects or [None] * len(squares)
    return np.concatenate(parts), None if None in subjects else subjects


def _names(given: list[str] | None, found: list[str] | None, count: int, file: Path, field: str) -> list[str]:
    """Names of the subjects: those of the card, else of the file, else sub-01, sub-02, ..."""
    names = given or found or [f"sub-{subject:02d}" for subject in range(1, count + 1)]
    if len(names) != count:
        raise InputError(field, f"{count} RDMs", f"{len(names)}, the subjects of the card", file=file)
    if GROUP in names:
        raise InputError(
            field, f"a subject {GROUP!r}", "another name: results use this one for the mean of all", file=file
        )
    if len(set(names)) < count:
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(field, f"subject {twice!r} twice", "one RDM a subject", file=file)
    return names
