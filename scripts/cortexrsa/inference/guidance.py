"""Training stimuli that a guided network was fitted to: layers are chosen on the others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from cortexrsa.formats.columns.guidance import FIT
from cortexrsa.formats.rdms import RDMs
from cortexrsa.inference.names import GUIDANCE_SPLIT, SELECTION


def fitted_to(stimuli: pd.DataFrame, guidance: pd.DataFrame) -> np.ndarray:
    """Training stimuli that a network was fitted to, with the responses of the brain to them: (n,) bool.

    Parameters
    ----------
    stimuli : n rows with stimulus_id and split
    guidance : with the columns `formats.columns.guidance.GUIDANCE`, of the network

    Examples
    --------
    >>> stimuli = pd.DataFrame({"stimulus_id": ["a", "b", "c"], "split": ["train", "train", "test"]})
    >>> fitted_to(stimuli, stimuli.assign(role=["fit", "validation", "test"]))
    array([ True, False, False])
    """
    seen = set(guidance.loc[guidance["role"] == FIT, "stimulus_id"].astype(str))
    return (stimuli["stimulus_id"].astype(str).isin(seen) & (stimuli["split"] == SELECTION)).to_numpy()


def set_apart(rdms: RDMs, guidance: pd.DataFrame | None) -> RDMs:
    """RDMs in which the stimuli of `fitted_to` are in no split that anything is chosen or scored on.

    All as they are with None for `guidance`: of a network that was not trained with the brain.
    """
    if guidance is None:
        return rdms
    patterns = rdms.pattern_descriptors
    split = patterns["split"].mask(fitted_to(patterns, guidance), GUIDANCE_SPLIT)
    return replace(rdms, pattern_descriptors=patterns.assign(split=split))
