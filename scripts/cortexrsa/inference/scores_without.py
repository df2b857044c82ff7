"""Scores of a network in ROIs without each of several groups of their voxels; see `voxels`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray

from cortexrsa.formats.rdms import RDMs
from cortexrsa.geometry.compare import compare
from cortexrsa.geometry.rdm import Rows, subset
from cortexrsa.inference.design import Design
from cortexrsa.inference.fitted import group_target, layer_weights
from cortexrsa.inference.halves import halves_of
from cortexrsa.inference.layer_choice import candidate_layers, choose_layers, scores_of_chosen
from cortexrsa.inference.names import PRIMARY, SELECTION
from cortexrsa.inference.replication import OnePass
from cortexrsa.inference.results import shapes_of
from cortexrsa.inference.settings import Settings
from cortexrsa.inference.splits import brain_rows, splits_of
from cortexrsa.inference.voxels import NOISE
from cortexrsa.streams import Stream, generator

# what each kind of score has one of
AXES = {"score": "layer", "heldout": "candidate"}


def scores_without(
    network: RDMs,
    brain: RDMs,
    without: RDMs,
    comparison: str,
    settings: Settings,
    threads: int = 1,
    design: Design | None = None,
) -> xarray.Dataset:
    """What groups of voxels add to the scores of `scores.score_network` in the primary split.

    By influences, however the stimuli are replicated. Layers that are chosen (weights that are fitted) on
    other stimuli are those of the whole ROI.

    Parameters
    ----------
    network, brain : of `scores.score_network`, ROIs of the same subjects
    without : of `voxel_groups.brain_rdms_without`, over the test stimuli
    comparison, settings, threads, design : of `scores.score_network`

    Returns
    -------
    xarray.Dataset with
        score_contrast (subject, roi, layer): the score by which ROIs are compared, with matched noise, mean
        over draws of it; score_contrast_deviations (voxel_replicate, ...; float32): its deviations;
        score_voxels (voxel_group, subject, roi, layer): the score without a group less their mean;
        score_crossed (voxel_replicate, subject, roi, layer; float32): the same of deviations in replicates of
        the stimuli, summed over groups with random signs, of which all networks have the same;
        heldout_contrast, ... (..., candidate): likewise of layers chosen on other stimuli;
        voxel_replicates (quantity): how the replicates make a variance;
        contrast_reliability, contrast_target, contrast_noise (subject, roi): see
        `voxel_groups.brain_rdms_without`, the last one as its place in `voxels.NOISE`.
    """
    _, subjects, rois = brain_rows(brain, PRIMARY)
    keep = (brain.pattern_descriptors["split"] == PRIMARY).to_numpy()
    layers = Rows(network.dissimilarities, keep)
    method = OnePass(int(keep.sum()), settings.seed, design and design.subset(keep))
    described = network.rdm_descriptors
    candidates = candidate_layers(described["depth"].to_numpy(), shapes_of(described))
    parts = [
        _Chosen(scoring[keep], *_choices(network, brain, selecting, candidates, comparison, settings))
        for selecting, scoring in _selections(brain, settings, design)
    ]
    found: dict[str, list] = {"score": [], "heldout": []}
    for subject in subjects:
        for r, roi in enumerate(rois):
            rows = _rows_of(without, subject, roi)
            whole = method.similarity(rows[0], layers, comparison, threads)
            found["score"].append(_averaged(whole, rows[1]))
            heldout = [
                _heldout(method, rows[0], layers, whole, part, r, comparison, threads) for part in parts
            ]
            mean = [sum(values) / len(parts) for values in zip(*heldout, strict=True)]
            found["heldout"].append(_averaged(mean, rows[1]))
    shape = len(subjects), len(rois)
    data = {"voxel_replicates": (("quantity",), method.replicates.packed())}
    data |= _noise_of_contrasts(without, subjects, rois)
    for kind, values in found.items():
        data |= _variables(kind, values, shape, settings.seed)
    return xarray.Dataset(data)


def _noise_of_contrasts(without: RDMs, subjects: list[str], rois: list[str]) -> dict:
    """How reliable each ROI is, what it is matched to, and how, (subjects, rois) each."""
    table = without.rdm_descriptors.drop_duplicates(["subject", "roi"]).set_index(["subject", "roi"])
    table = table.loc[[(subject, roi) for subject in subjects for roi in rois]]
    found = {name: table[name].to_numpy(float) for name in ("reliability", "target")}
    found["noise"] = np.array([list(NOISE).index(noise) for noise in table["noise"]], float)
    shape = len(subjects), len(rois)
    return {f"contrast_{name}": (("subject", "roi"), values.reshape(shape)) for name, values in found.items()}


def _rows_of(without: RDMs, subject: str, roi: str) -> tuple[Rows, int]:
    """RDMs of a ROI by draw, and within it whole and without each group; and the number of draws."""
    table = without.rdm_descriptors
    own = table[(table["subject"] == subject) & (table["roi"] == roi)].sort_values(["draw", "group"])
    keep = np.ones(len(without.pattern_descriptors), bool)
    return Rows(without.dissimilarities, keep, own.index.tolist()), own["draw"].nunique()


def _averaged(values, draws: int) -> list[np.ndarray]:
    """Means over draws: (..., draws x (1 + groups), l) -> (..., 1 + groups, l)."""
    return [each.reshape(*each.shape[:-2], draws, -1, each.shape[-1]).mean(axis=-3) for each in values]


@dataclass
class _Chosen:
    """What was chosen on other stimuli than `scoring`.

    Attributes
    ----------
    scoring : (n,) bool, those of the test stimuli that are scored on
    layers : (rois, candidates) place of the best layer
    weights : (rois, layers) of all layers; None: they are not fitted
    """

    scoring: np.ndarray
    layers: np.ndarray
    weights: np.ndarray | None


def _heldout(method, rows, layers, whole, part: _Chosen, roi: int, comparison, threads):
    """Scores and deviations of layers that were chosen (weighted) on other stimuli."""
    own, models, scoring, weights = whole, layers, part.scoring, part.weights
    if not scoring.all():
        rows, models = subset(rows, scoring), subset(layers, scoring)
        own = method.in_part(rows, models, scoring, comparison, threads)
    found = [scores_of_chosen(values, part.layers[roi]) for values in own]
    if weights is None:
        return found
    if weights[roi].any():
        mixture = (weights[roi] @ np.stack(list(models)))[None]
        mixed = method.in_part(rows, mixture, scoring, comparison, threads)
    else:  # nothing is predicted
        mixed = [np.zeros((*values.shape[:-1], 1)) for values in own]
    return [np.concatenate(both, axis=-1) for both in zip(found, mixed, strict=True)]


def _variables(kind: str, values: list, shape: tuple[int, int], seed: int) -> dict:
    """Those of one kind.

    Parameters
    ----------
    values : scores (1 + groups, l) and deviations (replicates, 1 + groups, l), of each subject and ROI
    shape : number of subjects and of ROIs
    """
    scores, deviations = (np.stack(each) for each in zip(*values, strict=True))
    scores, deviations = scores.reshape(*shape, *scores.shape[1:]), np.moveaxis(deviations, 0, 1)
    deviations = deviations.reshape(len(deviations), *shape, *deviations.shape[2:])
    axes = "subject", "roi", AXES[kind]
    whole, moved = scores[..., 0, :], deviations[..., 0, :]
    single, crossed = scores[..., 1:, :], deviations[..., 1:, :]
    number = single.shape[-2]
    around, crossed = (values - values.mean(axis=-2, keepdims=True) for values in (single, crossed))
    # sums with random signs, the same for all networks, have the same squares in expectation
    signs = generator(seed, Stream.CROSSED).choice([-1.0, 1.0], size=crossed.shape[:-1])
    crossed = np.sqrt((number - 1) / number) * np.einsum("bsrg,bsrgl->bsrl", signs, crossed)
    return {
        f"{kind}_contrast": (axes, whole),
        f"{kind}_contrast_deviations": (("voxel_replicate", *axes), moved.astype(np.float32)),
        f"{kind}_voxels": (("voxel_group", *axes), np.moveaxis(around, -2, 0)),
        f"{kind}_crossed": (("voxel_replicate", *axes), crossed.astype(np.float32)),
    }


def _selections(
    brain: RDMs, settings: Settings, design: Design | None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Stimuli (n,) bool on which layers are chosen, and scored, as in `splits`."""
    split = brain.pattern_descriptors["split"].to_numpy()
    primary = split == PRIMARY
    if SELECTION in splits_of(brain):
        return [(split == SELECTION, primary)]
    found = []
    for half in halves_of(int(primary.sum()), settings, design and design.subset(primary)):
        sides = np.zeros((2, len(split)), bool)
        sides[0, primary], sides[1, primary] = half, ~half
        found += [(sides[0], sides[1]), (sides[1], sides[0])]
    return found


def _choices(network, brain, selecting, candidates, comparison, settings):
    """Layers chosen on some stimuli (rois, candidates), and weights (rois, layers) where they are fitted."""
    own, subjects, rois = brain_rows(brain, PRIMARY)
    targets = np.stack(list(Rows(own.source, selecting, own.rows)))
    layers = np.stack(list(Rows(network.dissimilarities, selecting)))
    shape = len(subjects), len(rois)
    scores = compare(targets, layers, comparison).reshape(*shape, -1)
    chosen = choose_layers(scores.mean(axis=0), candidates)
    if not settings.fitted:
        return chosen, None
    once = np.ones((1, int(selecting.sum())), int)
    return chosen, layer_weights(group_target(targets.reshape(*shape, -1)), layers, once)[0]
