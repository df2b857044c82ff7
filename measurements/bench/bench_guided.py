"""Images per second of training with the brain: against a bare PyTorch loop with the same loss."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import torch
from bench_training import ROOT, STEPS, TORCH, batches, small_corpus, with_lightning
from harness import Case

from cortexrsa.cards import load_card
from cortexrsa.guidance.losses import similarity
from cortexrsa.guidance.settings import TARGETS, Guidance, Lesson
from cortexrsa.guidance.training import Guided, GuidedTraining
from cortexrsa.networks.build import build
from cortexrsa.networks.objectives import OBJECTIVES
from cortexrsa.networks.preprocessing import prepare
from cortexrsa.networks.settings import Preprocessing, Recipe
from cortexrsa.networks.streaming import Batches
from cortexrsa.networks.training import precision

STIMULI, VALIDATION, VOXELS = 240, 45, 300


def _guided(loss: str) -> dict:
    """The card of the embedded study with noise for images, stimuli and responses."""
    torch.set_num_threads(1)
    card = load_card("models", "resnet18_guided", ROOT)
    training = dict(card["weights"]["training"])
    guidance = replace(Guidance(**training.pop("brain")), loss=loss)
    recipe, preprocessing = Recipe(**training), Preprocessing(**card["preprocessing"])
    random, n = np.random.default_rng(0), STIMULI + VALIDATION
    images = random.integers(0, 255, (n, 64, 64, 3), dtype=np.uint8)
    responses = random.normal(size=(n, VOXELS)).astype(np.float32)
    square = responses @ responses.T / VOXELS
    target = responses if TARGETS[loss] == "responses" else square
    (layer,) = guidance.layers.values()
    places = np.arange(n)
    lesson = Lesson(images, places[:STIMULI], places[STIMULI:], [(layer, target)], preprocessing)
    objective = Guided(OBJECTIVES["supervised"](build(card["network"], seed=1), recipe), [layer])
    module = GuidedTraining(objective, preprocessing, 1000, guidance, lesson)
    return {"module": module.train(), "part": small_corpus().part("train", preprocessing.size)}


def bare_loop(module: GuidedTraining, part) -> None:
    """The same batches, network and losses in a loop of PyTorch alone."""
    optimizer = module.configure_optimizers()["optimizer"]
    bfloat16 = precision(module.recipe, torch.device("cpu")) == "bf16-mixed"
    guidance, lesson, task = module.guidance, module.lesson, module.objective.task
    measure = similarity(guidance.loss, guidance.dissimilarity, guidance.temperature, guidance.ridge)
    ((layer, target),) = lesson.targets
    target, features = torch.from_numpy(target), []
    module.objective.network.get_submodule(layer).register_forward_hook(
        lambda _, inputs, output: features.append(output)
    )
    orders = iter(Batches(STIMULI, guidance.batch_size, STEPS, seed=2))
    for images, labels in batches(module, part):
        chosen = next(orders)
        shown = prepare(lesson.images[chosen], lesson.preprocessing)
        views = module.views(images)
        both = torch.cat([views, shown]).contiguous(memory_format=torch.channels_last)
        features.clear()
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            logits = task.network(both)
        loss = task.loss((logits[: len(views)].float(),), views, labels, 0.0)
        rows = torch.tensor(chosen)
        own = target[rows] if guidance.loss == "readout" else target[rows][:, rows]
        found = measure(features[0][len(views) :].flatten(1).float(), own)
        optimizer.zero_grad()
        (loss + guidance.weight * (1 - found)).backward()
        optimizer.step()


def without_the_brain(module: GuidedTraining, part) -> None:
    """The same images and stimuli, and nothing learned of the brain."""
    module.guidance = replace(module.guidance, weight=0.0)
    with_lightning(module, part)


SIZE = f"{STEPS} steps of 32 images and 32 stimuli, seconds of one of either"
UNITS = {"ours_units": STEPS * 64, "peer_units": STEPS * 64}
CASES = [
    Case(
        name=f"guided_{loss}",
        size=SIZE,
        peer=f"{TORCH}, bare loop",
        inputs=functools.partial(_guided, loss),
        ours=with_lightning,
        theirs=bare_loop,
        repeats=1,
        goal=0.9,
        **UNITS,
    )
    for loss in TARGETS
]
# what the loss costs beside all that a control of weight 0 does
CASES += [
    Case(
        name=f"guided_cost_{loss}",
        size=SIZE,
        peer="weight 0",
        inputs=functools.partial(_guided, loss),
        ours=with_lightning,
        theirs=without_the_brain,
        repeats=1,
        **UNITS,
    )
    for loss in TARGETS
]
