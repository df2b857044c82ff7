"""What a study sets about its inference."""

from __future__ import annotations

from dataclasses import dataclass, fields

from cortexrsa.inference.smallest import PEOPLE

STANDARD_ERRORS = ("one-pass", "resampled", "bootstrap")
# what the group's score is: mean of people's scores, or score against the mean of their RDMs
MEAN_RDM = "mean-rdm"
GROUPS = ("mean-score", MEAN_RDM)
# intervals over fewer people cover too seldom (docs/statistics.md), so these are taken as they are
FEWEST_PEOPLE = PEOPLE.needed


def taken_as_fixed(subject_effect: str | None, subjects: int) -> bool:
    """Whether so many subjects are taken as they are; by default (None or "") fewer than five are."""
    return subject_effect == "fixed" if subject_effect else subjects < FEWEST_PEOPLE


def few_people(subject_effect: str | None, subjects: int) -> str:
    """What is to be said where subjects are taken as they are because they are few; else ""."""
    if subject_effect or not 1 < subjects < FEWEST_PEOPLE:
        return ""
    return f"about these {subjects} people alone ({FEWEST_PEOPLE} are needed to say anything of others)"


@dataclass(frozen=True)
class Settings:
    """The section `inference` of the configuration, as far as a script is given it.

    Attributes
    ----------
    bootstrap : number of resamples of the stimuli, where errors are resampled
    permutations : number of relabellings of the stimuli
    ceiling_splits : number of random halves of the repeats
    halves : number of random halves of the stimuli, on which layers are chosen without a training split
    fitted : whether all layers, weighted, are scored too
    voxel_groups : groups of voxels that are left out, where ROIs are compared; 0: voxels as they are
    confidence : of intervals
    standard_error : one of `STANDARD_ERRORS`, see docs/statistics.md
    seed : of all random numbers
    group : one of `GROUPS`
    subject_effect : random, or fixed: claims do not generalise over subjects; None: random from five subjects
        on
    unit, categories : of the data set's card, see `design.design_of`
    """

    bootstrap: int = 1000
    permutations: int = 5000
    ceiling_splits: int = 50
    halves: int = 10
    fitted: bool = False
    voxel_groups: int = 10
    confidence: float = 0.95
    standard_error: str = "one-pass"
    seed: int = 1
    group: str = "mean-score"
    subject_effect: str | None = None
    unit: str | dict | None = None
    categories: str = "random"

    def fixed_subjects(self, subjects: int) -> bool:
        return taken_as_fixed(self.subject_effect, subjects)

    @classmethod
    def names(cls) -> list[str]:
        return [field.name for field in fields(cls)]
