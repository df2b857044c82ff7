"""Soft matching: every feature of a layer gives its weight to the voxels that respond as it does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cortexrsa.encoding.scores import Correlations, standardised
from cortexrsa.errors import InputError
from cortexrsa.geometry.gram import feature_slices
from cortexrsa.inference.design import Design
from cortexrsa.inference.halves import halves_of, random_halves
from cortexrsa.inference.names import PRIMARY, SELECTION
from cortexrsa.inference.settings import Settings
from cortexrsa.inference.smallest import HALVES
from cortexrsa.streams import Stream, generator

# of a layer; of more a random subset is matched: the time of a plan grows with features x voxels
MOST_FEATURES = 2000
# stimuli of half a half: a correlation of fewer is not worth the name
SMALLEST_HALF = 3
# of the network simplex, which ends long before
MOST_STEPS = 10**9
FIELD = "measures.others: soft_matching"


@dataclass(frozen=True)
class Matching:
    """A transport plan between features and voxels: the pairs that it joins.

    Attributes
    ----------
    features, voxels : (k,) indices
    weights : (k,) > 0, of sum 1: those of each feature add up to 1 / features, of each voxel to 1 / voxels
    """

    features: np.ndarray
    voxels: np.ndarray
    weights: np.ndarray

    @classmethod
    def fitted(cls, features: np.ndarray, voxels: np.ndarray) -> Matching:
        """The plan of the largest mean correlation: optimal transport, solved exactly.

        Parameters
        ----------
        features, voxels : (n, features) and (n, voxels), of the same stimuli; what does not vary over them
            correlates with nothing

        Raises
        ------
        InputError : the package POT is not there.

        References
        ----------
        Khosla & Williams 2024, arXiv:2311.09466; Bonneel et al. 2011, doi:10.1145/2024156.2024192 (solver)
        """
        try:
            import ot
        except ImportError as error:
            expected = "pip install -r requirements-extra.txt, or measures: {others: [...]} without it"
            raise InputError(FIELD, "no package POT (ot)", expected) from error
        r = in_standard_units(features).T @ in_standard_units(voxels) / len(features)
        plan, log = ot.emd([], [], 1 - r, numItermax=MOST_STEPS, log=True)
        if log["warning"]:
            raise RuntimeError(f"no plan of optimal transport: {log['warning']}")
        pairs = np.nonzero(plan)
        return cls(*pairs, plan[pairs])

    def correlations(self, features: np.ndarray, voxels: np.ndarray, few: bool = False) -> Correlations:
        """Correlations of the pairs over other stimuli, with the weights of the plan.

        Parameters
        ----------
        features, voxels : (m, features) and (m, voxels); what does not vary correlates with nothing: r is 0
        few : whether r is corrected for the stimuli being few
        """
        x, y = in_standard_units(features[:, self.features]), in_standard_units(voxels[:, self.voxels])
        return Correlations(x, y, 0.5 / len(x) if few else 0.0, self.weights)


def in_standard_units(values: np.ndarray) -> np.ndarray:
    """Columns of (n, k) less their mean, divided by their standard deviation; 0 where they do not vary."""
    return np.where(values.max(axis=0) > values.min(axis=0), standardised(values), 0)


def drawn_features(
    features: np.ndarray, known: np.ndarray, random: np.random.Generator, most: int = MOST_FEATURES
) -> tuple[np.ndarray, int]:
    """Features of a layer that vary: all of them, or a random subset.

    Parameters
    ----------
    features : (n, p) array, or anything whose slices of features are read one at a time
    known : (n,) bool, stimuli over which they should vary
    random : of the subset
    most : size of the subset

    Returns
    -------
    values : (n, k) float64, in the order of the layer
    constant : number of features that do not vary

    Raises
    ------
    InputError : NaN or infinite values.
    """
    order, constant = random.permutation(features.shape[1]), 0
    values, places = np.empty((len(features), 0), features.dtype), np.empty(0, int)
    for columns in feature_slices(features):
        chunk = features[:, columns]
        if not np.isfinite(chunk).all():
            raise InputError("activations", "NaN or infinite values", "finite values")
        varies = chunk[known].max(axis=0) > chunk[known].min(axis=0)
        constant += int((~varies).sum())
        values = np.concatenate([values, chunk[:, varies]], axis=1)
        places = np.concatenate([places, order[columns][varies]])
        if len(places) > most:
            kept = np.sort(np.argsort(places)[:most])
            values, places = values[:, kept], places[kept]
    return values.astype(np.float64), constant


@dataclass(frozen=True)
class Part:
    """Stimuli that a plan is fitted on, and those that it is scored on.

    Attributes
    ----------
    train, test : indices of stimuli
    half : (len(train),) bool, a half of the training stimuli: layers are chosen by the plans of either half,
        scored on the other
    places : of the test stimuli among all that are scored
    """

    train: np.ndarray
    test: np.ndarray
    half: np.ndarray
    places: np.ndarray


def matching_parts(split: np.ndarray, settings: Settings, design: Design | None = None) -> list[Part]:
    """Stimuli of the plans: of one plan, or, without a training split, of two in each of some random halves.

    Parameters
    ----------
    split : (n,) test, or another
    settings : halves (those on which layers are chosen by RSA, too) and seed
    design : of the n stimuli, whose units no half splits

    Raises
    ------
    InputError : too few stimuli to fit a plan on.
    """
    train, test = np.flatnonzero(split == SELECTION), np.flatnonzero(split == PRIMARY)
    fitted, name = (train, "training stimuli") if len(train) else (test, "stimuli and no training split")
    if len(fitted) < HALVES.needed:
        raise InputError(FIELD, f"{len(fitted)} {name}", f"at least {HALVES.needed}")
    random = generator(settings.seed, Stream.MATCHING)

    def halved(stimuli: np.ndarray) -> np.ndarray:
        own = design and design.subset(np.isin(np.arange(len(split)), stimuli))
        half = (own.halves(1, random) if own else random_halves(len(stimuli), 1, random))[0]
        least = min(half.sum(), (~half).sum())
        if least < SMALLEST_HALF:
            found = f"a half of {least} of {len(stimuli)} {name} (halves split no {design.unit})"
            raise InputError(FIELD, found, f"at least {SMALLEST_HALF} in either half")
        return half

    if len(train):
        return [Part(train, test, halved(train), np.arange(len(test)))]
    own = design and design.subset(split == PRIMARY)
    return [
        Part(test[~keep], test[keep], halved(test[~keep]), np.flatnonzero(keep))
        for half in halves_of(len(test), settings, own)
        for keep in (half, ~half)
    ]
