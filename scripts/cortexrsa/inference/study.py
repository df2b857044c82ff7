"""The scores of a study's networks, as tables and claims take them from the files of single networks."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray

from cortexrsa.formats.netcdf import read_dataset
from cortexrsa.inference.errors import Replicated, Replicates, over_subjects
from cortexrsa.inference.names import OF_THE_MEAN, PRIMARY, of_the_group
from cortexrsa.inference.seeds import over_seeds
from cortexrsa.inference.settings import taken_as_fixed
from cortexrsa.inference.voxels import over_voxels
from cortexrsa.seeds import by_card


@dataclass
class ModelScores:
    """Scores of one network.

    Attributes
    ----------
    depth : (layers,) relative depth
    scores : Replicated of (rois, layers)
    heldout : Replicated of (rois, candidates), scores of layers chosen (or weighted) on other stimuli
    candidates : names of the candidates, see `splits`
    layers : names of the layers
    shapes : of the layers' outputs for one image, as CxHxW
    """

    depth: np.ndarray
    scores: Replicated
    heldout: Replicated
    candidates: list[str]
    layers: list[str] = field(default_factory=list)
    shapes: list[str] = field(default_factory=list)


def profile_scores(model: ModelScores, roi: int) -> Replicated:
    """Scores of all layers of a network in a ROI (its index): Replicated of (layers,)."""
    return model.scores.apply(lambda scores: scores[..., roi, :])


def heldout_scores(model: ModelScores, roi: int, candidate: str) -> Replicated:
    """Score of a network in a ROI (its index) at the layer chosen, or weighted, on other stimuli."""
    index = model.candidates.index(candidate)
    return model.heldout.apply(lambda scores: scores[..., roi, index])


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
    """Scores of the group, or of one subject: of all layers, or which="heldout", "explained".

    The group's is the mean over subjects, or the score against their mean RDM where the result has it.

    Parameters
    ----------
    part : one split of `scores.score_network`
    seed : of draws of subjects, shared by all models
    """
    names = [which, "deviations" if which == "score" else f"{which}_deviations"]
    if subject is None and f"group_{which}" in part:
        names = [f"group_{name}" for name in names]
    scores, deviations = (part[name].to_numpy() for name in names)
    stimuli = Replicates.unpacked(part["replicates"].to_numpy())
    chosen = slice(None) if subject is None else slice(subject, subject + 1)
    return over_subjects(
        scores[chosen],
        deviations[: sum(stimuli.sizes), chosen].astype(np.float64),
        stimuli,
        seed,
        taken_as_fixed(part.attrs.get("subject_effect"), part.sizes["subject"]),
    )


def of_people(result: xarray.Dataset, people: list[str]) -> xarray.Dataset:
    """The result of some of the people alone, by name."""
    own = result.drop_vars([f"group_{name}" for name in OF_THE_MEAN], errors="ignore")
    return own.sel(subject=[name for name in own["subject"].to_numpy() if name in people])


def model_scores(result: xarray.Dataset, seed: int, voxels: bool = False) -> ModelScores:
    """What the claims need of one network: the mean over subjects in the primary split.

    With `voxels` these are a sample too, where the result has scores without groups of them.
    """
    part = result.sel(split=PRIMARY)
    made = over_voxels if voxels and samples_voxels(part) else group_scores
    scores = {which: made(part, seed, which) for which in ("score", "heldout")}
    return ModelScores(
        result["depth"].to_numpy(),
        *scores.values(),
        [str(candidate) for candidate in result["candidate"].to_numpy()],
        [str(layer) for layer in result["layer"].to_numpy()],
        [str(shape) for shape in result["shape"].to_numpy()] if "shape" in result else [],
    )


def samples_voxels(result: xarray.Dataset) -> bool:
    """Whether scores without groups of voxels are there, of every ROI."""
    return "score_voxels" in result and bool(result["score_voxels"].notnull().any("layer").all())


def of_rois(results: dict[str, xarray.Dataset], rois: list[str], seed: int) -> dict[str, ModelScores]:
    """`model_scores` of another measure by model name, with the ROIs in this order; none without them."""
    found = {}
    for name, result in results.items():
        own = next((part for part in parts_of(result) if set(rois) <= set(part["roi"].to_numpy())), None)
        if own is not None:
            found[name] = model_scores(own.sel(roi=rois), seed)
    return found


def reliability_ceilings(result: xarray.Dataset, rois: list[str]) -> dict[str, dict]:
    """What an encoding model of true responses would score, per ROI as `Study.ceilings`.

    Parameters
    ----------
    result : of `encoding.network.encode_network`, of any network
    rois : labels
    """
    # the mean root of the reliability: the same for all networks and layers
    found = result["ceiling"].mean("subject").sel(roi=rois).to_numpy()
    names = "attainable", "attainable_ci_low", "attainable_ci_high"
    return {
        roi: {"kind": "reliability" if np.isfinite(value) else "unknown"} | dict.fromkeys(names, value)
        for roi, value in zip(rois, found.tolist(), strict=True)
    }


def models_of_seeds(
    networks: dict[str, ModelScores], variants: dict[str, str] | None = None
) -> dict[str, dict]:
    """What a `Study` knows of networks of several seeds: models by card, and the single seeds.

    Parameters
    ----------
    networks : by name of the network, see `cortexrsa.seeds`
    variants : see `over_seeds`

    Returns
    -------
    dict of models (of several seeds the mean, whose error holds the variance between seeds), and of seeds
    (in their order, of each card that has several; their errors are of stimuli and subjects alone)
    """
    groups = by_card(networks)
    found = {kind: over_seeds(_parts(groups, kind), variants) for kind in ("scores", "heldout")}
    models = {
        name: replace(own[0], **{kind: means[name] for kind, (means, _) in found.items()})
        for name, own in groups.items()
    }
    seeds = {
        name: [
            replace(each, **{kind: single[name][k] for kind, (_, single) in found.items()})
            for k, each in enumerate(own)
        ]
        for name, own in groups.items()
        if len(own) > 1
    }
    return {"models": models, "seeds": seeds}


def _parts(groups: dict[str, list[ModelScores]], kind: str) -> dict[str, list[Replicated]]:
    return {name: [getattr(each, kind) for each in own] for name, own in groups.items()}


def read_results(paths: list[str]) -> dict[str, xarray.Dataset]:
    """Results of `scores.score_network` by model name (the name of the file)."""
    variables = ["score", "deviations", "replicates", "n_stimuli", "heldout", "heldout_deviations"]
    variables += ["p", "null_maximum", "depth", "shape"]
    return {Path(path).stem: read_dataset(path, variables) for path in paths}


def smallest_p(scores: pd.DataFrame) -> dict[str, float]:
    """Per ROI the smallest p_fwe of any layer in the primary split: of the group, or of the one subject.

    `scores` is the table of `score_table.score_table`.
    """
    return of_the_group(scores).groupby("roi")["p_fwe"].min().to_dict()
