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
    folds : (len(train),) fold of each training stimulus, from 0, in which regularisation is chosen; -1 of
        those that are in no fold, and so among the others of each
    """

    train: np.ndarray
    test: np.ndarray
    folds: np.ndarray


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
    seed : of the folds, which all networks share
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
        if in_no_fold is None:
            return [Partition(train, test, random_folds(units[train], folds, random))]
        chosen, fold = ~in_no_fold[train], np.full(len(train), -1)
        folds = min(folds, max(2, int(chosen.sum()) // SMALLEST_FOLD))
        fold[chosen] = random_folds(units[train][chosen], folds, random)
        return [Partition(train, test, fold)]
    outer = random_folds(units[test], folds, random)
    found = []
    for fold in range(folds):
        kept = test[outer != fold]
        found.append(Partition(kept, test[outer == fold], random_folds(units[kept], folds, random)))
    return found


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
