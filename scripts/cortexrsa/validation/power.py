"""How often would a study of this design reach each verdict? Its claims on simulated studies.

The simulated networks are of kinds that follow from the families of their cards. Networks with a task or a
self-supervised objective turn from an early to a late code over their layers; the generative network holds
less of either; untrained networks and baselines hold a little of both. The effect scales all of it: with 1
these differences are large, with 0 all trained networks are alike and no profile has a trend.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cortexrsa.brain.reliability import spearman_brown
from cortexrsa.claim_names import Cast
from cortexrsa.formats.columns.power import POWER
from cortexrsa.geometry.compare import compare
from cortexrsa.geometry.rdm import rdm
from cortexrsa.inference.ceilings.bounds import taken_as_known
from cortexrsa.inference.claims.evaluate import evaluate
from cortexrsa.inference.claims.study import Study
from cortexrsa.inference.errors import over_subjects
from cortexrsa.inference.layer_choice import candidate_layers
from cortexrsa.inference.names import CANDIDATES
from cortexrsa.inference.replication import OnePass
from cortexrsa.inference.settings import Settings
from cortexrsa.inference.splits import Choice, chosen_in_halves
from cortexrsa.inference.study import ModelScores
from cortexrsa.jobs import progress

DEPTH = np.linspace(0, 1, 8)
SHAPES = ["8x32x32", "8x32x32", "8x16x16", "8x16x16", "8x8x8", "8x8x8", "8x4x4", "8x4x4"]
CODE, VOXELS, FEATURES = 6, 80, 80
TURNING = ("task-optimised", "self-supervised")
VERDICTS = ("supported", "contradicted", "inconclusive", "untestable")


@dataclass(frozen=True)
class Design:
    """What is simulated of a study.

    Attributes
    ----------
    families : family of every network by name
    rois : ROIs from early to late, with the reliability of their mean responses (the square of their
        correlation with the noiseless ones), per voxel
    subjects : number of people
    effect : 0 to 1, see above
    """

    families: dict[str, str]
    rois: dict[str, float]
    subjects: int
    effect: float

    def weights(self, family: str) -> np.ndarray:
        """Of the early, the late and the network's own code in every layer: (3, layers)."""
        if family not in (*TURNING, "generative"):
            return np.stack([np.full(8, 0.25), np.full(8, 0.25), np.ones(8)])
        early = 0.6 + 0.5 * self.effect * (0.5 - DEPTH)
        # late codes peak at .55 of the depth, and fall by a third of their rise to the last layer
        late = 0.6 + 0.5 * self.effect * (0.5 - 2 * (DEPTH - 0.55) ** 2 / 0.55**2 * 0.5)
        if family == "generative":
            flat = np.full(8, 0.6 * (1 - 0.6 * self.effect))
            return np.stack([flat, flat, np.ones(8)])
        return np.stack([early, late, np.full(8, 0.6)])


def simulated(design: Design, n: int, settings: Settings, cast: Cast) -> Study:
    """One study of n stimuli, with scores, errors (in one pass) and noise ceilings.

    Parameters
    ----------
    settings : seed, confidence and halves
    """
    random = np.random.default_rng([settings.seed, n])
    codes = random.normal(size=(2, n, CODE))
    brain, ceilings = _brain(design, codes, random)
    method = OnePass(n, settings.seed)
    choice = Choice(candidate_layers(DEPTH, SHAPES), "spearman", settings)
    flat = brain.reshape(-1, brain.shape[-1])
    models = {}
    for name, family in design.families.items():
        layers = _layers(design.weights(family), codes, random)
        shape = (design.subjects, len(design.rois))
        scores, deviations = method.similarity(flat, layers, "spearman")
        deviations = deviations.reshape(len(deviations), *shape, len(DEPTH))
        own = chosen_in_halves(flat, layers, shape, method, choice)
        together = (
            over_subjects(*values, method.replicates, settings.seed, settings.fixed_subjects(design.subjects))
            for values in ((scores.reshape(*shape, len(DEPTH)), deviations), own)
        )
        labels = [f"layer{k}" for k in range(len(DEPTH))]
        models[name] = ModelScores(DEPTH, *together, list(CANDIDATES), labels, SHAPES)
    return Study(models, list(design.rois), ceilings, cast, settings.confidence, seed=settings.seed)


def _brain(design: Design, codes: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, dict]:
    """RDMs (subjects, rois, pairs), and the noise ceiling of each ROI."""
    places = np.linspace(0, 1, len(design.rois))
    # every subject sees the same stimuli with voxels, and codes beside the shared ones, of their own
    measured = np.empty((design.subjects, len(places), 2, codes.shape[1], VOXELS))
    for subject in range(design.subjects):
        for r, (place, reliability) in enumerate(zip(places, design.rois.values(), strict=True)):
            parts = [np.sqrt(1 - place) * codes[0], np.sqrt(place) * codes[1]]
            parts.append(0.7 * random.normal(size=codes[0].shape))
            signal = np.hstack(parts) @ random.normal(size=(3 * CODE, VOXELS))
            # of either half of the repeats; their mean has the reliability
            noise = signal.std() * np.sqrt(2 * (1 / reliability - 1))
            measured[subject, r] = signal + noise * random.normal(size=(2, *signal.shape))
    brain = np.stack([[rdm(half.mean(axis=0)) for half in own] for own in measured])
    ceilings = {}
    for r, roi in enumerate(design.rois):
        if design.subjects > 1:
            group = brain[:, r]
            others = (group.sum(axis=0) - group) / (len(group) - 1)
            pairs = zip(group[:, None], others[:, None], strict=True)
            lower = np.mean([compare(one, rest)[0, 0] for one, rest in pairs])
            ceilings[roi] = {"kind": "subjects", **taken_as_known(lower, design.subjects)}
        else:
            halves = [rdm(half)[None] for half in measured[0, r]]
            reliability = float(spearman_brown(compare(*halves)[0, 0]))
            ceilings[roi] = {"kind": "split-half", **taken_as_known(reliability)}
    return brain, ceilings


def _layers(weights: np.ndarray, codes: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """RDMs (layers, pairs) of a network that mixes the codes and one of its own."""
    features = np.hstack([*codes, random.normal(size=codes[0].shape)])
    return np.stack(
        [rdm(features * np.repeat(own, CODE) @ random.normal(size=(3 * CODE, FEATURES))) for own in weights.T]
    )


def power(
    design: Design,
    n: int,
    files: dict[str, dict],
    cast: Cast,
    studies: int,
    seed: int = 0,
    confidence: float = 0.95,
    halves: int = 3,
) -> pd.DataFrame:
    """Share of simulated studies with each verdict on each claim.

    Parameters
    ----------
    n : number of stimuli
    files, cast : claims, and who plays which part, as of `evaluate`
    studies : number of simulated studies

    Returns
    -------
    table with the columns `columns.power.POWER`
    """
    counts: dict[tuple[str, str], dict[str, int]] = {}
    with progress(studies, "studies") as bar:
        for k in range(studies):
            settings = Settings(
                standard_error="one-pass", halves=halves, seed=seed + k, confidence=confidence
            )
            table = evaluate([simulated(design, n, settings, cast)], files)
            for row in table[table["statistic"] == "overall"].itertuples():
                own = counts.setdefault((row.file, row.claim), dict.fromkeys(VERDICTS, 0))
                own[row.verdict] += 1
            bar.update()
    rows = [
        (*claim, design.effect, n, design.subjects, verdict, number / studies, studies)
        for claim, own in counts.items()
        for verdict, number in own.items()
    ]
    return pd.DataFrame(rows, columns=list(POWER.columns))
