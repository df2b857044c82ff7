"""Does training with a brain find what is there, and nothing else? Simulated studies, the truth known.

Small networks are trained with the losses and targets of `guidance`, for each study anew: a guided one and
its controls, with five seeds each. Stimuli are vectors of pixels that mix low-level features, a category,
which the task teaches, and a hidden code, which it does not. They go through RSA, encoding and H9 as any
study does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
import xarray
from torch.func import grad, vmap
from torch.nn import functional as F

from cortexrsa.claim_names import Cast
from cortexrsa.encoding.network import encode_network
from cortexrsa.encoding.settings import EncodingSettings
from cortexrsa.errors import InputError
from cortexrsa.formats.columns.guidance import FIT
from cortexrsa.formats.columns.guided_recovery import GUIDED_EXPERIMENTS
from cortexrsa.formats.rdms import RDMs
from cortexrsa.geometry.rdm import rdm
from cortexrsa.guidance.losses import similarity
from cortexrsa.guidance.settings import TARGETS
from cortexrsa.guidance.targets import responses_of as target_responses
from cortexrsa.guidance.targets import target_of
from cortexrsa.inference.claims.evaluate import evaluate
from cortexrsa.inference.claims.study import Guidance, Study
from cortexrsa.inference.names import PRIMARY, SELECTION
from cortexrsa.inference.scores import score_network
from cortexrsa.inference.set_apart import set_apart
from cortexrsa.inference.settings import Settings
from cortexrsa.inference.stimuli_apart import stimuli_apart
from cortexrsa.inference.study import model_scores, models_of_seeds, of_people
from cortexrsa.jobs import progress
from cortexrsa.streams import Stream, generator
from cortexrsa.validation.responses import responses_of

ROI, LAYERS = "late", ("early", "late")
CONTROLS = ("unguided", "shuffled", "spectrum", "low_level")
CLASSES, PIXELS, UNITS, SEEDS = 4, 48, 32, 5
LOW, HIDDEN, CODE = 6, 4, 24
# training stimuli that are trained on, and those by which layers are chosen
TRAIN, VALIDATION, VOXELS, REPEATS = 160, 40, 60, 4
# of the mean response of a voxel
RELIABILITY = 0.5
STEPS, IMAGES, STIMULI, RATE, WEIGHT = 150, 64, 32, 3e-3, 1.0
# whose gradients many networks have at once; soft ranks do not
LOSSES = ("rdm_pearson", "cka", "readout")
# what drives the ROI: shares of variance of low-level features, of categories and of the hidden code
WORLDS = {
    "hidden structure": (0.25, 0.25, 0.5),
    "nothing beyond the low-level target": (1.0, 0.0, 0.0),
    "shuffled responses": (0.25, 0.25, 0.5),
}


@dataclass(frozen=True)
class Sample:
    """Of what a study tells.

    Attributes
    ----------
    stimuli : number of test stimuli
    unseen : number of people whom the networks are not trained with; there is one more, whom they are
    """

    stimuli: int
    unseen: int

    @property
    def people(self) -> list[str]:
        """Names, first that of the person whom the networks are trained with."""
        return [f"{k:02d}" for k in range(1, self.unseen + 2)]

    def __str__(self) -> str:
        others = "other person" if self.unseen == 1 else "other people"
        return f"{self.stimuli} test stimuli, {self.unseen} {others}"


# ---- stimuli and responses -------------------------------------------------------------------------------


@dataclass(frozen=True)
class World:
    """How pixels and the ROI's responses come about; drawn anew for each study.

    Attributes
    ----------
    pixels : (low-level + classes + hidden, PIXELS) mixing of what an image shows
    code : (hidden, CODE) directions of the hidden code
    tuning : (people, features, VOXELS) weights of each person's voxels
    shares : of `WORLDS`
    """

    pixels: np.ndarray
    code: np.ndarray
    tuning: np.ndarray
    shares: tuple[float, float, float]

    @classmethod
    def drawn(cls, name: str, people: int, random: np.random.Generator) -> World:
        """Of the given world, seen by so many people; `name` is one of `WORLDS`."""
        return cls(
            random.standard_normal((LOW + CLASSES + HIDDEN, PIXELS)) / np.sqrt(PIXELS),
            2 * random.standard_normal((HIDDEN, CODE)),
            random.standard_normal((people, 2 * LOW + CLASSES + CODE, VOXELS)),
            WORLDS[name],
        )

    def images(self, n: int, random: np.random.Generator) -> dict[str, np.ndarray]:
        """n images: pixels, labels, and low-level features, categories and hidden code, each standardised."""
        low, hidden = random.standard_normal((n, LOW)), random.standard_normal((n, HIDDEN))
        labels = random.integers(0, CLASSES, n)
        category = np.eye(CLASSES)[labels]
        shown = np.hstack([1.5 * low, 2.0 * category, hidden]) @ self.pixels
        pixels = shown + 0.1 * random.standard_normal(shown.shape)
        return {
            "pixels": pixels.astype(np.float32) * np.float32(np.sqrt(PIXELS) / 3),
            "labels": labels,
            "low": _standardised(np.hstack([low, np.abs(low)])),
            "category": _standardised(category),
            "hidden": _standardised(np.tanh(hidden @ self.code)),
        }

    def trials(self, images: dict[str, np.ndarray], random: np.random.Generator) -> np.ndarray:
        """Responses (people, n, REPEATS, VOXELS), whose mean has the reliability `RELIABILITY`."""
        parts = [
            np.sqrt(share / images[name].shape[1]) * images[name]
            for name, share in zip(("low", "category", "hidden"), self.shares, strict=True)
        ]
        signal = (np.hstack(parts) @ self.tuning)[:, :, None]
        noise = signal.std(axis=1, keepdims=True) * np.sqrt(REPEATS * (1 / RELIABILITY - 1))
        return signal + noise * random.standard_normal((*signal.shape[:2], REPEATS, VOXELS))


def _standardised(values: np.ndarray) -> np.ndarray:
    return (values - values.mean(axis=0)) / values.std(axis=0)


# ---- networks --------------------------------------------------------------------------------------------


def _layers(weights: dict[str, torch.Tensor], x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Both hidden layers (b, UNITS) and the logits (b, CLASSES) of a network of two hidden layers."""
    first = F.relu(x @ weights["first"] + weights["first_bias"])
    second = F.relu(first @ weights["second"] + weights["second_bias"])
    return first, second, second @ weights["head"] + weights["head_bias"]


def _weights(seeds: list[int]) -> dict[str, torch.Tensor]:
    """Random weights of a network for each seed, (seeds, ...)."""
    made = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)

        def drawn(*shape: int, generator=generator) -> torch.Tensor:
            return torch.randn(*shape, generator=generator) * np.sqrt(2 / shape[0])

        made.append(
            {"first": drawn(PIXELS, UNITS), "second": drawn(UNITS, UNITS), "head": drawn(UNITS, CLASSES)}
            | {"first_bias": torch.zeros(UNITS), "second_bias": torch.zeros(UNITS)}
            | {"head_bias": torch.zeros(CLASSES)}
        )
    return {name: torch.stack([each[name] for each in made]) for name in made[0]}


def train_networks(
    corpus: dict[str, np.ndarray],
    stimuli: np.ndarray,
    targets: torch.Tensor,
    weights_of_loss: torch.Tensor,
    seeds: list[int],
    loss: str,
) -> dict[str, torch.Tensor]:
    """Train many small networks at once, each for its categories and to be like its target.

    Parameters
    ----------
    corpus : of `World.images`
    stimuli : (n, PIXELS) training stimuli
    targets : (networks, n, n), or (networks, n, voxels) of read-outs, of `guidance.targets.target_of`
    weights_of_loss : (networks,); 0: the stimuli are seen, and nothing is learned of a brain
    seeds : of each network: its weights at the start, and the order of images and stimuli
    loss : of `LOSSES`

    Returns
    -------
    weights, (networks, ...) each

    Raises
    ------
    InputError : another loss.
    """
    if loss not in LOSSES:
        raise InputError("loss", repr(loss), f"one of {', '.join(LOSSES)}")
    measure = similarity(loss)
    images, labels = torch.from_numpy(corpus["pixels"]), torch.from_numpy(corpus["labels"])
    shown = torch.from_numpy(stimuli)

    def total(weights, x, y, seen, target, weight):
        _, features, logits = _layers(weights, torch.cat([x, seen]))
        task = F.cross_entropy(logits[: len(x)], y)
        return task + weight * (1 - measure(features[len(x) :], target))

    def of(target: torch.Tensor, place: np.ndarray) -> torch.Tensor:
        return target[place] if TARGETS[loss] == "responses" else target[place][:, place]

    gradients = vmap(grad(total))
    weights = {name: value.requires_grad_() for name, value in _weights(seeds).items()}
    optimizer = torch.optim.Adam(weights.values(), lr=RATE)
    orders = {seed: generator(seed, Stream.SIMULATED_TRAINING) for seed in dict.fromkeys(seeds)}
    for _ in range(STEPS):
        drawn = {
            seed: (order.choice(len(images), IMAGES, False), order.choice(len(shown), STIMULI, False))
            for seed, order in orders.items()
        }
        rows, places = (np.stack([drawn[seed][k] for seed in seeds]) for k in range(2))
        chosen = torch.stack([of(target, place) for target, place in zip(targets, places, strict=True)])
        plain = {name: value.detach() for name, value in weights.items()}
        found = gradients(plain, images[rows], labels[rows], shown[places], chosen, weights_of_loss)
        for name, value in weights.items():
            value.grad = found[name]
        optimizer.step()
    return {name: value.detach() for name, value in weights.items()}


# ---- studies ---------------------------------------------------------------------------------------------


def simulated_study(
    name: str, loss: str, sample: Sample, random: np.random.Generator, seed: int
) -> dict[str, Study]:
    """RSA and encoding of a guided network and its controls, on test stimuli of a world.

    Each network is trained with one person, and asked about all.

    Parameters
    ----------
    name : of `WORLDS`
    loss : see `train_networks`
    sample : test stimuli and people
    random : of world, stimuli and responses
    seed : of the study

    Returns
    -------
    studies by whom they are about: people trained with, and people not trained with
    """
    world = World.drawn(name, len(sample.people), random)
    corpus = world.images(512, random)
    stimuli = world.images(TRAIN + VALIDATION + sample.stimuli, random)
    trials = world.trials(stimuli, random)
    if name == "shuffled responses":
        # within the stimuli of each kind
        kinds = np.split(np.arange(trials.shape[1]), [TRAIN, TRAIN + VALIDATION])
        trials = trials[:, np.concatenate([random.permutation(own) for own in kinds])]
    kinds = ("brain", *CONTROLS)
    places = [(kind, seed * SEEDS + k) for kind in kinds for k in range(SEEDS)]

    def target(kind: str, own: int) -> torch.Tensor:
        told = "brain" if kind == "unguided" else kind
        made = target_responses(told, [trials[0, :TRAIN]], own, stimuli["low"][:TRAIN])
        return torch.from_numpy(target_of(made, loss))

    weights = train_networks(
        corpus,
        stimuli["pixels"][:TRAIN],
        torch.stack([target(*place) for place in places]),
        torch.tensor([0.0 if kind == "unguided" else WEIGHT for kind, _ in places]),
        [own for _, own in places],
        loss,
    )
    shown = torch.from_numpy(stimuli["pixels"])
    # the stimuli are the same for all
    first, second, _ = vmap(_layers, in_dims=(0, None))(weights, shown)
    networks = {}
    for k, (kind, own) in enumerate(places):
        label = "guided" if kind == "brain" else f"guided~{kind}"
        number = own % SEEDS
        networks[f"{label}@{number + 1}" if number else label] = (first[k].numpy(), second[k].numpy())
    return _scored(networks, trials, sample.people, seed)


def _scored(
    networks: dict[str, tuple[np.ndarray, ...]], trials: np.ndarray, people: list[str], seed: int
) -> dict[str, Study]:
    """Studies of networks' layers, (n, UNITS) each, and of responses (people, n, REPEATS, VOXELS)."""
    patterns = pd.DataFrame({"stimulus_id": [f"{k}" for k in range(trials.shape[1])]})
    patterns["split"] = np.where(np.arange(len(patterns)) < TRAIN + VALIDATION, SELECTION, PRIMARY)
    roles = patterns.assign(role=np.where(np.arange(len(patterns)) < TRAIN, FIT, ""))
    apart = stimuli_apart(patterns, roles)
    table = pd.DataFrame({"layer": LAYERS, "layer_index": [0, 1], "depth": [0.0, 1.0]})
    places = pd.DataFrame({"subject": people, "roi": ROI})
    brain = RDMs(np.stack([rdm(own.mean(axis=1)) for own in trials]), places, patterns, "correlation")
    brain = set_apart(brain, apart)
    responses = xarray.concat([responses_of({ROI: own}, patterns) for own in trials], dim="voxel")
    responses = responses.assign_coords(subject=("voxel", np.repeat(np.array(people, object), VOXELS)))
    settings, encoding = Settings(permutations=1, voxel_groups=0, seed=seed), EncodingSettings()
    results: dict[str, dict[str, xarray.Dataset]] = {"rsa": {}, "encoding": {}}
    for name, layers in networks.items():
        rdms = RDMs(np.stack([rdm(layer) for layer in layers]), table, patterns, "correlation")
        results["rsa"][name] = score_network(set_apart(rdms, apart), brain, "spearman", settings)
        features = dict(zip(LAYERS, layers, strict=True))
        encoded = encode_network(
            table,
            features.__getitem__,
            responses,
            encoding,
            settings,
            in_no_fold=apart,
        )
        results["encoding"][name] = encoded.sel(estimator="ridge")
    return {
        "people trained with": _study_of(results, people[:1], seed),
        "people not trained with": _study_of(results, people[1:], seed),
    }


def _study_of(results: dict[str, dict[str, xarray.Dataset]], people: Sequence[str], seed: int) -> Study:
    """The study of some of the people, from results by measure and network."""
    controls = [f"guided~{kind}" for kind in CONTROLS]
    found = {
        measure: models_of_seeds(
            {name: model_scores(of_people(result, people), seed) for name, result in own.items()},
            dict.fromkeys(controls, "guided"),
        )
        for measure, own in results.items()
    }
    return Study(
        **found["rsa"],
        rois=[ROI],
        ceilings={ROI: {"kind": "unknown"}},
        cast=Cast(),
        confidence=0.95,
        seed=seed,
        others={("encoding", PRIMARY): found["encoding"]["models"]},
        guided={"guided": Guidance(controls, [ROI])},
    )


# ---- how often H9 is supported ---------------------------------------------------------------------------


def experiments(
    name: str, loss: str, sample: Sample, number: int, claims: dict, seed: int = 0, first: int = 0
) -> pd.DataFrame:
    """H9 in many simulated studies of a world.

    Parameters
    ----------
    name : of `WORLDS`
    loss : see `train_networks`
    sample : test stimuli and people of each study
    number : of studies
    claims : of resources/claims/brain_guided.yaml
    first : number of the first study

    Returns
    -------
    table with the columns `GUIDED_EXPERIMENTS`: H9, and each part of it, about those seen and others
    """
    rows, scenario = [], f"{name}, {sample}, {loss}"
    with progress(number, "studies") as bar:
        for k in range(first, first + number):
            random = np.random.default_rng([seed, k, list(WORLDS).index(name)])
            for people, study in simulated_study(name, loss, sample, random, seed + k).items():
                for row in evaluate([study], {"brain_guided": claims}).to_dict("records"):
                    asked = f"{_question(row)}, {people}"
                    rows.append([scenario, k, asked, row["estimate"], row["verdict"]])
            bar.update()
    return pd.DataFrame(rows, columns=list(GUIDED_EXPERIMENTS.columns))


def _question(row: dict) -> str:
    if row["statistic"] == "overall":
        return "H9"
    return f"{row['measure']} over {row['models'].rpartition('~')[2]}"
