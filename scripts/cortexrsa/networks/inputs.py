"""What networks receive of some stimuli, for a figure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray

from cortexrsa.networks.preprocessing import prepare
from cortexrsa.networks.settings import Preprocessing


def effective_inputs(
    images: np.ndarray,
    stimuli: pd.DataFrame,
    preprocessing: dict[str, Preprocessing],
    degrees: float | None = None,
    shown: int = 6,
) -> xarray.Dataset:
    """What networks receive of some test stimuli: exactly the tensors of `prepare`.

    Parameters
    ----------
    images : (n, H, W, 3) uint8
    stimuli : n rows with `stimulus_id` and `split`
    preprocessing : of the model cards, by model
    degrees : visual angle of the longer side of an image, where it is known
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
        described = _described(images.shape[1:3], settings)
        if degrees:
            described += f"; {size / degrees:.3g} pixels a degree"
        scale = "in [0, 1]" if settings.mean is None else "(x - mean) / SD"
        dims = ("stimulus", "channel", f"y_{size}", f"x_{size}")
        variables[model] = (dims, values, {"resize": described, "scale": scale})
    return xarray.Dataset(
        variables, coords={"stimulus": stimuli["stimulus_id"].to_numpy()[chosen].astype(str)}
    )


def _described(shape: tuple[int, int], settings: Preprocessing) -> str:
    """What is done to images of a shape (height, width), in words."""
    (height, width), size = shape, settings.size
    if shape == (size, size):
        return f"{size} x {size}, as they are"
    side, steps = max(shape), []
    if height != width:
        steps.append(f"on a square of {side} x {side} of grey {settings.background}")
    if side != size:
        steps.append(f"resized to {size} x {size}")
    return f"{width} x {height} {', '.join(steps)}, whole image" + ", bilinear" * (side != size)
