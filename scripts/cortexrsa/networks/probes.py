"""What a network's last recorded layer tells of held-out images: was it trained?"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from cortexrsa.networks.layers import recorded
from cortexrsa.networks.objectives import kl_divergence
from cortexrsa.networks.preprocessing import resize, standardise
from cortexrsa.networks.settings import Preprocessing
from cortexrsa.networks.streaming import Corpus, Images

# the layer that probes read: what the objective acts on, before any head
EMBEDDINGS = {
    "resnet": "avgpool",
    "torchvision": "avgpool",
    "cornet_s": "decoder.avgpool",
    "autoencoder": "code",
    "vae": "mu",
}


def embedding_of(network: dict) -> str:
    """Name of the layer that probes read, of a network's card."""
    layer = EMBEDDINGS[network["source"]]
    return f"backbone.{layer}" if network.get("front_end") else layer


PROBES = ("knn_accuracy", "probe_accuracy")
PROBE_IMAGES = 4000  # at most, of either split
NEIGHBOURS = 15
BATCH = 256


def _batches(images: Images, preprocessing: Preprocessing, device: torch.device, most: int | None = None):
    """Network input (b, 3, S, S) and labels (b,) of the images in their order, without augmentation."""
    n = len(images) if most is None else min(len(images), most)
    for start in range(0, n, BATCH):
        raw, labels = images.__getitems__(range(start, min(start + BATCH, n)))
        x = resize(raw.to(device).float() / 255, preprocessing.size).expand(-1, 3, -1, -1)
        yield standardise(x, preprocessing).contiguous(memory_format=torch.channels_last), labels


@torch.inference_mode()
def embeddings(
    model: nn.Module, images: Images, preprocessing: Preprocessing, layer: str, device: torch.device
) -> tuple[np.ndarray, np.ndarray]:
    """Output (n, features) of `layer`, and labels (n,), of the first images of a data set."""
    rows: list[np.ndarray] = []
    codes: list[np.ndarray] = []
    with recorded(model, [layer], lambda _, x: rows.append(x.float().flatten(1).cpu().numpy())):
        for batch, labels in _batches(images, preprocessing, device, PROBE_IMAGES):
            model(batch)
            codes.append(labels.numpy())
    return np.concatenate(rows), np.concatenate(codes)


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
def category_accuracy(
    model: nn.Module, images: Images, preprocessing: Preprocessing, device: torch.device
) -> float:
    """Share of the images to which a classifier gives their own category."""
    hits = [
        (model(x).argmax(1).cpu() == labels).float() for x, labels in _batches(images, preprocessing, device)
    ]
    return torch.cat(hits).mean().item()


@torch.inference_mode()
def reconstruction(
    model: nn.Module, parts: dict[str, Images], preprocessing: Preprocessing, device: torch.device
) -> dict[str, float]:
    """R² of reconstructions of held-out images from the (mean) code, over the mean training image.

    For a VAE also the KL of the code in nats.
    """
    total, n = 0.0, 0
    for x, _ in _batches(parts["train"], preprocessing, device, PROBE_IMAGES):
        total, n = total + x.sum(0, keepdim=True), n + len(x)
    baseline, residual, variance, kl = total / n, 0.0, 0.0, 0.0
    for x, _ in _batches(parts["validation"], preprocessing, device):
        output, *code = model(x)
        residual += (output.float() - x).square().sum().item()
        variance += (x - baseline).square().sum().item()
        kl += kl_divergence(*code).sum().item() if len(code) == 2 else 0.0
    found = {"reconstruction_r2": 1 - residual / variance}
    return found | ({"kl": kl / len(parts["validation"])} if len(code) == 2 else {})


def objective_metrics(
    model: nn.Module,
    objective: str,
    parts: dict[str, Images],
    preprocessing: Preprocessing,
    device: torch.device,
) -> dict[str, float]:
    """What an objective is itself about, on held-out images: accuracy, or R² of reconstructions (and KL)."""
    if objective == "supervised":
        return {"accuracy": category_accuracy(model, parts["validation"], preprocessing, device)}
    if objective in ("autoencoder", "vae"):
        return reconstruction(model, parts, preprocessing, device)
    return {}


def probe(
    model: nn.Module,
    layer: str,
    corpus: Corpus,
    parts: dict[str, Images],
    preprocessing: Preprocessing,
    device: torch.device,
) -> dict[str, float]:
    """`PROBES` on a layer, and `chance` (share of the most frequent category); nothing without two
    categories.

    Parameters
    ----------
    model : network, put into evaluation mode
    layer : name of the module whose output is probed
    corpus : with its labels, if any
    parts : train and validation images
    """
    model.eval()
    if len(corpus.categories) < 2:
        return {}
    train, codes = embeddings(model, parts["train"], preprocessing, layer, device)
    test, test_codes = embeddings(model, parts["validation"], preprocessing, layer, device)
    labels = parts["validation"].labels
    chance = float(np.bincount(labels).max() / len(labels))
    return {"chance": chance, **probe_accuracies(train, codes, test, test_codes)}
