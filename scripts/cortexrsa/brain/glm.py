"""Betas of BOLD runs: one for each stimulus, or one for each presentation (least squares all or separate)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from nilearn.glm.first_level import compute_regressor, make_first_level_design_matrix, mean_scaling, run_glm
from nilearn.glm.regression import ARModel

from cortexrsa.brain.settings import GLMSettings
from cortexrsa.errors import InputError

AR_BINS = 100  # the grid on which nilearn's run_glm rounds the AR(1) coefficient of a voxel
LEAST_NEW = 1e-10  # share of a confound's variance that other regressors must leave, or it is dropped
LARGEST_ERROR = 3.0  # standard error of a beta, in those of the median one; what has a larger one is left out
MOST_LEFT_OUT = 0.25  # of the betas of a run
LEAST_TSNR = 1.0  # mean over SD of a voxel whose signal is scaled by its mean


# ---- designs ---------------------------------------------------------------------------------------------


def frame_times(scans: int, tr: float, slice_time_ref: float) -> np.ndarray:
    """Times (scans,) in seconds to which the volumes belong; slice_time_ref in [0, 1] is the part of a TR."""
    return tr * (np.arange(scans) + slice_time_ref)


def design_matrix(
    events: pd.DataFrame | None,
    times: np.ndarray,
    settings: GLMSettings,
    confounds: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Design matrix of one run, by nilearn.

    Parameters
    ----------
    events : onset and duration in seconds, and trial_type: one condition each; None for the regressors of no
        interest alone
    times : (scans,) seconds, see `frame_times`
    settings : of them hrf, drift, high_pass and drift_order
    confounds : (scans, c) regressors of no interest, see `independent`

    Returns
    -------
    (scans, columns): the conditions (with their derivatives, if the HRF model has any), the confounds (each
    as confound_NAME), the drifts and a constant
    """
    return make_first_level_design_matrix(
        times,
        None if events is None else events[["onset", "duration", "trial_type"]],
        hrf_model=settings.hrf,
        drift_model=None if settings.drift == "none" else settings.drift,
        high_pass=settings.high_pass,
        drift_order=settings.drift_order,
        add_regs=None if confounds is None or confounds.empty else confounds.to_numpy(np.float64),
        # a confound may be called like a drift
        add_reg_names=None if confounds is None or confounds.empty else [f"confound_{c}" for c in confounds],
    )


def independent(confounds: pd.DataFrame, others: np.ndarray) -> tuple[pd.DataFrame, dict[str, str]]:
    """Confounds of mean 0 and variance 1, without those that add nothing to what stands before them.

    Scales of confounds differ by many orders of magnitude (fMRIPrep's from 1e8 to 1e-10), so that small ones
    would fall below the tolerance of a rank.

    Parameters
    ----------
    confounds : (scans, c)
    others : (scans, q) drifts and constant

    Returns
    -------
    kept : (scans, up to c)
    dropped : {name: why}
    """
    space = np.linalg.qr(others)[0]
    kept, dropped = {}, {}
    for name, values in confounds.items():
        centred = values.to_numpy(np.float64) - values.mean()
        deviation = centred.std()
        if deviation <= 1e-12 * np.abs(values).max():
            dropped[name] = "constant"
            continue
        centred /= deviation
        left = centred - space @ (space.T @ centred)
        left -= space @ (space.T @ left)
        if left @ left < LEAST_NEW * len(left):
            dropped[name] = "explained by the drifts and the confounds before it"
            continue
        space = np.column_stack([space, left / np.sqrt(left @ left)])
        kept[name] = centred
    return pd.DataFrame(kept, index=confounds.index), dropped


def errors_of_all(design: np.ndarray, conditions: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Standard errors of betas in one model, and how much other regressors inflate their variances.

    Parameters
    ----------
    design : (scans, columns)
    conditions : columns of interest

    Returns
    -------
    errors : (conditions,) for white noise of variance 1; infinite where the design does not tell the beta
    inflation : (conditions,) variance inflation factors (Marquardt 1970, Technometrics 12, 591)
    """
    scale = np.linalg.norm(design, axis=0)
    _, singular, right = np.linalg.svd(design / np.where(scale > 0, scale, 1), full_matrices=False)
    right = right[singular > 1e-10 * singular[0]]
    variances = ((right / singular[: len(right), None]) ** 2).sum(axis=0)
    # what lies outside of the space of the rows is not estimable
    told = ((right**2).sum(axis=0) > 1 - 1e-6) & (scale > 0)
    errors = np.full(len(scale), np.inf)
    errors[told] = np.sqrt(variances[told]) / scale[told]
    spread = ((design - design.mean(axis=0)) ** 2).sum(axis=0)
    with np.errstate(invalid="ignore"):
        inflation = np.where(spread > 0, errors**2 * spread, np.inf)
    return errors[conditions], inflation[conditions]


def errors_of_separate(pairs: np.ndarray, nuisance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same of least squares separate: (trials,) each.

    Parameters
    ----------
    pairs : (trials, p, scans) regressors of each trial, its response first, and of all others
    nuisance : (scans, q) regressors that all trials share
    """
    _, left, _, _ = partitioned(np.zeros((pairs.shape[-1], 0)), pairs, nuisance)
    errors, inflation = np.full((2, len(pairs)), np.inf)
    for k, (own, *rest) in enumerate(left):
        rest = np.transpose(rest)
        residual = own - rest @ np.linalg.lstsq(rest, own)[0]
        norm, whole = np.linalg.norm(residual), np.linalg.norm(pairs[k, 0])
        if norm > 1e-6 * whole:
            errors[k] = 1 / norm
            inflation[k] = ((pairs[k, 0] - pairs[k, 0].mean()) ** 2).sum() / norm**2
    return errors, inflation


def condition_number(design: pd.DataFrame, conditions: list[str]) -> float:
    """Largest over smallest singular value of the conditions' regressors.

    Each regressor has length 1, without what all other columns of the design explain.
    """
    own = design[conditions].to_numpy()
    nuisance = np.linalg.qr(design.drop(columns=conditions).to_numpy())[0]
    own = own - nuisance @ (nuisance.T @ own)
    norms = np.linalg.norm(own, axis=0)
    singular = np.linalg.svd(own[:, norms > 0] / norms[norms > 0], compute_uv=False)
    return float(singular[0] / singular[-1]) if singular[-1] > 0 else float("inf")


def regressors(events: pd.DataFrame, times: np.ndarray, hrf: str) -> np.ndarray:
    """Regressors (basis, scans) of one condition with the given events; basis: response, derivatives."""
    condition = np.stack([events["onset"], events["duration"], np.ones(len(events))])
    return compute_regressor(condition, hrf, times)[0].T


# ---- betas of one run ------------------------------------------------------------------------------------


class RunBetas(NamedTuple):
    """Betas of one run.

    Attributes
    ----------
    betas : (rows, v) float32
    rows : what each is of: stimulus_id, onset (of the first presentation, for one beta a stimulus)
    design : matrix that was fitted; for least squares separate that of all trials (least squares all), since
        each trial has one of its own
    warnings : sentences on presentations that were left out
    dropped : {confound that was left out: why}
    """

    betas: np.ndarray
    rows: pd.DataFrame
    design: pd.DataFrame
    warnings: list[str]
    dropped: dict[str, str]


class _Model(NamedTuple):
    """What is fitted to a run, and what it tells.

    Attributes
    ----------
    design : see `RunBetas`
    errors, inflation : (rows,) see `errors_of_all`
    pairs, nuisance : of least squares separate, see `errors_of_separate`; else None
    """

    design: pd.DataFrame
    errors: np.ndarray
    inflation: np.ndarray
    pairs: np.ndarray | None = None
    nuisance: np.ndarray | None = None


def run_betas(
    series: np.ndarray,
    events: pd.DataFrame,
    times: np.ndarray,
    settings: GLMSettings,
    confounds: pd.DataFrame | None = None,
    centred: bool = False,
) -> RunBetas:
    """Betas of one run, in percent signal change (in units of the data, if it is centred).

    A presentation whose beta would have a standard error more than `LARGEST_ERROR` times that of the median
    one has none: it began too shortly before the end of the run, has a duration of another size than the
    others, or coincides with a confound. z-scores over a session would carry its error to all others.

    Parameters
    ----------
    series : (scans, v) raw BOLD of the voxels of interest; a voxel with a NaN, or whose mean is not
        positive or below its SD over time, gets NaN betas
    events : presentations: onset, duration (seconds), stimulus_id, and (optional) line of their file
    times : (scans,) seconds
    settings : of them betas, noise, and those of `design_matrix`
    confounds : (scans, c), see `independent`
    centred : the series have no mean signal to scale by, or to tell the brain by

    Raises
    ------
    InputError : the design has as many columns as there are scans, or does not tell the betas of more than a
        quarter of the presentations.
    """
    events = events.sort_values("onset", kind="stable", ignore_index=True)
    if settings.betas == "stimulus":
        condition = pd.factorize(events["stimulus_id"])[0]
    else:
        condition = np.arange(len(events))
    events = events.assign(trial_type=[f"event_{k:05d}" for k in condition])
    rows = events.drop_duplicates("trial_type", ignore_index=True)
    dropped = {}
    if confounds is not None:
        drifts = design_matrix(None, times, settings)
        confounds, dropped = independent(confounds.set_axis(times), drifts.to_numpy())
    model = _model(events, list(rows["trial_type"]), times, settings, confounds)
    peaks = model.design[rows["trial_type"]].abs().max().to_numpy()
    told, warnings = _estimable(rows, peaks, model.errors, model.inflation)
    rows = rows[told].reset_index(drop=True)
    series = series.astype(np.float64)
    with np.errstate(invalid="ignore"):
        usable = np.isfinite(series).all(axis=0)
        mean, deviation = series.mean(axis=0), series.std(axis=0)
        usable &= centred | ((mean > 0) & (mean >= LEAST_TSNR * deviation))
    betas = np.full((len(rows), series.shape[1]), np.nan, np.float32)
    if usable.any():
        scaled = series[:, usable] if centred else mean_scaling(series[:, usable])[0]
        if model.pairs is None:
            own = list(rows["trial_type"])
            betas[:, usable] = _least_squares_all(scaled, model.design, own, settings.noise)
        else:
            own = model.pairs[told]
            betas[:, usable] = _least_squares_separate(scaled, own, model.nuisance, settings.noise)
    return RunBetas(betas, rows[["stimulus_id", "onset"]], model.design, warnings, dropped)


def _model(
    events: pd.DataFrame,
    conditions: list[str],
    times: np.ndarray,
    settings: GLMSettings,
    confounds: pd.DataFrame | None,
) -> _Model:
    """The model of a run, whose events have their condition as trial_type."""
    if settings.betas != "trial-lss":
        design = design_matrix(events, times, settings, confounds)
        _check_scans(len(times), len(design.columns))
        chosen = [design.columns.get_loc(name) for name in conditions]
        return _Model(design, *errors_of_all(design.to_numpy(), chosen))
    own = np.stack([regressors(events.iloc[[k]], times, settings.hrf) for k in range(len(events))])
    drifts = design_matrix(None, times, settings, confounds)
    design = pd.DataFrame(own[:, 0].T, times, conditions).join(drifts)
    _check_scans(len(times), 2 * own.shape[1] + len(drifts.columns))
    pairs = np.concatenate([own, all_others(own, events, times, settings.hrf)], axis=1)
    nuisance = drifts.to_numpy()
    return _Model(design, *errors_of_separate(pairs, nuisance), pairs, nuisance)


def _check_scans(scans: int, columns: int) -> None:
    if columns >= scans:
        found = f"{scans} scans for {columns} regressors"
        raise InputError("design matrix", found, "more scans than regressors")


def _estimable(
    rows: pd.DataFrame, peaks: np.ndarray, errors: np.ndarray, inflation: np.ndarray
) -> tuple[np.ndarray, list[str]]:
    """Which betas (rows,) the design tells, and a sentence on each of the others."""
    if not np.isfinite(errors).any():
        raise InputError("design matrix", "no presentation whose beta it can estimate", "at least one")
    relative = errors / np.median(errors[np.isfinite(errors)])
    told = relative <= LARGEST_ERROR
    sentences = []
    for k in np.flatnonzero(~told):
        row = rows.iloc[k]
        place = f"line {row['line']}: " if "line" in row else ""
        size = peaks[k] / np.median(peaks)
        sentences.append(
            f"{place}no beta of {row['stimulus_id']} at {row['onset']:g} s: its regressor peaks at "
            f"{size:.2g} times that of the others, other regressors inflate its variance {inflation[k]:.3g} "
            f"times, so that its standard error would be {relative[k]:.3g} times theirs"
        )
    if (~told).sum() > max(1, MOST_LEFT_OUT * len(told)):
        found = f"{(~told).sum()} of {len(told)} betas that the design cannot estimate; {sentences[0]}"
        expected = "presentations of like durations, and no confounds in their place"
        raise InputError("design matrix", found, expected)
    return told, sentences


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
