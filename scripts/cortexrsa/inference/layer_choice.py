"""Layers chosen by their scores on some stimuli, to be scored on others."""

from __future__ import annotations

import numpy as np

from cortexrsa.inference.names import CANDIDATES


def candidate_layers(depth: np.ndarray) -> dict[str, np.ndarray]:
    """Sets of layers to choose from: all, the middle third of the depth, and the last one alone."""
    middle = np.flatnonzero((depth >= 1 / 3) & (depth <= 2 / 3))
    return dict(zip(CANDIDATES, (np.arange(len(depth)), middle, np.array([len(depth) - 1])), strict=True))


def choose_layers(scores: np.ndarray, candidates: dict[str, np.ndarray]) -> np.ndarray:
    """Index of the best layer of each set of candidates: (..., layers) -> (..., candidates); -1 for none."""
    chosen = [
        layers[np.argmax(np.nan_to_num(scores[..., layers], nan=-np.inf), axis=-1)]
        if len(layers)
        else np.full(scores.shape[:-1], -1)
        for layers in candidates.values()
    ]
    return np.stack(chosen, axis=-1)


def scores_of_chosen(scores: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Scores of chosen layers: (..., layers) and (..., candidates) -> (..., candidates); NaN for none."""
    chosen = np.broadcast_to(chosen, (*scores.shape[:-1], chosen.shape[-1]))
    return np.where(chosen < 0, np.nan, np.take_along_axis(scores, np.maximum(chosen, 0), axis=-1))
