"""Resamples of the stimuli, and what they make of the noise of stimuli and of pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cortexrsa.streams import Stream, generator

GROUPS = 200


def draw_counts(n: int, draws: int, random: int | np.random.Generator) -> np.ndarray:
    """How often each of n units is drawn, in every resample: (draws, n) int32, rows sum to n."""
    return np.random.default_rng(random).multinomial(n, np.full(n, 1 / n), size=draws).astype(np.int32)


def left_out_counts(n: int, random: int | np.random.Generator, groups: int = GROUPS) -> np.ndarray:
    """Counts that leave out one group of the stimuli each: (groups, n) int32 of 0 and 1.

    Up to `groups` stimuli every stimulus is a group of its own (the jackknife); beyond that the groups are
    random and as equal as can be (the grouped jackknife).
    """
    groups = min(n, groups)
    member = np.random.default_rng(random).permutation(n) % groups if groups < n else np.arange(n)
    return (member != np.arange(groups)[:, None]).astype(np.int32)


def noise_shares(counts: np.ndarray) -> tuple[float, float]:
    """What a set of resamples makes of the two kinds of noise of a mean over pairs of stimuli.

    A mean over pairs of h_ij = a_i + a_j + e_ij has the sampling variance A + E, with A = 4 var(a) / n from
    single stimuli and E = 2 var(e) / (n (n - 1)) from single pairs (Hoeffding 1948). Its variance over
    resamples expects shares of both that follow from the counts alone: for the bootstrap nearly A + 3 E (a
    pair's noise is drawn twice over, with either stimulus), for the jackknife nearly A + 2 E.

    Parameters
    ----------
    counts : (draws, n)

    Returns
    -------
    shares of A and of E in the variance over `counts`
    """
    counts = counts.astype(np.float64)
    n = counts.shape[1]
    drawn, squares = counts.sum(axis=1), (counts**2).sum(axis=1)
    pairs = (drawn**2 - squares) / 2
    stimulus = (counts * (drawn[:, None] - counts) / pairs[:, None]) ** 2
    pair = (squares**2 - (counts**4).sum(axis=1)) / 2 / pairs**2
    return n / 4 * (stimulus.sum(axis=1).mean() - 4 / n), n * (n - 1) / 2 * pair.mean() - 1


@dataclass
class Resamples:
    """How often each stimulus counts in every resample that a data set's models, layers and ROIs share.

    Attributes
    ----------
    draws : (draws, n) of the bootstrap
    left_out : (groups, n) of `left_out_counts`
    """

    draws: np.ndarray
    left_out: np.ndarray

    @classmethod
    def of(cls, n: int, draws: int, seed: int, *streams: int) -> Resamples:
        """Those of n stimuli; the groups that are left out have a stream of random numbers of their own.

        Sets with other `streams` are independent of each other.
        """
        left_out = left_out_counts(n, generator(seed, *streams, Stream.LEFT_OUT))
        return cls(draw_counts(n, draws, generator(seed, *streams)), left_out)

    @property
    def counts(self) -> np.ndarray:
        """The sample itself, then the draws, then the groups left out: (1 + draws + groups, n) int32."""
        return np.concatenate([np.ones_like(self.draws[:1]), self.draws, self.left_out])
