"""Random halves of the stimuli: what is chosen, or fitted, on one is scored on the other."""

from __future__ import annotations

import numpy as np

from cortexrsa.inference.design import Design
from cortexrsa.inference.settings import Settings
from cortexrsa.streams import Stream, generator


def random_halves(n: int, number: int, random: int | np.random.Generator) -> np.ndarray:
    """Random halves of n stimuli: (number, n) bool."""
    return np.random.default_rng(random).permuted(np.tile(np.arange(n) < n // 2, (number, 1)), axis=1)


def halves_of(n: int, settings: Settings, design: Design | None) -> np.ndarray:
    """The halves (number, n) bool of a study's n stimuli, or of their units, that all networks share."""
    random = generator(settings.seed, Stream.HALVES)
    return design.halves(settings.halves, random) if design else random_halves(n, settings.halves, random)
