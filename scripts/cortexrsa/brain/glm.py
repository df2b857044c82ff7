"""Betas of BOLD runs: one for each stimulus, or one for each presentation (least squares all or separate)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from nilearn.glm.first_level import compute_regressor, make_first_level_design_matrix, mean_scaling, run_glm
from nilearn.glm.regression import ARModel

from cortexrsa.errors import InputError

AR_BINS = 100  # the grid on which nilearn's run_glm rounds the AR(1) coefficient of a voxel


# ---- designs ---------------------------------------------------------------------------------------------


def frame_times(scans: int, tr: float, slice_time_ref: float) -> np.ndarray:
    """Times (scans,) in seconds to which the volumes belong; slice_time_ref in [0, 1] is the part of a TR."""
    return tr * (np.arange(scans) + slice_time_ref)


def design_matrix(
    events: pd.DataFrame | None, times: np.ndarray, settings: dict, confounds: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Design matrix of one run, by nilearn.

    Parameters
    ----------
    events : onset and duration in seconds, and trial_type: one condition each; None for the regressors of no
        interest alone
    times : (scans,) seconds, see `frame_times`
    settings : hrf, drift (cosine, polynomial or none), high_pass (Hz), drift_order
    confounds : (scans, c) regressors of no interest

    Returns
    -------
    (scans, columns): the conditions (with their derivatives, if the HRF model has any), the confounds, the
    drifts and a constant
    """
    return make_first_level_design_matrix(
        times,
        None if events is None else events[["onset", "duration", "trial_type"]],
        hrf_model=settings["hrf"],
        drift_model=None if settings["drift"] == "none" else settings["drift"],
        high_pass=settings["high_pass"],
        drift_order=settings["drift_order"],
        add_regs=None if confounds is None or confounds.empty else confounds.to_numpy(np.float64),
        add_reg_names=None if confounds is None or confounds.empty else list(confounds),
    )


def regressors(events: pd.DataFrame, times: np.ndarray, hrf: str) -> np.ndarray:
    """Regressors (basis, scans) of one condition with the given events; basis: response, derivatives."""
    condition = np.stack([events["onset"], events["duration"], np.ones(len(events))])
    return compute_regressor(condition, hrf, times)[0].T


# ---- betas of one run ------------------------------------------------------------------------------------


def run_betas(
    series: np.ndarray,
    events: pd.DataFrame,
    times: np.ndarray,
    settings: dict,
    confounds: pd.DataFrame | None = None,
    source: str = "BOLD",
) -> tuple[np.ndarray, pd.DataFrame, pd.DataFrame]:
    """Betas of one run, in percent signal change.

    Parameters
    ----------
    series : (scans, v) raw BOLD of the voxels of interest; a voxel with a NaN, or whose mean is not
        positive, gets NaN betas
    events : presentations: onset, duration (seconds), stimulus_id
    times : (scans,) seconds
    settings : betas (trial-lss, trial-lsa or stimulus), noise (ar1 or ols), and those of `design_matrix`
    confounds : (scans, c)
    source : file to name in an error

    Returns
    -------
    betas : (rows, v) float32
    rows : what each is of: stimulus_id, onset (of the first presentation, for one beta a stimulus)
    design : matrix that was fitted; for least squares separate that of all trials (least squares all), since
        each trial has one of its own

    Raises
    ------
    InputError : no scan follows a presentation, or the design has as many columns as there are scans.
    """
    events = events.sort_values("onset", kind="stable", ignore_index=True)
    separate = settings["betas"] == "trial-lss"
    if settings["betas"] == "stimulus":
        condition = pd.factorize(events["stimulus_id"])[0]
    else:
        condition = np.arange(len(events))
    events = events.assign(trial_type=[f"event_{k:05d}" for k in condition])
    rows = events.drop_duplicates("trial_type", ignore_index=True)
    if separate:
        own = np.stack([regressors(events.iloc[[k]], times, settings["hrf"]) for k in range(len(events))])
        nuisance = design_matrix(None, times, settings, confounds)
        design = pd.DataFrame(own[:, 0].T, times, rows["trial_type"]).join(nuisance)
        columns = 2 * own.shape[1] + len(nuisance.columns)
    else:
        design = design_matrix(events, times, settings, confounds)
        columns = len(design.columns)
    silent = rows["onset"][(design[rows["trial_type"]] == 0).all().to_numpy()]
    if len(silent):
        found = f"a presentation at {silent.iloc[0]:g} s, and the last scan at {times[-1]:g} s"
        raise InputError("events", found, "scans after every presentation", file=source)
    if columns >= len(times):
        found = f"{len(times)} scans for {columns} regressors"
        raise InputError("design matrix", found, "more scans than regressors", file=source)

    series = series.astype(np.float64)
    with np.errstate(invalid="ignore"):
        usable = np.isfinite(series).all(axis=0) & (series.mean(axis=0) > 0)
    betas = np.full((len(rows), series.shape[1]), np.nan, np.float32)
    if usable.any():
        scaled, _ = mean_scaling(series[:, usable])
        if separate:
            others = all_others(own, events, times, settings["hrf"])
            pairs = np.concatenate([own, others], axis=1)
            betas[:, usable] = _least_squares_separate(scaled, pairs, nuisance.to_numpy(), settings["noise"])
        else:
            betas[:, usable] = _least_squares_all(scaled, design, list(rows["trial_type"]), settings["noise"])
    return betas, rows[["stimulus_id", "onset"]], design


def _least_squares_all(
    series: np.ndarray, design: pd.DataFrame, conditions: list[str], noise: str
) -> np.ndarray:
    """Betas (conditions, v) of one model with all of them."""
    labels, results = run_glm(series, design.to_numpy(), noise_model=noise, bins=AR_BINS)
    chosen = [design.columns.get_loc(condition) for condition in conditions]
    betas = np.empty((len(chosen), series.shape[1]))
    for label, result in results.items():
        betas[:, labels == label] = result.theta[chosen]
    return betas


def all_others(own: np.ndarray, events: pd.DataFrame, times: np.ndarray, hrf: str) -> np.ndarray:
    """For each trial the regressors (trials, basis, scans) of all others as one condition, given the own."""
    if own.shape[1] == 1:
        # convolution is linear: the sum of all, minus the trial's own
        return own.sum(axis=0) - own
    # not so for derivatives, which nilearn makes orthogonal to the response of their condition
    others = np.zeros_like(own)
    for k in range(len(own) if len(own) > 1 else 0):
        others[k] = regressors(events.drop(index=k), times, hrf)
    return others


def _least_squares_separate(series: np.ndarray, pairs: np.ndarray, nuisance: np.ndarray, noise: str):
    """Betas (trials, v) of one model a trial: the trial, all other trials as one condition, and the rest.

    Mumford et al. 2012 (NeuroImage 59, 2636). Fitting each model by itself costs trials times as much as
    least squares all. Here drifts and confounds, which all models share, are projected out once (Frisch &
    Waugh 1933, Econometrica 1, 387), which leaves a small system for every trial. With AR(1) noise a trial's
    model has, in each voxel, the coefficient of its own residuals: they lie on nilearn's grid, and one
    projection for each value on it serves all trials and voxels that have it.

    Parameters
    ----------
    series : (scans, v)
    pairs : (trials, p, scans) regressors of each trial, its response first, and of all others
    nuisance : (scans, q) regressors that all trials share
    noise : ar1 or ols
    """
    betas, pairs_left, series_left, _ = partitioned(series, pairs, nuisance)
    if noise == "ols":
        return betas[:, 0]
    coefficients = np.stack(
        [_ar1(series_left - own.T @ beta) for own, beta in zip(pairs_left, betas, strict=True)]
    )
    whitened = np.empty_like(coefficients)
    for rho in np.unique(coefficients):
        chosen = coefficients == rho
        voxels = chosen.any(axis=0)
        whiten = ARModel(nuisance, rho).whiten
        white_pairs = whiten(pairs.reshape(-1, len(series)).T).T.reshape(pairs.shape)
        betas, *_ = partitioned(whiten(series[:, voxels]), white_pairs, whiten(nuisance))
        whitened[:, voxels] = np.where(chosen[:, voxels], betas[:, 0], whitened[:, voxels])
    return whitened


def partitioned(series: np.ndarray, pairs: np.ndarray, nuisance: np.ndarray):
    """Least squares of every trial's p regressors beside the nuisance regressors (Frisch & Waugh 1933).

    Parameters
    ----------
    series : (scans, v)
    pairs : (trials, p, scans)
    nuisance : (scans, q)

    Returns
    -------
    coefficients : (trials, p, v)
    pairs, series : without what the nuisance regressors explain
    covariance : (trials, p, p) of the coefficients, for noise of variance 1
    """
    left, singular, _ = np.linalg.svd(nuisance, full_matrices=False)
    space = left[:, singular > singular[0] * max(nuisance.shape) * np.finfo(float).eps]
    series = series - space @ (space.T @ series)
    pairs = pairs - (pairs @ space) @ space.T
    products = (pairs.reshape(-1, pairs.shape[-1]) @ series).reshape(*pairs.shape[:2], -1)
    # a run of one trial has no others: a regressor of zeros
    inverse = np.linalg.pinv(pairs @ pairs.swapaxes(1, 2), hermitian=True)
    return inverse @ products, pairs, series, inverse


def _ar1(residuals: np.ndarray) -> np.ndarray:
    """AR(1) coefficients (v,) of residuals (scans, v), as in nilearn: Yule-Walker, cut to its grid."""
    scans = len(residuals)
    covariance = (residuals[:-1] * residuals[1:]).sum(axis=0) / (scans - 1)
    rho = covariance / ((residuals**2).sum(axis=0) / scans)
    return (np.nan_to_num(rho) * AR_BINS).astype(int) / AR_BINS


# ---- betas of all runs -----------------------------------------------------------------------------------


def standardise(betas: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """z-scores of the betas (rows, v) over the rows of each group (a run or a session), voxel by voxel.

    A voxel that is constant in a group gets zeros there.
    """
    scored = np.empty_like(betas)
    for group in pd.unique(groups):
        rows = groups == group
        values = betas[rows].astype(np.float64)
        values -= values.mean(axis=0)
        deviation = values.std(axis=0)
        scored[rows] = np.divide(values, deviation, out=np.zeros_like(values), where=deviation != 0)
    return scored
