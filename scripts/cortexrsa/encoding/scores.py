"""Scores of predictions: of every voxel, and their mean in a ROI with its influences and its null."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


def standardised(values: np.ndarray, folds: Sequence[np.ndarray] | None = None) -> np.ndarray:
    """Columns of (m, v) less their mean, divided by their standard deviation; NaN where there is none.

    `folds` are places of rows that have means of their own (and one standard deviation together).
    """
    centred = np.empty(values.shape)
    for fold in [slice(None)] if folds is None else folds:
        centred[fold] = values[fold] - values[fold].mean(axis=0)
    scale = np.sqrt((centred**2).mean(axis=0))
    return np.divide(centred, scale, out=np.full(values.shape, np.nan), where=scale > 0)


def r_squared(predicted: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """Share of each voxel's variance over stimuli that is predicted, 1 - residual / total: (m, v) -> (v,)."""
    residual = ((measured - predicted) ** 2).mean(axis=0)
    return 1 - residual / measured.var(axis=0)


@dataclass(frozen=True)
class Correlations:
    """Pearson correlations of predicted with measured responses, one a voxel.

    Attributes
    ----------
    predicted, measured : (m, v), standardised over the stimuli
    lost : (m, 1) n / (n - 1) of every stimulus, with n those that share its mean
    """

    predicted: np.ndarray
    measured: np.ndarray
    lost: np.ndarray

    @classmethod
    def of(
        cls, predicted: np.ndarray, measured: np.ndarray, folds: Sequence[np.ndarray] | None = None
    ) -> Correlations:
        """Of all stimuli together, or about the means of each of `folds` (places), which are all of them."""
        folds = [np.arange(len(predicted))] if folds is None else folds
        lost = np.empty((len(predicted), 1))
        for fold in folds:
            lost[fold] = len(fold) / (len(fold) - 1)
        return cls(standardised(predicted, folds), standardised(measured, folds), lost)

    @property
    def r(self) -> np.ndarray:
        """(v,)"""
        return (self.predicted * self.measured).mean(axis=0)

    def influences(self) -> np.ndarray:
        """Influence of every stimulus on the mean of r over the voxels: (m,), of mean 0.

        m - 1 times what the mean of r is above that without the stimulus (the jackknife).
        """
        without = self._without().mean(axis=1)
        return (len(without) - 1) * (without.mean() - without)

    def influences_on_voxels(self) -> np.ndarray:
        """The same on the r of every voxel: (m, v)."""
        without = self._without()
        return (len(without) - 1) * (without.mean(axis=0) - without)

    def _without(self) -> np.ndarray:
        """r without each stimulus, (m, v).

        Of standardised responses it is (m r - c x y) / sqrt((m - c x^2) (m - c y^2)) with c = n / (n - 1) and
        n the stimuli whose mean changes.
        """
        m, c = len(self.predicted), self.lost
        without = m * self.r - c * self.predicted * self.measured
        without /= np.sqrt((m - c * self.predicted**2) * (m - c * self.measured**2))
        return without

    def of_parts(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        """What some of the stimuli make of the mean of r over the voxels: (parts,).

        Parameters
        ----------
        parts : their places; weighted by their numbers, the values of parts that are all stimuli add up to
            the mean of r
        """
        products = (self.predicted * self.measured).mean(axis=1)
        return np.array([products[part].mean() for part in parts])

    def null(self, parts: Sequence[np.ndarray], orders: Sequence[np.ndarray]) -> np.ndarray:
        """Mean of r over the voxels with the measured responses of stimuli relabelled within parts.

        Parameters
        ----------
        parts : places of the stimuli of each
        orders : of each, (permutations, its stimuli), which of them gives each place its response

        Returns
        -------
        (permutations,)
        """
        total = 0.0
        for part, order in zip(parts, orders, strict=True):
            # a mean over voxels is all that a pair of predicted and measured stimuli adds
            products = self.measured[part] @ self.predicted[part].T / self.predicted.shape[1]
            total = total + products[order, np.arange(order.shape[1])].sum(axis=1)
        return total / len(self.predicted)
