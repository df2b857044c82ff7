"""Is a claim beyond low-level descriptors supported where nothing is beyond them? Simulated, the truth known.

Regions and networks share filters that are none of the controls: odd and centre-surround filters of other
frequencies, each sign rectified for itself and normalised by its surround, on grids that no descriptor has.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import fft, ndimage

from cortexrsa.brain.simulated.images import make_images
from cortexrsa.claim_names import Cast
from cortexrsa.formats.rdms import RDMs
from cortexrsa.geometry.descriptors import DESCRIPTORS, area_weights, grey
from cortexrsa.geometry.rdm import rdm
from cortexrsa.inference.claims.evaluate import evaluate
from cortexrsa.inference.claims.study import Study
from cortexrsa.inference.confounds import chosen_confounds, confound_rdms
from cortexrsa.inference.measures import Sources, measure_network
from cortexrsa.inference.names import PRIMARY, SELECTION
from cortexrsa.inference.settings import Settings
from cortexrsa.inference.study import model_scores, models_of_seeds
from cortexrsa.jobs import progress

ROIS = ("V1", "LO")
SEEDS, VOXELS, NOISE, CODE = 5, 80, 0.6, 8
ROLES = {"task_optimised": "net", "generative": "vae", "self_supervised": "ssl", "untrained": "untrained"}
# cycles an image and grid of the layers, from fine to coarse; how much of the early code each trained one has
DEPTHS, EARLY = ((13, 11), (9, 7), (6, 5), (4, 3)), (1.0, 0.7, 0.3, 0.0)
MEASURES = ("spearman", "partial_rsa")
# share of the variance of trained networks and regions that is beyond low-level drive, and whether random
# weights compress what they compute (else they are as the trained ones are, by other draws)
TRUTHS = {
    "low-level drive alone": (0.0, True),
    "low-level drive alone, random weights alike": (0.0, False),
    "half is beyond": (0.5, True),
}


# ---- what regions and networks compute -------------------------------------------------------------------


def _pooled(maps: np.ndarray, grid: int) -> np.ndarray:
    weights = area_weights(maps.shape[-1], grid)
    return (weights @ maps @ weights.T).reshape(len(maps), -1)


def _odd_filters(images: np.ndarray, cycles: float, orientations: int, start: float):
    """Signed responses of odd filters, at orientations from `start` on."""
    side = images.shape[-1]
    y, x = np.meshgrid(fft.fftfreq(side), fft.fftfreq(side), indexing="ij")
    transformed = fft.fft2(images - images.mean(axis=(1, 2), keepdims=True))
    for k in range(orientations):
        angle, frequency = start + k * np.pi / orientations, cycles / side
        u, v = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
        envelope = np.exp(-((np.abs(u) - frequency) ** 2 + v**2) / (2 * (0.45 * frequency) ** 2))
        yield fft.ifft2(transformed * envelope * 1j * np.sign(u)).real


def drive(images: np.ndarray, cycles: float, grid: int, random: np.random.Generator) -> np.ndarray:
    """Rectified, normalised responses to edges and spots, pooled over a grid: (n, features)."""
    maps = list(_odd_filters(images, cycles, 5, random.uniform(0, np.pi)))
    width = images.shape[-1] / cycles / 4
    maps.append(
        ndimage.gaussian_filter(images, (0, width, width))
        - ndimage.gaussian_filter(images, (0, 1.6 * width, 1.6 * width))
    )
    energy = ndimage.gaussian_filter(sum(each**2 for each in maps), (0, 6, 6))
    parts = [
        np.maximum(sign * each, 0) / np.sqrt(energy + energy.mean()) for each in maps for sign in (1, -1)
    ]
    return np.concatenate([_pooled(part, grid) for part in parts], axis=1)


def _with_code(features: np.ndarray, code: np.ndarray, share: float) -> np.ndarray:
    """Features, and beside them a code that has this share of the variance of all."""
    size = features.var(axis=0).sum() / code.var(axis=0).sum() * share / (1 - share)
    return np.concatenate([features, np.sqrt(size) * code], axis=1)


@dataclass
class World:
    """Images, two regions, a trained and a self-supervised network, untrained ones, and a VAE of pixels.

    Attributes
    ----------
    images : (n, side, side, 3) uint8
    features : by region, (n, features)
    layers : by network, of each layer (n, features)
    """

    images: np.ndarray
    features: dict[str, np.ndarray]
    layers: dict[str, list[np.ndarray]]

    @classmethod
    def drawn(cls, n: int, truth: str, random: np.random.Generator) -> World:
        """Images, filters and codes are drawn anew.

        Parameters
        ----------
        n : stimuli
        truth : of `TRUTHS`
        """
        share, compressed = TRUTHS[truth]
        images = np.repeat(make_images(n, 64, int(random.integers(1 << 31)))[0][..., None], 3, axis=-1)
        seen = grey(images)

        def region(*parts: tuple[int, int]) -> np.ndarray:
            values = np.concatenate([drive(seen, *part, random) for part in parts], axis=1)
            return (values - values.mean(axis=0)) / (values.std(axis=0) + 1e-9)

        def network() -> list[np.ndarray]:
            own = np.random.default_rng(random.integers(1 << 31))
            start = own.bit_generator.state
            found = []
            for depth in DEPTHS:
                # the same orientations in all layers
                own.bit_generator.state = start
                found.append(drive(seen, *depth, own))
            return found

        features = dict(zip(ROIS, (region((11, 7), (6, 7)), region((5, 3), (3, 3))), strict=True))
        layers = {"net": network(), "ssl": network()}
        for k in range(SEEDS):
            name = "untrained" if not k else f"untrained@{k + 1}"
            layers[name] = [np.tanh(3 * each) if compressed else each for each in network()]
        layers["vae"] = [_pooled(seen, grid) for grid in (24, 12, 6, 3)]
        if share:
            codes = random.standard_normal((2, n, CODE))
            features = {
                roi: _with_code(own, code, share)
                for (roi, own), code in zip(features.items(), codes, strict=True)
            }
            mixed = [np.hstack([np.sqrt(w) * codes[0], np.sqrt(1 - w) * codes[1]]) for w in EARLY]
            for name in ("net", "ssl"):
                layers[name] = [_with_code(*each, share) for each in zip(layers[name], mixed, strict=True)]
        return cls(images, features, layers)

    def responses(self, random: np.random.Generator) -> list[np.ndarray]:
        """Of each region, (n, voxels): every voxel mixes its features, with noise."""
        found = []
        for values in self.features.values():
            tuned = values @ random.standard_normal((values.shape[1], VOXELS))
            found.append(tuned + NOISE * tuned.std() * random.standard_normal(tuned.shape))
        return found


# ---- studies ---------------------------------------------------------------------------------------------


def study_of(world: World, train: int, random: np.random.Generator, seed: int) -> Study:
    """RSA and partial RSA of all networks of a world, whose first `train` stimuli are training stimuli."""
    n = len(world.images)
    patterns = pd.DataFrame({"stimulus_id": [str(k) for k in range(n)]})
    patterns["split"] = np.where(np.arange(n) < train, SELECTION, PRIMARY)

    def made(values: list[np.ndarray], table: pd.DataFrame) -> RDMs:
        return RDMs(np.stack([rdm(each, "correlation") for each in values]), table, patterns, "correlation")

    brain = made(world.responses(random), pd.DataFrame({"subject": "s", "roi": ROIS}))
    confounds = confound_rdms(world.images, patterns, list(DESCRIPTORS), "correlation")
    kept, _ = chosen_confounds(confounds, "spearman")
    settings, scores = Settings(permutations=1, seed=seed), {measure: {} for measure in MEASURES}
    depth = np.linspace(0, 1, len(DEPTHS))
    table = pd.DataFrame({"layer": list("abcd"), "layer_index": range(len(DEPTHS)), "depth": depth})
    for name, layers in world.layers.items():
        data = Sources(made(layers, table), brain, "spearman", confounds.dissimilarities[kept])
        found = measure_network(data, MEASURES, settings)
        for measure in MEASURES:
            scores[measure][name] = model_scores(found.sel(measure=measure), seed)
    rsa, partial = (models_of_seeds(scores[measure]) for measure in MEASURES)
    return Study(
        models=rsa["models"],
        rois=list(ROIS),
        ceilings={roi: {"kind": "unknown"} for roi in ROIS},
        cast=Cast({}, ROLES, {"early": "V1", "late": "LO"}),
        confidence=0.95,
        seed=seed,
        seeds=rsa["seeds"],
        others={("partial_rsa", PRIMARY): partial["models"]},
    )


def rules_of(content: dict) -> dict:
    """Claims about partial RSA of a file, and each without the tests against random weights.

    Parameters
    ----------
    content : from `claim_files.load_claims`
    """
    own = [claim for claim in content["claims"] if claim["measure"] == "partial_rsa"]
    former = [
        claim
        | {
            "id": f"{claim['id']}, descriptors alone",
            "tests": [test for test in claim["tests"] if "new_seed" not in str(test)],
        }
        for claim in own
    ]
    return content | {"claims": own + former}


def supported(truth: str, stimuli: int, simulations: int, claims: dict, seed: int = 0) -> pd.DataFrame:
    """How often the claims of a file, and their parts, are supported.

    Parameters
    ----------
    truth : of `TRUTHS`
    stimuli : of the test split; as many are training stimuli
    simulations : number of worlds
    claims : from `claim_files.load_claims`

    Returns
    -------
    table with columns claim, statistic, roi, rate, mc_error
    """
    rows = []
    with progress(simulations, "worlds") as bar:
        for number in range(simulations):
            random = np.random.default_rng([seed, number])
            world = World.drawn(2 * stimuli, truth, random)
            found = evaluate([study_of(world, stimuli, random, number)], {"claims": claims})
            rows.append(found[["claim", "statistic", "roi", "verdict"]].fillna(""))
            bar.update(1)
    found = pd.concat(rows)
    found["rate"] = (found["verdict"] == "supported").astype(float)
    rate = found.groupby(["claim", "statistic", "roi"], sort=False)["rate"].mean().reset_index()
    return rate.assign(mc_error=np.sqrt(rate["rate"] * (1 - rate["rate"]) / simulations))
