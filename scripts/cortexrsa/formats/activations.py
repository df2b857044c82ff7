"""Activations of a network: one folder a shard, one `.npy` file a layer, `layers.tsv` beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cortexrsa.errors import InputError, concerning
from cortexrsa.formats.arrays import load_array
from cortexrsa.formats.columns.layers import LAYERS
from cortexrsa.formats.tables import read_table

# of this many rows each shard holds a multiple: the batches (64, or 64 halved), and so the bits, are then
# those of an extraction in one piece
SHARD_STEP = 64


def shard_rows(n: int, shard: str) -> slice:
    """Rows of the stimuli that a shard of the activations holds.

    Parameters
    ----------
    n : number of stimuli
    shard : "K-of-N", counted from 1

    Returns
    -------
    rows : slice; the shards of N follow one another and cover all stimuli, none of them empty. Multiples of
        64 rows, where each shard can have as many.

    Raises
    ------
    InputError : more shards than stimuli.
    """
    k, shards = map(int, shard.split("-of-"))
    if shards > n:
        raise InputError("shards", shards, f"at most {n}, the number of stimuli")
    step = SHARD_STEP if n >= SHARD_STEP * shards else 1
    steps = -(-n // step)
    return slice(steps * (k - 1) // shards * step, min(steps * k // shards * step, n))


class Activations:
    """Activations (n, features) of one layer as they lie in the files of the shards, never joined as a whole.

    Slices of features, `activations[:, start:stop]`, are read into memory; nothing else is. They are read
    from the files, not from memory maps, of which the kernel may map much more than is asked for.

    Parameters
    ----------
    paths : `.npy` files of the shards, in their order
    n : number of stimuli

    Raises
    ------
    InputError : an array that cannot be read, is not as it was written, or has another shape or dtype than
        its shard should.
    """

    ndim = 2

    def __init__(self, paths: Sequence[Path], n: int):
        self.paths, self.parts = (
            paths,
            [load_array(path, path.with_name("layers.tsv"), "r") for path in paths],
        )
        for path, part in zip(paths, self.parts, strict=True):
            if part.dtype.kind != "f":
                raise InputError("dtype", part.dtype, "float32 or float64", file=path)
            with concerning(path):
                rows = shard_rows(n, path.parent.name)
            expected = (rows.stop - rows.start, *self.parts[0].shape[1:])
            if part.ndim != 2 or part.shape != expected or not part.size or not part.flags.c_contiguous:
                raise InputError(
                    "shape", part.shape, f"({expected[0]} stimuli, features), row by row", file=path
                )
            if part.dtype != self.parts[0].dtype:
                raise InputError(
                    "dtype", part.dtype, f"{self.parts[0].dtype}, as in the other shards", file=path
                )
        self.shape, self.dtype = (n, self.parts[0].shape[1]), self.parts[0].dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: tuple[slice, slice]) -> np.ndarray:
        rows, (start, stop, _) = key[0], key[1].indices(self.shape[1])
        chunk = np.empty((self.shape[0], stop - start), self.dtype)
        into = iter(chunk)
        for path, part in zip(self.paths, self.parts, strict=True):
            with open(path, "rb", buffering=0) as file:
                for k in range(len(part)):
                    file.seek(part.offset + k * part.strides[0] + start * part.itemsize)
                    if file.readinto(next(into)) != chunk.strides[0]:
                        raise InputError(
                            "array", "a file that was cut short", "the file as it was written", file=path
                        )
        return chunk[rows]


def read_layers(folders: Sequence[str | Path]) -> pd.DataFrame:
    """Table of the layers of a network, the same in the folders of all shards of its activations.

    Raises
    ------
    InputError : a folder without a table, or with another than the first.
    """
    tables = [read_table(Path(folder, "layers.tsv"), LAYERS) for folder in folders]
    for folder, table in zip(folders, tables, strict=True):
        if not table.equals(tables[0]):
            raise InputError(
                "layers", "another table", f"that of {folders[0]}", file=Path(folder, "layers.tsv")
            )
    return tables[0]
