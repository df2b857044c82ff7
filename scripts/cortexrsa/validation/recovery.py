"""Is planted truth recovered? Simulated experiments whose responses are driven by known layers of a network.

Here, and only here, a candidate network is the truth. Each experiment draws its stimuli from a pool, its
voxels (random mixtures of the features of a layer) and its noise, and goes through scores and claims like any
data set.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from cortexrsa.brain.reliability import spearman_brown
from cortexrsa.claim_names import Cast
from cortexrsa.formats.arrays import load_array
from cortexrsa.formats.columns.layers import LAYERS
from cortexrsa.formats.columns.recovery import RECOVERY
from cortexrsa.formats.rdms import RDMs
from cortexrsa.formats.tables import read_table
from cortexrsa.geometry.compare import compare
from cortexrsa.geometry.rdm import rdm
from cortexrsa.geometry.voxel_groups import brain_rdms_without
from cortexrsa.inference.ceilings.bounds import taken_as_known
from cortexrsa.inference.claims.evaluate import evaluate
from cortexrsa.inference.claims.study import Study
from cortexrsa.inference.families import familywise_p
from cortexrsa.inference.names import PRIMARY
from cortexrsa.inference.scores import score_network
from cortexrsa.inference.settings import Settings
from cortexrsa.inference.study import model_scores
from cortexrsa.jobs import progress
from cortexrsa.validation.responses import responses_of

ROIS = ("early", "late")
DIMENSIONS, VOXELS = 300, 300
# reliability of a ROI's mean response, in the test and in the training stimuli
RELIABILITY, TRAINING_RELIABILITY = 0.6, 0.25
UNEQUAL = {"early": 0.2, "late": 0.9}
# SD of what the two noisy copies of a network add, in units of the features' own
COPY_NOISE = 0.5
SCENARIOS = {
    "H1 true": "early ROI driven by an early, late ROI by a late layer",
    "H1 null": "both ROIs driven by the same layer, through voxels of the same tuning",
    "H1 null with other voxels": "the same, each ROI with a sample of voxels of its own",
    "VAE deficit": "both ROIs driven by layers of the classifier",
    "equal networks": "the compared networks are two copies of one, alike up to noise",
    "low-level world": "both ROIs driven by the low-level model alone",
    "shuffled responses": "as H1 true, with the responses assigned to the wrong stimuli",
    "no label codes": "late ROI driven by a middle layer without what the last layer is linear in",
    "generative world": "both ROIs driven by layers of the other network, the generative one",
    "H1 null with unequal noise": "the same layer, reliability .2 in the early and .9 in the late ROI",
}
# main dimensions of the classifier's last layer: as many as the embedded study has categories
LABEL_CODES = 12

# what is asked of the planted truth, as a file of claims has it once it is read
_ALONE = {"measure": "rsa", "split": "test", "requires": [], "expect": "greater"}
_CENTROIDS = [{"profile": "centroid", "roi": roi} for roi in reversed(ROIS)]
QUESTIONS = {
    "family": "none",
    "contradicted_by": "any part",
    "claims": [
        _ALONE
        | {
            "id": "H1",
            "statement": "The early ROI matches early, the late ROI later layers",
            "each": {"network": "network"},
            "statistic": {"difference": _CENTROIDS},
            "holm_over_parts": False,
        },
        _ALONE
        | {
            "id": "H4",
            "statement": "The other network is less similar",
            "each": {"network": "network", "roi": list(ROIS)},
            "statistic": {"difference": [{"score": "best"}, {"score": "best", "network": "other"}]},
            "holm_over_parts": True,
        },
    ],
}


@dataclass
class Pool:
    """Networks' layers on the stimuli from which experiments draw.

    Attributes
    ----------
    network, other, low_level : layers of the classifier, of the network it is compared with, and of the
        low-level model, each (n, features)
    """

    network: list[np.ndarray]
    other: list[np.ndarray]
    low_level: list[np.ndarray]


def read_layers(shards: list[str | Path], seed: int = 0) -> list[np.ndarray]:
    """Layers of a network, in order, each (n, at most 300): larger ones by a random projection.

    Parameters
    ----------
    shards : folders with `layers.tsv` and `{layer}.npy`, see `geometry.layers.network_rdms`
    seed : of the projections
    """
    table = read_table(Path(shards[0]) / "layers.tsv", LAYERS)
    generator = np.random.default_rng(seed)
    layers = []
    for layer in table["layer"]:
        x = np.concatenate(
            [load_array(Path(shard) / f"{layer}.npy", Path(shard) / "layers.tsv") for shard in shards]
        )
        x = x.astype(np.float64) - x.mean(axis=0)
        if x.shape[1] > DIMENSIONS:
            x = x @ generator.normal(size=(x.shape[1], DIMENSIONS)) / np.sqrt(DIMENSIONS)
        layers.append(x / x.std())
    return layers


def _responses(
    layer: np.ndarray, tuning: np.ndarray, reliability: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Two halves of the repeats (2, n, voxels) of voxels that mix the features of a layer.

    tuning : (features, voxels) weights
    reliability : (n,) of the mean of both halves, against the signal's variance over all stimuli
    """
    signal = layer @ tuning
    noise = signal.std(axis=0) * np.sqrt(2 * (1 / reliability - 1))[:, None]
    return signal + noise * generator.normal(size=(2, *signal.shape))


def _network_rdms(layers: list[np.ndarray], patterns: pd.DataFrame) -> RDMs:
    depth = np.linspace(0, 1, len(layers))
    rows = pd.DataFrame({"layer": [f"{k}" for k in range(len(layers))], "depth": depth})
    rows["layer_index"] = range(len(layers))
    return RDMs(np.stack([rdm(layer) for layer in layers]), rows, patterns, "correlation")


def experiment(pool: Pool, scenario: str, seed: int, stimuli: int = 120, training: int = 100) -> list[dict]:
    """One simulated experiment, and what the claims and tests say of it.

    Parameters
    ----------
    pool : see `Pool`
    scenario : of `SCENARIOS`
    seed : of the experiment
    stimuli, training : test stimuli, and those on which layers are chosen

    Returns
    -------
    rows of question, estimate, answer: supported, contradicted or inconclusive for a claim; significant or
    not for a test against zero (maximum over the layers, p <= .05)
    """
    generator = np.random.default_rng([seed, list(SCENARIOS).index(scenario)])
    settings = Settings(permutations=199, halves=1, seed=seed)
    n = len(pool.network[0])
    chosen = generator.permutation(n)[: stimuli + training]
    split = np.where(np.arange(len(chosen)) < stimuli, PRIMARY, "train")
    patterns = pd.DataFrame({"stimulus_id": [f"{k}" for k in range(len(chosen))], "split": split})

    truth = {roi: _true_layer(pool, scenario, roi, seed)[chosen] for roi in ROIS}
    networks = {"network": pool.network, "other": pool.other}
    networks = {name: [layer[chosen] for layer in layers] for name, layers in networks.items()}
    if scenario == "equal networks":
        # noise of each stimulus, so that the networks are exchangeable over the population of stimuli
        copies = dict.fromkeys(networks, networks["network"])
        networks = {
            name: [x + COPY_NOISE * x.std() * generator.normal(size=x.shape) for x in layers]
            for name, layers in copies.items()
        }
    reliability = np.where(split == PRIMARY, RELIABILITY, TRAINING_RELIABILITY)
    tuning = {roi: generator.normal(size=(layer.shape[1], VOXELS)) for roi, layer in truth.items()}
    if scenario == "H1 null":
        # the difference is exactly 0 in every study, whatever the voxels
        tuning["late"] = tuning["early"]
    reliability = dict.fromkeys(ROIS, reliability)
    if scenario == "H1 null with unequal noise":
        reliability |= {roi: np.full(len(split), value) for roi, value in UNEQUAL.items()}
    halves = {
        roi: _responses(layer, tuning[roi], reliability[roi], generator) for roi, layer in truth.items()
    }
    if scenario == "shuffled responses":
        order = np.concatenate([part[generator.permutation(len(part))] for part in _parts(split)])
        halves = {roi: values[:, order] for roi, values in halves.items()}

    regions = pd.DataFrame({"subject": "01", "roi": ROIS})
    brain = RDMs(
        np.stack([rdm(values.mean(axis=0)) for values in halves.values()]), regions, patterns, "correlation"
    )
    trials = {roi: np.moveaxis(values, 0, 1) for roi, values in halves.items()}
    without, _ = brain_rdms_without(responses_of(trials, patterns), "correlation", settings.voxel_groups)
    results = {
        name: score_network(_network_rdms(layers, patterns), brain, "spearman", settings, without=without)
        for name, layers in networks.items()
    }
    return [*_claims(results, halves, split, settings), *_tests(results)]


def _parts(split: np.ndarray) -> list[np.ndarray]:
    return [np.flatnonzero(split == PRIMARY), np.flatnonzero(split != PRIMARY)]


def _true_layer(pool: Pool, scenario: str, roi: str, seed: int) -> np.ndarray:
    """The layer that drives a ROI; the single one of the null moves over the depths with the seed."""
    layers = pool.network
    if scenario == "low-level world":
        return pool.low_level[-1]
    if scenario.startswith("H1 null"):
        return layers[seed % len(layers)]
    place = 0.25 if roi == "early" else 0.85
    layers = pool.other if scenario == "generative world" else layers
    if scenario == "no label codes" and roi == "late":
        # what late layers hold beside labels is little, and RSA weighs codes by their variance
        return without_codes(layers[round(0.6 * (len(layers) - 1))], layers[-1])
    return layers[round(place * (len(layers) - 1))]


def without_codes(layer: np.ndarray, output: np.ndarray) -> np.ndarray:
    """A layer (n, p) less what is linear in the main dimensions of the last one (n, q), which hold labels."""
    codes = np.linalg.svd(output - output.mean(axis=0), full_matrices=False)[0][:, :LABEL_CODES]
    centred = layer - layer.mean(axis=0)
    rest = centred - codes @ (codes.T @ centred)
    return rest / rest.std()


def _claims(results: dict, halves: dict, split: np.ndarray, settings: Settings) -> list[dict]:
    ceilings = {}
    for roi, values in halves.items():
        first, second = (rdm(half[split == PRIMARY])[None] for half in values)
        reliability = float(spearman_brown(compare(first, second)[0, 0]))
        ceilings[roi] = {"kind": "split-half", **taken_as_known(reliability)}
    models, sampled = (
        {name: model_scores(result, settings.seed, voxels) for name, result in results.items()}
        for voxels in (False, True)
    )
    study = Study(
        models=models,
        rois=list(ROIS),
        ceilings=ceilings,
        cast=Cast(),
        confidence=0.95,
    )
    study.over_voxels = replace(study, models=sampled)
    table = evaluate([study], {"recovery": QUESTIONS})
    return [
        {
            "question": f"{part['claim']} {part['roi']}" if part["claim"] == "H4" else part["claim"],
            "estimate": part["estimate"],
            "answer": part["verdict"],
        }
        for part in table[table["statistic"] != "overall"].to_dict("records")
    ]


def _tests(results: dict) -> list[dict]:
    rows = []
    for r, roi in enumerate(ROIS):
        score = results["network"]["score"].sel(split=PRIMARY)[0, r].to_numpy()
        maximum = results["network"]["null_maximum"][:, 0, r].to_numpy()
        p = familywise_p(score, maximum).min()
        answer = "significant" if p <= 0.05 else "not significant"
        rows.append({"question": f"score {roi}", "estimate": np.nanmax(score), "answer": answer})
    return rows


def experiments(pool: Pool, scenario: str, number: int, seed: int = 0, **sizes: int) -> pd.DataFrame:
    """Many experiments of one scenario: scenario, experiment, question, estimate, answer."""
    rows = []
    with progress(number, "experiment") as bar:
        for k in range(number):
            found = experiment(pool, scenario, seed + k, **sizes)
            rows += [{"scenario": scenario, "experiment": k} | row for row in found]
            bar.update()
    return pd.DataFrame(rows)


# what is asked of each scenario: question, answers that count, and what their share should be: found (in at
# least 80 %), null (at most 5 %), raw (raw RSA finds it)
EXPECTED = [
    ("H1 true", "H1", ["supported"], "found"),
    ("H1 null", "H1", ["supported", "contradicted"], "null"),
    ("H1 null with other voxels", "H1", ["supported", "contradicted"], "null"),
    ("H1 null with unequal noise", "H1", ["supported", "contradicted"], "null"),
    ("VAE deficit", "H4 early", ["supported"], "found"),
    ("VAE deficit", "H4 late", ["supported"], "found"),
    ("equal networks", "H4 early", ["supported", "contradicted"], "null"),
    ("equal networks", "H4 late", ["supported", "contradicted"], "null"),
    ("low-level world", "score early", ["significant"], "raw"),
    ("low-level world", "score late", ["significant"], "raw"),
    ("shuffled responses", "score early", ["significant"], "null"),
    ("shuffled responses", "score late", ["significant"], "null"),
    ("shuffled responses", "H1", ["supported", "contradicted"], "null"),
    ("shuffled responses", "H4 early", ["supported", "contradicted"], "null"),
    ("shuffled responses", "H4 late", ["supported", "contradicted"], "null"),
    ("no label codes", "score late", ["significant"], "found"),
    ("no label codes", "H4 late", ["supported"], "found"),
    ("no label codes", "H1", ["supported"], "found"),
    ("generative world", "H4 early", ["contradicted"], "found"),
    ("generative world", "H4 late", ["contradicted"], "found"),
]


def summarise(results: pd.DataFrame) -> pd.DataFrame:
    """Share of the experiments with each answer of `EXPECTED`, with its exact 95 % interval.

    Returns
    -------
    table with the columns `RECOVERY`; an answer is "found" in at least 80 %
    """
    rows = []
    for scenario, question, answers, expected in EXPECTED:
        part = results[(results["scenario"] == scenario) & (results["question"] == question)]
        if part.empty:
            continue
        hits = int(part["answer"].isin(answers).sum())
        limits = stats.binomtest(hits, len(part)).proportion_ci()
        holds = limits.low <= 0.05 if expected == "null" else limits.high >= 0.8
        rows.append(
            [scenario, question, " or ".join(answers), expected, len(part), hits / len(part), *limits, holds]
        )
    return pd.DataFrame(rows, columns=list(RECOVERY.columns))
