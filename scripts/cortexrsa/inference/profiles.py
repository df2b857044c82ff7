"""Layer profiles: a network's scores over relative depth, and what is read off them.

Every function takes scores (..., layers) and leaves leading axes alone, so that it serves the full sample and
the resamples alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np

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


def stage_depth(shapes: Sequence[str]) -> tuple[np.ndarray, int]:
    """Depth of layers by the stages of their network, and the number of stages.

    A stage is a run of layers whose outputs have one size in the image; what has no place in the image left
    is one too. The last layer of every stage lies at the same depth in all networks of as many stages,
    whatever the number of layers in a stage.

    Parameters
    ----------
    shapes : of the layers' outputs for one image, as CxHxW

    Returns
    -------
    depth : (layers,), from 0 to 1
    stages : their number

    Examples
    --------
    >>> stage_depth(["8x32x32", "8x16x16", "8x16x16", "8x8x8"])
    (array([0.  , 0.25, 0.5 , 1.  ]), 3)
    """
    sizes = [tuple(shape.split("x")[1:]) for shape in shapes]
    runs = [list(run) for _, run in groupby(sizes)]
    place = np.concatenate([stage + np.arange(1, len(run) + 1) / len(run) for stage, run in enumerate(runs)])
    return (place - place[0]) / max(place[-1] - place[0], 1), len(runs)


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
