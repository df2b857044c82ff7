"""Noise ceilings against the ones that the truth of a simulation gives."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cortexrsa.formats.rdms import RDMs
from cortexrsa.geometry.compare import compare
from cortexrsa.geometry.rdm import select_stimuli


def add_true_ceilings(
    table: pd.DataFrame, measured: RDMs, true: RDMs, ceilings: pd.DataFrame, comparison: str
) -> pd.DataFrame:
    """Add to each subject, ROI and split what the upper bound of its ceiling stands for, and both bounds.

    Parameters
    ----------
    table : with columns subject, roi, split
    measured : RDMs of the responses, with columns subject and roi
    true : RDMs of the planted signal, over the same stimuli; of the ROIs that have one
    ceilings : see `ceilings.ceiling_table`
    comparison : see `geometry.compare.compare`

    Returns
    -------
    The table with ceiling_true, the similarity of the noiseless RDM to the measured one (NaN without
    signal), and ceiling_reliability and ceiling_attainable, as estimated without the truth from the repeats
    of the subject (NaN where there are none).
    """

    def only_row(rdms: RDMs, row) -> np.ndarray | None:
        chosen = (rdms.rdm_descriptors["subject"] == row.subject) & (rdms.rdm_descriptors["roi"] == row.roi)
        keep = (rdms.pattern_descriptors["split"] == row.split).to_numpy()
        return select_stimuli(rdms.dissimilarities[chosen.to_numpy()], keep) if chosen.any() else None

    rows = []
    for row in table.itertuples():
        reference = only_row(true, row)
        value = np.nan if reference is None else compare(only_row(measured, row), reference, comparison)[0, 0]
        same = (ceilings["subject"] == row.subject) & (ceilings["roi"] == row.roi)
        same &= (ceilings["split"] == row.split) & (ceilings["kind"] == "split-half")
        found = ceilings.loc[same, ["reliability", "attainable"]].to_numpy()
        reliability, attainable = found[0] if len(found) else (np.nan, np.nan)
        rows.append((value, reliability, attainable))
    names = [f"ceiling_{name}" for name in ("true", "reliability", "attainable")]
    return table.join(pd.DataFrame(rows, index=table.index, columns=names))
