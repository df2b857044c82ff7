"""Noise ceilings from halves: of the repeats of a stimulus, or, optimistically, of the voxels of a ROI."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from cortexrsa.brain.reliability import spearman_brown
from cortexrsa.geometry.crossnobis import rdm_of_trials
from cortexrsa.geometry.rdm import rdm
from cortexrsa.inference.ceilings.bounds import Ceiling, as_correlations, of_reliability
from cortexrsa.inference.errors import Replicated
from cortexrsa.inference.replication import Replication
from cortexrsa.inference.settings import Settings
from cortexrsa.streams import Stream, generator


def split_half_ceiling(
    trials: np.ndarray,
    replication: Replication,
    dissimilarity: str,
    comparison: str,
    settings: Settings,
    threads: int = 1,
    folds: np.ndarray | None = None,
) -> Ceiling:
    """Ceiling from repeated presentations to one subject.

    Halves of the repeats give two RDMs; their mean similarity over random splits, stepped up to all repeats
    by Spearman-Brown, is the reliability of the RDM. A perfect model exceeds it: what is attainable is its
    square root, the correlation of the measured with the noiseless RDM in classical test theory.

    Parameters
    ----------
    trials : (n, repeats >= 2, voxels), see `crossnobis.prepared`; repeats >= 4 for crossnobis
    replication : of the stimuli
    dissimilarity, comparison : of `geometry.registry`
    threads : the result does not depend on it
    folds : of `crossnobis.crossnobis`; no stimulus with two of these trials in one of them
    """
    random = generator(settings.seed, Stream.REPEATS)
    repeats = trials.shape[1]
    half = repeats // 2

    def halves():
        # two repeats can be split in one way only
        for _ in range(min(settings.ceiling_splits, 1 if repeats == 2 else settings.ceiling_splits)):
            order = random.permutation(repeats)
            parts = order[:half], order[half : 2 * half]
            yield tuple(
                rdm_of_trials(
                    trials[:, chosen], dissimilarity, folds=None if folds is None else folds[:, chosen]
                )
                for chosen in parts
            )

    return _stepped_up(halves(), repeats / half, replication, comparison, settings, threads)


def voxel_half_ceiling(
    patterns: np.ndarray,
    replication: Replication,
    dissimilarity: str,
    comparison: str,
    settings: Settings,
    threads: int = 1,
) -> Ceiling:
    """Optimistic ceiling of one RDM: random halves of the voxels in place of repeats.

    The RDMs of two halves are compared and stepped up to all voxels by Spearman-Brown: the reliability, whose
    square root is attainable. Noise that voxels share counts as signal, so the true values lie below.

    Parameters
    ----------
    patterns : (n, voxels) averages over repeats
    replication, comparison, threads : see `split_half_ceiling`
    dissimilarity : one that needs no more than patterns
    """
    random = generator(settings.seed, Stream.VOXELS)

    def halves():
        for _ in range(settings.ceiling_splits):
            parts = np.array_split(random.permutation(patterns.shape[1]), 2)
            yield tuple(rdm(patterns[:, np.sort(part)], dissimilarity) for part in parts)

    return _stepped_up(halves(), 2.0, replication, comparison, settings, threads)


def _stepped_up(
    halves: Iterable[tuple[np.ndarray, np.ndarray]], factor: float, replication, comparison, settings, threads
) -> Ceiling:
    """Ceiling of the mean similarity of two halves, stepped up by the factor that the whole is larger by."""
    found = [
        replication.similarity(first[None], second[None], comparison, threads) for first, second in halves
    ]
    score = np.mean([similarity[0, 0] for similarity, _ in found])
    deviations = np.mean([deviation[:, 0, 0] for _, deviation in found], axis=0)
    half = Replicated(np.asarray(score), score + deviations, replication.replicates)
    whole = half.apply(lambda values: spearman_brown(as_correlations(values, comparison), factor))
    return of_reliability(whole, settings.confidence, comparison)
