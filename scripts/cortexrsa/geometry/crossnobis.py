"""RDMs of patterns measured with noise: Mahalanobis and crossnobis distances."""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_triangular

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
    # imported here: a second that no other dissimilarity needs
    from sklearn.covariance import ledoit_wolf

    covariance = ledoit_wolf(values, assume_centered=True)[0] * (len(values) / dof)
    root = np.linalg.cholesky(covariance)
    flat = trials.reshape(-1, trials.shape[-1]).astype(np.float64)
    present = np.isfinite(flat).all(axis=1)
    out = np.full(flat.shape, np.nan)
    # distances depend on the covariance alone, not on which root of it is taken
    out[present] = solve_triangular(root, flat[present].T, lower=True).T
    return out.reshape(trials.shape)


def crossnobis(trials: np.ndarray, folds: np.ndarray | None = None) -> np.ndarray:
    """Cross-validated squared Euclidean distances, unbiased by noise: of whitened trials, crossnobis.

    (x_i - x_j)(x_i - x_j) / p, each factor from another fold, mean over all pairs of trials of different
    folds. It follows from the sums over folds. Trials of one run share noise, so a fold is a run: pairs of
    trials of one run would make stimuli that share many runs seem alike. Noise shared by the stimuli of one
    fold cancels.

    Parameters
    ----------
    trials : (n, repeats, p), NaN in trials that a stimulus does not have
    folds : (n, repeats) int, the run of each trial; None: the first trials of all stimuli are one fold, the
        second ones another, ..., which is right where each run shows each stimulus once

    Returns
    -------
    (n (n - 1) / 2,) float64, may be negative

    Raises
    ------
    ValueError : a stimulus without trials in two folds.

    References
    ----------
    Nili et al. 2014, doi:10.1371/journal.pcbi.1003553; Walther et al. 2016; Diedrichsen & Kriegeskorte 2017,
    doi:10.1371/journal.pcbi.1005508 (folds are runs)
    """
    present = np.isfinite(trials).all(axis=2)
    if folds is None:
        folds = np.broadcast_to(np.arange(trials.shape[1]), present.shape)
    few = folds_per_stimulus(present, folds) < 2
    if few.any():
        raise ValueError(f"{few.sum()} stimuli without trials in two folds")
    values = np.where(present[..., None], trials, 0).astype(np.float64)
    # an origin near the patterns keeps small distances between large values
    values -= np.where(present[..., None], values[present].mean(axis=0), 0)
    sums, counts = values.sum(axis=1), present.sum(axis=1)
    products, together = sums @ sums.T, np.outer(counts, counts).astype(np.float64)
    for fold in np.unique(folds[present]):
        own = present & (folds == fold)
        shown = np.flatnonzero(own.any(axis=1))
        part = np.einsum("nr,nrp->np", own[shown].astype(float), values[shown])
        number = own[shown].sum(axis=1)
        products[np.ix_(shown, shown)] -= part @ part.T
        together[np.ix_(shown, shown)] -= np.outer(number, number)
    return squared_distances(products / together) / trials.shape[2]


def folds_per_stimulus(present: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """In how many folds each stimulus has a trial: (n, repeats) bool and int -> (n,)."""
    return np.array([len(np.unique(own[there])) for own, there in zip(folds, present, strict=True)])


def prepared(trials: np.ndarray, dissimilarity: str) -> np.ndarray:
    """Trials (n, repeats, p) as `rdm_of_trials` takes them: whitened where the dissimilarity asks for it."""
    return whiten(trials) if DISSIMILARITIES[dissimilarity].whitened else trials


def rdm_of_trials(
    trials: np.ndarray, dissimilarity: str, threads: int = 1, folds: np.ndarray | None = None
) -> np.ndarray:
    """RDM of patterns measured once or several times.

    Parameters
    ----------
    trials : (n, repeats, p), `prepared`; NaN in trials that a stimulus does not have
    dissimilarity : of `rdm.rdm`, of the mean over repeats; mahalanobis (squared, divided by p), of the
        whitened mean; or crossnobis
    threads : see `rdm.rdm`
    folds : of `crossnobis`

    Returns
    -------
    (n (n - 1) / 2,) float64, i < j

    Raises
    ------
    ValueError : crossnobis of a stimulus without trials in two folds.
    """
    record = DISSIMILARITIES[dissimilarity]
    if record.across_runs:
        return crossnobis(trials, folds)
    mean = trials[:, 0] if trials.shape[1] == 1 else np.nanmean(trials, axis=1)
    return rdm(mean, record.of_layers, threads)
