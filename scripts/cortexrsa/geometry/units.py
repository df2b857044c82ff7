"""Units of features: as a network gives them, or relative to their distribution over the training stimuli."""

from __future__ import annotations

import numpy as np


class InUnits:
    """Patterns (n, features) whose features are put into other units when a slice of them is read.

    Parameters
    ----------
    features : (n, p) array, or what gives `features[:, start:stop]` as one
    units : of `registry.UNITS`: raw (nothing is changed), centred (the mean of a feature over the reference
        stimuli is taken out), or z (and it is divided by its standard deviation over them; a feature that is
        constant over them carries nothing, and becomes 0)
    reference : (n,) bool, stimuli

    Examples
    --------
    >>> patterns = np.array([[1.0, 5.0], [3.0, 5.0], [4.0, 6.0]])
    >>> InUnits(patterns, "z", np.array([True, True, False]))[:, :]
    array([[-1.,  0.],
           [ 1.,  0.],
           [ 2.,  0.]])
    """

    ndim = 2

    def __init__(self, features, units: str, reference: np.ndarray):
        self.features, self.units, self.reference = features, units, reference
        self.shape, self.dtype = features.shape, features.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: tuple[slice, slice]) -> np.ndarray:
        chunk = self.features[key]
        if self.units == "raw":
            return chunk
        known = chunk[self.reference]
        values = chunk - known.mean(axis=0, dtype=np.float64)
        if self.units == "z":
            constant = known.max(axis=0) == known.min(axis=0)
            scale = np.where(constant, np.inf, known.std(axis=0, dtype=np.float64))
            values /= scale
        return values.astype(self.dtype)
