"""Stimuli: images `(n, H, W, 3)` and the table of their rows."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from cortexrsa.errors import InputError, concerning
from cortexrsa.formats.arrays import load_array, load_foreign_array
from cortexrsa.formats.columns.stimuli import STIMULI
from cortexrsa.formats.tables import Table, read_table, save_table
from cortexrsa.storage import atomic_path, write_provenance

MINIMUM_STIMULI = 8
SPLIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def check_stimuli(images: np.ndarray, table: pd.DataFrame) -> None:
    """Refuse stimuli that do not follow the format.

    Parameters
    ----------
    images : (n, H, W, 3) uint8
    table : n rows with `stimulus_id` (unique), `split` (train, test, others that are scored too), `repeats`

    Raises
    ------
    InputError : wrong dtype, shapes that disagree, missing columns, duplicate ids, fewer than 8 stimuli in a
        split that is scored.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3:
        raise InputError("images", f"{images.dtype} {images.shape}", "uint8 (n, H, W, 3)")
    missing = {"stimulus_id", "split", "repeats"} - set(table.columns)
    if missing:
        raise InputError("columns", sorted(table.columns), f"also {sorted(missing)}")
    if len(table) != len(images):
        raise InputError("rows", len(table), f"{len(images)}, one for each image")
    if len(table) < MINIMUM_STIMULI:
        raise InputError("stimuli", len(table), f"at least {MINIMUM_STIMULI}")
    duplicated = table["stimulus_id"][table["stimulus_id"].duplicated()]
    if len(duplicated):
        raise InputError("stimulus_id", f"{duplicated.iloc[0]!r} twice", "unique ids")
    unknown = {name for name in table["split"] if not (isinstance(name, str) and SPLIT.fullmatch(name))}
    if unknown:
        expected = "train, test, or another name of letters, digits, _ and -"
        raise InputError("split", sorted(map(str, unknown)), expected)
    for split in dict.fromkeys(["test", *table["split"]]):
        tested = int((table["split"] == split).sum())
        if split != "train" and tested < MINIMUM_STIMULI:
            found = f"{tested} {split} stimuli"
            raise InputError("split", found, f"at least {MINIMUM_STIMULI}")


def write_with_table(
    array_path: str | Path,
    table_path: str | Path,
    array: np.ndarray | Callable[[Path], None],
    table: pd.DataFrame,
    settings: dict,
    columns: Table,
) -> None:
    """Write an array and the table of its rows, with one record for both beside the table.

    `array` may be a function that writes the .npy file at a path.
    """
    with atomic_path(array_path) as temporary, atomic_path(table_path) as temporary_table:
        if callable(array):
            array(temporary)
        else:
            np.save(temporary, array, allow_pickle=False)
        save_table(temporary_table, table, columns, number_format=None)
        files = {Path(array_path).name: temporary, Path(table_path).name: temporary_table}
        write_provenance(table_path, settings, files)


def write_stimuli(
    images_path: str | Path,
    table_path: str | Path,
    images: np.ndarray | Callable[[Path], None],
    table: pd.DataFrame,
    settings: dict,
) -> None:
    """Write `stimuli.npy` (n, H, W, 3) uint8 and `stimuli.tsv`, after `check_stimuli`, with provenance.

    `images` may be a function that writes the .npy file at a path: they need not fit in memory.
    """

    def written(path: Path) -> None:
        images(path)
        with concerning(images_path):
            check_stimuli(load_foreign_array(path, "r"), table)

    if not callable(images):
        with concerning(images_path):
            check_stimuli(images, table)
    array = written if callable(images) else images
    write_with_table(images_path, table_path, array, table, settings, STIMULI)


def read_stimuli(images_path: str | Path, table_path: str | Path) -> tuple[np.ndarray, pd.DataFrame]:
    """Memory-mapped images (n, H, W, 3) uint8 and their table.

    Raises
    ------
    InputError : see `check_stimuli`; also a file that is not a plain array, or not as it was written.
    """
    images = load_array(images_path, table_path, "r")
    table = read_table(table_path, STIMULI)
    with concerning(images_path):
        check_stimuli(images, table)
    return images, table
