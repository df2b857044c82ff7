"""From stimuli to the input of a network."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
import xarray

from cortexrsa.errors import InputError


def standardise(images: torch.Tensor, preprocessing: dict) -> torch.Tensor:
    """Subtract the card's `mean` and divide by its `std`, each channel; without them images stay as they are.

    Parameters
    ----------
    images : (b, 3, S, S) in [0, 1]
    preprocessing : of a model card
    """
    if "mean" in preprocessing:
        images = images - images.new_tensor(preprocessing["mean"]).view(1, 3, 1, 1)
    if "std" in preprocessing:
        images = images / images.new_tensor(preprocessing["std"]).view(1, 3, 1, 1)
    return images


def resize(images: torch.Tensor, size: int) -> torch.Tensor:
    """Images (b, C, H, W) as whole squares (b, C, size, size), bilinear with antialiasing."""
    if images.shape[-2:] == (size, size):
        return images
    return torch.nn.functional.interpolate(
        images, size=(size, size), mode="bilinear", antialias=True, align_corners=False
    )


def prepare(images: np.ndarray, preprocessing: dict, device: torch.device | str = "cpu") -> torch.Tensor:
    """Scale to [0, 1], resize the whole image, and standardise by the card's fixed mean and SD.

    Nothing is cropped (a crop would cut the aperture and shift the visual field) and nothing is normalised
    image by image (that would remove contrast).

    Parameters
    ----------
    images : (b, H, W, 3) uint8
    preprocessing : `size` in pixels; `mean` and `std` (3 each, optional); `interpolation` (bilinear, with
        antialiasing)
    device : where to compute

    Returns
    -------
    (b, 3, size, size) float32

    Raises
    ------
    InputError : images of another dtype or shape; an interpolation other than bilinear.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3:
        raise InputError("images", f"{images.dtype} {images.shape}", "uint8 (n, H, W, 3)", file="stimuli")
    interpolation = preprocessing.get("interpolation", "bilinear")
    if interpolation != "bilinear":
        raise InputError("preprocessing: interpolation", repr(interpolation), "bilinear")
    size = preprocessing["size"]
    # a copy, because a read-only memory map cannot back a tensor
    tensor = torch.from_numpy(np.array(images)).to(device).permute(0, 3, 1, 2).float() / 255
    return standardise(resize(tensor, size), preprocessing)


def effective_inputs(
    images: np.ndarray, stimuli: pd.DataFrame, preprocessing: dict[str, dict], shown: int = 6
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
        size = settings["size"]
        values = prepare(images[chosen], settings).numpy()
        described = f"{images.shape[2]} x {images.shape[1]} resized to {size} x {size}, whole image, bilinear"
        if images.shape[1:3] == (size, size):
            described = f"{size} x {size}, as they are"
        scale = "(x - mean) / SD" if "mean" in settings else "in [0, 1]"
        dims = ("stimulus", "channel", f"y_{size}", f"x_{size}")
        variables[model] = (dims, values, {"resize": described, "scale": scale})
    return xarray.Dataset(
        variables, coords={"stimulus": stimuli["stimulus_id"].to_numpy()[chosen].astype(str)}
    )
