"""RDMs of brain regions, from the responses of their voxels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray

from cortexrsa.errors import InputError
from cortexrsa.formats.rdms import RDMs
from cortexrsa.geometry.crossnobis import prepared, rdm_of_trials
from cortexrsa.geometry.rdm import squareform


def trials_of(responses: xarray.DataArray, subject: str, roi: str) -> np.ndarray:
    """Trials (n, repeats, voxels) of one subject and ROI; one repeat where responses are averages already."""
    voxels = ((responses["subject"] == subject) & (responses["roi"] == roi)).to_numpy()
    own = responses.isel(voxel=voxels)
    if "repeat" not in own.dims:
        own = own.expand_dims("repeat")
    return own.transpose("stimulus", "repeat", "voxel").to_numpy()


def regions_of(responses: xarray.DataArray) -> pd.DataFrame:
    """Subjects and ROIs of responses: columns subject, roi."""
    labels = {name: responses[name].to_numpy() for name in ("subject", "roi")}
    return pd.DataFrame(labels).drop_duplicates(ignore_index=True)


def brain_rdms(responses: xarray.DataArray, dissimilarity: str, threads: int = 1) -> RDMs:
    """RDMs of every subject and ROI.

    Parameters
    ----------
    responses : see `formats.responses.write_responses`
    dissimilarity : see `crossnobis.rdm_of_trials`; of responses averaged over repeats, but for crossnobis
    threads : see `geometry.rdm.rdm`

    Raises
    ------
    InputError : the pattern of a stimulus is constant over the voxels of a ROI (as a lost trial filled with
        zeros is), or not finite; crossnobis of a stimulus without two trials.
    """
    regions = regions_of(responses)
    n = responses.sizes["stimulus"]
    dissimilarities = np.empty((len(regions), n * (n - 1) // 2))
    for values, (subject, roi) in zip(dissimilarities, regions.itertuples(index=False), strict=True):
        trials = trials_of(responses, subject, roi)
        repeats = np.isfinite(trials).any(axis=2).sum(axis=1)
        if dissimilarity == "crossnobis" and repeats.min() < 2:
            stimulus = responses["stimulus_id"].to_numpy()[repeats.argmin()]
            found = f"{repeats.min()} trial of {stimulus!r} for {subject} (or an average)"
            expected = "two or more single trials of each stimulus: crossnobis multiplies different repeats"
            raise InputError("repeats", found, expected)
        values[:] = rdm_of_trials(prepared(trials, dissimilarity), dissimilarity, threads)
    patterns = pd.DataFrame({name: responses[name].to_numpy() for name in ("stimulus_id", "split")})
    for (subject, roi), values in zip(regions.itertuples(index=False), dissimilarities, strict=True):
        if np.isnan(values).any():
            undefined = np.isnan(squareform(values)).sum(axis=1)
            stimulus = patterns["stimulus_id"][int(undefined.argmax())]
            raise InputError(
                f"responses to {stimulus!r}",
                f"a constant or missing pattern in {roi} of {subject}",
                "finite responses that vary over voxels",
            )
    return RDMs(dissimilarities, regions, patterns, dissimilarity)
