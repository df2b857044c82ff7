"""The stimuli that voxels responded to, and networks saw."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import xarray

from cortexrsa.errors import InputError
from cortexrsa.formats.columns.stimuli import STIMULI
from cortexrsa.formats.tables import read_table


def checked_stimuli(stimuli: str | Path, responses: xarray.DataArray) -> pd.DataFrame:
    """The table of the stimuli, which are those of the responses.

    Raises
    ------
    InputError : they are not, or in another order.
    """
    table = read_table(stimuli, STIMULI)
    for column in ("stimulus_id", "split"):
        if list(responses[column].to_numpy()) != list(table[column]):
            raise InputError(column, "other stimuli or another order", f"those of {stimuli}")
    return table
