"""The noise ceiling of NSD and THINGS as published, written apart from the project's own: loops only."""

from __future__ import annotations

import numpy as np


def ncsnr(zscored: np.ndarray, stimuli: np.ndarray, repeats: int | None = None) -> np.ndarray:
    """Ratio of the standard deviations of signal and noise of every voxel.

    Allen et al. (2022), Methods, "Noise ceiling estimation"; cvnlab/nsddatapaper, export_noiseceiling.m.

    Parameters
    ----------
    zscored : (trials, voxels), each voxel of mean 0 and variance 1 in each session
    stimuli : (trials,) what was shown
    repeats : only stimuli with so many trials; None: with two or more
    """
    trials = {}
    for trial, stimulus in enumerate(stimuli):
        trials.setdefault(stimulus, []).append(trial)
    ratios = []
    for voxel in zscored.T:
        variances = []
        for shown in trials.values():
            own = [voxel[trial] for trial in shown]
            if len(own) == repeats or (repeats is None and len(own) > 1):
                mean = sum(own) / len(own)
                variances.append(sum((value - mean) ** 2 for value in own) / (len(own) - 1))
        noise = sum(variances) / len(variances)
        signal = max(0.0, 1.0 - noise)
        ratios.append(np.sqrt(signal) / np.sqrt(noise))
    return np.array(ratios)


def noise_ceiling(
    zscored: np.ndarray, stimuli: np.ndarray, repeats: int | None = None, averaged: float | None = None
) -> np.ndarray:
    """Percent of the variance of averages that is signal: 100 ncsnr^2 / (ncsnr^2 + mean of 1 / n).

    The mean is over all stimuli; in the manual of NSD it is (A / 3 + B / 2 + C) / (A + B + C).

    Parameters
    ----------
    averaged : trials in an average; None: those of each stimulus
    """
    ratio = ncsnr(zscored, stimuli, repeats)
    names = list(stimuli)
    shares = [1 / names.count(name) for name in set(names)] if averaged is None else [1 / averaged]
    return 100 * ratio**2 / (ratio**2 + sum(shares) / len(shares))
