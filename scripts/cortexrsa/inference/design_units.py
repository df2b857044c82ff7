"""Influences summed over the units of a design: categories of images, blocks of time.

Where categories are sampled, and not single images, a score's sampling error is that of categories. The
influence h_ij of every pair of stimuli is there already (`influence`), so nothing is resampled: sums of it
over pairs of units, H_uv, are to units what h_ij is to stimuli. H_uv = mean + alpha_u + alpha_v + epsilon_uv
by least squares, and the pairs within a unit, H_uu, come along with it. The variance then follows as for
stimuli. It is that over other studies of the same design: as many units, with as many stimuli each.

Where the categories are all there are (`FixedCategories`), other studies draw other stimuli of the same ones.
What categories and pairs of them contribute does not vary then, and is taken out of a and of e.

References
----------
Hoeffding 1948, doi:10.1214/aoms/1177730196; Cameron, Gelbach & Miller 2011, doi:10.1198/jbes.2010.07136
(dyadic data); Cochran 1977, Sampling Techniques, chapter 5 (strata)
"""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np

from cortexrsa.errors import InputError
from cortexrsa.inference.influence import Influences
from cortexrsa.inference.pair_groups import GROUPS, PairGroups

# fewer do not tell an error
FEWEST = 4
# as many pairs of categories have a number in 16 bits
MOST_CATEGORIES = 250


@numba.njit(nogil=True, cache=True)
def _pair(u, v, number):
    """Index of the pair u < v of units in the order of a condensed RDM."""
    return u * number - u * (u + 1) // 2 + v - u - 1


@numba.njit(nogil=True, cache=True)
def _of_stimuli(codes, signed, size, out):
    """Group and sign of every pair of stimuli: of its pair of units, or of its unit after those."""
    n, number, p = codes.size, codes.max() + 1, 0
    for i in range(n):
        for j in range(i + 1, n):
            u, v = min(codes[i], codes[j]), max(codes[i], codes[j])
            out[p] = size + u + 1 if u == v else signed[_pair(u, v, number)]
            p += 1


@numba.njit(nogil=True, cache=True)
def _add_single(signed, sizes, single, effects, out):
    """To signed sums of e over pairs of units (groups, k): m_v A_u + m_u A_v - effect_u - effect_v."""
    number, p = len(sizes), 0
    for u in range(number):
        for v in range(u + 1, number):
            place = signed[p]
            group, sign = abs(place) - 1, (1.0 if place > 0 else -1.0)
            for k in range(out.shape[1]):
                both = sizes[v] * single[u, k] + sizes[u] * single[v, k]
                out[group, k] += sign * (both - effects[u, k] - effects[v, k])
            p += 1


@numba.njit(nogil=True, cache=True)
def _subtract_blocks(signed, blocks, means, out):
    """From signed sums over groups (groups, k), in place, the means of the pairs' blocks (blocks, k)."""
    for p in range(signed.size):
        place = signed[p]
        group, sign = abs(place) - 1, (1.0 if place > 0 else -1.0)
        for k in range(out.shape[1]):
            out[group, k] -= sign * means[blocks[p] - 1, k]


class Units:
    """The units that stimuli belong to, and what scores owe to each.

    Parameters
    ----------
    labels : (n,) of the unit of every stimulus
    random : of the groups of pairs of units, if there are more than `groups` such pairs
    groups : pairs of units (with random signs beyond that many) of which sums are kept

    Attributes
    ----------
    names : of the units
    pair_groups : `PairGroups` to call `influence.influences` with

    Raises
    ------
    InputError : fewer than 4 units.

    Examples
    --------
    >>> from cortexrsa.inference.influence import influences
    >>> generator = np.random.default_rng(0)
    >>> brain, layers = generator.normal(size=(2, 1, 190))
    >>> units = Units(np.repeat(["animals", "faces", "places", "tools"], 5), 0)
    >>> single, pairs = units.summed(influences(brain, layers, units.pair_groups))
    >>> single.shape, pairs.shape
    ((4, 1, 1), (6, 1, 1))
    """

    def __init__(self, labels: Sequence, random: int | np.random.Generator, groups: int = GROUPS):
        self.names, self.codes = np.unique(np.asarray(labels), return_inverse=True)
        if len(self.names) < FEWEST:
            raise InputError(
                "units", f"{len(self.names)} ({', '.join(map(str, self.names))})", f"at least {FEWEST}"
            )
        self.pairs = PairGroups.of(len(self.names), random, groups)
        n = len(self.codes)
        signed = np.empty(n * (n - 1) // 2, np.int16)
        _of_stimuli(self.codes.astype(np.int64), self.pairs.signed, self.pairs.size, signed)
        self.pair_groups = PairGroups(signed, self.pairs.size + len(self.names))

    def __len__(self) -> int:
        return len(self.names)

    def summed(self, found: Influences, keep: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Influence of every unit, and of (groups of) pairs of units, in units of the score.

        Parameters
        ----------
        found : of `influence.influences` with `pair_groups` (a `subset` of them)
        keep : (n,) bool, the stimuli it is of; all by default

        Returns
        -------
        single : (units, r, l), by how much the score differs with one more unit like this; 0 for a unit
            without a stimulus among them (of which at least 4 must have some)
        pairs : (groups, r, l), signed sums of epsilon_uv over the number of pairs of stimuli
        """
        codes = self.codes if keep is None else self.codes[keep]
        shape, size, number = found.scores.shape, self.pairs.size, len(self)
        sizes = np.bincount(codes, minlength=number).astype(float)
        present = sizes > 0
        m, units = len(codes), int(present.sum())
        if units < FEWEST:
            raise InputError("units among the stimuli of a part", units, f"at least {FEWEST}")
        total = m * (m - 1) / 2
        effects = found.stimuli.reshape(m, -1)
        # A_u, the sums of a; those of e, within units and over (groups of) pairs of units
        single = np.zeros((number, effects.shape[1]))
        np.add.at(single, codes, effects)
        sums = found.pairs.reshape(size + number, -1)
        within, pairs = sums[size:], sums[:size].copy()
        # e has the sum 0 over all pairs of a stimulus, so E_uv over all other units is -2 E_uu
        rows = (m - 2 * sizes[:, None]) * single - 2 * within
        mean = rows[present].sum(axis=0) / (units * (units - 1))
        alpha = np.where(present[:, None], (rows - (units - 1) * mean) / (units - 2), 0)
        own = np.where(present[:, None], (sizes[:, None] - 1) * single + within, 0)
        influence = np.where(present[:, None], (units - 1) * alpha + own - own[present].mean(axis=0), 0)
        part = self._present(present)
        _add_single(part, sizes[present], single[present], (alpha + mean / 2)[present], pairs)
        return influence.reshape(number, *shape) / total, pairs.reshape(size, *shape) / total

    def _present(self, present: np.ndarray) -> np.ndarray:
        """Groups and signs of the pairs of those units."""
        return self.pairs.signed if present.all() else self.pairs.subset(present).signed


class FixedCategories:
    """Categories that are all there are, and influences of the stimuli drawn within them.

    Parameters
    ----------
    labels : (n,) of the category of every stimulus

    Raises
    ------
    InputError : a category of one stimulus, or more than 250 categories.
    """

    def __init__(self, labels: Sequence):
        self.names, self.codes = np.unique(np.asarray(labels), return_inverse=True)
        if len(self.names) > MOST_CATEGORIES:
            raise InputError(
                "fixed categories", len(self.names), f"at most {MOST_CATEGORIES}, or random ones"
            )
        number = len(self.names)
        first, second = np.triu_indices(len(self.codes), 1)
        low, high = np.sort([self.codes[first], self.codes[second]], axis=0)
        blocks = low * number - low * (low - 1) // 2 + high - low
        self.blocks = PairGroups((blocks + 1).astype(np.int16), number * (number + 1) // 2)

    def within(
        self, found: Influences, of_blocks: Influences, groups: PairGroups, keep: np.ndarray | None = None
    ) -> Influences:
        """Influences less the means of their categories, and of the pairs of these.

        Parameters
        ----------
        found : of `influence.influences` with `groups`
        of_blocks : the same with `blocks` (of both a `subset`, if `keep`)
        keep : (n,) bool, the stimuli they are of; all by default

        Returns
        -------
        Influences : a with the variance that it has within a category, on average over the stimuli
        """
        codes = self.codes if keep is None else self.codes[keep]
        blocks = self.blocks if keep is None else self.blocks.subset(keep)
        number, m = len(self.names), len(codes)
        sizes = np.bincount(codes, minlength=number)
        if (sizes[sizes > 0] < 2).any():
            name = self.names[np.flatnonzero(sizes == 1)[0]]
            raise InputError(f"stimuli of {name!r} in a part", 1, "at least 2 of a fixed category")
        shape = found.scores.shape
        effects = found.stimuli.reshape(m, -1)
        sums = np.zeros((number, effects.shape[1]))
        np.add.at(sums, codes, effects)
        # a variance with the degrees of freedom of each category, where `errors` has those of all stimuli
        lost = np.sqrt(sizes / np.maximum(sizes - 1, 1) * (m - 1) / m)[codes, None]
        own = (effects - sums[codes] / sizes[codes, None]) * lost
        pairs = found.pairs.reshape(groups.size, -1).copy()
        counts = np.bincount(blocks.signed - 1, minlength=blocks.size)[:, None]
        means = of_blocks.pairs.reshape(blocks.size, -1) / np.maximum(counts, 1)
        _subtract_blocks(groups.signed, blocks.signed, means, pairs)
        return Influences(found.scores, own.reshape(m, *shape), pairs.reshape(-1, *shape))
