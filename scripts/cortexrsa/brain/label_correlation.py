"""Do stimuli of the same label have similar responses? Then they were not drawn one by one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray

from cortexrsa.formats.columns.stimuli import STIMULI

# above it errors over single stimuli are too small: with ten stimuli of a label by a fifth
ALIKE = 0.05
PREFIX = "icc_"


def intraclass_correlation(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Share of the variance over stimuli that stimuli of the same label have in common.

    Parameters
    ----------
    values : (n, v)
    labels : (n,) of at least two values, of which one occurs twice

    Returns
    -------
    (v,), without bias and so below 0 where labels have nothing in common; NaN for a voxel that does not vary

    References
    ----------
    Fisher 1925; Donner 1986, doi:10.2307/1403259 (one-way analysis of variance, groups of unequal size)
    """
    values = np.asarray(values, np.float64)
    _, codes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    n, k = len(values), len(sizes)
    means = np.zeros((k, values.shape[1]))
    np.add.at(means, codes, values)
    means /= sizes[:, None]
    between = (sizes[:, None] * (means - values.mean(axis=0)) ** 2).sum(axis=0) / (k - 1)
    within = ((values - means[codes]) ** 2).sum(axis=0) / (n - k)
    size = (n - (sizes**2).sum() / n) / (k - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (between - within) / (between + (size - 1) * within)


def label_columns(stimuli: pd.DataFrame) -> list[str]:
    """Columns of `stimuli.tsv` whose values several stimuli have in common."""
    others = [column for column in stimuli if column not in STIMULI.columns]
    return [column for column in others if 2 <= stimuli[column].nunique() <= len(stimuli) / 2]


def with_labels(table: pd.DataFrame, responses: xarray.DataArray, stimuli: pd.DataFrame) -> pd.DataFrame:
    """`reliability.csv` with the intraclass correlation over each label, of each split by itself.

    Parameters
    ----------
    table : of `reliability.reliability_table`
    responses : that it is of
    stimuli : n rows of `stimuli.tsv`
    """
    table = table.copy()
    for column in label_columns(stimuli):
        found = pd.Series(np.nan, table.index)
        for split in table["split"].unique():
            rows = (table["split"] == split).to_numpy()
            values = of_split(responses, stimuli, column, split)
            found[rows] = np.nan if values is None else values[table.loc[rows, "voxel"]]
        table[PREFIX + column] = found
    return table


def of_split(
    responses: xarray.DataArray, stimuli: pd.DataFrame, column: str, split: str
) -> np.ndarray | None:
    """Intraclass correlation (v,) over a label in a split; None where no two of its stimuli share one."""
    rows = (stimuli["split"] == split).to_numpy()
    labels = stimuli.loc[rows, column].to_numpy()
    if not 2 <= len(set(labels)) < len(labels):
        return None
    part = responses.isel(stimulus=np.flatnonzero(rows))
    means = part.mean("repeat", skipna=True) if "repeat" in part.dims else part
    return intraclass_correlation(means.transpose("stimulus", "voxel").to_numpy(), labels)


def alike(responses: xarray.DataArray, stimuli: pd.DataFrame) -> dict[str, tuple[str, float]]:
    """Labels whose test stimuli have similar responses: the ROI where most, and its voxels' median."""
    found = {}
    for column in label_columns(stimuli):
        values = of_split(responses, stimuli, column, "test")
        if values is None:
            continue
        medians = pd.Series(values).groupby(responses["roi"].to_numpy()).median()
        if medians.max() > ALIKE:
            found[column] = str(medians.idxmax()), float(medians.max())
    return found
