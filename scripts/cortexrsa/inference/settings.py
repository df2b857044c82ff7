"""What a study sets about its inference."""

from __future__ import annotations

from dataclasses import dataclass, fields

STANDARD_ERRORS = ("one-pass", "resampled", "bootstrap")


@dataclass(frozen=True)
class Settings:
    """The section `inference` of the configuration, as far as a script is given it.

    Attributes
    ----------
    bootstrap : number of resamples of the stimuli
    permutations : number of relabellings of the stimuli
    ceiling_splits : number of random halves of the repeats
    halves : number of random halves of the stimuli, on which layers are chosen without a training split
    fitted : whether all layers, weighted, are scored too
    voxel_groups : groups of voxels that are left out, where ROIs are compared; 0: voxels as they are
    confidence : of intervals
    standard_error : one of `STANDARD_ERRORS`, see docs/statistics.md
    seed : of all random numbers
    subject_effect : random, or fixed: claims do not generalise over subjects
    """

    bootstrap: int = 1000
    permutations: int = 5000
    ceiling_splits: int = 50
    halves: int = 10
    fitted: bool = False
    voxel_groups: int = 10
    confidence: float = 0.95
    standard_error: str = "resampled"
    seed: int = 1
    subject_effect: str = "random"

    @property
    def fixed_subjects(self) -> bool:
        return self.subject_effect == "fixed"

    @classmethod
    def names(cls) -> list[str]:
        return [field.name for field in fields(cls)]
