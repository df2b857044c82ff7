"""Noise ceilings from several subjects."""

from __future__ import annotations

import numpy as np

from cortexrsa.geometry.compare import compare
from cortexrsa.geometry.mean_rdm import on_scale, sum_of_rdms
from cortexrsa.geometry.rdm import Rows
from cortexrsa.inference.ceilings.bounds import Ceiling, of_people
from cortexrsa.inference.errors import Replicated, over_subjects
from cortexrsa.inference.replication import Replication
from cortexrsa.inference.settings import Settings


def references(total: np.ndarray, own: np.ndarray, subjects: int) -> np.ndarray:
    """Mean RDMs of the other subjects, and of all, from their sum and one subject's RDM: (2, pairs)."""
    return np.stack([(total - own) / (subjects - 1), total / subjects])


def bounds_of_people(
    brain: np.ndarray | Rows,
    replication: Replication,
    comparison: str,
    settings: Settings,
    threads: int = 1,
) -> tuple[Replicated, Replicated]:
    """Lower and upper bound of the mean score of several subjects.

    upper = mean over subjects of the similarity to the mean RDM of all, lower = the same to the mean RDM of
    the others (Nili et al. 2014, doi:10.1371/journal.pcbi.1003553). The similarities of the subjects have
    errors like scores of a model (both factors; of fixed subjects over stimuli alone). The mean RDMs are
    taken as they are.

    Parameters
    ----------
    brain : (subjects >= 2, pairs); of `Rows` one is in memory at a time
    replication : of the stimuli
    comparison : of `geometry.registry.COMPARISONS`
    threads : the result does not depend on it
    """
    total, count = sum_of_rdms(brain, comparison), len(brain)
    found = [
        replication.similarity(
            subject[None], references(total, on_scale(subject, comparison), count), comparison, threads
        )
        for subject in brain
    ]
    scores = np.concatenate([score for score, _ in found])
    deviations = np.concatenate([deviation for _, deviation in found], axis=1)
    fixed = settings.fixed_subjects(count)
    bounds = over_subjects(scores, deviations, replication.replicates, settings.seed, fixed)
    lower, upper = (bounds.apply(lambda values, k=k: values[..., k]) for k in range(2))
    return lower, upper


def subject_ceiling(
    brain: np.ndarray | Rows,
    replication: Replication,
    comparison: str,
    settings: Settings,
    threads: int = 1,
) -> Ceiling:
    """Ceiling of the mean score of several subjects; see `bounds_of_people`."""
    bounds = bounds_of_people(brain, replication, comparison, settings, threads)
    return of_people(*bounds, len(brain), settings.confidence, comparison)


def published_ceilings(brain: np.ndarray | Rows, comparison: str) -> list[dict]:
    """Ceilings from several subjects by the conventions of published tables, without intervals.

    The mean RDM is that of the RDMs as they are, not of their ranks or normalised dissimilarities; bounds are
    the mean similarity, or the mean of its square (as in the Algonauts Project, Cichy et al. 2019,
    arXiv:1905.05675).

    Parameters
    ----------
    brain : (subjects >= 2, pairs)
    comparison : of `registry.COMPARISONS`

    Returns
    -------
    a dict for each convention: kind, lower, upper
    """
    total, count = sum_of_rdms(brain), len(brain)
    similarity = np.concatenate(
        [compare(subject[None], references(total, subject, count), comparison) for subject in brain]
    )
    plain, squared = (
        dict(zip(("lower", "upper"), values.mean(axis=0).tolist(), strict=True))
        for values in (similarity, similarity**2)
    )
    return [{"kind": "subjects-unscaled"} | plain, {"kind": "subjects-unscaled-squared"} | squared]
