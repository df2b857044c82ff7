"""What a run will take, from the cards alone: stimuli, features of the layers, gigabytes."""

from __future__ import annotations

import functools
import json
import math
from pathlib import Path

import pandas as pd

from cortexrsa.brain.loaders.places import local_files
from cortexrsa.cards import card_files
from cortexrsa.errors import InputError, concerning
from cortexrsa.formats.image_names import IMAGE_SUFFIXES
from cortexrsa.seeds import file_of


def count_stimuli(name: str, card: dict, results: Path) -> int | None:
    """Number of stimuli of a data set.

    Parameters
    ----------
    name, card : of the data set
    results : folder in which `{name}/stimuli.tsv` may already stand

    Returns
    -------
    n : None where the card does not tell and the stimuli have not been read
    """
    table = results / name / "stimuli.tsv"
    if table.exists():
        return len(pd.read_csv(table, sep="\t"))
    options = card["options"]
    if "train" in options and "test" in options:
        return options["train"] + options["test"]
    if card["loader"] == "rdms":
        images = [file for file in [*card_files(card), *local_files(card)] if f"{card['images']}/" in file]
        return sum(Path(file).suffix.lower() in IMAGE_SUFFIXES for file in images) or None
    return None


def count_features(card: dict) -> list[int]:
    """Features of each layer of a network, by a forward pass without numbers (PyTorch's meta device).

    Parameters
    ----------
    card : of a network, its preprocessing as of `cards.seen_by`

    Raises
    ------
    InputError : a network or layer that does not exist.
    """
    import torch

    from cortexrsa.networks.build import build
    from cortexrsa.networks.layers import recorded

    features = []

    def run(device: str) -> None:
        features.clear()
        with torch.device(device):
            network = build(card["network"]).eval()
            image = torch.zeros(1, 3, card["preprocessing"]["size"], card["preprocessing"]["size"])
        with (
            torch.inference_mode(),
            recorded(network, card["layers"], lambda _, out: features.append(out[0].numel())),
        ):
            network(image)

    try:
        run("meta")
    except (InputError, NotImplementedError, RuntimeError):
        # a network that looks at its numbers, or makes some outside of PyTorch; a wrong card fails again
        run("cpu")
    return features


def traced(models: dict[str, dict], projection: int | None = None) -> dict[str, list[int]]:
    """`count_features` of every model, at most `projection` each; each architecture is traced once."""
    features = {}
    for name, card in models.items():
        parts = {key: card[key] for key in ("network", "preprocessing", "layers")}
        with concerning(f"resources/models/{file_of(name)}.yaml"):
            counts = _features_of(json.dumps(parts, sort_keys=True))
        features[name] = [min(count, projection or count) for count in counts]
    return features


@functools.cache
def _features_of(architecture: str) -> list[int]:
    return count_features(json.loads(architecture))


def disk(
    datasets: dict[str, dict], models: dict[str, dict[str, list[int]]], inference: dict, results: Path
) -> pd.DataFrame:
    """Bytes that a study will occupy.

    Parameters
    ----------
    datasets : cards
    models : data set -> name -> features of each layer
    inference : `bootstrap` and `permutations` of the configuration
    results : folder of the results

    Returns
    -------
    table : one row a data set: dataset, stimuli, activations (float32), largest (of one network), rdms
        (float64), scores (resamples and permutations of all layers and ROIs, for one subject); stimuli is
        <NA> and sizes NaN where the number of stimuli is not known yet
    """
    rows = []
    for name, card in datasets.items():
        n = count_stimuli(name, card, results)
        count = math.nan if n is None else n
        own = models[name].values()
        layers = sum(map(len, own))
        per_network = [4 * count * sum(features) for features in own]
        draws = inference["bootstrap"] + inference["permutations"]
        rows.append(
            {
                "dataset": name,
                "stimuli": n,
                "activations": sum(per_network),
                "largest": max(per_network),
                "rdms": 8 * layers * count * (count - 1) / 2,
                "scores": 8.0 * layers * len(card["rois"]) * draws,
            }
        )
    return pd.DataFrame(rows).astype({"stimuli": "Int64"})


def needed(sizes: pd.DataFrame, keep_activations: bool) -> float:
    """Bytes that a study's results take at once, of those that are known.

    Parameters
    ----------
    sizes : of `disk`
    keep_activations : of the configuration; if not kept, those of the largest network count once
    """
    activations = sizes["activations"].sum() if keep_activations else sizes["largest"].max()
    return float(sizes[["rdms", "scores"]].sum().sum() + (0 if math.isnan(activations) else activations))
