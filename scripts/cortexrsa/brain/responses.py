"""Responses of voxels: what is unusable is dropped and counted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray

from cortexrsa.errors import InputError

BLOCK = 512  # voxels that are looked at together
MINIMUM_VOXELS = 10
MANY_DROPPED = 0.1  # share of a ROI


def recorded(values: np.ndarray, voxels: np.ndarray) -> np.ndarray:
    """Which trials (n, repeats) a subject has: those that are not NaN in all of its voxels.

    Parameters
    ----------
    values : (n, repeats, v of all subjects)
    voxels : places of the subject's own
    """
    found = np.zeros(values.shape[:2], bool)
    for start in range(0, len(voxels), BLOCK):
        found |= ~np.isnan(values[..., voxels[start : start + BLOCK]]).all(axis=2)
    return found


def voxels_of_subjects(responses: xarray.DataArray) -> dict[str, np.ndarray]:
    """Places of the voxels of each subject."""
    subjects = responses["subject"].values
    return {subject: np.flatnonzero(subjects == subject) for subject in pd.unique(subjects)}


def clean_responses(responses: xarray.DataArray) -> tuple[xarray.DataArray, pd.DataFrame]:
    """Drop voxels that carry no usable signal, and count them.

    A voxel is dropped if it is not finite in any trial that its subject has (a trial that is NaN in all
    voxels of a subject was not recorded: stimuli differ in their repeats), or if it is constant over the
    stimuli of a split: correlations with it are not defined.

    Parameters
    ----------
    responses : (stimulus, voxel) or (stimulus, repeat, voxel), with coords stimulus_id and split on stimulus,
        subject and roi on voxel

    Returns
    -------
    cleaned : the other voxels, in their order
    dropped : subject, roi, voxels (left), nan_voxels, constant_voxels; one row for each subject and ROI

    Raises
    ------
    InputError : a stimulus without any trial, or a ROI with fewer than 10 voxels left.
    """
    broken, constant = _unusable(responses)
    keep = ~(broken | constant)
    table = pd.DataFrame(
        {
            "subject": responses["subject"].values,
            "roi": responses["roi"].values,
            "voxels": keep,
            "nan_voxels": broken,
            "constant_voxels": constant,
        }
    )
    table = table.groupby(["subject", "roi"], sort=False, as_index=False).sum()
    for row in table.itertuples():
        if row.voxels < MINIMUM_VOXELS:
            found = (
                f"{row.voxels} usable voxels for subject {row.subject} "
                f"({row.nan_voxels} with NaN and {row.constant_voxels} constant were dropped)"
            )
            raise InputError(f"roi {row.roi}", found, f"at least {MINIMUM_VOXELS}")
    return responses if keep.all() else responses.isel(voxel=np.flatnonzero(keep)), table


def _unusable(responses: xarray.DataArray) -> tuple[np.ndarray, np.ndarray]:
    """Which voxels (v,) are not finite in a trial that their subject has, and which others are constant."""
    values = responses.transpose("stimulus", ..., "voxel").values
    values = values.reshape(len(values), -1, values.shape[-1])
    splits = responses["split"].values
    chosen = [splits == split for split in pd.unique(splits) if (splits == split).sum() > 1]
    broken, constant = np.zeros((2, values.shape[-1]), bool)
    for subject, own in voxels_of_subjects(responses).items():
        present = recorded(values, own)
        if not present.any(1).all():
            stimulus = responses["stimulus_id"].values[~present.any(1)][0]
            found = f"no trial of {stimulus} for subject {subject}"
            raise InputError("responses", found, "at least one trial of each stimulus")
        for start in range(0, len(own), BLOCK):
            block = own[start : start + BLOCK]
            shown = values[..., block]
            finite = np.isfinite(shown)
            broken[block] = (~finite & present[..., None]).any((0, 1))
            shown = np.where(finite, shown, np.nan)
            for split in chosen:
                low, high = (extreme.reduce(shown[split], (0, 1)) for extreme in (np.fmin, np.fmax))
                constant[block] |= low == high
    return broken, constant & ~broken


def many_dropped(dropped: pd.DataFrame) -> list[str]:
    """A sentence on every ROI that lost more than a tenth of its voxels.

    Parameters
    ----------
    dropped : from `clean_responses`
    """
    sentences = []
    for row in dropped.itertuples():
        lost, whole = row.nan_voxels + row.constant_voxels, row.voxels + row.nan_voxels + row.constant_voxels
        if lost > MANY_DROPPED * whole:
            sentences.append(
                f"{row.subject}: {row.roi}: {lost} of {whole} voxels are left out: {row.nan_voxels} are NaN "
                f"or have no mean signal, {row.constant_voxels} are constant"
            )
    return sentences
