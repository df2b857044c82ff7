"""Intervals of depth centroids, which are ratios, and of their sums and differences."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from cortexrsa.inference.errors import Replicated
from cortexrsa.inference.profiles import centroid
from cortexrsa.inference.tails import student_quantile

POINTS = 201


class Centroid:
    """Depth centroid of a profile of scores, with intervals after Fieller.

    A depth c is the centroid if the torque sum((depth - c) max(score, 0)) is 0. The interval holds all c
    whose torque does not differ from 0 (Fieller 1954). Unlike estimate ± t x error it stays right where the
    scores are near 0 and the centroid becomes any depth: there it is the whole range.

    Parameters
    ----------
    scores : Replicated of (layers,), draws by `Replicated.drawn` (of one joint draw, for a difference)
    depth : (layers,) relative depth

    Attributes
    ----------
    estimate : float, NaN where no layer scores above 0
    """

    def __init__(self, scores: Replicated, depth: np.ndarray):
        self.scores, self.depth = scores, depth
        self.estimate = float(centroid(scores.estimate, depth))
        self.grid = np.linspace(depth.min(), depth.max(), POINTS)
        if np.isfinite(self.estimate):
            self.grid = np.union1d(self.grid, self.estimate)  # where the torque is 0
        found = self.moments().along(np.stack([np.ones(len(self.grid)), -self.grid]))
        self.error, self.dof = np.sqrt(found.variance), found.dof
        self.distance = np.abs(found.value)

    def moments(self) -> Replicated:
        """Sums of depth x max(score, 0) and of max(score, 0); the torque about c is one less c the other."""

        def of(scores: np.ndarray) -> np.ndarray:
            weights = np.maximum(scores, 0)
            return np.stack([weights @ self.depth, weights.sum(axis=-1)], axis=-1)

        return self.scores.apply(of)

    def interval(self, confidence: float) -> tuple[float, float]:
        """Limits within the range of the depths; NaN where there is no estimate or no error."""
        excess = self.distance - student_quantile(0.5 + confidence / 2, self.dof) * self.error
        inside = np.flatnonzero(excess <= 0)
        if np.isnan(self.estimate) or not np.isfinite(excess).all():
            return np.nan, np.nan
        low, high = inside[0], inside[-1]
        return self._crossing(excess, low, low - 1), self._crossing(excess, high, high + 1)

    def _crossing(self, excess: np.ndarray, inside: int, outside: int) -> float:
        """Depth between two neighbours of the grid where the excess is 0; the end of the grid at the end."""
        if not 0 <= outside < len(self.grid):
            return float(self.grid[inside])
        share = excess[inside] / (excess[inside] - excess[outside])
        return float(self.grid[inside] + share * (self.grid[outside] - self.grid[inside]))


class CentroidContrast:
    """Weighted sum of depth centroids, with limits recovered from those of each (MOVER).

    Where an interval reaches an end of the depths, nothing is known beyond it, and the limits are those of
    the intervals added.

    Parameters
    ----------
    centroids : of scores in one joint draw
    weights : of each; 1, -1 for a difference

    References
    ----------
    Zou & Donner 2008, doi:10.1002/sim.3095 (with correlated estimates: Zou 2007)
    """

    def __init__(self, centroids: Sequence[Centroid], weights: Sequence[float]):
        self.centroids, self.weights = list(centroids), np.asarray(weights, float)
        self.estimate = float(self.weights @ [each.estimate for each in self.centroids])
        self.correlation = self._correlation() if np.isfinite(self.estimate) else np.nan

    def _correlation(self) -> np.ndarray:
        """Of the estimates, by their linearisation: torque over the sum of the weights."""
        linear = []
        for each in self.centroids:
            moments, at = each.moments(), each.estimate
            weight = moments.estimate[1]
            linear.append(moments.apply(lambda m, at=at, w=weight: (m[..., 0] - at * m[..., 1]) / w))
        variances = [each.evaluated().variance for each in linear]
        found = np.eye(len(linear))
        for (i, first), (j, second) in combinations(enumerate(linear), 2):
            if variances[i] * variances[j] > 0:
                both = first.apply(np.subtract, second).evaluated().variance
                shared = (variances[i] + variances[j] - both) / (2 * np.sqrt(variances[i] * variances[j]))
                found[i, j] = found[j, i] = np.clip(shared, -1, 1)
        return found

    def interval(self, confidence: float) -> tuple[float, float]:
        limits = np.array([each.interval(confidence) for each in self.centroids])
        ends = np.array([(each.grid[0], each.grid[-1]) for each in self.centroids])
        # by the sign of its weight, the low or the high end of a centroid makes the sum low
        order = np.where(self.weights[:, None] > 0, [[0, 1]], [[1, 0]])
        weighted = self.weights[:, None] * np.take_along_axis(limits, order, axis=1)
        if (np.abs(limits - ends) <= 0).any():
            return tuple(weighted.sum(axis=0))
        estimates = self.weights * [each.estimate for each in self.centroids]
        signs = np.sign(self.weights)
        correlation = self.correlation * np.outer(signs, signs)
        half = [np.sqrt(max(away @ correlation @ away, 0)) for away in (weighted - estimates[:, None]).T]
        return self.estimate - half[0], self.estimate + half[1]
