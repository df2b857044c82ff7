"""Training stimuli by which no layer of a guided network is chosen."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cortexrsa.formats.columns.guidance import FIT, NEAR_DUPLICATE
from cortexrsa.inference.design import Design
from cortexrsa.inference.names import SELECTION


def stimuli_apart(stimuli: pd.DataFrame, guidance: pd.DataFrame, design: Design | None = None) -> np.ndarray:
    """Training stimuli that a network was fitted to, or that are near-duplicates of test stimuli: (n,) bool.

    Parameters
    ----------
    stimuli : n rows with stimulus_id and split
    guidance : with the columns `formats.columns.guidance.GUIDANCE`, of the network
    design : of the stimuli; of fixed categories also those that would be left alone, which have no error

    Examples
    --------
    >>> stimuli = pd.DataFrame({"stimulus_id": ["a", "b", "c"], "split": ["train", "train", "test"]})
    >>> stimuli_apart(stimuli, stimuli.assign(role=["fit", "validation", "test"]))
    array([ True, False, False])
    """
    roles = guidance["role"].isin([FIT, NEAR_DUPLICATE])
    seen = set(guidance.loc[roles, "stimulus_id"].astype(str))
    training = (stimuli["split"] == SELECTION).to_numpy()
    apart = stimuli["stimulus_id"].astype(str).isin(seen).to_numpy() & training
    if design is not None and design.fixed:
        names, sizes = np.unique(design.labels[training & ~apart], return_counts=True)
        apart |= training & np.isin(design.labels, names[sizes == 1])
    return apart
