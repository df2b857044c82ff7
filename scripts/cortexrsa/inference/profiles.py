"""Layer profiles: a network's scores over relative depth, and what is read off them.

Every function takes scores (..., layers) and leaves leading axes alone, so that it serves the full sample and
the resamples alike.
"""

from __future__ import annotations

import numpy as np

from cortexrsa.geometry.rdm import select_stimuli
from cortexrsa.inference.fitted import fitted_scores, group_target, layer_weights
from cortexrsa.inference.resampling import resampled_similarity

# sets of layers from which the best is chosen, and all layers weighted (where the configuration wants it)
CANDIDATES = ("all", "middle", "last")
FITTED = "fitted"
GRID = np.linspace(0, 1, 21)


def centroid(scores: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Mean depth weighted by the positive part of the scores; NaN where no score is positive."""
    weights = np.maximum(scores, 0)
    with np.errstate(invalid="ignore"):
        return (weights * depth).sum(axis=-1) / weights.sum(axis=-1)


def slope(scores: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Change of the score from depth 0 to depth 1 along the least-squares line."""
    centred = depth - depth.mean()
    return scores @ centred / (centred @ centred)


def curvature(scores: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """How far the least-squares parabola rises in the middle over its ends (depth 0 and 1).

    Negative for a profile that sags. In units of the score, as the slope is.
    """
    design = np.stack([np.ones_like(depth), depth, depth**2], axis=1)
    quadratic = np.linalg.pinv(design)[2]
    # a parabola q d^2 departs by -q / 4 at depth 0.5 from its chord over [0, 1]
    return -scores @ quadratic / 4


def on_grid(scores: np.ndarray, depth: np.ndarray, grid: np.ndarray = GRID) -> np.ndarray:
    """Profile interpolated linearly to common depths: (..., layers) -> (..., grid)."""
    right = np.clip(np.searchsorted(depth, grid), 1, len(depth) - 1)
    weight = (grid - depth[right - 1]) / (depth[right] - depth[right - 1])
    return scores[..., right - 1] * (1 - weight) + scores[..., right] * weight


def centred_profiles(profiles: np.ndarray) -> np.ndarray:
    """Profiles (..., rois, grid), each centred within its ROI and joined: (..., rois * grid)."""
    centred = profiles - profiles.mean(axis=-1, keepdims=True)
    return centred.reshape(*centred.shape[:-2], -1)


def disattenuated_correlation(
    first: np.ndarray, second: np.ndarray, error_first: float, error_second: float, error_shared: float
) -> np.ndarray:
    """Correlation of two profiles, corrected for what sampling error adds.

    The error of a layer's score inflates the variance of a profile, and the error that two networks share
    (they are scored on the same stimuli and brain data) inflates their covariance. Both are known from the
    bootstrap and are subtracted (Spearman 1904, with correlated errors).

    Parameters
    ----------
    first, second : (..., k) centred profiles
    error_first, error_second : bootstrap variance of the centred profiles, mean over k
    error_shared : their bootstrap covariance, mean over k

    Returns
    -------
    (...) clipped to [-1, 1]; NaN where a profile varies no more than its error does.
    """
    covariance = (first * second).mean(axis=-1) - error_shared
    variances = ((first**2).mean(axis=-1) - error_first, (second**2).mean(axis=-1) - error_second)
    product = np.where((variances[0] > 0) & (variances[1] > 0), variances[0] * variances[1], np.nan)
    return np.clip(covariance / np.sqrt(product), -1, 1)


# ---- layers chosen on other stimuli ----------------------------------------------------------------------


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


def random_halves(n: int, number: int, seed: int | list[int]) -> np.ndarray:
    """Random halves of n stimuli: (number, n) bool."""
    generator = np.random.default_rng(seed)
    return generator.permuted(np.tile(np.arange(n) < n // 2, (number, 1)), axis=1)


def heldout_in_halves(
    brain: np.ndarray,
    models: np.ndarray,
    counts: np.ndarray,
    halves: np.ndarray,
    candidates: dict[str, np.ndarray],
    comparison: str,
    fitted: bool = False,
    threads: int = 1,
) -> np.ndarray:
    """Score of the best layer, chosen on one half of the stimuli and scored on the other.

    Mean over the halves and over both directions. All copies of a stimulus in a resample stay in one half, so
    that no stimulus is on both sides.

    Parameters
    ----------
    brain : (subjects, rois, pairs)
    models : (layers, pairs)
    counts : (draws, n) resamples of the stimuli
    halves : (number, n) bool
    candidates : sets of layers, see `candidate_layers`
    fitted : whether all layers, weighted (weights fitted on the one half), are a last candidate
    threads : the result does not depend on it

    Returns
    -------
    (draws, subjects, rois, candidates)
    """
    subjects, rois, pairs = brain.shape

    def parts(half: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        flat = select_stimuli(brain.reshape(-1, pairs), half)
        return flat.reshape(subjects, rois, -1), select_stimuli(models, half), counts[:, half]

    def scores(target: np.ndarray, layers: np.ndarray, count: np.ndarray) -> np.ndarray:
        flat = target.reshape(subjects * rois, -1)
        similarity = resampled_similarity(flat, layers, count, comparison, threads)
        return similarity.reshape(len(counts), subjects, rois, len(models))

    total = np.zeros((len(counts), subjects, rois, len(candidates) + fitted))
    for half in halves:
        sides = parts(half), parts(~half)
        both = tuple(scores(*side) for side in sides)
        for select, evaluate in ((0, 1), (1, 0)):
            chosen = choose_layers(both[select].mean(axis=1, keepdims=True), candidates)
            total[..., : len(candidates)] += scores_of_chosen(both[evaluate], chosen)
            if fitted:
                target, layers, count = sides[select]
                weights = layer_weights(group_target(target), layers, count, threads)
                target, layers, count = sides[evaluate]
                total[..., -1] += fitted_scores(target, layers, count, weights, comparison, threads)
    return total / (2 * len(halves))
