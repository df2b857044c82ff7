"""Images as whole files (JPEG, PNG) in the rows of an HDF5 dataset, as LAION-fMRI has them."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from cortexrsa.errors import InputError, reason
from cortexrsa.formats.images import DAMAGED

MID_GREY = (128, 128, 128, 255)  # on which transparent images were shown


def encoded_rows(path: str | Path, key: str | None) -> int | None:
    """Number of images that a dataset has as encoded bytes; None where the file holds anything else."""
    import h5py

    if key is None or not h5py.is_hdf5(path):
        return None
    with h5py.File(path, "r") as file:
        dataset = file.get(key)
        encoded = isinstance(dataset, h5py.Dataset) and dataset.ndim == 1
        return len(dataset) if encoded and h5py.check_vlen_dtype(dataset.dtype) == "uint8" else None


def encoded_images(
    stack: contextlib.ExitStack, path: Path, key: str, rows: list[str]
) -> tuple[list[Path], Callable[[Path], io.BytesIO]]:
    """Names of rows, and what gives the file of each, for `formats.images.images_one_by_one`.

    Transparent images are shown on mid-grey, as in the scanner: their bytes are those of a new PNG then.

    Raises
    ------
    InputError : bytes that are no image (when they are asked for).
    """
    import h5py

    dataset = stack.enter_context(h5py.File(path, "r"))[key]
    places = {path / f"row {row}": int(row) for row in rows}

    def content(name: Path) -> io.BytesIO:
        try:
            stored = io.BytesIO(dataset[places[name]].tobytes())
            with Image.open(stored) as image:
                if image.mode not in ("RGBA", "LA"):
                    stored.seek(0)
                    return stored
                shown = Image.alpha_composite(Image.new("RGBA", image.size, MID_GREY), image.convert("RGBA"))
        except DAMAGED as error:
            raise InputError("image", reason(error), "the bytes of a JPEG or PNG", file=name) from error
        made = io.BytesIO()
        shown.convert("RGB").save(made, "PNG")
        return io.BytesIO(made.getvalue())

    return list(places), content
