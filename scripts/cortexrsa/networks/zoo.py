"""Build networks from model cards and load published weights into them, strictly."""

from __future__ import annotations

import collections
import difflib
import hashlib
import importlib.util
import inspect
import pickle
import re
from collections.abc import Sequence
from pathlib import Path

import safetensors.torch
import torch
import torchvision
from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck

from cortexrsa.downloaded import disguised
from cortexrsa.errors import InputError, reason
from cortexrsa.networks.baselines import GaborPyramid, Pixels
from cortexrsa.networks.cornet import CORnetS
from cortexrsa.networks.published import AutoencoderKLEncoder, BoltsVAE, BurgessVAE
from cortexrsa.patterns import check_patterns

RESNETS = {
    "resnet18": (BasicBlock, (2, 2, 2, 2)),
    "resnet34": (BasicBlock, (3, 4, 6, 3)),
    "resnet50": (Bottleneck, (3, 4, 6, 3)),
}
BASELINES = {"pixels": Pixels, "gabor": GaborPyramid}
PUBLISHED = {"burgess_vae": BurgessVAE, "bolts_vae": BoltsVAE, "autoencoder_kl": AutoencoderKLEncoder}
SOURCES = (
    *("torchvision", "timm", "hub", "resnet", "cornet_s", "vae", "autoencoder"),
    *PUBLISHED,
    *("efficientnet_lite", "baseline"),
)

# ---- architectures ---------------------------------------------------------------------------------------


class ResNet(torchvision.models.ResNet):
    """torchvision's residual network (He et al. 2016) with the base width and the stem set by the card.

    With `width` 64, the imagenet stem and 1,000 classes it is torchvision's own, key by key.

    Parameters
    ----------
    name : resnet18, resnet34 or resnet50
    width : channels of the stem and of the first stage (64 in the paper)
    stem : imagenet (7 x 7, stride 2, then max pooling) or small (3 x 3, stride 2)
    classes : outputs of the linear head; 0 leaves it out, and the network returns `avgpool`
    """

    def __init__(self, name: str, width: int = 64, stem: str = "imagenet", classes: int = 1000):
        # torchvision's constructor fixes the width, so only its block builder and its forward pass serve here
        nn.Module.__init__(self)
        block, depths = RESNETS[name]
        self._norm_layer, self.groups, self.base_width, self.dilation = nn.BatchNorm2d, 1, 64, 1
        self.inplanes = width
        kernel = 7 if stem == "imagenet" else 3
        self.conv1 = nn.Conv2d(3, width, kernel, stride=2, padding=kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if stem == "imagenet" else nn.Identity()
        for stage, blocks in enumerate(depths):
            layer = self._make_layer(block, width * 2**stage, blocks, stride=1 if stage == 0 else 2)
            self.add_module(f"layer{stage + 1}", layer)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.features = width * 8 * block.expansion
        self.fc = nn.Linear(self.features, classes) if classes else nn.Identity()
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


class Autoencoder(nn.Module):
    """Autoencoder whose encoder is the backbone of the classifiers, so that layers correspond one to one.

    `encoder.*` holds the same layers under the same names as the classifier, up to the last stage; its
    feature map, not pooled (reconstruction needs position), goes to the linear head `code`.

    Parameters
    ----------
    name, width, stem : of the encoder, see `ResNet` and `CORnetS`
    latent : dimensions of the code
    size : side of the input in pixels, a multiple of the encoder's total stride
    """

    def __init__(self, name: str, width: int = 64, stem: str = "imagenet", latent: int = 64, size: int = 224):
        super().__init__()
        stride = 32 if stem == "imagenet" else 16
        if size % stride:
            raise ValueError(f"size {size} is no multiple of {stride}")
        if name == "cornet_s":
            self.encoder = CORnetS(width, stem, classes=0)
            self.encoder.decoder.avgpool = nn.Identity()
        else:
            self.encoder = ResNet(name, width, stem, classes=0)
            self.encoder.avgpool = nn.Identity()
        self.side, self.channels = size // stride, 8 * width
        self._add_heads(self.encoder.features * self.side**2, latent)
        self.expand = nn.Linear(latent, self.channels * self.side**2)
        steps, channels = [], self.channels
        for _ in range(stride.bit_length() - 2):
            narrower = max(channels // 2, width)
            steps += [
                nn.Upsample(scale_factor=2),
                nn.Conv2d(channels, narrower, 3, padding=1, bias=False),
                nn.BatchNorm2d(narrower),
                nn.ReLU(inplace=True),
            ]
            channels = narrower
        # the last doubling by sub-pixel convolution (Shi et al. 2016): full resolution is the costly one
        self.decoder = nn.Sequential(*steps, nn.Conv2d(channels, 12, 3, padding=1), nn.PixelShuffle(2))

    def _add_heads(self, features: int, latent: int) -> None:
        self.code = nn.Linear(features, latent)

    def decode(self, code: torch.Tensor) -> torch.Tensor:
        """Images (b, 3, S, S) of codes (b, latent)."""
        maps = self.expand(code).unflatten(1, (self.channels, self.side, self.side))
        return self.decoder(maps.contiguous(memory_format=torch.channels_last))

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Reconstruction (b, 3, S, S) of the images, and their code (b, latent)."""
        code = self.code(self.encoder(images))
        return self.decode(code), code


class VAE(Autoencoder):
    """Variational autoencoder (Kingma & Welling 2014) on the encoder and decoder of `Autoencoder`.

    The encoder's feature map goes to the linear heads `mu` and `logvar`. In evaluation mode the code is the
    mean.
    """

    def _add_heads(self, features: int, latent: int) -> None:
        self.mu = nn.Linear(features, latent)
        self.logvar = nn.Linear(features, latent)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Reconstruction (b, 3, S, S) of the images, mean and log variance (b, latent) of their code."""
        maps = self.encoder(images)
        mu, logvar = self.mu(maps).float(), self.logvar(maps).float().clamp(-10, 10)
        sample = mu + torch.randn_like(mu) * torch.exp(logvar / 2) if self.training else mu
        return self.decode(sample), mu, logvar


# ---- building --------------------------------------------------------------------------------------------


def _nearest(name: object, known: list[str]) -> str:
    return f"one of {difflib.get_close_matches(str(name), known, n=5, cutoff=0.3) or known[:10]}"


def _constructor(network: dict, source: str):
    """The callable that makes the network, with the card's name checked."""
    kind, name = network["source"], network.get("name")

    def known(names) -> None:
        if name not in names:
            raise InputError("network: name", repr(name), _nearest(name, list(names)), file=source)

    if kind == "torchvision":
        known(torchvision.models.list_models(module=torchvision.models))
        return torchvision.models.get_model_builder(name)
    if kind == "resnet":
        known(RESNETS)
        return lambda width=64, stem="imagenet", classes=1000: ResNet(name, width, stem, classes)
    if kind == "cornet_s":
        known(["cornet_s"])
        return CORnetS
    if kind in ("vae", "autoencoder"):
        known([*RESNETS, "cornet_s"])
        network_class = VAE if kind == "vae" else Autoencoder
        return lambda width=64, stem="imagenet", latent=64, size=224: network_class(
            name, width, stem, latent, size
        )
    if kind == "timm":
        import timm

        if not timm.is_model(name):
            known(timm.list_models())
        return lambda **options: timm.create_model(name, pretrained=False, **options)
    if kind == "hub":
        return lambda repo, **options: _hub_model(repo, name, options, source)
    if kind in PUBLISHED:
        return PUBLISHED[kind]
    if kind == "efficientnet_lite":
        from efficientnet_lite_pytorch import EfficientNet

        known([f"efficientnet-lite{k}" for k in range(5)])
        return lambda: EfficientNet.from_name(name)
    if kind == "baseline":
        known(BASELINES)
        return BASELINES[name]
    raise InputError("network: source", repr(kind), _nearest(kind, list(SOURCES)), file=source)


def _hub_model(repo: str, name: str, options: dict, source: str) -> nn.Module:
    """A network from the `hubconf.py` of a GitHub repository at a commit, or of a local folder.

    Its code runs here: that is what a card with `source: hub` asks for. Its weights do not come along; they
    are downloaded and checked like all others: an entry point that takes `pretrained` gets False, unless the
    options say otherwise.
    """
    local = Path(repo).is_dir()
    if not local and not re.fullmatch(r"[\w.-]+/[\w.-]+:[\w./-]+", repo):
        expected = "OWNER/NAME:COMMIT on GitHub, or a folder with hubconf.py"
        raise InputError("network: options: repo", repr(repo), expected, file=source)
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
        raise InputError("network: name", " ".join(found.split()), "an entry point", file=source) from error
    if not isinstance(network, nn.Module):
        found = f"{name!r} of {repo}, which returns {type(network).__name__}"
        raise InputError("network: name", found, "an entry point that returns a torch.nn.Module", file=source)
    return network


def build(network: dict, seed: int = 0, source: str = "model card") -> nn.Module:
    """Build a network with random weights that depend on `seed` alone.

    Parameters
    ----------
    network : `source` (one of `SOURCES`), `name`, and `options` of that source
    seed : of the random weights; the global random state is left as it was
    source : file to name in an error

    Raises
    ------
    InputError : unknown source, name or option (the nearest are listed); options that do not go together.
    """
    constructor = _constructor(network, source)
    options = network.get("options") or {}
    parameters = inspect.signature(constructor).parameters
    allowed = [name for name, p in parameters.items() if p.kind is not p.VAR_KEYWORD]
    open_ended = len(allowed) < len(parameters)
    for option in options:
        if option not in allowed and not open_ended:
            raise InputError("network: options", repr(option), _nearest(option, allowed), file=source)
    if options.get("stem", "small") not in ("imagenet", "small"):
        raise InputError("network: options: stem", repr(options["stem"]), "imagenet or small", file=source)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            return constructor(**options)
        except InputError:
            raise
        # libraries assert, look up and convert what they are given
        except Exception as error:
            field, given = ("options", options) if options else ("name", repr(network.get("name")))
            found = " ".join(f"{given} ({type(error).__name__}: {error})".split())
            raise InputError(
                f"network: {field}", found, "a network that can be built", file=source
            ) from error


# ---- weights ---------------------------------------------------------------------------------------------


def package_file(package: str, file: str, source: str = "model card") -> Path:
    """Path of a file in an installed package (any of its folders), which is located but not imported.

    Raises
    ------
    InputError : the package is not installed, or holds no such file.
    """
    try:
        specification = importlib.util.find_spec(package)
    except ModuleNotFoundError:  # the parent of a dotted name
        specification = None
    if specification is None or not specification.submodule_search_locations:
        raise InputError(
            "weights: package", f"{package!r}, not installed", "an installed package", file=source
        )
    for folder in specification.submodule_search_locations:
        for path in sorted(Path(folder).rglob(Path(file).name)):
            if path.as_posix().endswith(f"/{file}"):
                return path
    raise InputError("weights: file", repr(file), f"a file in package {package}", file=source)


class Placeholder:
    """Stands for an object of a checkpoint that is not needed (a callback, hyper-parameters): never run."""

    def __new__(cls, *arguments, **options):
        # PyTorch's restricted unpickler sets items of plain mappings only
        return collections.OrderedDict()


def _read(file: Path, placeholders: Sequence[str] = ()) -> object:
    """The content of a PyTorch or safetensors file; anything but tensors and plain containers is refused.

    Objects of the classes named in `placeholders` are replaced by empty ones; their code never runs.
    """
    expected = "a PyTorch file of tensors (weights_only), or safetensors"
    try:
        answer = disguised(file)
        empty = file.stat().st_size == 0
    except OSError as error:
        raise InputError("weights", reason(error), expected, file=file) from error
    if empty:
        raise InputError("weights", "an empty file", expected, file=file)
    if answer:
        raise InputError("weights", f"{answer} (the server's answer, not the file)", expected, file=file)
    try:
        if file.suffix == ".safetensors":
            return safetensors.torch.load_file(file)
        with torch.serialization.safe_globals([(Placeholder, name) for name in placeholders]):
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL (\S+) was not an allowed", str(error))
        found = named[1] if named else _cause(error)
        advice = "; a class whose objects are not needed can be named in `placeholders`" if named else ""
        raise InputError(
            "weights", f"other or pickled objects: {found}", expected + advice, file=file
        ) from error
    # the old format has no checksums: a flipped bit may raise anything
    except Exception as error:
        found = f"an unreadable file ({type(error).__name__}: {_first_line(error)})"
        raise InputError("weights", found, expected, file=file) from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "")


def _cause(error: pickle.UnpicklingError) -> str:
    """What PyTorch could not read, without its advice to unpickle the file after all."""
    cause = re.search(r"WeightsUnpickler error: (.*)", str(error))
    return cause[1] if cause else _first_line(error).split(". ")[0]


def _listed(items: list[str], most: int = 5) -> str:
    return f"{len(items)} ({', '.join(items[:most])}{', ...' if len(items) > most else ''})"


def _state_dict(content: object, weights: dict, file: Path) -> dict[str, torch.Tensor]:
    """Follow the card's `entry`, strip its `strip_prefix`, `rename` and drop the keys it says to `ignore`."""
    for depth, key in enumerate(weights.get("entry") or []):
        if not isinstance(content, dict) or key not in content:
            keys = sorted(map(str, content)) if isinstance(content, dict) else [type(content).__name__]
            path = " / ".join(weights["entry"][: depth + 1])
            raise InputError(f"weights: entry {path}", f"keys {_listed(keys)}", repr(key), file=file)
        content = content[key]
    if not isinstance(content, dict):
        raise InputError("weights", type(content).__name__, "a state dict (name: tensor)", file=file)
    if numbered := [repr(key) for key in content if not isinstance(key, str)]:
        raise InputError(
            "weights", f"keys that are no text: {_listed(numbered)}", "names of tensors", file=file
        )
    other = [key for key, value in content.items() if not isinstance(value, torch.Tensor)]
    if other:
        raise InputError(
            "weights",
            f"entries that are no tensors: {_listed(other)}",
            "a state dict; set `entry`?",
            file=file,
        )
    prefix, ignored = weights.get("strip_prefix") or "", weights.get("ignore") or []
    renamed = weights.get("rename") or {}
    check_patterns(weights, "model card")
    published = {}
    for key in content:
        name = key.removeprefix(prefix)
        for pattern, replacement in renamed.items():
            name = re.sub(pattern, replacement, name)
        if any(re.fullmatch(pattern, name) for pattern in ignored):
            continue
        if name in published:
            found = f"{published[name]!r} and {key!r}, which both become {name!r}"
            raise InputError("weights: keys", found, "one tensor of each name; see `ignore`", file=file)
        published[name] = key
    return {name: content[key] for name, key in published.items()}


def _kind(tensor: torch.Tensor) -> str:
    """What a tensor holds, where values would be lost, or not be copied at all, by another kind."""
    if tensor.is_quantized:
        return "quantised"
    if tensor.layout != torch.strided or tensor.is_nested:
        return "sparse or nested"
    if tensor.is_meta:
        return "without values"
    if tensor.is_complex():
        return "complex"
    return "floating-point" if tensor.is_floating_point() else "whole numbers"


def _fits(found: str, wanted: str) -> bool:
    """Whether one `_kind` can stand for another: averaged checkpoints have counters in floating point."""
    return found == wanted or (found, wanted) == ("floating-point", "whole numbers")


def load_weights(model: nn.Module, weights: dict, file: str | Path) -> None:
    """Load a state dict into `model`: every key and every shape must fit.

    Parameters
    ----------
    model : network, changed in place
    weights : of a model card, all optional: `entry` (keys into nested dicts), `strip_prefix`, `rename`
        (regular expression to replacement, within names), `ignore` (regular expressions that match whole
        names of keys the network has no use for), `placeholders` (classes of objects that are not needed)
    file : safetensors (by its suffix), or a PyTorch file opened with `weights_only=True`: nothing is
        unpickled

    Raises
    ------
    InputError : the file is no PyTorch file of tensors (an HTML page, pickled objects, cut short), an entry
        is not there, two keys become one, or keys are missing, unexpected, of another shape or kind (sparse,
        quantised, complex; whole numbers for floating-point ones); the first of them are listed.
    """
    file = Path(file)
    state = _state_dict(_read(file, weights.get("placeholders") or ()), weights, file)
    wanted = model.state_dict()
    # files from before PyTorch 0.4.1 (torchvision has many) lack these counters, which evaluation never reads
    state = {key: value for key, value in wanted.items() if key.endswith("num_batches_tracked")} | state
    faults = []
    if missing := [key for key in wanted if key not in state]:
        faults.append(f"missing {_listed(missing)}")
    if unexpected := [key for key in state if key not in wanted]:
        faults.append(f"unexpected {_listed(unexpected)}")
    kinds = {key: (_kind(state[key]), _kind(wanted[key])) for key in wanted if key in state}
    if others := [key for key, pair in kinds.items() if not _fits(*pair)]:
        named = [f"{key} {kinds[key][0]} not {kinds[key][1]}" for key in others]
        faults.append(f"other kinds of tensor {_listed(named)}")
    shapes = [
        f"{key} {tuple(state[key].shape)} not {tuple(wanted[key].shape)}"
        for key in kinds
        if key not in others and state[key].shape != wanted[key].shape
    ]
    if shapes:
        faults.append(f"other shapes {_listed(shapes)}")
    if faults:
        raise InputError(
            "weights: keys", "; ".join(faults), f"the {len(wanted)} keys of the network", file=file
        )
    model.load_state_dict(state, strict=True)


def _check_random(model: nn.Module, other: nn.Module, source: str) -> None:
    """Refuse a network of a foreign repository whose weights do not depend on the seed: it brings its own."""
    pairs = zip(model.parameters(), other.parameters(), strict=True)
    if any(True for _ in model.parameters()) and all(torch.equal(a, b) for a, b in pairs):
        found = "the same weights from every seed: the entry point loads its own"
        raise InputError(
            "weights: random", found, "an option that leaves them out, or their file", file=source
        )


def build_with_weights(
    network: dict,
    weights: dict | None,
    trained: str | Path | None = None,
    downloads: str | Path | None = None,
    source: str = "model card",
) -> nn.Module:
    """Build a network and give it the weights that its card names.

    Parameters
    ----------
    network, weights : of the model card; no weights for a baseline
    trained : state dict of a network trained in this workflow
    downloads : folder with the downloaded checkpoint
    source : file to name in an error

    Raises
    ------
    InputError : see `build` and `load_weights`; also a packaged file with another checksum.
    """
    weights = weights or {}
    seed = weights.get("random", {}).get("seed", 0)
    model = build(network, seed, source)
    if "random" in weights and network["source"] == "hub":
        _check_random(model, build(network, seed + 1, source), source)
    if trained:
        load_weights(model, {}, trained)
    elif downloads:
        load_weights(model, weights, Path(downloads) / weights["file"])
    elif "package" in weights:
        file = package_file(weights["package"], weights["file"], source)
        found = hashlib.sha256(file.read_bytes()).hexdigest()
        if not found.startswith(weights["sha256"].lower()):
            raise InputError("sha256", found, weights["sha256"], file=file)
        load_weights(model, weights, file)
    return model
