"""Scores of one network under other measures than that of the study, on the same stimuli and splits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray

from cortexrsa.formats.rdms import RDMs
from cortexrsa.geometry import grams
from cortexrsa.geometry.compare import compare
from cortexrsa.geometry.rdm import Rows, select_stimuli
from cortexrsa.geometry.registry import MEASURES, partial_comparison
from cortexrsa.inference import splits
from cortexrsa.inference.against_zero import MOST_PERMUTED
from cortexrsa.inference.errors import Replicates
from cortexrsa.inference.explained import explained
from cortexrsa.inference.fitted import group_target, layer_weights
from cortexrsa.inference.layer_choice import candidate_layers, choose_layers, scores_of_chosen
from cortexrsa.inference.names import CANDIDATES, GUIDANCE_SPLIT, PRIMARY, SELECTION
from cortexrsa.inference.partial import Partial, partial_correlations, partial_p_and_null, with_confounds
from cortexrsa.inference.replication import OnePass
from cortexrsa.inference.results import (
    labelled,
    of_heldout,
    of_split,
    of_test,
    shapes_of,
    with_group,
)
from cortexrsa.inference.settings import Settings

PARTIAL = "partial_rsa"


@dataclass(frozen=True)
class Sources:
    """What all measures of a network are made of.

    Attributes
    ----------
    network, brain : RDMs of the layers and of the ROIs, by the study's dissimilarity
    comparison : of RDMs, of the study
    confounds : (k, pairs) RDMs that partial RSA takes out
    distances : squared distances of the layers' and of the ROIs' patterns, for measures of Gram matrices
    families : of each confound, the source that it is a part of in `explained.explained`; empty: without that
    """

    network: RDMs
    brain: RDMs
    comparison: str
    confounds: np.ndarray | None = None
    distances: tuple[RDMs, RDMs] | None = None
    families: tuple[str, ...] = ()


class OfGrams:
    """Measures of Gram matrices with the influence of every stimulus, as a `replication.Replication`."""

    def __init__(self, n: int):
        self.n = n
        self.replicates = Replicates.of_stimuli(n)

    def similarity(self, brain, models, measure, threads=1):
        scores, influence = grams.similarities(brain, models, measure, threads)
        return scores, influence / self.n

    def in_part(self, brain, models, keep, measure, threads=1):
        scores, influence = grams.similarities(brain, models, measure, threads)
        deviations = np.zeros((self.n, *scores.shape))
        deviations[keep] = influence / keep.sum()
        return scores, deviations


@dataclass(frozen=True)
class Sides:
    """What a measure compares in one split, and how.

    Attributes
    ----------
    brain, models : RDMs; of partial RSA with the confounds behind them
    method : of `replication`, in one pass
    comparison : of `geometry.registry.COMPARISONS`, or the measure
    """

    brain: Rows
    models: Rows
    method: OnePass | Partial | OfGrams
    comparison: str

    def similarity(self, threads: int) -> tuple[np.ndarray, np.ndarray]:
        return self.method.similarity(self.brain, self.models, self.comparison, threads)

    def scores(self, threads: int) -> np.ndarray:
        """Those of `similarity` alone; without influences where all RDMs fit into memory."""
        if isinstance(self.method, OfGrams) or self.method.n > MOST_PERMUTED:
            return self.similarity(threads)[0]
        rdms = (np.stack(list(each)) for each in (self.brain, self.models))
        products = compare(*rdms, self.comparison, threads)
        return partial_correlations(products, self.method.k) if isinstance(self.method, Partial) else products


def measure_network(
    data: Sources, measures: Sequence[str], settings: Settings, threads: int = 1
) -> xarray.Dataset:
    """Scores of all layers in all ROIs and subjects under other measures, with their errors in one pass.

    Parameters
    ----------
    data : see `Sources`
    measures : names of `geometry.registry.MEASURES`
    settings : halves, permutations, seed and subject_effect; errors are in one pass whatever the study's are
    threads : the result does not depend on it

    Returns
    -------
    xarray.Dataset with the variables of `scores.score_network` for every `measure`, in the one split test, so
    that what is made of similarities is made of these scores too; p and null_maximum are NaN where a measure
    has no test; with families of confounds also the variables of `explained.explained`

    Raises
    ------
    InputError : the stimuli of network and brain differ.
    """
    splits.check_stimuli(data.network, data.brain)
    if data.distances is not None:
        splits.check_stimuli(data.distances[0], data.brain)

    def of_part(brain: RDMs) -> xarray.Dataset:
        own = replace(data, brain=brain)
        if data.confounds is not None:
            own = replace(own, confounds=with_mixtures(brain, data.confounds, threads))
        if data.distances is not None:
            # the same rows: either file has one for every subject and ROI
            subjects = set(brain.rdm_descriptors["subject"])
            (distances,) = [
                part
                for part in splits.parts_of(data.distances[1])
                if set(part.rdm_descriptors["subject"]) == subjects
            ]
            own = replace(own, distances=(data.distances[0], distances))
        found = [_scores(own, measure, settings, threads) for measure in measures]
        made = xarray.concat(found, dim="measure", join="outer").assign_coords(measure=list(measures))
        if own.distances is not None:
            made = made.assign(_dimensions(own))
        if not data.families:
            return made
        shared = explained(data.network, brain, data.confounds, data.families, settings, threads)
        return made.assign_coords(sources=shared.pop("sources")).assign(shared)

    return splits.over_parts(data.brain, of_part)


def with_mixtures(brain: RDMs, confounds: np.ndarray, threads: int = 1) -> np.ndarray:
    """Confounds, and behind them, for each ROI, the mixture of them that fits its RDM.

    A sum of confounds is not linear in their ranks: what several drive together would outlast them one by
    one. Weights >= 0 are fitted to the mean RDM of the subjects on the training stimuli; without a training
    split on all, which takes out more.

    Parameters
    ----------
    brain : RDMs of ROIs that have the same subjects
    confounds : (k, pairs)

    Returns
    -------
    (k + mixtures, pairs); a ROI that fewer than two confounds fit has no mixture
    """
    split = brain.pattern_descriptors["split"]
    rows, subjects, rois = splits.brain_rows(brain, PRIMARY)
    if SELECTION in set(split):
        # no network has a part in it, so that it is the same for all
        rows = Rows(rows.source, split.isin([SELECTION, GUIDANCE_SPLIT]).to_numpy(), rows.rows)
    target = group_target(np.stack(list(rows)).reshape(len(subjects), len(rois), -1))
    once = np.ones((1, int(rows.keep.sum())), int)
    weights = layer_weights(target, select_stimuli(confounds, rows.keep), once, threads)[0]
    several = (weights > 0).sum(axis=1) > 1
    return np.concatenate([confounds, weights[several] @ confounds])


def _dimensions(data: Sources) -> dict:
    """Effective dimensionality of the layers' and of the ROIs' patterns, over the test stimuli."""
    layers, brain = data.distances
    rows, subjects, rois = splits.brain_rows(brain, PRIMARY)
    models = Rows(layers.dissimilarities, rows.keep)
    ratios = [
        [grams.participation_ratio(grams.gram_of(rdms[k])) for k in range(len(rdms))]
        for rdms in (models, rows)
    ]
    return {
        "dimensionality": ("layer", ratios[0]),
        "roi_dimensionality": (("subject", "roi"), np.reshape(ratios[1], (len(subjects), len(rois)))),
    }


def _sides(data: Sources, measure: str, split: str, settings: Settings) -> tuple[Sides, list[str], list[str]]:
    """What a measure compares in one split, with the names of subjects and ROIs."""
    if MEASURES[measure].grams:
        models, brain = data.distances
        brain, subjects, rois = splits.brain_rows(brain, split)
        kind = grams.UCentred if measure == "cka_debiased" else Rows
        sides = kind(brain.source, brain.keep, brain.rows), kind(models.dissimilarities, brain.keep)
        n = int(brain.keep.sum())
        if measure == "cka_debiased":
            return Sides(*sides, OnePass(n, settings.seed), "cosine"), subjects, rois
        return Sides(*sides, OfGrams(n), measure), subjects, rois
    brain, subjects, rois = splits.brain_rows(data.brain, split)
    models = Rows(data.network.dissimilarities, brain.keep)
    method = OnePass(int(brain.keep.sum()), settings.seed)
    if measure != PARTIAL:
        return Sides(brain, models, method, measure), subjects, rois
    brain, models = (with_confounds(rdms, data.confounds) for rdms in (brain, models))
    comparison = partial_comparison(data.comparison)
    return Sides(brain, models, Partial(method, len(data.confounds)), comparison), subjects, rois


def _scores(data: Sources, measure: str, settings: Settings, threads: int) -> xarray.Dataset:
    """One measure, of ROIs that have the same subjects."""
    layers = data.network.rdm_descriptors
    test, subjects, rois = _sides(data, measure, PRIMARY, settings)
    axes = len(subjects), len(rois)
    scores, deviations = (
        values.reshape(*values.shape[:-2], *axes, -1) for values in test.similarity(threads)
    )
    dataset = of_split(scores, deviations, test.method).expand_dims("split")
    dataset = labelled(dataset, [PRIMARY], (subjects, rois), layers, CANDIDATES)
    candidates = candidate_layers(layers["depth"].to_numpy(), shapes_of(layers))
    heldout, moved = _heldout(data, measure, test, (scores, deviations), candidates, settings, threads)
    dataset.update(of_heldout(heldout, moved, dataset.sizes["replicate"]))
    dataset.attrs["subject_effect"] = settings.subject_effect or ""
    return dataset.merge(_test(measure, test, subjects, scores, settings, threads))


def _heldout(data, measure, test: Sides, values, candidates, settings, threads):
    """Scores and deviations of layers chosen by the same measure on the training stimuli, or in halves."""
    axes = values[0].shape[:2]
    if SELECTION in set(data.brain.pattern_descriptors["split"]):
        selecting = _sides(data, measure, SELECTION, settings)[0].scores(threads).reshape(*axes, -1)
        chosen = choose_layers(selecting.mean(axis=0), candidates)
        return tuple(scores_of_chosen(each, chosen) for each in values)
    own = replace(settings, fitted=False)
    choice = splits.Choice(candidates, test.comparison, own, threads)
    return splits.chosen_in_halves(test.brain, test.models, axes, test.method, choice)


def _test(measure: str, test: Sides, subjects: list[str], scores, settings, threads) -> xarray.Dataset:
    """p and null_maximum, of partial RSA."""
    units, observed = with_group(subjects, scores)
    if measure != PARTIAL:
        nothing = np.full((settings.permutations, *observed.shape), np.nan)
        return of_test(units, observed, np.full(observed.shape, np.nan), nothing)
    p, null = partial_p_and_null(
        test.brain,
        test.models,
        test.method.k,
        observed,
        test.comparison,
        settings.permutations,
        settings.seed,
        threads,
    )
    return of_test(units, observed, p, null)
