"""Reliability of responses: from single trials, or from averages over different numbers of repeats."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray

from cortexrsa.brain.responses import BLOCK, recorded, voxels_of_subjects
from cortexrsa.formats.columns.reliability import RELIABILITY


def split_half_reliability(
    trials: np.ndarray, splits: int = 100, seed: int = 0, present: np.ndarray | None = None
) -> np.ndarray:
    """Reliability of each voxel's average over its repeats, from random halves of the repeats.

    In every split the repeats of each stimulus are divided at random into two equal halves (one repeat is
    left out of an odd number), each half is averaged, and the two are correlated over stimuli. The mean
    correlation r is stepped up from a half to all repeats by k r / (1 + (k - 1) r), k = repeats / repeats in
    a half (Spearman 1910, Br J Psychol 3, 271; Brown 1910, Br J Psychol 3, 296). The result estimates the
    share of the average's variance over stimuli that is signal.

    Parameters
    ----------
    trials : (n, repeats, v) responses, NaN where a stimulus has fewer repeats. Stimuli with one repeat or
        none are not used. Where their numbers differ, k is that of the mean numbers, which is only
        approximate: call it once for each split of the data (training, test).
    splits : number of random halvings
    seed : of the halvings
    present : (n, repeats) which trials there are; None for those in which any voxel is finite

    Returns
    -------
    (v,) float64 in [-1, 1]; NaN for a voxel without variance, or with missing trials of its own

    Raises
    ------
    ValueError : fewer than three stimuli have two repeats, or there are no splits.
    """
    if splits < 1:
        raise ValueError(f"splits: found {splits}, expected at least 1")
    present = np.isfinite(trials).any(axis=2) if present is None else present
    repeated = present.sum(axis=1) >= 2
    if repeated.sum() < 3:
        raise ValueError(f"trials: {repeated.sum()} stimuli with two repeats, expected at least 3")
    present = present[repeated]
    values = trials[repeated].astype(np.float64)
    # any trial may be the origin; with it, a constant voxel is exactly zero
    values = np.where(present[:, :, None], values - values[0, present[0].argmax()], 0)

    counts = present.sum(axis=1)
    half = counts // 2
    rng = np.random.default_rng(seed)
    total = np.zeros(values.shape[2])
    for _ in range(splits):
        first, second = _random_halves(present, half, rng)
        total += _correlation_over_stimuli(first @ values, second @ values)
    return spearman_brown(total / splits, counts.mean() / half.mean())


def noise_ceiling(
    trials: np.ndarray,
    total: np.ndarray | float = 1.0,
    present: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Signal-to-noise ratio of each voxel and the noise ceiling that follows, as published with NSD.

    The variance of the noise is the mean over stimuli of the variance over the trials of a stimulus (n - 1 in
    the denominator); that of the signal is what it leaves of the total, 0 at least. ncsnr is the ratio of
    their SDs, and NC = 100 ncsnr² / (ncsnr² + mean over stimuli of 1 / repeats): the percentage of the
    variance of the mean over repeats that a perfect model explains.

    Parameters
    ----------
    trials : (n, repeats, v) responses, NaN where a stimulus has fewer repeats
    total : variance over all trials: 1 of trials that were z-scored in each session, as the formula has it
        (trials that were not z-scored vary from session to session, which is no noise of theirs), see
        `total_variance`
    present : (n, repeats) which trials there are; None for those in which any voxel is finite

    Returns
    -------
    ncsnr : (v,) float64; NaN for a voxel without noise or with missing trials of its own
    nc : (v,) percent of the variance of the mean over the repeats that the stimuli have

    Raises
    ------
    ValueError : fewer than three stimuli have two repeats.

    References
    ----------
    Allen et al. 2022, doi:10.1038/s41593-021-00962-x, "Noise ceiling estimation"; Hebart et al. 2023,
    doi:10.7554/eLife.82580
    """
    present = np.isfinite(trials).any(axis=2) if present is None else present
    counts = present.sum(axis=1)
    repeated = counts >= 2
    if repeated.sum() < 3:
        raise ValueError(f"trials: {repeated.sum()} stimuli with 2 repeats, expected at least 3")
    shown, own = present[repeated], counts[repeated][:, None]
    # absent trials count as 0 and are taken out of the sums; missing ones of a voxel stay NaN
    values = np.where(shown[..., None], trials[repeated].astype(np.float64), 0)
    means = values.sum(axis=1) / own
    squares = np.where(shown[..., None], values - means[:, None], 0) ** 2
    noise = (squares.sum(axis=1) / (own - 1)).mean(axis=0)
    signal = np.maximum(total - noise, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ncsnr = np.where(noise > 0, np.sqrt(signal / noise), np.nan)
    seen = counts > 0
    return ncsnr, 100 * ncsnr**2 / (ncsnr**2 + (1 / counts[seen]).mean())


def total_variance(responses: xarray.DataArray, trials: np.ndarray) -> np.ndarray | float:
    """Variance over trials for `noise_ceiling`: 1 where responses were z-scored, else that of the trials.

    Parameters
    ----------
    responses : of `assembly.assemble`, whose attribute zscore tells
    trials : (n, repeats, v) of some of their stimuli and voxels
    """
    if responses.attrs.get("zscore", "none") != "none":
        return 1.0
    present = np.isfinite(trials).any(axis=2)
    return trials[present].astype(np.float64).var(axis=0, ddof=1)


def bound_of_r(reliability: np.ndarray) -> np.ndarray:
    """Largest correlation of a model with a measured mean: the root of its reliability; NaN below 0.

    A reliability (split half, or NC / 100) is a share of variance: it bounds R², and its root bounds r.
    """
    with np.errstate(invalid="ignore"):
        return np.sqrt(np.where(np.asarray(reliability) >= 0, reliability, np.nan))


def signal_and_noise(
    train: np.ndarray, test: np.ndarray, train_repeats: float, test_repeats: float
) -> tuple[np.ndarray, np.ndarray]:
    """Variances of signal and noise where only averages over repeats are known.

    An average over k repeats varies over stimuli by V = s + n / k, so the two splits give
    s = (k_te V_te - k_tr V_tr) / (k_te - k_tr) and n = k_te k_tr (V_tr - V_te) / (k_te - k_tr); with Kay's 2
    and 13 repeats (13 V_te - 2 V_tr) / 11 and (26 / 11)(V_tr - V_te). That holds if both splits share the
    variance of the signal and of the noise of one presentation.

    Parameters
    ----------
    train, test : variances over stimuli of the averages (any shape)
    train_repeats, test_repeats : presentations in an average, of different number

    Returns
    -------
    signal, noise : of one presentation, shaped like the variances; estimates may be below 0
    """
    apart = test_repeats - train_repeats
    signal = (test_repeats * test - train_repeats * train) / apart
    return signal, test_repeats * train_repeats * (train - test) / apart


def repeats_of(responses: xarray.DataArray) -> dict[str, float] | None:
    """Repeats of each split's averages, if there are two splits of different numbers; else None."""
    if "repeat" in responses.dims or "repeats" not in responses.coords:
        return None
    repeats = responses["repeats"].values
    splits = {split: repeats[responses["split"].values == split] for split in ("train", "test")}
    if any(len(values) < 3 or len(set(values)) > 1 for values in splits.values()):
        return None
    repeats = {split: float(values[0]) for split, values in splits.items()}
    return repeats if repeats["train"] != repeats["test"] else None


def reliability_table(responses: xarray.DataArray, splits: int = 100, seed: int = 0) -> pd.DataFrame:
    """Reliability of every voxel's average over its repeats, for each split of the data by itself.

    From halves of the repeats where there are single trials; where only averages are known, from the
    variances of two splits with different numbers of repeats (`signal_and_noise`: s / V, noisy for a single
    voxel, and held to [-1, 1]).

    Parameters
    ----------
    responses : (stimulus, repeat, voxel), or averages (stimulus, voxel) with the coord repeats on stimulus,
        and maybe ncsnr on voxel; else as `formats.responses.write_responses` wants them
    splits, seed : see `split_half_reliability`

    Returns
    -------
    pandas.DataFrame with subject, roi, voxel (index along the voxels), split, repeats (most of any stimulus),
    reliability, ncsnr and nc (see `noise_ceiling`), and the bounds of a correlation that follow from
    reliability and nc. Splits of the data in which fewer than three stimuli were repeated are left out.

    None at all where the responses are averages whose repeats are not known, or the same in all splits.
    """
    if "repeat" in responses.dims:
        parts = _split_half_parts(responses.transpose("stimulus", "repeat", "voxel"), splits, seed)
    elif "ncsnr" in responses.coords:
        parts = _parts_of_averages(responses)
    elif repeats_of(responses) is not None:
        parts = _moment_parts(responses.transpose("stimulus", "voxel"))
    else:
        parts = []
    columns = {
        "subject": responses["subject"].values,
        "roi": responses["roi"].values,
        "voxel": np.arange(responses.sizes["voxel"]),
    }
    tables = [pd.DataFrame({**columns, **part}) for part in parts]
    if not tables:
        return pd.DataFrame(columns=list(RELIABILITY.columns))
    table = pd.concat(tables, ignore_index=True)
    table["r_reliability"] = bound_of_r(table["reliability"])
    table["r_nc"] = bound_of_r(table["nc"] / 100)
    return table


def _split_half_parts(responses: xarray.DataArray, splits: int, seed: int) -> list[dict]:
    parts = []
    for split in pd.unique(responses["split"].values):
        rows = responses["split"].values == split
        found = np.full((3, responses.sizes["voxel"]), np.nan)
        repeats = np.zeros(responses.sizes["voxel"], int)
        for own in voxels_of_subjects(responses).values():
            present = recorded(responses.values, own)[rows]
            if (present.sum(axis=1) >= 2).sum() < 3:
                continue
            repeats[own] = present.sum(axis=1).max()
            for start in range(0, len(own), BLOCK):
                block = own[start : start + BLOCK]
                trials = responses.values[..., block][rows]
                found[0, block] = split_half_reliability(trials, splits, seed, present)
                found[1:, block] = noise_ceiling(trials, total_variance(responses, trials), present)
        if repeats.any():
            columns = dict(zip(("reliability", "ncsnr", "nc"), found, strict=True))
            parts.append({"split": split, "repeats": repeats} | columns)
    return parts


def _parts_of_averages(responses: xarray.DataArray) -> list[dict]:
    """Of averages whose ncsnr was told by their trials; halves of the repeats are gone."""
    parts, ncsnr = [], responses["ncsnr"].values
    for split in pd.unique(responses["split"].values):
        counts = responses["repeats"].values[responses["split"].values == split]
        nc = 100 * ncsnr**2 / (ncsnr**2 + (1 / counts).mean())
        part = {"split": split, "repeats": int(counts.max()), "reliability": np.nan}
        parts.append(part | {"ncsnr": ncsnr, "nc": nc})
    return parts


def _moment_parts(responses: xarray.DataArray) -> list[dict]:
    repeats = repeats_of(responses)
    variances = {
        split: responses.values[responses["split"].values == split].var(axis=0, ddof=1, dtype=np.float64)
        for split in repeats
    }
    signal, noise = signal_and_noise(variances["train"], variances["test"], repeats["train"], repeats["test"])
    parts = []
    with np.errstate(divide="ignore", invalid="ignore"):
        # no ratio where the moments give no noise
        ncsnr = np.where(noise > 0, np.sqrt(np.maximum(signal, 0) / noise), np.nan)
        for split, number in repeats.items():
            reliability = np.clip(signal / variances[split], -1, 1)
            part = {"split": split, "repeats": int(number), "reliability": reliability}
            parts.append(part | {"ncsnr": ncsnr, "nc": 100 * ncsnr**2 / (ncsnr**2 + 1 / number)})
    return parts


def _random_halves(
    present: np.ndarray, half: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Weights (n, 1, repeats) that average two disjoint random sets of `half` repeats of each stimulus."""
    # absent repeats get the last places
    order = np.where(present, rng.random(present.shape), 2.0)
    place = order.argsort(axis=1).argsort(axis=1)
    first = place < half[:, None]
    second = (place < 2 * half[:, None]) & ~first
    return first[:, None, :] / half[:, None, None], second[:, None, :] / half[:, None, None]


def _correlation_over_stimuli(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson r of each voxel's two (n, 1, v) averages, NaN where one of them is constant."""
    a, b = a[:, 0] - a[:, 0].mean(axis=0), b[:, 0] - b[:, 0].mean(axis=0)
    scale = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    return np.divide((a * b).sum(axis=0), scale, out=np.full(len(scale), np.nan), where=scale > 0)


def spearman_brown(r: np.ndarray, k: float = 2) -> np.ndarray:
    """Reliability of k times the data, from that of one part; r is held where the result would leave [-1, 1].

    References
    ----------
    Spearman 1910, Br J Psychol 3, 271; Brown 1910, Br J Psychol 3, 296
    """
    r = np.maximum(r, -1 / (2 * k - 1))
    return k * r / (1 + (k - 1) * r)
