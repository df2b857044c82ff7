"""Scores of a network in ROIs without each of several groups of their voxels; see `voxels`."""

from __future__ import annotations

import numpy as np
import xarray

from cortexrsa.formats.rdms import RDMs
from cortexrsa.geometry.compare import compare
from cortexrsa.geometry.rdm import Rows, subset
from cortexrsa.inference.design import Design
from cortexrsa.inference.fitted import group_target, layer_weights
from cortexrsa.inference.layer_choice import candidate_layers, choose_layers, scores_of_chosen
from cortexrsa.inference.names import PRIMARY, SELECTION
from cortexrsa.inference.replication import OnePass
from cortexrsa.inference.settings import Settings
from cortexrsa.inference.splits import brain_rows, halves_of, splits_of
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
    without : RDMs with columns subject, roi, group, over the same stimuli
    comparison, settings, threads, design : of `scores.score_network`

    Returns
    -------
    xarray.Dataset with
        score_voxels (voxel_group, subject, roi, layer): the score without a group less their mean;
        score_crossed (voxel_replicate, subject, roi, layer; float32): the same of deviations in replicates of
        the stimuli, summed over groups with random signs, of which all networks have the same;
        heldout_voxels, heldout_crossed (..., candidate): likewise of layers chosen on other stimuli;
        voxel_replicates (quantity): how the crossed rows make a variance.
    """
    targets, subjects, rois = brain_rows(brain, PRIMARY)
    keep = (brain.pattern_descriptors["split"] == PRIMARY).to_numpy()
    left_out, number = _rows_without(without, subjects, rois, keep)
    layers = Rows(network.dissimilarities, keep)
    method = OnePass(int(keep.sum()), settings.seed, design and design.subset(keep))
    shape = len(subjects), len(rois), number
    scores, deviations = (
        values.reshape(*values.shape[:-2], *shape, -1)
        for values in method.similarity(left_out, layers, comparison, threads)
    )
    shapes = list(network.rdm_descriptors.get("shape", [""] * len(layers)))
    candidates = candidate_layers(network.rdm_descriptors["depth"].to_numpy(), shapes)
    parts = _selections(brain, settings, design)
    heldout = [0.0, 0.0]
    for selecting, scoring in parts:
        chosen, mixtures = _choices(network, brain, selecting, shape[:2], candidates, comparison, settings)
        if len(parts) == 1:
            own = scores, deviations
            part, models = left_out, layers
        else:
            part, models = (subset(rdms, scoring[keep]) for rdms in (left_out, layers))
            own = (
                values.reshape(*values.shape[:-2], *shape, -1)
                for values in method.in_part(part, models, scoring[keep], comparison, threads)
            )
        found = [scores_of_chosen(values, chosen[:, None]) for values in own]
        if mixtures is not None:
            mixed = _of_mixtures(method, part, models, mixtures, shape, scoring[keep], comparison)
            found = [np.concatenate(both, axis=-1) for both in zip(found, mixed, strict=True)]
        heldout = [total + values / len(parts) for total, values in zip(heldout, found, strict=True)]
    signs = generator(settings.seed, Stream.CROSSED).choice([-1.0, 1.0], size=(len(deviations), *shape))
    data = {"voxel_replicates": (("quantity",), method.replicates.packed())}
    for kind, (single, crossed) in {"score": (scores, deviations), "heldout": heldout}.items():
        around, crossed = (values - values.mean(axis=-2, keepdims=True) for values in (single, crossed))
        crossed = np.sqrt((number - 1) / number) * np.einsum("bsrg,bsrgl->bsrl", signs, crossed)
        axes = "subject", "roi", AXES[kind]
        data[f"{kind}_voxels"] = ("voxel_group", *axes), np.moveaxis(around, -2, 0)
        data[f"{kind}_crossed"] = ("voxel_replicate", *axes), crossed.astype(np.float32)
    return xarray.Dataset(data)


def _rows_without(without: RDMs, subjects: list, rois: list, keep: np.ndarray) -> tuple[Rows, int]:
    """RDMs by subject, ROI and group, and the number of groups."""
    table = without.rdm_descriptors
    order = table.assign(row=range(len(table))).set_index(["subject", "roi", "group"])["row"]
    groups = sorted(set(table["group"]))
    rows = [int(order[subject, roi, group]) for subject in subjects for roi in rois for group in groups]
    return Rows(without.dissimilarities, keep, rows), len(groups)


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


def _choices(network, brain, selecting, shape, candidates, comparison, settings):
    """Layers chosen on some stimuli (rois, candidates), and weights (rois, layers) where they are fitted."""
    table = brain.rdm_descriptors
    subjects, rois = (list(dict.fromkeys(table[column])) for column in ("subject", "roi"))
    order = table.assign(row=range(len(table))).pivot(index="subject", columns="roi", values="row")
    rows = order.loc[subjects, rois].to_numpy().ravel().tolist()
    targets = np.stack(list(Rows(brain.dissimilarities, selecting, rows)))
    layers = np.stack(list(Rows(network.dissimilarities, selecting)))
    scores = compare(targets, layers, comparison).reshape(*shape, -1)
    chosen = choose_layers(scores.mean(axis=0), candidates)
    if not settings.fitted:
        return chosen, None
    once = np.ones((1, int(selecting.sum())), int)
    return chosen, layer_weights(group_target(targets.reshape(*shape, -1)), layers, once)[0]


def _of_mixtures(method, part, models, weights, shape, keep, comparison):
    """Scores and deviations (..., subjects, rois, groups, 1) of each ROI's mixture of layers."""
    layers = np.stack(list(models))
    by_roi = ([], [])
    for roi, own in enumerate(weights):
        rows = np.arange(len(part)).reshape(shape)[:, roi]
        if own.any():
            values = method.in_part(part.take(rows.ravel()), (own @ layers)[None], keep, comparison)
        else:  # nothing is predicted
            values = np.zeros((rows.size, 1)), np.zeros((sum(method.replicates.sizes), rows.size, 1))
        for into, each in zip(by_roi, values, strict=True):
            into.append(each.reshape(*each.shape[:-2], *rows.shape, 1))
    return [np.stack(each, axis=-3) for each in by_roi]
