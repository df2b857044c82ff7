"""Layers chosen by their scores on some stimuli, to be scored on others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cortexrsa.inference.names import CANDIDATES


def pooled_layers(shapes: Sequence[str]) -> np.ndarray:
    """Which layers have no place in the image left: a vector, or one place of many channels; (layers,) bool.

    Parameters
    ----------
    shapes : of the layers' outputs for one image, as CxHxW; "" where it is not known
    """
    extents = [np.array([int(size) for size in shape.split("x")[1:]]) for shape in shapes]
    known = np.array([bool(shape) for shape in shapes])
    return known & np.array([(extent == 1).all() for extent in extents])


def candidate_layers(depth: np.ndarray, shapes: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """Sets of layers to choose from.

    Parameters
    ----------
    depth : (layers,) relative depth
    shapes : of the layers' outputs, see `pooled_layers`; None: not known

    Returns
    -------
    sets : indices by the names of `CANDIDATES`: all layers, those in the middle third of the depth, the last
        one alone; and the thirds of the layers that are not pooled, by their depth among themselves (of a
        network of vectors alone, of all layers)
    """
    middle = np.flatnonzero((depth >= 1 / 3) & (depth <= 2 / 3))
    pooled = pooled_layers(shapes) if shapes is not None else np.zeros(len(depth), bool)
    own = np.flatnonzero(~pooled) if not pooled.all() else np.arange(len(depth))
    place = np.linspace(0, 1, len(own))
    thirds = (place < 1 / 3, (place >= 1 / 3) & (place <= 2 / 3), place > 2 / 3)
    sets = (np.arange(len(depth)), middle, np.array([len(depth) - 1]), *(own[third] for third in thirds))
    return dict(zip(CANDIDATES, sets, strict=True))


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
