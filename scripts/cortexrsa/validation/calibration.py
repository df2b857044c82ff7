"""Do the intervals cover, and do the tests keep their level? Simulated studies with known truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from cortexrsa.geometry.compare import compare
from cortexrsa.geometry.rdm import rdm
from cortexrsa.inference import permutation, profiles
from cortexrsa.inference.centroids import Centroid, CentroidContrast
from cortexrsa.inference.errors import Estimate, Replicated, over_subjects
from cortexrsa.inference.families import false_discovery_q, familywise_p, p_values
from cortexrsa.inference.profile_errors import largest_difference, profile_correlations
from cortexrsa.inference.replication import replication
from cortexrsa.inference.settings import STANDARD_ERRORS, Settings
from cortexrsa.inference.splits import Choice, chosen_in_halves
from cortexrsa.inference.study import ModelScores
from cortexrsa.jobs import progress

DEPTH = np.linspace(0, 1, 8)
CODE, VOXELS, FEATURES = 6, 60, 80
# noise of a voxel against a signal of about 2.5
SIGNALS = {"strong": 3.0, "weak": 8.0, "faint": 16.0}
LEVEL = 0.05
# of the stimuli, on which layers are chosen
HALVES = 4


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
# of layers chosen on other stimuli: what they score on average in studies of this size should be covered
HELDOUT = {
    "held-out best layer": lambda heldout: heldout,
    "difference of held-out best layers": lambda heldout: heldout[..., 0] - heldout[..., 1],
}
# networks whose slopes, and profiles, differ from nothing by just the bound: how often equivalence is claimed
EQUIVALENCE = "equivalence at the bound"


def _limits(scores: Replicated, heldout: Replicated, truth: np.ndarray) -> dict[str, tuple]:
    """Estimate, low and high of every statistic, arrays alike."""
    found = {}
    for statistics, values in ((STATISTICS, scores), (HELDOUT, heldout)):
        for name, statistic in statistics.items():
            resampled = values.apply(statistic)
            _, low, high = resampled.evaluated().interval()
            found[name] = resampled.estimate, low, high
    drawn = scores.drawn(seed=0)
    centroids = [
        [Centroid(drawn.apply(lambda s, r=r, m=m: s[..., r, m, :]), DEPTH) for r in range(2)]
        for m in range(2)
    ]
    rows = [(each.estimate, *each.interval(0.95)) for pair in centroids for each in pair]
    found["centroid"] = tuple(np.array(rows).T)
    differences = [CentroidContrast([late, early], [1, -1]) for early, late in centroids]
    rows = [(each.estimate, *each.interval(0.95)) for each in differences]
    found["difference of centroids"] = tuple(np.array(rows).T)
    networks = [ModelScores(DEPTH, scores.apply(lambda s, m=m: s[..., m, :]), heldout, []) for m in range(2)]
    correlation, draws, dof = profile_correlations(networks, range(2), seed=0)
    variance = np.where(np.isfinite(correlation), draws.var(axis=0), np.nan)
    _, low, high = Estimate(correlation, variance, dof).interval()
    found["profile correlation"] = correlation, low, high
    # slopes, and the largest differences of the profiles, against bounds of their true size
    bounds = np.abs(profiles.slope(truth, DEPTH))
    slopes = scores.apply(STATISTICS["slope"]).evaluated()
    _, low, high = slopes.interval()
    supported = [(np.abs(low) < bounds) & (np.abs(high) < bounds)]
    for r in range(2):
        largest = np.abs(truth[r, 0] - truth[r, 1]).max()
        pair = (scores.apply(lambda s, r=r, m=m: s[..., r, m, :]) for m in range(2))
        part = largest_difference(*pair, largest, 0.95, seed=0)
        supported.append([part is not None and part.high < largest])
    found[EQUIVALENCE] = np.concatenate([np.ravel(each) for each in supported]).astype(float), None, None
    return found


def _true_values(truth: np.ndarray) -> dict[str, np.ndarray]:
    centroids = profiles.centroid(truth, DEPTH)
    # (rois, networks, layers)
    joined = [profiles.centred_profiles(profiles.on_grid(truth[:, m], DEPTH)) for m in range(2)]
    return {name: statistic(truth) for name, statistic in STATISTICS.items()} | {
        "centroid": centroids.T.ravel(),
        "difference of centroids": centroids[1] - centroids[0],
        "profile correlation": np.corrcoef(*joined)[0, 1],
    }


def _replicated(
    brain: np.ndarray, layers: np.ndarray, n: int, draws: int, seed: int, methods: tuple[str, ...]
) -> dict[str, tuple[Replicated, Replicated]]:
    """Scores (2 rois, 2 networks, 8 layers) and held-out scores (2 rois, 2 networks) by each method."""
    found, before = {}, None
    flat = [rdms.reshape(-1, rdms.shape[-1]) for rdms in (brain, layers)]
    for method in methods:
        settings = Settings(
            standard_error=method, bootstrap=draws, seed=seed, halves=HALVES, subject_effect="random"
        )
        made = replication(n, settings)
        # the draws of the bootstrap are the first replicates of `resampled`
        if (before, method) != ("resampled", "bootstrap"):
            values = made.similarity(*flat, "spearman")
            values = [each.reshape(*each.shape[:-2], len(brain), 2, 2, len(DEPTH)) for each in values]
            choice = Choice({"all": np.arange(len(DEPTH))}, "spearman", settings)
            chosen = [chosen_in_halves(flat[0], own, (len(brain), 2), made, choice) for own in layers]
            heldout = [np.concatenate(parts, axis=-1) for parts in zip(*chosen, strict=True)]
        before, size = method, sum(made.replicates.sizes)
        found[method] = tuple(
            over_subjects(scores, moved[:size], made.replicates, seed) for scores, moved in (values, heldout)
        )
    return found


def coverage(
    subjects: int,
    n: int,
    noise: float,
    truth: np.ndarray,
    simulations: int,
    draws: int,
    seed: int = 0,
    methods: tuple[str, ...] = STANDARD_ERRORS,
) -> pd.DataFrame:
    """Coverage of 95 % intervals over simulated studies.

    Parameters
    ----------
    subjects, n : size of a study
    noise : see `World`
    truth : of `World.truth`
    simulations : number of studies
    draws : resamples of each, for the methods that resample
    methods : of `inference.settings.STANDARD_ERRORS`

    Returns
    -------
    table with columns statistic, errors (method), coverage (mean over the statistics of a kind; of
        `EQUIVALENCE` the share of studies that claim it), lowest, highest (of a single one), mc_error
        (standard error of the coverage of one statistic), se_ratio (root mean variance over the true standard
        deviation, median; of scores and what is linear in them), undefined (share of studies without an
        interval, which count as not covering)
    """
    world, true = World(subjects, noise), _true_values(truth)
    limits = {method: [] for method in methods}
    with progress(simulations, "studies") as bar:
        for study in range(simulations):
            random = np.random.default_rng([seed, study])
            brain, layers = world.sample(n, random)
            drawn = int(random.integers(1 << 31))
            for method, values in _replicated(brain, layers, n, draws, drawn, methods).items():
                limits[method].append(_limits(*values, truth))
            bar.update(1)
    rows = []
    for method, studies in limits.items():
        for name in studies[0]:
            estimates, low, high = (
                np.array([study[name][k] for study in studies], dtype=float) for k in range(3)
            )
            found = _coverage_of(name, estimates, low, high, true.get(name))
            rows.append({"statistic": name, "errors": method} | found)
    table = pd.DataFrame(rows)
    table.insert(5, "mc_error", np.sqrt(0.95 * 0.05 / simulations))
    return table


def _coverage_of(
    name: str, estimates: np.ndarray, low: np.ndarray, high: np.ndarray, truth: np.ndarray | None
) -> dict[str, float]:
    """Of one kind of statistic, (studies, ...) each; its truth, or the mean of the estimates (None)."""
    if name == EQUIVALENCE:
        each, undefined = estimates.mean(axis=0), 0.0
    else:
        value = np.reshape(estimates.mean(axis=0) if truth is None else truth, estimates.shape[1:])
        each, undefined = ((low <= value) & (value <= high)).mean(axis=0), np.isnan(low).mean()
    ratio = np.nan
    if name in STATISTICS or name in HELDOUT:
        # half the width is the error times a quantile of t, the same in all studies
        width = np.sqrt((((high - low) / 2) ** 2).mean(axis=0)) / special.ndtri(0.975)
        ratio = np.median(width / estimates.std(axis=0, ddof=1))
    return {
        "coverage": each.mean(),
        "lowest": each.min(),
        "highest": each.max(),
        "se_ratio": ratio,
        "undefined": undefined,
    }


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
            p = p_values(observed, null)
            rates["p of a layer"].append(np.mean(p <= LEVEL))
            corrected = familywise_p(observed, null.max(axis=1))
            rates["p_fwe of any layer"].append(corrected.min() <= LEVEL)
            rates["q_fdr of any layer"].append(false_discovery_q(p).min() <= LEVEL)
            bar.update(1)
    return pd.DataFrame(
        {
            "statistic": list(rates),
            "rate": [np.mean(found) for found in rates.values()],
            "mc_error": np.sqrt(LEVEL * (1 - LEVEL) / simulations),
        }
    )
