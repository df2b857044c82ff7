"""Write the card of a network: its layers found by running it, its weights as the library names them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import torch
import torchvision
import yaml
from torch import nn

from cortexrsa import cards
from cortexrsa.errors import InputError, concerning
from cortexrsa.networks.build import build
from cortexrsa.networks.layers import relative_depth

CHECKSUM = re.compile(r"-([0-9a-f]{8,})\.\w+$")
# what is no layer of its own, at the end of a network
PASSIVE = (nn.Linear, nn.Dropout, nn.Flatten, nn.Softmax, nn.Identity)


@dataclass
class Layer:
    """A module of a traced network.

    Attributes
    ----------
    name : as in `named_modules()`
    module : itself
    shape : of its output for one image; None if that is no tensor with images along its first axis
    started, ended : place among all starts and ends of modules
    runs : how often it ran in one pass
    output : address and sum of its output, to know it again
    """

    name: str
    module: nn.Module
    shape: tuple[int, ...] | None
    started: int
    ended: int
    runs: int
    output: tuple[int, float] | None = None

    @property
    def recordable(self) -> bool:
        return self.runs == 1 and self.shape is not None


def trace(network: nn.Module, size: int) -> list[Layer]:
    """All modules that run, in the order in which they end, found by one pass over random images.

    Parameters
    ----------
    network : put into evaluation mode
    size : side of the input in pixels
    """
    batch, moment = 2, 0
    found: dict[str, Layer] = {}

    def before(name, module):
        def hook(*_):
            nonlocal moment
            layer = found.setdefault(name, Layer(name, module, None, moment, 0, 0))
            layer.runs += 1
            moment += 1

        return hook

    def after(name):
        def hook(_, inputs, output):
            nonlocal moment
            found[name].ended = moment
            moment += 1
            if isinstance(output, torch.Tensor) and output.ndim > 1 and len(output) == batch:
                found[name].shape = tuple(output.shape[1:])
                found[name].output = (output.data_ptr(), float(output.sum()))

        return hook

    handles = []
    for name, module in network.named_modules():
        if name:
            handles.append(module.register_forward_pre_hook(before(name, module)))
            handles.append(module.register_forward_hook(after(name)))
    try:
        with torch.inference_mode():
            network.eval()(torch.rand(batch, 3, size, size))
    finally:
        for handle in handles:
            handle.remove()
    return sorted(found.values(), key=lambda layer: layer.ended)


def default_layers(layers: list[Layer]) -> list[str]:
    """A sensible choice: what comes before the first block, every block, and the last features.

    Blocks are the outermost modules of a class of the network's own (no part of `torch.nn`) that occurs at
    least twice, and those whose names differ from a block's in numbers alone (`Mixed_6a`, `blocks.0.0`); a
    stage that only runs its blocks one after another is none. A network without any (AlexNet, VGG) has its
    non-linearities instead.

    Parameters
    ----------
    layers : of `trace`
    """
    recordable = [layer for layer in layers if layer.recordable]
    own = [
        layer
        for layer in recordable
        if not type(layer.module).__module__.startswith("torch.nn") and any(layer.module.children())
    ]
    blocks = {type(layer.module) for layer in own if not _is_stage(layer, own)}
    own = [layer for layer in own if type(layer.module) in blocks]
    counts = Counter(type(layer.module) for layer in own)
    repeated = {layer.name for layer in own if counts[type(layer.module)] > 1}
    alike = {_without_numbers(name) for name in repeated if not _inside(name, repeated)}
    repeated |= {layer.name for layer in own if _without_numbers(layer.name) in alike}
    blocks = [layer for layer in own if layer.name in repeated and not _inside(layer.name, repeated)]
    if not blocks:
        return [layer.name for layer in recordable if _is_activation(layer.module)] or [
            layer.name for layer in recordable[-1:]
        ]
    first, last = min(block.started for block in blocks), max(block.ended for block in blocks)
    chosen = [block.name for block in blocks]
    before = [
        layer for layer in recordable if layer.ended < first and not isinstance(layer.module, nn.Identity)
    ]
    active = [layer for layer in before if _is_activation(layer.module)]
    if before and not any(_inside(name, {layer.name for layer in before}) for name in chosen):
        chosen.append((active or before)[-1].name)
    after = [
        layer
        for layer in recordable
        if layer.started > last and not isinstance(layer.module, PASSIVE) and not any(layer.module.children())
    ]
    if after:
        chosen.append(after[-1].name)
    return [layer.name for layer in recordable if layer.name in chosen]


def _inside(name: str, others: set[str]) -> bool:
    parts = name.split(".")
    return any(".".join(parts[:k]) in others for k in range(1, len(parts)))


def _is_stage(layer: Layer, own: list[Layer]) -> bool:
    """Whether its output is that of a numbered module within, as if it ran blocks one after another."""
    within = (other for other in own if _inside(other.name, {layer.name}))
    return any(re.search(r"[.-]\d+$", other.name) and other.output == layer.output for other in within)


def _without_numbers(name: str) -> str:
    return re.sub(r"\d+[a-z]?", "0", name)


def _is_activation(module: nn.Module) -> bool:
    return type(module).__module__ == "torch.nn.modules.activation" and not any(module.parameters())


# ---- where networks come from ----------------------------------------------------------------------------


def torchvision_card(name: str, weights: str | None = None) -> dict:
    """What torchvision knows of a classifier: weights (IMAGENET1K_V1 by default), preprocessing."""
    card = _skeleton("torchvision", name, {})
    with concerning("torchvision"):
        build(card["network"])
    entries = {entry.name: entry for entry in torchvision.models.get_model_weights(name)}
    if not entries:
        return card
    chosen = weights or ("IMAGENET1K_V1" if "IMAGENET1K_V1" in entries else next(iter(entries)))
    if chosen not in entries:
        raise InputError("weights", repr(chosen), cards.suggestion(chosen, entries), file="torchvision")
    entry = entries[chosen]
    card["description"] = f"{name}, trained to classify ImageNet (torchvision, {chosen})"
    card["family"] = "task-optimised"
    card["licence"] = "BSD-3-Clause (torchvision); ImageNet's own terms bind its use"
    card["weights"] = _download(entry.url)
    transforms = entry.transforms()
    card["preprocessing"] = _preprocessing(transforms.crop_size[0], transforms.mean, transforms.std)
    # what torchvision does with its weights, besides loading them
    if name in ("googlenet", "inception_v3"):
        card["network"]["options"] = {"transform_input": True}
    if name.startswith("vit_") and "min_size" in entry.meta:
        card["network"]["options"] = {"image_size": entry.meta["min_size"][0]}
    if name.startswith("densenet"):
        card["weights"]["rename"] = {r"(denselayer\d+\.(?:norm|relu|conv))\.([12])\.": r"\1\2."}
    return card


def timm_card(name: str) -> dict:
    """What timm knows of a network, `NAME` or `NAME.TAG`: weights, preprocessing, licence."""
    import timm

    card = _skeleton("timm", name, {})
    with concerning("timm"):
        build(card["network"])
    if not (config := timm.get_pretrained_cfg(name, allow_unregistered=False)):
        return card
    card["preprocessing"] = _preprocessing(config.input_size[-1], config.mean, config.std)
    if config.hf_hub_id:
        file = config.hf_hub_filename or "model.safetensors"
        card["weights"] = {
            "file": file,
            "url": f"https://huggingface.co/{config.hf_hub_id}/resolve/main/{file}",
        }
    elif config.url:
        card["weights"] = _download(config.url)
    if "url" in card["weights"]:
        card["description"] = f"{name} with the weights that timm names"
        card["family"] = _family_of(name)
        card["licence"] = config.license or "not stated"
    return card


def _family_of(name: str) -> str:
    """The family that timm's name of a network speaks for: trained without labels, or at last with them."""
    without_labels = re.search(r"dino|clip|siglip|\.mae|fcmae|ijepa|moco", name)
    return "task-optimised" if not without_labels or re.search(r"_ft_|_in1k", name) else "self-supervised"


def hub_card(repo: str, name: str) -> dict:
    """A network of a GitHub repository at a commit (OWNER/NAME:COMMIT), or of a local folder; no weights."""
    if Path(repo).is_dir():
        # the workflow runs elsewhere than this command
        repo = str(Path(repo).resolve())
    return _skeleton("hub", name, {"repo": repo})


def _skeleton(source: str, name: str, options: dict) -> dict:
    network = {"source": source, "name": name} | ({"options": options} if options else {})
    return {
        "label": name,
        "description": f"{name} with random weights",
        "family": "untrained",
        "network": network,
        "weights": {"random": {"seed": 1}},
        "preprocessing": _preprocessing(224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    }


def _download(url: str) -> dict:
    checksum = CHECKSUM.search(url)
    weights = {"file": url.rsplit("/", 1)[-1], "url": url}
    return weights | ({"sha256": checksum[1]} if checksum else {})


def _preprocessing(size: int, mean, std) -> dict:
    return {"size": size, "mean": [round(v, 6) for v in mean], "std": [round(v, 6) for v in std]}


# ---- the card --------------------------------------------------------------------------------------------


def card_text(card: dict, size: int | None = None) -> str:
    """The card as YAML: the chosen layers, and all others of the network as comments, in running order.

    Parameters
    ----------
    card : of `torchvision_card`, `timm_card` or `hub_card`
    size : side of the input in pixels, in place of the card's

    Raises
    ------
    InputError : the network cannot be built, or does not run at that size.
    """
    if size is not None:
        if size < 1:
            raise InputError("preprocessing.size", size, "a whole number >= 1", file=card["label"])
        card["preprocessing"]["size"] = size
    with concerning(card["network"]["name"]):
        network = build(card["network"])
    try:
        layers = trace(network, card["preprocessing"]["size"])
    # whatever a network raises at a size it was not made for
    except Exception as error:
        found = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise InputError(
            "preprocessing.size", found, "a size at which it runs", file=card["label"]
        ) from error
    chosen = default_layers(layers)
    if not chosen:
        found = "no module that runs once in a pass and gives a tensor with a row for each image"
        raise InputError("layers", found, "modules that can be recorded", file=card["label"])
    depth = dict(zip(chosen, relative_depth(len(chosen)), strict=True))
    lines = [
        "# Written by scripts/new_model_card.py; please edit: label, description, family, citation, layers.",
        # a checksum of digits and one e would be read as a number
        re.sub(r"sha256: '?(\w+)'?", r"sha256: '\1'", yaml.safe_dump(card, sort_keys=False)).rstrip(),
        "# Depth is the place among the chosen layers. Every other layer that can be recorded is a comment.",
        "layers:",
    ]
    for layer in layers:
        if layer.recordable:
            note = "x".join(map(str, layer.shape))
            # YAML would take the names in a plain `Sequential` for numbers
            name = layer.name if isinstance(yaml.safe_load(layer.name), str) else f"'{layer.name}'"
            if layer.name in depth:
                lines.append(f"  - {name}  # {note}, depth {depth[layer.name]:.2f}")
            else:
                lines.append(f"  # - {name}  # {note}")
    text = "\n".join(lines) + "\n"
    cards.validate("models", yaml.safe_load(text), card["label"])
    return text
