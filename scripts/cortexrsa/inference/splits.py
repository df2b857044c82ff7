"""Which stimuli serve for what: layers are chosen, or weighted, on some and scored on others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray

from cortexrsa.errors import InputError
from cortexrsa.formats.rdms import RDMs
from cortexrsa.geometry.rdm import Rows, n_stimuli, select_stimuli, subset
from cortexrsa.inference.design import Design
from cortexrsa.inference.errors import Replicated, over_subjects
from cortexrsa.inference.fitted import group_target, layer_weights, mixtures
from cortexrsa.inference.halves import halves_of
from cortexrsa.inference.layer_choice import choose_layers, scores_of_chosen
from cortexrsa.inference.names import GUIDANCE_SPLIT, PRIMARY, SELECTION
from cortexrsa.inference.replication import Replication
from cortexrsa.inference.settings import Settings
from cortexrsa.inference.similarity import resampled_similarity
from cortexrsa.inference.smallest import HALVES

# draws of the scores that layers are chosen by
CHOICES = 1000


@dataclass(frozen=True)
class Choice:
    """How layers are chosen on some stimuli, to be scored on others.

    Attributes
    ----------
    candidates : sets of layers, see `layer_choice.candidate_layers`
    comparison : of RDMs, see `geometry.compare.compare`
    settings : halves, seed, fitted and subject_effect
    threads : the result does not depend on it
    """

    candidates: dict[str, np.ndarray]
    comparison: str
    settings: Settings
    threads: int = 1


def splits_of(brain: RDMs) -> list[str]:
    """Splits of the stimuli: the primary one, others that are scored, and that on which layers are chosen."""
    present = set(brain.pattern_descriptors["split"])
    others = sorted(present - {PRIMARY, SELECTION, GUIDANCE_SPLIT})
    return [split for split in (PRIMARY, *others, SELECTION) if split in present]


def parts_of(brain: RDMs) -> list[RDMs]:
    """ROIs of the same subjects, together: one part, unless some have subjects of their own.

    A ROI whose subjects are in no other (one RDM of a mean, or of another species) is a part of its own; one
    that a subject merely lacks is none, and `brain_rows` refuses it.
    """
    table = brain.rdm_descriptors
    subjects = table.groupby("roi", sort=False)["subject"].agg(frozenset)
    groups = list(dict.fromkeys(subjects))
    if sum(map(len, groups)) > table["subject"].nunique():
        return [brain]
    parts = []
    for group in groups:
        rows = np.flatnonzero(table["subject"].isin(group))
        own = brain.dissimilarities[rows], table.iloc[rows].reset_index(drop=True)
        parts.append(RDMs(*own, brain.pattern_descriptors, brain.dissimilarity_measure))
    return parts


def check_stimuli(network: RDMs, brain: RDMs) -> None:
    """Refuse RDMs of a network over other stimuli than those of the brain, or in another order."""
    for column in ("stimulus_id", "split"):
        if list(network.pattern_descriptors[column]) != list(brain.pattern_descriptors[column]):
            raise InputError(column, "other stimuli or another order", "those of the brain RDMs")


def over_parts(brain: RDMs, function: Callable[[RDMs], xarray.Dataset]) -> xarray.Dataset:
    """Results of each set of ROIs that have the same subjects (see `parts_of`), in one data set."""
    parts = [function(part) for part in parts_of(brain)]
    if len(parts) == 1:
        return parts[0]
    subjects, rois = (list(dict.fromkeys(brain.rdm_descriptors[name])) for name in ("subject", "roi"))
    for part in parts:
        shape = part.sizes["subject"], part.sizes["roi"]
        part["measured"] = (("subject", "roi"), np.ones(shape))
    merged = xarray.merge(parts, join="outer", compat="no_conflicts", combine_attrs="override")
    return merged.sel(subject=subjects, roi=rois)


def brain_rows(brain: RDMs, split: str) -> tuple[Rows, list[str], list[str]]:
    """Brain RDMs of one split, by subjects and within them by ROIs, with the names of either.

    Raises
    ------
    InputError : a subject lacks a ROI, or an RDM is not finite.
    """
    table = brain.rdm_descriptors
    subjects, rois = (list(dict.fromkeys(table[column])) for column in ("subject", "roi"))
    rows = table.assign(row=range(len(table))).pivot(index="subject", columns="roi", values="row")
    lacking = rows.isna().stack()
    if lacking.any():
        subject, roi = lacking.index[lacking][0]
        raise InputError(f"brain RDMs of subject {subject}", f"no ROI {roi}", "every ROI in every subject")
    if not all(np.isfinite(brain.dissimilarities[row]).all() for row in range(len(table))):
        raise InputError("brain RDMs", "NaN or infinite values", "finite values")
    keep = (brain.pattern_descriptors["split"] == split).to_numpy()
    rows = rows.loc[subjects, rois].to_numpy().ravel().tolist()
    return Rows(brain.dissimilarities, keep, rows), subjects, rois


def chosen_in_halves(
    brain: np.ndarray | Rows,
    models: np.ndarray | Rows,
    shape: tuple[int, int],
    replication: Replication,
    choice: Choice,
    design: Design | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Score of the best layer, chosen on one half of the stimuli and scored on the other.

    Mean over random halves and over both directions. Weights of `settings.fitted` fit the one half.

    Parameters
    ----------
    brain : (subjects x rois, pairs)
    models : (layers, pairs)
    shape : numbers of subjects and of ROIs
    choice : of the layers; with `settings.fitted` all of them, weighted, are a last candidate
    design : of the stimuli, where they are not drawn one by one: see `Design.halves`

    Returns
    -------
    scores : (subjects, rois, candidates)
    deviations : (replicates, subjects, rois, candidates), as of `Replication.similarity`. In one pass a
        pair has influence as often as both of its stimuli are in a scoring half, and by the choice where they
        are in the other; resampled, the choice is made anew in every resample. Both are NaN with fewer than
        16 stimuli.
    """
    if replication.n < HALVES.needed:
        # halves of fewer stimuli do not tell layers apart
        sets = len(choice.candidates) + choice.settings.fitted
        return np.full((*shape, sets), np.nan), np.full(
            (sum(replication.replicates.sizes), *shape, sets), np.nan
        )
    halves = halves_of(replication.n, choice.settings, design)
    if replication.replicates.summable:
        return _halves_in_one_pass(brain, models, shape, replication, halves, choice)
    counts = replication.resamples.counts
    targets, layers = (np.stack(list(rdms)) for rdms in (brain, models))
    values = heldout_in_halves(
        targets.reshape(*shape, -1),
        layers,
        counts,
        halves,
        choice.candidates,
        choice.comparison,
        choice.settings.fitted,
        choice.threads,
    )
    return values[0], values[1:] - values[0]


def _halves_in_one_pass(brain, models, shape, replication, halves, choice: Choice):
    (subjects, rois), settings = shape, choice.settings
    candidates, comparison, threads = choice.candidates, choice.comparison, choice.threads
    total = []
    for half in halves:
        sides = []
        for keep in (half, ~half):
            own = subset(brain, keep), subset(models, keep)
            scores, deviations = replication.in_part(*own, keep, comparison, threads)
            scores, deviations = (each.reshape(*each.shape[:-2], *shape, -1) for each in (scores, deviations))
            sides.append((keep, own, scores, deviations))
        for selecting, (keep, scored_on, scores, deviations) in (sides, sides[::-1]):
            group = over_subjects(
                *selecting[2:], replication.replicates, settings.seed, settings.fixed_subjects(subjects)
            )
            chosen = choose_layers(selecting[2].mean(axis=0), candidates)
            found = np.concatenate(
                [
                    scores_of_chosen(scores, chosen)[None],
                    scores_of_chosen(deviations, chosen)
                    + _by_choice(scores, selecting[3].mean(axis=1), group, candidates, settings.seed),
                ]
            )
            if settings.fitted:
                target, layers = (np.stack(list(rdms)) for rdms in selecting[1])
                weights = layer_weights(
                    group_target(target.reshape(subjects, rois, -1)),
                    layers,
                    np.ones((1, int((~keep).sum())), int),
                    threads,
                )[0]
                target, layers = (np.stack(list(rdms)) for rdms in scored_on)
                mixed = [
                    _mixture(replication, target, layers, weights, (subjects, rois), roi, keep, comparison)
                    for roi in range(rois)
                ]
                found = np.concatenate([found, np.stack(mixed, axis=-1)[..., None]], axis=-1)
            total.append(found)
    mean = np.mean(total, axis=0)
    return mean[0], mean[1:]


def _by_choice(
    scores: np.ndarray,
    selecting: np.ndarray,
    group: Replicated,
    candidates: dict[str, np.ndarray],
    seed: int,
) -> np.ndarray:
    """By how much the score of the layer that is best elsewhere differs in every replicate by the choice.

    Which layer is best jumps from sample to sample. Its expected score, over draws of the scores that it is
    chosen by, is smooth in them: the slope is that of the least-squares plane through the draws (Efron 2014).

    Parameters
    ----------
    scores : (subjects, rois, layers), on scoring stimuli
    selecting : (replicates, rois, layers), deviations of the subjects' mean on the others
    group : Replicated of (rois, layers), the mean that layers are chosen by

    Returns
    -------
    (replicates, subjects, rois, candidates)

    References
    ----------
    Efron 2014, doi:10.1080/01621459.2013.823775 (accuracy after model selection: smoothed estimates)
    """
    out = np.empty((len(selecting), *scores.shape[:2], len(candidates)))
    for roi in range(scores.shape[1]):
        own = group.apply(lambda values, roi=roi: values[..., roi, :]).drawn(seed, CHOICES).draws
        chosen = choose_layers(own, candidates)
        sound = np.isfinite(own).all(axis=0)
        around = own[:, sound] - own[:, sound].mean(axis=0)
        for k, picked in enumerate(chosen.T):
            of_chosen = scores_of_chosen(scores[:, roi], picked)
            # directions that a covariance lacks are left in draws by rounding, of the order of its root
            slope = np.linalg.lstsq(
                around, (of_chosen - of_chosen.mean(axis=1, keepdims=True)).T, rcond=1e-6
            )[0]
            out[:, :, roi, k] = selecting[:, roi][:, sound] @ slope
    return out


def _mixture(replication, target, layers, weights, shape, roi, keep, comparison) -> np.ndarray:
    """Score and deviations (1 + replicates, subjects) of the mixture of layers that fits one ROI."""
    own = target.reshape(*shape, -1)[:, roi]
    if not weights[roi].any():
        return np.zeros((1 + sum(replication.replicates.sizes), len(own)))  # nothing is predicted
    scores, deviations = replication.in_part(own, (weights[roi] @ layers)[None], keep, comparison)
    return np.concatenate([scores[None], deviations])[..., 0]


def heldout_in_halves(
    brain: np.ndarray,
    models: np.ndarray,
    counts: np.ndarray,
    halves: np.ndarray,
    candidates: dict[str, np.ndarray],
    comparison: str,
    fitted: bool = False,
    threads: int = 1,
) -> np.ndarray:
    """Score of the best layer, chosen in one half of every resample and scored in the other.

    Mean over the halves and over both directions. All copies of a stimulus in a resample stay in one half, so
    that no stimulus is on both sides.

    Parameters
    ----------
    brain : (subjects, rois, pairs)
    models : (layers, pairs)
    counts : (draws, n) resamples of the stimuli
    halves : (number, n) bool
    candidates : sets of layers, see `layer_choice.candidate_layers`
    fitted : whether all layers, weighted (weights fitted on the one half), are a last candidate
    threads : the result does not depend on it

    Returns
    -------
    (draws, subjects, rois, candidates)
    """
    subjects, rois, pairs = brain.shape

    def parts(half: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        flat = select_stimuli(brain.reshape(-1, pairs), half)
        return flat.reshape(subjects, rois, -1), select_stimuli(models, half), counts[:, half]

    def scores(target: np.ndarray, layers: np.ndarray, count: np.ndarray) -> np.ndarray:
        flat = target.reshape(subjects * rois, -1)
        similarity = resampled_similarity(flat, layers, count, comparison, threads)
        return similarity.reshape(len(counts), subjects, rois, len(models))

    total = np.zeros((len(counts), subjects, rois, len(candidates) + fitted))
    for half in halves:
        sides = parts(half), parts(~half)
        both = tuple(scores(*side) for side in sides)
        for select, evaluate in ((0, 1), (1, 0)):
            chosen = choose_layers(both[select].mean(axis=1, keepdims=True), candidates)
            total[..., : len(candidates)] += scores_of_chosen(both[evaluate], chosen)
            if fitted:
                target, layers, count = sides[select]
                weights = layer_weights(group_target(target), layers, count, threads)
                target, layers, count = sides[evaluate]
                total[..., -1] += mixtures(target, layers, count, weights, comparison, threads)
    return total / (2 * len(halves))


def chosen_in_training(
    training: tuple[np.ndarray | Rows, np.ndarray | Rows],
    test: tuple[np.ndarray | Rows, np.ndarray | Rows],
    selecting: np.ndarray,
    replication: Replication,
    values: tuple[np.ndarray, np.ndarray],
    choice: Choice,
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of the layers that are best on the training stimuli, with the choice taken as made.

    Parameters
    ----------
    training, test : brain (subjects x rois, pairs) and layer (l, pairs) RDMs
    selecting : (subjects, rois, l) scores on the training stimuli
    replication : of the test stimuli
    values : scores (subjects, rois, l) and deviations of all layers on the test stimuli
    choice : of the layers

    Returns
    -------
    scores, deviations : see `chosen_in_halves`
    """
    shape = selecting.shape[:2]
    chosen = choose_layers(selecting.mean(axis=0), choice.candidates)
    found = [scores_of_chosen(value, chosen) for value in values]
    if choice.settings.fitted:
        mixed = _weighted_in_training(training, test, shape, replication, choice)
        found = [
            np.concatenate([part, own[..., None]], axis=-1) for part, own in zip(found, mixed, strict=True)
        ]
    return found[0], found[1]


def _weighted_in_training(training, test, shape, replication, choice: Choice) -> list[np.ndarray]:
    """Scores (subjects, rois) and deviations of all layers, weighted as fits the training stimuli."""
    (train, train_layers), (brain, layers) = (
        [np.stack(list(rdms)) for rdms in part] for part in (training, test)
    )
    once = np.ones((1, n_stimuli(train.shape[1])), int)
    target = group_target(train.reshape(*shape, -1))
    weights = layer_weights(target, train_layers, once, choice.threads)[0]
    brain = brain.reshape(*shape, -1)
    mixed = ([], [])
    for roi in range(shape[1]):
        mixture = (weights[roi] @ layers)[None]
        parts = replication.similarity(brain[:, roi], mixture, choice.comparison, choice.threads)
        for part, into in zip(parts, mixed, strict=True):
            # without any weight nothing is predicted
            into.append(part[..., 0] if weights[roi].any() else np.zeros(part.shape[:-1]))
    return [np.stack(into, axis=-1) for into in mixed]
