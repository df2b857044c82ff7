"""Activations of all layers of a network in one forward pass, written as they come."""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import ctypes
import functools
import io
import math
import mmap
import shutil
import sys
import warnings
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import xxhash
from tqdm import tqdm

from cortexrsa.errors import InputError
from cortexrsa.formats.columns.layers import LAYERS
from cortexrsa.formats.tables import save_table
from cortexrsa.networks.devices import choose_device, is_out_of_memory, place
from cortexrsa.networks.layers import recorded, relative_depth
from cortexrsa.networks.preprocessing import prepare
from cortexrsa.networks.settings import Preprocessing
from cortexrsa.storage import LARGE, write_provenance

# outputs that wait to be written
PENDING = 4
# bytes that are transposed, checked and written at a time: they stay in the processor's cache meanwhile
CHUNK = 4 << 20
# of an output's largest value: batches of another size or order of sums differ by less
ROUNDING = 1e-3


class Projection:
    """Sparse random projection of layers with many features, to save disk at a known error of the RDM.

    Entries are 0 or +-1 with a density of 1 / sqrt(features) (Li, Hastie & Church 2006,
    doi:10.1145/1150402.1150436; scikit-learn's SparseRandomProjection), which keeps inner products up to an
    error that falls with the square root of `dimensions`.

    Parameters
    ----------
    dimensions : features that are kept of a layer with more
    seed : of the matrices; every layer has one of its own, told by its name
    centred : subtract each pattern's mean over its features first, as the correlation distance does
    """

    def __init__(self, dimensions: int, seed: int, centred: bool):
        self.dimensions, self.seed, self.centred = dimensions, seed, centred
        self._matrices = {}

    def apply(self, layer: str, rows: torch.Tensor) -> torch.Tensor:
        """Projected rows (b, dimensions) of (b, features) float32, on their device; if fewer, as they are."""
        features = rows.shape[1]
        if features <= self.dimensions:
            return rows
        if layer not in self._matrices:
            self._matrices[layer] = self._matrix(layer, features).to(rows.device)
        if self.centred:
            rows = rows - rows.mean(dim=1, dtype=torch.float64, keepdim=True).float()
        return (self._matrices[layer] @ rows.T).T.contiguous()

    def _matrix(self, layer: str, features: int) -> torch.Tensor:
        # imported here: a second that no other extraction needs
        from sklearn.random_projection import SparseRandomProjection

        state = np.random.RandomState([self.seed, zlib.crc32(layer.encode())])
        shape = np.zeros((1, features), np.float32)
        matrix = SparseRandomProjection(self.dimensions, random_state=state).fit(shape).components_
        with warnings.catch_warnings():
            # PyTorch calls its sparse matrices a beta; the tests hold them against SciPy's
            warnings.filterwarnings(
                "ignore", "Sparse CSR tensor support|Sparse invariant checks", UserWarning
            )
            return torch.sparse_csr_tensor(
                torch.from_numpy(matrix.indptr.astype(np.int64)),
                torch.from_numpy(matrix.indices.astype(np.int64)),
                torch.from_numpy(matrix.data.astype(np.float32)),
                matrix.shape,
            )


def _row_major(output: torch.Tensor) -> torch.Tensor:
    """Rows (b, features) float32 in C order of an output (b, ...) on the CPU, in whichever memory format."""
    output = output.detach().float()
    if output.is_contiguous() or not output.is_contiguous(memory_format=torch.channels_last):
        return output.flatten(1)
    pixels = output.permute(0, 2, 3, 1).flatten(1, 2)
    rows = torch.empty(pixels.transpose(1, 2).shape)
    for row, image in zip(rows, pixels, strict=True):
        # a matrix, which PyTorch transposes block by block: four axes it would copy value by value
        row.copy_(image.T)
    return rows.flatten(1)


class _Writer:
    """The `.npy` files of all layers, open for writing row by row.

    Plain writes instead of memory maps: written pages never count as the job's memory, and a full disk is an
    error instead of a bus error. A thread checks and writes while the network goes on; it lags at most
    `PENDING` outputs behind, which bounds the memory.

    Parameters
    ----------
    folder, n : of the files, and the number of their rows
    shapes : layer -> shape of its output for one image
    overwritten : layers whose output does not last until the pass ends, see `_probe`
    projection : of layers with more features than it keeps

    Raises
    ------
    InputError : a disk too small for all rows
    """

    def __init__(
        self,
        folder: Path,
        n: int,
        shapes: dict[str, tuple[int, ...]],
        overwritten: set[str],
        projection: Projection | None = None,
    ):
        self.folder, self.n, self.shapes, self.overwritten = folder, n, shapes, overwritten
        self.projection = projection
        self.files, self.offsets = {}, {}
        # of what was written to each file so far, if from its beginning to its end
        self.digests = {}
        self._check_space()
        self.thread = concurrent.futures.ThreadPoolExecutor(max_workers=1)
        self.pending: collections.deque[concurrent.futures.Future] = collections.deque()

    def _features(self, shape: tuple[int, ...]) -> int:
        features = math.prod(shape)
        return min(features, self.projection.dimensions) if self.projection else features

    def _open(self, layer: str) -> None:
        file = open(self.folder / f"{layer}.npy", "wb")  # noqa: SIM115 (closed by `close`)
        self.files[layer] = file
        shape = (self.n, self._features(self.shapes[layer]))
        header = io.BytesIO()
        described = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(header, described)
        file.write(header.getvalue())
        self.offsets[layer] = file.tell()
        self.digests[layer] = xxhash.xxh3_128(header.getvalue())

    def write(self, layer: str, start: int, output: torch.Tensor) -> None:
        """Hand over `output` (b, ...), to be rows `start` to `start + b` of `layer`, as float32.

        Raises what went wrong with an earlier output.
        """
        shape = tuple(output.shape[1:])
        if shape != self.shapes[layer]:
            raise InputError(f"layer {layer!r}", shape, f"{self.shapes[layer]}, as before")
        while len(self.pending) >= PENDING:
            self.pending.popleft().result()
        if output.device.type != "cpu":
            rows = self._kept(layer, output.flatten(1).float()).cpu().numpy()
            task = self.thread.submit(self._append, layer, start, [rows])
        else:
            output = output.clone() if layer in self.overwritten else output
            task = self.thread.submit(self._write, layer, start, output, output[0].clone())
        self.pending.append(task)

    def flush(self) -> None:
        """Wait for all that was handed over."""
        while self.pending:
            self.pending.popleft().result()

    def _kept(self, layer: str, rows: torch.Tensor) -> torch.Tensor:
        """What is written of rows (b, features) float32: themselves, or their projection."""
        # the sum is finite unless a value is not (or it overflows, hence the second look)
        if not torch.isfinite(rows.sum()) and not torch.isfinite(rows).all():
            raise InputError(f"activations of layer {layer!r}", "NaN or infinite values", "finite values")
        return self.projection.apply(layer, rows) if self.projection else rows

    def _write(self, layer: str, start: int, output: torch.Tensor, first: torch.Tensor) -> None:
        """Rows of an output (b, ...) on the CPU, whose first row was `first` when it came."""
        # a projection takes the whole batch, since it reads all of its matrix each time
        step = len(output) if self.projection else max(1, CHUNK // (4 * output[0].numel()))
        self._append(
            layer, start, (self._kept(layer, _row_major(chunk)).numpy() for chunk in output.split(step))
        )
        if not torch.equal(output[0], first):
            found = f"an output that is overwritten in batches of {len(output)}, but not of two images"
            raise InputError(f"layer {layer!r}", found, "an output that is overwritten always, or never")

    def _append(self, layer: str, start: int, chunks: Iterable[np.ndarray]) -> None:
        if layer not in self.files:
            self._open(layer)
        file = self.files[layer]
        place = self.offsets[layer] + start * self._features(self.shapes[layer]) * 4
        if place != file.tell():
            # a batch that ran out of memory half-way is written again from its first row
            self.digests[layer] = None
            file.seek(place)
        for rows in chunks:
            content = np.ascontiguousarray(rows, dtype="<f4")
            file.write(content)
            if self.digests[layer]:
                self.digests[layer].update(content)

    def _check_space(self) -> None:
        needed = sum(4 * self.n * self._features(shape) for shape in self.shapes.values())
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise InputError(
                "free disk space",
                f"{free / 1e6:,.0f} MB",
                f"{needed / 1e6:,.0f} MB for activations",
                file=self.folder,
            )

    def checksums(self) -> dict[str, str | Path]:
        """Name -> checksum of a large file, which need not be read again for it; else where it lies."""
        known = {}
        for layer, digest in self.digests.items():
            path = self.folder / f"{layer}.npy"
            large = digest and path.stat().st_size > LARGE
            known[path.name] = f"xxh3-128:{digest.hexdigest()}" if large else path
        return known

    def close(self) -> None:
        self.thread.shutdown(cancel_futures=True)
        for file in self.files.values():
            file.close()


def _drop_pages(images: np.ndarray) -> None:
    """Let go of the pages of a read-only memory map, which would otherwise add up in the resident memory."""
    if isinstance(images, np.memmap) and images.mode == "r" and hasattr(mmap, "MADV_DONTNEED"):
        images._mmap.madvise(mmap.MADV_DONTNEED)


def _reuse_freed_memory() -> None:
    """Let glibc keep what was freed: mapping it anew for every output takes a fifth of a pass on the CPU.

    For the rest of the process; other C libraries are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        # M_MMAP_MAX: no maps of their own for large blocks; M_TRIM_THRESHOLD: free blocks are not given back
        mallopt(-4, 0)
        mallopt(-1, 2**31 - 1)


def _check_output(layer: str, output: torch.Tensor, images: int) -> None:
    """Refuse an output that is no row of real numbers for each image."""
    if output.layout != torch.strided or output.is_complex():
        found = f"{output.dtype} values of layout {output.layout}"
    elif output.ndim < 2 or not output.numel():
        found = f"an output of shape {tuple(output.shape)}"
    elif len(output) != images:
        # some transformers put tokens first
        found = f"{len(output)} rows"
    else:
        return
    raise InputError(f"layer {layer!r}", found, f"real numbers for {images}, the images of a batch")


def _probe(
    model: torch.nn.Module,
    layers: Sequence[str],
    fits: Callable[[np.ndarray], bool],
    images: np.ndarray,
) -> tuple[dict[str, tuple[int, ...]], set[str]]:
    """Shapes of the layers' outputs for one image, and the layers whose output later modules overwrite.

    Whether values or PyTorch's count of changes differ at the end of a pass of two images (one, if there is
    no memory for two) tells.

    Raises
    ------
    InputError : an output that is random (the same pass again gives another), or depends on the other images
        of a batch (another second image changes the first one's).
    """
    outputs = {}

    def receive(layer: str, output: torch.Tensor) -> None:
        _check_output(layer, output, count)
        outputs[layer] = (output, output.clone(), _changes(output))

    with recorded(model, layers, receive), torch.no_grad():
        # two images, since some networks lose the first axis of a single one
        count = min(2, len(images))
        if not fits(images[:count]):
            outputs.clear()
            count = 1
            fits(images[:count])
        shapes = {layer: tuple(output.shape[1:]) for layer, (output, _, _) in outputs.items()}
        overwritten = {
            layer
            for layer, (output, copy, changes) in outputs.items()
            if _changes(output) != changes or not torch.equal(output, copy)
        }
        first = {layer: copy for layer, (_, copy, _) in outputs.items()}
        if fits(images[:count]):
            found = "an output that differs between two passes over the same images (random: dropout?)"
            _check_same(first, {layer: copy for layer, (_, copy, _) in outputs.items()}, found)
        # a second image that certainly is another
        if count == 2 and fits(np.stack([images[0], 255 - images[1]])):
            found = "an output that depends on the other images of a batch (normalised over them?)"
            _check_same(first, {layer: copy[:1] for layer, (_, copy, _) in outputs.items()}, found)
    return shapes, overwritten


def _check_same(expected: dict[str, torch.Tensor], outputs: dict[str, torch.Tensor], found: str) -> None:
    """Refuse the first layer whose rows are not the first of those expected, beyond what rounding does."""
    for layer, output in outputs.items():
        wanted = expected[layer][: len(output)].float()
        if (output.float() - wanted).abs().max() > ROUNDING * wanted.abs().max():
            raise InputError(f"layer {layer!r}", found, "an output that depends on the image alone")


def _changes(tensor: torch.Tensor) -> int:
    """How often PyTorch saw it changed; it does not count in inference mode, which a network may ask for."""
    return 0 if tensor.is_inference() else tensor._version


def _layers_table(layers: Sequence[str], shapes: dict[str, tuple[int, ...]]) -> pd.DataFrame:
    """One row a layer: layer, index, depth (0 first, 1 last), shape (CxHxW)."""
    return pd.DataFrame(
        {
            "layer": list(layers),
            "index": np.arange(len(layers)),
            "depth": relative_depth(len(layers)),
            "shape": ["x".join(map(str, shapes[layer])) for layer in layers],
        }
    )


def extract(
    model: torch.nn.Module,
    images: np.ndarray,
    preprocessing: Preprocessing,
    layers: Sequence[str],
    folder: str | Path,
    batch_size: int = 64,
    device: torch.device | str | None = None,
    projection: Projection | None = None,
) -> tuple[pd.DataFrame, dict[str, str | Path]]:
    """Run the network once over all images and write each layer's activations.

    Memory does not grow with the number of images: each layer's output is written and let go while the
    network runs. Where the GPU (or the CPU) runs out of memory the batch is halved and the work goes on.

    Parameters
    ----------
    model : network; put into evaluation mode on `device`
    images : (n, H, W, 3) uint8, possibly memory-mapped
    preprocessing : of the model card, see `prepare`
    layers : names of modules, from input to output
    folder : existing folder, in which `{layer}.npy` (n, features) float32 are written
    batch_size : images at a time, to begin with
    device : `choose_device()` by default
    projection : of layers with more features than it keeps

    Returns
    -------
    table : one row a layer: layer, index, depth (0 first, 1 last), shape (CxHxW)
    files : name -> checksum of a large file, else where it lies; for `write_layers`

    Raises
    ------
    InputError : wrong layer names (see `recorded`), activations that are NaN, infinite, random or dependent
        on the other images of a batch, a disk too small, or too little memory for a single image.
    """
    folder, device = Path(folder), torch.device(device or choose_device())
    if device.type == "cpu":
        _reuse_freed_memory()
    model = place(model, device).eval()
    # cuDNN would otherwise round float32 convolutions to TF32 (10 bits of mantissa)
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        fits = functools.partial(_fits, model, preprocessing, device)
        shapes, overwritten = _probe(model, layers, fits, images)
        with (
            contextlib.closing(_Writer(folder, len(images), shapes, overwritten, projection)) as writer,
            torch.inference_mode(),
        ):
            _pass(model, layers, fits, images, batch_size, writer)
    return _layers_table(layers, shapes), writer.checksums()


def _fits(
    model: torch.nn.Module, preprocessing: Preprocessing, device: torch.device, batch: np.ndarray
) -> bool:
    """Run the network on images, and tell whether there was memory for it.

    Raises
    ------
    InputError : there is too little memory for a single image; the network does not run at this size.
    """
    try:
        model(prepare(batch, preprocessing, device))
        return True
    # as timm refuses other sizes, and as PyTorch refuses shapes that do not fit
    except (AssertionError, RuntimeError) as error:
        if not is_out_of_memory(error):
            told = " ".join(f"{type(error).__name__}: {error}".split())
            found = f"{preprocessing.size}, at which the network fails ({told})"
            raise InputError("preprocessing: size", found, "a size at which it runs") from error
    if len(batch) == 1:
        raise InputError("batch_size", f"out of memory on {device} at 1", "more memory")
    # outside the handler, so that the failed pass's tensors are no longer referenced
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return False


def _pass(
    model: torch.nn.Module,
    layers: Sequence[str],
    fits: Callable[[np.ndarray], bool],
    images: np.ndarray,
    batch_size: int,
    writer: _Writer,
) -> None:
    """The one pass over all images; the batch is halved where memory runs out, and the work goes on."""
    n, start = len(images), 0

    def receive(layer: str, output: torch.Tensor) -> None:
        _check_output(layer, output, len(batch))
        writer.write(layer, start, output)

    with (
        recorded(model, layers, receive),
        tqdm(total=n, unit="image", disable=None, file=sys.__stderr__) as bar,
    ):
        while start < n:
            # read by `receive`
            batch = images[start : start + batch_size]
            if not fits(batch):
                batch_size = len(batch) // 2
                continue
            # the next pass may write into the same memory
            writer.flush()
            start += len(batch)
            bar.update(len(batch))
            _drop_pages(images)


def write_layers(
    folder: str | Path, table: pd.DataFrame, files: dict[str, str | Path], settings: dict | None = None
) -> None:
    """Write `layers.tsv` beside the activations of `extract`, and its record with all checksums.

    Parameters
    ----------
    folder : of the activations
    table, files : as `extract` returns them
    settings : that made them, for the record
    """
    path = Path(folder, "layers.tsv")
    save_table(path, table, LAYERS, number_format=None)
    write_provenance(path, settings, {path.name: path} | files)
