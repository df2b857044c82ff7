"""Images from files: as a viewer shows them, of one size, or refused."""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from cortexrsa.errors import InputError, reason
from cortexrsa.jobs import warn

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png"}
IMAGE_MODES = {"1", "L", "P", "RGB"}  # those with 8 bits a channel and without transparency
LAYERED = {"RGBA", "LA"}  # read where no pixel is transparent
KIND = "grey or RGB, 8 bits a channel, no transparency, one frame"
# an image's aspect ratio may differ from the data set's by this share: 402 among 400 pixels, but no portrait
ASPECT_TOLERANCE = 0.05
# what Pillow raises at damaged files: SyntaxError for a PNG, struct.error for Exif
DAMAGED = (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError)
ORIENTATION = 0x0112  # the Exif tag


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


def _fault(image: Image.Image, modes: set[str]) -> str | None:
    """What of an image cannot be shown as 8-bit RGB without a loss, before it is decoded."""
    # the second picture that cameras add to a JPEG (MPO) is no frame
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    # Pillow reads 16 bits of each colour as 8 without a word: only the decoder's raw mode tells
    deep = ";16" in str(image.tile) and image.mode != "I;16"
    transparent = "transparency" in image.info
    if image.mode in modes | LAYERED and not (transparent or frames > 1 or deep):
        return None
    found = f"mode {image.mode}{', transparent' * transparent}{', 16 bits a channel' * deep}"
    return found + (f", {frames} frames" if frames > 1 else "")


def read_image(path: str | Path, modes: set[str] = IMAGE_MODES, side: int | None = None) -> Image.Image:
    """An image as a viewer shows it: turned as its Exif data say, in RGB.

    Parameters
    ----------
    path : of the file
    modes : Pillow's names of the modes that are read, beside opaque RGBA and LA
    side : pixels; a JPEG may be decoded at a fraction of its size that has no side shorter than this

    Raises
    ------
    InputError : it cannot be read, has more than 8 bits a channel, transparency or several frames.
    """
    path = Path(path)
    try:
        with Image.open(path) as image:
            if fault := _fault(image, modes):
                raise InputError("image", fault, KIND, file=path)
            if side:
                image.draft("RGB", (side, side))
            image.load()
            if image.mode in LAYERED and image.getchannel("A").getextrema()[0] < 255:
                raise InputError("image", f"mode {image.mode}, transparent", KIND, file=path)
            return ImageOps.exif_transpose(image).convert("RGB")
    except InputError:
        raise
    except DAMAGED as error:
        raise InputError("image", reason(error), "an image that can be read", file=path) from error


def _header(path: Path) -> tuple[tuple[int, int], bool, bool]:
    """Size (width, height) as shown; whether Exif turns the image; whether its colours are not sRGB."""
    try:
        with Image.open(path) as image:
            turned = image.getexif().get(ORIENTATION, 1)
            profile = image.info.get("icc_profile") or b"sRGB"
            size = image.size[::-1] if turned in (5, 6, 7, 8) else image.size
            # descriptions are in ASCII or in UTF-16
            return size, turned not in (0, 1), b"sRGB" not in profile.replace(b"\0", b"")
    except DAMAGED as error:
        raise InputError("image", reason(error), "an image that can be read", file=path) from error


def _shown(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]} pixels"


def load_images(
    folder: str | Path, names: Sequence[str], aspect_tolerance: float = ASPECT_TOLERANCE
) -> np.ndarray:
    """Images as they are shown: one map for all, so that luminance and contrast stay comparable.

    The size of the data set is that of most images (of the smallest, where several sizes are as frequent).
    An image of another size is resized to it as a whole (bilinear, with antialiasing), and the log says so.

    Parameters
    ----------
    folder : of the images
    names : file names, in the order of the stimuli
    aspect_tolerance : share by which the aspect ratio of an image may differ from the data set's

    Returns
    -------
    images : (n, H, W, 3) uint8; grey images have three equal channels

    Raises
    ------
    InputError : see `read_image`; an image whose aspect ratio differs by more, no images at all.
    """
    paths = [Path(folder, name) for name in names]
    if not paths:
        raise InputError("images", "none", "at least one", file=folder)
    headers = [_header(path) for path in paths]
    counts = Counter(size for size, _, _ in headers)
    width, height = min(counts, key=lambda size: (-counts[size], size[0] * size[1], size))
    images = np.empty((len(paths), height, width, 3), np.uint8)
    resized = []
    for path, target in zip(paths, images, strict=True):
        image = read_image(path)
        if image.size != (width, height):
            ratio = image.size[0] * height / (image.size[1] * width)
            if max(ratio, 1 / ratio) - 1 > aspect_tolerance:
                expected = (
                    f"{_shown((width, height))}, the size of most, or that shape to {aspect_tolerance:.0%}"
                )
                expected += " (options.aspect_tolerance of the card)"
                raise InputError("size", _shown(image.size), expected, file=path)
            resized.append(f"{path.name} ({image.size[0]} x {image.size[1]})")
            image = image.resize((width, height), Image.Resampling.BILINEAR)
        target[:] = np.asarray(image)
    if resized:
        which = ", ".join(resized[:10]) + (", ..." if len(resized) > 10 else "")
        warn(f"{len(resized)} of {len(paths)} images were resized to {_shown((width, height))}: {which}")
    if turned := sum(turned for _, turned, _ in headers):
        print(f"{turned} of {len(paths)} images are shown turned, as their Exif data say")
    if other := sum(other for _, _, other in headers):
        warn(f"{other} of {len(paths)} images have a colour profile other than sRGB, which is not applied")
    return images
