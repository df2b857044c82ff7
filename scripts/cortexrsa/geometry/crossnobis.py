"""RDMs of patterns measured with noise: Mahalanobis and crossnobis distances."""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_triangular
from sklearn.covariance import ledoit_wolf

from cortexrsa.geometry.rdm import rdm, squared_distances
from cortexrsa.geometry.registry import DISSIMILARITIES


def residuals(trials: np.ndarray) -> tuple[np.ndarray, int]:
    """What the trials of a stimulus differ by from their mean.

    Parameters
    ----------
    trials : (n, repeats, p), NaN in trials that a stimulus does not have

    Returns
    -------
    values : (trials of stimuli with two or more, p)
    dof : their number less that of the stimuli they are of
    """
    present = np.isfinite(trials).all(axis=2)
    repeated = present.sum(axis=1) >= 2
    chosen, present = trials[repeated].astype(np.float64), present[repeated]
    chosen = np.where(present[..., None], chosen, 0)
    means = chosen.sum(axis=1) / present.sum(axis=1)[:, None]
    values = (chosen - means[:, None])[present]
    return values, len(values) - int(repeated.sum())


def whiten(trials: np.ndarray) -> np.ndarray:
    """Patterns in units of the noise: multiplied by the inverse root of its covariance over voxels.

    The covariance is that of the residuals over repeats, shrunk towards a multiple of the identity (Ledoit &
    Wolf 2004, scikit-learn). Where no stimulus has two trials it is that of the patterns over stimuli, signal
    included: the best there is, but directions of strong signal are then shrunk like those of strong noise.

    Parameters
    ----------
    trials : (n, repeats, p), NaN in trials that a stimulus does not have

    Returns
    -------
    (n, repeats, p) float64, of unit noise covariance

    References
    ----------
    Walther et al. 2016, doi:10.1016/j.neuroimage.2015.12.012
    """
    values, dof = residuals(trials)
    if dof == 0:
        patterns = trials[np.isfinite(trials).all(axis=2)].astype(np.float64)
        values, dof = patterns - patterns.mean(axis=0), len(patterns) - 1
    covariance = ledoit_wolf(values, assume_centered=True)[0] * (len(values) / dof)
    root = np.linalg.cholesky(covariance)
    flat = trials.reshape(-1, trials.shape[-1]).astype(np.float64)
    present = np.isfinite(flat).all(axis=1)
    out = np.full(flat.shape, np.nan)
    # distances depend on the covariance alone, not on which root of it is taken
    out[present] = solve_triangular(root, flat[present].T, lower=True).T
    return out.reshape(trials.shape)


def crossnobis(trials: np.ndarray) -> np.ndarray:
    """Cross-validated squared Euclidean distances, unbiased by noise: of whitened trials, crossnobis.

    (x_i - x_j)(x_i - x_j) / p, each factor from another repeat, mean over all pairs of different repeats. It
    follows from the sums over repeats; noise shared by the stimuli of one repeat cancels.

    Parameters
    ----------
    trials : (n, repeats, p), NaN in trials that a stimulus does not have

    Returns
    -------
    (n (n - 1) / 2,) float64, may be negative

    Raises
    ------
    ValueError : a stimulus with fewer than two trials.

    References
    ----------
    Nili et al. 2014, doi:10.1371/journal.pcbi.1003553; Walther et al. 2016
    """
    present = np.isfinite(trials).all(axis=2)
    if present.sum(axis=1).min() < 2:
        raise ValueError(f"{(present.sum(axis=1) < 2).sum()} stimuli with fewer than two trials")
    values = np.where(present[..., None], trials, 0).astype(np.float64)
    # an origin near the patterns keeps small distances between large values
    values -= np.where(present[..., None], values[present].mean(axis=0), 0)
    sums, counts = values.sum(axis=1), present.sum(axis=1)
    products, together = sums @ sums.T, np.outer(counts, counts).astype(np.float64)
    for repeat in range(trials.shape[1]):
        products -= values[:, repeat] @ values[:, repeat].T
        together -= np.outer(present[:, repeat], present[:, repeat])
    return squared_distances(products / together) / trials.shape[2]


def prepared(trials: np.ndarray, dissimilarity: str) -> np.ndarray:
    """Trials (n, repeats, p) as `rdm_of_trials` takes them: whitened where the dissimilarity asks for it."""
    return whiten(trials) if DISSIMILARITIES[dissimilarity].whitened else trials


def rdm_of_trials(trials: np.ndarray, dissimilarity: str, threads: int = 1) -> np.ndarray:
    """RDM of patterns measured once or several times.

    Parameters
    ----------
    trials : (n, repeats, p), `prepared`; NaN in trials that a stimulus does not have
    dissimilarity : of `rdm.rdm`, of the mean over repeats; mahalanobis (squared, divided by p), of the
        whitened mean; or crossnobis
    threads : see `rdm.rdm`

    Returns
    -------
    (n (n - 1) / 2,) float64, i < j

    Raises
    ------
    ValueError : crossnobis of a stimulus with fewer than two trials.
    """
    if dissimilarity == "crossnobis":
        return crossnobis(trials)
    mean = trials[:, 0] if trials.shape[1] == 1 else np.nanmean(trials, axis=1)
    return rdm(mean, DISSIMILARITIES[dissimilarity].of_layers, threads)
