"""What the result of one network is put together from, whatever the measure: see `scores.score_network`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray

from cortexrsa.inference.errors import QUANTITIES
from cortexrsa.inference.names import GROUP


def of_split(scores: np.ndarray, deviations: np.ndarray, method) -> xarray.Dataset:
    """score, deviations, replicates and n_stimuli of `score_network`, of one split."""
    data = {
        "score": (("subject", "roi", "layer"), scores),
        "deviations": (("replicate", "subject", "roi", "layer"), deviations.astype(np.float32)),
        "replicates": (("quantity",), method.replicates.packed()),
        "n_stimuli": method.n,
    }
    return xarray.Dataset(data, coords={"replicate": range(len(deviations))})


def labelled(
    data: xarray.Dataset,
    names: list[str],
    axes: tuple[list[str], list[str]],
    layers: pd.DataFrame,
    candidates: Sequence[str],
) -> xarray.Dataset:
    """Scores with the coordinates of `score_network`.

    Parameters
    ----------
    names : of the splits
    axes : subjects and ROIs
    layers : columns of the network's RDMs
    candidates : kinds of held-out scores
    """
    return data.assign_coords(
        split=names,
        subject=axes[0],
        roi=axes[1],
        layer=list(layers["layer"]),
        depth=("layer", layers["depth"].to_numpy()),
        layer_index=("layer", layers["layer_index"]),
        shape=("layer", shapes_of(layers)),
        candidate=list(candidates),
        quantity=list(QUANTITIES),
    )


def shapes_of(layers: pd.DataFrame) -> list[str]:
    """Of the layers' outputs; RDMs from elsewhere know none."""
    return list(layers.get("shape", [""] * len(layers)))


def of_heldout(heldout: np.ndarray, deviations: np.ndarray, replicates: int) -> dict:
    """heldout and heldout_deviations of `score_network`; where there are fewer replicates they end in NaN."""
    lacking = [(0, replicates - len(deviations))] + [(0, 0)] * heldout.ndim
    padded = np.pad(deviations.astype(np.float32), lacking, constant_values=np.nan)
    return {
        "heldout": (("subject", "roi", "candidate"), heldout),
        "heldout_deviations": (("replicate", "subject", "roi", "candidate"), padded),
    }


def with_group(subjects: list[str], observed: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Units of a test, and their scores (units, rois, l): the subjects, and with several their mean last."""
    if len(subjects) == 1:
        return list(subjects), observed
    return [*subjects, GROUP], np.concatenate([observed, observed.mean(axis=0, keepdims=True)])


def of_test(units: list[str], observed: np.ndarray, p: np.ndarray, null: np.ndarray) -> xarray.Dataset:
    """p and null_maximum of `score_network`, from those of all layers."""
    sound = np.isfinite(observed).any(axis=-1)
    maximum = np.where(sound, np.nan_to_num(null, nan=-np.inf).max(axis=-1), np.nan)
    return xarray.Dataset(
        {"p": (("unit", "roi", "layer"), p), "null_maximum": (("permutation", "unit", "roi"), maximum)},
        coords={"unit": units},
    )
