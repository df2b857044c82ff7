"""Where encoding models are scored: the voxels of one subject and ROI, and what they are scored on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray

from cortexrsa.brain.reliability import repeats_of
from cortexrsa.encoding.folds import Partition
from cortexrsa.encoding.reliability import Scored, Targets, targets
from cortexrsa.encoding.scores import Correlations, r_squared, scaled
from cortexrsa.encoding.voxels import VoxelGroups, without_stimuli
from cortexrsa.inference.names import PRIMARY, SELECTION


@dataclass(frozen=True)
class Part:
    """What one part of a region's corrected score is divided by.

    Attributes
    ----------
    scored : responses with their reliability
    kept : (v,) bool, voxels of enough reliability
    ceiling : mean over them of the root of the reliability
    test, train : (stimuli,) influence of every stimulus of the split on it; zeros where there is none
    """

    scored: Scored
    kept: np.ndarray
    ceiling: float
    test: np.ndarray
    train: np.ndarray

    @classmethod
    def of(cls, scored: Scored, minimum: float, n_train: int) -> Part:
        kept = scored.reliability >= minimum
        root = np.sqrt(scored.reliability[kept])
        zeros = np.zeros(len(scored.measured)), np.zeros(n_train)
        if not kept.any():
            return cls(scored, kept, np.nan, *zeros)
        slopes = [
            none if influence is None else (influence[:, kept] / (2 * root)).mean(axis=1)
            for influence, none in zip((scored.test, scored.train), zeros, strict=True)
        ]
        return cls(scored, kept, float(root.mean()), *slopes)


@dataclass(frozen=True)
class Score:
    """Scores of one fit in one region, over all test stimuli.

    Attributes
    ----------
    r, r2 : (v,) of every voxel
    score, median, r2_mean : over the voxels; score is the mean of r
    corrected, corrected_median, corrected_r2 : the same over what reliability allows; NaN if it is unknown
    influence : (m,) of every test stimulus on score, in standard errors: the sum of squares is the variance
    corrected_influence : (m + n,) of every test and training stimulus on corrected, likewise
    voxels, corrected_voxels : likewise of groups of voxels on either; of no groups where voxels are fixed
    null : (permutations,) score with the responses relabelled
    folds : (partitions,) score in each, which `score` weights by their stimuli
    """

    r: np.ndarray
    r2: np.ndarray
    score: float
    median: float
    r2_mean: float
    corrected: float
    corrected_median: float
    corrected_r2: float
    influence: np.ndarray
    corrected_influence: np.ndarray
    voxels: np.ndarray
    corrected_voxels: np.ndarray
    null: np.ndarray
    folds: np.ndarray


@dataclass(frozen=True)
class Region:
    """Voxels of one subject and ROI.

    Attributes
    ----------
    subject, roi : names
    voxels : indices into the responses
    targets : what they are scored on
    parts : of the corrected score
    n_train : number of training stimuli that reliability may be from
    groups : of voxels, where they are a sample; None where they are fixed
    """

    subject: str
    roi: str
    voxels: np.ndarray
    targets: Targets
    parts: list[Part]
    n_train: int
    groups: VoxelGroups | None = None

    @property
    def left_out(self) -> float:
        """Voxels of too little reliability, a mean over the parts; NaN if it is unknown."""
        return float(np.mean([(~part.kept).sum() for part in self.parts])) if self.parts else np.nan

    def score(self, predicted: np.ndarray, folds: list[np.ndarray], orders: list[np.ndarray]) -> Score:
        """Score predictions of the test stimuli.

        Parameters
        ----------
        predicted : (m, v)
        folds : places of the test stimuli that one fit each predicted; correlations are made within them,
            and corrected where these are several (all together have means and scales of several fits)
        orders : of each, (permutations, its stimuli): see `Correlations.null`
        """
        weights = np.array([len(fold) for fold in folds]) / len(predicted)
        few = len(folds) > 1
        found = [Correlations.of(predicted[fold], self.targets.measured[fold], few) for fold in folds]
        r = weights @ [each.r for each in found]
        by_fold = np.array([each.r.mean() for each in found])
        null = [each.null(order) for each, order in zip(found, orders, strict=True)]
        # over all stimuli: the variance of the few of a fold is too small, and R2 with it
        r2 = r_squared(predicted, self.targets.measured)
        corrected, corrected_median, corrected_r2, corrected_influence, left_out = self._corrected(
            predicted, folds, weights
        )
        voxels, corrected_voxels = self._over_voxels(found, folds, r, corrected, left_out)
        return Score(
            r=r,
            r2=r2,
            score=float(weights @ by_fold),
            median=float(np.median(r)),
            r2_mean=float(r2.mean()),
            corrected=corrected,
            corrected_median=corrected_median,
            corrected_r2=corrected_r2,
            influence=jackknifed([each.influences() for each in found], folds, len(predicted)),
            corrected_influence=corrected_influence,
            voxels=voxels,
            corrected_voxels=corrected_voxels,
            null=weights @ null,
            folds=by_fold,
        )

    def _over_voxels(
        self,
        found: list[Correlations],
        folds: list[np.ndarray],
        r: np.ndarray,
        corrected: float,
        left_out: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """voxels and corrected_voxels of `Score`."""
        if self.groups is None:
            return np.empty(0), np.empty(0)
        m = sum(map(len, folds))
        shrunk = without_stimuli(r, jackknifed([each.influences_on_voxels() for each in found], folds, m))
        means = self.groups.left_out(r) / self.groups.left_out(np.ones(len(r)))
        return (
            self.groups.deviations(means, r.mean(), shrunk),
            self.groups.deviations(left_out, corrected, shrunk),
        )

    def _corrected(
        self, predicted: np.ndarray, folds: list[np.ndarray], weights: np.ndarray
    ) -> tuple[float, float, float, np.ndarray, np.ndarray]:
        """corrected, corrected_median, corrected_r2 and corrected_influence of `Score`; and corrected without
        each group of voxels.
        """
        values, influences, left_out = [], [], []
        for part in self.parts:
            measured, kept = part.scored.measured, part.kept
            found = [
                Correlations.of(predicted[fold][:, kept], measured[fold][:, kept], len(folds) > 1)
                for fold in folds
            ]
            r = weights @ [each.r for each in found]
            mean = r.mean() if kept.any() else np.nan
            r2, reliability = r_squared(predicted, measured), part.scored.reliability
            values.append(
                (
                    mean / part.ceiling,
                    np.median(r / np.sqrt(reliability[kept])) if kept.any() else np.nan,
                    r2.mean() / reliability.mean(),
                )
            )
            own = np.concatenate([_in_folds(part.test, folds), scaled(part.train)])
            test = [each.influences() if kept.any() else np.zeros(len(each.measured)) for each in found]
            test = jackknifed(test, folds, len(predicted))
            test = np.concatenate([test, np.zeros(self.n_train)])
            influences.append(test / part.ceiling - mean / part.ceiling**2 * own)
            left_out.append(self._ratio_left_out(r, np.sqrt(reliability[kept]), kept))
        if not values:
            none = np.full(self.groups.number if self.groups else 0, np.nan)
            return np.nan, np.nan, np.nan, np.full(len(predicted) + self.n_train, np.nan), none
        return *np.mean(values, axis=0).tolist(), np.mean(influences, axis=0), np.mean(left_out, axis=0)

    def _ratio_left_out(self, r: np.ndarray, root: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """Mean of r over mean of the root of the reliability, of the kept voxels without each group."""
        if self.groups is None:
            return np.empty(0)
        values = np.zeros((2, len(kept)))
        values[:, kept] = r, root
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.divide(*self.groups.left_out(values).T)


def jackknifed(influences: list[np.ndarray], folds: list[np.ndarray], m: int) -> np.ndarray:
    """Influences within folds, in the order of the stimuli, such that their sum of squares is the variance of
    the mean over the folds, each weighed by its stimuli.
    """
    joined = np.empty((m, *influences[0].shape[1:]))
    for fold, influence in zip(folds, influences, strict=True):
        joined[fold] = scaled(influence) * len(fold) / m
    return joined


def _in_folds(influence: np.ndarray, folds: list[np.ndarray]) -> np.ndarray:
    """Influences on a mean over all stimuli, scaled as those of the folds are."""
    return jackknifed([influence[fold] for fold in folds], folds, len(influence))


def regions_of(
    responses: xarray.DataArray,
    minimum_reliability: float,
    single_split: bool,
    voxel_seed: int | None = None,
) -> list[Region]:
    """Subjects and ROIs of responses, by subjects and within them by ROIs.

    Parameters
    ----------
    responses : (stimulus, voxel) averages, or (stimulus, repeat, voxel) single trials; cleaned
    minimum_reliability : of a voxel in corrected scores
    single_split : whether there is no training split
    voxel_seed : of the groups of voxels; None: voxels are fixed
    """
    split = responses["split"].to_numpy()
    order = ("stimulus", "repeat", "voxel") if "repeat" in responses.dims else ("stimulus", "voxel")
    values = responses.transpose(*order).to_numpy().astype(np.float64)
    subjects, rois = responses["subject"].to_numpy(), responses["roi"].to_numpy()
    repeats = repeats_of(responses)
    found = []
    for subject, roi in ((s, r) for s in pd.unique(subjects) for r in pd.unique(rois)):
        voxels = np.flatnonzero((subjects == subject) & (rois == roi))
        if not len(voxels):
            continue
        own = values[..., voxels]
        train = None if single_split else own[split == SELECTION]
        made = targets(own[split == PRIMARY], train, repeats)
        n_train = max((len(part.train) for part in made.parts if part.train is not None), default=0)
        parts = [Part.of(part, minimum_reliability, n_train) for part in made.parts]
        groups = None if voxel_seed is None else VoxelGroups.of(len(voxels), voxel_seed, len(found))
        found.append(Region(str(subject), str(roi), voxels, made, parts, n_train, groups))
    return found


def places_of(partitions: list[Partition]) -> list[np.ndarray]:
    """Places of every partition's test stimuli among all test stimuli."""
    everything = np.sort(np.concatenate([part.test for part in partitions]))
    return [np.searchsorted(everything, part.test) for part in partitions]
