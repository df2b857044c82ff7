"""p-values of tests against a null distribution, one by one and corrected for a family of them."""

from __future__ import annotations

import numpy as np


def p_values(observed: np.ndarray, null: np.ndarray) -> np.ndarray:
    """One-sided p = (b + 1) / (N + 1), b the number of null values at least as large (Phipson & Smyth 2010).

    Parameters
    ----------
    observed : (...)
    null : (N, ...)
    """
    # a permutation that reproduces the observed order must count in spite of rounding
    reached = null >= observed - 1e-12
    p = (reached.sum(axis=0) + 1) / (len(null) + 1)
    return np.where(np.isnan(observed), np.nan, p)


def familywise_p(observed: np.ndarray, null_maximum: np.ndarray) -> np.ndarray:
    """p corrected for the family by the distribution of the maximum (Nichols & Holmes 2002).

    Parameters
    ----------
    observed : (k,) all scores of the family
    null_maximum : (N,) the largest score of the family in each permutation
    """
    return p_values(observed, np.broadcast_to(null_maximum[:, None], (len(null_maximum), len(observed))))


def false_discovery_q(p: np.ndarray) -> np.ndarray:
    """Benjamini-Hochberg adjusted p of a family (k,), NaN left out of it."""
    # imported here: a second that most jobs do not need
    from scipy.stats import false_discovery_control

    q = np.full(len(p), np.nan)
    valid = ~np.isnan(p)
    if valid.any():
        q[valid] = false_discovery_control(p[valid])
    return q
