"""Soft matching of one network: every layer with the voxels of every region."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray

from cortexrsa.encoding.matching import Matching, Part, drawn_features, matching_parts
from cortexrsa.encoding.scores import scaled
from cortexrsa.encoding.stimuli import checked_stimuli
from cortexrsa.errors import concerning
from cortexrsa.formats.activations import Activations, read_layers
from cortexrsa.geometry.threads import in_threads, one_blas_thread
from cortexrsa.inference.design import Design, design_of
from cortexrsa.inference.errors import Replicates
from cortexrsa.inference.families import p_values
from cortexrsa.inference.layer_choice import candidate_layers, choose_layers, scores_of_chosen
from cortexrsa.inference.names import CANDIDATES, GROUP, PRIMARY, SELECTION
from cortexrsa.inference.results import labelled, of_heldout, of_split, of_test, shapes_of
from cortexrsa.inference.settings import Settings
from cortexrsa.jobs import progress
from cortexrsa.streams import Stream, generator


@dataclass(frozen=True)
class OverStimuli:
    """Rows of n stimuli whose sum of squares is a variance, as a method of `inference.results.of_split`."""

    n: int

    @property
    def replicates(self) -> Replicates:
        return Replicates((self.n, 0), (1.0, 0.0), 1.0, self.n - 1.0, summable=True)


@dataclass(frozen=True)
class Job:
    """What the matchings of all layers share.

    Attributes
    ----------
    means : (stimuli, voxels) mean responses over repeats
    regions : by (subject, roi), the indices of its voxels
    parts : stimuli of the plans
    known : (stimuli,) bool, those over which a feature should vary
    orders : (permutations, test stimuli), the same for all networks; none where there are several plans
    permutations : number of them that tables have room for
    seed : of the features that are drawn
    """

    means: np.ndarray
    regions: dict[tuple[str, str], np.ndarray]
    parts: list[Part]
    known: np.ndarray
    orders: np.ndarray
    permutations: int
    seed: int

    @property
    def n(self) -> int:
        """Number of test stimuli."""
        return 1 + max(part.places[-1] for part in self.parts)


@dataclass(frozen=True)
class LayerMatch:
    """One layer, matched with every region by every plan.

    Attributes
    ----------
    scores : (regions, parts), each with its weight in the mean over the parts
    chosen_by : (regions, parts), scores on the training stimuli
    deviations : (regions, parts, n), of every test stimulus, in standard errors
    null : (regions, permutations) of the score
    counts : features of the layer, those that do not vary, and those that are matched
    """

    scores: np.ndarray
    chosen_by: np.ndarray
    deviations: np.ndarray
    null: np.ndarray
    counts: tuple[int, int, int]


def match_network(
    layers: pd.DataFrame,
    features: Callable[[str], np.ndarray],
    responses: xarray.DataArray,
    settings: Settings,
    design: Design | None = None,
    threads: int = 1,
) -> xarray.Dataset:
    """Soft matching of all layers of a network with all ROIs and subjects, with their errors in one pass.

    The score is the mean correlation of the pairs that a plan joins, over stimuli that had no part in the
    plan, so that it is 0 by chance. The plan is fitted on the training stimuli; without these, on one half
    of the stimuli and scored on the other, a mean over random halves. Errors take the plans as they are.

    Parameters
    ----------
    layers : rows with layer, layer_index, depth, shape
    features : function of a layer's name, whose (stimuli, p) activations are read a chunk at a time; of more
        than `matching.MOST_FEATURES` that vary, a random subset is matched
    responses : see `network.encode_network`
    settings : halves, permutations, seed and subject_effect
    design : of the stimuli, whose units no half splits; errors and tests are over single stimuli
    threads : over the layers; the result does not depend on it

    Returns
    -------
    xarray.Dataset with the variables of `inference.scores.score_network` in the one split test, so that what
        is made of similarities is made of these scores too; p is NaN without a training split; and with
        n_features, n_constant, n_matched (layer): features, those that do not vary, those that are matched;
        n_voxels (subject, roi)

    Raises
    ------
    InputError : too few stimuli; activations that are not finite; no package POT.
    """
    job = _prepared(responses, settings, design)

    def work(row) -> LayerMatch:
        random = generator(job.seed, Stream.MATCHED_FEATURES, int(row.layer_index))
        with concerning(row.layer):
            found = _match_layer(features(row.layer), job, random)
        bar.update(1)
        return found

    with one_blas_thread(), progress(len(layers), "layers") as bar:
        found = in_threads(work, list(layers.itertuples()), threads)
    data = _dataset(layers, found, job)
    data.attrs["subject_effect"] = settings.subject_effect or ""
    return data


def match(
    activations: Sequence[str | Path],
    stimuli: str | Path,
    responses: xarray.DataArray,
    settings: Settings,
    threads: int = 1,
) -> xarray.Dataset:
    """`match_network` of the layers in files; parameters as of `layers.encode`."""
    table = checked_stimuli(stimuli, responses)
    with concerning(stimuli):
        design = design_of(table, settings.unit, settings.categories)
    layers = read_layers(activations).rename(columns={"index": "layer_index"})

    def features(layer: str) -> Activations:
        return Activations([Path(folder, f"{layer}.npy") for folder in activations], len(table))

    return match_network(layers, features, responses, settings, design, threads)


def _prepared(responses: xarray.DataArray, settings: Settings, design: Design | None) -> Job:
    split = responses["split"].to_numpy()
    parts = matching_parts(split, settings, design)
    means = responses.mean("repeat", skipna=True) if "repeat" in responses.dims else responses
    subjects, rois = responses["subject"].to_numpy(), responses["roi"].to_numpy()
    regions = {
        (str(subject), str(roi)): np.flatnonzero((subjects == subject) & (rois == roi))
        for subject in pd.unique(subjects)
        for roi in pd.unique(rois)
    }
    number, n = settings.permutations, int((split == PRIMARY).sum())
    orders = np.tile(np.arange(n), (number if len(parts) == 1 else 0, 1))
    return Job(
        means.transpose("stimulus", "voxel").to_numpy().astype(np.float64),
        {place: voxels for place, voxels in regions.items() if len(voxels)},
        parts,
        split == (SELECTION if len(parts) == 1 else PRIMARY),
        generator(settings.seed, Stream.LABELS, 0).permuted(orders, axis=1),
        number,
        settings.seed,
    )


def _match_layer(features: np.ndarray, job: Job, random: np.random.Generator) -> LayerMatch:
    values, constant = drawn_features(features, job.known, random)
    shape = len(job.regions), len(job.parts)
    scores, chosen_by = np.full((2, *shape), np.nan)
    deviations, null = np.full((*shape, job.n), np.nan), np.full((shape[0], job.permutations), np.nan)
    counts = features.shape[1], constant, values.shape[1]
    if not values.shape[1]:
        return LayerMatch(scores, chosen_by, deviations, null, counts)
    few, everything = len(job.parts) > 1, sum(len(part.test) for part in job.parts)
    for k, voxels in enumerate(job.regions.values()):
        own = job.means[:, voxels]
        for p, part in enumerate(job.parts):
            plan = Matching.fitted(values[part.train], own[part.train])
            found = plan.correlations(values[part.test], own[part.test], few)
            weight = len(part.test) / everything
            scores[k, p] = weight * found.mean(found.r)
            deviations[k, p] = 0
            deviations[k, p, part.places] = weight * scaled(found.influences())
            chosen_by[k, p] = _across_halves(values[part.train], own[part.train], part.half)
            if len(job.orders):
                null[k] = found.null(job.orders)
    return LayerMatch(scores, chosen_by, deviations, null, counts)


def _across_halves(features: np.ndarray, voxels: np.ndarray, half: np.ndarray) -> float:
    """Mean score of the plans of either half on the other."""
    sides = [
        Matching.fitted(features[keep], voxels[keep]).correlations(features[~keep], voxels[~keep], few=True)
        for keep in (half, ~half)
    ]
    return float(np.mean([side.mean(side.r) for side in sides]))


# ---- the layers' results as a data set ---------------------------------------------------------------------


def _dataset(layers: pd.DataFrame, found: list[LayerMatch], job: Job) -> xarray.Dataset:
    subjects, rois = (list(dict.fromkeys(names)) for names in zip(*job.regions, strict=True))
    places = tuple(
        np.array([names.index(place[axis]) for place in job.regions])
        for axis, names in enumerate((subjects, rois))
    )

    def placed(values: Sequence[np.ndarray]) -> np.ndarray:
        """(..., subjects, rois, layers) of layers' (regions, ...); NaN where a subject lacks a ROI."""
        values = np.stack(values, axis=-1)
        table = np.full((len(subjects), len(rois), *values.shape[1:]), np.nan)
        table[places] = values
        return np.moveaxis(table, (0, 1), (-3, -2))

    # parts first
    scores, chosen_by = (placed([getattr(each, name) for each in found]) for name in ("scores", "chosen_by"))
    deviations = placed([each.deviations for each in found])
    method = OverStimuli(job.n)
    score = scores.sum(axis=0)
    data = of_split(score, deviations.sum(axis=0), method).expand_dims("split")
    data = labelled(data, [PRIMARY], (subjects, rois), layers, CANDIDATES)
    candidates = candidate_layers(layers["depth"].to_numpy(), shapes_of(layers))
    heldout, moved = 0, 0
    for part in range(len(job.parts)):
        # the same layer for all subjects, as with similarities; the choice is taken as made
        chosen = choose_layers(_over_people(chosen_by[part]), candidates)
        heldout = heldout + scores_of_chosen(scores[part], chosen)
        moved = moved + scores_of_chosen(deviations[part], chosen)
    data.update(of_heldout(heldout, moved, job.n))
    null = placed([each.null for each in found])
    if len(subjects) > 1:
        score, null = (
            np.concatenate([each, np.expand_dims(_over_people(each, axis), axis)], axis)
            for each, axis in ((score, 0), (null, 1))
        )
    units = [*subjects, *([GROUP] if len(subjects) > 1 else [])]
    p = p_values(score, null) if len(job.orders) else np.full(score.shape, np.nan)
    data = data.merge(of_test(units, score, p, null))
    counts = np.array([each.counts for each in found])
    for k, name in enumerate(("n_features", "n_constant", "n_matched")):
        data[name] = ("layer", counts[:, k])
    data["measured"] = (("subject", "roi"), placed([np.ones(len(job.regions))])[..., 0])
    data["n_voxels"] = (("subject", "roi"), placed([[len(v) for v in job.regions.values()]])[..., 0])
    return data


def _over_people(values: np.ndarray, axis: int = 0) -> np.ndarray:
    """Mean over the subjects who have it; NaN where nobody has."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0).sum(axis=axis) / known.sum(axis=axis)
