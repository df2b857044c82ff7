"""Train a network on a corpus with Lightning: resumable at any step, the same whatever the memory allows."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import math
import os
import pickle
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import lightning
import numpy as np
import pandas as pd
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.plugins.environments import LightningEnvironment
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch import nn

from cortexrsa.errors import InputError
from cortexrsa.formats.columns.metrics import METRICS
from cortexrsa.networks import probes
from cortexrsa.networks.augmentation import Views
from cortexrsa.networks.build import build
from cortexrsa.networks.devices import choose_device, is_out_of_memory, place
from cortexrsa.networks.objectives import OBJECTIVES, SOURCES, Objective
from cortexrsa.networks.preprocessing import resize, standardise
from cortexrsa.networks.settings import Preprocessing, Recipe
from cortexrsa.networks.streaming import Batches, Corpus, Images, loader
from cortexrsa.storage import atomic_path

CURVE_POINTS = 50  # of the training loss
HELD_OUT_POINTS = 10
HELD_OUT_IMAGES = 512  # for the loss on held-out images during training
CHECKPOINTS = 20  # in a training, and at least every
CHECKPOINT_STEPS = 1000

# ---- one step --------------------------------------------------------------------------------------------


def learning_rate(step: int, steps: int, warmup: float = 0.1) -> float:
    """Share of the peak rate: linear warm-up over a share `warmup` of the steps, then half a cosine to 0."""
    rising = max(1, round(warmup * steps))
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


def precision(recipe: Recipe, device: torch.device) -> str:
    """Lightning's name of the precision: bfloat16 where the hardware multiplies it natively, else float32."""
    wanted = recipe.precision
    if wanted == "auto":
        if device.type == "cuda":
            native = torch.cuda.is_bf16_supported(including_emulation=False)
        else:
            native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        wanted = "bfloat16" if native else "float32"
    return {"float32": "32-true", "bfloat16": "bf16-mixed"}[wanted]


@contextlib.contextmanager
def _frozen_statistics(network: nn.Module) -> Iterator[None]:
    """Batch normalisation as in training, but without counting this pass into its running statistics."""
    norms = [
        module
        for module in network.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.track_running_stats
    ]
    for module in norms:
        module.track_running_stats = False
    try:
        yield
    finally:
        for module in norms:
            module.track_running_stats = True


class Training(lightning.LightningModule):
    """One objective under Lightning.

    All randomness of a step (augmentation, the VAE's sample) depends on the seed and the step, so that a
    training taken up at a step goes on as if it had not been stopped.

    Batch normalisation takes its statistics over `norm_batch` images of the batch (default: all), whatever
    the memory. If memory runs out, these parts pass one after the other: first all outputs without
    gradients, then the gradient of the loss of the whole batch with respect to them, then each part
    again, backwards (Gao et al. 2021, arXiv:2101.06983). So the recipe, contrastive losses over the whole
    batch included, stays the same.
    """

    def __init__(self, objective: Objective, preprocessing: Preprocessing, steps: int):
        super().__init__()
        # the steps are made by hand: Lightning's closure cannot be repeated after out of memory
        self.automatic_optimization = False
        # whoever made it: views are channels_last, in which some layers are not safe
        self.objective = place(objective, next(objective.parameters()).device)
        self.steps = steps
        self.recipe, self.preprocessing = objective.recipe, preprocessing
        self.augmentation = Views(self.recipe.augmentation, preprocessing.size)
        self.in_parts = False
        # further callbacks of the training, whose state is kept in the checkpoints
        self.followers: list[Callback] = []

    def configure_optimizers(self):
        decayed = [p for p in self.objective.parameters() if p.ndim > 1]
        # biases and normalisation are not decayed
        others = [p for p in self.objective.parameters() if p.ndim <= 1]
        decay, rate = self.recipe.weight_decay, self.recipe.learning_rate
        groups = [{"params": decayed, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
        if self.recipe.optimizer == "sgd":
            optimizer = torch.optim.SGD(groups, lr=rate, momentum=0.9, nesterov=True)
        else:
            optimizer = torch.optim.AdamW(groups, lr=rate, fused=True)
        warmup = self.recipe.warmup
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: learning_rate(step, self.steps, warmup)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _seed(self, step: int, part: int) -> None:
        # distinct for every step and part of the batch
        state = np.random.SeedSequence([self.recipe.seed, step, part])
        # torch.manual_seed queues a call, with a traceback, for GPUs that are not in use: 1.5 ms each time
        seed = torch.default_generator.manual_seed if self.device.type == "cpu" else torch.manual_seed
        seed(int(state.generate_state(1, np.uint64)[0]))

    def views(self, images: torch.Tensor) -> torch.Tensor:
        """Views (b * views, 3, S, S), standardised, of images (b, C, H, W) uint8; an image's are adjacent."""
        # images stay float32 also where the network computes in bfloat16
        with torch.no_grad(), torch.autocast(images.device.type, enabled=False):
            x = resize(images.float() / 255, self.preprocessing.size)
            x = self.augmentation(x.repeat_interleave(self.objective.views, 0))
            x = standardise(x.expand(-1, 3, -1, -1), self.preprocessing)
            return x.contiguous(memory_format=torch.channels_last)

    def parts(self, views: torch.Tensor, n: int) -> tuple[torch.Tensor, ...]:
        """Views of n images in parts over which batch normalisation takes its statistics."""
        return views.split((self.recipe.norm_batch or n) * self.objective.views)

    def end(self) -> None:
        """What is left to do when all steps are made: nothing here."""

    def _loss(self, outputs, views, labels, done) -> torch.Tensor:
        with torch.autocast(views.device.type, enabled=False):
            outputs = tuple(output.float() for output in outputs)
            return self.objective.loss(outputs, views, labels, done)

    def gradients(self, views: torch.Tensor, labels: torch.Tensor, step: int, in_parts: bool) -> torch.Tensor:
        """Loss of the whole batch, with its gradients added to the parameters'."""
        parts = self.parts(views, len(labels))

        def outputs(part: int) -> tuple[torch.Tensor, ...]:
            self._seed(step, 1 + part)
            return self.objective.outputs(parts[part])

        def joined(all_outputs) -> tuple[torch.Tensor, ...]:
            return tuple(map(torch.cat, zip(*all_outputs, strict=True)))

        done = step / self.steps
        if not in_parts:
            loss = self._loss(joined([outputs(k) for k in range(len(parts))]), views, labels, done)
            self.manual_backward(loss)
            return loss.detach()
        with torch.no_grad(), _frozen_statistics(self.objective.network):
            pieces = [outputs(k) for k in range(len(parts))]
        found = joined(pieces)
        found = tuple(output.detach().requires_grad_() for output in found)
        loss = self._loss(found, views, labels, done)
        self.manual_backward(loss)
        # the loss need not depend on every output
        used = [k for k, output in enumerate(found) if output.grad is not None]
        wanted = [found[k].grad.split([len(piece[k]) for piece in pieces]) for k in used]
        for k in range(len(parts)):
            again = outputs(k)
            torch.autograd.backward([again[j] for j in used], [gradient[k] for gradient in wanted])
        return loss.detach()

    def training_step(self, batch, _):
        images, labels = batch
        step, optimizer = self.global_step, self.optimizers()
        buffers = {name: buffer.clone() for name, buffer in self.objective.named_buffers()}
        while True:
            self._seed(step, 0)
            optimizer.zero_grad()
            exhausted = False
            try:
                loss = self.gradients(self.views(images), labels, step, self.in_parts)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                exhausted = True
            if not exhausted:
                break
            # outside the handler, so that the failed pass's tensors are no longer referenced
            self._shrink(buffers)
        if not torch.isfinite(loss):
            raise InputError(
                "weights: training", f"loss {loss.item()} at step {step}", "a lower learning_rate"
            )
        if self.recipe.gradient_clip:
            nn.utils.clip_grad_norm_(self.objective.parameters(), self.recipe.gradient_clip)
        optimizer.step()
        self.lr_schedulers().step()
        return loss

    def _shrink(self, buffers: dict[str, torch.Tensor]) -> None:
        """After out of memory: undo what the failed pass left; from now on the batch passes in parts."""
        batch, norm_batch = self.recipe.batch_size, self.recipe.norm_batch
        if self.in_parts or not norm_batch or norm_batch >= batch:
            found = f"out of memory on {self.device} at {norm_batch if self.in_parts else batch} images"
            raise InputError(
                "weights: training: norm_batch",
                found,
                f"more memory, or a norm_batch below {norm_batch or batch} (images over which batch "
                "normalisation takes its statistics), so that the batch can be divided",
            )
        with torch.no_grad():
            for name, buffer in self.objective.named_buffers():
                buffer.copy_(buffers[name])
        self.in_parts = True
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        print(f"out of memory at {batch} images: going on with parts of {norm_batch}, by the same recipe")


# ---- what is kept on the way -----------------------------------------------------------------------------


class LearningCurve(Callback):
    """Mean training loss since the last point, and now and then the loss on held-out images.

    Kept in the checkpoints, so that the curve of a resumed training has no seam.
    """

    def __init__(self, steps: int, batch_size: int, held_out: Images):
        self.every = max(1, steps // CURVE_POINTS)
        self.held_out_every = max(1, steps // HELD_OUT_POINTS)
        self.steps, self.batch_size, self.held_out = steps, batch_size, held_out
        self.rows: list[list] = []
        self.total, self.count = 0.0, 0

    def state_dict(self) -> dict:
        return {"rows": self.rows, "total": self.total, "count": self.count}

    def load_state_dict(self, state: dict) -> None:
        self.rows, self.total, self.count = state["rows"], state["total"], state["count"]

    def on_train_batch_end(self, trainer, module: Training, outputs, batch, batch_idx) -> None:
        step = trainer.global_step
        self.total += float(outputs["loss"])
        self.count += 1
        seen = step * self.batch_size
        if step % self.every == 0 or step == self.steps:
            self.rows.append(["training_loss", self.total / self.count, seen])
            self.total, self.count = 0.0, 0
        if step % self.held_out_every == 0 or step == self.steps:
            self.rows.append(["held_out_loss", self._held_out_loss(module), seen])

    @torch.no_grad()
    def _held_out_loss(self, module: Training) -> float:
        module.eval()
        total, n = 0.0, min(len(self.held_out), HELD_OUT_IMAGES)
        size = min(self.batch_size, n)
        starts = range(0, n - size + 1, size)
        for start in starts:
            images, labels = self.held_out.__getitems__(range(start, start + size))
            # the same views whenever it is asked, under the full objective
            module._seed(module.steps, start)
            views = module.views(images.to(module.device))
            with module.trainer.precision_plugin.forward_context():
                outputs = module.objective.outputs(views)
            total += float(module._loss(outputs, views, labels.to(module.device), 1.0))
        module.train()
        return total / len(starts)


class AtomicCheckpoints(TorchCheckpointIO):
    """Checkpoints that are whole or not there, of tensors and plain containers alone."""

    def save_checkpoint(self, checkpoint, path, storage_options=None) -> None:
        with atomic_path(path) as temporary, open(temporary, "wb") as file:
            torch.save(checkpoint, file)
            file.flush()
            os.fsync(file.fileno())


class Bar(TQDMProgressBar):
    """Lightning's progress bar on the terminal: the job's own output goes to its log."""

    def init_train_tqdm(self):
        bar = super().init_train_tqdm()
        bar.fp = sys.__stderr__
        # the printer was bound to the other stream when the bar was made
        bar.sp = bar.status_printer(bar.fp)
        return bar


def checkpoint_key(settings: dict, corpus: Corpus, code: str = "") -> str:
    """What a checkpoint belongs to: recipe, corpus, code and libraries; another one is never taken up."""
    versions = {"torch": torch.__version__, "lightning": lightning.__version__}
    parts = [settings, corpus.digest(), code, versions]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _started(checkpoint: Path) -> int:
    """Steps that a checkpoint has behind it.

    Raises
    ------
    InputError : the file is damaged.
    """
    try:
        return int(torch.load(checkpoint, map_location="cpu", weights_only=True)["global_step"])
    except (RuntimeError, KeyError, EOFError, ValueError, OSError, pickle.UnpicklingError) as error:
        found = f"a damaged file ({type(error).__name__})"
        raise InputError(
            "checkpoint", found, "a whole one; delete it to begin anew", file=checkpoint
        ) from error


# ---- one training ----------------------------------------------------------------------------------------


def _check(network: dict, recipe: Recipe, corpus: Corpus) -> None:
    objective = recipe.objective
    if objective not in OBJECTIVES:
        found = repr(objective)
        raise InputError("weights: training: objective", found, f"one of {list(OBJECTIVES)}")
    if network["source"] not in SOURCES[objective]:
        found = f"{objective} for a network of source {network['source']}"
        expected = f"one of {', '.join(SOURCES[objective])}"
        raise InputError("weights: training: objective", found, f"a source that is {expected}")
    counts = {name: int((corpus.index["split"] == name).sum()) for name in ("train", "validation")}
    if min(counts.values()) == 0:
        raise InputError("corpus: split", counts, "images to train on and images held out")
    if recipe.images_seen < recipe.batch_size or recipe.batch_size < 2:
        found = f"{recipe.images_seen} images in batches of {recipe.batch_size}"
        raise InputError("weights: training: images_seen", found, "at least one batch of two")
    norm_batch = recipe.norm_batch
    if norm_batch and recipe.batch_size % norm_batch:
        expected = f"a divisor of the batch_size, {recipe.batch_size}"
        raise InputError("weights: training: norm_batch", norm_batch, expected)
    if objective == "supervised" and not corpus.categories:
        raise InputError("corpus", "images without categories", "a sub-folder for each category")
    wanted = {"supervised": len(corpus.categories), "simclr": 0, "barlow_twins": 0}.get(objective)
    classes = (network.get("options") or {}).get("classes", 1000)
    if wanted is not None and classes != wanted:
        raise InputError("network: options: classes", classes, f"{wanted} for {objective}")


def from_random_weights(network: dict, recipe: Recipe, preprocessing: Preprocessing) -> Training:
    """The training of a card, at its beginning."""
    objective = OBJECTIVES[recipe.objective](build(network, recipe.seed), recipe)
    return Training(objective, preprocessing, recipe.steps)


def train(
    network: dict,
    recipe: Recipe,
    corpus: Corpus,
    preprocessing: Preprocessing,
    checkpoints: str | Path | None = None,
    code: str = "",
    device: torch.device | str | None = None,
    threads: int = 1,
    begin: Callable[[dict, Recipe, Preprocessing], Training] = from_random_weights,
) -> tuple[nn.Module, pd.DataFrame]:
    """Train a network from random weights on a corpus, and measure on held-out images what it learned.

    On the CPU the result is the same, bit by bit, for the same seed, number of threads and kind of processor
    (`precision: auto` uses bfloat16 only where it is native), whether the training was interrupted or not.

    Parameters
    ----------
    network : of a model card, source resnet, cornet_s, autoencoder or vae
    recipe : of the card
    corpus : its labels are seen by the supervised objective and by the probes alone
    preprocessing : of the card
    checkpoints : folder for the checkpoints of this and of no other training; what other recipes left there
        is removed. The caller removes it when the results are safe. None: no checkpoints.
    code : fingerprint of the code, part of a checkpoint's identity
    device : `choose_device()` by default
    threads : of the CPU; with image files, all but one decode ahead
    begin : makes the training of network, recipe and preprocessing, at its beginning

    Returns
    -------
    model : the network alone, in evaluation mode on the CPU; save its `state_dict()`
    metrics : DataFrame of metric, value, step (images seen): training_loss and held_out_loss over time; on
        the held-out images accuracy (supervised), reconstruction_r2 (autoencoders), kl (VAE), and, where
        there are labels, chance, knn_accuracy and probe_accuracy, the last two also of the untrained
        network (step 0)

    Raises
    ------
    InputError : network, objective and corpus do not go together; the loss is no longer finite; a damaged
        checkpoint; memory runs out where the recipe does not allow the batch to be divided.
    """
    _check(network, recipe, corpus)
    # its notices would go past the job's log to the terminal
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    torch.set_num_threads(threads)
    device = torch.device(device or choose_device())
    parts = {name: corpus.part(name, preprocessing.size) for name in ("train", "validation")}
    folder = None
    if checkpoints is not None:
        settings = {"network": network, "recipe": asdict(recipe), "preprocessing": asdict(preprocessing)}
        folder = Path(checkpoints) / checkpoint_key(settings, corpus, code)
    with _repeatable(device):
        torch.manual_seed(recipe.seed)
        module = begin(network, recipe, preprocessing)
        objective = place(module.objective, device)
        layer = probes.embedding_of(network)
        before = probes.probe(objective.network, layer, corpus, parts, preprocessing, device)
        curve = LearningCurve(recipe.steps, recipe.batch_size, parts["validation"])
        # with image files, the other threads decode ahead
        _fit(module, curve, parts["train"], folder, workers=threads - 1 if corpus.images is None else 0)
        module.end()
        model = objective.to(device).network
        found = probes.probe(model, layer, corpus, parts, preprocessing, device)
        found |= probes.objective_metrics(model, recipe.objective, parts, preprocessing, device)
    rows = [[metric, value, 0] for metric, value in before.items() if metric in probes.PROBES]
    rows += curve.rows
    rows += [[metric, value, recipe.steps * recipe.batch_size] for metric, value in found.items()]
    metrics = pd.DataFrame(rows, columns=list(METRICS.columns))
    return model.cpu().to(memory_format=torch.contiguous_format).eval(), metrics


@contextlib.contextmanager
def _repeatable(device: torch.device) -> Iterator[None]:
    """Random numbers of its own, and on a GPU the same result every time, in full float32."""
    cuda = device.type == "cuda"
    exact = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
    with torch.random.fork_rng(devices=[device] if cuda else []), exact if cuda else contextlib.nullcontext():
        yield


def _fit(module: Training, curve: LearningCurve, images: Images, folder: Path | None, workers: int) -> None:
    """Train to the end; where a folder for checkpoints is given, from its last one on and with new ones."""
    recipe, steps = module.recipe, module.steps
    device = next(module.parameters()).device
    start, checkpoint, callbacks = 0, None, [curve, *module.followers]
    if folder is not None:
        _discard_others(folder)
        checkpoint = folder / "last.ckpt"
        start = _started(checkpoint) if checkpoint.is_file() else 0
        if start:
            print(f"going on from step {start} of {steps}")
        every = min(max(1, steps // CHECKPOINTS), CHECKPOINT_STEPS)
        callbacks.append(
            ModelCheckpoint(folder, "last", every_n_train_steps=every, enable_version_counter=False)
        )
    if start == steps:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        module.load_state_dict(state["state_dict"])
        for callback in callbacks[:-1]:
            callback.load_state_dict(state["callbacks"][callback.state_key])
        return
    batches = Batches(len(images), recipe.batch_size, steps, recipe.seed, start)
    data = loader(images, batches, workers, pin_memory=device.type == "cuda")
    trainer = _trainer(recipe, steps, device, callbacks)
    # Lightning keeps the mode that it finds, and the probes left evaluation mode
    module.train()
    with warnings.catch_warnings():
        # the loader has no workers on purpose, and its length is that of the whole training
        warnings.filterwarnings("ignore", module="lightning")
        trainer.fit(module, data, ckpt_path=checkpoint if start else None, weights_only=True)


def _trainer(
    recipe: Recipe, steps: int, device: torch.device, callbacks: list[Callback]
) -> lightning.Trainer:
    """Lightning's loop of one training on one device, with a bar on the terminal where there is one."""
    # not in the log of a cluster's job
    progress = sys.__stderr__.isatty()
    return lightning.Trainer(
        accelerator="gpu" if device.type == "cuda" else "cpu",
        devices=1,
        precision=precision(recipe, device),
        max_steps=steps,
        max_epochs=1,
        callbacks=[*callbacks, Bar()] if progress else callbacks,
        # one process, also inside a SLURM job
        plugins=[AtomicCheckpoints(), LightningEnvironment()],
        logger=False,
        enable_checkpointing=any(isinstance(callback, ModelCheckpoint) for callback in callbacks),
        enable_progress_bar=progress,
        enable_model_summary=False,
    )


def _discard_others(folder: Path) -> None:
    """Remove checkpoints of other recipes, and half-written ones of this."""
    folder.mkdir(parents=True, exist_ok=True)
    for other in folder.parent.iterdir():
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
    for file in folder.iterdir():
        if file.name != "last.ckpt":
            file.unlink()
