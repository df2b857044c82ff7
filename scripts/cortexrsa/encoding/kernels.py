"""Kernels of the layers: the Gram matrices that encoding models see in the place of features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cortexrsa.geometry.gram import gram
from cortexrsa.geometry.units import InUnits


@dataclass(frozen=True)
class Kernel:
    """Linear kernel of one layer, of features centred over the training stimuli.

    Attributes
    ----------
    train : (n, n) float64, of the training stimuli; the mean of its diagonal is 1
    test : (m, n) float64, of the test stimuli with the training stimuli, on the same scale
    scale : mean of the diagonal before: a regularisation alpha on this kernel is alpha x scale on the
        features; 0 if the layer does not vary over the training stimuli (the kernel is 0 then)
    """

    train: np.ndarray
    test: np.ndarray
    scale: float


def layer_kernel(
    features: np.ndarray, train: np.ndarray, test: np.ndarray, units: str = "centred", threads: int = 1
) -> Kernel:
    """Kernel of a layer, accumulated over chunks of its features: none is left out, and memory does not grow
    with their number.

    Parameters
    ----------
    features : (all stimuli, p) array, or anything whose slices of features are read one at a time
    train, test : indices of stimuli; means (and standard deviations) are those of the training stimuli
    units : of `geometry.registry.UNITS`: centred, or z (also divided by the standard deviation)
    threads : the result does not depend on it
    """
    rows = np.zeros(len(features), bool)
    rows[train] = True
    return kernel_of_gram(gram(InUnits(features, units, rows), threads=threads), train, test)


def kernel_of_gram(products: np.ndarray, train: np.ndarray, test: np.ndarray) -> Kernel:
    """Kernel from the Gram matrix (all stimuli, all stimuli) of features that are centred over `train`."""
    own, cross = products[np.ix_(train, train)], products[np.ix_(test, train)]
    scale = float(np.trace(own) / len(own))
    # the mean of equal float32 values is exact, so a constant layer leaves nothing at all
    return Kernel(own / scale, cross / scale, scale) if scale > 0 else Kernel(own * 0, cross * 0, 0.0)


def mean_kernel(kernels: Sequence[Kernel]) -> Kernel:
    """Kernel of several layers together, each of the same scale; constant layers are left out."""
    kept = [kernel for kernel in kernels if kernel.scale] or list(kernels[:1])
    train, test = (np.mean([getattr(kernel, name) for kernel in kept], axis=0) for name in ("train", "test"))
    return Kernel(train, test, float(np.mean([kernel.scale for kernel in kept])))
