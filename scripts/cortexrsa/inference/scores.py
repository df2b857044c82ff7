"""Scores of one network in the brain's regions, with their replicates and permutations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import xarray

from cortexrsa.formats.rdms import RDMs
from cortexrsa.geometry.rdm import Rows
from cortexrsa.inference import splits
from cortexrsa.inference.against_zero import MOST_PERMUTED, p_and_null
from cortexrsa.inference.design import Design
from cortexrsa.inference.layer_choice import candidate_layers
from cortexrsa.inference.names import CANDIDATES, FITTED, OF_THE_MEAN, PRIMARY, SELECTION
from cortexrsa.inference.replication import OnePass, replication
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


def _scores_of_part(
    network: RDMs, brain: RDMs, comparison: str, settings: Settings, threads: int, design: Design | None
) -> xarray.Dataset:
    """`score_network` of ROIs that have the same subjects."""
    layers = network.rdm_descriptors
    data, found, designs, result = {}, {}, {}, []
    for split in splits.splits_of(brain):
        targets, subjects, rois = splits.brain_rows(brain, split)
        keep = (network.pattern_descriptors["split"] == split).to_numpy()
        data[split] = targets, Rows(network.dissimilarities, keep)
        designs[split] = design and design.subset(keep)
        method = replication(int(keep.sum()), settings, designs[split])
        if method.n <= MOST_PERMUTED or not isinstance(method, OnePass):
            # read once, as several steps take them
            data[split] = tuple(np.stack(list(rdms)) for rdms in data[split])
        values = method.similarity(*data[split], comparison, threads)
        scores, deviations = (
            value.reshape(*value.shape[:-2], len(subjects), len(rois), len(layers)) for value in values
        )
        found[split] = method, (scores, deviations)
        result.append(of_split(scores, deviations, method))
    dataset = labelled(
        xarray.concat(result, dim="split", join="outer"),
        splits.splits_of(brain),
        (subjects, rois),
        layers,
        [*CANDIDATES, *([FITTED] if settings.fitted else [])],
    )
    candidates = candidate_layers(layers["depth"].to_numpy(), shapes_of(layers))
    method, values = found[PRIMARY]
    if SELECTION in data:
        heldout, deviations = splits.chosen_in_training(
            data[SELECTION],
            data[PRIMARY],
            found[SELECTION][1][0],
            method,
            values,
            candidates,
            comparison,
            settings,
            threads,
        )
    else:
        heldout, deviations = splits.chosen_in_halves(
            *data[PRIMARY],
            (len(subjects), len(rois)),
            method,
            candidates,
            comparison,
            settings,
            threads,
            designs[PRIMARY],
        )
    dataset.update(of_heldout(heldout, deviations, dataset.sizes["replicate"]))
    dataset.attrs["subject_effect"] = settings.subject_effect or ""
    caveats = few_people(settings.subject_effect, len(subjects)), design.caveat() if design else ""
    dataset.attrs["caveat"] = ", ".join(filter(None, caveats))
    units, observed = with_group(subjects, values[0])
    p, null = p_and_null(
        *data[PRIMARY],
        observed,
        comparison,
        settings.permutations,
        settings.seed,
        threads,
        design=designs[PRIMARY],
    )
    return dataset.merge(of_test(units, observed, p, null))
