"""Responses of voxels to stimuli: `responses.nc`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cortexrsa.errors import InputError
from cortexrsa.formats.netcdf import read_dataset, write_dataset


def runs_name(subject: str) -> str:
    """Name of the coordinate (stimulus, repeat) of the runs of a subject's trials, see `runs_of`."""
    return f"run_of_{subject}"


def runs_of(responses, subject: str) -> np.ndarray | None:
    """Runs of a subject's trials (n, repeats), numbered over all sessions, -1 where there is none.

    None where they are not known, or responses are averages.
    """
    name = runs_name(subject)
    if "repeat" not in responses.dims or name not in responses.coords:
        return None
    return responses[name].transpose("stimulus", "repeat").to_numpy()


def trials_of(responses, subject: str, roi: str) -> np.ndarray:
    """Trials (n, repeats, voxels) of one subject and ROI; one repeat where responses are averages already."""
    voxels = ((responses["subject"] == subject) & (responses["roi"] == roi)).to_numpy()
    own = responses.isel(voxel=voxels)
    if "repeat" not in own.dims:
        own = own.expand_dims("repeat")
    return own.transpose("stimulus", "repeat", "voxel").to_numpy()


def write_responses(path: str | Path, responses, settings: dict) -> None:
    """Write `responses.nc`.

    Parameters
    ----------
    responses : xarray.DataArray (stimulus, voxel), or (stimulus, repeat, voxel) where single trials exist
        (NaN where a stimulus has fewer repeats), with coords stimulus_id and split on stimulus, subject and
        roi on voxel, and, where they are known, the runs of each subject's trials (`runs_of`). Stored as
        float32.

    Raises
    ------
    InputError : a coordinate is missing.
    """
    missing = {"stimulus_id", "split", "subject", "roi"} - set(responses.coords)
    if missing:
        raise InputError("coords", sorted(map(str, responses.coords)), f"also {sorted(missing)}", file=path)
    write_dataset(path, responses.astype(np.float32, copy=False).to_dataset(name="responses"), settings)


def read_responses(path: str | Path):
    """The xarray.DataArray of `write_responses`, in memory.

    Raises
    ------
    InputError : a damaged file, or one without `responses` or one of their coordinates.
    """
    dataset = read_dataset(path, ["responses", "stimulus_id", "split", "subject", "roi"])
    return dataset["responses"]
