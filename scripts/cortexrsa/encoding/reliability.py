"""Reliability of the responses that encoding models are scored on, and what it is estimated from."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cortexrsa.brain.reliability import signal_and_noise

# where reliability is from, in the order of preference: the sentence that tables carry
OTHER_REPEATS = "odd and even repeats of the test stimuli: one half is scored, the other gives reliability"
TRAINING_REPEATS = "repeats of the training stimuli"
SAME_REPEATS = "the same repeats of the test stimuli that are scored: too few for halves"
VARIANCES = "variances of averages over two numbers of repeats"
UNKNOWN = "unknown: neither repeats nor averages over different numbers of them"


@dataclass(frozen=True)
class Components:
    """Variances of signal and noise of voxels over repeated stimuli.

    Attributes
    ----------
    signal : (v,) variance over stimuli of the expected response; an estimate may be below 0
    noise : (v,) variance of one presentation about it
    signal_influence, noise_influence : (m, v) of every stimulus on either, of mean 0
    """

    signal: np.ndarray
    noise: np.ndarray
    signal_influence: np.ndarray
    noise_influence: np.ndarray


@dataclass(frozen=True)
class Scored:
    """Responses to score, and their reliability.

    Attributes
    ----------
    measured : (m, v) mean responses to the test stimuli
    reliability : (v,) share of their variance over stimuli that is signal (the noise ceiling of R2; its root
        bounds r), as estimated: it may be outside [0, 1]
    test, train : (stimuli, v), influence of every stimulus of the split on it; None: none
    """

    measured: np.ndarray
    reliability: np.ndarray
    test: np.ndarray | None = None
    train: np.ndarray | None = None


@dataclass(frozen=True)
class Targets:
    """What the voxels of one subject and ROI are scored on.

    Attributes
    ----------
    measured : (m, v) mean responses to the test stimuli, over all repeats
    source : what reliability is from
    parts : of the corrected score, which is the mean over them; none if reliability is unknown
    """

    measured: np.ndarray
    source: str
    parts: list[Scored] = field(default_factory=list)

    @property
    def reliability(self) -> np.ndarray:
        """(v,) mean over the parts; NaN if unknown."""
        if not self.parts:
            return np.full(self.measured.shape[1], np.nan)
        return np.mean([part.reliability for part in self.parts], axis=0)


def components(trials: np.ndarray) -> Components:
    """Variances of signal and noise from repeats: analysis of variance with random stimuli.

    Noise is the variance over the repeats of a stimulus, pooled; signal is the variance over stimuli of the
    means less what noise adds to it. The noise ceiling signal / (signal + noise / repeats) is that of the NSD
    (Allen et al. 2022, doi:10.1038/s41593-021-00962-x).

    Parameters
    ----------
    trials : (m, repeats, v), NaN where a stimulus has fewer; stimuli with one repeat tell of the signal alone

    Raises
    ------
    ValueError : fewer than three stimuli, or none repeated.
    """
    present = np.isfinite(trials).any(axis=2)
    counts = present.sum(axis=1)
    if len(trials) < 3 or not (counts > 1).any():
        raise ValueError("trials: found too few repeated stimuli, expected three stimuli and some repeats")
    values = np.where(present[:, :, None], trials, 0).astype(np.float64)
    means = values.sum(axis=1) / counts[:, None]
    within = np.where(present[:, :, None], values - means[:, None], 0)
    squares = (within**2).sum(axis=1)
    # a share of the degrees of freedom for every stimulus, of mean 1
    share = (counts - 1)[:, None] / (counts - 1).mean()
    noise = squares.sum(axis=0) / (counts - 1).sum()
    noise_influence = squares / (counts - 1).mean() - share * noise
    added = (1 / counts).mean()
    between = means - means.mean(axis=0)
    variance = (between**2).mean(axis=0)
    m = len(trials)
    signal = variance * m / (m - 1) - noise * added
    return Components(signal, noise, between**2 - variance - noise_influence * added, noise_influence)


def of_mean(found: Components, repeats: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Reliability of means over repeats, (v,), and the influence of every stimulus on it, (m, v).

    Parameters
    ----------
    found : of one presentation
    repeats : (stimuli,) numbers of presentations in the means
    """
    share = (1 / repeats).mean()
    total = found.signal + found.noise * share
    slope = share * (found.noise * found.signal_influence - found.signal * found.noise_influence)
    with np.errstate(divide="ignore", invalid="ignore"):
        return found.signal / total, slope / total**2


def of_variances(
    train: np.ndarray, test: np.ndarray, train_repeats: float, test_repeats: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Reliability of the test averages where averages alone are known: s / V_te.

    Parameters
    ----------
    train, test : (stimuli, v) averages
    train_repeats, test_repeats : presentations in an average, of different number; for s see
        `brain.reliability.signal_and_noise`

    Returns
    -------
    reliability : (v,)
    test_influence, train_influence : (stimuli, v) of every stimulus on it
    """
    apart = test_repeats - train_repeats
    variances, deviations = [], []
    for values in (train, test):
        squares = (values - values.mean(axis=0)) ** 2
        variances.append(squares.sum(axis=0) / (len(values) - 1))
        deviations.append(squares - squares.mean(axis=0))
    of_train, of_test = variances
    signal, _ = signal_and_noise(of_train, of_test, train_repeats, test_repeats)
    scale, ratio = train_repeats / apart, of_train / of_test
    return signal / of_test, scale * ratio / of_test * deviations[1], -scale / of_test * deviations[0]


def targets(test: np.ndarray, train: np.ndarray | None, repeats: dict[str, float] | None) -> Targets:
    """What the voxels are scored on, with the best reliability that the responses allow.

    Repeats other than those that are scored come first: even and odd repeats of the test stimuli where these
    have four (either half is scored once, and the other gives its reliability), else the repeats of the
    training stimuli, whose signal then counts as that of the test stimuli.

    Parameters
    ----------
    test, train : (stimuli, repeats, v) single trials, NaN where a stimulus has fewer, or (stimuli, v)
        averages; train is None where there is no training split
    repeats : of averages: number of repeats by split, where two splits have different ones
    """
    if test.ndim == 2:
        if repeats is None or train is None:
            return Targets(test, UNKNOWN)
        found, of_test, of_train = of_variances(train, test, repeats["train"], repeats["test"])
        return Targets(test, VARIANCES, [Scored(test, found, of_test, of_train)])
    mean, counts = np.nanmean(test, axis=1), _counts(test)
    if counts.min() >= 4:
        odd, even = _halves(test)
        parts = []
        for scored, other in ((odd, even), (even, odd)):
            found, influence = of_mean(components(other), _counts(scored))
            parts.append(Scored(np.nanmean(scored, axis=1), found, test=influence))
        return Targets(mean, OTHER_REPEATS, parts)
    if train is not None and (_counts(train) > 1).sum() >= 3:
        found, influence = of_mean(components(train), counts)
        return Targets(mean, TRAINING_REPEATS, [Scored(mean, found, train=influence)])
    if (counts > 1).sum() >= 3:
        found, influence = of_mean(components(test), counts)
        return Targets(mean, SAME_REPEATS, [Scored(mean, found, test=influence)])
    return Targets(mean, UNKNOWN)


def _counts(trials: np.ndarray) -> np.ndarray:
    return np.isfinite(trials).any(axis=2).sum(axis=1)


def _halves(trials: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Odd and even presentations of every stimulus, in their order: (m, repeats, v) with NaN for the rest."""
    present = np.isfinite(trials).any(axis=2)
    place = present.cumsum(axis=1)
    odd = (place % 2 == 1) & present
    return np.where(odd[..., None], trials, np.nan), np.where((~odd & present)[..., None], trials, np.nan)
