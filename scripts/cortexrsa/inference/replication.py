"""Similarities of RDMs with their replicates over samples of the stimuli, by the method of the study."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np

from cortexrsa.errors import InputError
from cortexrsa.geometry.rdm import select_stimuli
from cortexrsa.inference.design import Design
from cortexrsa.inference.design_units import FixedCategories, Units
from cortexrsa.inference.draws import Resamples
from cortexrsa.inference.errors import Replicates
from cortexrsa.inference.influence import influences
from cortexrsa.inference.pair_groups import PairGroups
from cortexrsa.inference.settings import Settings
from cortexrsa.inference.similarity import resampled_similarity
from cortexrsa.inference.some_pairs import influences_of_some
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
    """Replicates from the influences of stimuli and pairs, see `influence`; or of units of the design.

    Parameters
    ----------
    n : number of stimuli
    seed : of the groups of pairs
    design : of the stimuli, where they are not drawn one by one (see `design_units`)
    """

    def __init__(self, n: int, seed: int, design: Design | None = None):
        self.n, self.units, self.categories, self.kept = n, None, None, None
        random = generator(seed, Stream.PAIRS)
        if design is not None and design.fixed:
            self.categories = FixedCategories(design.labels)
        elif design is not None:
            self.units, self.kept = Units(design.labels, random), design.kept_pairs()
        self.groups = PairGroups.of(n, random) if self.units is None else self.units.pair_groups
        sampled = n if self.units is None else len(self.units)
        pairs = self.groups.size if self.units is None else self.units.pairs.size
        self.replicates = Replicates.of_influences(sampled, pairs)
        if self.categories is not None:
            self.replicates = replace(self.replicates, dof=float(n - len(self.categories.names)))

    def similarity(self, brain, models, comparison, threads=1):
        found = self._influences(brain, models, comparison, threads)
        return found.scores, np.concatenate(self._moved(found))

    def _influences(self, brain, models, comparison, threads, keep=None):
        """Of RDMs of all stimuli, or of those in `keep` (n,) bool alone."""
        groups = self.groups if keep is None else self.groups.subset(keep)
        if self.kept is not None:
            kept = self.kept if keep is None else select_stimuli(self.kept[None], keep)[0]
            return influences_of_some(brain, models, kept, groups, comparison)
        found = influences(brain, models, groups, comparison, threads)
        if self.categories is None:
            return found
        blocks = self.categories.blocks if keep is None else self.categories.blocks.subset(keep)
        of_blocks = influences(brain, models, blocks, comparison, threads)
        return self.categories.within(found, of_blocks, groups, keep)

    def _moved(self, found, keep=None):
        """By how much the score differs with more of each (group of) pairs and of each stimulus or unit."""
        if self.units is not None:
            return self.units.summed(found, keep)[::-1]
        m = self.n if keep is None else int(keep.sum())
        stimuli = 2 / m * found.stimuli
        if keep is not None:
            stimuli, part = np.zeros((self.n, *found.scores.shape)), stimuli
            stimuli[keep] = part
        return found.pairs / (m * (m - 1) / 2), stimuli

    def in_part(self, brain, models, keep, comparison, threads=1):
        """As `similarity`, of RDMs of the stimuli keep (n,) bool alone; other stimuli have no influence.

        The sum of squares of e over the pairs of m stimuli has pairs - m degrees of freedom, of which
        `replicates` has those of all n.
        """
        found = self._influences(brain, models, comparison, threads, keep)
        pairs, single = self._moved(found, keep)
        n = single.shape[0]
        m = int(keep.sum()) if self.units is None else len(np.unique(self.units.codes[keep]))
        lost = ((n - 3) / (n - 1)) / ((m - 3) / (m - 1))
        return found.scores, np.concatenate([pairs * np.sqrt(lost), single])


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


def replication(n: int, settings: Settings, design: Design | None = None) -> OnePass | Resampling:
    """That of n stimuli, by `settings.standard_error`.

    Raises
    ------
    InputError : stimuli that are not drawn one by one, resampled as if they were.
    """
    if settings.standard_error == "one-pass":
        return OnePass(n, settings.seed, design)
    if design is not None:
        raise InputError(
            "inference.standard_error",
            settings.standard_error,
            f"one-pass: the stimuli have a unit ({design.unit}), and single ones would be resampled",
        )
    return Resampling(n, settings.bootstrap, settings.seed, plain=settings.standard_error == "bootstrap")
