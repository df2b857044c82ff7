"""Networks that stand for several random seeds of one architecture: their mean, with its error."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cortexrsa.inference.errors import Replicated


def over_seeds(networks: dict[str, list[Replicated]]) -> dict[str, Replicated]:
    """Mean over the seeds of each network, whose error holds that other seeds would have been drawn.

    The variance between seeds is s^2 / seeds, where s^2 is theirs less what sampling the stimuli (and
    subjects) alone makes seeds differ by, which the error of the mean has already. It is carried by rows in
    which one seed is left out, so that whatever is made of the scores has it too.

    Parameters
    ----------
    networks : the seeds of each network, Replicated alike (...)

    Returns
    -------
    by network Replicated of (...), all with the same rows; one of a single seed has no variance of seeds
    """
    sizes = {name: len(own) for name, own in networks.items() if len(own) > 1}
    found = {}
    for name, own in networks.items():
        mean = own[0].apply(lambda *values: sum(values) / len(values), *own[1:]) if len(own) > 1 else own[0]
        blocks = [
            mean.estimate - _deviations(mean, own) / (size - 1)
            if each == name
            else np.broadcast_to(mean.estimate, (size, *mean.estimate.shape))
            for each, size in sizes.items()
        ]
        found[name] = replace(mean, rows=np.concatenate([mean.rows, *blocks]), seeds=tuple(sizes.values()))
    return found


def _deviations(mean: Replicated, own: list[Replicated]) -> np.ndarray:
    """Of seeds from their mean (seeds, ...), shrunk to what sampling does not explain."""
    apart = [each.apply(np.subtract, mean) for each in own]
    between = np.stack([each.estimate for each in apart])
    squares = (between**2).sum(axis=0)
    sampling = sum(each.evaluated().variance for each in apart)
    with np.errstate(invalid="ignore", divide="ignore"):
        left = np.where(squares > 0, np.sqrt(np.maximum(1 - sampling / squares, 0)), 0.0)
    return between * left
