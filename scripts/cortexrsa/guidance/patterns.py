"""Patterns of networks and of filters to the stimuli: targets of controls."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from cortexrsa.networks.architectures.baselines import GaborPyramid
from cortexrsa.networks.layers import recorded
from cortexrsa.networks.preprocessing import prepare
from cortexrsa.networks.settings import Preprocessing

BATCH = 64


@torch.inference_mode()
def patterns_of(
    network: torch.nn.Module, layer: str, images: np.ndarray, preprocessing: Preprocessing
) -> np.ndarray:
    """Output (n, d) of a layer to images (n, H, W, 3) uint8, in evaluation mode on the CPU."""
    network.eval()
    rows: list[np.ndarray] = []
    with recorded(network, [layer], lambda _, x: rows.append(x.float().flatten(1).numpy().copy())):
        for start in range(0, len(images), BATCH):
            network(prepare(images[start : start + BATCH], preprocessing))
    return np.concatenate(rows)


def gabor_energies(images: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """Gabor energies (n, d) of images, at the size of a network's input; see `baselines.GaborPyramid`."""
    # contrast is measured in images as they are
    return patterns_of(GaborPyramid(), "energy", images, replace(preprocessing, mean=None, std=None))
