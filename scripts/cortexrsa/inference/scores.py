"""Scores of one network in the brain's regions, with their replicates and permutations."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import xarray

from cortexrsa.formats.rdms import RDMs
from cortexrsa.geometry.rdm import Rows
from cortexrsa.inference import splits
from cortexrsa.inference.against_zero import MOST_PERMUTED, p_and_null
from cortexrsa.inference.design import Design
from cortexrsa.inference.layer_choice import candidate_layers
from cortexrsa.inference.names import CANDIDATES, FITTED, OF_THE_MEAN, PRIMARY, SELECTION
from cortexrsa.inference.replication import OnePass, Replication, replication
from cortexrsa.inference.results import (
    labelled,
    of_heldout,
    of_split,
    of_test,
    shapes_of,
    with_group,
)
from cortexrsa.inference.scores_without import scores_without
from cortexrsa.inference.settings import MEAN_RDM, Settings, few_people
from cortexrsa.inference.shared import as_people, mean_rdms, with_test


def score_network(
    network: RDMs,
    brain: RDMs,
    comparison: str,
    settings: Settings,
    threads: int = 1,
    without: RDMs | None = None,
    design: Design | None = None,
) -> xarray.Dataset:
    """Scores of all layers in all ROIs and subjects, with replicates and permutations that models share.

    Parameters
    ----------
    network : RDMs with columns layer, layer_index, depth
    brain : RDMs with columns subject, roi, over the same stimuli
    comparison : see `geometry.compare.compare`
    threads : the result does not depend on it
    without : brain RDMs without groups of voxels, where these are a sample too: see `scores_without`,
        whose variables are added for ROIs of one subject, or of subjects who are taken as they are (not
        where the group is the mean RDM: people's voxels are their own)
    design : of the stimuli, where they are not drawn one by one

    Returns
    -------
    xarray.Dataset with
        score (split, subject, roi, layer), and deviations (split, replicate, subject, roi, layer; float32)
        from it in the replicates of the stimuli of each split; those of a split with fewer end in NaN;
        replicates (split, quantity): how they make a variance, the fields of `errors.Replicates`;
        heldout (subject, roi, candidate), heldout_deviations (replicate, subject, roi, candidate): the same
        in the primary split, of layers chosen (weights fitted) on other stimuli (the training split, or
        repeated halves);
        group_score, group_deviations, group_heldout, group_heldout_deviations: where the group is the mean
        RDM, values of people whose mean is its score (see `shared.as_people`);
        p (unit, roi, layer), null_maximum (permutation, unit, roi): permutation test in the primary split,
        units are the subjects and, with several, the group;
        measured (subject, roi): 1 where there is an RDM, NaN elsewhere, if ROIs have subjects of their own;
        attributes: subject_effect, as in the settings; caveat, about whom or what alone claims are, if people
        or units are too few.

    Raises
    ------
    InputError : the stimuli of network and brain differ.
    """
    splits.check_stimuli(network, brain)

    def of_part(part: RDMs) -> xarray.Dataset:
        scores = _scores_of_part(network, part, comparison, settings, threads, design)
        subjects = scores.sizes["subject"]
        if settings.group == MEAN_RDM and subjects > 1:
            return _with_shared(scores, network, part, comparison, settings, threads, design)
        alone = subjects == 1 or settings.fixed_subjects(subjects)
        if without is not None and alone and scores.sizes["roi"] > 1:
            scores = scores.merge(
                scores_without(network, part, without, comparison, settings, threads, design)
            )
        if settings.group == MEAN_RDM:
            # the mean RDM of one person is that person's own
            scores = scores.assign({f"group_{name}": scores[name] for name in OF_THE_MEAN})
        return scores

    return splits.over_parts(brain, of_part)


def _with_shared(
    scores: xarray.Dataset,
    network: RDMs,
    brain: RDMs,
    comparison: str,
    settings: Settings,
    threads: int,
    design: Design | None,
) -> xarray.Dataset:
    """Scores of single people, and of the group those against its mean RDM: see `shared.as_people`."""
    subjects = [str(subject) for subject in scores["subject"].to_numpy()]
    fixed = settings.fixed_subjects(len(subjects))
    mean, others = mean_rdms(brain, comparison)
    found = _scores_of_part(network, mean, comparison, settings, threads, design)
    # the spread over people needs no test
    untested = replace(settings, permutations=1)
    without = None if fixed else _scores_of_part(network, others, comparison, untested, threads, design)
    return with_test(scores, found).assign(as_people(found, without, subjects))


@dataclass
class _OfSplit:
    """Scores (subjects, rois, layers) and deviations of one split, and what they are made of.

    Attributes
    ----------
    rdms : of the brain (subjects x rois, pairs) and of the layers (layers, pairs)
    design : of its stimuli
    method : how they are replicated
    values : scores and deviations
    """

    rdms: tuple[np.ndarray | Rows, np.ndarray | Rows]
    design: Design | None
    method: Replication
    values: tuple[np.ndarray, np.ndarray]


def _scores_of_split(
    network: RDMs,
    brain: RDMs,
    split: str,
    comparison: str,
    settings: Settings,
    threads: int,
    design: Design | None,
) -> _OfSplit:
    """Scores of ROIs that have the same subjects, in one split."""
    targets, subjects, rois = splits.brain_rows(brain, split)
    keep = (network.pattern_descriptors["split"] == split).to_numpy()
    rdms = targets, Rows(network.dissimilarities, keep)
    design = design and design.subset(keep)
    method = replication(int(keep.sum()), settings, design)
    if method.n <= MOST_PERMUTED or not isinstance(method, OnePass):
        # read once, as several steps take them
        rdms = tuple(np.stack(list(each)) for each in rdms)
    scores, deviations = (
        value.reshape(*value.shape[:-2], len(subjects), len(rois), len(network.rdm_descriptors))
        for value in method.similarity(*rdms, comparison, threads)
    )
    return _OfSplit(rdms, design, method, (scores, deviations))


def _scores_of_part(
    network: RDMs, brain: RDMs, comparison: str, settings: Settings, threads: int, design: Design | None
) -> xarray.Dataset:
    """`score_network` of ROIs that have the same subjects."""
    layers, (_, subjects, rois) = network.rdm_descriptors, splits.brain_rows(brain, PRIMARY)
    found = {
        split: _scores_of_split(network, brain, split, comparison, settings, threads, design)
        for split in splits.splits_of(brain)
    }
    result = [of_split(*own.values, own.method) for own in found.values()]
    dataset = labelled(
        xarray.concat(result, dim="split", join="outer"),
        list(found),
        (subjects, rois),
        layers,
        [*CANDIDATES, *([FITTED] if settings.fitted else [])],
    )
    candidates = candidate_layers(layers["depth"].to_numpy(), shapes_of(layers))
    choice = splits.Choice(candidates, comparison, settings, threads)
    primary = found[PRIMARY]
    if SELECTION in found:
        selecting = found[SELECTION]
        heldout = splits.chosen_in_training(
            selecting.rdms, primary.rdms, selecting.values[0], primary.method, primary.values, choice
        )
    else:
        shape = len(subjects), len(rois)
        heldout = splits.chosen_in_halves(*primary.rdms, shape, primary.method, choice, primary.design)
    dataset.update(of_heldout(*heldout, dataset.sizes["replicate"]))
    dataset.attrs["subject_effect"] = settings.subject_effect or ""
    caveats = few_people(settings.subject_effect, len(subjects)), design.caveat() if design else ""
    dataset.attrs["caveat"] = ", ".join(filter(None, caveats))
    units, observed = with_group(subjects, primary.values[0])
    p, null = p_and_null(
        *primary.rdms,
        observed,
        comparison,
        settings.permutations,
        settings.seed,
        threads,
        design=primary.design,
    )
    return dataset.merge(of_test(units, observed, p, null))
