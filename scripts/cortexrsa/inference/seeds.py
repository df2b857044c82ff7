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
    variants : name of the network whose weights (or, of controls, whose first weights and order of images)
        each other one shares: their seeds are the same draws, so that one seed is left out of all at once

    Returns
    -------
    means : by network Replicated of (...); one of a single seed has no variance of seeds
    single : the seeds as they are; all have the same rows as the means
    """
    variants = variants or {}
    sizes = {variants.get(name, name): len(own) for name, own in networks.items() if len(own) > 1}
    means, single, groups = {}, {}, {}
    for name, own in networks.items():
        single[name] = [_with_rows(each, sizes, {}) for each in own]
        means[name] = own[0].apply(_mean, *own[1:]) if len(own) > 1 else own[0]
        if len(own) > 1:
            key = (variants.get(name, name), len(own), own[0].estimate.shape)
            groups.setdefault(key, []).append(name)
    left_out = {name: {} for name in networks}
    for (drawn, size, _), names in groups.items():
        apart = _deviations([means[name] for name in names], [networks[name] for name in names])
        left_out |= {name: {drawn: -each / (size - 1)} for name, each in zip(names, apart, strict=True)}
    return {name: _with_rows(mean, sizes, left_out[name]) for name, mean in means.items()}, single


def _mean(*values: np.ndarray) -> np.ndarray:
    return sum(values) / len(values)


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


def _deviations(means: list[Replicated], networks: list[list[Replicated]]) -> list[np.ndarray]:
    """Of the seeds of networks from their means, each (seeds, ...), shrunk to what sampling does not explain.

    The networks share their seeds. What they have in common in a seed is shrunk for itself, and what each has
    of its own alike in all, so that nothing of what is common stays in a difference of two.
    """
    apart = [
        [each.apply(np.subtract, mean) for each in own] for mean, own in zip(means, networks, strict=True)
    ]
    common = [seed[0].apply(_mean, *seed[1:]) for seed in zip(*apart, strict=True)]
    alone = [
        [each.apply(np.subtract, shared) for each, shared in zip(own, common, strict=True)] for own in apart
    ]
    shared = _left(common) * np.stack([each.estimate for each in common])
    left = _left([each for own in alone for each in own])
    return [shared + left * np.stack([each.estimate for each in own]) for own in alone]


def _left(deviations: list[Replicated]) -> np.ndarray:
    """The factor (...) that leaves of deviations from 0 what sampling does not explain."""
    squares = sum(each.estimate**2 for each in deviations)
    sampling = sum(each.evaluated().variance for each in deviations)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(squares > 0, np.sqrt(np.maximum(1 - sampling / squares, 0)), 0.0)
