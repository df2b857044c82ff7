"""Streams of random numbers that follow from one seed, independent of each other."""

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What random numbers are drawn for. Numbers stay: another one changes results."""

    SUBJECTS = 1  # subjects drawn with replacement
    HALVES = 2  # halves of the stimuli, on which layers are chosen
    REPEATS = 3  # halves of the repeats
    MOMENTS = 4  # patterns simulated for a ceiling
    VOXELS = 5  # halves of the voxels
    OTHER_SPLIT = 6  # resamples of a split that are independent of the first's
    LEFT_OUT = 7  # groups of stimuli left out
    PAIRS = 8  # groups and signs of pairs of stimuli
    SIGNS = 9  # signs of subjects
    JOINT = 10  # draws from the joint distribution of scores
    NULL = 11  # draws from the distribution under random relabelling
    CROSSED = 13  # signs of groups of voxels
    MATCHED = 14  # noise that is added to ROIs
    FOLDS = 20  # folds of the stimuli, of encoding models
    BANDS = 21  # weights of bands that are tried
    LABELS = 22  # relabelled test stimuli of encoding models
    VOXEL_GROUPS = 23  # groups of voxels left out, of encoding models
    MATCHING = 24  # halves of the stimuli that soft matching is fitted on
    MATCHED_FEATURES = 25  # features of a large layer that are matched


def generator(seed: int, *streams: int) -> np.random.Generator:
    """Random numbers of a stream; the seed alone is that of the resamples of the stimuli."""
    return np.random.default_rng([seed, *streams] if streams else seed)
