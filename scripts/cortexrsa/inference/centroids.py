"""Intervals of depth centroids, which are ratios, and of their differences."""

from __future__ import annotations

import numpy as np
from scipy import stats

from cortexrsa.inference.errors import Replicated
from cortexrsa.inference.profiles import centroid

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
        excess = self.distance - stats.t.ppf(0.5 + confidence / 2, self.dof) * self.error
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


class CentroidDifference:
    """Difference of two depth centroids, with limits recovered from those of either (MOVER).

    Where an interval reaches an end of the depths, nothing is known beyond it, and the limits are those of
    the two intervals subtracted.

    References
    ----------
    Zou & Donner 2008, doi:10.1002/sim.3095 (with correlated estimates: Zou 2007)
    """

    def __init__(self, late: Centroid, early: Centroid):
        self.late, self.early = late, early
        self.estimate = late.estimate - early.estimate
        self.correlation = self._correlation() if np.isfinite(self.estimate) else np.nan

    def _correlation(self) -> float:
        """Of the two estimates, by their linearisation: torque over the sum of the weights."""
        linear = []
        for each in (self.late, self.early):
            moments, at = each.moments(), each.estimate
            weight = moments.estimate[1]
            linear.append(moments.apply(lambda m, at=at, w=weight: (m[..., 0] - at * m[..., 1]) / w))
        difference = linear[0].apply(np.subtract, linear[1])
        first, second, both = (each.evaluated().variance for each in (*linear, difference))
        if not first * second > 0:
            return 0.0
        return float(np.clip((first + second - both) / (2 * np.sqrt(first * second)), -1, 1))

    def interval(self, confidence: float) -> tuple[float, float]:
        (late_low, late_high), (early_low, early_high) = (
            each.interval(confidence) for each in (self.late, self.early)
        )
        late, early = self.late.grid, self.early.grid
        room = late_low - late[0], early_low - early[0], late[-1] - late_high, early[-1] - early_high
        if min(room) <= 0:
            return late_low - early_high, late_high - early_low
        below, above = self.late.estimate - late_low, late_high - self.late.estimate
        early_below, early_above = self.early.estimate - early_low, early_high - self.early.estimate
        shared = 2 * self.correlation
        down = below**2 + early_above**2 - shared * below * early_above
        up = above**2 + early_below**2 - shared * above * early_below
        return self.estimate - np.sqrt(max(down, 0)), self.estimate + np.sqrt(max(up, 0))

    def p_value(self) -> float:
        """Two-sided: the smallest level at which the interval excludes 0, by bisection."""
        if not np.isfinite(self.interval(0.5)).all():
            return np.nan
        excluded, included = 0.0, 1.0  # confidence
        for _ in range(40):
            confidence = (excluded + included) / 2
            low, high = self.interval(confidence)
            if low > 0 or high < 0:
                excluded = confidence
            else:
                included = confidence
        return 1 - excluded
