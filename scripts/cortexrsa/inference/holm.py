"""Correction for several tests without regard to how they depend on each other."""

from __future__ import annotations

import numpy as np


def holm(p: np.ndarray) -> np.ndarray:
    """Adjusted p-values (k,) of a family of tests, whatever their dependence (Holm 1979)."""
    p = np.asarray(p, float)
    order = np.argsort(p, kind="stable")
    steps = (len(p) - np.arange(len(p))) * p[order]
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted
