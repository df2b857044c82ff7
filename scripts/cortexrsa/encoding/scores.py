"""Scores of predictions: of every voxel, and their mean in a ROI with its influences and its null."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# of the variance of standardised responses, which float32 leaves where nothing varies
ROUNDING = 1e-12


def standardised(values: np.ndarray) -> np.ndarray:
    """Columns of (m, v) less their mean, divided by their standard deviation; NaN where there is none."""
    values = values - values.mean(axis=0)
    scale = np.sqrt((values**2).mean(axis=0))
    return np.divide(values, scale, out=np.full(values.shape, np.nan), where=scale > 0)


def scaled(influence: np.ndarray) -> np.ndarray:
    """Influences (n, ...) on a mean over n stimuli, such that their sum of squares is its variance."""
    n = len(influence)
    return influence / np.sqrt(n * (n - 1)) if n > 1 else influence


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
    few : 1 / 2m where r is corrected for the stimuli being few, else 0
    weights : (v,) of the columns in their mean, of sum 1; None: all the same
    """

    predicted: np.ndarray
    measured: np.ndarray
    few: float = 0.0
    weights: np.ndarray | None = None

    @classmethod
    def of(cls, predicted: np.ndarray, measured: np.ndarray, few: bool = False) -> Correlations:
        """Of predicted and measured responses (m, v), corrected for the stimuli being few or not."""
        return cls(standardised(predicted), standardised(measured), 0.5 / len(predicted) if few else 0.0)

    @property
    def r(self) -> np.ndarray:
        """(v,)"""
        return self._less_biased((self.predicted * self.measured).mean(axis=0))

    def _less_biased(self, r: np.ndarray) -> np.ndarray:
        """r (1 + (1 - r^2) / 2m): that of m stimuli is too small by about r (1 - r^2) / 2m.

        Fisher 1915, doi:10.2307/2331838; Olkin & Pratt 1958, doi:10.1214/aoms/1177706717
        """
        return r * (1 + self.few * (1 - r**2))

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Mean over the voxels: (..., v) -> (...)."""
        return values.mean(axis=-1) if self.weights is None else values @ self.weights

    def influences(self) -> np.ndarray:
        """Influence of every stimulus on the mean of r over the voxels: (m,), of mean 0.

        m - 1 times what the mean of r is above that without the stimulus (the jackknife).
        """
        without = self.mean(self._without())
        return (len(without) - 1) * (without.mean() - without)

    def influences_on_voxels(self) -> np.ndarray:
        """The same on the r of every voxel: (m, v)."""
        without = self._without()
        return (len(without) - 1) * (without.mean(axis=0) - without)

    def _without(self) -> np.ndarray:
        """r without each stimulus, (m, v).

        Of standardised responses it is (m r - c x y) / sqrt((m - c x^2) (m - c y^2)) with c = m / (m - 1).
        What varies by one stimulus alone correlates with nothing without it: 0.
        """
        m = len(self.predicted)
        c = m / (m - 1)
        products = self.predicted * self.measured
        without = products.sum(axis=0) - c * products
        left = (m - c * self.predicted**2) * (m - c * self.measured**2)
        # 0, but NaN stays NaN
        out = 0 * left
        np.divide(without, np.sqrt(np.abs(left)), out=out, where=left > ROUNDING * m**2)
        return self._less_biased(out)

    def null(self, orders: np.ndarray) -> np.ndarray:
        """Mean of r over the voxels with the measured responses of stimuli relabelled.

        Parameters
        ----------
        orders : (permutations, m), stimulus whose response each place takes

        Returns
        -------
        (permutations,)
        """
        # a mean over voxels is all that a pair of predicted and measured stimuli adds
        if self.weights is None:
            products = self.measured @ self.predicted.T / self.predicted.shape[1]
        else:
            products = (self.measured * self.weights) @ self.predicted.T
        # a relabelled r is small: what its square does to the correction is left out, and p none too small
        return (1 + self.few) * products[orders, np.arange(orders.shape[1])].mean(axis=1)
