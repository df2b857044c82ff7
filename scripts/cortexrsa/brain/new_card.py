"""Write the card of a data set: its layout recognised, or its parts found by looking at the folder."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd

from cortexrsa.brain.field_cards import DECIDE, field_card, quoted, recognised, roi_label
from cortexrsa.brain.survey import (
    HEMISPHERE,
    SESSION,
    SUBJECT,
    Array,
    Survey,
    Trials,
    labels_of,
    look,
    pattern_of,
)
from cortexrsa.errors import InputError

VALUES = 2  # fewest dimensions of betas
GLMSINGLE = "TYPED_FITHRF_GLMDENOISE_RR"


def card_text(folder: Path, cards: Path, subject: str | None = None) -> str:
    """The card of the data set in a folder, with what could not be decided as comments.

    Parameters
    ----------
    folder : of the data set
    cards : folder of the cards of this project, the templates
    subject : whose, where a card holds one person

    Raises
    ------
    InputError : no such folder; nothing in it that could be a data set; no such subject; a pickled result of
        GLMsingle (with how to save it as HDF5).
    """
    if not folder.is_dir():
        raise InputError("folder", "no such folder", "the folder of a data set", file=folder)
    if layout := recognised(folder):
        return field_card(folder, layout, cards, subject)
    if subject is not None:
        raise InputError("--subject", repr(subject), "a folder of NSD or Algonauts 2023", file=folder)
    return _own(folder, look(folder))


def _own(folder: Path, found: Survey) -> str:
    """The card of a lab's own folder, part by part."""
    values, table, axis = _betas(folder, found)
    lines = [
        "# Written by scripts/new_dataset_card.py; please edit what is left to decide.",
        f"description: {DECIDE}",
        f"citation: {DECIDE}",
        f"licence: {DECIDE}",
        "loader: responses",
        f"path: {quoted(folder)}",
        *_rois(folder, found, values),
        "options:",
        *_subjects(values),
        *_values(found, values, axis),
        *_trials(table),
        *_stimuli(found, table),
        *_splits(table),
    ]
    for name, why in found.unread.items():
        lines.append(f"# Not read: {name} ({why})")
    return "\n".join(lines) + "\n"


def _betas(folder: Path, found: Survey) -> tuple[Array, Trials | None, int | None]:
    """The array that has a row a trial of some table; the table; the axis of the trials."""
    glmsingle = [array for array in found.arrays if array.key == "betasmd"]
    pickled = [name for name in found.pickled if Path(name).stem.startswith("TYPE")]
    if pickled and not glmsingle:
        load = "numpy.load('FILE.npy', allow_pickle=True).item()['betasmd']"
        how = f"an HDF5 file: h5py.File('FILE.hdf5', 'w')['betasmd'] = {load}, for a file of your own making"
        raise InputError("file", "a pickled result of GLMsingle", how, file=folder / pickled[0])
    arrays = [a for a in found.arrays if len(a.shape) >= VALUES and a.dtype.kind in "iuf"]
    # GLMsingle's final model first, then what is largest
    arrays.sort(key=lambda a: (a.key != "betasmd", GLMSINGLE not in a.file, -_size(a)))
    if not arrays:
        expected = "an array of betas: .npy, .npz, .h5, .nii.gz (trials by voxels, or volumes)"
        raise InputError("betas", "no array of two dimensions or more", expected, file=folder)
    for array in arrays:
        for table in found.tables:
            axes = [axis for axis in range(len(array.shape)) if array.trials(axis) == table.rows]
            if axes:
                return array, table, axes[0] if len(axes) == 1 else None
    return arrays[0], None, None


def _size(array: Array) -> int:
    total = 1
    for length in array.shape:
        total *= length
    return total


def _rois(folder: Path, found: Survey, values: Array) -> list[str]:
    """Label images and masks, with the names that a table beside them gives."""
    grid = sorted(n for n in values.shape)
    lines = []
    for name, (shape, codes) in _of_hemispheres(found, values).items():
        fits = all(length in grid for length in shape)
        note = (
            ""
            if fits or len(values.shape) == 2
            else f"  # {DECIDE}: its grid {shape} is not that of the betas"
        )
        if len(codes) == 1:
            lines.append(f"  {roi_label(_stem(name))}: {{mask: {_flow(name)}}}{note}")
        else:
            names = _names_of_codes(folder / name)
            for code in codes:
                label = roi_label(names.get(code, f"label{code}"))
                unnamed = "" if code in names else f"  # {DECIDE}: its name"
                lines.append(f"  {label}: {{atlas: {_flow(name)}, label: {code}}}{note or unnamed}")
    if not lines:
        lines = [f"  all: {{whole: true}}  # {DECIDE}: no masks or label images were found"]
    flat = len(values.shape) == 2 and found.labels
    extra = (
        [f"# {DECIDE}: the betas are flat, so options.voxels has to say which voxel of the volume each is"]
        if flat
        else []
    )
    return ["rois:", *lines, *extra]


def _of_hemispheres(found: Survey, values: Array) -> dict[str, tuple[tuple[int, ...], list[int]]]:
    """Label images; those of two hemispheres are one, where the betas are."""
    if "{hemisphere}" not in values.file:
        return found.labels
    joined = {}
    for name, (shape, codes) in found.labels.items():
        before = joined.get(pattern_of(name), (shape, []))[1]
        joined[pattern_of(name)] = (shape, sorted({*before, *codes}))
    return joined


def _names_of_codes(path: Path) -> dict[int, str]:
    """Names of labels in a .ctab, .tsv or .json called like the image."""
    stem = path.with_name(_stem(path.name))
    if (table := stem.with_suffix(".ctab")).is_file():
        rows = [line.split()[:2] for line in table.read_text().splitlines()]
        return {int(row[0]): row[1] for row in rows if len(row) == 2 and row[0].isdigit()}
    if (table := stem.with_suffix(".tsv")).is_file():
        rows = pd.read_csv(table, sep="\t", dtype=str)
        if {"index", "name"} <= set(rows):
            return {int(code): name for code, name in zip(rows["index"], rows["name"], strict=True)}
    return {}


def _subjects(values: Array) -> list[str]:
    lines = []
    if "{subject}" in values.file:
        lines.append(f"  subjects: {json.dumps(labels_of(values.files, SUBJECT))}")
    if "{session}" in values.file:
        sessions = labels_of(values.files, SESSION)
        lines.append(f"  sessions: null  # {len(sessions)} are there: {sessions[0]} to {sessions[-1]}")
    if "{hemisphere}" in values.file:
        lines.append(f"  hemispheres: {json.dumps(labels_of(values.files, HEMISPHERE))}")
    return lines


def _values(found: Survey, values: Array, trial: int | None) -> list[str]:
    lines = ["  values:", f"    file: {_flow(values.file)}"]
    if values.key is not None:
        lines.append(f"    key: {_flow(values.key)}")
    lines.append(_axes(found, values, trial))
    if values.dtype.kind in "iu":
        lines.append(
            f"    # scale: 1/300  # {DECIDE}: {values.dtype}, what is one unit? (1: as it is; NSD: 1/300)"
        )
    lines.append(
        f"    # found: {values.dtype} {values.shape}"
        + (" in the first file" if len(values.files) > 1 else "")
    )
    return lines


def _axes(found: Survey, values: Array, trial: int | None) -> str:
    """The line on the axes; commented out where two orders would do."""
    if trial is None:
        why = (
            "no table has a row a trial"
            if len(values.shape) > VALUES
            else "which of the two is that of the trials?"
        )
        names = "[trial, voxel]" if len(values.shape) == 2 else "[x, y, z, trial]"
        return f"    # axes: {names}  # {DECIDE}: {why}"
    if len(values.shape) == 2:
        return "    axes: [trial, voxel]" if trial == 0 else "    axes: [voxel, trial]"
    grid = tuple(length for axis, length in enumerate(values.shape) if axis != trial)
    grids = {shape for shape, _ in found.labels.values()}
    order = [name for name, fits in (("xyz", grid in grids), ("zyx", grid[::-1] in grids)) if fits]
    names = list(order[0] if order else "xyz")
    names.insert(trial, "trial")
    line = f"    axes: [{', '.join(names)}]"
    if len(order) == 2:
        return f"{line}  # {DECIDE}: z, y, x would fit as well"
    return line if order else f"{line}  # {DECIDE}: no label image has this grid"


def _trials(table: Trials | None) -> list[str]:
    if table is None:
        return [
            f"  # trials: {{file: trials.csv}}  # {DECIDE}: no table has as many rows as an axis of the betas"
        ]
    if table.columns is None:
        return [f"  trials: {{file: {_flow(table.file)}}}  # a stimulus a line"]
    lines = ["  trials:", f"    file: {_flow(table.file)}"]
    column = next((c for c in ("stimulus_id", "stimulus", "label") if c in table.columns), None)
    if column is None:
        lines.append(
            f"    # column: ...  # {DECIDE}: which of {', '.join(table.columns)} names the stimulus?"
        )
    elif column != "stimulus_id":
        lines.append(f"    column: {column}")
    if "session" not in table.columns:
        lines.append(f"    # session: ...  # {DECIDE}: without it all trials are z-scored as one session")
    return lines


def _stimuli(found: Survey, table: Trials | None) -> list[str]:
    """The folder, archive or array of the images; stimuli without one are told."""
    lines = ["  stimuli:"]
    if found.images:
        place = max(found.images, key=lambda name: len(found.images[name]))
        names = set(found.images[place])
        lines += [f"    images: {_flow(place)}", "    size: 224"]
        known = names | {Path(name).stem for name in names}
        absent = sorted({name for name in (table.ids if table else ()) if name not in known})
        if absent:
            lines.append(
                f"    # {DECIDE}: {len(absent)} stimuli have no image of their name, first {absent[0]!r}"
            )
        return lines
    if found.stacks:
        stack = found.stacks[0]
        lines.append(f"    images: {_flow(stack.file)}")
        if stack.key is not None:
            lines.append(f"    key: {_flow(stack.key)}")
        return [
            *lines,
            f"    # base: 0  # {DECIDE}: does the first image have the number 0 or 1?",
            "    size: 224",
        ]
    return ["  # stimuli: {images: images}  # " + f"{DECIDE}: no images were found"]


def _splits(table: Trials | None) -> list[str]:
    if table is not None and table.columns is not None and "split" in table.columns:
        return ["  # train and test are those of the column split"]
    return [
        "  splits:  # layers are chosen on train and scored on test",
        "    train: {rest: true}",
        "    test: {fraction: 0.3}",
    ]


def _stem(name: str) -> str:
    return re.sub(r"\.(nii|mgz|mgh)(\.gz)?$", "", Path(name).name)


def _flow(text: str) -> str:
    """Text in a YAML line, in quotes where they are needed."""
    return text if re.fullmatch(r"[A-Za-z_./][\w./-]*", text) else json.dumps(text, ensure_ascii=False)
