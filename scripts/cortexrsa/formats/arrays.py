"""Arrays: `.npy` files."""

from __future__ import annotations

import lzma
import tokenize
import zipfile
import zlib
from pathlib import Path

import numpy as np

from cortexrsa.errors import InputError, reason
from cortexrsa.storage import check_unchanged

# what NumPy and the libraries below it raise at a damaged .npy or .npz file
ARRAY_ERRORS = (
    *(OSError, ValueError, TypeError, SyntaxError, EOFError, RuntimeError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, tokenize.TokenError),
)


def load_array(
    path: str | Path, record: str | Path | None = None, mmap_mode: str | None = None
) -> np.ndarray:
    """Open an `.npy` file of the workflow, after `check_unchanged`.

    Parameters
    ----------
    path : the file
    record : the result whose record names it; the file itself by default
    mmap_mode : see `numpy.load`

    Raises
    ------
    InputError : the file is not as it was written, is no `.npy`, or holds pickled objects.
    """
    check_unchanged(path, record)
    return load_foreign_array(path, mmap_mode)


def load_foreign_array(path: str | Path, mmap_mode: str | None = None) -> np.ndarray:
    """Open an `.npy` file that the workflow did not write, so that it has no record of its own.

    Raises
    ------
    InputError : the file is cut short, is no `.npy`, or holds pickled objects.
    """
    expected = "an .npy file with a plain array"
    try:
        array = np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
    except ARRAY_ERRORS as error:
        raise InputError("array", reason(error), expected, file=path) from error
    if not isinstance(array, np.ndarray):
        raise InputError("array", "an .npz archive", expected, file=path)
    return array
