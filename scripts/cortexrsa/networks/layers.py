"""Read the outputs of named layers while a network runs."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from cortexrsa.errors import InputError


def relative_depth(k: int) -> np.ndarray:
    """Relative depths (k,) of k ordered layers, 0 for the first and 1 for the last; a single layer has 0."""
    return np.linspace(0.0, 1.0, k)


def _check_names(model: torch.nn.Module, layers: Sequence[str]) -> None:
    names = [name for name, _ in model.named_modules() if name]
    if not layers:
        raise InputError("layers", "none", "at least one layer")
    for index, layer in enumerate(layers):
        if layer in layers[:index]:
            raise InputError("layers", f"{layer!r} twice", "each layer once")
        if layer not in names:
            nearest = difflib.get_close_matches(str(layer), names, n=5, cutoff=0.3) or names[:5]
            raise InputError("layers", repr(layer), f"a layer of this network, such as {nearest}")


def _first_tensor(output) -> torch.Tensor | None:
    """The output itself, or the first tensor of a tuple or list."""
    if isinstance(output, torch.Tensor):
        return output
    if isinstance(output, tuple | list):
        return next((item for item in output if isinstance(item, torch.Tensor)), None)
    return None


@contextlib.contextmanager
def recorded(
    model: torch.nn.Module,
    layers: Sequence[str],
    receive: Callable[[str, torch.Tensor], None],
) -> Iterator[None]:
    """Within the block, every forward pass of `model` calls `receive(layer, output)` for each layer.

    Parameters
    ----------
    model : network
    layers : names of its modules, as in `model.named_modules()`
    receive : gets a layer's name and its output (b, ...) at the moment the layer has run. Whoever keeps the
        output must copy it there and then, unless it is known that no later operation (torchvision's ReLU in
        place) overwrites it.

    Raises
    ------
    InputError : a name is no module of the network (the nearest are listed) or stands twice; a module does
        not run, runs several times in one pass, or returns no tensor; the layers run in another order.
    """
    _check_names(model, layers)
    modules = dict(model.named_modules())
    seen: list[str] = []

    def start(*_):
        seen.clear()

    def reader(layer: str):
        def read(module, inputs, output):
            if layer in seen:
                raise InputError("layers", f"{layer!r}, which runs several times", "a layer that runs once")
            seen.append(layer)
            tensor = _first_tensor(output)
            if tensor is None:
                raise InputError("layers", f"{layer!r}, which returns {type(output).__name__}", "a tensor")
            receive(layer, tensor)

        return read

    def finish(*_):
        idle = [layer for layer in layers if layer not in seen]
        if idle:
            raise InputError("layers", f"{idle}, not run by this network", "layers that run")
        # depth is the place in the list, so a wrong order would give wrong depths
        if seen != list(layers):
            late, early = next(pair for pair in zip(layers, seen, strict=True) if pair[0] != pair[1])
            raise InputError(
                "layers", f"{late!r} before {early!r}", "the order in which the network runs them"
            )

    handles = [model.register_forward_pre_hook(start)]
    handles += [modules[layer].register_forward_hook(reader(layer)) for layer in layers]
    handles.append(model.register_forward_hook(finish))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
