"""What the claims of a study are evaluated on."""

from __future__ import annotations

from dataclasses import dataclass, field

from cortexrsa.claim_names import Cast
from cortexrsa.inference.names import PRIMARY
from cortexrsa.inference.study import ModelScores


@dataclass(frozen=True)
class Guidance:
    """Whom a claim about a network that is trained with a brain is about.

    Attributes
    ----------
    controls : networks that were trained alike, but for what they were told of the brain
    rois : by which it was guided
    studies : scores of the people that it was not trained with, for each set of ROIs; none: of all people
    caveat : why the claim is about people that it was trained with, where it is
    """

    controls: list[str]
    rois: list[str]
    studies: list[Study] = field(default_factory=list)
    caveat: str = ""


@dataclass
class Study:
    """What the claims are evaluated on.

    Attributes
    ----------
    models : scores of RSA on the test stimuli, by model name; of several seeds their mean
    seeds : scores of the single seeds, of each model that has several
    rois : ROI labels, in the order of the scores' axis
    ceilings : per ROI a row of `ceilings.csv`, see `ceilings.primary` (`kind` "unknown": no bound)
    cast : who plays which part
    confidence : of the intervals
    unlearned : networks trained here that did not learn, with the reason; claims about them are untestable
    smallest_p : per ROI the smallest p_fwe of any layer, where it was tested
    seed : of draws from the joint distribution of scores
    over_voxels : the same with voxels as a sample too, for what compares ROIs; None: they are as they are
    caveat : about whom or what alone the claims are, where people or units of the design are too few, else ""
    noise : what was done about unequal noise of the ROIs, in words
    others : scores of other measures, or on the training stimuli, as `models`, by (measure, split)
    other_ceilings : of other measures, as `ceilings`; without them claims have no bound there
    guided : networks that are trained with a brain, by name
    """

    models: dict[str, ModelScores]
    rois: list[str]
    ceilings: dict[str, dict]
    cast: Cast
    confidence: float
    unlearned: dict[str, str] = field(default_factory=dict)
    smallest_p: dict[str, float] = field(default_factory=dict)
    seed: int = 1
    caveat: str = ""
    seeds: dict[str, list[ModelScores]] = field(default_factory=dict)
    others: dict[tuple[str, str], dict[str, ModelScores]] = field(default_factory=dict)
    other_ceilings: dict[str, dict[str, dict]] = field(default_factory=dict)
    over_voxels: Study | None = None
    noise: str = ""
    guided: dict[str, Guidance] = field(default_factory=dict)

    def scores_of(self, measure: str, split: str) -> dict[str, ModelScores]:
        """Scores by model name; of a measure or split that the study does not have, none."""
        return self.models if (measure, split) == ("rsa", PRIMARY) else self.others.get((measure, split), {})

    def ceilings_of(self, measure: str) -> dict[str, dict]:
        """Ceilings by ROI; of a measure that has none, none."""
        return self.ceilings if measure == "rsa" else self.other_ceilings.get(measure, {})
