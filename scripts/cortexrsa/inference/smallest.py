"""The smallest samples that each statistic is computed of, and those of which a study is warned."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Smallest:
    """Sizes of a sample.

    Attributes
    ----------
    needed : with fewer there is no statistic
    enough : with fewer its interval covers the truth too seldom, see docs/statistics.md
    """

    needed: int
    enough: int


# test stimuli: of a score (`formats.stimuli` refuses fewer), and of one whose layer is chosen in halves
SCORE, HALVES = Smallest(8, 20), Smallest(16, 24)
# units of a design that others are told by, and people: with fewer they are taken as they are
UNITS, PEOPLE = Smallest(10, 15), Smallest(5, 8)


def small(stimuli: int, halved: bool, units: int | None, people: int) -> list[str]:
    """Warnings of samples that are near the smallest.

    Parameters
    ----------
    stimuli : number of test stimuli
    halved : whether layers are chosen in halves of them
    units : number of units that are sampled; None where these are single stimuli, or fixed
    people : that are sampled; 1 where there are no others, or they are fixed
    """
    told = []
    if stimuli < SCORE.enough:
        told.append(
            f"{stimuli} test stimuli: with fewer than {SCORE.enough} intervals of scores cover too seldom"
        )
    if halved and stimuli < HALVES.needed:
        told.append(
            f"{stimuli} test stimuli: layers are chosen in halves of {HALVES.needed} at least, so held-out "
            "scores are missing, and claims that rest on them"
        )
    elif halved and stimuli < HALVES.enough:
        told.append(f"{stimuli} test stimuli: few to choose layers in halves of (fewer than {HALVES.enough})")
    if units is not None and units < UNITS.enough:
        told.append(f"{units} units: intervals over fewer than {UNITS.enough} units are imprecise themselves")
    if 1 < people < PEOPLE.enough:
        told.append(
            f"{people} people: intervals over fewer than {PEOPLE.enough} people are imprecise themselves"
        )
    return told
