"""Give networks the weights that their cards name, strictly."""

from __future__ import annotations

import collections
import hashlib
import importlib.util
import pickle
import re
from collections.abc import Sequence
from pathlib import Path

import safetensors.torch
import torch
from torch import nn

from cortexrsa.downloaded import check, disguised
from cortexrsa.errors import InputError, reason
from cortexrsa.networks.build import build
from cortexrsa.storage import check_unchanged
from cortexrsa.weight_names import check_patterns


def package_file(package: str, file: str) -> Path:
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
        raise InputError("weights: package", f"{package!r}, not installed", "an installed package")
    for folder in specification.submodule_search_locations:
        for path in sorted(Path(folder).rglob(Path(file).name)):
            if path.as_posix().endswith(f"/{file}"):
                return path
    raise InputError("weights: file", repr(file), f"a file in package {package}")


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
        line = _first_line(error)
        unreadable = f"an unreadable file ({type(error).__name__}: {line})"
        raise InputError("weights", unreadable, expected, file=file) from error


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


def _check_random(model: nn.Module, other: nn.Module) -> None:
    """Refuse a network of a foreign repository whose weights do not depend on the seed: it brings its own."""
    pairs = zip(model.parameters(), other.parameters(), strict=True)
    if any(True for _ in model.parameters()) and all(torch.equal(a, b) for a, b in pairs):
        found = "the same weights from every seed: the entry point loads its own"
        raise InputError("weights: random", found, "an option that leaves them out, or their file")


def build_with_weights(
    network: dict,
    weights: dict | None,
    trained: str | Path | None = None,
    downloads: str | Path | None = None,
) -> nn.Module:
    """Build a network and give it the weights that its card names.

    Parameters
    ----------
    network, weights : of the model card; no weights for a baseline
    trained : state dict of a network trained in this workflow
    downloads : folder with the downloaded checkpoint

    Raises
    ------
    InputError : see `build` and `load_weights`; also a file that is not as it was made or came.
    """
    weights = weights or {}
    seed = weights.get("random", {}).get("seed", 0)
    model = build(network, seed)
    if "random" in weights and network["source"] == "hub":
        _check_random(model, build(network, seed + 1))
    if trained:
        check_unchanged(trained)
        load_weights(model, {}, trained)
    elif downloads:
        check(downloads, {weights["file"]: {"sha256": weights.get("sha256")}})
        load_weights(model, weights, Path(downloads) / weights["file"])
    elif "package" in weights:
        file = package_file(weights["package"], weights["file"])
        found = hashlib.sha256(file.read_bytes()).hexdigest()
        if not found.startswith(weights["sha256"].lower()):
            raise InputError("sha256", found, weights["sha256"], file=file)
        load_weights(model, weights, file)
    return model
