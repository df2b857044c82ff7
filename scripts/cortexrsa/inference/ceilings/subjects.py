"""Noise ceilings from several subjects."""

from __future__ import annotations

import numpy as np

from cortexrsa.geometry.compare import compare
from cortexrsa.geometry.mean_rdm import mean_rdm, means_without_each
from cortexrsa.inference.ceilings.bounds import Ceiling, ceiling
from cortexrsa.inference.errors import over_subjects
from cortexrsa.inference.replication import Replication
from cortexrsa.inference.settings import Settings


def subject_ceiling(
    brain: np.ndarray, replication: Replication, comparison: str, settings: Settings, threads: int = 1
) -> Ceiling:
    """Ceiling from several subjects.

    upper = mean over subjects of the similarity to the mean RDM of all, lower = the same to the mean RDM of
    the others (Nili et al. 2014, doi:10.1371/journal.pcbi.1003553). The similarities of the subjects have
    errors like scores of a model (both factors), the mean RDMs are taken as they are.

    Parameters
    ----------
    brain : (subjects >= 2, pairs)
    replication : of the stimuli
    comparison : of `geometry.registry.COMPARISONS`
    threads : the result does not depend on it
    """
    bounds = []
    everyone = np.tile(mean_rdm(brain, comparison), (len(brain), 1))
    for references in (means_without_each(brain, comparison), everyone):
        found = [
            replication.similarity(subject[None], reference[None], comparison, threads)
            for subject, reference in zip(brain, references, strict=True)
        ]
        scores = np.array([score[0, 0] for score, _ in found])
        deviations = np.stack([deviation[:, 0, 0] for _, deviation in found], axis=1)
        bounds.append(over_subjects(scores, deviations, replication.replicates, settings.seed))
    return ceiling(*(bound.evaluated() for bound in bounds), settings.confidence)


def published_ceilings(brain: np.ndarray, comparison: str) -> list[dict]:
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
    total, count = brain.sum(axis=0), len(brain)
    references = {"lower": (total - brain) / (count - 1), "upper": np.tile(total / count, (count, 1))}
    similarity = {
        name: np.array([compare(brain[[k]], means[[k]], comparison)[0, 0] for k in range(count)])
        for name, means in references.items()
    }
    plain = {name: float(values.mean()) for name, values in similarity.items()}
    squared = {name: float((values**2).mean()) for name, values in similarity.items()}
    return [{"kind": "subjects-unscaled"} | plain, {"kind": "subjects-unscaled-squared"} | squared]
