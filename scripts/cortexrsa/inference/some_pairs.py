"""Similarity of RDMs over some of their pairs, and the influence of stimuli: films without near pairs.

As `influence` has it, of the pairs that are kept alone: the others have neither rank nor influence.
"""

from __future__ import annotations

import numpy as np

from cortexrsa.errors import InputError
from cortexrsa.geometry.compare import normalise, row_sums, usable
from cortexrsa.geometry.rdm import Rows, n_stimuli
from cortexrsa.geometry.registry import COMPARISONS
from cortexrsa.inference.influence import Influences, decomposed
from cortexrsa.inference.pair_groups import PairGroups, sums_over_groups


def _above(place: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Mean over all pairs of the values of those with a larger rank, half of those with the same."""
    table = np.bincount(place, values)
    return (table.sum() - np.cumsum(table) + table / 2)[place] / len(values)


def _of_ranks(x: np.ndarray, y: np.ndarray, comparison: str) -> tuple[float, np.ndarray]:
    """Spearman's correlation, or rho-a, of (m,) and (m,), and the influence of every pair (m,)."""
    m = len(x)
    places, ranks = [], []
    for values in (x, y):
        _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
        places.append(place)
        ranks.append(((np.cumsum(counts) - counts / 2) / m - 0.5)[place])
    (px, py), (u, v) = places, ranks
    of_both = u * v + _above(px, v) + _above(py, u)
    if COMPARISONS[comparison].expected_ties:
        scale = 12 * m**2 / (m**2 - 1.0)
        return scale * float(u @ v) / m, scale * of_both
    of_u, of_v = u * u + 2 * _above(px, u), v * v + 2 * _above(py, v)
    squares = u @ u / m, v @ v / m
    score = float(u @ v) / m / np.sqrt(squares[0] * squares[1])
    h = of_both / np.sqrt(squares[0] * squares[1])
    return score, h - score / 2 * (of_u / squares[0] + of_v / squares[1])


def _of_products(x: np.ndarray, y: np.ndarray, comparison: str) -> tuple[float, np.ndarray]:
    """Pearson's correlation, or the cosine, and the influence of every pair."""
    if COMPARISONS[comparison].centred:
        x, y = x - x.mean(), y - y.mean()
    x, y = x / np.sqrt(x @ x), y / np.sqrt(y @ y)
    score = float(x @ y)
    return score, len(x) * (x * y - score / 2 * (x * x + y * y))


def influences_of_some(
    brain: np.ndarray | Rows, models: np.ndarray | Rows, kept: np.ndarray, groups: PairGroups, comparison: str
) -> Influences:
    """`influence.influences` over the pairs in `kept` (pairs,) bool.

    Raises
    ------
    InputError : a comparison of all pairs at once (whitened ones, Kendall's).
    """
    record = COMPARISONS[comparison]
    if record.whitened or record.kernel == "concordances":
        raise InputError(
            "measures.comparison", comparison, "spearman, rho-a, pearson or cosine: the card's unit has a lag"
        )
    of_pairs = _of_ranks if record.kernel == "ranks" else _of_products
    n, shape = n_stimuli(len(kept)), (len(brain), len(models))
    scores = np.full(shape, np.nan)
    sums, sketch = np.full((n, *shape), np.nan), np.full((groups.size, *shape), np.nan)
    rows = [np.asarray(rdm)[kept] for rdm in brain]
    for column, model in enumerate(models):
        x = np.asarray(model)[kept]
        for row, y in enumerate(rows):
            if not (usable(x) and usable(y)):
                continue
            scores[row, column], h = of_pairs(x, y, comparison)
            # of all pairs, of which those that are left out have none
            whole = np.zeros(len(kept))
            whole[kept] = (h - h.mean()) * (len(kept) / len(h))
            sums[:, row, column], sketch[:, row, column] = row_sums(whole), sums_over_groups(whole, groups)
    found = decomposed(sums.reshape(n, -1), sketch.reshape(groups.size, -1), groups, n)
    return Influences(scores, *(each.reshape(-1, *shape) for each in found))


def normalised(rdms: np.ndarray, kept: np.ndarray, comparison: str) -> np.ndarray:
    """`compare.normalise` over the pairs that are kept, and 0 elsewhere: (k, pairs)."""
    out = np.zeros(rdms.shape)
    out[:, kept] = normalise(rdms[:, kept], comparison)
    return out
