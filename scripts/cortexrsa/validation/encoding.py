"""Do the intervals of encoding scores cover? Simulated studies whose true scores are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cortexrsa.encoding.fits import ridge
from cortexrsa.encoding.folds import Partition, partitions
from cortexrsa.encoding.kernels import Kernel
from cortexrsa.encoding.regions import Part, Region, Score, places_of
from cortexrsa.encoding.reliability import targets
from cortexrsa.encoding.scores import Correlations
from cortexrsa.encoding.settings import EncodingSettings
from cortexrsa.encoding.voxels import VoxelGroups
from cortexrsa.inference.names import PRIMARY, SELECTION
from cortexrsa.inference.tails import student_quantile
from cortexrsa.jobs import progress

SETTINGS = EncodingSettings(alphas={"lowest": 1e-3, "highest": 1e2, "number": 8})
CODE, FEATURES, REPEATS = 10, 30, 4
# stimuli and voxels in which a fit's true scores are found, and voxels of a study
POPULATION, ALL_VOXELS, VOXELS = 3000, 900, 60
TRAIN = 200
# noise of the features about the code, of two layers
LAYERS = (0.5, 1.5)
SCHEMES = ("training split", "one split")


@dataclass
class World:
    """Voxels that are linear in a code but for a part of their own, and two layers that hold it with noise.

    Stimuli and voxels are drawn from populations. A study has `VOXELS` of `ALL_VOXELS`.
    """

    def __post_init__(self):
        random = np.random.default_rng(0)
        self.weights = random.normal(size=(CODE, ALL_VOXELS)) * random.uniform(0.1, 0.5, ALL_VOXELS)
        self.deviation = random.uniform(0.4, 0.9, ALL_VOXELS)
        self.mixing = random.normal(size=(CODE, FEATURES))
        # of one presentation; 0.7 is the part that no layer holds
        self.signal = (self.weights**2).sum(axis=0) + 0.7**2

    def draw(self, n: int, random: np.random.Generator) -> tuple[np.ndarray, list[np.ndarray]]:
        """Signals (n, voxels), and features (n, p) of the layers."""
        code = random.normal(size=(n, CODE))
        signal = code @ self.weights + 0.7 * random.normal(size=(n, ALL_VOXELS))
        layers = [code @ self.mixing + noise * random.normal(size=(n, FEATURES)) for noise in LAYERS]
        return signal, layers

    def trials(self, signal: np.ndarray, repeats: int, random: np.random.Generator) -> np.ndarray:
        """Responses (n, repeats, voxels)."""
        noise = random.normal(size=(len(signal), repeats, signal.shape[1]))
        return signal[:, None] + self.deviation * noise

    def averages(self, signal: np.ndarray, repeats: int, random: np.random.Generator) -> np.ndarray:
        """Means over as many presentations."""
        return signal + self.deviation * random.normal(size=signal.shape) / np.sqrt(repeats)

    def mean_root(self, voxels: np.ndarray) -> float:
        """Mean root of the reliability of a half of the test repeats."""
        signal, noise = self.signal[voxels], self.deviation[voxels] ** 2 / (REPEATS // 2)
        return float(np.sqrt(signal / (signal + noise)).mean())


def _kernel(features: np.ndarray, train: np.ndarray, others: np.ndarray) -> Kernel:
    """Kernel of the training stimuli, and of any others with them."""
    centred = features - features[train].mean(axis=0)
    own, cross = centred[train] @ centred[train].T, centred[others] @ centred[train].T
    scale = np.trace(own) / len(own)
    return Kernel(own / scale, cross / scale, scale)


def _fitted(
    features: np.ndarray, responses: np.ndarray, part: Partition, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Predictions of the test stimuli of a fit, and of the population (the stimuli from `n` on)."""
    everyone = np.arange(n, len(features))
    kernel = _kernel(features, part.train, np.concatenate([part.test, everyone]))
    predicted = ridge(kernel, responses[part.train], part.splits, SETTINGS).predicted
    return predicted[: len(part.test)], predicted[len(part.test) :]


def _region(trials: np.ndarray, voxels: np.ndarray, seed: int) -> Region:
    """The voxels of a study, scored on the test trials (m, repeats, v)."""
    made = targets(trials, None, None)
    # all voxels, so that the truth is of all
    parts = [Part.of(each, -np.inf, 0) for each in made.parts]
    return Region("sub-01", "V1", voxels, made, parts, 0, VoxelGroups.of(len(voxels), seed, 0))


def _study(world: World, scheme: str, m: int, seed: list[int]) -> tuple[list[Score], np.ndarray]:
    """Scores of both layers in one study, and what they are in the population.

    Returns
    -------
    scores : of each layer
    truth : (3, layers) mean r in the voxels of the study; in all voxels; and, of means over half of the
        repeats, over the mean root of their reliability. Each is a mean over the fits of the folds
    """
    random = np.random.default_rng(seed)
    n = m + (TRAIN if scheme == "training split" else 0)
    signal, layers = world.draw(n + POPULATION, random)
    split = np.array([SELECTION] * (n - m) + [PRIMARY] * m, object)
    parts = partitions(split, SETTINGS.folds, int(random.integers(1 << 31)))
    places = places_of(parts)
    trials = world.trials(signal[n - m : n], REPEATS, random)
    responses = np.concatenate([world.averages(signal[: n - m], 2, random), trials.mean(axis=1)])
    whole, half = (world.averages(signal[n:], repeats, random) for repeats in (REPEATS, REPEATS // 2))
    voxels = np.sort(random.choice(ALL_VOXELS, VOXELS, replace=False))
    region = _region(trials[..., voxels], voxels, seed[-1])
    orders = [np.arange(len(place))[None] for place in places]
    scores, truth, of_halves = [], [], []
    for features in layers:
        predicted, true, halves = np.empty((m, ALL_VOXELS)), 0.0, 0.0
        for part, place in zip(parts, places, strict=True):
            predicted[place], of_everyone = _fitted(features, responses, part, n)
            weight = len(place) / m
            true = true + weight * Correlations.of(of_everyone, whole).r
            chosen = of_everyone[:, voxels]
            halves += weight * Correlations.of(chosen, half[:, voxels]).r.mean()
        scores.append(region.score(predicted[:, voxels], places, orders))
        truth.append(true)
        of_halves.append(halves / world.mean_root(voxels))
    truth = np.array(truth)
    return scores, np.stack([truth[:, voxels].mean(axis=1), truth.mean(axis=1), of_halves])


def _statistics(scores: list[Score], truth: np.ndarray) -> dict[str, tuple[float, np.ndarray, float]]:
    """Every statistic of a study: value, its influences, and what it is in truth."""
    first, second = scores
    over = [np.concatenate([each.influence, each.voxels]) for each in scores]
    return {
        "score": (first.score, first.influence, truth[0, 0]),
        "difference of layers": (
            first.score - second.score,
            first.influence - second.influence,
            truth[0, 0] - truth[0, 1],
        ),
        "corrected score": (first.corrected, first.corrected_influence, truth[2, 0]),
        "score, voxels a sample": (first.score, over[0], truth[1, 0]),
        "difference of layers, voxels a sample": (
            first.score - second.score,
            over[0] - over[1],
            truth[1, 0] - truth[1, 1],
        ),
        "score in new voxels, voxels fixed": (first.score, first.influence, truth[1, 0]),
    }


def coverage(scheme: str, stimuli: int, simulations: int, seed: int = 0) -> pd.DataFrame:
    """Coverage of 95 % intervals over simulated studies.

    The truth is that of each study's own fits, on which intervals are conditional: their scores on 3,000
    further stimuli, in the same voxels or in all.

    Parameters
    ----------
    scheme : of `SCHEMES`: trained on a training split, or in folds of the test stimuli
    stimuli : of the test split
    simulations : number of studies

    Returns
    -------
    table with columns statistic, coverage, mc_error (its standard error), se_ratio (root mean variance over
        the true standard deviation of value less truth), bias (mean of value less truth)
    """
    world, found = World(), {}
    quantile = student_quantile(0.975, stimuli - 1)
    with progress(simulations, "studies") as bar:
        for study in range(simulations):
            values = _statistics(*_study(world, scheme, stimuli, [seed, study]))
            for name, (value, influences, truth) in values.items():
                found.setdefault(name, []).append((value - truth, np.sqrt((influences**2).sum())))
            bar.update(1)
    rows = []
    for name, studies in found.items():
        error, se = np.array(studies).T
        rows.append(
            {
                "statistic": name,
                "coverage": (np.abs(error) <= quantile * se).mean(),
                "mc_error": np.sqrt(0.95 * 0.05 / simulations),
                "se_ratio": np.sqrt((se**2).mean()) / error.std(ddof=1),
                "bias": error.mean(),
            }
        )
    return pd.DataFrame(rows)
