"""Streams of random numbers that follow from one seed, independent of each other.

Resamples of the stimuli, permutations (`inference.permutation`), halves of the repeats by which voxels are
chosen (`brain.reliability`) and weights of bands that are tried (`encoding.banded`) all draw with the bare
seed. No result combines two of them as if they were independent, and each alone is random, so that only
their Monte Carlo errors could be alike.

Trainings do not import this module, so that another stream retrains no network. They draw with their own seed
and a counter: order of images (seed, pass) in `networks.streaming`, order of stimuli (seed, pass) in
`guidance.training`, views and objective (seed, step, part) in `networks.training`, controls (seed, person,
`STREAM`) in `guidance.targets`. The simulated data set has `brain.simulated.streams`.
"""

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
    LABELS = 22  # relabelled test stimuli of encoding models
    VOXEL_GROUPS = 23  # groups of voxels left out, of encoding models
    MATCHING = 24  # halves of the stimuli that soft matching is fitted on
    MATCHED_FEATURES = 25  # features of a large layer that are matched
    # images and stimuli of simulated trainings; another number would change published results
    SIMULATED_TRAINING = SUBJECTS


def generator(seed: int, *streams: int) -> np.random.Generator:
    """Random numbers of a stream; the seed alone is that of the resamples of the stimuli."""
    return np.random.default_rng([seed, *streams] if streams else seed)
