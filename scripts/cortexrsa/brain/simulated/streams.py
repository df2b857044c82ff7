"""Streams of random numbers of a simulated data set: spawn keys of its one seed. Others change the data."""

from __future__ import annotations

from enum import IntEnum

from numpy.random import SeedSequence


class Shared(IntEnum):
    """What all subjects have in common."""

    TRAIN = 0  # training stimuli
    TEST = 1  # test stimuli
    ORDER = 2  # order and onsets of the presentations


def of_all(seed: int, stream: Shared) -> SeedSequence:
    """Seeds of what all subjects have in common; subjects count from 1."""
    return SeedSequence(seed, spawn_key=(0, stream))


def of_roi(seed: int, subject: int, roi: str) -> SeedSequence:
    """Seeds of the voxels of a ROI, which depend on no other ROI."""
    return SeedSequence(seed, spawn_key=(subject, *roi.encode()))


def of_scans(seed: int, subject: int) -> SeedSequence:
    """Seeds of a subject's anatomy and scans; no ROI has such a name."""
    return SeedSequence(seed, spawn_key=(subject, 0, 0))
