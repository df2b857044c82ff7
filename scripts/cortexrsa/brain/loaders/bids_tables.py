"""Tables of a BIDS folder: events and confounds."""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from nilearn.interfaces.fmriprep import load_confounds

from cortexrsa.errors import InputError, concerning, reason, suggestion
from cortexrsa.formats.bids_names import CONFOUNDS, RunFiles, matching
from cortexrsa.formats.foreign_tables import read_foreign_table

# ---- events ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class EventSettings:
    """What a card says of its events files, `options.events`.

    Attributes
    ----------
    column : names the stimulus; rows with n/a there are left out
    pattern : regular expression whose first group, or else whose whole match, is the stimulus's id; None: the
        column as it is
    leave_out : {column: values, in which * and ? stand for any characters}
    duration : seconds, of all presentations; None: those of the file
    """

    column: str
    pattern: str | None
    leave_out: dict[str, list[str]]
    duration: float | None


def read_events(run: RunFiles, settings: EventSettings, duration: float | None = None) -> pd.DataFrame:
    """Presentations of a run.

    Parameters
    ----------
    run : see `bids_names.runs_of_all`
    settings : of the card
    duration : of the run in seconds; None leaves the end of the run unchecked

    Returns
    -------
    stimulus_id, onset, duration (seconds) and line of each presentation, in the order of the file

    Raises
    ------
    InputError : a missing column, a stimulus that the pattern does not fit, a value that is no number, no
        presentation at all, two of them at the same time, or one that begins after the end of the run.
    """
    table = read_foreign_table(run.events)
    column = settings.column
    times = ["onset"] + ["duration"] * (settings.duration is None)
    for name in (*times, column, *settings.leave_out):
        if name not in table:
            hint = f"also {name}" if name != column else f"also {name} (options.events.column names another)"
            raise InputError("columns", ", ".join(table), hint, file=run.events)
    for name, left_out in settings.leave_out.items():
        shown = table[name].dropna()
        unwanted = {value for values in matching(left_out, set(shown)).values() for value in values}
        table = table[~table[name].isin(unwanted)]
    table = table[table[column].notna()]
    if table.empty:
        raise InputError(column, "nothing that is shown", "at least one presentation", file=run.events)
    events = pd.DataFrame({"stimulus_id": table[column]})
    if settings.pattern is not None:
        with concerning(run.events):
            events["stimulus_id"] = _parts(table[column], settings.pattern)
    for name in times:
        events[name] = pd.to_numeric(table[name], errors="coerce").astype(float)
        wrong = ~np.isfinite(events[name]) | ((events[name] < 0) & (name == "duration"))
        if wrong.any():
            line = wrong.idxmax()
            value = "n/a" if pd.isna(table[name][line]) else table[name][line]
            expected = "seconds" + " (or options.events.duration for all)" * (name == "duration")
            raise InputError(f"{name}, line {line}", value, expected, file=run.events)
    if settings.duration is not None:
        events["duration"] = float(settings.duration)
    repeated = events["onset"][events["onset"].duplicated()]
    if len(repeated):
        found = f"two stimuli at {repeated.iloc[0]:g} s"
        expected = "one presentation at a time (options.events.leave_out leaves rows out)"
        raise InputError(f"onset, line {repeated.index[0]}", found, expected, file=run.events)
    if duration is not None and (events["onset"] >= duration).any():
        line = (events["onset"] >= duration).idxmax()
        expected = f"at most {duration:g} s, the end of the run"
        raise InputError(f"onset, line {line}", f"{events['onset'][line]:g} s", expected, file=run.events)
    return events.assign(line=events.index).reset_index(drop=True)


def _parts(values: pd.Series, pattern: str) -> list[str]:
    """Of every value, by its line, the first group of a pattern, or its whole match if it has no group."""
    found = [re.search(pattern, value) for value in values]
    for line, value, match in zip(values.index, values, found, strict=True):
        if match is None or match[match.re.groups and 1] is None:
            expected = f"a value that {pattern!r} fits, or one of options.events.leave_out"
            raise InputError(f"{values.name}, line {line}", repr(value), expected)
    return [match[match.re.groups and 1] for match in found]


def overlap(events: pd.DataFrame) -> float:
    """Share of the time in which something is shown that shows two presentations or more, in [0, 1].

    Parameters
    ----------
    events : onset and duration in seconds
    """
    ordered = events.sort_values("onset")
    start, end = ordered["onset"].to_numpy(), (ordered["onset"] + ordered["duration"]).to_numpy()
    changes = np.concatenate([start, end])
    order = changes.argsort(kind="stable")
    shown = np.repeat([1, -1], len(start))[order].cumsum()[:-1]
    spans = np.diff(changes[order])
    total = spans[shown > 0].sum()
    return float(spans[shown > 1].sum() / total) if total else 0.0


# ---- confounds -------------------------------------------------------------------------------------------


def read_confounds(run: RunFiles, wanted: list[str] | dict, scans: int) -> pd.DataFrame:
    """Confounds of a run, (scans, c); a first value n/a, as derivatives have, becomes the mean.

    Parameters
    ----------
    run : see `bids_names.runs_of_all`
    wanted : names of columns, in which * and ? stand for any characters and [0-5] for one of them; or a
        strategy with its settings for `nilearn.interfaces.fmriprep.load_confounds`. A volume that a strategy
        leaves out (scrub, non-steady states) gets a regressor of its own, which has the same effect.
    scans : volumes of the run

    Returns
    -------
    (scans, c), c may be 0 where no name fits a pattern

    Raises
    ------
    InputError : no confounds, no such column (with the nearest), another number of rows than scans, a value
        that is missing or no number, or a strategy that does not fit the file.
    """
    if run.confounds is None:
        expected = f"*_desc-confounds_{CONFOUNDS[0]}.tsv beside it"
        raise InputError("confounds", "no file of them", expected, file=run.bold)
    table = read_foreign_table(run.confounds)
    if len(table) != scans:
        raise InputError("rows", len(table), f"{scans}, one for each volume", file=run.confounds)
    if isinstance(wanted, dict):
        return _by_strategy(run, table, wanted)
    names = []
    for pattern, found in matching(wanted, table).items():
        if not found and not set("*?[") & set(pattern):
            raise InputError(
                "columns", f"no {pattern!r}", suggestion(pattern, list(table)), file=run.confounds
            )
        names += found
    names = list(dict.fromkeys(names))
    values = table[names].apply(pd.to_numeric, errors="coerce").astype(float)
    if names:
        values.iloc[0] = values.iloc[0].fillna(values.mean())
    for name in names:
        wrong = ~np.isfinite(values[name])
        if wrong.any():
            line = wrong.idxmax()
            value = "n/a" if pd.isna(table[name][line]) else table[name][line]
            raise InputError(f"{name}, line {line}", value, "a number", file=run.confounds)
    return values.reset_index(drop=True)


def _by_strategy(run: RunFiles, table: pd.DataFrame, wanted: dict) -> pd.DataFrame:
    """Confounds as nilearn's `load_confounds` chooses them."""
    settings = {key: value for key, value in wanted.items() if value is not None}
    with tempfile.TemporaryDirectory() as folder:
        # nilearn finds the files by names of its own, and does not see tabs at the end of rows
        table.to_csv(Path(folder, "sub-x_desc-confounds_timeseries.tsv"), sep="\t", index=False, na_rep="n/a")
        sidecar = run.confounds.with_suffix(".json")
        if sidecar.is_file():
            shutil.copyfile(sidecar, Path(folder, "sub-x_desc-confounds_timeseries.json"))
        try:
            image = str(Path(folder, "sub-x_desc-preproc_bold.nii.gz"))
            confounds, kept = load_confounds(image, **settings)
        # nilearn raises ValueError and exceptions of its own for what it does not find
        except Exception as error:
            raise InputError(
                "confounds",
                f"{type(error).__name__}: {reason(error)}".replace(folder, str(run.confounds.parent)),
                "a strategy that fits the file",
                file=run.confounds,
            ) from error
    confounds = (
        pd.DataFrame(index=range(len(table))) if confounds is None else confounds.reset_index(drop=True)
    )
    left_out = np.setdiff1d(np.arange(len(table)), np.arange(len(table)) if kept is None else kept)
    spikes = {f"volume_{scan}": np.arange(len(table)) == scan for scan in left_out}
    return confounds.join(pd.DataFrame(spikes, index=confounds.index, dtype=float))
