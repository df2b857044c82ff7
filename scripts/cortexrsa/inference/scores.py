"""Scores of one network in the brain's regions, with their replicates and permutations."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator

import numpy as np
import xarray

from cortexrsa.errors import InputError
from cortexrsa.formats.rdms import RDMs
from cortexrsa.geometry.compare import normalise
from cortexrsa.geometry.rdm import Rows, n_stimuli
from cortexrsa.geometry.registry import COMPARISONS
from cortexrsa.inference import permutation, splits
from cortexrsa.inference.errors import QUANTITIES
from cortexrsa.inference.families import p_values
from cortexrsa.inference.influence import PairGroups
from cortexrsa.inference.layer_choice import candidate_layers
from cortexrsa.inference.names import CANDIDATES, FITTED, GROUP, PRIMARY, SELECTION
from cortexrsa.inference.relabelling import Parts, null_draws, relabelled
from cortexrsa.inference.replication import OnePass, replication
from cortexrsa.inference.settings import Settings
from cortexrsa.streams import Stream, generator

# with more stimuli than that, tests against zero are by the moments of all relabellings
MOST_PERMUTED = 2000


def score_network(
    network: RDMs, brain: RDMs, comparison: str, settings: Settings, threads: int = 1
) -> xarray.Dataset:
    """Scores of all layers in all ROIs and subjects, with replicates and permutations that models share.

    Parameters
    ----------
    network : RDMs with columns layer, layer_index, depth
    brain : RDMs with columns subject, roi, over the same stimuli
    comparison : see `geometry.compare.compare`
    threads : the result does not depend on it

    Returns
    -------
    xarray.Dataset with
        score (split, subject, roi, layer), and deviations (split, replicate, subject, roi, layer; float32)
        from it in the replicates of the stimuli of each split; those of a split with fewer end in NaN;
        replicates (split, quantity): how they make a variance, the fields of `errors.Replicates`;
        heldout (subject, roi, candidate), heldout_deviations (replicate, subject, roi, candidate): the same
        in the primary split, of layers chosen (weights fitted) on other stimuli (the training split, or
        repeated halves);
        p (unit, roi, layer), null_maximum (permutation, unit, roi): permutation test in the primary split,
        units are the subjects and, with several, their mean;
        measured (subject, roi): 1 where there is an RDM, NaN elsewhere, if ROIs have subjects of their own.

    Raises
    ------
    InputError : the stimuli of network and brain differ.
    """
    for column in ("stimulus_id", "split"):
        if list(network.pattern_descriptors[column]) != list(brain.pattern_descriptors[column]):
            raise InputError(column, "other stimuli or another order", "those of the brain RDMs")
    parts = [_scores_of_part(network, part, comparison, settings, threads) for part in splits.parts_of(brain)]
    if len(parts) == 1:
        return parts[0]
    subjects, rois = (list(dict.fromkeys(brain.rdm_descriptors[name])) for name in ("subject", "roi"))
    for part in parts:
        shape = part.sizes["subject"], part.sizes["roi"]
        part["measured"] = (("subject", "roi"), np.ones(shape))
    merged = xarray.merge(parts, join="outer", compat="no_conflicts", combine_attrs="override")
    return merged.sel(subject=subjects, roi=rois)


def _scores_of_part(
    network: RDMs, brain: RDMs, comparison: str, settings: Settings, threads: int
) -> xarray.Dataset:
    """`score_network` of ROIs that have the same subjects."""
    depth = network.rdm_descriptors["depth"].to_numpy()
    data, found, result = {}, {}, []
    for split in splits.splits_of(brain):
        targets, subjects, rois = splits.brain_rows(brain, split)
        keep = (network.pattern_descriptors["split"] == split).to_numpy()
        data[split] = targets, Rows(network.dissimilarities, keep)
        method = replication(int(keep.sum()), settings)
        if method.n <= MOST_PERMUTED or not isinstance(method, OnePass):
            # read once, as several steps take them
            data[split] = tuple(np.stack(list(rdms)) for rdms in data[split])
        values = method.similarity(*data[split], comparison, threads)
        scores, deviations = (
            value.reshape(*value.shape[:-2], len(subjects), len(rois), len(depth)) for value in values
        )
        found[split] = method, (scores, deviations)
        result.append(_of_split(scores, deviations, method))
    dataset = xarray.concat(result, dim="split", join="outer").assign_coords(
        split=splits.splits_of(brain),
        subject=subjects,
        roi=rois,
        layer=list(network.rdm_descriptors["layer"]),
        depth=("layer", depth),
        layer_index=("layer", network.rdm_descriptors["layer_index"]),
        candidate=[*CANDIDATES, *([FITTED] if settings.fitted else [])],
        quantity=list(QUANTITIES),
    )
    candidates = candidate_layers(depth)
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
            *data[PRIMARY], (len(subjects), len(rois)), method, candidates, comparison, settings, threads
        )
    dataset["heldout"] = (("subject", "roi", "candidate"), heldout)
    lacking = [(0, dataset.sizes["replicate"] - len(deviations))] + [(0, 0)] * heldout.ndim
    padded = np.pad(deviations.astype(np.float32), lacking, constant_values=np.nan)
    dataset["heldout_deviations"] = (("replicate", "subject", "roi", "candidate"), padded)
    dataset.attrs["subject_effect"] = settings.subject_effect
    return dataset.merge(
        _permutation_test(*data[PRIMARY], values[0], subjects, comparison, settings, threads)
    )


def _of_split(scores: np.ndarray, deviations: np.ndarray, method) -> xarray.Dataset:
    data = {
        "score": (("subject", "roi", "layer"), scores),
        "deviations": (("replicate", "subject", "roi", "layer"), deviations.astype(np.float32)),
        "replicates": (("quantity",), method.replicates.packed()),
        "n_stimuli": method.n,
    }
    return xarray.Dataset(data, coords={"replicate": range(len(deviations))})


def _permutation_test(targets, layers, observed, subjects, comparison, settings, threads) -> xarray.Dataset:
    """p and null_maximum of `score_network`, of RDMs (k, pairs) and their scores (subjects, rois, l)."""
    pairs, units = targets.shape[1], list(subjects)
    if len(subjects) > 1:
        units.append(GROUP)
        observed = np.concatenate([observed, observed.mean(axis=0, keepdims=True)])
    by_moments = n_stimuli(pairs) > MOST_PERMUTED and COMPARISONS[comparison].kernel != "concordances"
    method = _by_moments if by_moments else _by_permutations
    p, null = method(targets, layers, observed, comparison, settings, threads)
    sound = np.isfinite(observed).any(axis=-1)
    maximum = np.where(sound, np.nan_to_num(null, nan=-np.inf).max(axis=-1), np.nan)
    return xarray.Dataset(
        {"p": (("unit", "roi", "layer"), p), "null_maximum": (("permutation", "unit", "roi"), maximum)},
        coords={"unit": units},
    )


def _by_permutations(targets, layers, observed, comparison, settings, threads):
    """p (units, rois, layers), and similarities in the permutations, (permutations, units, rois, layers)."""
    rdms = (np.stack(list(each)) for each in (targets, layers))
    null = permutation.permutation_null(*rdms, settings.permutations, settings.seed, comparison, threads)
    rois = observed.shape[1]
    null = null.reshape(len(null), -1, rois, len(layers))
    if len(observed) > null.shape[1]:
        null = np.concatenate([null, null.mean(axis=1, keepdims=True)], axis=1)
    return p_values(observed, null), null


def _by_moments(targets, layers, observed, comparison, settings, threads):
    """As `_by_permutations`, from the moments of all relabellings."""
    groups = PairGroups.of(n_stimuli(layers.shape[1]), generator(settings.seed, Stream.PAIRS))
    rois = observed.shape[1]
    subjects = len(targets) // rois

    def transformed(rdms: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        # one at a time: of many stimuli they need not fit into memory together
        return (normalise(rdm[None], comparison)[0] for rdm in rdms)

    def of_units() -> Iterator[np.ndarray]:
        yield from transformed(targets)
        for roi in range(rois) if len(observed) > subjects else ():
            # the mean over subjects under one relabelling is that of their transformed RDMs
            own = transformed(targets[subject * rois + roi] for subject in range(subjects))
            yield functools.reduce(np.add, own) / subjects

    models = Parts.of(transformed(layers), groups)

    brain = Parts.of(of_units(), groups)
    flat = observed.reshape(-1, len(layers))
    null = null_draws(brain, models, settings.permutations, settings.seed)
    p = relabelled(brain, models).p_values(flat)
    return p.reshape(observed.shape), null.reshape(-1, *observed.shape)
