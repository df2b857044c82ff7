"""What networks receive of some stimuli, for a figure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray

from cortexrsa.networks.preprocessing import prepare
from cortexrsa.networks.settings import Preprocessing


def effective_inputs(
    images: np.ndarray, stimuli: pd.DataFrame, preprocessing: dict[str, Preprocessing], shown: int = 6
) -> xarray.Dataset:
    """What networks receive of some test stimuli: exactly the tensors of `prepare`.

    Parameters
    ----------
    images : (n, H, W, 3) uint8
    stimuli : n rows with `stimulus_id` and `split`
    preprocessing : of the model cards, by model
    shown : number of stimuli, evenly spaced in the order of the test stimuli

    Returns
    -------
    xarray.Dataset with one variable for each model, (stimulus, channel, y_SIZE, x_SIZE) float32, whose attrs
    are the preprocessing as text
    """
    test = np.flatnonzero(stimuli["split"] == "test")
    chosen = test[np.linspace(0, len(test) - 1, min(shown, len(test))).round().astype(int)]
    variables = {}
    for model, settings in preprocessing.items():
        size = settings.size
        values = prepare(images[chosen], settings).numpy()
        described = f"{images.shape[2]} x {images.shape[1]} resized to {size} x {size}, whole image, bilinear"
        if images.shape[1:3] == (size, size):
            described = f"{size} x {size}, as they are"
        scale = "in [0, 1]" if settings.mean is None else "(x - mean) / SD"
        dims = ("stimulus", "channel", f"y_{size}", f"x_{size}")
        variables[model] = (dims, values, {"resize": described, "scale": scale})
    return xarray.Dataset(
        variables, coords={"stimulus": stimuli["stimulus_id"].to_numpy()[chosen].astype(str)}
    )
