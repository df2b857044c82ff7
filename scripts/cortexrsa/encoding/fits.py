"""Fits of single networks' layers: ridge regression in its kernel form, and PLS."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.cross_decomposition import PLSRegression

from cortexrsa.encoding.backend import backend, eigh
from cortexrsa.encoding.kernels import Kernel
from cortexrsa.encoding.settings import EncodingSettings

# see `folds.Partition`
Splits = list[tuple[np.ndarray, np.ndarray]]
# of a solver's largest array
BATCH_BYTES = 128 * 2**20


@dataclass(frozen=True)
class Fit:
    """What a layer predicts of the voxels.

    Attributes
    ----------
    predicted : (m, v) float64, responses to the test stimuli
    cv : (v,) R2 in the folds, whose mean is that of all training stimuli: by it layers are chosen
    alpha : (v,) regularisation of each voxel on the kernel's scale; NaN where the method has none
    """

    predicted: np.ndarray
    cv: np.ndarray
    alpha: np.ndarray


def nothing(kernel: Kernel, responses: np.ndarray) -> Fit:
    """The fit of a constant layer: correlations with what it predicts are not defined."""
    m, v = len(kernel.test), responses.shape[1]
    return Fit(np.full((m, v), np.nan), np.full(v, np.nan), np.full(v, np.nan))


def ridge(kernel: Kernel, responses: np.ndarray, splits: Splits, settings: EncodingSettings) -> Fit:
    """Ridge regression of every voxel in its dual form, with a regularisation of its own.

    `min |y - X w|^2 + alpha |w|^2`, whose predictions are K_test (K + alpha I)^-1 y (Saunders et al. 1998).
    Alpha has the smallest mean squared error in the folds of the training stimuli (by himalaya, Dupré la Tour
    et al. 2022, doi:10.1016/j.neuroimage.2022.119728); the fit to all of them is in closed form, from one
    eigendecomposition for all voxels. Layers and responses are centred over all training stimuli once.

    Parameters
    ----------
    kernel : of the layer
    responses : (n, v) float64, to the training stimuli
    splits : of them, see `folds.Partition`
    settings : `grid`
    """
    mean = responses.mean(axis=0)
    centred = responses - mean
    alpha, cv = search_alpha(kernel.train, centred, splits, settings.grid)
    values, vectors = eigh(kernel.train)
    # rounding leaves eigenvalues a little below zero
    weights = (vectors.T @ centred) / (np.maximum(values, 0)[:, None] + alpha)
    return Fit((kernel.test @ vectors) @ weights + mean, cv, alpha)


def search_alpha(
    kernel: np.ndarray, responses: np.ndarray, splits: Splits, alphas: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Regularisation of every voxel by cross-validation: alpha (v,), and `Fit.cv` (v,).

    Parameters
    ----------
    kernel : (n, n) float64
    responses : (n, v), centred
    splits : see `folds.Partition`
    alphas : to choose from
    """
    from himalaya.kernel_ridge import solve_multiple_kernel_ridge_random_search

    n = len(kernel)
    array, to_numpy = backend().asarray, backend().to_numpy
    _, _, scores, chosen = solve_multiple_kernel_ridge_random_search(
        array(kernel[None]),
        array(responses),
        n_iter=array(np.ones((1, 1))),
        alphas=array(alphas),
        cv=splits,
        return_weights=None,
        return_alphas=True,
        **batches(n, max(len(predicted) for _, predicted in splits), len(alphas)),
    )
    loss = -to_numpy(scores)[0]
    return to_numpy(chosen), 1 - loss / _variance(responses, splits)


def _variance(responses: np.ndarray, splits: Splits) -> np.ndarray:
    """Variance (v,) of the stimuli in folds, about the mean of all training stimuli."""
    in_folds = np.sort(np.concatenate([own for _, own in splits]))
    return ((responses[in_folds] - responses.mean(axis=0)) ** 2).mean(axis=0)


def batches(n: int, largest_fold: int, alphas: int) -> dict:
    """Settings of a solver of himalaya that hold each of its arrays to `BATCH_BYTES` (or one column)."""
    at_once = max(1, min(alphas, BATCH_BYTES // (8 * n * largest_fold)))
    return {
        "n_alphas_batch": at_once,
        "n_targets_batch": max(1, BATCH_BYTES // (8 * at_once * largest_fold)),
        "progress_bar": False,
    }


def pls(kernel: Kernel, responses: np.ndarray, splits: Splits, settings: EncodingSettings) -> Fit:
    """Partial least squares regression of all voxels together (scikit-learn), as Brain-Score had it.

    The components are those of the features: PLS does not change when features are rotated, so it is fitted
    to the principal coordinates of the kernel, which are as many as the training stimuli.

    Parameters
    ----------
    kernel, responses, splits : see `ridge`
    settings : `components`, of which there are fewer if the training stimuli are fewer

    References
    ----------
    Schrimpf et al. 2018, doi:10.1101/407007 (25 components)
    """
    train, test = coordinates(kernel)
    errors = np.zeros(responses.shape[1])
    for fitted, own in splits:
        predicted = _pls(train[fitted], responses[fitted], train[own], settings.components)
        errors += ((responses[own] - predicted) ** 2).mean(axis=0) / len(splits)
    predicted = _pls(train, responses, test, settings.components)
    return Fit(predicted, 1 - errors / _variance(responses, splits), np.full(responses.shape[1], np.nan))


def coordinates(kernel: Kernel) -> tuple[np.ndarray, np.ndarray]:
    """Principal coordinates of the training (n, k) and the test stimuli (m, k): the features, rotated."""
    values, vectors = eigh(kernel.train)
    kept = values > values[-1] * len(values) * np.finfo(np.float32).eps
    root = np.sqrt(values[kept])
    return vectors[:, kept] * root, kernel.test @ vectors[:, kept] / root


def _pls(train: np.ndarray, responses: np.ndarray, test: np.ndarray, components: int) -> np.ndarray:
    components = min(components, len(train) - 1, train.shape[1])
    model = PLSRegression(components, scale=False, copy=True).fit(train, responses)
    return model.predict(test).reshape(len(test), -1)


FITS = {"ridge": ridge, "pls": pls}
