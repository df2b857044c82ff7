"""Which stimuli an encoding model is trained on, and on which it is scored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cortexrsa.errors import InputError
from cortexrsa.inference.design import Design
from cortexrsa.inference.names import PRIMARY, SELECTION
from cortexrsa.streams import Stream, generator

# of stimuli in a fold: fewer have no correlation worth the name
SMALLEST_FOLD = 3


@dataclass(frozen=True)
class Partition:
    """Training and test stimuli of one fit.

    Attributes
    ----------
    train, test : indices of stimuli, ascending
    splits : of each fold, in which regularisation is chosen, the places in `train` of the stimuli that are
        fitted, and of those that are predicted
    """

    train: np.ndarray
    test: np.ndarray
    splits: list[tuple[np.ndarray, np.ndarray]]


def partitions(
    split: np.ndarray,
    folds: int,
    seed: int,
    units: np.ndarray | None = None,
    in_no_fold: np.ndarray | None = None,
) -> list[Partition]:
    """Fits that together score every test stimulus once.

    With a training split there is one fit: trained on it, scored on the test stimuli. Without one the test
    stimuli are divided into folds, and each is scored by a fit that is trained on the others.

    Parameters
    ----------
    split : (n,) train or test
    folds : number of folds
    seed : of the folds, which all networks share that have no stimuli in `in_no_fold`
    units : (n,) label of each stimulus (a category, a cluster of near-duplicates); a fold has all stimuli of
        a label or none of them. None: every stimulus is its own
    in_no_fold : (n,) bool, training stimuli by which nothing is chosen; None: there are none. Where they
        leave few stimuli there are fewer folds, since all models are trained on most stimuli even so

    Raises
    ------
    InputError : fewer training stimuli (or units) than folds need.
    """
    units = np.arange(len(split)) if units is None else np.asarray(units)
    train, test = np.flatnonzero(split == SELECTION), np.flatnonzero(split == PRIMARY)
    random = generator(seed, Stream.FOLDS)
    if len(train):
        shared = np.intersect1d(units[train], units[test])
        if len(shared):
            raise InputError(
                "encoding.folds_by", f"{str(shared[0])!r} in both splits", "units of one split each"
            )
        chosen, fold = np.full(len(train), True), np.full(len(train), -1)
        if in_no_fold is not None:
            chosen = ~in_no_fold[train]
            most = int(chosen.sum()) // SMALLEST_FOLD, len(np.unique(units[train][chosen]))
            folds = min(folds, max(2, min(most)))
        fold[chosen] = random_folds(units[train][chosen], folds, random)
        return [Partition(train, test, splits_of(fold, units[train]))]
    outer = random_folds(units[test], folds, random)
    found = []
    for fold in range(folds):
        kept = test[outer != fold]
        inner = splits_of(random_folds(units[kept], folds, random), units[kept])
        found.append(Partition(kept, test[outer == fold], inner))
    return found


def splits_of(folds: np.ndarray, units: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of each fold the places of the stimuli that are fitted, and of its own, which are predicted.

    Parameters
    ----------
    folds : (n,) fold of each stimulus, from 0; -1 of those in no fold
    units : (n,) label of each stimulus: none of a unit that is predicted is fitted

    Examples
    --------
    >>> splits_of(np.array([0, 1, -1, -1]), np.array(["a", "b", "b", "c"]))
    [(array([1, 2, 3]), array([0])), (array([0, 3]), array([1]))]
    """
    own = [folds == fold for fold in range(folds.max() + 1)]
    return [(np.flatnonzero(~np.isin(units, units[each])), np.flatnonzero(each)) for each in own]


def conditional(partitions: list[Partition], voxel_effect: str = "fixed") -> str:
    """What intervals over the test stimuli take as given, in words.

    Errors of cross-validation have no unbiased estimate from its folds alone (Bates, Hastie & Tibshirani
    2024, doi:10.1080/01621459.2023.2197686), so no interval is about other training stimuli.
    """
    given = "training set" if len(partitions) == 1 else "training sets of the folds"
    return f"conditional on the {given}{' and on the voxels' * (voxel_effect == 'fixed')}"


def random_folds(units: np.ndarray, folds: int, random: np.random.Generator) -> np.ndarray:
    """Fold of every stimulus, (n,) from 0: as equal as the units let them be, at random.

    Raises
    ------
    InputError : a fold would have fewer than three stimuli, or none of the units.
    """
    labels, member, sizes = np.unique(units, return_inverse=True, return_counts=True)
    if len(units) < SMALLEST_FOLD * folds or len(labels) < folds:
        what = "stimuli" if len(labels) == len(units) else f"stimuli in {len(labels)} units"
        found = f"{len(units)} {what} to train on"
        fewer = "encoding.folds; encoding.methods: [] leaves encoding out"
        expected = f"at least {SMALLEST_FOLD} in each of {folds} folds ({fewer})"
        raise InputError("encoding", found, expected)
    fold_of, filled = np.empty(len(labels), int), np.zeros(folds)
    # the largest units first, in random order among equals
    order = random.permutation(len(labels))
    for unit in order[np.argsort(-sizes[order], kind="stable")]:
        fold_of[unit] = filled.argmin()
        filled[fold_of[unit]] += sizes[unit]
    return fold_of[member]


def units_of(stimuli: pd.DataFrame, column: str | None, design: Design | None = None) -> np.ndarray | None:
    """Labels of the stimuli in a column of `stimuli.tsv`, or of units of the design, that folds do not split.

    Raises
    ------
    InputError : no such column.
    """
    if column is None:
        if design is None or design.fixed:
            return None
        # a label in the training and in the test stimuli is no unit that both share
        return (stimuli["split"].astype(str) + " " + pd.Series(design.labels, stimuli.index)).to_numpy()
    if column not in stimuli:
        raise InputError("encoding.folds_by", repr(column), f"a column: one of {', '.join(stimuli)}")
    return stimuli[column].to_numpy()
