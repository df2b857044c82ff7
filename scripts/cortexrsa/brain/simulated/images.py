"""The procedural world: labelled grey images with known factors, for training networks and as stimuli.

An image is made as a scene is: a background of oriented 1/f noise with patchy contrast, a clutter bar on it,
an object of one of twelve shapes with an oriented texture in front, and a soft circular grey aperture over
all (as in Kay et al. 2008, Nature 452, 352). Every other factor is drawn independently of the category.

Lengths are in units of half the image width (x to the right, y downwards, both in [-1, 1]), intensities are
relative to mid grey with black at -0.5 and white at 0.5, angles are in radians.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import fft
from scipy.special import expit

FAMILIES = {
    "compact": ("ellipse", "rectangle", "triangle"),
    "lobed": ("star", "plus", "flower"),
    "hollow": ("ring", "frame", "crescent"),
    "composite": ("ell", "tee", "dumbbell"),
}
CATEGORIES = tuple(category for members in FAMILIES.values() for category in members)
FAMILY_OF = {category: family for family, members in FAMILIES.items() for category in members}

# Uniform range of each factor; a factor named "log_..." is stored as its exponential under the bare name.
RANGES = {
    "x": (-0.22, 0.22),
    "y": (-0.22, 0.22),
    "size": (0.45, 0.70),
    "rotation": (-0.6, 0.6),
    "log_aspect": (-0.28, 0.28),  # width / height is the square of the aspect
    "thickness": (0.0, 1.0),
    "roundness": (0.0, 1.0),
    "contrast": (0.18, 0.40),
    "texture_orientation": (0.0, np.pi),
    "log_texture_frequency": (np.log(3.0), np.log(9.0)),
    "texture_phase": (0.0, 2 * np.pi),
    "texture_contrast": (0.0, 0.14),
    "background_orientation": (0.0, np.pi),
    "background_anisotropy": (0.0, 1.2),
    "background_slope": (1.0, 1.8),
    "background_contrast": (0.035, 0.098),
    "background_mean": (-0.08, 0.08),
    "clutter_x": (-0.8, 0.8),
    "clutter_y": (-0.8, 0.8),
    "clutter_orientation": (0.0, np.pi),
    "clutter_length": (0.1, 0.4),
    "clutter_width": (0.02, 0.06),
    "clutter_contrast": (-0.35, 0.35),
}
GRAIN = 0.05  # SD of the white noise on the object's surface
PATCHINESS = 0.9  # SD of the log of the background's local contrast
PATCH_SLOPE = 2.5  # spectral slope of the local contrast: large patches
EDGE_PIXELS = 0.6  # softness of an edge: antialiasing
APERTURE_EDGE = 0.12  # width of the aperture's soft rim
CHUNK = 250  # images rendered at a time: bounds memory; part of the recipe, as noise is drawn chunk by chunk


def make_images(
    n: int, size: int = 64, seed: int | Sequence[int] | np.random.SeedSequence = 0
) -> tuple[np.ndarray, pd.DataFrame]:
    """Draw images of the world and the factors that made them.

    Parameters
    ----------
    n : number of images
    size : width and height in pixels
    seed : of `numpy.random.default_rng`. The same n and seed give the same factors at every size.

    Returns
    -------
    images : (n, size, size) uint8; mid grey is 128
    factors : n rows; see `draw_factors`
    """
    rng = np.random.default_rng(seed)
    factors = draw_factors(n, rng)
    images = np.empty((n, size, size), np.uint8)
    for start in range(0, n, CHUNK):
        part = slice(start, start + CHUNK)
        images[part] = render(factors.iloc[part], size, rng)
    return images, factors


def draw_factors(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw the factors of n images: balanced categories, and everything else independent of them.

    Returns
    -------
    pandas.DataFrame with n rows: category, family, polarity (-1 or 1) and the factors named in `RANGES`.
    """
    category = np.array(CATEGORIES)[rng.permutation(np.arange(n) % len(CATEGORIES))]
    columns = {"category": category, "family": [FAMILY_OF[name] for name in category]}
    columns["polarity"] = rng.choice([-1.0, 1.0], n)
    for name, (low, high) in RANGES.items():
        values = rng.uniform(low, high, n)
        columns[name.removeprefix("log_")] = np.exp(values) if name.startswith("log_") else values
    return pd.DataFrame(columns)


def render(factors: pd.DataFrame, size: int, rng: np.random.Generator) -> np.ndarray:
    """Paint one image per row of `factors`: background, clutter, object, aperture.

    Parameters
    ----------
    factors : n rows of `draw_factors`
    size : width and height in pixels
    rng : draws the phases of the background and the grain of the surface

    Returns
    -------
    (n, size, size) uint8
    """
    x, y = pixel_grid(size)
    f = {
        name: values.to_numpy(np.float32)[:, None, None]
        for name, values in factors.items()
        if name not in ("category", "family")
    }
    image = background(f, size, rng)
    image += f["clutter_contrast"] * coverage(clutter_distance(f, x, y), size)
    mask = coverage(object_distance(factors["category"].to_numpy(), f, x, y), size)
    image += mask * (surface(f, x, y, rng) - image)
    image *= aperture(size)
    return np.rint(np.clip(image + 0.5, 0, 1) * 255).astype(np.uint8)


def pixel_grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """x as (1, size) and y as (size, 1): float32 centres of the pixels in [-1, 1]."""
    centres = ((np.arange(size) + 0.5) / size * 2 - 1).astype(np.float32)
    return centres[None, :], centres[:, None]


def aperture(size: int) -> np.ndarray:
    """(size, size) float32: 1 inside the circular window, 0 outside it, with a linear rim."""
    x, y = pixel_grid(size)
    return np.clip((1 - np.hypot(x, y)) / APERTURE_EDGE, 0, 1)


def coverage(distance: np.ndarray, size: int) -> np.ndarray:
    """Share of each pixel covered by a shape, from the signed distance to its outline (negative inside)."""
    return expit(distance * np.float32(-size / (2 * EDGE_PIXELS)))


# ---- background and clutter ------------------------------------------------------------------------------


def background(f: dict[str, np.ndarray], size: int, rng: np.random.Generator) -> np.ndarray:
    """(n, size, size) oriented 1/f noise whose contrast varies from patch to patch, as in natural scenes."""
    noise = oriented_noise(
        f["background_slope"], f["background_orientation"], f["background_anisotropy"], size, rng
    )
    nothing = np.zeros_like(f["background_slope"])
    patches = np.exp(PATCHINESS * oriented_noise(nothing + PATCH_SLOPE, nothing, nothing, size, rng))
    patches /= np.sqrt((patches**2).mean((1, 2), keepdims=True))
    return f["background_mean"] + f["background_contrast"] * noise * patches


def oriented_noise(
    slope: np.ndarray, orientation: np.ndarray, anisotropy: np.ndarray, size: int, rng: np.random.Generator
) -> np.ndarray:
    """Random-phase noise of amplitude spectrum |f|^-slope exp(anisotropy cos 2(angle(f) - orientation)).

    Natural scenes have slopes near 1 (Field 1987, J Opt Soc Am A 4, 2379).

    Parameters
    ----------
    slope, orientation, anisotropy : (n, 1, 1)

    Returns
    -------
    (n, size, size) float32 with mean 0 and SD 1 in each image
    """
    vertical = fft.fftfreq(size, 1 / size).astype(np.float32)[:, None]
    horizontal = fft.rfftfreq(size, 1 / size).astype(np.float32)[None, :]
    radius = np.hypot(vertical, horizontal)
    radius[0, 0] = 1
    angle = np.arctan2(vertical, horizontal)
    # cos 2(angle - orientation), expanded so that no cosine is taken per image and frequency
    cosine, sine = np.cos(2 * angle), np.sin(2 * angle)
    bias = anisotropy * np.cos(2 * orientation) * cosine + anisotropy * np.sin(2 * orientation) * sine
    amplitude = np.exp(bias - slope * np.log(radius))
    amplitude[:, 0, 0] = 0
    phase = rng.random(amplitude.shape, np.float32) * np.float32(2 * np.pi)
    # the spectrum of a real image is Hermitian, and both halves of its column 0 are given here
    half = (size - 1) // 2
    phase[:, -half:, 0] = -phase[:, half:0:-1, 0]
    spectrum = np.empty(amplitude.shape, np.complex64)
    spectrum.real, spectrum.imag = amplitude * np.cos(phase), amplitude * np.sin(phase)
    noise = fft.irfft2(spectrum, s=(size, size), overwrite_x=True)
    return noise / noise.std((1, 2), keepdims=True)


def clutter_distance(f: dict[str, np.ndarray], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Signed distance to a bar at a random place, unrelated to the object."""
    cosine, sine = np.cos(f["clutter_orientation"]), np.sin(f["clutter_orientation"])
    dx, dy = x - f["clutter_x"], y - f["clutter_y"]
    along, across = dx * cosine + dy * sine, dy * cosine - dx * sine
    return np.maximum(np.abs(along) - f["clutter_length"], np.abs(across) - f["clutter_width"])


# ---- object ----------------------------------------------------------------------------------------------


def surface(f: dict[str, np.ndarray], x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n, size, size) intensity of the object: its contrast, an oriented sinusoidal texture, and grain."""
    # half the frequency per unit length, since an image is two units wide
    wave = np.float32(np.pi) * f["texture_frequency"]
    phase = wave * np.cos(f["texture_orientation"]) * x + wave * np.sin(f["texture_orientation"]) * y
    texture = f["texture_contrast"] * np.cos(phase + f["texture_phase"])
    grain = rng.standard_normal(texture.shape, np.float32)
    return f["polarity"] * f["contrast"] + texture + np.float32(GRAIN) * grain


def object_distance(
    categories: np.ndarray, f: dict[str, np.ndarray], x: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """(n, size, size) signed distance to the outline of each image's object, negative inside."""
    cosine, sine = np.cos(f["rotation"]) / f["size"], np.sin(f["rotation"]) / f["size"]
    dx, dy = x - f["x"], y - f["y"]
    u = (dx * cosine + dy * sine) / f["aspect"]
    v = (dy * cosine - dx * sine) * f["aspect"]
    distance = np.empty_like(u)
    for category in np.unique(categories):
        rows = categories == category
        distance[rows] = SHAPES[category](u[rows], v[rows], f["thickness"][rows], f["roundness"][rows])
    return distance * f["size"]


def _disc(u, v, radius):
    return np.hypot(u, v) - radius


def _box(u, v, half_width, half_height):
    # distance to a box: Quilez, "2D distance functions"
    du, dv = np.abs(u) - half_width, np.abs(v) - half_height
    return np.hypot(np.maximum(du, 0), np.maximum(dv, 0)) + np.minimum(np.maximum(du, dv), 0)


def _ellipse(u, v, thickness, roundness):
    return _disc(u, v, 0.80)


def _rectangle(u, v, thickness, roundness):
    return _box(u, v, 0.62, 0.62) - 0.10 * roundness


def _triangle(u, v, thickness, roundness):
    normals = -np.pi / 2 + np.arange(3) * 2 * np.pi / 3
    sides = [u * np.float32(np.cos(a)) + v * np.float32(np.sin(a)) for a in normals]
    return np.maximum.reduce(sides) - 0.46 - 0.05 * roundness


def _star(u, v, thickness, roundness):
    towards_tip = np.abs(np.arctan2(v, u) * np.float32(5 / (2 * np.pi)) % 1 - 0.5) * 2
    return np.hypot(u, v) - (0.40 + 0.58 * towards_tip**1.5)


def _plus(u, v, thickness, roundness):
    half = 0.16 + 0.16 * thickness
    return np.minimum(_box(u, v, 0.92, half), _box(u, v, half, 0.92))


def _flower(u, v, thickness, roundness):
    return np.hypot(u, v) - (0.68 + 0.24 * np.cos(5 * np.arctan2(v, u)))


def _ring(u, v, thickness, roundness):
    return np.abs(_disc(u, v, 0.74)) - (0.10 + 0.14 * thickness)


def _frame(u, v, thickness, roundness):
    return np.abs(_box(u, v, 0.62, 0.62)) - (0.09 + 0.13 * thickness)


def _crescent(u, v, thickness, roundness):
    bite = _disc(u - 0.38 - 0.15 * (1 - thickness), v, 0.72)
    return np.maximum(_disc(u, v, 0.92), -bite)


def _ell(u, v, thickness, roundness):
    half = 0.14 + 0.12 * thickness
    return np.minimum(_box(u + 0.55, v, half, 0.88), _box(u - 0.05, v - 0.68, 0.72, half))


def _tee(u, v, thickness, roundness):
    half = 0.14 + 0.12 * thickness
    return np.minimum(_box(u, v + 0.68, 0.88, half), _box(u, v - 0.1, half, 0.82))


def _dumbbell(u, v, thickness, roundness):
    radius = 0.34 + 0.10 * thickness
    return np.minimum(_disc(np.abs(u) - 0.58, v, radius), _box(u, v, 0.58, 0.07))


# Signed distance fields in the object's own frame (radius about 1), of u, v, thickness, roundness. Those of
# the star and the flower are exact only on the outline, which is where they are used.
SHAPES = {
    "ellipse": _ellipse,
    "rectangle": _rectangle,
    "triangle": _triangle,
    "star": _star,
    "plus": _plus,
    "flower": _flower,
    "ring": _ring,
    "frame": _frame,
    "crescent": _crescent,
    "ell": _ell,
    "tee": _tee,
    "dumbbell": _dumbbell,
}
