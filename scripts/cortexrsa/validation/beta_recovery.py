"""How well the GLM recovers what was planted in simulated BOLD."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray

from cortexrsa.errors import InputError

PLACE = ["subject", "roi", "i", "j", "k"]


def align_truth(truth: xarray.Dataset, responses: xarray.DataArray) -> xarray.Dataset:
    """The truth of the voxels and stimuli of the responses, in their order.

    Parameters
    ----------
    truth : see `bold.simulate_bids`
    responses : see `assembly.assemble`; voxels may have been left out

    Raises
    ------
    InputError : a voxel or stimulus of the responses is not in the truth.
    """
    places = [pd.MultiIndex.from_arrays([part[name].values for name in PLACE]) for part in (truth, responses)]
    voxels = places[0].get_indexer(places[1])
    stimuli = pd.Index(truth["stimulus_id"].values).get_indexer(responses["stimulus_id"].values)
    if (voxels < 0).any() or (stimuli < 0).any():
        found = f"{(voxels < 0).sum()} voxels and {(stimuli < 0).sum()} stimuli of the responses missing"
        raise InputError("truth", found, "all of them")
    return truth.isel(voxel=voxels, stimulus=stimuli)


def standardised_signal(truth: xarray.Dataset) -> xarray.DataArray:
    """Planted signal (stimulus, voxel), z-scored as betas are: over all presentations of the voxel.

    ROIs without signal are left out.
    """
    over = ("stimulus", "repeat")
    signal = (truth["signal"] - truth["trials"].mean(over)) / truth["trials"].std(over)
    return signal.isel(voxel=(truth["signal"].std("stimulus") > 0).values)


def recovery_table(
    responses: xarray.DataArray, truth: xarray.Dataset, reliability: pd.DataFrame | None
) -> pd.DataFrame:
    """Correlation of recovered with planted betas over stimuli, for every subject, ROI and split.

    Parameters
    ----------
    responses : (stimulus, repeat, voxel), or (stimulus, voxel) if there is one beta a stimulus
    truth : from `align_truth`
    reliability : see `reliability.reliability_table`, of the same voxels; None without single trials

    Returns
    -------
    One row a subject, ROI and split, all values medians over voxels: r_trials, of single presentations with
    their planted betas (noise of the presentation included); r_mean, of the mean over repeats with the
    planted signal; reliability_true, its square, the share of the mean's variance that is signal; and
    reliability, the split-half estimate of that share. NaN where a ROI has no signal, or there are no trials.
    """
    averages = responses.mean("repeat", skipna=True) if "repeat" in responses.dims else responses
    rows = []
    for split in pd.unique(responses["split"].values):
        chosen = (responses["split"] == split).values
        signal = _correlations(averages.values[chosen], truth["signal"].values[chosen])
        trials = np.full(len(signal), np.nan)
        if "repeat" in responses.dims:
            found, planted = responses.values[chosen], truth["trials"].values[chosen]
            trials = _correlations(*(x.reshape(-1, x.shape[-1]) for x in (found, planted)))
        columns = {"subject": responses["subject"].values, "roi": responses["roi"].values}
        values = {"r_trials": trials, "r_mean": signal, "reliability_true": signal**2}
        table = pd.DataFrame(columns | values)
        estimate = np.nan
        if reliability is not None and split in set(reliability["split"]):
            estimate = reliability.loc[reliability["split"] == split, "reliability"].to_numpy()
        groups = table.assign(reliability=estimate, voxels=1).groupby(
            ["subject", "roi"], sort=False, as_index=False
        )
        medians = groups[[*values, "reliability"]].median()
        rows.append(medians.assign(split=split, voxels=groups["voxels"].sum()["voxels"]))
    table = pd.concat(rows, ignore_index=True)
    return table[["subject", "roi", "split", "voxels", *values, "reliability"]]


def _correlations(found: np.ndarray, planted: np.ndarray) -> np.ndarray:
    """Pearson r (v,) of every voxel over the rows (n, v) that both have."""
    present = np.isfinite(found).any(axis=1) & np.isfinite(planted).any(axis=1)
    found, planted = (x[present].astype(np.float64) for x in (found, planted))
    found, planted = found - found.mean(axis=0), planted - planted.mean(axis=0)
    scale = np.sqrt((found**2).sum(axis=0) * (planted**2).sum(axis=0))
    return np.divide(
        (found * planted).sum(axis=0), scale, out=np.full(len(scale), np.nan), where=scale > 1e-9
    )
