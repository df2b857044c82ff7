"""Low-level descriptors of images, of which confound RDMs are made: pixels, spectra, fixed filters.

A pyramid or a filter bank is one guess of many at what low-level vision computes, and what one misses
another has. So Gabor energy and random filters are families.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import fft

from cortexrsa.formats.padding import BACKGROUND, squared

# ITU-R BT.601 luma, the weights of the usual conversion to grey
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
# side of the images that descriptors see, pixels; what is added to each side before filters (mirrored)
SIDE, MARGIN = 64, 16
CHUNK = 32
RADIAL_BANDS, ORIENTATIONS = 12, 8


@dataclass(frozen=True)
class Descriptor:
    """One or several descriptors of an image, by one name.

    Attributes
    ----------
    meaning : in words
    of : function of grey images (m, SIDE, SIDE) float32 in [0, 1] -> {member: (m, features)}
    levels : whether the features are levels on a scale (compared by squared distance) rather than a pattern
        (compared by the dissimilarity of the layers)
    """

    meaning: str
    of: Callable[[np.ndarray], dict[str, np.ndarray]]
    levels: bool = False


# ---- images ----------------------------------------------------------------------------------------------


def area_weights(size: int, side: int) -> np.ndarray:
    """Matrix (side, size) that averages `size` pixels into `side` equal parts of them."""
    edges, start = np.linspace(0, size, side + 1), np.arange(size)
    overlap = np.minimum(edges[1:, None], start + 1) - np.maximum(edges[:-1, None], start)
    overlap = np.clip(overlap, 0, None)
    return (overlap / overlap.sum(axis=1, keepdims=True)).astype(np.float32)


def grey(images: np.ndarray, side: int = SIDE) -> np.ndarray:
    """Luma of images (m, H, W, 3) uint8, averaged to (m, side, side) float32 in [0, 1]."""
    luma = np.asarray(images, np.float32) @ (LUMA / 255)
    return area_weights(luma.shape[1], side) @ luma @ area_weights(luma.shape[2], side).T


def _pooled(maps: np.ndarray, grid: int) -> np.ndarray:
    """Means of maps (..., side, side) over a grid of patches: (..., grid * grid)."""
    weights = area_weights(maps.shape[-1], grid)
    return (weights @ maps @ weights.T).reshape(*maps.shape[:-2], -1)


# ---- what an image is made of ----------------------------------------------------------------------------


def _pixels(images: np.ndarray) -> dict[str, np.ndarray]:
    return {"": _pooled(images, 32)}


def _luminance(images: np.ndarray) -> dict[str, np.ndarray]:
    return {"": images.mean(axis=(1, 2))[:, None]}


def _contrast(images: np.ndarray) -> dict[str, np.ndarray]:
    return {"": images.std(axis=(1, 2))[:, None]}


def _power(images: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Power spectrum (m, SIDE, SIDE) under a Hann window, radius (cycles an image) and angle in [0, pi)."""
    window = np.hanning(SIDE + 2)[1:-1]
    window = np.outer(window, window)
    mean = (images * window).sum(axis=(1, 2), keepdims=True) / window.sum()
    power = np.abs(fft.fft2((images - mean) * window)) ** 2
    y, x = np.meshgrid(fft.fftfreq(SIDE) * SIDE, fft.fftfreq(SIDE) * SIDE, indexing="ij")
    return power, np.hypot(x, y), np.mod(np.arctan2(y, x), np.pi)


def _log_of_bands(power: np.ndarray, bands: list[np.ndarray]) -> np.ndarray:
    """Log of the mean power in bands of frequencies, (m, bands), those without any frequency left out."""
    means = [power[:, band].mean(axis=1) for band in bands if band.any()]
    # what rounding leaves of a uniform image counts as no power
    return np.log(np.stack(means, axis=1) + 1e-9 * SIDE**2)


def _spectrum(images: np.ndarray) -> dict[str, np.ndarray]:
    power, radius, _ = _power(images)
    edges = np.geomspace(1, SIDE / 2, RADIAL_BANDS + 1)
    bands = [(radius >= low) & (radius < high) for low, high in zip(edges, edges[1:], strict=False)]
    return {"": _log_of_bands(power, bands)}


def _orientations(images: np.ndarray) -> dict[str, np.ndarray]:
    power, radius, angle = _power(images)
    width = np.pi / ORIENTATIONS
    place = np.floor(np.mod(angle + width / 2, np.pi) / width).astype(int)
    inside = (radius >= 2) & (radius < SIDE / 2)
    return {"": _log_of_bands(power, [inside & (place == k) for k in range(ORIENTATIONS)])}


# ---- filters ---------------------------------------------------------------------------------------------

# bands of the pyramid, of two frequencies each (cycles an image); orientations; grids of patches
BANDS = {"low": (2, 3), "middle": (4, 6), "high": (8, 12), "highest": (16, 24)}
PYRAMID_ORIENTATIONS, GRIDS = 6, (2, 4, 8)


def gabor_filters(side: int, cycles: float, orientations: int, bandwidth: float) -> np.ndarray:
    """Gabor filters by their Fourier transform, one-sided: the modulus of a response is contrast energy.

    Parameters
    ----------
    side : of the images, pixels
    cycles : of the carrier, a pixel
    orientations : number of orientations, equally spaced in [0, pi)
    bandwidth : octaves, at half amplitude

    Returns
    -------
    (orientations, side, side) float32, without response to a uniform field

    References
    ----------
    Petkov & Kruizinga 1997, Biol Cybern 76:83
    """
    octaves = 2.0**bandwidth
    sigma = cycles * (octaves - 1) / (octaves + 1) / np.sqrt(2 * np.log(2))
    y, x = np.meshgrid(fft.fftfreq(side), fft.fftfreq(side), indexing="ij")
    theta = np.arange(orientations)[:, None, None] * np.pi / orientations
    square = (x - cycles * np.cos(theta)) ** 2 + (y - cycles * np.sin(theta)) ** 2
    filters = np.exp(-square / (2 * sigma**2))
    filters[:, 0, 0] = 0
    return filters.astype(np.float32)


def _mirrored(images: np.ndarray) -> np.ndarray:
    """With a mirrored margin, so that opposite borders do not meet in an edge."""
    return np.pad(images, ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN)), mode="symmetric")


def _gabor(images: np.ndarray) -> dict[str, np.ndarray]:
    padded = _mirrored(images)
    side, inside = padded.shape[1], slice(MARGIN, MARGIN + SIDE)
    transformed = fft.fft2(padded - padded.mean(axis=(1, 2), keepdims=True))
    found = {}
    for band, frequencies in BANDS.items():
        energy = [
            np.abs(fft.ifft2(transformed * own))[:, inside, inside]
            for cycles in frequencies
            for own in gabor_filters(side, cycles / SIDE, PYRAMID_ORIENTATIONS, 1.0)
        ]
        # by what all orientations have there: contrast of the band is gone, its pattern stays
        norm = sum(energy) / len(energy)
        norm = norm + norm.mean(axis=(1, 2), keepdims=True) + 1e-6
        for kind, maps in (("", energy), (" normalised", [each / norm for each in energy])):
            for grid in GRIDS:
                parts = [_pooled(each, grid) for each in maps]
                found[f"{band} {grid} x {grid}{kind}"] = np.concatenate(parts, axis=1)
    return found


def _convolved(maps: np.ndarray, filters: np.ndarray) -> np.ndarray:
    """Maps (m, channels, side, side) by filters (out, channels, k, k), borders repeated."""
    k = filters.shape[-1]
    padded = np.pad(maps, ((0, 0), (0, 0), (k // 2, k // 2), (k // 2, k // 2)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (k, k), axis=(2, 3))
    return np.moveaxis(np.tensordot(windows, filters, axes=((1, 4, 5), (1, 2, 3))), -1, 1)


def _random_filters(images: np.ndarray) -> dict[str, np.ndarray]:
    """Two layers of random filters, pooled over two grids; a network at each of three scales."""
    found = {}
    for seed, side in enumerate((SIDE, SIDE // 2, SIDE // 4), start=1):
        random, width = np.random.default_rng(seed), 16
        first = random.standard_normal((width, 1, 7, 7)).astype(np.float32)
        first -= first.mean(axis=(2, 3), keepdims=True)
        seen = _pooled(images, side).reshape(-1, 1, side, side)
        maps = np.maximum(_convolved(seen - 0.5, first / 7), 0)
        second = random.standard_normal((width, width, 3, 3)).astype(np.float32) / np.sqrt(9 * width)
        half = maps.reshape(*maps.shape[:2], side // 2, 2, side // 2, 2).mean(axis=(3, 5))
        for layer, own in ((1, maps), (2, np.maximum(_convolved(half, second), 0))):
            for grid in (8, 3):
                values = _pooled(own, grid).reshape(len(images), -1)
                found[f"{side} px layer {layer}, {grid} x {grid}"] = values
    return found


DESCRIPTORS = {
    "pixels": Descriptor("grey pixels at 32 x 32", _pixels),
    "luminance": Descriptor("mean luma", _luminance, levels=True),
    "contrast": Descriptor("RMS contrast: standard deviation of the luma", _contrast, levels=True),
    "spectrum": Descriptor("log power in radial bands of spatial frequency", _spectrum, levels=True),
    "orientations": Descriptor("log power in bands of orientation", _orientations, levels=True),
    "gabor": Descriptor("Gabor energy: four bands, three grids, plain and normalised", _gabor),
    "random_filters": Descriptor("random filters: networks of two layers at three scales", _random_filters),
}


def describe(
    images: np.ndarray, names: Sequence[str], background: int = BACKGROUND
) -> dict[str, dict[str, np.ndarray]]:
    """Descriptors of images, on squares as networks see them.

    Parameters
    ----------
    images : (n, H, W, 3) uint8, an array or memory map; a few are held at a time
    names : of `DESCRIPTORS`
    background : of `formats.padding.squared`

    Returns
    -------
    features : by descriptor and member of its family, (n, features) float32
    """
    parts = []
    for start in range(0, len(images), CHUNK):
        seen = grey(squared(images[start : start + CHUNK], background))
        parts.append({name: DESCRIPTORS[name].of(seen) for name in names})
    return {
        name: {
            member: np.concatenate([part[name][member] for part in parts]).astype(np.float32)
            for member in parts[0][name]
        }
        for name in names
    }
