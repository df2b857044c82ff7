"""What the card of a simulated data set sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cortexrsa.errors import InputError


@dataclass(frozen=True)
class SimulatedROI:
    """One ROI of every subject.

    Attributes
    ----------
    voxels : their number
    area : v1, lo, or noise (a ROI without any signal, as noisy as one with it)
    reliability : in (0, 1], of the average over the test stimuli's repeats, median over voxels; 1: no noise
    """

    voxels: int
    area: str
    reliability: float = 0.5


@dataclass(frozen=True)
class Simulated:
    """A simulated experiment; keys, types and bounds are those of resources/schemas/dataset.schema.yaml.

    Attributes
    ----------
    rois : {label: its settings}
    train, test : number of stimuli of each split
    train_repeats, test_repeats : presentations of each of them
    size : side of the images in pixels, a multiple of 16
    subjects : number of people
    sessions : of each subject
    runs : of all sessions of a subject
    tr : seconds
    interval : seconds from one onset to the next: uniform between the two
    seed : of all that is drawn

    Raises
    ------
    InputError : fewer runs than sessions or too many for the presentations; an interval that ends before it
        begins.
    """

    rois: dict[str, SimulatedROI]
    train: int = 300
    test: int = 120
    train_repeats: int = 2
    test_repeats: int = 13
    size: int = 64
    subjects: int = 1
    sessions: int = 1
    runs: int = 26
    tr: float = 2.0
    interval: Sequence[float] = (3.0, 5.0)
    seed: int = 1

    def __post_init__(self):
        presentations = self.train * self.train_repeats + self.test * self.test_repeats
        most = presentations // 4
        if not self.sessions <= self.runs <= most:
            expected = f"at least {self.sessions}, one a session, and at most {most} (of 4 trials)"
            raise InputError("options.runs", self.runs, expected)
        if self.interval[0] > self.interval[1]:
            expected = "the shortest interval before the longest"
            raise InputError("options.interval", self.interval, expected)


def experiment_of(rois: dict[str, dict], **options) -> Simulated:
    """The experiment of a card, given its `rois` and `options`; see `Simulated`.

    Examples
    --------
    >>> experiment_of({"V1": {"voxels": 60, "area": "v1"}}, train=40, test=20, runs=8).rois["V1"].reliability
    0.5
    """
    return Simulated({roi: SimulatedROI(**own) for roi, own in rois.items()}, **options)
