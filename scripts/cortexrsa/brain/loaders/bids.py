"""BIDS folders: BOLD runs with their times and headers, checked where they enter."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from cortexrsa.brain.loaders.bids_rois import roi_masks
from cortexrsa.brain.loaders.bids_tables import EventSettings, read_confounds, read_events
from cortexrsa.brain.loaders.nifti import check_grid, fingerprint, gzip_mark, open_bold, read_volumes
from cortexrsa.errors import InputError, reason
from cortexrsa.formats.bids_names import RunFiles, matching, runs_of_all

TR_TOLERANCE = 1e-3  # seconds; headers hold float32
LONGEST_TR = 100  # seconds; what is longer is in milliseconds
REFERENCE_TOLERANCE = 0.05  # of a TR, between a setting and a sidecar


@dataclass(frozen=True)
class Run(RunFiles):
    """One BOLD run with what its header and sidecars say.

    Attributes
    ----------
    tr : seconds
    scans : number of volumes
    start : seconds after the start of a volume to which its slices were corrected (StartTime), or None
    corrected : whether the sidecars say that slices were corrected (SliceTimingCorrected)
    """

    tr: float = 0.0
    scans: int = 0
    start: float | None = None
    corrected: bool = False


# ---- runs ------------------------------------------------------------------------------------------------


def find_runs(folder: str | Path, options: dict) -> list[Run]:
    """Runs of all subjects, in the order of sessions and runs.

    Parameters
    ----------
    folder : BIDS folder
    options : of the card, see `bids_names.runs_of_all`; also repetition_time (seconds, which headers and
        sidecars are then not asked for; None)

    Raises
    ------
    InputError : see `bids_names.runs_of_all`; a header or sidecar that cannot be read; a TR that is missing,
        differs between header and sidecar, or between runs; a StartTime outside of the TR.
    """
    files, _ = runs_of_all(folder, options)
    runs = [_with_header(run, options["repetition_time"]) for own in files.values() for run in own]
    for run in runs[1:]:
        if abs(run.tr - runs[0].tr) > TR_TOLERANCE:
            expected = f"{runs[0].tr:g} s, as in {runs[0].bold.name}"
            raise InputError("RepetitionTime", f"{run.tr:g} s", expected, file=run.bold)
    return runs


def _with_header(files: RunFiles, repetition_time: float | None) -> Run:
    image = open_bold(files.bold)
    raw, own = (_described(paths) for paths in (files.raw_sidecars, files.sidecars))
    tr = repetition_time or _repetition_time(files, raw | own, image.header)
    # what the raw sidecars say of slices is not true of what was made from them
    start, corrected = own.get("StartTime"), own.get("SliceTimingCorrected", False)
    if start is not None and not (_is_number(start) and -TR_TOLERANCE <= start <= tr + TR_TOLERANCE):
        raise InputError(
            "StartTime", repr(start), f"seconds from 0 to the TR, {tr:g}", file=files.sidecars[-1]
        )
    if not isinstance(corrected, bool):
        raise InputError("SliceTimingCorrected", repr(corrected), "true or false", file=files.sidecars[-1])
    fields = {field.name: getattr(files, field.name) for field in dataclasses.fields(RunFiles)}
    return Run(**fields, tr=tr, scans=image.shape[3], start=start, corrected=corrected)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value)


def _described(sidecars: tuple[Path, ...]) -> dict:
    """What the sidecars say together; the nearest, which is the last, wins."""
    described = {}
    for path in sidecars:
        try:
            content = json.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError) as error:
            raise InputError("JSON", reason(error), "a sidecar as BIDS has it", file=path) from error
        if not isinstance(content, dict):
            raise InputError("JSON", f"a {type(content).__name__}", "an object, as BIDS has it", file=path)
        time = content.get("RepetitionTime")
        if time is not None and not (_is_number(time) and 0 < time < LONGEST_TR):
            raise InputError("RepetitionTime", repr(time), f"seconds, below {LONGEST_TR}", file=path)
        described |= content
    return described


def _repetition_time(files: RunFiles, described: dict, header: nib.Nifti1Header) -> float:
    """TR in seconds of the sidecars, or else of the header; they must not contradict each other."""
    named = described.get("RepetitionTime")
    if named is None and described.get("VolumeTiming") is not None:
        found = "VolumeTiming without RepetitionTime"
        raise InputError("RepetitionTime", found, "volumes at equal distances in time", file=files.bold)
    units = header.get_xyzt_units()[1]
    stored = float(header.get_zooms()[3]) * {"msec": 1e-3, "usec": 1e-6}.get(units, 1.0)
    hint = "(options.repetition_time gives it for all runs)"
    if named is None and stored <= 0:
        raise InputError("RepetitionTime", "none in sidecars or header", f"seconds {hint}", file=files.bold)
    if named is None and stored >= LONGEST_TR:
        raise InputError("RepetitionTime", f"{stored:g} s in the header", f"seconds {hint}", file=files.bold)
    if named is None:
        return stored
    # a header that names no unit may hold milliseconds
    fits = [stored] + [stored / 1000] * (units == "unknown")
    if stored > 0 and min(abs(value - named) for value in fits) > TR_TOLERANCE:
        found = f"{stored:g} s in the header, {named:g} s in the sidecar"
        raise InputError("RepetitionTime", found, f"one TR {hint}", file=files.bold)
    return float(named)


def slice_time_ref(run: Run, setting: float | None) -> float:
    """Part of a TR that the volumes' times lie after their starts, in [0, 1].

    Parameters
    ----------
    run : from `find_runs`
    setting : glm.slice_time_ref; None for what the sidecars say (StartTime), or 0 if they say nothing

    Raises
    ------
    InputError : setting and StartTime contradict each other, or the slices were corrected to a time that is
        nowhere said.
    """
    if run.start is None:
        if setting is None and run.corrected:
            expected = "also StartTime, or glm.slice_time_ref (0.5: slices corrected to the middle)"
            raise InputError("sidecar", "SliceTimingCorrected without StartTime", expected, file=run.bold)
        return setting or 0.0
    reference = float(np.clip(run.start / run.tr, 0, 1))
    if setting is not None and abs(setting - reference) > REFERENCE_TOLERANCE:
        found = f"StartTime {run.start:g} s, {reference:.2f} of the TR"
        raise InputError(
            "sidecar", found, f"{setting:g}, as glm.slice_time_ref says, or null there", file=run.bold
        )
    return reference


# ---- all of a subject but its volumes -------------------------------------------------------------------


@dataclass(frozen=True)
class Subject:
    """What the small files and the headers of a subject say.

    Attributes
    ----------
    runs : in the order of sessions and runs
    masks : {roi: (x, y, z) bool}
    affine : of all runs and masks
    events, confounds : of each run, see `bids_tables`; confounds None where the card wants none
    warnings : sentences
    """

    runs: list[Run]
    masks: dict[str, np.ndarray]
    affine: np.ndarray
    events: list[pd.DataFrame]
    confounds: list[pd.DataFrame | None]
    warnings: list[str]


def read_subject(folder: str | Path, rois: dict[str, dict], options: dict, runs: list[Run]) -> Subject:
    """All that is needed of a subject but the data of the BOLD, checked.

    Parameters
    ----------
    folder, rois, options : of the card
    runs : of one subject, from `find_runs`

    Raises
    ------
    InputError : see `bids_tables.read_events`, `bids_tables.read_confounds`, `bids_rois.roi_masks`; runs on
        different grids.
    """
    first = open_bold(runs[0].bold)
    for run in runs[1:]:
        check_grid(open_bold(run.bold), first, run.bold, runs[0].bold)
    settings = EventSettings(**options["events"])
    events = [read_events(run, settings, run.scans * run.tr) for run in runs]
    wanted = options["confounds"]
    confounds = [read_confounds(run, wanted, run.scans) if wanted else None for run in runs]
    masks, warnings = roi_masks(folder, rois, runs[0], first)
    warnings += [
        f"sub-{runs[0].subject}: no confound fits {pattern}" for pattern in unfitting(wanted, confounds)
    ]
    return Subject(runs, masks, first.affine, events, confounds, warnings)


def check_people(runs: list[Run]) -> None:
    """Refuse the same data under two names, as far as the ends of compressed files tell.

    `betas.assemble` compares the data themselves, whatever they are stored in.

    Raises
    ------
    InputError : two files hold the same.
    """
    seen: dict[bytes, Run] = {}
    for run in runs:
        mark = gzip_mark(run.bold)
        other = seen.setdefault(mark, run) if mark else run
        if other is not run and fingerprint(read_volumes(run.bold)) == fingerprint(read_volumes(other.bold)):
            found = f"the same data as {other.bold.name}"
            raise InputError("runs", found, "each run of each person once", file=run.bold)


def unfitting(wanted: list[str] | dict, confounds: list[pd.DataFrame | None]) -> list[str]:
    """Patterns of confounds that fit no column in any of the runs.

    Parameters
    ----------
    wanted : `options.confounds` of the card; a strategy has no patterns
    confounds : of each run
    """
    if isinstance(wanted, dict):
        return []
    names = {name for table in confounds for name in ([] if table is None else table)}
    return [pattern for pattern, found in matching(wanted, names).items() if not found]


def cut_off(runs: list[Run]) -> list[str]:
    """A sentence on each run that has another number of volumes than the raw BOLD that it is made from."""
    sentences = []
    for run in runs:
        # where only the names of raw BOLD are there, as in datalad, nothing can be compared
        raw = open_bold(run.raw).shape[3] if run.raw and run.raw.is_file() else run.scans
        if raw != run.scans:
            sentences.append(
                f"{run.bold.name}: {run.scans} volumes, and {raw} in the raw BOLD: onsets count from the "
                f"first of the {run.scans}"
            )
    return sentences


def unbalanced(runs: list[Run]) -> list[str]:
    """A sentence on what each subject has, where subjects differ in their sessions or numbers of runs."""
    own = {run.subject: Counter() for run in runs}
    for run in runs:
        own[run.subject][run.session] += 1
    if len({tuple(sorted(counts.items(), key=str)) for counts in own.values()}) == 1:
        return []
    described = [
        f"sub-{subject} "
        + ", ".join(f"{count} runs" + (f" in ses-{ses}" if ses else "") for ses, count in counts.items())
        for subject, counts in own.items()
    ]
    return [f"subjects differ in their runs: {'; '.join(described)}"]
