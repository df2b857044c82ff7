"""Activations of all layers of a network in one forward pass, written as they come."""

from __future__ import annotations

import contextlib
import math
import mmap
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from cortexrsa.files import InputError
from cortexrsa.networks.layers import recorded, relative_depth
from cortexrsa.networks.preprocessing import prepare

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_device() -> torch.device:
    """The GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class _Writer:
    """The `.npy` files of all layers, open for writing row by row.

    Plain writes instead of memory maps: written pages never count as the job's memory, and a full disk is an
    error instead of a bus error.
    """

    def __init__(self, folder: Path, n: int, source: str):
        self.folder, self.n, self.source = folder, n, source
        self.files, self.offsets, self.shapes = {}, {}, {}

    def _open(self, layer: str, shape: tuple[int, ...]) -> None:
        file = open(self.folder / f"{layer}.npy", "wb")  # noqa: SIM115 (closed by `close`)
        self.files[layer], self.shapes[layer] = file, shape
        features = math.prod(shape)
        header = {"descr": "<f4", "fortran_order": False, "shape": (self.n, features)}
        np.lib.format.write_array_header_1_0(file, header)
        self.offsets[layer] = file.tell()

    def write(self, layer: str, start: int, output: torch.Tensor) -> None:
        """Write `output` (b, ...) as rows `start` to `start + b` of `layer`, as float32."""
        shape = tuple(output.shape[1:])
        # the sum is finite unless a value is not (or it overflows, hence the second look)
        if not torch.isfinite(output.sum()) and not torch.isfinite(output).all():
            raise InputError(
                self.source, f"activations of layer {layer!r}", "NaN or infinite values", "finite values"
            )
        if layer not in self.files:
            self._open(layer, shape)
        if shape != self.shapes[layer]:
            raise InputError(self.source, f"layer {layer!r}", shape, f"{self.shapes[layer]}, as before")
        rows = output.float().flatten(1).cpu().numpy()
        file = self.files[layer]
        # a batch that ran out of memory half-way is written again from its first row
        file.seek(self.offsets[layer] + start * rows.shape[1] * 4)
        file.write(np.ascontiguousarray(rows, dtype="<f4"))

    def check_space(self) -> None:
        """Refuse a disk too small for all rows, once the shapes are known."""
        needed = sum(4 * self.n * math.prod(shape) for shape in self.shapes.values())
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise InputError(
                self.folder,
                "free disk space",
                f"{free / 1e9:.1f} GB",
                f"{needed / 1e9:.1f} GB for activations",
            )

    def close(self) -> None:
        for file in self.files.values():
            file.close()


def _drop_pages(images: np.ndarray) -> None:
    """Let go of the pages of a read-only memory map, which would otherwise add up in the resident memory."""
    if isinstance(images, np.memmap) and images.mode == "r" and hasattr(mmap, "MADV_DONTNEED"):
        images._mmap.madvise(mmap.MADV_DONTNEED)


def _is_out_of_memory(error: RuntimeError) -> bool:
    """GPU memory has an exception of its own; the CPU's allocator only a message."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def extract(
    model: torch.nn.Module,
    images: np.ndarray,
    preprocessing: dict,
    layers: Sequence[str],
    folder: str | Path,
    batch_size: int = 64,
    device: torch.device | str | None = None,
    progress: bool = False,
    precision: str = "float32",
    source: str = "model card",
) -> pd.DataFrame:
    """Run the network once over all images and write each layer's activations.

    Memory does not grow with the number of images: each layer's output is written and let go while the
    network runs. Where the GPU (or the CPU) runs out of memory the batch is halved and the work goes on.

    Parameters
    ----------
    model : network; put into evaluation mode on `device`
    images : (n, H, W, 3) uint8, possibly memory-mapped
    preprocessing : of the model card, see `prepare`
    layers : names of modules, from input to output
    folder : existing folder, in which `{layer}.npy` (n, features) float32 and `layers.tsv` are written
    batch_size : images at a time, to begin with
    device : `choose_device()` by default
    progress : show a progress bar
    precision : float32, or bfloat16 / float16 for automatic mixed precision where asked for
    source : file to name in an error

    Returns
    -------
    DataFrame with one row a layer: layer, index, depth (0 first, 1 last), shape (CxHxW); the same as
    `layers.tsv`

    Raises
    ------
    InputError : wrong layer names (see `recorded`), NaN or infinite activations, a disk too small, or too
        little memory for a single image.
    """
    folder, device = Path(folder), torch.device(device or choose_device())
    if precision not in PRECISIONS:
        raise InputError(source, "precision", repr(precision), f"one of {list(PRECISIONS)}")
    n, start, writer = len(images), 0, _Writer(folder, len(images), source)
    model = model.to(device, memory_format=torch.channels_last).eval()
    mixed = torch.autocast(device.type, PRECISIONS[precision], enabled=precision != "float32")
    # cuDNN would otherwise round float32 convolutions to TF32 (10 bits of mantissa)
    exact = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)

    def receive(layer: str, output: torch.Tensor) -> None:
        writer.write(layer, start, output)

    with (
        contextlib.closing(writer),
        recorded(model, layers, receive, source),
        torch.inference_mode(),
        mixed,
        exact,
        tqdm(total=n, unit="image", disable=not progress, file=sys.__stderr__) as bar,
    ):
        while start < n:
            batch = images[start : start + batch_size]
            exhausted = False
            try:
                model(prepare(batch, preprocessing, device, source))
            except RuntimeError as error:
                if not _is_out_of_memory(error):
                    raise
                exhausted = True
            if exhausted:
                # outside the handler, so that the failed pass's tensors are no longer referenced
                if batch_size == 1:
                    raise InputError(source, "batch_size", f"out of memory on {device} at 1", "more memory")
                batch_size = max(1, min(batch_size, n - start) // 2)
                if device.type == "cuda":
                    torch.cuda.empty_cache()
                continue
            if start == 0:
                writer.check_space()
            start += len(batch)
            bar.update(len(batch))
            _drop_pages(images)
    table = pd.DataFrame(
        {
            "layer": list(layers),
            "index": np.arange(len(layers)),
            "depth": relative_depth(len(layers)),
            "shape": ["x".join(map(str, writer.shapes[layer])) for layer in layers],
        }
    )
    table.to_csv(folder / "layers.tsv", sep="\t", index=False)
    return table
