"""From stimuli to the input of a network."""

from __future__ import annotations

import numpy as np
import torch

from cortexrsa.errors import InputError
from cortexrsa.formats.padding import squared
from cortexrsa.networks.settings import Preprocessing


def standardise(images: torch.Tensor, preprocessing: Preprocessing) -> torch.Tensor:
    """Subtract the card's `mean` and divide by its `std`, each channel; without them images stay as they are.

    Parameters
    ----------
    images : (b, 3, S, S) in [0, 1]
    preprocessing : of a model card
    """
    if preprocessing.mean is not None:
        images = images - images.new_tensor(preprocessing.mean).view(1, 3, 1, 1)
    if preprocessing.std is not None:
        images = images / images.new_tensor(preprocessing.std).view(1, 3, 1, 1)
    return images


def resize(images: torch.Tensor, size: int) -> torch.Tensor:
    """Images (b, C, H, W) as whole squares (b, C, size, size), bilinear with antialiasing."""
    if images.shape[-2:] == (size, size):
        return images
    return torch.nn.functional.interpolate(
        images, size=(size, size), mode="bilinear", antialias=True, align_corners=False
    )


def prepare(
    images: np.ndarray, preprocessing: Preprocessing, device: torch.device | str = "cpu"
) -> torch.Tensor:
    """Pad to a square, scale to [0, 1], resize, and standardise by the card's fixed mean and SD.

    Nothing is cropped (a crop would cut the aperture and shift the visual field), nothing is squeezed (that
    would turn orientations and change shapes) and nothing is normalised image by image (that would remove
    contrast).

    Parameters
    ----------
    images : (b, H, W, 3) uint8
    preprocessing : of a model card
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
    if preprocessing.interpolation != "bilinear":
        found = repr(preprocessing.interpolation)
        raise InputError("preprocessing: interpolation", found, "bilinear")
    size = preprocessing.size
    # a copy, because a read-only memory map cannot back a tensor
    squares = squared(np.array(images), preprocessing.background)
    tensor = torch.from_numpy(squares).to(device).permute(0, 3, 1, 2).float() / 255
    return standardise(resize(tensor, size), preprocessing)
