"""Do comparisons of networks keep their level, and do their intervals hold? Simulated, with known truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cortexrsa.geometry.rdm import rdm
from cortexrsa.inference.contrasts import differences, ranks
from cortexrsa.inference.errors import Replicated, over_subjects
from cortexrsa.inference.lineages import family_contrast
from cortexrsa.inference.replication import replication
from cortexrsa.inference.seeds import over_seeds
from cortexrsa.inference.settings import Settings
from cortexrsa.inference.splits import Choice, chosen_in_halves
from cortexrsa.jobs import progress

CODE, VOXELS, FEATURES = 6, 60, 80
NOISE = 5.0  # of a voxel, against a signal of about 2.5
# how much of the brain's code the layers of a network hold
LAYERS = (1.0, 0.6)
LEVEL = 0.05
HALVES = 2
# weight of a network's own code: networks of one weight are equal in truth
TRUTHS = {"all equal": (0.8,) * 8, "some equal": (0.3, 0.3, 0.3, 0.9, 0.9, 0.9, 0.9, 3.0)}
# of networks that are drawn: the spread of the logarithm of the weight
SPREAD = 0.4
FAMILY, SEEDS = 6, 4


@dataclass
class World:
    """A ROI, and networks whose layers hold its code beside one of their own.

    The own codes of all networks are mixed into features in the same way, so that networks with the same
    weight of theirs have the same score in the population.

    Attributes
    ----------
    subjects : 1 (always the same one), or several, drawn from a population
    """

    subjects: int

    def __post_init__(self):
        generator = np.random.default_rng(0)
        self.only_subject = generator.normal(size=(2 * CODE, VOXELS))
        self.mixing = generator.normal(size=(len(LAYERS), 2 * CODE, FEATURES))

    def sample(self, n: int, weights, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """RDMs of a study: brain (subjects, pairs), layers (networks, layers, pairs)."""
        code = generator.normal(size=(n, CODE))
        brain = []
        for _ in range(self.subjects):
            voxels = self.only_subject if self.subjects == 1 else generator.normal(size=(2 * CODE, VOXELS))
            signal = np.hstack([code, 0.7 * generator.normal(size=code.shape)]) @ voxels
            brain.append(rdm(signal + NOISE * generator.normal(size=signal.shape)))
        networks = []
        for weight in weights:
            own = weight * generator.normal(size=code.shape)
            networks.append(
                [
                    rdm(np.hstack([share * code, own]) @ mixing)
                    for share, mixing in zip(LAYERS, self.mixing, strict=True)
                ]
            )
        return np.stack(brain), np.array(networks)


def heldout(brain: np.ndarray, networks: np.ndarray, n: int, settings: Settings) -> list[Replicated]:
    """Score of the held-out best layer of every network, a Replicated scalar each."""
    made = replication(n, settings)
    choice = Choice({"all": np.arange(networks.shape[1])}, "spearman", settings)
    found = []
    for layers in networks:
        parts = chosen_in_halves(brain, layers, (len(brain), 1), made, choice)
        scores = over_subjects(*parts, made.replicates, settings.seed)
        found.append(scores.apply(lambda values: values[..., 0, 0]))
    return found


def joined(scores: list[Replicated]) -> Replicated:
    """Scalars as one array."""
    return scores[0].apply(lambda *values: np.stack(values, axis=-1), *scores[1:])


def _settings(method: str, draws: int, random: np.random.Generator) -> Settings:
    seed = int(random.integers(1 << 31))
    return Settings(standard_error=method, bootstrap=draws, halves=HALVES, seed=seed, subject_effect="random")


def _row(statistic: str, method: str, values: list, simulations: int, aim: float) -> dict:
    return {
        "statistic": statistic,
        "errors": method,
        "rate": float(np.mean(values)),
        "mc_error": float(np.sqrt(aim * (1 - aim) / simulations)),
    }


def orders(
    truth: str, subjects: int, n: int, simulations: int, draws: int, methods: tuple[str, ...], seed: int = 0
) -> pd.DataFrame:
    """Error rates of the order of eight networks, and coverage of their differences and ranks.

    Parameters
    ----------
    truth : of `TRUTHS`
    subjects, n : size of a study
    simulations : number of studies
    draws : resamples of each
    methods : of `inference.settings.STANDARD_ERRORS`

    Returns
    -------
    table with columns statistic, errors (method), rate, mc_error
    """
    weights, world = np.array(TRUTHS[truth]), World(subjects)
    first, second = np.triu_indices(len(weights), k=1)
    # a larger code of its own means a lower score
    sign = np.sign(weights[second] - weights[first])
    best = 1 + (weights[:, None] > weights).sum(axis=1)
    worst = len(weights) - (weights[:, None] < weights).sum(axis=1)
    studies = {method: [] for method in methods}
    with progress(simulations, "studies") as bar:
        for study in range(simulations):
            random = np.random.default_rng([seed, study])
            brain, networks = world.sample(n, weights, random)
            for method in methods:
                scores = joined(heldout(brain, networks, n, _settings(method, draws, random)))
                found = differences(scores, first, second, 1 - LEVEL, seed=study)
                order = ranks(scores.estimate, found.p_fwe, first, second, 1 - LEVEL)
                right = np.sign(found.value) == sign
                studies[method].append((found, right, order))
            bar.update(1)
    rows = []
    for method, results in studies.items():
        values = np.array([found.value for found, _, _ in results])
        # what networks of these weights differ by on average in studies of this size
        average = np.zeros(len(first))
        for pair in set(zip(weights[first], weights[second], strict=True)):
            of = (weights[first] == pair[0]) & (weights[second] == pair[1])
            average[of] = values[:, of].mean() if pair[0] != pair[1] else 0.0
        told = {
            "any wrong order, p_fwe": [((f.p_fwe < LEVEL) & ~right).any() for f, right, _ in results],
            "any wrong order, p": [((f.p < LEVEL) & ~right).any() for f, right, _ in results],
            "interval of a difference": [
                np.mean((f.low <= average) & (average <= f.high)) for f, _, _ in results
            ],
            "all ranks at once": [((o.low <= best) & (worst <= o.high)).all() for _, _, o in results],
            "true differences told, p_fwe": [
                np.mean((f.p_fwe < LEVEL)[sign != 0]) if (sign != 0).any() else np.nan for f, _, _ in results
            ],
        }
        rows += [_row(name, method, each, simulations, LEVEL) for name, each in told.items()]
    return pd.DataFrame(rows)


def drawn_networks(
    subjects: int, n: int, simulations: int, draws: int, methods: tuple[str, ...], seed: int = 0
) -> pd.DataFrame:
    """Coverage of intervals over stimuli and networks: two families of six, two networks of four seeds.

    Both families, and all seeds, have weights from one distribution, so that the true differences are 0.

    Returns
    -------
    see `orders`; "taken as they are" is the interval over stimuli alone
    """
    world, lineages = World(subjects), [f"lineage {k}" for k in range(2 * FAMILY)]
    contrast = np.repeat([1 / FAMILY, -1 / FAMILY], FAMILY)
    covered = {method: {"family": [], "fixed": [], "seeds": []} for method in methods}
    with progress(simulations, "studies") as bar:
        for study in range(simulations):
            random = np.random.default_rng([seed, study])
            weights = 0.8 * np.exp(SPREAD * random.normal(size=2 * FAMILY))
            brain, networks = world.sample(n, weights, random)
            for method in methods:
                scores = heldout(brain, networks, n, _settings(method, draws, random))
                over_networks, _ = family_contrast(joined(scores), contrast, lineages)
                alone, _ = family_contrast(joined(scores), contrast, [None] * len(scores))
                seeds, _ = over_seeds({"a": scores[:SEEDS], "b": scores[-SEEDS:]})
                pair = seeds["a"].apply(np.subtract, seeds["b"]).evaluated()
                for name, each in (("family", over_networks), ("fixed", alone), ("seeds", pair)):
                    _, low, high = each.interval(1 - LEVEL)
                    covered[method][name].append(low <= 0 <= high)
            bar.update(1)
    labels = {
        "family": f"difference of two families of {FAMILY} lineages",
        "fixed": "the same, its networks taken as they are",
        "seeds": f"difference of two networks of {SEEDS} seeds",
    }
    return pd.DataFrame(
        [
            _row(labels[name], method, values, simulations, LEVEL)
            for method, found in covered.items()
            for name, values in found.items()
        ]
    )
