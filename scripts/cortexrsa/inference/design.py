"""How the stimuli of a data set were drawn: one by one, in categories, or in blocks of time."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from cortexrsa.errors import InputError
from cortexrsa.inference.names import PRIMARY
from cortexrsa.inference.smallest import UNITS

# fewer units say nothing of others; each half of them has to tell an error too
FEWEST_UNITS = UNITS.needed
# of a fixed category: two in either half of the stimuli
FEWEST_OF_CATEGORY = 4


@dataclass(frozen=True)
class Design:
    """The units that stimuli belong to, and whether other studies would draw others.

    Attributes
    ----------
    labels : (n,) of the unit of every stimulus
    unit : the column of stimuli.tsv, or the number of successive stimuli in a block of time
    fixed : the units are all that there are, and stimuli are drawn within them
    lag : pairs of stimuli closer in time than that are left out; None unless units are blocks of time
    too_few : number of units where they are taken as fixed because there are too few, else 0
    """

    labels: np.ndarray
    unit: str | int
    fixed: bool = False
    lag: int | None = None
    too_few: int = 0

    @property
    def timed(self) -> bool:
        return self.lag is not None

    def subset(self, keep: np.ndarray) -> Design:
        """That of some of the stimuli, keep (n,) bool."""
        return replace(self, labels=self.labels[keep])

    def kept_pairs(self) -> np.ndarray | None:
        """Pairs (pairs,) bool that are not closer in time than the lag; None where all are kept.

        The end of a film counts as next to its beginning, so that a circular shift keeps the same pairs.
        """
        if not self.lag:
            return None
        n = len(self.labels)
        first, second = np.triu_indices(n, 1)
        apart = second - first
        return np.minimum(apart, n - apart) >= self.lag

    def halves(self, number: int, random: np.random.Generator) -> np.ndarray:
        """Random halves of the stimuli (number, n) bool: of the units; if these are fixed, within each."""
        return np.stack([self._half(random) for _ in range(number)])

    def _half(self, random: np.random.Generator) -> np.ndarray:
        names, codes = np.unique(self.labels, return_inverse=True)
        if not self.fixed:
            return (random.permutation(len(names)) < len(names) // 2)[codes]
        # categories of an odd number have the larger part in either half by turns
        order = random.permutation(len(codes))
        order = order[np.argsort(codes[order], kind="stable")]
        half = np.zeros(len(codes), bool)
        half[order[::2]] = True
        return half

    def relabellings(self, number: int, random: np.random.Generator) -> np.ndarray:
        """Orders (number, n) of the stimuli that keep what stimuli of a unit have in common.

        Every unit takes the place of another, with its stimuli in random order: where it has more than the
        other, some are left out, where it has fewer, some stand twice. Blocks of time are not exchangeable
        with others: a film is shifted circularly, by at least the lag, and there are no more orders than
        shifts.
        """
        n = len(self.labels)
        if self.timed:
            nearest = max(self.lag, 1)
            shifts = np.arange(nearest, n - nearest + 1)
            if len(shifts) > number:
                shifts = np.sort(random.choice(shifts, number, replace=False))
            return ((np.arange(n) + shifts[:, None]) % n).astype(np.int32)
        names, codes = np.unique(self.labels, return_inverse=True)
        members = [np.flatnonzero(codes == unit) for unit in range(len(names))]
        orders = np.empty((number, n), np.int32)
        for order in orders:
            for own, other in enumerate(random.permutation(len(names))):
                order[members[own]] = np.resize(random.permutation(members[other]), len(members[own]))
        return orders

    def caveat(self) -> str:
        """What is to be said where units are taken as fixed because they are few; else ""."""
        if not self.too_few:
            return ""
        needed = f"{FEWEST_UNITS} are needed to say anything of others"
        return f"about these {self.too_few} units of `{self.unit}` alone ({needed})"


def design_of(stimuli: pd.DataFrame, unit: str | dict | None, categories: str = "random") -> Design | None:
    """The design of a data set's stimuli, as its card has it; None where they are drawn one by one.

    Parameters
    ----------
    stimuli : n rows of `stimuli.tsv`
    unit : a column of it, or a dict of `blocks` (successive stimuli of a split) and `lag` (stimuli)
    categories : random, or fixed: no other units than these. With fewer than ten units among the test stimuli
        they are fixed in any case.

    Raises
    ------
    InputError : no such column; an empty label; fewer than ten blocks, or a fixed category of fewer than four
        stimuli, among the test stimuli.
    """
    if unit is None:
        return None
    tested = (stimuli["split"] == PRIMARY).to_numpy()
    if isinstance(unit, dict):
        return _in_time(stimuli, tested, unit["blocks"], unit.get("lag", 0))
    if unit not in stimuli:
        raise InputError("unit", repr(unit), f"a column of the stimuli: one of {', '.join(stimuli)}")
    labels = stimuli[unit].astype(str).to_numpy()
    if (labels == "").any():
        raise InputError(f"unit {unit}", "an empty label", f"the {unit} of every stimulus")
    names, sizes = np.unique(labels[tested], return_counts=True)
    few = len(names) if len(names) < FEWEST_UNITS else 0
    fixed = categories == "fixed" or few > 0
    if fixed and len(names) > 1 and sizes.min() < FEWEST_OF_CATEGORY:
        found = f"{sizes.min()} test stimuli of {names[sizes.argmin()]!r}"
        wanted = f"at least {FEWEST_OF_CATEGORY} of each, or {FEWEST_UNITS} units that are drawn at random"
        raise InputError(f"unit {unit}", found, wanted)
    return Design(labels, unit, fixed, too_few=few if categories != "fixed" else 0)


def _in_time(stimuli: pd.DataFrame, tested: np.ndarray, size: int, lag: int) -> Design:
    place = stimuli.groupby("split", sort=False).cumcount().to_numpy()
    # what is left at the end of a split belongs to its last block
    last = stimuli.groupby("split", sort=False)["split"].transform("size").to_numpy() // size - 1
    block = np.minimum(place // size, np.maximum(last, 0))
    labels = stimuli["split"].astype(str).to_numpy() + np.char.zfill(block.astype(str), 8)
    found = len(np.unique(labels[tested]))
    if found < FEWEST_UNITS:
        raise InputError("unit.blocks", f"{found} of {size} test stimuli", f"at least {FEWEST_UNITS} blocks")
    if 4 * lag > tested.sum():
        raise InputError("unit.lag", f"{lag} of {tested.sum()} test stimuli", "at most a quarter of them")
    return Design(labels, size, lag=lag)
