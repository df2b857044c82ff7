"""Stimuli of which nothing is made in the results of a guided network, but its encoding models."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cortexrsa.formats.columns.guidance import FIT, NEAR_DUPLICATE
from cortexrsa.inference.design import Design
from cortexrsa.inference.names import PRIMARY


def stimuli_apart(stimuli: pd.DataFrame, guidance: pd.DataFrame, design: Design | None = None) -> np.ndarray:
    """Stimuli that a network was fitted to, or that are near-duplicates of test stimuli: (n,) bool.

    Parameters
    ----------
    stimuli : n rows with stimulus_id and split; no test stimulus is set apart
    guidance : with the columns `formats.columns.guidance.GUIDANCE`, of the network
    design : of the stimuli; of fixed categories also one that would be alone in a split: it has no error

    Examples
    --------
    >>> stimuli = pd.DataFrame({"stimulus_id": ["a", "b", "c"], "split": ["train", "train", "test"]})
    >>> stimuli_apart(stimuli, stimuli.assign(role=["fit", "validation", "test"]))
    array([ True, False, False])
    """
    roles = guidance["role"].isin([FIT, NEAR_DUPLICATE])
    seen = set(guidance.loc[roles, "stimulus_id"].astype(str))
    split = stimuli["split"].to_numpy()
    apart = stimuli["stimulus_id"].astype(str).isin(seen).to_numpy() & (split != PRIMARY)
    if design is not None and design.fixed:
        for name in set(split) - {PRIMARY}:
            left = (split == name) & ~apart
            labels, sizes = np.unique(design.labels[left], return_counts=True)
            apart |= left & np.isin(design.labels, labels[sizes == 1])
    return apart
