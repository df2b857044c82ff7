"""Tests of similarities against zero: by permutations, or for many stimuli by their moments."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator

import numpy as np

from cortexrsa.geometry.compare import normalise
from cortexrsa.geometry.rdm import Rows, n_stimuli
from cortexrsa.geometry.registry import COMPARISONS
from cortexrsa.inference.design import Design
from cortexrsa.inference.families import p_values
from cortexrsa.inference.pair_groups import PairGroups
from cortexrsa.inference.permutation import permutation_null
from cortexrsa.inference.relabelling import Parts, null_draws, relabelled
from cortexrsa.streams import Stream, generator

# with more stimuli than that, tests are by the moments of all relabellings
MOST_PERMUTED = 2000


def p_and_null(
    brain: np.ndarray | Rows,
    models: np.ndarray | Rows,
    observed: np.ndarray,
    comparison: str,
    permutations: int,
    seed: int,
    threads: int = 1,
    design: Design | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """p of similarities, and similarities by chance, whose maxima correct for a family.

    Parameters
    ----------
    brain : (subjects x rois, pairs)
    models : (l, pairs)
    observed : (units, rois, l) similarities; units are the subjects, and with several their mean last
    comparison : see `geometry.compare.compare`
    permutations : number of relabellings, or of draws from the distribution that they have
    seed : of either; calls with the same see the same relabellings
    design : of the stimuli, where they are not drawn one by one: its units are relabelled, however many

    Returns
    -------
    p : (units, rois, l), one-sided
    null : (permutations, units, rois, l)
    """
    if design is None and n_stimuli(brain.shape[1]) > MOST_PERMUTED:
        return _by_moments(brain, models, observed, comparison, permutations, seed, threads)
    return _by_permutations(brain, models, observed, comparison, permutations, seed, threads, design)


def _by_permutations(brain, models, observed, comparison, permutations, seed, threads, design):
    rdms = (np.stack(list(each)) for each in (brain, models))
    null = permutation_null(*rdms, permutations, seed, comparison, threads, design)
    null = of_units(null, observed)
    return p_values(observed, null), null


def of_units(null: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Null scores (N, rdms, l) by the units of the observed ones, (N, units, rois, l): see `p_and_null`."""
    null = null.reshape(len(null), -1, *observed.shape[1:])
    if len(observed) > null.shape[1]:
        null = np.concatenate([null, null.mean(axis=1, keepdims=True)], axis=1)
    return null


def _by_moments(brain, models, observed, comparison, permutations, seed, threads):
    groups = PairGroups.of(n_stimuli(models.shape[1]), generator(seed, Stream.PAIRS))
    rois = observed.shape[1]
    subjects = len(brain) // rois
    concordance = COMPARISONS[comparison].kernel == "concordances"
    # under relabelling of so many stimuli tau-a is 2 / 3 of rho-a (Hájek's projection of the signs of
    # differences on single pairs; what is left has 1 / pairs of the variance)
    scale = 1.5 if concordance else 1.0

    def transformed(rdms: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        # one at a time: of many stimuli they need not fit into memory together
        return (normalise(rdm[None], "rho-a" if concordance else comparison)[0] for rdm in rdms)

    def of_units() -> Iterator[np.ndarray]:
        yield from transformed(brain)
        for roi in range(rois) if len(observed) > subjects else ():
            # the mean over subjects under one relabelling is that of their transformed RDMs
            own = transformed(brain[subject * rois + roi] for subject in range(subjects))
            yield functools.reduce(np.add, own) / subjects

    parts = Parts.of(of_units(), groups), Parts.of(transformed(models), groups)
    flat = scale * observed.reshape(-1, len(models))
    null = null_draws(*parts, permutations, seed) / scale
    return relabelled(*parts).p_values(flat).reshape(observed.shape), null.reshape(-1, *observed.shape)
