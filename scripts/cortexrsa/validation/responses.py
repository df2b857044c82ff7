"""Trials of simulated ROIs as the workflow has them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray


def responses_of(trials: dict[str, np.ndarray], patterns: pd.DataFrame) -> xarray.DataArray:
    """Trials (n, repeats, voxels) of the ROIs of one subject as of `formats.responses`."""
    sizes = [values.shape[2] for values in trials.values()]
    return xarray.DataArray(
        np.concatenate(list(trials.values()), axis=2),
        dims=("stimulus", "repeat", "voxel"),
        coords={
            "stimulus_id": ("stimulus", patterns["stimulus_id"].to_numpy(object)),
            "split": ("stimulus", patterns["split"].to_numpy(object)),
            "subject": ("voxel", np.full(sum(sizes), "01", object)),
            "roi": ("voxel", np.repeat(np.array(list(trials), object), sizes)),
        },
    )
