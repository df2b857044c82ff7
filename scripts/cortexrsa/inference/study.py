"""The scores of a study's networks, as tables and claims take them from the files of single networks."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import xarray

from cortexrsa.formats.netcdf import read_dataset
from cortexrsa.inference.errors import Replicated, Replicates, over_subjects
from cortexrsa.inference.names import PRIMARY, of_the_group


@dataclass
class ModelScores:
    """Scores of one network.

    Attributes
    ----------
    depth : (layers,) relative depth
    scores : Replicated of (rois, layers)
    heldout : Replicated of (rois, candidates), scores of layers chosen (or weighted) on other stimuli
    candidates : names of the candidates, see `splits`
    """

    depth: np.ndarray
    scores: Replicated
    heldout: Replicated
    candidates: list[str]


@dataclass
class Study:
    """What the claims are evaluated on.

    Attributes
    ----------
    models : scores by model name
    rois : ROI labels, in the order of the scores' axis
    ceilings : per ROI dict of kind, lower, ci_low (`kind` "unknown": no bound)
    roles : task_optimised (list of model names), generative, self_supervised (names or None), untrained (a
        name, a list of one architecture with several random seeds, over which the control is averaged, or
        None)
    early, late : ROI labels; the same, or one of them None, in a study of one ROI
    equivalence : bound as a fraction of the ceiling's lower bound
    confidence : of the intervals
    unlearned : networks trained here that did not learn, with the reason; claims about them are untestable
    smallest_p : per ROI the smallest p_fwe of any layer, where it was tested
    seed : of draws from the joint distribution of scores
    """

    models: dict[str, ModelScores]
    rois: list[str]
    ceilings: dict[str, dict]
    roles: dict
    early: str | None
    late: str | None
    equivalence: float
    confidence: float
    unlearned: dict[str, str] = field(default_factory=dict)
    smallest_p: dict[str, float] = field(default_factory=dict)
    seed: int = 1

    @property
    def both(self) -> list[str]:
        """The early and the late ROI, or the one that there is."""
        return list(dict.fromkeys(filter(None, (self.early, self.late))))


def parts_of(result: xarray.Dataset) -> list[xarray.Dataset]:
    """The results of ROIs that have the same subjects, together; see `splits.parts_of`."""
    if "measured" not in result:
        return [result]
    measured = result["measured"].notnull().to_numpy()
    columns = [tuple(column) for column in measured.T]
    return [
        result.isel(
            roi=[k for k, column in enumerate(columns) if column == kind], subject=np.flatnonzero(kind)
        )
        for kind in dict.fromkeys(columns)
    ]


def group_scores(
    part: xarray.Dataset, seed: int, which: str = "score", subject: int | None = None
) -> Replicated:
    """Scores of all subjects' mean, or of one subject: of all layers, or which="heldout".

    Parameters
    ----------
    part : one split of `scores.score_network`
    seed : of draws of subjects, shared by all models
    """
    deviations = part["deviations" if which == "score" else "heldout_deviations"].to_numpy()
    stimuli = Replicates.unpacked(part["replicates"].to_numpy())
    chosen = slice(None) if subject is None else slice(subject, subject + 1)
    return over_subjects(
        part[which].to_numpy()[chosen],
        deviations[: sum(stimuli.sizes), chosen].astype(np.float64),
        stimuli,
        seed,
        part.attrs.get("subject_effect") == "fixed",
    )


def model_scores(result: xarray.Dataset, seed: int) -> ModelScores:
    """What the claims need of one network: the mean over subjects in the primary split."""
    part = result.sel(split=PRIMARY)
    return ModelScores(
        result["depth"].to_numpy(),
        group_scores(part, seed),
        group_scores(part, seed, "heldout"),
        [str(candidate) for candidate in result["candidate"].to_numpy()],
    )


def read_results(paths: list[str]) -> dict[str, xarray.Dataset]:
    """Results of `scores.score_network` by model name (the name of the file)."""
    variables = ["score", "deviations", "replicates", "n_stimuli", "heldout", "heldout_deviations"]
    variables += ["p", "null_maximum", "depth"]
    return {Path(path).stem: read_dataset(path, variables) for path in paths}


def smallest_p(scores: pd.DataFrame) -> dict[str, float]:
    """Per ROI the smallest p_fwe of any layer in the primary split: of the group, or of the one subject.

    `scores` is the table of `score_table.score_table`.
    """
    return of_the_group(scores).groupby("roi")["p_fwe"].min().to_dict()
