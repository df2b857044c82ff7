"""Images from files: as a viewer shows them, of one size, or refused."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from cortexrsa.errors import InputError, reason
from cortexrsa.jobs import warn

IMAGE_MODES = {"1", "L", "P", "RGB"}  # those with 8 bits a channel and without transparency
LAYERED = {"RGBA", "LA"}  # read where no pixel is transparent
KIND = "grey or RGB, 8 bits a channel, no transparency, one frame"
# an image's aspect ratio may differ from the data set's by this share: 402 among 400 pixels, but no portrait
ASPECT_TOLERANCE = 0.05
# what Pillow raises at damaged files: SyntaxError for a PNG, struct.error for Exif
DAMAGED = (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError)
ORIENTATION = 0x0112  # the Exif tag


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


def read_image(
    path: str | Path, modes: set[str] = IMAGE_MODES, side: int | None = None, content: object = None
) -> Image.Image:
    """An image as a viewer shows it: turned as its Exif data say, in RGB.

    Parameters
    ----------
    path : of the file, or the name of what `content` holds
    modes : Pillow's names of the modes that are read, beside opaque RGBA and LA
    side : pixels; a JPEG may be decoded at a fraction of its size that has no side shorter than this
    content : binary file to read instead, such as a member of an archive

    Raises
    ------
    InputError : it cannot be read, has more than 8 bits a channel, transparency or several frames.
    """
    path = Path(path)
    try:
        with Image.open(path if content is None else content) as image:
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


def _header(path: Path, content: object = None) -> tuple[tuple[int, int], bool, bool]:
    """Size (width, height) as shown; whether Exif turns the image; whether its colours are not sRGB."""
    try:
        with Image.open(path if content is None else content) as image:
            turned = image.getexif().get(ORIENTATION, 1)
            profile = image.info.get("icc_profile") or b"sRGB"
            size = image.size[::-1] if turned in (5, 6, 7, 8) else image.size
            # descriptions are in ASCII or in UTF-16
            return size, turned not in (0, 1), b"sRGB" not in profile.replace(b"\0", b"")
    except DAMAGED as error:
        raise InputError("image", reason(error), "an image that can be read", file=path) from error


def _shown(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]} pixels"


def resized(
    image: Image.Image, size: tuple[int, int], tolerance: float, path: str | Path, whose: str
) -> Image.Image:
    """The whole image at another size (width, height): bilinear, with antialiasing.

    Raises
    ------
    InputError : its aspect ratio differs by a larger share than `tolerance`; `whose` says whose the size is.
    """
    if image.size == size:
        return image
    ratio = image.size[0] * size[1] / (image.size[1] * size[0])
    if max(ratio, 1 / ratio) - 1 > tolerance:
        shown = _shown(size)
        expected = f"{shown}, {whose}, or that shape to {tolerance:.0%}"
        expected += " (options.aspect_tolerance of the card)"
        raise InputError("size", _shown(image.size), expected, file=path)
    return image.resize(size, Image.Resampling.BILINEAR)


def images_one_by_one(
    paths: Sequence[Path],
    aspect_tolerance: float = ASPECT_TOLERANCE,
    size: tuple[int, int] | None = None,
    content: Callable[[Path], object] = lambda path: None,
) -> tuple[tuple[int, int], Iterator[np.ndarray]]:
    """Images as they are shown, in one size, of which one at a time is in memory.

    Parameters
    ----------
    paths : in the order of the stimuli
    aspect_tolerance : see `load_images`
    size : (height, width) of all; None for that of most images (of the smallest, where several sizes are as
        frequent)
    content : binary file of what a path names, where that is no file on the disk

    Returns
    -------
    size : (height, width)
    images : (height, width, 3) uint8, one after the other

    Raises
    ------
    InputError : see `load_images`.
    """
    headers = [_header(path, content(path)) for path in paths]
    if size is None:
        counts = Counter(shown for shown, _, _ in headers)
        size = min(counts, key=lambda shown: (-counts[shown], shown[0] * shown[1], shown))[::-1]
        whose, say = "the size of most", warn
    else:
        whose, say = "the size of the card", print
    width, height = size[::-1]
    others = [(path, shown) for path, (shown, _, _) in zip(paths, headers, strict=True)]
    others = [f"{path.name} ({shown[0]} x {shown[1]})" for path, shown in others if shown != (width, height)]

    def images() -> Iterator[np.ndarray]:
        for path in paths:
            image = read_image(path, content=content(path))
            yield np.asarray(resized(image, (width, height), aspect_tolerance, path, whose))
        if others:
            which = ", ".join(others[:10]) + (", ..." if len(others) > 10 else "")
            say(f"{len(others)} of {len(paths)} images were resized to {_shown((width, height))}: {which}")
        if turned := sum(turned for _, turned, _ in headers):
            print(f"{turned} of {len(paths)} images are shown turned, as their Exif data say")
        if other := sum(other for _, _, other in headers):
            warn(
                f"{other} of {len(paths)} images have a colour profile other than sRGB, which is not applied"
            )

    return size, images()


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
    size, stream = images_one_by_one(paths, aspect_tolerance)
    images = np.empty((len(paths), *size, 3), np.uint8)
    for target, image in zip(images, stream, strict=True):
        target[:] = image
    return images
