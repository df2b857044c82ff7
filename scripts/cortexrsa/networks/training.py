"""Train the networks of the embedded study: one corpus and one budget, only the objective differs."""

from __future__ import annotations

import contextlib
import math
import sys

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from cortexrsa.files import InputError
from cortexrsa.networks.extraction import choose_device
from cortexrsa.networks.layers import recorded
from cortexrsa.networks.preprocessing import prepare, standardise
from cortexrsa.networks.zoo import build

# the layer that probes read: what the objective acts on, before any head
EMBEDDINGS = {"resnet": "avgpool", "torchvision": "avgpool", "vae": "mu"}
PROBE_IMAGES = 4000
NEIGHBOURS = 15

# ---- augmentation ----------------------------------------------------------------------------------------


def _uniform(n: int, low: float, high: float, like: torch.Tensor) -> torch.Tensor:
    return torch.empty(n, 1, 1, 1, device=like.device).uniform_(low, high)


def _log_uniform(n: int, bounds: tuple[float, float], like: torch.Tensor) -> torch.Tensor:
    return _uniform(n, math.log(bounds[0]), math.log(bounds[1]), like).exp()


def _sign(n: int, like: torch.Tensor) -> torch.Tensor:
    return torch.randint(0, 2, (n, 1, 1, 1), device=like.device).float() * 2 - 1


def random_affine(
    images: torch.Tensor,
    rotation: float = 0.0,
    scale: tuple[float, float] = (1.0, 1.0),
    shift: float = 0.0,
    flip: bool = False,
) -> torch.Tensor:
    """Rotate, scale, shift and mirror each image by its own draw; what comes in from outside is 0.

    Parameters
    ----------
    images : (b, C, S, S), 0 = background
    rotation : degrees, to either side
    scale : range of the size of the image's content, log-uniform
    shift : of half the image, to either side
    flip : mirror every second image
    """
    n = len(images)
    angle = _uniform(n, -math.radians(rotation), math.radians(rotation), images).view(n)
    # the sampling grid goes from output to input, hence the inverse of the scale
    zoom = 1 / _log_uniform(n, scale, images).view(n)
    mirror = _sign(n, images).view(n) if flip else torch.ones(n, device=images.device)
    dx, dy = (_uniform(n, -shift, shift, images).view(n) for _ in range(2))
    cos, sin = angle.cos() * zoom, angle.sin() * zoom
    matrix = torch.stack(
        [torch.stack([cos * mirror, -sin, dx], 1), torch.stack([sin * mirror, cos, dy], 1)], 1
    )
    grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="zeros", align_corners=False)


def _blurred(images: torch.Tensor) -> torch.Tensor:
    """Binomial blur (1 4 6 4 1) / 16 along both axes."""
    channels = images.shape[1]
    row = images.new_tensor([1.0, 4.0, 6.0, 4.0, 1.0]).div(16).view(1, 1, 1, 5).repeat(channels, 1, 1, 1)
    images = F.conv2d(images, row, padding=(0, 2), groups=channels)
    return F.conv2d(images, row.transpose(2, 3), padding=(2, 0), groups=channels)


def soft_aperture(size: int, device: torch.device | str = "cpu") -> torch.Tensor:
    """Circular aperture (size, size): 1 inside, falling to 0 over the outer 12 % of the radius."""
    axis = (torch.arange(size, device=device) + 0.5) / size * 2 - 1
    return ((1 - torch.hypot(axis[:, None], axis[None, :])) / 0.12).clamp(0, 1)


def augment(images: torch.Tensor, settings: dict) -> torch.Tensor:
    """Random views of grey-centred images, one draw of each transformation an image.

    Parameters
    ----------
    images : (b, C, S, S) in [0, 1]; C is 1 or 3
    settings : any of `rotation`, `scale`, `shift`, `flip` (see `random_affine`); `contrast` (range of a
        factor, log-uniform), `brightness` (largest shift of the mean), `polarity` (invert every second
        image), `blur` (probability), `noise` (largest SD), `aperture` (put the circular aperture back)

    Returns
    -------
    (b, C, S, S) in [0, 1]
    """
    n, x = len(images), images - 0.5
    affine = {key: settings[key] for key in ("rotation", "scale", "shift", "flip") if key in settings}
    if affine:
        x = random_affine(x, **affine)
    if "contrast" in settings:
        x = x * _log_uniform(n, settings["contrast"], x)
    if settings.get("polarity"):
        x = x * _sign(n, x)
    if settings.get("brightness"):
        x = x + _uniform(n, -settings["brightness"], settings["brightness"], x)
    if settings.get("blur"):
        weight = _uniform(n, 0, 1, x) * (_uniform(n, 0, 1, x) < settings["blur"])
        x = torch.lerp(x, _blurred(x), weight)
    if settings.get("noise"):
        x = x + torch.randn_like(x) * _uniform(n, 0, settings["noise"], x)
    if settings.get("aperture"):
        x = x * soft_aperture(x.shape[-1], x.device)
    return (x + 0.5).clamp(0, 1)


# ---- objectives ------------------------------------------------------------------------------------------
# An objective holds the network and whatever else it trains, and maps (images, labels, done) to a loss;
# `done` is the fraction of the training that lies behind.


class Objective(nn.Module):
    """What the objectives share: the network, the recipe, and the network's input from raw images."""

    def __init__(self, network: nn.Module, recipe: dict, preprocessing: dict):
        super().__init__()
        self.network, self.recipe, self.preprocessing = network, recipe, preprocessing

    def view(self, images: torch.Tensor) -> torch.Tensor:
        """An augmented view (b, 3, S, S), standardised, of images (b, 1 or 3, S, S) in [0, 1]."""
        # images stay float32 also where the network computes in bfloat16
        with torch.no_grad(), torch.autocast(images.device.type, enabled=False):
            x = augment(images, self.recipe.get("augmentation") or {})
            x = standardise(x.expand(-1, 3, -1, -1), self.preprocessing)
            return x.contiguous(memory_format=torch.channels_last)


class Supervised(Objective):
    """Cross-entropy of the category, with label smoothing (Szegedy et al. 2016)."""

    def forward(self, images: torch.Tensor, labels: torch.Tensor, done: float) -> torch.Tensor:
        logits = self.network(self.view(images))
        smoothing = self.recipe.get("label_smoothing", 0.0)
        return F.cross_entropy(logits.float(), labels, label_smoothing=smoothing)


def nt_xent(embeddings: torch.Tensor, temperature: float) -> torch.Tensor:
    """Normalised temperature-scaled cross-entropy (Chen et al. 2020, eq. 1).

    Parameters
    ----------
    embeddings : (2b, d); rows i and i + b are two views of one image
    temperature : of the softmax over cosine similarities
    """
    z = F.normalize(embeddings.float(), dim=1)
    similarity = z @ z.T / temperature
    # a view is no candidate for its own partner
    similarity = similarity.masked_fill(torch.eye(len(z), dtype=torch.bool, device=z.device), -torch.inf)
    partner = torch.arange(len(z), device=z.device).roll(len(z) // 2)
    return F.cross_entropy(similarity, partner)


class SimCLR(Objective):
    """SimCLR (Chen et al. 2020); the projection head is trained along and then dropped."""

    def __init__(self, network: nn.Module, recipe: dict, preprocessing: dict):
        super().__init__(network, recipe, preprocessing)
        hidden, out = recipe.get("projection", [256, 64])
        self.projection = nn.Sequential(
            nn.Linear(network.features, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, out),
        )

    def forward(self, images: torch.Tensor, labels: torch.Tensor, done: float) -> torch.Tensor:
        views = torch.cat([self.view(images), self.view(images)])
        return nt_xent(self.projection(self.network(views)), self.recipe["temperature"])


def kl_divergence(mu: torch.Tensor, logvar: torch.Tensor) -> torch.Tensor:
    """KL(N(mu, exp(logvar)) || N(0, 1)) in nats (b,), summed over the code (Kingma & Welling 2014)."""
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(1)


class VariationalBound(Objective):
    """Negative evidence lower bound in nats a pixel value, for a Gaussian decoder of fixed SD.

    `decoder_sd` is in units of the standardised input; the weight of the KL rises linearly to `beta` over the
    first `beta_warmup` of the training, without which the code collapses.
    """

    def forward(self, images: torch.Tensor, labels: torch.Tensor, done: float) -> torch.Tensor:
        views = self.view(images)
        reconstruction, mu, logvar = self.network(views)
        error = F.mse_loss(reconstruction.float(), views) / (2 * self.recipe["decoder_sd"] ** 2)
        beta = self.recipe.get("beta", 1.0) * min(1.0, done / self.recipe.get("beta_warmup", 0.3))
        return error + beta * kl_divergence(mu, logvar).mean() / views[0].numel()


OBJECTIVES = {"supervised": Supervised, "simclr": SimCLR, "vae": VariationalBound}

# ---- the loop --------------------------------------------------------------------------------------------


def precision(recipe: dict, device: torch.device) -> torch.dtype:
    """bfloat16 where the hardware multiplies it natively (`precision: auto`), else float32."""
    wanted = recipe.get("precision", "auto")
    if wanted != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16}[wanted]
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if native else torch.float32


def learning_rate(step: int, steps: int, peak: float, warmup: float = 0.1) -> float:
    """Linear warm-up over the first `warmup` of the steps, then half a cosine down to 0."""
    rising = max(1, round(warmup * steps))
    if step < rising:
        return peak * (step + 1) / rising
    return peak * 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


def _optimizer(objective: nn.Module, recipe: dict) -> torch.optim.Optimizer:
    """The recipe's optimizer; biases and normalisation are not decayed."""
    decayed = [p for p in objective.parameters() if p.ndim > 1]
    others = [p for p in objective.parameters() if p.ndim <= 1]
    decay, rate = recipe.get("weight_decay", 0.0), recipe["learning_rate"]
    groups = [{"params": decayed, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
    if recipe.get("optimizer", "adamw") == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=0.9, nesterov=True)
    return torch.optim.AdamW(groups, lr=rate, fused=True)


def _fit(
    objective: Objective,
    images: torch.Tensor,
    labels: torch.Tensor,
    device: torch.device,
    progress: bool,
    source: str,
) -> list[tuple[int, float]]:
    """Train in place for the recipe's budget of images; the loss of every 1/50 of the steps."""
    recipe = objective.recipe
    seen, batch_size = recipe["images_seen"], recipe["batch_size"]
    steps, n = seen // batch_size, len(images)
    order = torch.cat([torch.randperm(n) for _ in range(math.ceil(seen / n))])
    optimizer, dtype = _optimizer(objective, recipe), precision(recipe, device)
    clip, curve, every = recipe.get("gradient_clip"), [], max(1, steps // 50)
    objective.train()
    for step in tqdm(range(steps), unit="batch", disable=not progress, file=sys.__stderr__):
        chosen = order[step * batch_size : (step + 1) * batch_size]
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps, recipe["learning_rate"], recipe.get("warmup", 0.1))
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            loss = objective(images[chosen].to(device), labels[chosen].to(device), step / steps)
        if not torch.isfinite(loss):
            raise InputError(
                source, "weights: training", f"loss {loss.item()} at step {step}", "a lower learning_rate"
            )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(objective.parameters(), clip)
        optimizer.step()
        if step % every == 0 or step == steps - 1:
            curve.append((step + 1, loss.item()))
    return curve


# ---- was it trained? -------------------------------------------------------------------------------------


def _batches(images: torch.Tensor, preprocessing: dict, device: torch.device, size: int = 256):
    for chunk in images.split(size):
        x = standardise(chunk.to(device).expand(-1, 3, -1, -1), preprocessing)
        yield x.contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def embeddings(
    model: nn.Module, images: torch.Tensor, preprocessing: dict, layer: str, device: torch.device
) -> np.ndarray:
    """Output (n, features) of `layer` for images (n, 1 or 3, S, S) in [0, 1]."""
    rows: list[np.ndarray] = []
    model.eval()
    with recorded(model, [layer], lambda _, x: rows.append(x.float().flatten(1).cpu().numpy())):
        for batch in _batches(images, preprocessing, device):
            model(batch)
    return np.concatenate(rows)


def probe_accuracies(train: np.ndarray, train_labels, test: np.ndarray, test_labels) -> dict[str, float]:
    """Held-out accuracy of a nearest-neighbour vote (cosine) and of a linear classifier on fixed features.

    Parameters
    ----------
    train, test : (n, features)
    train_labels, test_labels : (n,)
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    neighbours = make_pipeline(
        StandardScaler(with_std=False),
        KNeighborsClassifier(min(NEIGHBOURS, len(train)), metric="cosine", weights="distance"),
    )
    linear = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=300))
    return {
        "knn_accuracy": float(neighbours.fit(train, train_labels).score(test, test_labels)),
        "probe_accuracy": float(linear.fit(train, train_labels).score(test, test_labels)),
    }


@torch.inference_mode()
def _category_accuracy(model, images, labels, preprocessing, device) -> float:
    model.eval()
    hits = [model(x).argmax(1).cpu() for x in _batches(images, preprocessing, device)]
    return (torch.cat(hits) == labels).float().mean().item()


@torch.inference_mode()
def _reconstruction(model, images, mean_image, preprocessing, device) -> dict[str, float]:
    """R² of reconstructions from the mean code, over the mean training image; KL of the code in nats."""
    model.eval()
    residual = total = kl = 0.0
    baseline = next(_batches(mean_image, preprocessing, device))
    for x in _batches(images, preprocessing, device):
        reconstruction, mu, logvar = model(x)
        residual += (reconstruction - x).square().sum().item()
        total += (x - baseline).square().sum().item()
        kl += kl_divergence(mu, logvar).sum().item()
    return {"reconstruction_r2": 1 - residual / total, "kl": kl / len(images)}


# ---- one training ----------------------------------------------------------------------------------------


def _prepared(images: np.ndarray, size: int) -> torch.Tensor:
    """The corpus (n, C, size, size) float32 in [0, 1]; grey images (n, H, W) keep one channel."""
    channels = 1 if images.ndim == 3 else 3
    resized = torch.empty(len(images), channels, size, size)
    for start in range(0, len(images), 512):
        chunk = images[start : start + 512]
        rgb = np.repeat(chunk[..., None], 3, axis=-1) if channels == 1 else chunk
        resized[start : start + len(chunk)] = prepare(rgb, {"size": size})[:, :channels]
    return resized


def _check(network: dict, recipe: dict, images: np.ndarray, labels, split, source: str) -> None:
    if recipe["objective"] not in OBJECTIVES:
        found = repr(recipe["objective"])
        raise InputError(source, "weights: training: objective", found, f"one of {list(OBJECTIVES)}")
    if network["source"] not in EMBEDDINGS or (network["source"] == "vae") != (recipe["objective"] == "vae"):
        found = f"{recipe['objective']} for a network of source {network['source']}"
        raise InputError(source, "weights: training: objective", found, "vae for a vae, another for a resnet")
    if len(labels) != len(images) or len(split) != len(images):
        found = f"{len(images)} images, {len(labels)} labels, {len(split)} splits"
        raise InputError(source, "corpus", found, "as many of each")
    counts = {name: int(np.sum(np.asarray(split) == name)) for name in ("train", "validation")}
    if min(counts.values()) == 0:
        raise InputError(source, "corpus: split", counts, "images to train on and images held out")
    if recipe["images_seen"] < recipe["batch_size"] or recipe["batch_size"] < 2:
        found = f"{recipe['images_seen']} images in batches of {recipe['batch_size']}"
        raise InputError(source, "weights: training: images_seen", found, "at least one batch of two")
    classes, options = len(np.unique(labels)), network.get("options") or {}
    heads = {"supervised": classes, "simclr": 0}
    wanted = heads.get(recipe["objective"])
    if wanted is not None and options.get("classes", 1000) != wanted:
        found = options.get("classes", 1000)
        raise InputError(source, "network: options: classes", found, f"{wanted} for {recipe['objective']}")


def train(
    network: dict,
    recipe: dict,
    images: np.ndarray,
    labels,
    split,
    preprocessing: dict,
    device: torch.device | str | None = None,
    threads: int = 1,
    progress: bool = False,
    source: str = "model card",
) -> tuple[nn.Module, pd.DataFrame]:
    """Train a network from random weights on a corpus, and measure on held-out images what it learned.

    On the CPU the result is the same, bit by bit, for the same seed, number of threads and kind of processor
    (`precision: auto` uses bfloat16 only where it is native).

    Parameters
    ----------
    network : of a model card, source resnet or vae
    recipe : `weights: training` of the card: objective, images_seen, batch_size, optimizer (adamw or sgd),
        learning_rate, weight_decay, warmup, gradient_clip, precision (auto, float32, bfloat16), seed,
        augmentation, and the objective's own (label_smoothing; temperature, projection; decoder_sd, beta,
        beta_warmup)
    images : (n, H, W) or (n, H, W, 3) uint8
    labels : (n,) categories; self-supervised and generative objectives see them in the probes alone
    split : (n,) train or validation
    preprocessing : of the card
    device : `choose_device()` by default
    threads : of the CPU
    progress : show a progress bar
    source : file to name in an error

    Returns
    -------
    model : the network alone, in evaluation mode on the CPU; save its `state_dict()`
    metrics : DataFrame of metric, value, step (images seen): training_loss; accuracy (supervised),
        knn_accuracy, probe_accuracy, chance, reconstruction_r2 and kl (VAE) on the validation images

    Raises
    ------
    InputError : network, objective and corpus do not go together; the loss is no longer finite.
    """
    _check(network, recipe, images, labels, split, source)
    device, seed = torch.device(device or choose_device()), recipe["seed"]
    torch.set_num_threads(threads)
    categories, codes = np.unique(labels, return_inverse=True)
    trained, held_out = np.asarray(split) == "train", np.asarray(split) == "validation"
    corpus, codes = _prepared(images, preprocessing["size"]), torch.from_numpy(codes)
    model = build(network, seed, source)
    cuda = [device] if device.type == "cuda" else []
    exact = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
    with torch.random.fork_rng(devices=cuda), exact if cuda else contextlib.nullcontext():
        torch.manual_seed(seed)
        objective = OBJECTIVES[recipe["objective"]](model, recipe, preprocessing)
        objective = objective.to(device, memory_format=torch.channels_last)
        curve = _fit(objective, corpus[trained], codes[trained], device, progress, source)

    features = {
        name: embeddings(model, corpus[chosen], preprocessing, EMBEDDINGS[network["source"]], device)
        for name, chosen in (("train", np.flatnonzero(trained)[:PROBE_IMAGES]), ("test", held_out))
    }
    found = {"chance": np.bincount(codes[held_out]).max() / held_out.sum()}
    if recipe["objective"] == "supervised":
        found["accuracy"] = _category_accuracy(
            model, corpus[held_out], codes[held_out], preprocessing, device
        )
    if recipe["objective"] == "vae":
        mean_image = corpus[trained].mean(0, keepdim=True)
        found |= _reconstruction(model, corpus[held_out], mean_image, preprocessing, device)
    train_codes = codes[trained][:PROBE_IMAGES].numpy()
    found |= probe_accuracies(features["train"], train_codes, features["test"], codes[held_out].numpy())

    batch = recipe["batch_size"]
    rows = [("training_loss", loss, step * batch) for step, loss in curve]
    rows += [(metric, float(value), curve[-1][0] * batch) for metric, value in found.items()]
    return model.cpu().eval(), pd.DataFrame(rows, columns=["metric", "value", "step"])
