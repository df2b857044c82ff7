"""Names of images in folders; nothing is opened here."""

from __future__ import annotations

import re
from pathlib import Path

from cortexrsa.errors import InputError

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png"}


def natural_key(name: str) -> list[str | int]:
    """Sorts names with their numbers in numerical order: 2 before 10."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]


def image_names(folder: str | Path) -> list[str]:
    """JPEG and PNG files of a folder by name, numbers in names in numerical order (2 before 10).

    Hidden files are none: some systems put one beside each image.

    Raises
    ------
    InputError : no such folder, no images in it, or two names that have the same place in this order.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError("folder", "no such folder", "a folder of images", file=folder)
    files = (path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    names = sorted(path.name for path in files if not path.name.startswith("."))
    if not names:
        raise InputError("images", "none", f"files {', '.join(sorted(IMAGE_SUFFIXES))}", file=folder)
    names.sort(key=natural_key)
    for name, following in zip(names, names[1:], strict=False):
        if natural_key(name) == natural_key(following):
            found = f"{name} and {following}, whose numbers are equal"
            raise InputError("order", found, "names of one order only, or a table of the order", file=folder)
    return names
