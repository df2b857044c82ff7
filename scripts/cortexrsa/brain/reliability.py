"""Reliability of single-trial responses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray


def split_half_reliability(trials: np.ndarray, splits: int = 100, seed: int = 0) -> np.ndarray:
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

    Returns
    -------
    (v,) float64 in [-1, 1]; NaN for a voxel without variance, or with missing trials of its own

    Raises
    ------
    ValueError : fewer than three stimuli have two repeats, or there are no splits.
    """
    if splits < 1:
        raise ValueError(f"splits: found {splits}, expected at least 1")
    present = np.isfinite(trials).any(axis=2)
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
    return _spearman_brown(total / splits, counts.mean() / half.mean())


def reliability_table(responses: xarray.DataArray, splits: int = 100, seed: int = 0) -> pd.DataFrame:
    """Split-half reliability of every voxel, for each split of the data by itself.

    Parameters
    ----------
    responses : (stimulus, repeat, voxel) with the coords of `files.write_responses`
    splits, seed : see `split_half_reliability`

    Returns
    -------
    pandas.DataFrame with subject, roi, voxel (index along the voxels), split, repeats (most of any stimulus)
    and reliability. Splits of the data in which fewer than three stimuli were repeated are left out.

    Raises
    ------
    ValueError : the responses are averages, without single trials.
    """
    if "repeat" not in responses.dims:
        raise ValueError(f"responses: found dimensions {responses.dims}, expected single trials (repeat)")
    responses = responses.transpose("stimulus", "repeat", "voxel")
    tables = []
    for split in pd.unique(responses["split"].values):
        trials = responses.values[responses["split"].values == split]
        counts = np.isfinite(trials).any(axis=2).sum(axis=1)
        if (counts >= 2).sum() >= 3:
            columns = {
                "subject": responses["subject"].values,
                "roi": responses["roi"].values,
                "voxel": np.arange(trials.shape[2]),
                "split": split,
                "repeats": counts.max(),
                "reliability": split_half_reliability(trials, splits, seed),
            }
            tables.append(pd.DataFrame(columns))
    empty = pd.DataFrame(columns=["subject", "roi", "voxel", "split", "repeats", "reliability"])
    return pd.concat(tables, ignore_index=True) if tables else empty


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


def _spearman_brown(r: np.ndarray, k: float) -> np.ndarray:
    """Reliability of a test k times as long; r is held where the result would leave [-1, 1]."""
    r = np.maximum(r, -1 / (2 * k - 1))
    return k * r / (1 + (k - 1) * r)
