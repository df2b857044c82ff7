"""Training stimuli that a guided network was fitted to: layers are chosen on the others."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cortexrsa.formats.columns.guidance import FIT
from cortexrsa.inference.names import SELECTION


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
