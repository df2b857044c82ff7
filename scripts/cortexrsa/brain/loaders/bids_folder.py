"""A BIDS folder as a whole: what names, headers and tables tell is checked before any BOLD is read."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cortexrsa.brain.loaders.bids import Run, check_people, find_runs, read_subject, unfitting
from cortexrsa.errors import InputError


def read_folder(
    folder: str | Path, rois: dict[str, dict], options: dict
) -> tuple[list[Run], dict[Run, pd.DataFrame]]:
    """Runs and events of all subjects, once all that names, headers and tables tell has been checked.

    Parameters
    ----------
    folder, rois, options : of the card; `options["subjects"]` None for everybody

    Returns
    -------
    runs : of all subjects
    events : of every run

    Raises
    ------
    InputError : see `bids.find_runs`, `bids.check_people`, `bids.read_subject`; confounds that no run has.
    """
    runs = find_runs(folder, options)
    check_people(runs)
    events, confounds = {}, []
    for subject in dict.fromkeys(run.subject for run in runs):
        own = [run for run in runs if run.subject == subject]
        inputs = read_subject(folder, rois, options, own)
        events |= zip(own, inputs.events, strict=True)
        confounds += inputs.confounds
    # a subject may have no motion outlier; not all
    for pattern in unfitting(options["confounds"], confounds):
        raise InputError(
            "confounds", f"no column that fits {pattern}", "a column in at least one run", file=folder
        )
    return runs, events
