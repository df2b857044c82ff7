"""The R2 that a linear readout is predicted to reach, from the spectrum of a layer: no readout is fitted.

References
----------
Canatar, Feather, Wakhloo & Chung 2023, arXiv:2309.12821; Canatar, Bordelon & Pehlevan 2021,
doi:10.1038/s41467-021-23103-1 (generalisation error of kernel regression)
"""

from __future__ import annotations

import numpy as np

from cortexrsa.geometry.rdm import squareform

# share of the stimuli that the readout is trained on, its regularisations on a kernel of mean diagonal 1, and
# groups of stimuli that are left out for errors
TRAINED, ALPHAS, GROUPS = 0.5, np.geomspace(1e-3, 1e5, 20), 30
STEPS = 60


def predicted_r2(layer: np.ndarray, regions: np.ndarray, alphas: np.ndarray = ALPHAS) -> np.ndarray:
    """R2 of ridge regression of a region's patterns on a layer, in expectation over training stimuli.

    The stimuli are taken for the population, of which half as many are drawn to train on. With eigenvalues
    l_i of the kernel and shares w_i of the region's variance along its eigenvectors, the error is

        k^2 / (1 - g) sum of w_i / (p l_i + k)^2,  k = alpha + k sum of l_i / (p l_i + k),
        g = sum of p l_i^2 / (p l_i + k)^2

    over p training stimuli; of several regularisations alpha that of the smallest error counts.

    Parameters
    ----------
    layer : (n, n) Gram matrix, features centred over the stimuli
    regions : (r, n, n) likewise
    alphas : regularisations, on a kernel of mean diagonal 1

    Returns
    -------
    (r,) at most 1; below 0 where even the largest regularisation does harm
    """
    n = len(layer)
    values, vectors = np.linalg.eigh(layer)
    values = np.maximum(values, 0) / n
    shares = np.stack([np.einsum("ik,ik->k", region @ vectors, vectors) for region in regions])
    shares /= np.trace(regions, axis1=1, axis2=2)[:, None]
    p, alphas = TRAINED * n, alphas[:, None] * values.sum()

    def excess(k: np.ndarray) -> np.ndarray:
        return k - alphas - k * (values / (p * values + k)).sum(axis=1, keepdims=True)

    low, high = alphas, alphas + values.sum()
    for _ in range(STEPS):
        middle = (low + high) / 2
        above = excess(middle) > 0
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    filtered = 1 / (p * values + high)
    lost = p * ((values * filtered) ** 2).sum(axis=1)
    errors = high[:, 0] ** 2 / (1 - lost) * (shares @ (filtered**2).T)
    return 1 - errors.min(axis=1)


def with_influence(layer: np.ndarray, regions: np.ndarray, gram_of) -> tuple[np.ndarray, np.ndarray]:
    """`predicted_r2`, and the influence of every stimulus by leaving groups of them out.

    Parameters
    ----------
    layer : (pairs,) squared distances
    regions : (r, pairs) likewise
    gram_of : function of squared distances

    Returns
    -------
    scores : (r,)
    influence : (n, r), the same for all stimuli of a group; its sum of squares is that of the jackknife
    """
    squares = [squareform(each) for each in (layer, *regions)]
    n = len(squares[0])

    def of(keep: np.ndarray) -> np.ndarray:
        upper = np.triu_indices(int(keep.sum()), 1)
        grams = [gram_of(each[np.ix_(keep, keep)][upper]) for each in squares]
        return predicted_r2(grams[0], np.stack(grams[1:]))

    number = min(GROUPS, n)
    member = np.arange(n) % number
    without = np.stack([of(member != group) for group in range(number)])
    # the variance is the sum of squares of (G - 1) d over G (G - 1), and of the influences over n (n - 1)
    deviations = (number - 1) * (without.mean(axis=0) - without)
    scale = np.sqrt(n * (n - 1) / (number * (number - 1)))
    sizes = np.bincount(member)[member][:, None]
    return of(np.ones(n, bool)), scale * deviations[member] / np.sqrt(sizes)
