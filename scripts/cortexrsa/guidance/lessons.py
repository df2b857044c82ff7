"""From the files of a data set to what a guided training learns from, without what must not be seen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
import xarray

from cortexrsa.errors import InputError, suggestion
from cortexrsa.formats.arrays import load_array
from cortexrsa.formats.responses import runs_of, trials_of
from cortexrsa.geometry.registry import DISSIMILARITIES
from cortexrsa.guidance.leaks import leaking_stimuli, without_leaks
from cortexrsa.guidance.patterns import gabor_energies, patterns_of
from cortexrsa.guidance.settings import TARGETS, Guidance, Lesson
from cortexrsa.guidance.stimuli import places, roles
from cortexrsa.guidance.targets import reliability_of, responses_of, shuffled, target_of
from cortexrsa.jobs import warn
from cortexrsa.networks.settings import Preprocessing
from cortexrsa.networks.streaming import Corpus


def people_of(guidance: Guidance, responses: xarray.DataArray) -> list[str]:
    """Subjects whose responses are trained on.

    Raises
    ------
    InputError : one of those named is not among the responses.
    """
    present = list(dict.fromkeys(map(str, responses["subject"].to_numpy())))
    for subject in guidance.subjects or []:
        if subject not in present:
            field = "weights: training: brain: subjects"
            raise InputError(field, repr(subject), suggestion(subject, present))
    return list(guidance.subjects or present)


def in_order_of(table: pd.DataFrame, responses: xarray.DataArray) -> xarray.DataArray:
    """Responses in the order of the stimuli's table; NaN where there are none."""
    ids = table["stimulus_id"].astype(str).tolist()
    own = responses["stimulus_id"].to_numpy().astype(str).tolist()
    if ids == own:
        return responses
    known = {name: place for place, name in enumerate(own)}
    found = responses.isel(stimulus=[known.get(name, 0) for name in ids]).astype(float)
    return found.where(xarray.DataArray([name in known for name in ids], dims="stimulus"))


def _trials(responses: xarray.DataArray, people: list[str], roi: str) -> dict[str, np.ndarray]:
    """Trials (n, repeats, v) of the people who have the ROI."""
    found = {subject: trials_of(responses, subject, roi) for subject in people}
    found = {subject: own for subject, own in found.items() if own.shape[2]}
    if not found:
        raise InputError("weights: training: brain: layers", f"no voxels of {roi}", "a ROI with voxels")
    return found


def _unseen(table: pd.DataFrame, trials: list[np.ndarray]) -> set[str]:
    """Ids of the stimuli that one of the people has no trial of."""
    missing = np.any([~np.isfinite(own).all(axis=2).any(axis=1) for own in trials], axis=0)
    return set(table["stimulus_id"].astype(str)[missing])


def _patterns(
    guidance: Guidance, images: np.ndarray, table: pd.DataFrame, shown: Preprocessing, other
) -> np.ndarray | None:
    """Patterns of the stimuli that are trained on, where the target is not made of responses."""
    if guidance.target == "low_level":
        return gabor_energies(images, shown)
    if guidance.target == "labels":
        column = guidance.options["column"]
        if column not in table:
            expected = suggestion(column, list(table.columns))
            raise InputError("controls: labels", f"no column {column!r} of the stimuli", expected)
        return pd.get_dummies(table[column].astype(str)).to_numpy(float)
    if guidance.target == "network":
        network, preprocessing = other
        return patterns_of(network, guidance.options["layer"], images, preprocessing)
    return None


def targets_of(
    guidance: Guidance,
    layers: list[tuple[str, str]],
    responses: xarray.DataArray,
    chosen: np.ndarray,
    seed: int,
    patterns: np.ndarray | None = None,
) -> list[tuple[str, np.ndarray]]:
    """Layer and target of each ROI, over the chosen stimuli; see `targets.target_of`.

    Parameters
    ----------
    layers : ROI and layer
    responses : of all stimuli
    chosen : places of those that are trained on and of those for validation
    seed : of what is drawn for a control
    patterns : (n chosen, d) of a control
    """
    people = people_of(guidance, responses)
    crossed = DISSIMILARITIES[guidance.dissimilarity].across_runs and TARGETS[guidance.loss] == "rdm"
    if crossed and responses.sizes.get("repeat", 1) < 2:
        told = f"{guidance.dissimilarity}, and the responses are averages over repeats"
        raise InputError("weights: training: brain: dissimilarity", told, "correlation or euclidean")
    found = []
    for roi, layer in layers:
        named = guidance.options["roi"] if guidance.target == "other_roi" else roi
        trials = {subject: own[chosen] for subject, own in _trials(responses, people, named).items()}
        folds = None
        if crossed and guidance.target in ("brain", "other_roi", "shuffled"):
            folds = [runs_of(responses, subject) for subject in trials]
            folds = [None if runs is None else runs[chosen] for runs in folds]
            if guidance.target == "shuffled":
                folds = [None if runs is None else shuffled(runs, seed) for runs in folds]
        if patterns is not None and any(np.isnan(reliability_of(own)) for own in trials.values()):
            warn(
                f"the control {guidance.target} has a target without noise, easier to learn than {roi}: "
                "its responses are averages or single trials, whose noise is not known"
            )
        made = responses_of(guidance.target, list(trials.values()), seed, patterns)
        try:
            target = target_of(made, guidance.loss, guidance.dissimilarity, folds)
        except ValueError as error:
            # stimuli without trials in two runs
            raise InputError(
                "weights: training: brain: dissimilarity", f"crossnobis, and {error}", "correlation"
            ) from error
        if not np.isfinite(target).all():
            expected = "finite responses that vary over voxels"
            raise InputError("responses", f"a constant pattern in {named}", expected)
        found.append((layer, target))
    return found


def lesson_of(
    guidance: Guidance,
    layers: list[tuple[str, str]],
    stimuli: tuple[np.ndarray, pd.DataFrame],
    responses: xarray.DataArray,
    corpus: tuple[Corpus, str],
    shown: Preprocessing,
    seed: int,
    other: tuple[torch.nn.Module, Preprocessing] | None = None,
) -> tuple[Lesson, pd.DataFrame, Corpus]:
    """What a guided training learns from: stimuli and targets, and the corpus without leaks.

    Parameters
    ----------
    guidance : of the card
    layers : ROI and layer, in the order in which the network runs the layers
    stimuli : images (n, H, W, 3) uint8 and their table
    responses : of the data set, clean
    corpus : with the file of its hashes
    shown : how stimuli become the network's input
    seed : of the training, and of what is drawn for a control
    other : the network of the control of that name, and how it sees the stimuli

    Returns
    -------
    lesson
    seen : what each stimulus is to the training, see `stimuli.roles`
    corpus : that is trained on

    Raises
    ------
    InputError : no training split, too few stimuli, unknown people; a corpus with test stimuli; a loss that
        needs repeats where there are none; a control of labels without labels.
    """
    images, table = stimuli
    responses = in_order_of(table, responses)
    people = people_of(guidance, responses)
    trials = [own for roi, _ in layers for own in _trials(responses, people, roi).values()]
    own = (table["split"] == guidance.split).to_numpy()
    # the first call refuses what has no such split before anything is compared
    roles(table, guidance)
    leaks = leaking_stimuli(images, np.flatnonzero(own), np.flatnonzero(~own))
    ids = table["stimulus_id"].astype(str)
    seen = roles(table, guidance, set(ids.iloc[leaks]), _unseen(table, trials))
    if len(leaks):
        print(f"{len(leaks)} stimuli are not trained on: near-duplicates of stimuli of other splits")
    fitted, validated = places(seen)
    chosen = np.concatenate([fitted, validated])
    patterns = _patterns(guidance, images[chosen], table.iloc[chosen], shown, other)
    targets = targets_of(guidance, layers, responses, chosen, seed, patterns)
    of_corpus = load_array(corpus[1], corpus[1])
    tested = np.flatnonzero(~own)
    cleaned = without_leaks(
        corpus[0], of_corpus, images[tested], list(ids.iloc[tested]), guidance.near_duplicates == "exclude"
    )
    return Lesson(images, fitted, validated, targets, shown), seen, cleaned
