"""ROIs of unequal noise made alike: noise is added to the better ones.

A correlation distance moves with noise: where responses differ in strength, noise shrinks the correlations of
weak ones more. ROIs that hold one geometry with unequal noise then match different layers of a network best.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import helmert

from cortexrsa.geometry.crossnobis import residuals

# of an average response: below it nothing is known well enough to be matched
LEAST = 0.05
# more of few stimuli: so many patterns in all, in no more draws
PATTERNS, DRAWS = 400, 4


@dataclass(frozen=True)
class Noise:
    """Variances over stimuli, mean over the voxels of a ROI.

    Attributes
    ----------
    signal : of the noiseless responses
    trial : of a trial's noise
    share : mean over stimuli of 1 / trials, so that `share` x `trial` is the noise of the averages
    """

    signal: float
    trial: float
    share: float

    @property
    def reliability(self) -> float:
        """Of the averages: share of signal in their variance."""
        return self.signal / (self.signal + self.share * self.trial)

    def added(self, reliability: float) -> float:
        """Variance of noise, in units of a trial's, that brings the averages down to a reliability."""
        needed = self.signal * (1 - reliability) / (reliability * self.trial)
        return max(needed - self.share, 0.0)

    @classmethod
    def of(cls, trials: np.ndarray) -> Noise | None:
        """From trials (n, repeats, v), NaN where a stimulus has fewer; None where no stimulus has two."""
        values, dof = residuals(trials)
        if dof <= 0:
            return None
        present = np.isfinite(trials).all(axis=2)
        trial = float((values**2).sum() / dof / trials.shape[2])
        share = float((1 / present.sum(axis=1)).mean())
        total = float(np.nanmean(trials, axis=1).var(axis=0, ddof=1).mean())
        return cls(max(total - share * trial, 0.0), trial, share)


def noisy_averages(
    trials: np.ndarray, keep: np.ndarray, added: float, draws: int, random: np.random.Generator
) -> list[np.ndarray]:
    """Averages over repeats, of some stimuli with noise like that of their trials, with its covariance.

    Parameters
    ----------
    trials : (n, repeats, v), NaN where a stimulus has fewer
    keep : (n,) bool, the stimuli whose noise is known and added to
    added : variance of what is added, in units of a trial's noise
    draws : number of draws

    Returns
    -------
    (n, 1, v) in each draw
    """
    mean = np.nanmean(trials.astype(np.float64), axis=1)
    root = np.sqrt(added) * np.linalg.cholesky(_covariance(trials[keep]))
    found = []
    for _ in range(draws):
        noisy = mean.copy()
        noisy[keep] += random.normal(size=noisy[keep].shape) @ root.T
        found.append(noisy[:, None])
    return found


def _covariance(trials: np.ndarray) -> np.ndarray:
    """Covariance over voxels (v, v) of a trial's noise, shrunk after Ledoit & Wolf.

    Noise of the sample covariance of fewer trials than voxels would lie in too few dimensions, and disturb an
    RDM more. The shrinkage counts rows as independent: of k trials of a stimulus there are k - 1 contrasts
    that are, while residuals of two trials are one row twice.
    """
    from sklearn.covariance import ledoit_wolf

    present = np.isfinite(trials).all(axis=2)
    repeated = [own[there] for own, there in zip(trials, present, strict=True) if there.sum() > 1]
    rows = np.concatenate([helmert(len(own)) @ own.astype(np.float64) for own in repeated])
    # each voxel keeps its variance
    deviation = np.sqrt((rows**2).mean(axis=0))
    return ledoit_wolf(rows / deviation, assume_centered=True)[0] * np.outer(deviation, deviation)


def draws_of(n: int) -> int:
    """Draws over which scores of n stimuli are averaged."""
    return int(np.clip(-(-PATTERNS // n), 1, DRAWS))
