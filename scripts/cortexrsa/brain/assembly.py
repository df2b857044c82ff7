"""From the betas of all subjects to the responses of voxels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import xarray

from cortexrsa.brain.reliability import split_half_reliability
from cortexrsa.errors import InputError


def assemble(
    stimuli: pd.DataFrame, betas: dict[str, xarray.DataArray], single_trials: bool
) -> xarray.DataArray:
    """Responses of all subjects to all stimuli, from their betas.

    Parameters
    ----------
    stimuli : n rows with stimulus_id and split; betas of other stimuli are left out
    betas : {subject: see `betas.Fitted`}
    single_trials : each beta is of one presentation; otherwise those of a stimulus (one a run) are averaged,
        every run counting the same, as in nilearn's fixed effects

    Returns
    -------
    (stimulus, repeat, voxel), repeats in the order of the scan and NaN beyond a stimulus's own, or (stimulus,
    voxel); float32, with the coords of `formats.responses.write_responses` and i, j, k

    Raises
    ------
    InputError : a run of one subject that is one of another too, or a stimulus without beta in a subject.
    """
    _check_people(betas)
    parts = []
    most = 0
    for subject, own in betas.items():
        position = pd.Index(stimuli["stimulus_id"]).get_indexer(own["stimulus_id"].values)
        own, position = own[position >= 0], position[position >= 0]
        lacking = np.setdiff1d(np.arange(len(stimuli)), position)
        if len(lacking):
            found = f"no beta of {stimuli['stimulus_id'].iloc[lacking[0]]} (its presentations were left out)"
            expected = "a beta of every stimulus in every subject (options.table names the stimuli to use)"
            raise InputError("betas", found, expected, file=f"sub-{subject}")
        repeat = pd.Series(position).groupby(position).cumcount().to_numpy()
        most = max(most, repeat.max() + 1)
        parts.append((subject, own, position, repeat))
    trials = np.full(
        (len(stimuli), most, sum(own.sizes["voxel"] for _, own, _, _ in parts)), np.nan, np.float32
    )
    start = 0
    for _, own, position, repeat in parts:
        trials[position, repeat, start : start + own.sizes["voxel"]] = own.values
        start += own.sizes["voxel"]
    coords = {name: ("stimulus", stimuli[name].to_numpy(object)) for name in ("stimulus_id", "split")}
    for name in ("roi", "i", "j", "k"):
        coords[name] = ("voxel", np.concatenate([own[name].values for _, own, _, _ in parts]))
    labels = [np.full(own.sizes["voxel"], f"sub-{subject}", object) for subject, own, _, _ in parts]
    coords["subject"] = ("voxel", np.concatenate(labels))
    responses = xarray.DataArray(
        trials, dims=("stimulus", "repeat", "voxel"), coords=coords, name="responses"
    )
    return responses if single_trials else responses.mean("repeat", skipna=True)


def _check_people(betas: dict[str, xarray.DataArray]) -> None:
    """Refuse the same data under the names of two people."""
    seen: dict[str, str] = {}
    for subject, own in betas.items():
        for fingerprint, label in json.loads(own.attrs.get("fingerprints", "{}")).items():
            if fingerprint in seen:
                found = f"the same data as {seen[fingerprint]}"
                raise InputError(label, found, "each person once", file=f"sub-{subject}")
            seen[fingerprint] = label


def select_reliable(
    responses: xarray.DataArray, minimum: float, splits: int, seed: int, source: str | Path
) -> xarray.DataArray:
    """Voxels whose split-half reliability over the training stimuli reaches a minimum.

    The test stimuli have no say, so that scores on them are not inflated by the selection.

    Raises
    ------
    InputError : no single trials, or fewer than three training stimuli with two presentations.
    """
    train = (responses["split"] == "train").values
    trials = responses.values[train] if "repeat" in responses.dims else None
    keep = np.zeros(responses.sizes["voxel"], bool)
    for subject in pd.unique(responses["subject"].values):
        own = (responses["subject"] == subject).values
        repeated = 0
        if trials is not None:
            repeated = int((np.isfinite(trials[..., own]).any(axis=2).sum(axis=1) >= 2).sum())
        if repeated < 3:
            found = f"{repeated} training stimuli with two single-trial betas for {subject}"
            expected = "at least 3 to select voxels by (or glm.minimum_reliability: null)"
            raise InputError("repeats", found, expected, file=source)
        reliability = split_half_reliability(trials[..., own], splits, seed)
        keep[own] = np.nan_to_num(reliability, nan=-1.0) >= minimum
    print(f"{keep.sum()} of {len(keep)} voxels have a reliability of at least {minimum:g}")
    return responses.isel(voxel=np.flatnonzero(keep))
