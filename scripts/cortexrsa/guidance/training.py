"""Train a network on a corpus and, beside it, to be like the brain on some stimuli."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import torch
from lightning.pytorch.callbacks import Callback
from torch import nn

from cortexrsa.errors import InputError
from cortexrsa.guidance.batches import check_batches
from cortexrsa.guidance.losses import similarity
from cortexrsa.guidance.settings import Guidance, Lesson
from cortexrsa.networks.build import build
from cortexrsa.networks.layers import recorded
from cortexrsa.networks.objectives import OBJECTIVES, Objective
from cortexrsa.networks.preprocessing import prepare
from cortexrsa.networks.settings import Preprocessing, Recipe
from cortexrsa.networks.streaming import Corpus
from cortexrsa.networks.training import CURVE_POINTS, HELD_OUT_POINTS, Training, train

VALIDATED = 512  # stimuli at most, of the validation curve


class Guided(nn.Module):
    """An objective whose network is shown stimuli too, in the same batch.

    `stimuli` is how many of the last rows of what `outputs` gets are stimuli: the objective's own outputs are
    those of the rows before, followed by the features (stimuli, f) of each of `layers` for them.
    """

    def __init__(self, task: Objective, layers: list[str]):
        super().__init__()
        self.task, self.layers, self.stimuli = task, layers, 0

    @property
    def network(self) -> nn.Module:
        return self.task.network

    @property
    def recipe(self) -> Recipe:
        return self.task.recipe

    @property
    def views(self) -> int:
        return self.task.views

    def outputs(self, views: torch.Tensor) -> tuple[torch.Tensor, ...]:
        if not self.stimuli:
            return self.task.outputs(views)
        features, own = [], len(views) - self.stimuli
        # later layers may overwrite an output in place
        with recorded(self.network, self.layers, lambda _, x: features.append(x[own:].flatten(1).clone())):
            outputs = self.task.outputs(views)
        return (*(output[:own] for output in outputs), *features)

    def loss(self, outputs, views, labels, done) -> torch.Tensor:
        return self.task.loss(outputs, views, labels, done)


class GuidedTraining(Training):
    """The objective's loss + weight (1 - similarity with the brain), mean over ROIs.

    A batch is images of the corpus and stimuli together, so that batch normalisation sees both in every step
    and in every control. Stimuli are shown as they are to be shown afterwards: whole, and without
    augmentation. Their order depends on the seed alone.
    """

    def __init__(
        self, objective: Guided, preprocessing: Preprocessing, steps: int, guidance: Guidance, lesson: Lesson
    ):
        super().__init__(objective, preprocessing, steps)
        self.guidance, self.lesson = guidance, lesson
        options = (guidance.loss, guidance.dissimilarity)
        self.measure = similarity(*options, guidance.temperature, guidance.ridge)
        # nothing is learned from it, so exact ranks will do
        self.exact = similarity(*options, 0, guidance.ridge)
        self.square = guidance.loss != "readout"
        self.chosen: np.ndarray | None = None
        self.shown: torch.Tensor | None = None
        self.similarity = 0.0
        self.curve = SimilarityCurve(steps, self.recipe.batch_size)
        self.followers = [self.curve]
        self.targets: list[tuple[str, torch.Tensor]] | None = None

    def stimuli_of(self, step: int) -> np.ndarray:
        """Places among the fitted stimuli that a step shows."""
        n, size = len(self.lesson.fitted), self.guidance.batch_size
        # what is left over of a pass waits for the next: no batch has a stimulus twice
        turn, place = divmod(step, n // size)
        order = np.random.default_rng([self.recipe.seed, turn]).permutation(n)
        return order[place * size : (place + 1) * size]

    def parts(self, views: torch.Tensor, n: int) -> tuple[torch.Tensor, ...]:
        corpus = super().parts(views, n)
        stimuli = self.shown.split(len(self.shown) // len(corpus))
        self.objective.stimuli = len(stimuli[0])
        return tuple(
            torch.cat(both).contiguous(memory_format=torch.channels_last)
            for both in zip(corpus, stimuli, strict=True)
        )

    def gradients(self, views, labels, step, in_parts):
        self.chosen = self.stimuli_of(step)
        images = self.lesson.images[self.lesson.fitted[self.chosen]]
        with torch.autocast(views.device.type, enabled=False):
            self.shown = prepare(images, self.lesson.preprocessing, views.device)
        try:
            return super().gradients(views, labels, step, in_parts)
        finally:
            self.chosen, self.shown, self.objective.stimuli = None, None, 0

    def _loss(self, outputs, views, labels, done):
        if self.chosen is None:
            return super()._loss(outputs, views, labels, done)
        number = len(self.objective.layers)
        loss = super()._loss(outputs[:-number], views, labels, done)
        with (
            torch.autocast(views.device.type, enabled=False),
            torch.set_grad_enabled(bool(self.guidance.weight) and torch.is_grad_enabled()),
        ):
            found = self.similarities(outputs[-number:], self.chosen, self.measure)
        self.similarity = float(found.detach())
        return loss + self.guidance.weight * (1 - found) if self.guidance.weight else loss

    def similarities(self, features, places: np.ndarray, measure) -> torch.Tensor:
        """Mean over ROIs of the similarity of layers and targets, for stimuli in rows of the targets."""
        by_layer = dict(zip(self.objective.layers, features, strict=True))
        device = features[0].device
        if self.targets is None:
            self.targets = [(name, torch.from_numpy(own).to(device)) for name, own in self.lesson.targets]
        rows = torch.from_numpy(places).to(device)
        found = []
        for layer, target in self.targets:
            own = target[rows][:, rows] if self.square else target[rows]
            found.append(measure(by_layer[layer].float(), own))
        return torch.stack(found).mean()

    @torch.no_grad()
    def validate(self) -> float:
        """Similarity with the brain on the validation stimuli, as the network is in evaluation."""
        network, size = self.objective.network, self.recipe.batch_size
        # of many, some that do not depend on their order in the table
        some = np.random.default_rng(0).permutation(len(self.lesson.validated))[:VALIDATED]
        places = self.lesson.validated[some]
        rows: dict[str, list[torch.Tensor]] = {layer: [] for layer in self.objective.layers}
        training = network.training
        network.eval()
        with recorded(
            network, self.objective.layers, lambda layer, x: rows[layer].append(x.float().flatten(1).clone())
        ):
            for start in range(0, len(places), size):
                images = self.lesson.images[places[start : start + size]]
                shown = prepare(images, self.lesson.preprocessing, self.device)
                with self.trainer.precision_plugin.forward_context():
                    network(shown.contiguous(memory_format=torch.channels_last))
        network.train(training)
        features = [torch.cat(rows[layer]) for layer in self.objective.layers]
        return float(self.similarities(features, len(self.lesson.fitted) + some, self.exact))

    def end(self) -> None:
        if self.guidance.keep == "best":
            self.objective.network.load_state_dict(self.curve.best)


class SimilarityCurve(Callback):
    """Similarity with the brain: mean over the batches since the last point, and on the validation stimuli.

    Kept in the checkpoints, with the weights that were the most similar on the validation stimuli.
    """

    def __init__(self, steps: int, batch_size: int):
        self.every = max(1, steps // CURVE_POINTS)
        self.validated_every = max(1, steps // HELD_OUT_POINTS)
        self.steps, self.batch_size = steps, batch_size
        self.rows: list[list] = []
        self.total, self.count = 0.0, 0
        self.highest, self.best = -np.inf, {}

    def state_dict(self) -> dict:
        names = ("rows", "total", "count", "highest", "best")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state: dict) -> None:
        for name, value in state.items():
            setattr(self, name, value)

    def on_train_start(self, trainer, module: GuidedTraining) -> None:
        if trainer.global_step == 0:
            self.rows.append(["validation_similarity", module.validate(), 0])

    def on_train_batch_end(self, trainer, module: GuidedTraining, outputs, batch, batch_idx) -> None:
        step = trainer.global_step
        self.total, self.count = self.total + module.similarity, self.count + 1
        seen = step * self.batch_size
        if step % self.every == 0 or step == self.steps:
            self.rows.append(["training_similarity", self.total / self.count, seen])
            self.total, self.count = 0.0, 0
        if step % self.validated_every == 0 or step == self.steps:
            found = module.validate()
            self.rows.append(["validation_similarity", found, seen])
            if module.guidance.keep == "best" and (found > self.highest or not self.best):
                state = module.objective.network.state_dict()
                # a similarity that is NaN at first gives way to any
                self.highest = float(np.fmax(self.highest, found))
                self.best = {name: value.detach().cpu().clone() for name, value in state.items()}


def begin_with(network: nn.Module, weights: dict[str, torch.Tensor]) -> list[str]:
    """Give a network the weights of another of its kind, whose last layer may have other classes.

    Returns
    -------
    names of the parameters of the last linear layer, if they stay random

    Raises
    ------
    InputError : other weights have other names or shapes.
    """
    own = network.state_dict()
    heads = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    of_head = [key for key in own if heads and key.rpartition(".")[0] == heads[-1]]
    other = [key for key in own if key not in weights or weights[key].shape != own[key].shape]
    foreign = [key for key in weights if key not in own and key.rpartition(".")[0] not in heads[-1:]]
    wrong = [key for key in other if key not in of_head] + foreign
    if wrong:
        found = f"{len(wrong)} weights of another name or shape ({', '.join(wrong[:3])})"
        raise InputError("weights: training: start", found, "a card with the same `network`, but for classes")
    new = of_head if set(other) & set(of_head) else []
    network.load_state_dict({key: own[key] if key in new else weights[key] for key in own})
    return new


def train_guided(
    network: dict,
    recipe: Recipe,
    corpus: Corpus,
    preprocessing: Preprocessing,
    guidance: Guidance,
    lesson: Lesson,
    start: dict[str, torch.Tensor] | None = None,
    **options,
) -> tuple[nn.Module, pd.DataFrame]:
    """Train a network on a corpus and to be like the brain; see `networks.training.train`.

    Parameters
    ----------
    network, corpus, preprocessing : as there
    recipe : the same; `images_seen` counts images of the corpus and stimuli
    guidance : of the card
    lesson : stimuli and targets
    start : weights to begin with, instead of random ones
    options : checkpoints, code, device and threads, as there

    Returns
    -------
    model, metrics : as there; metrics also has training_similarity (mean over the batches) and
        validation_similarity over time. A step counts images of either kind.

    Raises
    ------
    InputError : see there; also a batch of stimuli that cannot be divided as the batch is, a layer that there
        is not, weights to begin with that do not fit.
    """
    check_batches(recipe.batch_size, recipe.norm_batch, guidance.batch_size, recipe.images_seen)
    steps = recipe.images_seen // (recipe.batch_size + guidance.batch_size)
    own = replace(recipe, images_seen=steps * recipe.batch_size)
    layers = list(dict.fromkeys(layer for layer, _ in lesson.targets))
    begun: list[GuidedTraining] = []

    def begin(network: dict, recipe: Recipe, preprocessing: Preprocessing) -> Training:
        body = build(network, recipe.seed)
        if start is not None and (new := begin_with(body, start)):
            print(f"random weights at the start, as classes differ: {', '.join(new)}")
        objective = Guided(OBJECTIVES[recipe.objective](body, recipe), layers)
        begun.append(GuidedTraining(objective, preprocessing, steps, guidance, lesson))
        return begun[0]

    # what a checkpoint belongs to
    begun_with = None if start is None else {key: float(value.double().sum()) for key, value in start.items()}
    parts = [options.get("code", ""), asdict(guidance), lesson.digest(), begun_with]
    options["code"] = json.dumps(parts, sort_keys=True)
    model, metrics = train(network, own, corpus, preprocessing, begin=begin, **options)
    curve = pd.DataFrame(begun[0].curve.rows, columns=metrics.columns)
    metrics = pd.concat([metrics, curve], ignore_index=True)
    # images of the corpus as they were counted, and stimuli
    together = recipe.batch_size + guidance.batch_size
    return model, metrics.assign(step=metrics["step"] // recipe.batch_size * together)
