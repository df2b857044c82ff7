"""RDMs of brain regions and of network layers, from their files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import xarray

from cortexrsa.files import InputError, RDMs, load_array
from cortexrsa.geometry.rdm import rdm


def brain_rdms(responses: xarray.DataArray, dissimilarity: str) -> RDMs:
    """RDMs of every subject and ROI, from responses averaged over repeats.

    Parameters
    ----------
    responses : see `files.write_responses`
    dissimilarity : see `geometry.rdm.rdm`
    """
    if "repeat" in responses.dims:
        responses = responses.mean("repeat", skipna=True)
    responses = responses.transpose("stimulus", "voxel")
    regions = pd.DataFrame(
        {"subject": responses["subject"].to_numpy(), "roi": responses["roi"].to_numpy()}
    ).drop_duplicates(ignore_index=True)
    dissimilarities = [
        rdm(
            responses.isel(
                voxel=((responses["subject"] == subject) & (responses["roi"] == roi)).to_numpy()
            ).to_numpy(),
            dissimilarity,
        )
        for subject, roi in regions.itertuples(index=False)
    ]
    patterns = pd.DataFrame({name: responses[name].to_numpy() for name in ("stimulus_id", "split")})
    return RDMs(np.stack(dissimilarities), regions, patterns, dissimilarity)


def network_rdms(activations: str | Path, stimuli: str | Path, dissimilarity: str) -> RDMs:
    """RDMs of all layers of one network.

    Parameters
    ----------
    activations : folder with `layers.tsv` and `{layer}.npy` (n, features)
    stimuli : `stimuli.tsv`, n rows in the order of the activations
    dissimilarity : see `geometry.rdm.rdm`

    Raises
    ------
    InputError : an array that cannot be read, or whose rows are not the stimuli.
    """
    activations = Path(activations)
    layers = pd.read_csv(activations / "layers.tsv", sep="\t", dtype={"layer": str})
    patterns = pd.read_csv(stimuli, sep="\t", dtype={"stimulus_id": str})[["stimulus_id", "split"]]
    dissimilarities = []
    for layer in layers["layer"]:
        path = activations / f"{layer}.npy"
        features = load_array(path, mmap_mode="r")
        if features.ndim != 2 or len(features) != len(patterns):
            raise InputError(path, "shape", features.shape, f"({len(patterns)} stimuli, features)")
        dissimilarities.append(rdm(features, dissimilarity))
    columns = layers.rename(columns={"index": "layer_index"})[["layer", "layer_index", "depth"]]
    return RDMs(np.stack(dissimilarities), columns, patterns, dissimilarity)
