"""Similarities of RDMs with their replicates over samples of the stimuli, by the method of the study."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from cortexrsa.inference.draws import Resamples
from cortexrsa.inference.errors import Replicates
from cortexrsa.inference.influence import PairGroups, influences
from cortexrsa.inference.settings import Settings
from cortexrsa.inference.similarity import resampled_similarity
from cortexrsa.streams import Stream, generator


class Replication(Protocol):
    """How the similarities of a sample of stimuli are replicated.

    Attributes
    ----------
    n : number of stimuli
    replicates : of `similarity`
    """

    n: int
    replicates: Replicates

    def similarity(
        self, brain: np.ndarray, models: np.ndarray, comparison: str, threads: int = 1
    ) -> tuple[np.ndarray, np.ndarray]:
        """Similarity of brain (r, pairs) and model (l, pairs) RDMs: (r, l), and by how much it differs from
        that in every replicate, (replicates, r, l)."""


class OnePass:
    """Replicates from the influences of stimuli and pairs, see `influence`."""

    def __init__(self, n: int, seed: int):
        self.n = n
        self.groups = PairGroups.of(n, generator(seed, Stream.PAIRS))
        self.replicates = Replicates.of_influences(n, self.groups.size)

    def similarity(self, brain, models, comparison, threads=1):
        found = influences(brain, models, self.groups, comparison, threads)
        pairs = found.pairs / (self.n * (self.n - 1) / 2)
        return found.scores, np.concatenate([pairs, 2 / self.n * found.stimuli])

    def in_part(self, brain, models, keep, comparison, threads=1):
        """As `similarity`, of RDMs of the stimuli keep (n,) bool alone; other stimuli have no influence.

        The sum of squares of e over the pairs of m stimuli has pairs - m degrees of freedom, of which
        `replicates` has those of all n.
        """
        m = int(keep.sum())
        found = influences(brain, models, self.groups.subset(keep), comparison, threads)
        deviations = np.zeros((sum(self.replicates.sizes), *found.scores.shape))
        lost = ((self.n - 3) / (self.n - 1)) / ((m - 3) / (m - 1))
        deviations[: self.groups.size] = found.pairs / (m * (m - 1) / 2) * np.sqrt(lost)
        deviations[self.groups.size :][keep] = 2 / m * found.stimuli
        return found.scores, deviations


class Resampling:
    """Replicates by resampling the stimuli, and (unless plain) leaving groups of them out: exact in each."""

    def __init__(self, n: int, draws: int, seed: int, plain: bool = False):
        self.n = n
        self.resamples = Resamples.of(n, draws, seed)
        if plain:
            self.resamples.left_out = self.resamples.left_out[:0]
            self.replicates = Replicates.of_bootstrap(n, draws)
        else:
            self.replicates = Replicates.of_resamples(self.resamples)

    def similarity(self, brain, models, comparison, threads=1):
        values = resampled_similarity(brain, models, self.resamples.counts, comparison, threads)
        return values[0], values[1:] - values[0]


def replication(n: int, settings: Settings) -> OnePass | Resampling:
    """That of n stimuli, by `settings.standard_error`."""
    if settings.standard_error == "one-pass":
        return OnePass(n, settings.seed)
    return Resampling(n, settings.bootstrap, settings.seed, plain=settings.standard_error == "bootstrap")
