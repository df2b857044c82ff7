"""What a layer is to be like: the responses of a ROI, or what takes their place in a control.

All start from trials (n, repeats, voxels) of the n stimuli that are trained on, one array a person.
"""

from __future__ import annotations

import numpy as np

from cortexrsa.errors import InputError
from cortexrsa.geometry.crossnobis import prepared, rdm_of_trials, residuals
from cortexrsa.geometry.rdm import squareform
from cortexrsa.geometry.registry import DISSIMILARITIES
from cortexrsa.guidance.settings import TARGETS

# the least that is known of a ROI: a target of no signal at all would teach nothing
LEAST_RELIABILITY = 0.05
# what is drawn here, and not elsewhere in a training; `streams`, which grows, would retrain networks
STREAM = 7919


def mean_patterns(trials: np.ndarray) -> np.ndarray:
    """Responses (n, v) as means over the repeats that there are."""
    return trials[:, 0] if trials.shape[1] == 1 else np.nanmean(trials, axis=1)


def shuffled(trials: np.ndarray, seed: int) -> np.ndarray:
    """Trials of other stimuli in the place of each one's own: one permutation for all people and voxels."""
    return trials[_generator(seed).permutation(len(trials))]


def spectrum_matched(trials: np.ndarray, seed: int) -> np.ndarray:
    """Random responses (n, 1, v) with the means and the covariance over stimuli of the measured ones.

    The singular values and the patterns over voxels of the centred responses stay; their loadings on stimuli
    become random orthonormal vectors. So dimensionality and noise are those of the brain, and which stimulus
    is like which is left to chance.
    """
    patterns = mean_patterns(trials).astype(np.float64)
    mean = patterns.mean(axis=0)
    loadings, values, voxels = np.linalg.svd(patterns - mean, full_matrices=False)
    rank = min(loadings.shape[1], len(patterns) - 1)
    drawn = _generator(seed).normal(size=(len(patterns), rank))
    random, _ = np.linalg.qr(drawn - drawn.mean(axis=0))
    return (mean + (random * values[:rank]) @ voxels[:rank])[:, None, :]


def as_voxels(
    patterns: np.ndarray,
    voxels: int,
    reliability: float,
    seed: int,
    person: int = 0,
    noise: np.ndarray | None = None,
) -> np.ndarray:
    """Patterns (n, d) that are no responses, as responses (n, 1, v) of voxels of a given reliability.

    Each voxel is a random weighted sum of the (standardised) features, with as much noise that its variance
    over stimuli has a share `reliability` of signal: a target that is no better measured than the brain.

    Parameters
    ----------
    reliability : of the mean responses; NaN, where it is not known: no noise is added
    seed, person : of what is drawn
    noise : residuals (m, voxels) of the person's trials: the noise is correlated over voxels as they are.
        None: it is independent
    """
    generator = _generator(seed, person)
    spread = patterns.std(axis=0)
    features = (patterns - patterns.mean(axis=0))[:, spread > 0] / spread[spread > 0]
    if not features.shape[1]:
        raise InputError("target", "patterns that are the same for all stimuli", "some that differ")
    signal = features @ generator.normal(size=(features.shape[1], voxels))
    signal /= np.maximum(signal.std(axis=0), np.finfo(float).tiny)
    if np.isfinite(reliability):
        share = float(np.clip(reliability, LEAST_RELIABILITY, 1))
        drawn = generator.normal(size=signal.shape if noise is None else (len(signal), len(noise)))
        added = drawn if noise is None else drawn @ noise
        added = added / np.maximum(added.std(axis=0), np.finfo(float).tiny)
        signal = signal + np.sqrt((1 - share) / share) * added
    return signal[:, None, :]


def _generator(seed: int, person: int = 0) -> np.random.Generator:
    return np.random.default_rng([seed, person, STREAM])


def reliability_of(trials: np.ndarray) -> float:
    """Share of signal in the variance of mean responses over stimuli, mean over voxels; NaN without repeats.

    Signal is what is left of it when the variance between repeats, divided by their number, is taken away
    (the intraclass correlation of the mean, Shrout & Fleiss 1979, doi:10.1037/0033-2909.86.2.420).
    """
    present = np.isfinite(trials).all(axis=2)
    repeats = present.sum(axis=1)
    if (repeats < 2).all():
        return np.nan
    means = mean_patterns(trials)
    chosen = repeats >= 2
    noise = np.nanvar(trials[chosen], axis=1, ddof=1).mean(axis=0) * (1 / repeats).mean()
    total = means.var(axis=0, ddof=1)
    return float(np.clip(1 - noise / total, 0, 1).mean())


def responses_of(target: str, trials: list[np.ndarray], seed: int, patterns: np.ndarray | None = None):
    """What takes the place of the trials of each person: they themselves, or the control's.

    Parameters
    ----------
    target : brain or one of `guided_cards.CONTROLS`; other_roi is the brain with the trials of that ROI
    trials : of each person (n, repeats, v)
    seed : of all that is drawn
    patterns : (n, d), of low_level, labels and network
    """
    if target in ("brain", "other_roi"):
        return trials
    if target == "shuffled":
        return [shuffled(own, seed) for own in trials]
    if target == "spectrum":
        # of all people's voxels together: what they share has the spectrum of what they share
        together = np.concatenate([mean_patterns(own) for own in trials], axis=1)
        ends = np.cumsum([own.shape[2] for own in trials])[:-1]
        return np.split(spectrum_matched(together[:, None, :], seed), ends, axis=2)
    found = []
    for person, own in enumerate(trials):
        noise, dof = residuals(own)
        noise = noise if dof > 0 else None
        found.append(as_voxels(patterns, own.shape[2], reliability_of(own), seed, person, noise))
    return found


def target_of(
    trials: list[np.ndarray],
    loss: str,
    dissimilarity: str = "correlation",
    folds: list[np.ndarray | None] | None = None,
    threads: int = 1,
) -> np.ndarray:
    """The target of a loss, of the trials of all people together.

    Returns
    -------
    float32: RDM (n, n), mean over people (of squared distances each divided by their mean); Gram matrix (n,
    n), mean over people, of mean diagonal 1; or responses (n, voxels of all people), z-scored over the
    stimuli
    """
    kind = TARGETS[loss]
    if kind == "rdm":
        found = []
        for own, runs in zip(trials, folds or [None] * len(trials), strict=True):
            # what has been made for a control has no repeats to cross
            record, made = DISSIMILARITIES[dissimilarity], own.shape[1] == 1
            measure = record.of_layers if record.across_runs and made else dissimilarity
            values = rdm_of_trials(prepared(own, measure), measure, threads, runs)
            found.append(values if measure == "correlation" else values / values.mean())
        return squareform(np.mean(found, axis=0)).astype(np.float32)
    means = [mean_patterns(own).astype(np.float64) for own in trials]
    centred = [own - own.mean(axis=0) for own in means]
    if kind == "gram":
        grams = [own @ own.T for own in centred]
        return np.mean([gram / gram.diagonal().mean() for gram in grams], axis=0).astype(np.float32)
    voxels = np.concatenate(centred, axis=1)
    return (voxels / np.maximum(voxels.std(axis=0), np.finfo(float).tiny)).astype(np.float32)
