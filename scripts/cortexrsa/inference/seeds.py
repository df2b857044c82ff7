"""Networks that stand for several random seeds of one architecture: their mean, with its error."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cortexrsa.inference.errors import Replicated


def over_seeds(
    networks: dict[str, list[Replicated]], variants: dict[str, str] | None = None
) -> tuple[dict[str, Replicated], dict[str, list[Replicated]]]:
    """Mean over the seeds of each network, whose error holds that other seeds would have been drawn.

    The variance between seeds is s^2 / seeds, where s^2 is theirs less what sampling the stimuli (and
    subjects) alone makes seeds differ by, which the error of the mean has already. It is carried by rows in
    which one seed is left out, so that whatever is made of the scores has it too.

    Parameters
    ----------
    networks : the seeds of each network, Replicated alike (...)
    variants : name of the network whose weights each variant has: their seeds are the same draws, so that one
        seed is left out of both at once

    Returns
    -------
    means : by network Replicated of (...); one of a single seed has no variance of seeds
    single : the seeds as they are; all have the same rows as the means
    """
    variants = variants or {}
    sizes = {variants.get(name, name): len(own) for name, own in networks.items() if len(own) > 1}
    means, single = {}, {}
    for name, own in networks.items():
        single[name] = [_with_rows(each, sizes, {}) for each in own]
        mean = own[0].apply(lambda *values: sum(values) / len(values), *own[1:]) if len(own) > 1 else own[0]
        drawn = variants.get(name, name)
        left_out = {drawn: -_deviations(mean, own) / (len(own) - 1)} if len(own) > 1 else {}
        means[name] = _with_rows(mean, sizes, left_out)
    return means, single


def of_a_new_seed(scores: Replicated) -> Replicated:
    """Mean over the seeds of a network, with the error that it has as a prediction for a further seed.

    Seeds differ from their mean by s^2 / seeds for that mean, and by s^2 for the further one: the rows of
    `over_seeds`, whose squares make the first, are stretched by the root of seeds + 1. A network that was
    trained may be compared with it: were training of no effect, the network would be one more such seed.

    Parameters
    ----------
    scores : of `over_seeds`
    """
    rows, end = scores.rows.copy(), len(scores.rows)
    for size in reversed(scores.seeds):
        block = slice(end - size, end)
        rows[block] = scores.estimate + np.sqrt(size + 1) * (rows[block] - scores.estimate)
        end -= size
    return replace(scores, rows=rows)


def _with_rows(scores: Replicated, sizes: dict[str, int], moved: dict[str, np.ndarray]) -> Replicated:
    """Scores with a row for each seed of each network that has several: as they are, or moved."""
    blocks = [
        scores.estimate + moved.get(name, np.zeros((size, *scores.estimate.shape)))
        for name, size in sizes.items()
    ]
    return replace(scores, rows=np.concatenate([scores.rows, *blocks]), seeds=tuple(sizes.values()))


def _deviations(mean: Replicated, own: list[Replicated]) -> np.ndarray:
    """Of seeds from their mean (seeds, ...), shrunk to what sampling does not explain."""
    apart = [each.apply(np.subtract, mean) for each in own]
    between = np.stack([each.estimate for each in apart])
    squares = (between**2).sum(axis=0)
    sampling = sum(each.evaluated().variance for each in apart)
    with np.errstate(invalid="ignore", divide="ignore"):
        left = np.where(squares > 0, np.sqrt(np.maximum(1 - sampling / squares, 0)), 0.0)
    return between * left
