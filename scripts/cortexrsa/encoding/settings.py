"""What a study sets about its encoding models."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

METHODS = ("ridge", "pls")


@dataclass(frozen=True)
class EncodingSettings:
    """The section `encoding` of the configuration, as far as single networks are concerned.

    Attributes
    ----------
    methods : of `METHODS`
    units : of the features, centred or z, see `geometry.registry.UNITS`
    folds : number of folds of the training stimuli, for the regularisation; and of all stimuli, where a data
        set has one split only
    folds_by : column of `stimuli.tsv` whose values no fold splits; None: single stimuli
    alphas : lowest, highest and number of the regularisations, equally spaced logarithms; on kernels whose
        diagonal over the training stimuli has the mean 1
    components : of PLS
    band_candidates : number of random weights of bands that banded ridge tries
    minimum_reliability : voxels below it are left out of corrected scores
    voxel_effect : fixed (the voxels as they are) or random (a sample of others: intervals are over them too)
    """

    methods: tuple[str, ...] = ("ridge",)
    units: str = "centred"
    folds: int = 5
    folds_by: str | None = None
    alphas: dict = field(default_factory=lambda: {"lowest": 1e-3, "highest": 1e5, "number": 20})
    components: int = 25
    band_candidates: int = 60
    minimum_reliability: float = 0.1
    voxel_effect: str = "fixed"

    @property
    def grid(self) -> np.ndarray:
        """The regularisations, (number,) float64, ascending."""
        return np.geomspace(self.alphas["lowest"], self.alphas["highest"], self.alphas["number"])
