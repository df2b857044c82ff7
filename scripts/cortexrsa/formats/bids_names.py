"""Which files of a BIDS folder belong together, by their names alone; nothing is opened here."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cortexrsa.errors import InputError, concerning, suggestion

# entities by which one scan differs from another; all others (echo, part, rec, space, desc, ...) tell
# versions of one scan apart
SCAN = ("ses", "task", "acq", "ce", "dir", "run")
# entities whose values are numbers: 1 and 01 are the same (BIDS 1.10, appendix "Entities")
INDICES = ("run", "echo", "flip", "inv", "split")
# what only processing adds to a name
PROCESSING = ("space", "cohort", "res", "den", "desc", "label", "hemi", "seg", "atlas")
# what the confounds of a run are called by fMRIPrep, now and before version 20.2
CONFOUNDS = ("timeseries", "regressors")


@dataclass(frozen=True)
class RunFiles:
    """Files of one BOLD run.

    Attributes
    ----------
    subject : label
    session : label, or None where the name has none
    label : what tells the run from all others: sub-01_ses-02_dir-AP_run-03, as far as these entities exist
    bold, events : files
    confounds : file beside the BOLD, or None if there is none
    sidecars : JSON files that describe the BOLD, the nearest last
    raw_sidecars : the same of the raw BOLD, where `bold` is made from it
    raw : that BOLD, or None
    """

    subject: str
    session: str | None
    label: str
    bold: Path
    events: Path
    confounds: Path | None
    sidecars: tuple[Path, ...]
    raw_sidecars: tuple[Path, ...] = ()
    raw: Path | None = None


# ---- names -----------------------------------------------------------------------------------------------


def entities_of(path: Path) -> dict[str, str]:
    """Entities in the name of a file, {key: value}; numbers without leading zeros."""
    parts = path.name.split(".")[0].split("_")[:-1]
    entities = dict(part.split("-", 1) for part in parts if "-" in part)
    for key in INDICES:
        if entities.get(key, "").isdecimal():
            entities[key] = str(int(entities[key]))
    return entities


def _suffix(path: Path) -> str:
    return path.name.split(".")[0].rsplit("_", 1)[-1]


def visible(paths: Iterable[Path]) -> Iterator[Path]:
    """Without hidden files, which macOS leaves beside copies (._NAME) and BIDS ignores."""
    return (path for path in paths if not path.name.startswith("."))


def inherited(path: Path, root: Path, suffix: str, extension: str, ignored: Iterable[str] = ()) -> list[Path]:
    """Files that apply to a file by the inheritance principle of BIDS, the nearest last.

    A file applies if it lies in the folder of `path` or in one above, up to `root`, and `path` has all of its
    entities. In one folder the file with more entities is the nearer one.

    Parameters
    ----------
    path : the file they apply to, which need not exist
    root : folder of the data set
    suffix, extension : of the files wanted: events, .tsv
    ignored : keys of entities that need not agree

    Raises
    ------
    InputError : two files of one folder that apply equally.
    """
    own = entities_of(path)
    found = []
    for place in reversed(path.parents):
        if place != root and root not in place.parents:
            continue
        here = []
        for other in visible(place.glob(f"*{suffix}{extension}")):
            entities = {key: value for key, value in entities_of(other).items() if key not in ignored}
            if _suffix(other) == suffix and entities.items() <= own.items():
                here.append((len(entities), other))
        here.sort()
        for (count, first), (other_count, second) in zip(here, here[1:], strict=False):
            if count == other_count:
                found_two = f"{first.name} and {second.name}, which apply to {path.name} alike"
                raise InputError(suffix, found_two, "one of them", file=place)
        found += [other for _, other in here]
    return found


def scan_key(entities: dict[str, str]) -> tuple:
    """What two versions of one scan share."""
    return tuple(entities.get(key) for key in SCAN)


def _order(entities: dict[str, str]) -> tuple:
    """Key of the order of runs: sessions, then runs, numbers as numbers."""
    values = [entities.get(key, "") for key in ("ses", "run", *SCAN)]
    return tuple(
        tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", value))
        for value in values
    )


# ---- subjects and runs -----------------------------------------------------------------------------------


def subject_labels(folder: str | Path, options: dict) -> list[str]:
    """Labels of the subjects: those of `options`, or all that have a folder.

    Raises
    ------
    InputError : no such folder, no subjects in it, or one of those named is not there.
    """
    place = Path(folder).expanduser()
    if not place.is_dir():
        raise InputError("path", f"no folder {folder}", "a BIDS folder")
    present = sorted(path.name.removeprefix("sub-") for path in place.glob("sub-*") if path.is_dir())
    if not present:
        raise InputError("path", f"no folder sub-* in {folder}", "a BIDS folder")
    subjects = options.get("subjects") or present
    for index, subject in enumerate(subjects):
        if subject not in present:
            raise InputError(f"options.subjects[{index}]", repr(subject), suggestion(subject, present))
    return list(subjects)


def runs_of_all(folder: str | Path, options: dict) -> tuple[dict[str, list[RunFiles]], list[str]]:
    """Runs of every subject, and what was left out.

    Parameters
    ----------
    folder : BIDS folder
    options : of the card: task; subjects, sessions (labels; None for all), derivatives (folder below it in
        which the preprocessed BOLD and its confounds lie, None for raw BOLD), space, desc, entities (of the
        BOLD; a value None stands for names without the entity), incomplete (refuse, or skip what is)

    Returns
    -------
    runs : {subject: its runs in the order of sessions and runs}; subjects without any are left out
    skipped : one sentence for each thing that was left out

    Raises
    ------
    InputError : no runs; two files for one run; and, unless they are skipped, a subject without runs, a run
        without events, events without a run, or raw BOLD without a preprocessed version.
    """
    runs, skipped = {}, []
    with concerning(folder):
        subjects = subject_labels(folder, options)
    for subject in subjects:
        try:
            runs[subject], notes = _runs_of(Path(folder), subject, options)
        except _NoRuns as error:
            if options["incomplete"] == "refuse":
                raise
            notes = [f"sub-{subject} is left out: {error.found}"]
        skipped += notes
        if not runs.get(subject):
            runs.pop(subject, None)
    if not runs:
        found = f"none that is complete ({skipped[0]})"
        raise InputError("runs", found, "BOLD with events", file=folder)
    return runs, skipped


class _NoRuns(InputError):
    """A subject has no BOLD of the kind wanted."""


def _runs_of(folder: Path, subject: str, options: dict) -> tuple[list[RunFiles], list[str]]:
    """Runs of one subject, and what was left out."""
    chosen = {key: options[key] for key in ("task", "space", "desc") if options[key]} | options["entities"]
    raw_chosen = {key: value for key, value in chosen.items() if key not in PROCESSING}
    raw = _scans(folder, subject, "bold", ".nii*", raw_chosen, options["sessions"])
    processed = options["derivatives"] is not None
    if processed:
        source = folder / options["derivatives"]
        if not source.is_dir():
            raise InputError("derivatives", "no such folder", "the preprocessed BOLD", file=source)
        bold = _scans(source, subject, "bold", ".nii*", chosen, options["sessions"])
    else:
        source = folder
        bold = [path for path in raw if entities_of(path).keys().isdisjoint(set(PROCESSING) - set(chosen))]
    described = ", ".join(f"{key}-{value}" if value else f"no {key}" for key, value in chosen.items())
    if not bold:
        sessions = options["sessions"]
        found = f"no BOLD of {described}" + (f" in sessions {', '.join(sessions)}" if sessions else "")
        expected = "func/*_bold.nii.gz (options.incomplete: skip leaves the subject out)"
        raise _NoRuns("runs", found, expected, file=source / f"sub-{subject}")
    scans = _by_scan(bold)
    faults = []
    if processed:
        unprocessed = [path.name for path in raw if scan_key(entities_of(path)) not in scans]
        faults += [
            (source / f"sub-{subject}", f"no preprocessed BOLD ({described}) of {name}")
            for name in dict.fromkeys(unprocessed)
        ]
    runs = []
    for path in scans.values():
        if run := _run_of(path, subject, folder, source, raw if processed else None):
            runs.append(run)
        else:
            faults.append(((folder / path.relative_to(source)).parent, f"no events of {path.name}"))
    # events of raw BOLD that is not preprocessed are told of already
    wanted = [entities_of(path) for path in [*scans.values(), *raw]]
    for path in _scans(folder, subject, "events", ".tsv", raw_chosen, options["sessions"], strict=False):
        if not any(entities_of(path).items() <= entities.items() for entities in wanted):
            faults.append((path, f"events without BOLD ({described}), {path.name}"))
    if faults and options["incomplete"] == "refuse":
        more = f" (and {len(faults) - 1} more like it)" if len(faults) > 1 else ""
        place, found = faults[0]
        expected = "BOLD with events for every run (options.incomplete: skip leaves out what is incomplete)"
        raise InputError("runs", found + more, expected, file=place)
    runs.sort(key=lambda run: _order(entities_of(run.bold)))
    return runs, [f"sub-{subject}: {found}: left out" for _, found in faults]


def _run_of(path: Path, subject: str, folder: Path, source: Path, raw: list[Path] | None) -> RunFiles | None:
    """The run of a BOLD file, or None where it has no events.

    Parameters
    ----------
    path, source : of the BOLD, and the folder below which it has its place
    subject, folder : label, and BIDS folder
    raw : raw BOLD of the subject, if `path` is preprocessed; else None
    """
    raw_path = folder / path.relative_to(source)
    events = inherited(raw_path, folder, "events", ".tsv")
    if not events and raw is not None:
        events = inherited(path, source, "events", ".tsv")
    if not events:
        return None
    key = scan_key(entities_of(path))
    return RunFiles(
        subject,
        entities_of(path).get("ses"),
        _label_of(path),
        path,
        events[-1],
        _confounds_of(path),
        tuple(inherited(path, source, "bold", ".json")),
        () if raw is None else tuple(inherited(raw_path, folder, "bold", ".json")),
        next((other for other in raw or () if scan_key(entities_of(other)) == key), None),
    )


def _by_scan(bold: list[Path]) -> dict[tuple, Path]:
    """BOLD files by the scan that they are of.

    Raises
    ------
    InputError : two files of one scan, with what would choose between them.
    """
    scans: dict[tuple, Path] = {}
    for path in bold:
        key = scan_key(entities_of(path))
        if key in scans:
            found = f"two files for one run, {scans[key].name} and {path.name}"
            raise InputError("runs", found, _choice(scans[key], path), file=path.parent)
        scans[key] = path
    return scans


def _label_of(path: Path) -> str:
    """What tells a subject's run from the others, as its name has it."""
    written = dict(part.split("-", 1) for part in path.name.split("_")[:-1] if "-" in part)
    return "_".join(f"{key}-{written[key]}" for key in ("sub", *SCAN) if key in written and key != "task")


def _scans(
    root: Path,
    subject: str,
    suffix: str,
    extension: str,
    chosen: dict,
    sessions: list[str] | None,
    strict: bool = True,
) -> list[Path]:
    """Files of a subject with the suffix and the entities chosen, in the order of their names.

    If not `strict`, an entity that the name lacks may have any value.
    """
    found = []
    for place in [f"sub-{subject}/func", f"sub-{subject}/ses-*/func"]:
        for path in visible(root.glob(f"{place}/*_{suffix}{extension}")):
            entities = entities_of(path)
            fits = all(
                (not strict and key not in entities) or entities.get(key) == _index(key, value)
                for key, value in chosen.items()
            )
            if fits and (not sessions or entities.get("ses") in sessions) and _suffix(path) == suffix:
                found.append(path)
    return sorted(found)


def _index(key: str, value: str | None) -> str | None:
    return str(int(value)) if key in INDICES and value and value.isdecimal() else value


def _choice(first: Path, second: Path) -> str:
    """What in a card tells two versions of a run apart."""
    a, b = entities_of(first), entities_of(second)
    keys = [key for key in dict.fromkeys([*a, *b]) if a.get(key) != b.get(key)]
    if not keys:
        return "one"
    options = [f"options.{key}" if key in ("space", "desc") else f"options.entities.{key}" for key in keys]
    return f"one ({' or '.join(options)} chooses)"


def _confounds_of(bold: Path) -> Path | None:
    """The confounds beside a BOLD file, as fMRIPrep names them."""
    own = entities_of(bold)
    found = []
    for suffix in CONFOUNDS:
        for path in visible(bold.parent.glob(f"*desc-confounds_{suffix}.tsv")):
            entities = entities_of(path)
            entities.pop("desc")
            if entities.items() <= own.items():
                found.append((len(entities), path))
    return max(found)[1] if found else None


# ---- ROIs and labels -------------------------------------------------------------------------------------


def roi_files(folder: str | Path, place: dict, subject: str) -> list[Path]:
    """Masks or atlases of a ROI; `{subject}` in a name stands for the subject's label. None for a union."""
    names = place.get("mask", place.get("atlas", []))
    names = [names] if isinstance(names, str) else names
    return [Path(folder) / name.replace("{subject}", subject) for name in names]


def label_tables(atlas: Path, place: dict, folder: str | Path, subject: str) -> Iterator[Path]:
    """Files that may name the labels of an atlas, the likeliest first.

    That of the card; or a table called like the atlas, any `*dseg.tsv` that applies to it, its JSON file.
    """
    if place.get("labels"):
        yield Path(folder) / place["labels"].replace("{subject}", subject)
        return
    stem = atlas.name.split(".")[0]
    yield atlas.with_name(stem + ".tsv")
    root = Path(folder) if Path(folder) in atlas.parents else atlas.parent
    yield from reversed(inherited(atlas, root, "dseg", ".tsv", ignored=("desc", "res", "space")))
    yield atlas.with_name(stem + ".json")


def matching(patterns: Iterable[str], names: Iterable[str]) -> dict[str, list[str]]:
    """{pattern: the names it matches}; * and ? stand for any characters, [0-5] for one of them."""
    names = list(names)
    return {pattern: [name for name in names if fnmatch.fnmatchcase(name, pattern)] for pattern in patterns}
