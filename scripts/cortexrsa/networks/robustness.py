"""How often a network names the category of held-out images that are corrupted, or changed against it.

References
----------
Hendrycks & Dietterich 2019, arXiv:1903.12261 (corruptions at five strengths); Madry et al. 2018,
arXiv:1706.06083 (projected gradient descent, PGD)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import torch
from scipy import stats
from torch import nn
from torch.nn import functional as F
from torchvision.transforms.v2 import functional as corrupt

from cortexrsa.errors import InputError
from cortexrsa.formats.columns.robustness import ROBUSTNESS
from cortexrsa.networks import probes
from cortexrsa.networks.devices import choose_device, place
from cortexrsa.networks.layers import recorded
from cortexrsa.networks.preprocessing import resize, standardise
from cortexrsa.networks.settings import Preprocessing
from cortexrsa.networks.streaming import Corpus, Images

# of ImageNet-C: SD of the noise, SD of the blur in pixels of images of side 224, and what is left of contrast
NOISE = (0.08, 0.12, 0.18, 0.26, 0.38)
BLUR, BLUR_SIDE = (1.0, 2.0, 3.0, 4.0, 6.0), 224
CONTRAST = (0.4, 0.3, 0.2, 0.1, 0.05)
# budgets of PGD, each pixel from 0 to 1; its steps, and the length of one in budgets / steps
BUDGETS, STEPS, STRIDE = tuple(level / 255 for level in (0.25, 0.5, 1.0, 2.0, 4.0)), 10, 2.5
# held-out images, at most; the gradients of as many take thirty passes a budget
IMAGES, ATTACKED, BATCH = 1000, 128, 128

# logits (b, categories) of images (b, 3, S, S) in [0, 1]
Reader = Callable[[torch.Tensor], torch.Tensor]


# ---- who names the category ------------------------------------------------------------------------------


def classifier(model: nn.Module, preprocessing: Preprocessing) -> Reader:
    """The network itself."""
    return lambda images: model(standardise(images, preprocessing))


def probe(
    model: nn.Module, layer: str, train: Images, preprocessing: Preprocessing, device: torch.device
) -> Reader:
    """A linear classifier of a layer's output, fitted to training images as `probes.probe_accuracies` does.

    Parameters
    ----------
    train : images with labels
    layer : name of the module whose output is read
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    features, labels = probes.embeddings(model, train, preprocessing, layer, device)
    scaler = StandardScaler().fit(features)
    linear = LogisticRegression(C=0.1, max_iter=300).fit(scaler.transform(features), labels)
    weight, bias = linear.coef_, linear.intercept_
    if len(weight) == 1:
        # of two categories it has the second's side alone
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    classes = len(set(train.labels))
    if not np.array_equal(linear.classes_, np.arange(classes)):
        raise InputError("corpus: category", f"{len(weight)} of {classes} in the images read", "all of them")
    weight, bias, mean, scale = (
        torch.as_tensor(each, dtype=torch.float32, device=device)
        for each in (weight, bias, scaler.mean_, scaler.scale_)
    )

    def read(images: torch.Tensor) -> torch.Tensor:
        found: list[torch.Tensor] = []
        # a copy: a later operation may overwrite what the layer returned
        with recorded(model, [layer], lambda _, output: found.append(output.float().flatten(1).clone())):
            model(standardise(images, preprocessing))
        return (found[0] - mean) / scale @ weight.T + bias

    return read


# ---- corruptions -----------------------------------------------------------------------------------------


def _blurred(images: torch.Tensor, sd: float) -> torch.Tensor:
    # to three SD, and no further than reflection of the border goes
    reach = min(int(np.ceil(3 * sd)), images.shape[-1] - 1)
    return corrupt.gaussian_blur(images, [2 * reach + 1] * 2, [sd] * 2)


def corruptions(size: int) -> Iterator[tuple[str, int, float, Callable[[torch.Tensor], torch.Tensor]]]:
    """Name, strength, size and function of images (b, 3, S, S) in [0, 1], of all but the attacks.

    Parameters
    ----------
    size : S, the side of the network's input: blur is a share of it
    """
    for strength, sd in enumerate(NOISE, start=1):
        yield "noise", strength, sd, lambda images, sd=sd: corrupt.gaussian_noise(images, 0.0, sd)
    for strength, pixels in enumerate(BLUR, start=1):
        sd = pixels * size / BLUR_SIDE
        yield "blur", strength, sd, lambda images, sd=sd: _blurred(images, sd)
    for strength, left in enumerate(CONTRAST, start=1):
        yield "contrast", strength, left, lambda images, left=left: corrupt.adjust_contrast(images, left)


def pgd(
    reader: Reader, images: torch.Tensor, labels: torch.Tensor, budget: float, steps: int = STEPS
) -> torch.Tensor:
    """Images changed by at most `budget` in each pixel, so that the loss of the reader is large.

    From a random start, steps along the sign of the gradient of the cross-entropy, each brought back into the
    budget and into [0, 1] (Madry et al. 2018).

    Parameters
    ----------
    images : (b, 3, S, S) in [0, 1]
    labels : (b,)
    budget : largest change of a pixel
    """
    changed = (images + torch.empty_like(images).uniform_(-budget, budget)).clamp(0, 1)
    for _ in range(steps):
        changed.requires_grad_(True)
        (gradient,) = torch.autograd.grad(F.cross_entropy(reader(changed), labels), changed)
        changed = changed.detach() + STRIDE * budget / steps * gradient.sign()
        changed = (images + (changed - images).clamp(-budget, budget)).clamp(0, 1)
    return changed.detach()


# ---- accuracies ------------------------------------------------------------------------------------------


def _batches(images: Images, preprocessing: Preprocessing, device: torch.device, most: int):
    """Images (b, 3, S, S) in [0, 1] and labels (b,), at most `most` of them."""
    n = min(len(images), most)
    for start in range(0, n, BATCH):
        raw, labels = images.__getitems__(range(start, min(start + BATCH, n)))
        x = resize(raw.to(device).float() / 255, preprocessing.size).expand(-1, 3, -1, -1)
        yield x.contiguous(memory_format=torch.channels_last), labels.to(device)


def _hits(reader: Reader, batches, changes: list[Callable]) -> np.ndarray:
    """Whether each image, changed in each way, is given its own category: (changes, images).

    Noise is the same for all networks.
    """
    found = []
    for number, (images, labels) in enumerate(batches):
        hits = []
        for k, change in enumerate(changes):
            torch.manual_seed(1000 * k + number)
            changed = change(images, labels)
            with torch.no_grad():
                hits.append((reader(changed).argmax(1) == labels).cpu().numpy())
        found.append(hits)
    return np.concatenate(found, axis=1)


def _corrupted(size: int) -> list[tuple[str, int, float, Callable]]:
    """Corruption, strength, size and function of images and labels; first the images as they are."""
    whole = ("none", 0, np.nan, lambda images, _: images)
    return [whole] + [
        (*told, lambda images, _, change=change: change(images)) for *told, change in corruptions(size)
    ]


def _attacked(reader: Reader) -> list[tuple[str, int, float, Callable]]:
    """The same of attacks, on fewer images."""
    whole = ("pgd", 0, 0.0, lambda images, _: images)
    return [whole] + [
        ("pgd", strength, budget, lambda images, labels, budget=budget: pgd(reader, images, labels, budget))
        for strength, budget in enumerate(BUDGETS, start=1)
    ]


def _accuracy(hits: np.ndarray) -> dict[str, float]:
    low, high = stats.binomtest(int(hits.sum()), len(hits)).proportion_ci(method="wilson")
    return {"accuracy": hits.mean(), "ci_low": low, "ci_high": high, "images": len(hits)}


def robustness(
    model: nn.Module,
    network: dict,
    supervised: bool,
    corpus: Corpus,
    preprocessing: Preprocessing,
    device: torch.device | str | None = None,
) -> pd.DataFrame:
    """Accuracy on held-out images of the corpus, as they are, corrupted, and changed by PGD.

    A supervised network names the category itself; of others a linear probe reads it, fitted to training
    images as they are. All networks get the same images, with the same noise.

    Parameters
    ----------
    model : network with its weights
    network : of the card
    supervised : whether it was trained to classify the images of this corpus
    corpus : of the training, with labels
    preprocessing : of the card

    Returns
    -------
    DataFrame with the columns `ROBUSTNESS` without model and seed; empty for a corpus without two categories
    """
    columns = [name for name in ROBUSTNESS.columns if name not in ("model", "seed")]
    if len(corpus.categories) < 2:
        return pd.DataFrame(columns=columns)
    device = torch.device(device or choose_device())
    model = place(model, device).eval().requires_grad_(False)
    parts = {name: corpus.part(name, preprocessing.size) for name in ("train", "validation")}
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        if supervised:
            reader = classifier(model, preprocessing)
        else:
            layer = probes.embedding_of(network)
            reader = probe(model, layer, parts["train"], preprocessing, device)

        rows = []
        for changes, most in ((_corrupted(preprocessing.size), IMAGES), (_attacked(reader), ATTACKED)):
            batches = _batches(parts["validation"], preprocessing, device, most)
            hits = _hits(reader, batches, [change for *_, change in changes])
            rows += [(*told, _accuracy(own)) for (*told, _), own in zip(changes, hits, strict=True)]
    labels = parts["validation"].labels
    about = {"reader": "classifier" if supervised else "probe"}
    about["chance"] = float(np.bincount(labels).max() / len(labels))
    made = [
        about | {"corruption": name, "strength": strength, "size": size} | found
        for name, strength, size, found in rows
    ]
    return pd.DataFrame(made, columns=columns)
