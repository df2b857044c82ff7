"""Do the intervals cover, and do the tests keep their level? Simulated studies with known truth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from cortexrsa.geometry.compare import compare
from cortexrsa.geometry.rdm import rdm
from cortexrsa.inference import permutation, profiles
from cortexrsa.inference.bootstrap import Resampled, Resamples, group_scores, interval, standard_error
from cortexrsa.inference.centroids import Centroid, CentroidDifference
from cortexrsa.inference.resampling import resampled_similarity
from cortexrsa.jobs import progress

DEPTH = np.linspace(0, 1, 8)
CODE, VOXELS, FEATURES = 6, 60, 80
# noise of a voxel against a signal of about 2.5
SIGNALS = {"strong": 3.0, "weak": 8.0, "faint": 16.0}
LEVEL = 0.05


@dataclass
class World:
    """Two ROIs, an early and a late one, and two networks whose layers turn from the one code to the other.

    Stimuli are drawn from a population, and so are subjects: voxels of a ROI mix its code with one of the
    subject's own ROI, by weights of their own, and carry independent noise. The networks are fixed. With one
    subject it is always the same one, so that its scores are what an interval over stimuli should cover.

    Attributes
    ----------
    subjects : 1, or several
    noise : standard deviation of a voxel's noise
    related : whether the ROIs hold the codes that the networks do, or others
    """

    subjects: int
    noise: float
    related: bool = True

    def __post_init__(self):
        generator = np.random.default_rng(0)
        self.only_subject = self._voxels(generator)
        self.layers = generator.normal(size=(2, len(DEPTH), 3 * CODE, FEATURES))
        own = np.array([0.6, 1.2])
        weights = np.stack(
            [np.broadcast_to(1 - 0.8 * DEPTH, (2, 8)), np.broadcast_to(0.2 + 0.8 * DEPTH, (2, 8))]
        )
        weights = np.concatenate([weights, np.broadcast_to(own[:, None], (2, 8))[None]])
        # (network, layer, code): of the early, the late and the network's own code
        self.weights = np.repeat(np.moveaxis(weights, 0, -1), CODE, axis=-1)

    @staticmethod
    def _voxels(generator: np.random.Generator) -> np.ndarray:
        scale = np.repeat([1.0, 0.7], CODE)
        return generator.normal(size=(2, 2 * CODE, VOXELS)) * scale[:, None]

    def sample(self, n: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """RDMs of a study: brain (subjects, 2 rois, pairs), layers (2 networks, 8, pairs)."""
        codes = generator.normal(size=(2, n, CODE))
        shown = codes if self.related else generator.normal(size=codes.shape)
        brain = []
        for _ in range(self.subjects):
            voxels = self.only_subject if self.subjects == 1 else self._voxels(generator)
            for code, mixing in zip(shown, voxels, strict=True):
                signal = np.hstack([code, generator.normal(size=code.shape)]) @ mixing
                brain.append(rdm(signal + self.noise * generator.normal(size=signal.shape)))
        layers = []
        for weights, mixing in zip(self.weights, self.layers, strict=True):
            features = np.hstack([*codes, generator.normal(size=(n, CODE))])
            layers += [rdm(features * w @ m) for w, m in zip(weights, mixing, strict=True)]
        return np.stack(brain).reshape(self.subjects, 2, -1), np.stack(layers).reshape(2, len(DEPTH), -1)

    def truth(self, n: int = 500, studies: int = 25) -> np.ndarray:
        """Scores in the population, (2 rois, 2 networks, 8 layers), from many large studies."""
        generator = np.random.default_rng(1)
        subjects = self.subjects
        total = np.zeros((2, 2, len(DEPTH)))
        for _ in range(studies):
            brain, layers = self.sample(n, generator)
            flat = [rdms.reshape(-1, rdms.shape[-1]) for rdms in (brain, layers)]
            total += compare(*flat).reshape(subjects, *total.shape).mean(axis=0)
        return total / studies


STATISTICS = {
    "score": lambda scores: scores,
    "difference of layers": lambda scores: scores[..., 1:] - scores[..., :1],
    "difference of networks": lambda scores: scores[..., 0, :] - scores[..., 1, :],
    "slope": lambda scores: profiles.slope(scores, DEPTH),
}


def _limits(scores: Resampled) -> dict[str, tuple]:
    """Estimate, low and high of every statistic, arrays alike."""
    found = {}
    for name, statistic in STATISTICS.items():
        resampled = scores.apply(statistic)
        _, low, high = interval(resampled)
        found[name] = resampled.estimate, low, high
    centroids = [
        [Centroid(scores.apply(lambda s, r=r, m=m: s[..., r, m, :]), DEPTH) for r in range(2)]
        for m in range(2)
    ]
    rows = [(each.estimate, *each.interval(0.95)) for pair in centroids for each in pair]
    found["centroid"] = tuple(np.array(rows).T)
    differences = [CentroidDifference(late, early) for early, late in centroids]
    rows = [(each.estimate, *each.interval(0.95)) for each in differences]
    found["difference of centroids"] = tuple(np.array(rows).T)
    return found


def _plain_limits(scores: Resampled) -> dict[str, tuple]:
    """The same by the plain bootstrap, centroids included: estimate -+ t x standard error."""
    plain = replace(scores, left_out=None)
    statistics = STATISTICS | {
        "centroid": lambda s: np.swapaxes(profiles.centroid(s, DEPTH), -1, -2),
        "difference of centroids": lambda s: np.diff(profiles.centroid(s, DEPTH), axis=-2)[..., 0, :],
    }
    found = {}
    for name, statistic in statistics.items():
        resampled = plain.apply(statistic)
        _, low, high = interval(resampled)
        found[name] = resampled.estimate, low, high
    return found


def _true_values(truth: np.ndarray) -> dict[str, np.ndarray]:
    centroids = profiles.centroid(truth, DEPTH)
    return {name: statistic(truth) for name, statistic in STATISTICS.items()} | {
        "centroid": centroids.T.ravel(),
        "difference of centroids": centroids[1] - centroids[0],
    }


def coverage(
    subjects: int, n: int, noise: float, truth: np.ndarray, simulations: int, draws: int, seed: int = 0
) -> pd.DataFrame:
    """Coverage of 95 % intervals over simulated studies.

    Parameters
    ----------
    subjects, n : size of a study
    noise : see `World`
    truth : of `World.truth`
    simulations : number of studies
    draws : resamples of each

    Returns
    -------
    table with columns statistic, errors (corrected, bootstrap), coverage (mean over the statistics of a
        kind), lowest, highest (of a single one), mc_error (standard error of the coverage of one statistic),
        se_ratio (root mean variance over the true standard deviation, median; none for centroids), undefined
        (share of studies without an interval, which count as not covering)
    """
    world, true = World(subjects, noise), _true_values(truth)
    covered = {(name, errors): [] for name in true for errors in ("corrected", "bootstrap")}
    undefined = {key: [] for key in covered}
    estimates, variances = {name: [] for name in STATISTICS}, {key: [] for key in covered}
    with progress(simulations, "studies") as bar:
        for study in range(simulations):
            generator = np.random.default_rng([seed, study])
            brain, layers = world.sample(n, generator)
            resamples = Resamples.of(n, draws, int(generator.integers(1 << 31)))
            flat = [rdms.reshape(-1, rdms.shape[-1]) for rdms in (brain, layers)]
            similarity = resampled_similarity(*flat, resamples.counts).reshape(-1, subjects, 2, 2, len(DEPTH))
            scores, drawn, left_out = resamples.parts(similarity)
            group = group_scores(scores, drawn, n, study, left_out, resamples.shares)
            plain = replace(group, left_out=None)
            for errors, limits in (("corrected", _limits(group)), ("bootstrap", _plain_limits(group))):
                for name, (_, low, high) in limits.items():
                    value = true[name].reshape(np.shape(low))
                    covered[name, errors].append((low <= value) & (value <= high))
                    undefined[name, errors].append(np.isnan(low))
            for name, statistic in STATISTICS.items():
                estimates[name].append(statistic(group.estimate))
                for errors, source in (("corrected", group), ("bootstrap", plain)):
                    variances[name, errors].append(standard_error(source.apply(statistic)) ** 2)
            bar.update(1)
    rows = []
    for (name, errors), hits in covered.items():
        each = np.mean(hits, axis=0)
        ratio = np.nan
        if name in STATISTICS:
            ratio = np.median(
                np.sqrt(np.mean(variances[name, errors], axis=0) / np.var(estimates[name], axis=0))
            )
        rows.append(
            {
                "statistic": name,
                "errors": errors,
                "coverage": each.mean(),
                "lowest": each.min(),
                "highest": each.max(),
                "mc_error": np.sqrt(0.95 * 0.05 / simulations),
                "se_ratio": ratio,
                "undefined": np.mean(undefined[name, errors]),
            }
        )
    return pd.DataFrame(rows)


def false_positives(
    subjects: int, n: int, simulations: int, permutations: int, seed: int = 0
) -> pd.DataFrame:
    """How often unrelated layers reach 5 %: one layer, and any layer of the family of 16 in one ROI.

    Returns
    -------
    table with columns statistic (p of a layer, p_fwe and q_fdr of any), rate, mc_error
    """
    world = World(subjects, SIGNALS["weak"], related=False)
    rates = {"p of a layer": [], "p_fwe of any layer": [], "q_fdr of any layer": []}
    with progress(simulations, "studies") as bar:
        for study in range(simulations):
            generator = np.random.default_rng([seed, study])
            brain, layers = world.sample(n, generator)
            models = layers.reshape(-1, layers.shape[-1])
            null = permutation.permutation_null(brain[:, 0], models, permutations, study).mean(axis=1)
            observed = compare(brain[:, 0], models).mean(axis=0)
            p = permutation.p_values(observed, null)
            rates["p of a layer"].append(np.mean(p <= LEVEL))
            corrected = permutation.familywise_p(observed, null.max(axis=1))
            rates["p_fwe of any layer"].append(corrected.min() <= LEVEL)
            rates["q_fdr of any layer"].append(permutation.false_discovery_q(p).min() <= LEVEL)
            bar.update(1)
    return pd.DataFrame(
        {
            "statistic": list(rates),
            "rate": [np.mean(found) for found in rates.values()],
            "mc_error": np.sqrt(LEVEL * (1 - LEVEL) / simulations),
        }
    )
