"""Fitted (weighted) RSA: the mixture of a network's layers, with weights >= 0, that predicts a region."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import nnls

from cortexrsa.geometry.compare import normalise
from cortexrsa.geometry.rdm import pair_indices
from cortexrsa.geometry.threads import in_threads
from cortexrsa.inference.similarity import resampled_similarity


def layer_weights(brain: np.ndarray, layers: np.ndarray, counts: np.ndarray, threads: int = 1) -> np.ndarray:
    """Non-negative least-squares weights of layer RDMs, in every resample of the stimuli.

    Minimises sum w_i w_j (brain - intercept - sum of weight x layer)^2 over pairs of stimuli. Weights are
    defined up to a common scale, which no comparison depends on.

    Parameters
    ----------
    brain : (r, pairs)
    layers : (l, pairs), finite
    counts : (draws, n)
    threads : over the resamples; the result does not depend on it

    Returns
    -------
    (draws, r, l) weights >= 0

    References
    ----------
    Khaligh-Razavi & Kriegeskorte 2014, doi:10.1371/journal.pcbi.1003915; Jozwik et al. 2016
    """
    first, second = pair_indices(counts.shape[1])
    values = np.concatenate([layers, brain, np.ones((1, layers.shape[1]))])

    def fit(count: np.ndarray) -> np.ndarray:
        if (count == 1).all():
            return weights_of(_centred(values @ values.T), len(layers))
        weights = (count[first] * count[second]).astype(np.float64)
        # of the drawn pairs alone: most of the others have weight 0
        drawn = np.flatnonzero(weights)
        part = values[:, drawn]
        return weights_of(_centred((part * weights[drawn]) @ part.T), len(layers))

    return np.stack(in_threads(fit, counts, threads))


def weights_of_sets(brain: np.ndarray, layers: np.ndarray, sets: Sequence[np.ndarray]) -> np.ndarray:
    """`layer_weights` on all stimuli once, of several sets of layers.

    Parameters
    ----------
    sets : of each, (l,) bool

    Returns
    -------
    (r, sets, l), 0 for layers that are not in the set
    """
    values = np.concatenate([layers, brain, np.ones((1, layers.shape[1]))])
    products = _centred(values @ values.T)
    out = np.zeros((len(brain), len(sets), len(layers)))
    for k, own in enumerate(sets):
        if own.any():
            kept = np.concatenate([own, np.ones(len(brain), bool)])
            out[:, k, own] = weights_of(products[np.ix_(kept, kept)], int(own.sum()))
    return out


def _centred(products: np.ndarray) -> np.ndarray:
    """Products of RDMs about their means, from those of the RDMs and, last, a constant."""
    return products[:-1, :-1] - np.outer(products[:-1, -1], products[-1, :-1]) / products[-1, -1]


def weights_of(products: np.ndarray, size: int) -> np.ndarray:
    """Weights (r, l) from the centred products (l + r, l + r) of layers and brain RDMs.

    Parameters
    ----------
    size : l
    """
    scale = np.sqrt(np.maximum(np.diag(products)[:size], np.finfo(float).tiny))
    design = products[:size, :size] / np.outer(scale, scale)
    # normal equations as a least-squares problem; the ridge only keeps equal layers from being singular
    root = np.linalg.cholesky(design + 1e-9 * np.eye(size)).T
    targets = np.linalg.solve(root.T, products[:size, size:] / scale[:, None])
    return np.stack([nnls(root, target)[0] / scale for target in targets.T])


def mixtures(
    brain: np.ndarray,
    layers: np.ndarray,
    counts: np.ndarray,
    weights: np.ndarray,
    comparison: str,
    threads: int = 1,
) -> np.ndarray:
    """Similarity of brain RDMs with the mixture of layers of each, in resamples of the stimuli.

    Parameters
    ----------
    brain : (subjects, rois, pairs)
    layers : (l, pairs)
    counts : (draws, n)
    weights : (draws, rois, l), or (1, rois, l) for the same weights in every resample

    Returns
    -------
    (draws, subjects, rois); 0 where all weights are: then nothing is predicted
    """
    out = np.empty((len(counts), *brain.shape[:2]))
    for roi in range(brain.shape[1]):
        if len(weights) == 1:
            mixture = weights[0, roi] @ layers
            similarity = resampled_similarity(brain[:, roi], mixture[None], counts, comparison, threads)
            out[:, :, roi] = similarity[:, :, 0] if weights[0, roi].any() else 0
            continue

        def score(draw: int, roi=roi) -> np.ndarray:
            if not weights[draw, roi].any():
                return np.zeros(len(brain))
            mixture = weights[draw, roi] @ layers
            return resampled_similarity(brain[:, roi], mixture[None], counts[[draw]], comparison)[0, :, 0]

        out[:, :, roi] = in_threads(score, range(len(counts)), threads)
    return out


def group_target(brain: np.ndarray) -> np.ndarray:
    """RDM to fit: mean over subjects of their normalised RDMs, (subjects, rois, pairs) -> (rois, pairs)."""
    subjects, rois, pairs = brain.shape
    return normalise(brain.reshape(-1, pairs), "pearson").reshape(subjects, rois, pairs).mean(axis=0)
