"""Unique and shared variance: what sources of RDMs explain of a region's RDM, weighted on other stimuli."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cortexrsa.formats.rdms import RDMs
from cortexrsa.geometry.compare import usable
from cortexrsa.geometry.rdm import Rows, subset
from cortexrsa.inference import splits
from cortexrsa.inference.fitted import group_target, weights_of_sets
from cortexrsa.inference.halves import halves_of
from cortexrsa.inference.names import DESCRIPTORS, NETWORK, PRIMARY, SELECTION, TOGETHER
from cortexrsa.inference.partial import Chained
from cortexrsa.inference.replication import OnePass
from cortexrsa.inference.settings import Settings
from cortexrsa.inference.smallest import HALVES

# weights are fitted on no more stimuli: they are some dozens, and these have 80,000 pairs
MOST_FITTED = 400


@dataclass(frozen=True)
class Sourced:
    """RDMs of several sources, each read when it is asked for.

    Attributes
    ----------
    rdms : (k, pairs)
    names : (k,) source of each
    """

    rdms: Chained
    names: np.ndarray

    @classmethod
    def of(cls, network: RDMs, confounds: np.ndarray, families: Sequence[str]) -> Sourced:
        """Layers that vary, and confounds, by the family that counts as one source."""
        layers = network.dissimilarities
        kept = [k for k in range(len(layers)) if usable(layers[k])]
        names = [NETWORK] * len(kept) + list(families)
        return cls(Chained((layers, kept), (confounds, range(len(confounds)))), np.array(names))

    def sets(self) -> dict[str, np.ndarray]:
        """Rows of all sources together, of all but each ("-NAME"), and of each alone ("NAME")."""
        sources = list(dict.fromkeys(self.names))
        found = {TOGETHER: np.ones(len(self.names), bool)}
        found |= {f"-{name}": self.names != name for name in sources}
        return found | {name: self.names == name for name in sources}

    def mixed(self, weights: np.ndarray, keep: np.ndarray) -> np.ndarray:
        """Mixtures (sets, pairs) over the stimuli `keep`, of weights (sets, k)."""
        rdms, found = Rows(self.rdms, keep), 0.0
        for k, own in enumerate(weights.T):
            if own.any():
                found = found + own[:, None] * rdms[k]
        return found


def sources_of(confounds: RDMs) -> tuple[str, ...]:
    """Of each confound what it counts as: all descriptors of the images as one, those of the user each."""
    own = confounds.rdm_descriptors
    return tuple(np.where(own["given"].astype(bool), own["family"], DESCRIPTORS))


def explained(
    network: RDMs,
    brain: RDMs,
    confounds: np.ndarray,
    families: Sequence[str],
    settings: Settings,
    threads: int = 1,
) -> dict:
    """Correlation of ROIs' RDMs with mixtures of layers and of confounds, weighted on other stimuli.

    The sources are the network (all its layers) and the families of confounds. Of all sources together, of
    all but each, and of each alone, weights >= 0 are fitted to the subjects' mean RDM on the training
    stimuli; without a training split on one half of the stimuli for the other, as layers are chosen.

    Parameters
    ----------
    brain : RDMs of ROIs that have the same subjects
    confounds : (k, pairs)
    families : of each confound, the source that it is a part of
    settings : halves and seed
    threads : the result does not depend on it

    Returns
    -------
    variables of a data set: explained (subject, roi, sources), and explained_deviations with the replicates
    of `replication.OnePass` before that; NaN with too few stimuli

    References
    ----------
    Khaligh-Razavi & Kriegeskorte 2014, doi:10.1371/journal.pcbi.1003915 (non-negative weights); Groen et al.
    2018, doi:10.7554/eLife.32962 (unique and shared variance of models of RDMs)
    """
    sources = Sourced.of(network, confounds, families)
    test, subjects, rois = splits.brain_rows(brain, PRIMARY)
    n, sets = int(test.keep.sum()), sources.sets()
    method = OnePass(n, settings.seed)
    shape = len(subjects), len(rois)
    if SELECTION in set(brain.pattern_descriptors["split"]):
        train = splits.brain_rows(brain, SELECTION)[0]
        weights = _weights(train, sources, sets, shape, train.keep)
        found = _scored(test, sources, weights, shape, method, np.ones(n, bool), threads)
    elif n < HALVES.needed:
        found = np.full((1 + sum(method.replicates.sizes), *shape, len(sets)), np.nan)
    else:
        # stimuli of the halves among all of them: there is one split
        parts = []
        for half in halves_of(n, settings, None):
            for keep in (half, ~half):
                weights = _weights(test, sources, sets, shape, _among(test.keep, ~keep))
                parts.append(_scored(test, sources, weights, shape, method, keep, threads))
        found = np.mean(parts, axis=0)
    axes = ("subject", "roi", "sources")
    moved = ("explained_replicate", *axes), found[1:].astype(np.float32)
    return {"explained": (axes, found[0]), "explained_deviations": moved, "sources": list(sets)}


def _among(kept: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Of all stimuli those that are chosen among the kept ones."""
    out = kept.copy()
    out[kept] = chosen
    return out


def _weights(brain: Rows, sources: Sourced, sets: dict, shape, keep: np.ndarray) -> np.ndarray:
    """(rois, sets, k) weights >= 0, fitted on (some of) the stimuli `keep`."""
    places = np.flatnonzero(keep)
    if len(places) > MOST_FITTED:
        keep = np.zeros_like(keep)
        # evenly spaced: the first ones may be of one session
        keep[places[np.linspace(0, len(places) - 1, MOST_FITTED).astype(int)]] = True
    values = np.stack(list(Rows(sources.rdms, keep)))
    target = np.stack(list(Rows(brain.source, keep, brain.rows)))
    target = group_target(target.reshape(*shape, -1))
    return weights_of_sets(target, values, list(sets.values()))


def _scored(
    brain: Rows, sources: Sourced, weights: np.ndarray, shape, method: OnePass, keep: np.ndarray, threads: int
) -> np.ndarray:
    """Correlations and deviations (1 + replicates, subjects, rois, sets) over the test stimuli `keep`."""
    out = np.zeros((1 + sum(method.replicates.sizes), *shape, weights.shape[1]))
    whole = keep.all()
    places = _among(brain.keep, keep)
    for roi in range(shape[1]):
        # without any weight nothing is predicted: 0
        some = weights[roi].any(axis=1)
        if not some.any():
            continue
        mixtures = sources.mixed(weights[roi, some], places)
        own = Rows(brain.source, brain.keep, [brain.rows[s * shape[1] + roi] for s in range(shape[0])])
        if whole:
            scores, moved = method.similarity(own, mixtures, "pearson", threads)
        else:
            scores, moved = method.in_part(subset(own, keep), mixtures, keep, "pearson", threads)
        out[:, :, roi, some] = np.concatenate([scores[None], moved])
    return out
