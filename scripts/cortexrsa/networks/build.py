"""Build networks from model cards."""

from __future__ import annotations

import difflib
import functools
import inspect
import re
from pathlib import Path

import torch
import torchvision
from torch import nn

from cortexrsa.errors import InputError
from cortexrsa.networks.architectures.baselines import GaborPyramid, Pixels
from cortexrsa.networks.architectures.cornet import CORnetS
from cortexrsa.networks.architectures.resnet import RESNETS, ResNet
from cortexrsa.networks.architectures.vae import VAE, Autoencoder, AutoencoderKLEncoder, BoltsVAE, BurgessVAE
from cortexrsa.networks.architectures.vone import VOneBlock, WithFrontEnd

BASELINES = {"pixels": Pixels, "gabor": GaborPyramid}
PUBLISHED = {"burgess_vae": BurgessVAE, "bolts_vae": BoltsVAE, "autoencoder_kl": AutoencoderKLEncoder}
SOURCES = (
    *("torchvision", "timm", "hub", "resnet", "cornet_s", "vae", "autoencoder"),
    *PUBLISHED,
    *("efficientnet_lite", "baseline"),
)


def _nearest(name: object, known: list[str], listed: int = 10) -> str:
    """All names where they are few, else those that begin as `name` does and those that look like it."""
    if len(known) <= listed:
        return f"one of {known}"
    near = [other for other in known if other.startswith(str(name))][: listed // 2]
    near += [k for k in difflib.get_close_matches(str(name), known, n=5, cutoff=0.3) if k not in near]
    return f"one of {len(known):,} names, such as {near or known[:listed]}"


def _constructor(network: dict):
    """The callable that makes the network, with the card's name checked."""
    kind, name = network["source"], network.get("name")

    def known(names) -> None:
        if name not in names:
            raise InputError("network: name", repr(name), _nearest(name, list(names)))

    if kind == "torchvision":
        known(torchvision.models.list_models(module=torchvision.models))
        return torchvision.models.get_model_builder(name)
    if kind == "resnet":
        known(RESNETS)
        return functools.partial(ResNet, name)
    if kind == "cornet_s":
        known(["cornet_s"])
        return CORnetS
    if kind in ("vae", "autoencoder"):
        known([*RESNETS, "cornet_s"])
        return functools.partial(VAE if kind == "vae" else Autoencoder, name)
    if kind == "timm":
        import timm

        if not timm.is_model(name):
            known(timm.list_models())
        return lambda **options: timm.create_model(name, pretrained=False, **options)
    if kind == "hub":
        return lambda repo, **options: _hub_model(repo, name, options)
    if kind in PUBLISHED:
        return PUBLISHED[kind]
    if kind == "efficientnet_lite":
        from efficientnet_lite_pytorch import EfficientNet

        known([f"efficientnet-lite{k}" for k in range(5)])
        return lambda: EfficientNet.from_name(name)
    if kind == "baseline":
        known(BASELINES)
        return BASELINES[name]
    raise InputError("network: source", repr(kind), _nearest(kind, list(SOURCES)))


def _hub_model(repo: str, name: str, options: dict) -> nn.Module:
    """A network from the `hubconf.py` of a GitHub repository at a commit, or of a local folder.

    Its code runs here: that is what a card with `source: hub` asks for. Its weights do not come along; they
    are downloaded and checked like all others: an entry point that takes `pretrained` gets False, unless the
    options say otherwise.
    """
    local = Path(repo).is_dir()
    if not local and not re.fullmatch(r"[\w.-]+/[\w.-]+:[\w./-]+", repo):
        expected = "OWNER/NAME:COMMIT on GitHub, or a folder with hubconf.py"
        raise InputError("network: options: repo", repr(repo), expected)
    where = {"source": "local" if local else "github", "trust_repo": True, "verbose": False}
    try:
        try:
            network = torch.hub.load(repo, name, **where, **({"pretrained": False} | options))
        except TypeError as error:
            if "pretrained" in options or "pretrained" not in str(error):
                raise
            network = torch.hub.load(repo, name, **where, **options)
    # a repository's code may raise anything
    except Exception as error:
        found = f"{name!r} of {repo}, which failed ({type(error).__name__}: {error})"
        raise InputError("network: name", " ".join(found.split()), "an entry point") from error
    if not isinstance(network, nn.Module):
        found = f"{name!r} of {repo}, which returns {type(network).__name__}"
        raise InputError("network: name", found, "an entry point that returns a torch.nn.Module")
    return network


def _behind(front_end: dict | None, backbone: nn.Module) -> nn.Module:
    """The network, behind a front end where the card has one."""
    if front_end is None:
        return backbone
    own = {key: value for key, value in front_end.items() if key not in ("name", "replaces")}
    return WithFrontEnd(VOneBlock(**own), backbone, front_end["replaces"])


def build(network: dict, seed: int = 0) -> nn.Module:
    """Build a network with random weights that depend on `seed` alone.

    Parameters
    ----------
    network : `source` (one of `SOURCES`), `name`, and `options` of that source; `front_end`, if a fixed V1
        comes before it: options of `VOneBlock`, and the modules that it `replaces`
    seed : of the random weights; the global random state is left as it was

    Raises
    ------
    InputError : unknown source, name or option (the nearest are listed); options that do not go together.
    """
    constructor = _constructor(network)
    options = network.get("options") or {}
    parameters = inspect.signature(constructor).parameters
    allowed = [name for name, p in parameters.items() if p.kind is not p.VAR_KEYWORD]
    open_ended = len(allowed) < len(parameters)
    for option in options:
        if option not in allowed and not open_ended:
            raise InputError("network: options", repr(option), _nearest(option, allowed))
    if options.get("stem", "small") not in ("imagenet", "small"):
        raise InputError("network: options: stem", repr(options["stem"]), "imagenet or small")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            return _behind(network.get("front_end"), constructor(**options))
        except InputError:
            raise
        # libraries assert, look up and convert what they are given
        except Exception as error:
            field, given = ("options", options) if options else ("name", repr(network.get("name")))
            raise InputError(
                f"network: {field}",
                " ".join(f"{given} ({type(error).__name__}: {error})".split()),
                "a network that can be built",
            ) from error
