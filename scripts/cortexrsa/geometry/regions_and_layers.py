"""RDMs of brain regions and of network layers, from their files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray

from cortexrsa.files import Activations, InputError, RDMs, read_layers, read_table
from cortexrsa.geometry.rdm import rdm, squareform


def brain_rdms(responses: xarray.DataArray, dissimilarity: str, source: str | Path = "responses") -> RDMs:
    """RDMs of every subject and ROI, from responses averaged over repeats.

    Parameters
    ----------
    responses : see `files.write_responses`
    dissimilarity : see `geometry.rdm.rdm`
    source : file to name in an error

    Raises
    ------
    InputError : the pattern of a stimulus is constant over the voxels of a ROI (as a lost trial filled with
        zeros is), or not finite.
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
    for (subject, roi), values in zip(regions.itertuples(index=False), dissimilarities, strict=True):
        undefined = np.isnan(squareform(values)).sum(axis=1)
        if undefined.any():
            stimulus = patterns["stimulus_id"][int(undefined.argmax())]
            raise InputError(
                source,
                f"responses to {stimulus!r}",
                f"a constant or missing pattern in {roi} of {subject}",
                "finite responses that vary over voxels",
            )
    return RDMs(np.stack(dissimilarities), regions, patterns, dissimilarity)


def network_rdms(activations: Sequence[str | Path], stimuli: str | Path, dissimilarity: str) -> RDMs:
    """RDMs of all layers of one network.

    Parameters
    ----------
    activations : folders K-of-N of the shards in their order, each with `layers.tsv` and, of its stimuli,
        `{layer}.npy` (rows, features)
    stimuli : `stimuli.tsv`, n rows in the order of the activations
    dissimilarity : see `geometry.rdm.rdm`

    Raises
    ------
    InputError : an array that cannot be read, is not finite, or whose rows are not the stimuli.
    """
    layers = read_layers(activations)
    patterns = read_table(stimuli, ["stimulus_id", "split"])[["stimulus_id", "split"]]
    dissimilarities = []
    for layer in layers["layer"]:
        paths = [Path(folder, f"{layer}.npy") for folder in activations]
        features = Activations(paths, len(patterns))
        dissimilarities.append(rdm(features, dissimilarity))
        # a constant pattern leaves NaN too, rightly
        if np.isnan(dissimilarities[-1]).any():
            for path, part in zip(paths, features.parts, strict=True):
                if not np.isfinite(part).all():
                    raise InputError(path, "activations", "NaN or infinite values", "finite values")
    columns = layers.rename(columns={"index": "layer_index"})[["layer", "layer_index", "depth"]]
    return RDMs(np.stack(dissimilarities), columns, patterns, dissimilarity)
