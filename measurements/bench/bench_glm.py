"""Betas of one BOLD run in a few ROIs, against plain nilearn on the whole volume (single core).

The betas are the same to 1e-5 (tests/unit/test_glm.py).
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
import warnings
from pathlib import Path

import nibabel as nib
import nilearn
import numpy as np
import pandas as pd
from harness import Case
from nilearn.glm.first_level import FirstLevelModel

from cortexrsa.brain.glm import frame_times, run_betas
from cortexrsa.brain.loaders.bids import read_volumes
from cortexrsa.brain.settings import GLMSettings

SHAPE, SCANS, TR, TRIALS, ROI_VOXELS = (48, 48, 16), 180, 2.0, 83, 1500
FITTED = 2  # trials that the peer fits by least squares separate; a run has `TRIALS`


def inputs() -> dict:
    rng = np.random.default_rng(0)
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    volumes = rng.standard_normal((*SHAPE, SCANS), np.float32)
    volumes[..., 1:] += 0.3 * volumes[..., :-1]
    image = nib.Nifti1Image((1000 + 10 * volumes).astype(np.int16), np.eye(4))
    nib.save(image, folder / "bold.nii.gz")
    mask = np.zeros(SHAPE, bool)
    mask.flat[rng.permutation(mask.size)[:ROI_VOXELS]] = True
    onsets = 6 + np.concatenate([[0], rng.uniform(3, 5, TRIALS - 1).cumsum()])
    names = [f"trial_{k:02d}" for k in range(TRIALS)]
    events = pd.DataFrame({"onset": onsets, "duration": 1.0, "stimulus_id": names, "trial_type": names})
    return {"path": folder / "bold.nii.gz", "mask": mask, "events": events}


def masked_glm(path, mask, events, betas):
    series = read_volumes(path)[mask].T
    return run_betas(
        series, events, frame_times(SCANS, TR, 0), GLMSettings(betas, hrf="spm", high_pass=0.01, noise="ar1")
    )[0]


def least_squares_separate(path, mask, events):
    return masked_glm(path, mask, events, "trial-lss")


def least_squares_all(path, mask, events):
    return masked_glm(path, mask, events, "trial-lsa")


def first_level_model(path, events, conditions):
    everywhere = nib.Nifti1Image(np.ones(SHAPE, np.uint8), np.eye(4))
    model = FirstLevelModel(t_r=TR, hrf_model="spm", high_pass=0.01, noise_model="ar1", mask_img=everywhere)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(path, events=events[["onset", "duration", "trial_type"]])
        return [model.compute_contrast(name, output_type="effect_size") for name in conditions]


def nilearn_separate(path, mask, events):
    for trial in events["trial_type"][:FITTED]:
        others = events["trial_type"].where(events["trial_type"] == trial, "others")
        first_level_model(path, events.assign(trial_type=others), [trial])


def nilearn_all(path, mask, events):
    first_level_model(path, events, list(events["trial_type"]))


SIZE = f"{TRIALS} trials, {SCANS} volumes, {ROI_VOXELS} of {np.prod(SHAPE)} voxels"
PEER = f"nilearn {nilearn.__version__}, whole volume"
CASES = [
    Case(
        name="betas, least squares separate",
        size=SIZE,
        peer=f"{PEER} ({FITTED} trials, extrapolated)",
        inputs=inputs,
        ours=least_squares_separate,
        theirs=nilearn_separate,
        peer_units=FITTED / TRIALS,
        repeats=3,
    ),
    Case(
        name="betas, least squares all",
        size=SIZE,
        peer=PEER,
        inputs=inputs,
        ours=least_squares_all,
        theirs=nilearn_all,
        repeats=3,
    ),
]
