"""Encoding models from the files of a network's activations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import xarray

from cortexrsa.encoding.folds import Partition, units_of
from cortexrsa.encoding.kernels import Kernel, layer_kernel, mean_kernel
from cortexrsa.encoding.network import encode_network
from cortexrsa.encoding.settings import EncodingSettings
from cortexrsa.encoding.stimuli import checked_stimuli
from cortexrsa.errors import InputError, concerning, suggestion
from cortexrsa.formats.activations import Activations, read_layers
from cortexrsa.inference.design import design_of
from cortexrsa.inference.settings import Settings
from cortexrsa.jobs import warn


def bands_in_files(
    names: Sequence[str], folders: dict[str, Sequence[str | Path]], n: int, units: str
) -> dict[str, Callable[[Partition], Kernel]]:
    """Bands of `banded.encode_bands`, from the files of networks' activations.

    Parameters
    ----------
    names : NETWORK (the mean of its layers' kernels) or NETWORK/LAYER
    folders : by network, those of the shards of its activations
    n : number of stimuli
    units : of the features, see `kernels.layer_kernel`

    Raises
    ------
    InputError : a layer that the network does not have (with the nearest).
    """
    bands = {}
    for name in names:
        network, _, layer = name.partition("/")
        layers = list(read_layers(folders[network])["layer"])
        if layer and layer not in layers:
            raise InputError(f"encoding.bands: {name}", repr(layer), suggestion(layer, layers))

        def kernel(part: Partition, network=network, chosen=(layer,) if layer else tuple(layers)) -> Kernel:
            paths = [[Path(folder, f"{each}.npy") for folder in folders[network]] for each in chosen]
            return mean_kernel(
                [layer_kernel(Activations(own, n), part.train, part.test, units) for own in paths]
            )

        bands[name] = kernel
    return bands


def encode(
    activations: Sequence[str | Path],
    stimuli: str | Path,
    responses: xarray.DataArray,
    settings: EncodingSettings,
    inference: Settings,
    threads: int = 1,
    in_no_fold: np.ndarray | None = None,
) -> xarray.Dataset:
    """`network.encode_network` of the layers in files.

    Parameters
    ----------
    activations : folders K-of-N of the shards in their order, see `geometry.layers.network_rdms`
    stimuli : `stimuli.tsv`, rows in the order of the activations
    responses, in_no_fold : see `encode_network`

    Raises
    ------
    InputError : also if the responses are to other stimuli than `stimuli`.
    """
    table = checked_stimuli(stimuli, responses)
    layers = read_layers(activations).rename(columns={"index": "layer_index"})

    def features(layer: str) -> Activations:
        return Activations([Path(folder, f"{layer}.npy") for folder in activations], len(table))

    with concerning(stimuli):
        design = design_of(table, inference.unit, inference.categories)
        units = units_of(table, settings.folds_by, design)
    found = encode_network(
        layers, features, responses, settings, inference, units, threads, design, in_no_fold
    )
    if "ridge" in settings.methods:
        alphas = found["alpha"].sel(estimator="ridge").to_numpy()
        lowest = np.isclose(alphas, settings.grid[0]).mean(axis=1)
        if lowest.max() > 0.05:
            layer = str(found["layer"].to_numpy()[lowest.argmax()])
            warn(
                f"{lowest.max():.0%} of the voxels take the lowest regularisation in {layer}: "
                "encoding.alphas.lowest may be too high for them"
            )
    return found
