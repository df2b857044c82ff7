"""Training corpora: images downloaded or in a folder; each with an index and a fixed split."""

from __future__ import annotations

import hashlib
import io
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd

from cortexrsa.errors import InputError

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm"}
CIFAR10_FILE = "cifar-10-python.tar.gz"
CIFAR10_BATCHES = [*((f"data_batch_{k}", "train") for k in range(1, 6)), ("test_batch", "validation")]


def split_of(name: str, validation: float) -> str:
    """Split of an image: `validation` for a fixed share of all names, by their sha256, else `train`.

    It depends on the name alone: not on the other images, their order, or a random state.
    """
    digest = hashlib.sha256(name.encode()).digest()
    return "validation" if int.from_bytes(digest[:8], "big") < validation * 2**64 else "train"


def index_table(names: list[str], categories, splits) -> pd.DataFrame:
    """One row an image: its file (or name), category and split."""
    return pd.DataFrame({"file": names, "category": categories, "split": splits})


class _ArraysOnly(pickle.Unpickler):
    """Reads CIFAR's batches, which are pickled dictionaries of arrays and text, and nothing else."""

    allowed = ("_reconstruct", "ndarray", "dtype")

    def find_class(self, module: str, name: str):
        # the bytes of an array are text that is encoded, in some versions
        if (module.split(".")[0] == "numpy" and name in self.allowed) or (module, name) == (
            "_codecs",
            "encode",
        ):
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)
        raise pickle.UnpicklingError(f"{module}.{name} is not part of an array")


def cifar10_corpus(downloads: str | Path) -> tuple[np.ndarray, pd.DataFrame]:
    """CIFAR-10 (Krizhevsky 2009) from its archive; the published test images are held out.

    Parameters
    ----------
    downloads : folder with cifar-10-python.tar.gz, whose checksum has been verified

    Returns
    -------
    images : (60000, 32, 32, 3) uint8
    index : one row an image: file (batch/number), category, split

    Raises
    ------
    InputError : the archive is damaged, or its content is something else.
    """
    archive = Path(downloads) / CIFAR10_FILE
    images, names, categories, splits = [], [], [], []
    try:
        with tarfile.open(archive) as tar:

            def read(member: str) -> dict:
                content = tar.extractfile(f"cifar-10-batches-py/{member}").read()
                return _ArraysOnly(io.BytesIO(content), encoding="latin1").load()

            labels = read("batches.meta")["label_names"]
            for batch, split in CIFAR10_BATCHES:
                content = read(batch)
                images.append(content["data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
                names += [f"{batch}/{k:05d}" for k in range(len(content["labels"]))]
                categories += [labels[k] for k in content["labels"]]
                splits += [split] * len(content["labels"])
    except (tarfile.TarError, OSError, EOFError, KeyError, pickle.UnpicklingError) as error:
        found = f"{type(error).__name__}: {error}"
        raise InputError(
            "content", found, "the batches of CIFAR-10 (Python version)", file=archive
        ) from error
    return np.concatenate(images), index_table(names, categories, splits)


def index_folder(options: dict) -> pd.DataFrame:
    """Index of a folder of images; sub-folders are the categories, images at its top have none.

    Parameters
    ----------
    options : folder; train and held_out (sub-folders, both optional: the images to train on, and those
        that were published as held out); validation (share held out by name, where there is no held_out)

    Returns
    -------
    index : one row an image: file (below the folder), category (empty: no label), split

    Raises
    ------
    InputError : no such folder, no images in it, categories of the held-out images that differ.
    """
    folder = Path(options["folder"])
    parts = [(options.get("train") or ".", None)]
    if options.get("held_out"):
        parts = [(parts[0][0], "train"), (options["held_out"], "validation")]
    names, categories, splits = [], [], []
    for part, split in parts:
        root = folder / part
        if not root.is_dir():
            raise InputError("folder", f"no folder {root}", "a folder of images")
        for path in sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES):
            inside = path.relative_to(root)
            name = path.relative_to(folder).as_posix()
            names.append(name)
            categories.append(inside.parts[0] if len(inside.parts) > 1 else "")
            splits.append(split or split_of(inside.as_posix(), options["validation"]))
    index = index_table(names, categories, splits)
    counts = index["split"].value_counts()
    if not {"train", "validation"} <= set(counts.index):
        found = ", ".join(f"{(index['split'] == name).sum()} {name}" for name in ("train", "validation"))
        raise InputError(f"folder {folder}", found, "images to train on and images held out")
    if (index["category"] == "").any() and (index["category"] != "").any():
        raise InputError(
            f"folder {folder}", "some images in sub-folders, some not", "a category for all, or none"
        )
    strange = set(index.loc[index["split"] == "validation", "category"]) - set(
        index.loc[index["split"] == "train", "category"]
    )
    if strange:
        raise InputError(f"folder {folder}", f"held-out categories {sorted(strange)[:3]}", "those trained on")
    return index
