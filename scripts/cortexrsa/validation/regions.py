"""Do contrasts of ROIs keep their level, and find what differs? Simulated, with the layers of ROIs known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pandas as pd
import xarray

from cortexrsa.claim_names import Cast
from cortexrsa.formats.rdms import RDMs
from cortexrsa.geometry.rdm import rdm
from cortexrsa.geometry.regions import brain_rdms
from cortexrsa.geometry.registry import DISSIMILARITIES
from cortexrsa.geometry.voxel_groups import brain_rdms_without
from cortexrsa.inference.claims.study import Study
from cortexrsa.inference.claims.terms import Reading
from cortexrsa.inference.claims.values import value_of
from cortexrsa.inference.names import PRIMARY, SELECTION
from cortexrsa.inference.scores import score_network
from cortexrsa.inference.settings import Settings
from cortexrsa.inference.study import model_scores
from cortexrsa.jobs import progress
from cortexrsa.validation.responses import responses_of

ROIS = ("early", "late")
CODE, FEATURES, VOXELS, LAYERS, TRAINING = 8, 60, 100, 8, 12
LEVEL = 0.05
# SD of the log of the contrasts of images, by which layers and responses scale
CONTRAST = 0.5
# depth of the layer that each ROI holds, the reliability of its mean responses, and the SD of log contrasts
TRUTHS = {
    "same layer": ((0.5, 0.5), (0.6, 0.6), 0.0),
    "other layers": ((0.4, 0.6), (0.6, 0.6), 0.0),
    "same layer, unequal noise": ((0.5, 0.5), (0.9, 0.2), 0.0),
    "same layer, unequal noise, contrasts": ((0.5, 0.5), (0.9, 0.2), CONTRAST),
}
STATISTICS = {
    "difference of depth centroids": Reading("centroid", "network", ("late",)),
    "difference of slopes": Reading("slope", "network", ("late",)),
    "difference of a layer's scores": Reading("score", "network", ("late",), layer=("layer", "3")),
}


# how unequal noise is met: name, dissimilarity, setting
WAYS = (
    ("matched", "correlation", "matched"),
    ("none", "correlation", "ignored"),
    ("crossnobis", "crossnobis", "ignored"),
)


@dataclass
class World:
    """A network that turns from an early to a late code, and two ROIs that each hold one of its layers.

    Attributes
    ----------
    truth : of `TRUTHS`
    """

    truth: str

    def __post_init__(self):
        # the layers are the same in all studies: networks are what they are
        self.mixing = np.random.default_rng(0).normal(size=(LAYERS, 2 * CODE, FEATURES))

    def sample(self, n: int, random: np.random.Generator) -> tuple[np.ndarray, list[np.ndarray]]:
        """Layers (layers, n, features) and trials of either ROI (n, 2, voxels) in a study of its own."""
        early, late = random.normal(size=(2, n, CODE))
        depths_of_rois, reliabilities, contrast = TRUTHS[self.truth]
        gains = np.exp(contrast * random.normal(size=(n, 1))) if contrast else 1.0

        def codes(depth: float) -> np.ndarray:
            return gains * np.hstack([np.sqrt(1 - depth) * early, np.sqrt(depth) * late])

        depths = np.linspace(0.05, 0.95, LAYERS)
        layers = np.stack([codes(depth) @ mixing for depth, mixing in zip(depths, self.mixing, strict=True)])
        responses = []
        for depth, reliability in zip(depths_of_rois, reliabilities, strict=True):
            signal = codes(depth) @ random.normal(size=(2 * CODE, VOXELS))
            noise = np.sqrt(2 * (1 / reliability - 1)) * signal.std(axis=0)
            trials = signal + noise * random.normal(size=(2, *signal.shape))
            responses.append(np.moveaxis(trials, 0, 1))
        return layers, responses


def scored(
    layers: np.ndarray,
    trials: list[np.ndarray],
    settings: Settings,
    dissimilarity: str = "correlation",
    unequal_noise: str = "matched",
) -> xarray.Dataset:
    """Scores of a study, with those by which ROIs are compared."""
    n = layers.shape[1]
    split = np.where(np.arange(n) < n - TRAINING, PRIMARY, SELECTION)
    patterns = pd.DataFrame({"stimulus_id": [f"{k}" for k in range(n)], "split": split})
    depth = np.linspace(0, 1, LAYERS)
    table = pd.DataFrame({"layer": [f"{k}" for k in range(LAYERS)], "depth": depth})
    table["layer_index"] = range(LAYERS)
    of_layers = DISSIMILARITIES[dissimilarity].of_layers
    network = RDMs(np.stack([rdm(layer, of_layers) for layer in layers]), table, patterns, dissimilarity)
    responses = responses_of(dict(zip(ROIS, trials, strict=True)), patterns)
    without, _ = brain_rdms_without(
        responses, dissimilarity, settings.voxel_groups, unequal_noise=unequal_noise
    )
    brain = brain_rdms(responses, dissimilarity)
    return score_network(network, brain, "spearman", settings, without=without)


def _studies(result: xarray.Dataset, seed: int) -> dict[str, Study]:
    """One study by how its voxels are taken."""
    fixed = Study({"network": model_scores(result, seed)}, list(ROIS), {}, Cast(), 1 - LEVEL, seed=seed)
    # with nothing taken out, noise counts among the stimuli and among the voxels
    plain = result.assign({name: 0 * result[name] for name in ("score_crossed", "heldout_crossed")})
    found = {"as they are": fixed}
    for name, each in {"added plainly": plain, "a sample": result}.items():
        sampled = replace(fixed, models={"network": model_scores(each, seed, voxels=True)})
        found[name] = replace(fixed, over_voxels=sampled)
    return found


def contrasts_of_rois(truth: str, n: int, simulations: int, seed: int = 0) -> pd.DataFrame:
    """How often contrasts of two ROIs are told from 0.

    Parameters
    ----------
    truth : of `TRUTHS`
    n : stimuli of a study
    simulations : number of studies

    Returns
    -------
    table with columns statistic, voxels (how they are taken), noise (how it is met), rate, mc_error
    """
    world, told = World(truth), {}
    ways = WAYS if "unequal" in truth else WAYS[:1]
    with progress(simulations, "studies") as bar:
        for number in range(simulations):
            settings = Settings(standard_error="one-pass", permutations=1, seed=number)
            sample = world.sample(n + TRAINING, np.random.default_rng([seed, number]))
            for noise, dissimilarity, unequal in ways:
                studies = _studies(scored(*sample, settings, dissimilarity, unequal), number)
                # where noise is unequal the question is how that is met
                names = ["a sample"] if len(ways) > 1 else list(studies)
                for voxels, (statistic, late) in product(names, STATISTICS.items()):
                    terms = [(1.0, late), (-1.0, replace(late, rois=("early",)))]
                    low, high = value_of(studies[voxels], terms).limits(1 - LEVEL)
                    met = "none" if voxels == "as they are" else noise
                    told.setdefault((statistic, voxels, met), []).append(low > 0 or high < 0)
            bar.update(1)
    return pd.DataFrame(
        [
            {
                "statistic": statistic,
                "voxels": voxels,
                "noise": noise,
                "rate": np.mean(values),
                "mc_error": np.std(values) / np.sqrt(simulations),
            }
            for (statistic, voxels, noise), values in told.items()
        ]
    )
