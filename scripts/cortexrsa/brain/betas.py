"""From the runs of a BIDS folder to betas of voxels."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import xarray
from nilearn.image import smooth_img

from cortexrsa.brain.glm import condition_number, frame_times, run_betas
from cortexrsa.brain.loaders import bids, nifti
from cortexrsa.brain.loaders.bids_tables import overlap
from cortexrsa.brain.settings import GLMSettings
from cortexrsa.errors import InputError, concerning

LARGEST_OVERLAP = 0.01  # share of the time, which clocks explain
EARLIEST_END = 0.5  # part of a run after which the last presentation begins


@dataclass(frozen=True)
class SubjectBetas:
    """GLM of one subject.

    Attributes
    ----------
    betas : (trial, voxel) float32, percent signal change, with coords stimulus_id, session, run and onset on
        trial, roi, i, j and k (place in the volume) on voxel; voxels of several ROIs occur once in each.
        Its attribute fingerprints is {fingerprint of a run's data: its label} as JSON
    mean, tsnr : (x, y, z) mean over runs of the mean signal, and of its ratio to the SD over time (linear
        trend removed)
    masks : {roi: (x, y, z)}
    affine : of all of them
    design : matrix of the first run, see `glm.run_betas`
    warnings : sentences for the reader of the results
    """

    betas: xarray.DataArray
    mean: np.ndarray
    tsnr: np.ndarray
    masks: dict[str, np.ndarray]
    affine: np.ndarray
    design: pd.DataFrame
    warnings: list[str]


def fit_subject(
    folder: str | Path, rois: dict[str, dict], options: dict, subject: str, settings: GLMSettings
) -> SubjectBetas:
    """Betas of all runs of one subject; one run at a time is in memory.

    Parameters
    ----------
    folder, rois, options : of the card, see `bids.find_runs` and `bids_rois.roi_masks`
    subject : label
    settings : of the GLM

    Raises
    ------
    InputError : see `bids.read_subject`, `bids.slice_time_ref`, `nifti.check_series` and `glm.run_betas`;
        also runs whose data are the same.
    """
    runs = bids.find_runs(folder, options | {"subjects": [subject]})
    inputs = bids.read_subject(folder, rois, options, runs)
    references = [bids.slice_time_ref(run, settings.slice_time_ref) for run in runs]
    union = np.logical_or.reduce(list(inputs.masks.values()))
    warnings = list(inputs.warnings)
    seen: dict[str, bids.Run] = {}
    betas, rows, designs, dropped = [], [], [], Counter()
    mean, tsnr = np.zeros((2, *union.shape))
    for run, events, confounds, reference in zip(
        runs, inputs.events, inputs.confounds, references, strict=True
    ):
        volumes = nifti.read_volumes(run.bold)
        _check_new(nifti.fingerprint(volumes), run, seen)
        if settings.smoothing:
            smoothed = smooth_img(nib.Nifti1Image(volumes, inputs.affine), settings.smoothing)
            volumes = smoothed.get_fdata(dtype=np.float32)
        series = volumes[union].T
        nifti.check_series(series, run.bold, options["centred"])
        times = frame_times(run.scans, run.tr, reference)
        with concerning(run.events):
            of_run = run_betas(series, events, times, settings, confounds, options["centred"])
        warnings += [f"{run.events}, {text}" for text in of_run.warnings]
        warnings += _suspicious(run, events, of_run.design)
        dropped.update(of_run.dropped.items())
        betas.append(of_run.betas)
        rows.append(of_run.rows.assign(session=run.session or "", run=run.label))
        designs.append(of_run.design if run is runs[0] else None)
        averages = _mean_and_tsnr(volumes)
        mean += averages[0] / len(runs)
        tsnr += averages[1] / len(runs)
        print(
            f"{run.label}: {run.scans} volumes of {run.tr:g} s, times at {reference:g} of the TR, "
            f"{len(events)} presentations, {len(of_run.rows)} betas"
        )
    warnings += [
        f"sub-{subject}: the confound {name} is dropped in {count} of {len(runs)} runs: {why}"
        for (name, why), count in dropped.items()
    ]
    trials = pd.concat(rows, ignore_index=True)
    values = np.concatenate(betas)
    labelled = _labelled(values, trials, inputs.masks, union)
    # as text, which netCDF stores
    labelled.attrs["fingerprints"] = json.dumps({own: run.label for own, run in seen.items()})
    return SubjectBetas(labelled, mean, tsnr, inputs.masks, inputs.affine, designs[0], warnings)


def _check_new(fingerprint: str, run: bids.Run, seen: dict[str, bids.Run]) -> None:
    """Refuse the data of a run that was `seen`, to which the run is added."""
    if fingerprint in seen:
        found = f"the same data as {seen[fingerprint].bold.name}"
        raise InputError("runs", found, "each run once", file=run.bold)
    seen[fingerprint] = run


def _labelled(
    values: np.ndarray, trials: pd.DataFrame, masks: dict[str, np.ndarray], union: np.ndarray
) -> xarray.DataArray:
    """Betas (trial, voxel of a ROI) with what each trial and voxel is; a voxel of two ROIs comes twice.

    Parameters
    ----------
    values : (trials, voxels of the union)
    trials : stimulus_id, session, run, onset
    masks, union : (x, y, z) boolean, of each ROI and of all
    """
    place = np.argwhere(union)
    chosen = {roi: np.flatnonzero(mask[union]) for roi, mask in masks.items()}
    columns = np.concatenate(list(chosen.values()))
    coords = {name: ("trial", trials[name].to_numpy(object)) for name in ("stimulus_id", "session", "run")}
    coords["onset"] = ("trial", trials["onset"].to_numpy())
    labels = np.repeat(np.array(list(chosen), object), [len(voxels) for voxels in chosen.values()])
    coords["roi"] = ("voxel", labels)
    coords |= {name: ("voxel", place[columns, axis]) for axis, name in enumerate("ijk")}
    return xarray.DataArray(values[:, columns], dims=("trial", "voxel"), coords=coords, name="betas")


def _suspicious(run: bids.Run, events: pd.DataFrame, design: pd.DataFrame) -> list[str]:
    """Sentences on events that may not be what was shown in the run."""
    sentences = []
    last = events["onset"].max() / (run.scans * run.tr)
    if last < EARLIEST_END:
        sentences.append(
            f"{run.events}: the last presentation begins after {last:.0%} of the run: onsets may not be in "
            "seconds, or be those of another run"
        )
    if (share := overlap(events)) > LARGEST_OVERLAP:
        number = condition_number(design, [name for name in design if name.startswith("event_")])
        sentences.append(
            f"{run.label}: presentations overlap in {share:.0%} of the time in which any is shown; the "
            f"condition number of their regressors is {number:.3g}"
        )
    return sentences


def _mean_and_tsnr(volumes: np.ndarray) -> np.ndarray:
    """Mean over time (last axis), and mean / SD without linear trend (0 where that is 0): (2, x, y, z)."""
    scans = volumes.shape[-1]
    time = np.arange(scans) - (scans - 1) / 2
    averages = np.zeros((2, *volumes.shape[:3]))
    # slice by slice: the copy in float64 stays small
    for index in range(volumes.shape[2]):
        values = volumes[:, :, index].astype(np.float64)
        mean = values.mean(axis=-1)
        values -= mean[..., None]
        variance = (values**2).mean(axis=-1) - (values @ time) ** 2 / (time @ time) / scans
        usable = variance > 0
        averages[0, :, :, index] = mean
        averages[1, :, :, index][usable] = mean[usable] / np.sqrt(variance[usable])
    return averages
