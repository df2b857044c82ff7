"""Do intervals and tests hold where stimuli come in categories or in time, or people are few?

Simulated studies of one ROI and one network, which share their codes (for coverage) or do not (for tests).
What is to be covered is the mean score of studies of this design.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from cortexrsa.formats.rdms import RDMs
from cortexrsa.geometry.compare import compare
from cortexrsa.geometry.mean_rdm import mean_rdm
from cortexrsa.geometry.rdm import rdm
from cortexrsa.inference.design import Design
from cortexrsa.inference.errors import over_subjects
from cortexrsa.inference.families import p_values
from cortexrsa.inference.names import PRIMARY
from cortexrsa.inference.permutation import permutation_null
from cortexrsa.inference.replication import OnePass
from cortexrsa.inference.scores import score_network
from cortexrsa.inference.settings import GROUPS, MEAN_RDM, Settings
from cortexrsa.inference.study import group_scores
from cortexrsa.jobs import progress

CODE, VOXELS = 6, 40
LEVEL = 0.05
CATEGORIES, IMAGES = 12, 10
# frames of a film; blocks are several times as long as what frames of a correlation of .8 have in common
FRAMES, BLOCK, LAG = 240, 20, 10
# of codes: of a category; from a frame to the next
SHARES, CORRELATIONS = (0.0, 0.3, 0.6), (0.5, 0.8, 0.95)
PEOPLE, STIMULI = (2, 3, 4, 5, 15), 80
# draws of other stimuli, over which the truth of people who are taken as they are is averaged
OTHER_STIMULI = 30


def _codes(design: str, strength: float, random: np.random.Generator, means: np.ndarray | None) -> np.ndarray:
    """Codes (n, 6) of the stimuli of a study, with unit variance."""
    if design == "film":
        steps = random.normal(size=(FRAMES, CODE))
        for k in range(1, FRAMES):
            steps[k] = strength * steps[k - 1] + np.sqrt(1 - strength**2) * steps[k]
        return steps
    own = random.normal(size=(CATEGORIES * IMAGES, CODE))
    drawn = random.normal(size=(CATEGORIES, CODE)) if means is None else means
    return np.sqrt(strength) * np.repeat(drawn, IMAGES, axis=0) + np.sqrt(1 - strength) * own


def _study(design: str, strength: float, related: bool, random: np.random.Generator, means=None) -> list:
    """RDMs (1, pairs) of the brain and of a network."""
    weights = np.random.default_rng(99).normal(size=(3, CODE, VOXELS))
    shared = _codes(design, strength, random, None if means is None else means[0])
    own = _codes(design, strength, random, None if means is None else means[1])
    noise = 2 * random.normal(size=(len(own), VOXELS))
    brain = (shared @ weights[1] if related else 0) + own @ weights[2] + noise
    return [rdm(patterns)[None] for patterns in (brain, shared @ weights[0])]


def _designs(design: str) -> dict[str, Design | None]:
    if design == "film":
        blocks = np.arange(FRAMES) // BLOCK
        return {"single": None, "blocks": Design(blocks, BLOCK, lag=0), "lag": Design(blocks, BLOCK, lag=LAG)}
    labels = np.repeat(np.arange(CATEGORIES), IMAGES)
    found = {"single": None, "units": Design(labels, "category")}
    return found | ({"fixed": Design(labels, "category", fixed=True)} if design == "fixed categories" else {})


def _row(design: str, statistic: str, errors: str, values: list, right: float) -> dict:
    mc_error = float(np.sqrt(right * (1 - right) / len(values)))
    rate = float(np.mean(values))
    return {"design": design, "statistic": statistic, "errors": errors, "rate": rate, "mc_error": mc_error}


def intervals(design: str, strength: float, simulations: int, seed: int = 0) -> list[dict]:
    """Coverage of 95 % intervals over single stimuli and over units.

    Parameters
    ----------
    design : categories (drawn anew in every study), fixed categories, or film
    strength : share of a category in the codes, or correlation of successive frames
    """
    designs = _designs(design)
    methods = {
        name: OnePass(FRAMES if design == "film" else CATEGORIES * IMAGES, 0, each)
        for name, each in designs.items()
    }
    means = (
        np.random.default_rng(5).normal(size=(2, CATEGORIES, CODE)) if design == "fixed categories" else None
    )
    found = {name: [] for name in methods}
    with progress(simulations, "studies") as bar:
        for study in range(simulations):
            brain, model = _study(design, strength, True, np.random.default_rng([seed, study]), means)
            for name, method in methods.items():
                score, deviations = method.similarity(brain, model, "spearman")
                estimate = over_subjects(score, deviations, method.replicates, 0).evaluated()
                found[name].append(
                    np.ravel([score[0, 0], *(each[0] for each in estimate.interval(1 - LEVEL))])
                )
            bar.update(1)
    rows = []
    for name, values in found.items():
        score, _, low, high = np.array(values).T
        covered = (low <= score.mean()) & (score.mean() <= high)
        rows.append(_row(f"{design}, {strength:g}", "interval of a score", name, list(covered), 1 - LEVEL))
    return rows


def rejections(
    design: str, strength: float, simulations: int, permutations: int, seed: int = 0
) -> list[dict]:
    """How often unrelated codes reach p = .05, by relabelling of single stimuli and of units."""
    designs = _designs(design)
    found = {name: [] for name in designs}
    with progress(simulations, "studies") as bar:
        for study in range(simulations):
            brain, model = _study(design, strength, False, np.random.default_rng([seed, study]))
            for name, each in designs.items():
                kept = slice(None) if each is None or each.kept_pairs() is None else each.kept_pairs()
                observed = compare(brain[:, kept], model[:, kept])
                null = permutation_null(brain, model, permutations, study, design=each)
                found[name].append(p_values(observed, null)[0, 0] <= LEVEL)
            bar.update(1)
    return [
        _row(f"{design}, {strength:g}", "p of unrelated codes", name, values, LEVEL)
        for name, values in found.items()
    ]


def _seen_by(tunings: list[np.ndarray], random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """RDMs of people with these tunings, and of a network (1, pairs), to new stimuli."""
    weights = np.random.default_rng(99).normal(size=(CODE, VOXELS))
    codes = random.normal(size=(STIMULI, CODE))
    noise = 4 * random.normal(size=(len(tunings), STIMULI, VOXELS))
    own = np.stack([rdm(codes @ tuning + each) for tuning, each in zip(tunings, noise, strict=True)])
    return own, rdm(codes @ weights)[None]


def _as_read(own: np.ndarray, layer: np.ndarray) -> tuple[RDMs, RDMs]:
    """The same as a study has them."""
    patterns = pd.DataFrame({"stimulus_id": [f"{k}" for k in range(STIMULI)], "split": PRIMARY})
    table = pd.DataFrame({"subject": [f"{k}" for k in range(len(own))], "roi": "ROI"})
    layers = pd.DataFrame({"layer": ["layer"], "layer_index": [0], "depth": [0.0]})
    return tuple(RDMs(*each, patterns, "correlation") for each in ((own, table), (layer, layers)))


def _expected(tunings: list[np.ndarray], random: np.random.Generator) -> dict[str, float]:
    """Scores that these people have on average over other stimuli."""
    found = {group: [] for group in GROUPS}
    for _ in range(OTHER_STIMULI):
        own, layer = _seen_by(tunings, random)
        for group, rdms in ((GROUPS[0], own), (MEAN_RDM, mean_rdm(own, "spearman")[None])):
            found[group].append(compare(rdms, layer).mean())
    return {group: float(np.mean(values)) for group, values in found.items()}


def people(subjects: int, simulations: int, seed: int = 0) -> list[dict]:
    """Coverage of 95 % intervals of people whose scores differ (80 stimuli).

    Of people who are drawn, the truth is the mean over all studies; of people who are taken as they are, the
    mean over other stimuli.
    """
    effects = ("random", "fixed")
    found = {(group, effect): [] for group in GROUPS for effect in effects}
    with progress(simulations, "studies") as bar:
        for study in range(simulations):
            random = np.random.default_rng([seed, study])
            gains = random.uniform(0.2, 1.8, size=subjects)
            tunings = [gain * random.normal(size=(CODE, VOXELS)) for gain in gains]
            brain, network = _as_read(*_seen_by(tunings, random))
            expected = _expected(tunings, random)
            for group, effect in found:
                settings = Settings(permutations=1, halves=1, group=group, subject_effect=effect, seed=study)
                result = score_network(network, brain, "spearman", settings)
                scores = group_scores(result.sel(split=PRIMARY), study)
                _, low, high = np.ravel(scores.evaluated().interval(1 - LEVEL))
                found[group, effect].append((scores.estimate.item(), low, high, expected[group]))
            bar.update(1)
    rows = []
    for (group, effect), values in found.items():
        score, low, high, expected = np.array(values).T
        truth = score.mean() if effect == "random" else expected
        covered = (low <= truth) & (truth <= high)
        statistic = "interval of a mean score" if group != MEAN_RDM else "interval of the mean RDM's score"
        rows.append(_row(f"{subjects} people", statistic, effect, list(covered), 1 - LEVEL))
    return rows


def calibrated(simulations: int, permutations: int) -> pd.DataFrame:
    """All rows: design, statistic, errors (over what), rate, mc_error."""
    rows = []
    for design, strengths in (("categories", SHARES), ("fixed categories", SHARES), ("film", CORRELATIONS)):
        for strength in strengths:
            rows += intervals(design, strength, simulations)
            if design != "fixed categories":
                rows += rejections(design, strength, simulations, permutations)
    for subjects in PEOPLE:
        rows += people(subjects, simulations)
    return pd.DataFrame(rows)
