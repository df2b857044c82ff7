"""Cards of the field's data sets from a folder: the project's own card is the template."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import yaml

from cortexrsa.errors import InputError, suggestion

DECIDE = "TO DECIDE"


@dataclass(frozen=True)
class Layout:
    """A layout of the field, whose card is the template.

    Attributes
    ----------
    card : name in resources/datasets
    signs : patterns below the folder, each of which must match a file
    subjects : pattern of files or folders, one a subject, and a regular expression whose group is the name
    single : whether a card holds one subject
    """

    card: str
    signs: tuple[str, ...]
    subjects: tuple[str, str]
    single: bool = False


LAYOUTS = (
    Layout(
        "nsd",
        ("nsddata_betas/ppdata/subj*/func1pt8mm/*/*betas_session*",),
        ("nsddata_betas/ppdata/subj*", r"(subj\d+)$"),
        single=True,
    ),
    Layout(
        "things_fmri",
        ("betas_csv/sub-*_ResponseData.h5",),
        ("betas_csv/sub-*_ResponseData.h5", r"sub-(\w+)_ResponseData.h5$"),
    ),
    Layout(
        "bold5000", ("CSI*_GLMbetas-*_ses-*.nii.gz",), ("CSI*_GLMbetas-*_ses-*.nii.gz", r"(CSI\d)_GLMbetas")
    ),
    Layout(
        "algonauts2023",
        ("subj*/training_split/training_fmri/lh_training_fmri.npy",),
        ("subj*/training_split", r"(subj\d+)/training_split$"),
        single=True,
    ),
    Layout(
        "laion_fmri",
        ("derivatives/glmsingle-tedana/sub-*/ses-*/func/*SingletrialBetas_statmap.nii.gz",),
        ("derivatives/glmsingle-tedana/sub-*", r"(sub-\w+)$"),
    ),
    Layout("brainscore", ("assy_*.nc",), ("", "")),
)


def recognised(folder: Path) -> Layout | None:
    """The layout of a folder, by the files that no other layout has."""
    return next((one for one in LAYOUTS if all(any(folder.glob(sign)) for sign in one.signs)), None)


def field_card(folder: Path, layout: Layout, cards: Path, subject: str | None) -> str:
    """The card of a recognised folder: the template with what is there, and what is missing as comments.

    Parameters
    ----------
    folder : of the data set
    layout : from `recognised`
    cards : folder of the templates
    subject : whose; None for the first, or for all where a card holds several

    Raises
    ------
    InputError : no such subject.
    """
    text = (cards / f"{layout.card}.yaml").read_text(encoding="utf-8")
    if layout.card == "brainscore":
        return _assembly(folder, text)
    return _filled(folder, layout, text, subject)


def _filled(folder: Path, layout: Layout, text: str, subject: str | None) -> str:
    """The template with the folder and the subjects that are there, and what is missing as comments."""
    pattern, expression = layout.subjects
    places = sorted(path.as_posix() for path in folder.glob(pattern))
    there = sorted({match[1] for place in places if (match := re.search(expression, place))})
    if subject is not None and subject not in there:
        raise InputError("--subject", repr(subject), suggestion(subject, there), file=folder)
    chosen = [subject or there[0]] if layout.single else [subject] if subject else there
    names = ", ".join(f'"{name}"' if name.isdigit() else name for name in chosen)
    text = _with_line(text, "path: ", quoted(folder))
    text = _with_line(text, "  subjects: ", f"[{names}]")
    text = text.replace("(here subj01)", f"(here {chosen[0]})")
    notes = [f"Written by scripts/new_dataset_card.py from the card {layout.card}; please read it through."]
    if layout.single and len(there) > 1:
        notes.append(f"Also there: {', '.join(name for name in there if name != chosen[0])} (--subject).")
    if layout.card == "nsd":
        text = _betas_of_nsd(folder, text, chosen[0], notes)
    text, missing = _without_absent(folder, text)
    return _noted(text, notes + missing)


def _betas_of_nsd(folder: Path, text: str, subject: str, notes: list[str]) -> str:
    """The card with the version of the betas that is there, as HDF5 or NIfTI, where the usual one is not."""
    place = folder / f"nsddata_betas/ppdata/{subject}/func1pt8mm"
    usual = "betas_fithrf_GLMdenoise_RR"
    there = sorted({path.parent.name for path in place.glob("*/betas_session*")})
    if usual not in there:
        notes.append(f"{DECIDE}: {usual} is not there; taken is {there[0]} of {', '.join(there)}")
        text = text.replace(f"/{usual}/", f"/{there[0]}/")
        usual = there[0]
    if not any(place.glob(f"{usual}/betas_session*.hdf5")):
        hdf5 = '.hdf5"\n    key: betas\n    axes: [trial, z, y, x]'
        text = text.replace(hdf5, '.nii.gz"\n    axes: [x, y, z, trial]')
    return text


def _without_absent(folder: Path, text: str) -> tuple[str, list[str]]:
    """The card with ROIs whose files or columns are not there as comments; sentences on what is missing."""
    card = yaml.safe_load(text)
    options, notes = card["options"], []
    for part in (options["values"], options["trials"], options["stimuli"], options.get("voxels", {})):
        for key in ("file", "images", "table"):
            notes += [f"Not found: {name}" for name in _absent(folder, part.get(key), options)]
    sessions = _globs(options["values"]["file"], options) if "{session}" in options["values"]["file"] else []
    notes += [f"{len(list(folder.glob(name)))} sessions: {name}" for name in sessions]
    columns = _columns(folder, options)
    for roi, place in card["rois"].items():
        absent = [
            name
            for key in ("atlas", "mask", "labels")
            if not isinstance(place.get(key), dict)
            for name in _absent(folder, place.get(key), options)
        ]
        wanted = place.get("column", [])
        if columns is not None:
            absent += sorted({wanted} - columns if isinstance(wanted, str) else set(wanted) - columns)
        if absent:
            notes.append(f"Left out: {roi}, for lack of {', '.join(absent)}")
            block = re.search(rf"(?m)^  {re.escape(roi)}:.*\n(?:    .*\n)*", text)[0]
            text = text.replace(block, re.sub(r"(?m)^  ", "  # ", block), 1)
    return text, notes


def _globs(name: str, options: dict) -> list[str]:
    """Patterns of the files that a name of the card stands for, one a subject."""
    name = re.sub(r"\{(session|hemisphere|run)\}", "*", name)
    return list(dict.fromkeys(name.replace("{subject}", subject) for subject in options["subjects"]))


def _absent(folder: Path, names: str | list[str] | None, options: dict) -> list[str]:
    """Those of the files of an entry that are not there."""
    names = [names] if isinstance(names, str) else names or []
    return [glob for name in names for glob in _globs(name, options) if not any(folder.glob(glob))]


def _columns(folder: Path, options: dict) -> set[str] | None:
    """Columns of the tables of voxels that all subjects have."""
    tables = [folder / name for name in _globs(options.get("voxels", {}).get("table", ""), options) if name]
    if not tables or not all(path.is_file() for path in tables):
        return None
    return set.intersection(*(set(pd.read_csv(path, nrows=0).columns) for path in tables))


def _with_line(text: str, start: str, value: str) -> str:
    """The text with another value in the one line that begins so."""
    return re.sub(rf"(?m)^{start}.*$", lambda _: start + value, text)


def _noted(text: str, notes: list[str]) -> str:
    return "".join(f"# {note}\n" for note in notes) + text


def quoted(path: Path) -> str:
    """A path as YAML has it."""
    return json.dumps(str(path.resolve()), ensure_ascii=False)


def _assembly(folder: Path, text: str) -> str:
    """The template with the names, subjects and regions that the assembly itself has."""
    import xarray

    files = sorted(folder.glob("assy_*.nc"))
    notes = ["Written by scripts/new_dataset_card.py from the card brainscore; please read it through."]
    if len(files) > 1:
        notes.append(f"Also there: {', '.join(path.name for path in files[1:])}")
    with xarray.open_dataset(files[0], engine="h5netcdf") as assembly:
        identifier = assembly["data"].attrs.get("stimulus_set_identifier", assembly.attrs.get("identifier"))
        names = {
            name: sorted(map(str, pd.unique(assembly[name].values)))
            for name in ("subject", "region")
            if name in assembly.variables
        }
    text = text.replace("assy_NAME.nc", files[0].name)
    stimuli = sorted(folder.glob("stimulus_*.csv"))
    stem = stimuli[0].stem if stimuli else f"stimulus_{identifier}"
    text = text.replace("stimulus_NAME", stem)
    notes += [
        f"Not found: {stem}{suffix}"
        for suffix in (".csv", ".zip")
        if not (folder / f"{stem}{suffix}").is_file()
    ]
    if "subject" in names:
        text = _with_line(text, "  subjects: ", json.dumps(names["subject"]))
    if "region" in names:
        rois = "".join(
            f"  {roi_label(name)}: {{column: region, value: {json.dumps(name)}}}\n"
            for name in names["region"]
        )
        text = re.sub(r"(?m)^rois:\n(?:  .*\n)+", f"rois:\n{rois}", text)
    notes += [
        f"{DECIDE}: the assembly has no coordinate {name}"
        for name in ("subject", "region")
        if name not in names
    ]
    return _noted(_with_line(text, "path: ", quoted(folder)), notes)


def roi_label(name: str) -> str:
    """A name as ROIs may have it."""
    cleaned = re.sub(r"[^A-Za-z0-9_-]+", "_", str(name)).strip("_-")
    return cleaned or "roi"
