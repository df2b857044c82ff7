"""RDMs of the layers of a network, from the files of its activations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cortexrsa.errors import InputError
from cortexrsa.formats.activations import Activations, read_layers
from cortexrsa.formats.columns.stimuli import STIMULI
from cortexrsa.formats.rdms import RDMs
from cortexrsa.formats.tables import read_table
from cortexrsa.geometry.rdm import rdm
from cortexrsa.geometry.registry import DISSIMILARITIES
from cortexrsa.geometry.units import InUnits
from cortexrsa.jobs import progress


def network_rdms(
    activations: Sequence[str | Path],
    stimuli: str | Path,
    dissimilarity: str,
    units: str = "raw",
    threads: int = 1,
) -> RDMs:
    """RDMs of all layers of one network.

    Parameters
    ----------
    activations : folders K-of-N of the shards in their order, each with `layers.tsv` and, of its stimuli,
        `{layer}.npy` (rows, features)
    stimuli : `stimuli.tsv`, n rows in the order of the activations
    dissimilarity : of the brain's RDMs; that of the layers is the one that goes with it
    units : of the features, see `units.InUnits`; from the training stimuli, or all where no split is one
    threads : see `geometry.rdm.rdm`

    Raises
    ------
    InputError : an array that cannot be read, is not finite, or whose rows are not the stimuli.
    """
    dissimilarity = DISSIMILARITIES[dissimilarity].of_layers
    layers = read_layers(activations)
    patterns = read_table(stimuli, STIMULI)[["stimulus_id", "split"]]
    n = len(patterns)
    training = (patterns["split"] == "train").to_numpy()
    reference = training if training.any() else np.ones(n, bool)
    dissimilarities = np.empty((len(layers), n * (n - 1) // 2))
    with progress(len(layers), "layers") as bar:
        for values, layer in zip(dissimilarities, layers["layer"], strict=True):
            paths = [Path(folder, f"{layer}.npy") for folder in activations]
            features = Activations(paths, n)
            values[:] = rdm(InUnits(features, units, reference), dissimilarity, threads)
            # a constant pattern leaves NaN too, rightly
            if np.isnan(values).any():
                for path, part in zip(paths, features.parts, strict=True):
                    if not np.isfinite(part).all():
                        raise InputError("activations", "NaN or infinite values", "finite values", file=path)
            bar.update(1)
    columns = layers.rename(columns={"index": "layer_index"})[["layer", "layer_index", "depth", "shape"]]
    return RDMs(dissimilarities, columns, patterns, dissimilarity)
