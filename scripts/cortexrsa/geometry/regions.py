"""RDMs of brain regions, from the responses of their voxels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray

from cortexrsa.errors import InputError
from cortexrsa.formats.rdms import RDMs
from cortexrsa.formats.responses import runs_of, trials_of
from cortexrsa.geometry.crossnobis import folds_per_stimulus, prepared, rdm_of_trials
from cortexrsa.geometry.rdm import squareform
from cortexrsa.geometry.registry import DISSIMILARITIES


def regions_of(responses: xarray.DataArray) -> pd.DataFrame:
    """Subjects and ROIs of responses: columns subject, roi."""
    labels = {name: responses[name].to_numpy() for name in ("subject", "roi")}
    return pd.DataFrame(labels).drop_duplicates(ignore_index=True)


def _check_folds(responses: xarray.DataArray, trials: np.ndarray, folds, subject: str) -> None:
    """Refuse crossnobis where a stimulus has no trials in two runs (or, if runs are unknown, no two)."""
    present = np.isfinite(trials).any(axis=2)
    repeats = present.sum(axis=1)
    number = repeats if folds is None else folds_per_stimulus(present, folds)
    if number.min() >= 2:
        return
    k = int(number.argmin())
    stimulus = responses["stimulus_id"].to_numpy()[k]
    if repeats[k] < 2:
        found = f"{repeats[k]} trial of {stimulus!r} for {subject} (or an average)"
        expected = "two or more single trials of each stimulus: crossnobis multiplies different repeats"
        raise InputError("repeats", found, expected)
    found = f"all {repeats[k]} trials of {stimulus!r} for {subject} in one run"
    expected = "trials of each stimulus in two or more runs: crossnobis multiplies different runs"
    raise InputError("repeats", found, expected)


def shared_runs(responses: xarray.DataArray) -> list[str]:
    """What to say of the runs that crossnobis takes as folds: a sentence for each subject that has any."""
    sentences = []
    if "repeat" not in responses.dims:
        return sentences
    for subject in dict.fromkeys(responses["subject"].to_numpy()):
        folds = runs_of(responses, subject)
        if folds is None:
            sentences.append(
                f"{subject}: the runs of the trials are not known. Crossnobis multiplies first with second "
                "trials, and so on; where these are of one run, the noise that they share biases it"
            )
            continue
        counted = [np.unique(own[own >= 0], return_counts=True)[1] for own in folds]
        pairs = int(sum((count * (count - 1) // 2).sum() for count in counted))
        if pairs:
            sentences.append(
                f"{subject}: {pairs} pairs of repeats of a stimulus share a run; crossnobis leaves them out"
            )
    return sentences


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
        zeros is), or not finite; crossnobis of a stimulus without trials in two runs.
    """
    regions = regions_of(responses)
    n = responses.sizes["stimulus"]
    dissimilarities = np.empty((len(regions), n * (n - 1) // 2))
    for values, (subject, roi) in zip(dissimilarities, regions.itertuples(index=False), strict=True):
        trials, folds = trials_of(responses, subject, roi), runs_of(responses, subject)
        if DISSIMILARITIES[dissimilarity].across_runs:
            _check_folds(responses, trials, folds, subject)
        values[:] = rdm_of_trials(prepared(trials, dissimilarity), dissimilarity, threads, folds)
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
