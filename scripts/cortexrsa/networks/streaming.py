"""Corpora as PyTorch data sets that read what a batch needs, in an order that can be taken up anywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, Sampler

from cortexrsa.errors import InputError
from cortexrsa.formats.arrays import load_array
from cortexrsa.formats.columns.corpus import CORPUS
from cortexrsa.formats.images import IMAGE_MODES, read_image
from cortexrsa.formats.tables import read_table


@dataclass
class Corpus:
    """Images to train on and images held out.

    Attributes
    ----------
    index : n rows with file, category (empty: no label) and split (train or validation)
    images : (n, H, W) or (n, H, W, 3) uint8, memory-mapped; None if each image is a file
    folder : in which the files lie; None for an array
    """

    index: pd.DataFrame
    images: np.ndarray | None = None
    folder: Path | None = None

    @property
    def categories(self) -> list[str]:
        """Names of the categories; none for a corpus without labels."""
        return sorted(set(self.index["category"]) - {""})

    def part(self, split: str, size: int) -> Images:
        """The images of one split, in a fixed random order: any first part of them mixes the categories."""
        rows = np.flatnonzero((self.index["split"] == split).to_numpy())
        return Images(self, np.random.default_rng(0).permutation(rows), size)

    def digest(self) -> str:
        """Checksum of the index and, where they are one array, of the images."""
        digest = hashlib.sha256(self.index.to_csv().encode())
        if self.images is not None:
            for start in range(0, len(self.images), 1024):
                digest.update(np.ascontiguousarray(self.images[start : start + 1024]))
        return digest.hexdigest()


def open_corpus(index: str | Path, images: str | Path | None = None, folder: str | Path | None = None):
    """The corpus of an index (TSV) and of its images: an `.npy` file, or a folder of image files.

    Raises
    ------
    InputError : the index or the array cannot be read, or they disagree.
    """
    table = read_table(index, CORPUS)
    array = None if images is None else load_array(images, index, "r")
    if array is not None and len(array) != len(table):
        raise InputError("images", len(array), f"{len(table)}, as in {index}", file=images)
    return Corpus(table, array, None if folder is None else Path(folder))


class Images(Dataset):
    """Some images of a corpus with their labels; only those of the batch are read.

    `dataset[rows]` is (images (b, C, H, W) uint8, labels (b,) int64; -1 without a label). Arrays keep their
    size; files are resized to `size` on their shorter side and cropped to the centre, as usual in training.
    """

    def __init__(self, corpus: Corpus, rows: np.ndarray, size: int):
        self.images, self.folder, self.size = corpus.images, corpus.folder, size
        self.rows = rows
        self.files = corpus.index["file"].to_numpy()[rows] if corpus.images is None else None
        codes = {category: code for code, category in enumerate(corpus.categories)}
        self.labels = np.array([codes.get(category, -1) for category in corpus.index["category"].iloc[rows]])

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, k: int) -> tuple[torch.Tensor, torch.Tensor]:
        images, labels = self.__getitems__([k])
        return images[0], labels[0]

    def __getitems__(self, chosen: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """The images (b, C, H, W) and labels (b,) of the given places in this data set."""
        chosen = np.asarray(chosen)
        if self.images is not None:
            # sorted access to the memory map, then the order asked for
            order = np.argsort(self.rows[chosen], kind="stable")
            batch = np.empty((len(chosen), *self.images.shape[1:]), np.uint8)
            batch[order] = self.images[self.rows[chosen][order]]
        else:
            batch = np.stack([self._read(self.files[k]) for k in chosen])
        images = torch.from_numpy(batch)
        images = images.unsqueeze(1) if images.ndim == 3 else images.permute(0, 3, 1, 2)
        return images, torch.from_numpy(self.labels[chosen])

    def _read(self, name: str) -> np.ndarray:
        # large collections of photographs hold some in the colours of print
        image = read_image(self.folder / name, IMAGE_MODES | {"CMYK"}, self.size)
        if image.size != (self.size, self.size):
            side = min(image.size)
            left, top = ((length - side) / 2 for length in image.size)
            box = (left, top, left + side, top + side)
            image = image.resize((self.size, self.size), Image.Resampling.BILINEAR, box=box)
        return np.asarray(image)


class Batches(Sampler):
    """Batches of one training, in an order that depends on the seed alone.

    Each pass over the n images is a new permutation, drawn from (seed, pass). Batch k holds the images
    k * batch_size to (k + 1) * batch_size of all passes joined, so a training can be taken up at any step.

    Parameters
    ----------
    n : images
    batch_size : images of a step
    steps : of the whole training
    seed : of the order
    start : step to begin with
    """

    def __init__(self, n: int, batch_size: int, steps: int, seed: int, start: int = 0):
        self.n, self.batch_size, self.steps, self.seed, self.start = n, batch_size, steps, seed, start

    def _order(self, k: int) -> np.ndarray:
        return np.random.default_rng([self.seed, k]).permutation(self.n)

    def __len__(self) -> int:
        # of the whole training, also when it is taken up in its midst: Lightning counts on from `start`
        return self.steps

    def __iter__(self) -> Iterator[list[int]]:
        passes: dict[int, np.ndarray] = {}
        for step in range(self.start, self.steps):
            places = np.arange(step * self.batch_size, (step + 1) * self.batch_size)
            wanted = np.unique(places // self.n)
            # at most the passes of one batch are held
            passes = {k: passes[k] if k in passes else self._order(int(k)) for k in wanted}
            yield [int(passes[place // self.n][place % self.n]) for place in places]


def loader(images: Images, batches: Sampler, workers: int = 0, pin_memory: bool = False) -> DataLoader:
    """Loader of whole batches (images, labels); `workers` processes decode files ahead of the training."""
    return DataLoader(
        images,
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=_as_it_is,
        pin_memory=pin_memory,
        persistent_workers=workers > 0,
    )


def _as_it_is(batch):
    return batch
