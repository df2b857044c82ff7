"""Influences summed over the units of a design: categories of images, blocks of time.

Where categories are sampled, and not single images, a score's sampling error is that of categories. The
influence h_ij of every pair of stimuli is there already (`influence`), so nothing is resampled: sums of it
over pairs of units, H_uv, are to units what h_ij is to stimuli. H_uv = mean + alpha_u + alpha_v + epsilon_uv
by least squares, and the pairs within a unit, H_uu, come along with it. The variance then follows as for
stimuli. It is that over other studies of the same design: as many units, with as many stimuli each.

References
----------
Hoeffding 1948, doi:10.1214/aoms/1177730196; Cameron, Gelbach & Miller 2011, doi:10.1198/jbes.2010.07136
(dyadic data)
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
