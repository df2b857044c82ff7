"""A simulated fMRI experiment: stimuli of the procedural world, V1- and LO-like voxels, and trial noise.

The truth is made from image-computable filters (V1) and from the world's factors (LO); no network that the
workflow evaluates takes part. A voxel's tuning follows from its seed alone: the constants that normalise its
response are measured on fixed reference stimuli, never on the stimuli passed, so that the response to an
image is the same in whatever company it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy import fft

from cortexrsa.brain.simulated.images import CATEGORIES, FAMILIES, make_images
from cortexrsa.brain.simulated.settings import Simulated, SimulatedROI
from cortexrsa.brain.simulated.streams import Shared, of_all, of_roi

SCALES = 3.0 * 2.0 ** (0.8 * np.arange(4))  # centre frequencies, cycles per image
ORIENTATIONS = np.pi * np.arange(8) / 8
SCALE_BANDWIDTH = 0.45  # SD of the filters in octaves
ORIENTATION_BANDWIDTH = 0.30  # SD of the filters in radians
GRID = 16  # positions along each side at which responses are pooled
V1_SURROUND = 0.2  # weight of the local and global contrast in the divisive normalisation
LO_SURROUND = 2.0
PHASE_SHARE = 0.4  # share of a V1 voxel's drive that comes from rectified phases; the rest is energy
MAX_ECCENTRICITY = 0.75  # of receptive field centres, in half image widths
LO_SHARES = {"family": 0.22, "category": 0.28, "shape": 0.15, "texture": 0.20, "place": 0.08}  # of variance
TEXTURE_COMPONENTS = 8
CHUNK = 60  # images filtered at a time, to bound memory
REFERENCE_IMAGES = 240
SHARED_MODES = 6  # fluctuations that all voxels of a ROI share, each with a weight of its own
SHARED_FRACTION = 0.3  # share of a voxel's noise variance that they make up
REFERENCE_SEED = 20080320  # kept apart from every stimulus set and corpus


# ---- the experiment --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Planted:
    """The truth of one ROI of one subject, in units of the signal's SD over the reference stimuli.

    Attributes
    ----------
    subject, roi : labels
    signal : (n, v) response to each stimulus without noise
    noise : (repeats, n, v) noise of each presentation
    noise_variance : (v,) its variance
    """

    subject: str
    roi: str
    signal: np.ndarray
    noise: np.ndarray
    noise_variance: np.ndarray


def plant(experiment: Simulated) -> tuple[np.ndarray, pd.DataFrame, list[Planted]]:
    """Draw the stimuli of a simulated experiment, and the signal and noise of every voxel.

    Every part has its own stream of random numbers, keyed by what it is (the stimuli of a split; the tuning
    or the noise of a subject's ROI of that name), so that adding or reordering ROIs or subjects leaves the
    others as they were.

    Parameters
    ----------
    experiment : what is shown to whom, how often, and the voxels; those of the scan are
        `bold.simulate_bids`'s

    Returns
    -------
    images : (n, size, size, 3) uint8, training stimuli first; the three channels are equal
    stimuli : n rows with stimulus_id, split, repeats, category, family
    planted : one for each subject and ROI; noise beyond the repeats of a stimulus is there, but not used
    """
    grey, factors, stimuli = _draw_stimuli(experiment)
    planted = [
        _plant_roi(grey, factors, subject, roi, settings, experiment)
        for subject in range(1, experiment.subjects + 1)
        for roi, settings in experiment.rois.items()
    ]
    return np.repeat(grey[..., None], 3, axis=3), stimuli, planted


def _draw_stimuli(experiment: Simulated) -> tuple[np.ndarray, pd.DataFrame, pd.DataFrame]:
    """Grey images (n, size, size), their factors, and the table of stimuli; training first."""
    images, factors, tables = [], [], []
    numbers = (experiment.train, experiment.train_repeats), (experiment.test, experiment.test_repeats)
    for stream, (number, repeats) in zip((Shared.TRAIN, Shared.TEST), numbers, strict=True):
        split = stream.name.lower()
        drawn, drawn_factors = make_images(number, experiment.size, of_all(experiment.seed, stream))
        images.append(drawn)
        factors.append(drawn_factors)
        tables.append(
            pd.DataFrame(
                {
                    "stimulus_id": [f"{split}-{i:04d}" for i in range(number)],
                    "split": split,
                    "repeats": repeats,
                    "category": drawn_factors["category"],
                    "family": drawn_factors["family"],
                }
            )
        )
    return (
        np.concatenate(images),
        pd.concat(factors, ignore_index=True),
        pd.concat(tables, ignore_index=True),
    )


def _plant_roi(
    grey: np.ndarray,
    factors: pd.DataFrame,
    subject: int,
    roi: str,
    settings: SimulatedROI,
    experiment: Simulated,
) -> Planted:
    """Signal and noise of one subject's ROI, all stimuli with as many repeats."""
    tuning_seed, noise_seed = of_roi(experiment.seed, subject, roi).spawn(2)
    repeats, voxels = max(experiment.train_repeats, experiment.test_repeats), settings.voxels
    if settings.area == "noise":
        signal, signal_variance = np.zeros((len(grey), voxels)), np.ones(voxels)
    elif settings.area == "v1":
        signal = v1_patterns(grey, voxels, tuning_seed)
        signal_variance = signal.var(axis=0)
    else:
        signal = lo_patterns(grey, factors, voxels, tuning_seed)
        signal_variance = signal.var(axis=0)
    factor_seed, trial_seed = noise_seed.spawn(2)
    variance = noise_variance(signal_variance, settings.reliability, experiment.test_repeats, factor_seed)
    noise = np.sqrt(variance) * unit_noise(repeats, len(grey), voxels, trial_seed)
    return Planted(f"sub-{subject:02d}", roi, signal, noise, variance)


# ---- V1 --------------------------------------------------------------------------------------------------


def v1_patterns(images: np.ndarray, voxels: int, seed: int | np.random.SeedSequence) -> np.ndarray:
    """Noiseless responses of V1-like voxels: a Gabor-energy pyramid seen through receptive fields.

    Complex cells are the energy, simple cells the rectified phases, of log-Gabor filters (Adelson & Bergen
    1985, J Opt Soc Am A 2, 284; Field 1987, J Opt Soc Am A 4, 2379), divided by the contrast around them
    (Heeger 1992, Vis Neurosci 9, 181). A voxel pools both with a Gaussian receptive field that grows with
    eccentricity (Dumoulin & Wandell 2008, NeuroImage 39, 647) and its own tuning to scale and orientation,
    and compresses the sum by a square root (the model class of Kay et al. 2008, Nature 452, 352).

    Parameters
    ----------
    images : (n, size, size) uint8, size a multiple of 16
    voxels : number of voxels
    seed : of the tuning

    Returns
    -------
    (n, voxels) float64 with mean 0 and SD 1 over the reference stimuli
    """
    fields, scale_orientation, phase = _v1_tuning(voxels, np.random.default_rng(seed))

    def drive(shown: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        complex_cells, simple_cells = [], []
        for energy, phases in _normalised_pyramid(shown, V1_SURROUND):
            n = len(energy)
            pooled = energy.reshape(n, -1, GRID * GRID) @ fields
            complex_cells.append(np.einsum("nkv,kv->nv", pooled, scale_orientation))
            pooled = (phases.reshape(n, -1, GRID * GRID) @ fields).reshape(n, *phases.shape[1:3], voxels)
            simple_cells.append(np.einsum("nkpv,kv,pv->nv", pooled, scale_orientation, phase, optimize=True))
        return np.sqrt(np.concatenate(complex_cells)), np.sqrt(np.concatenate(simple_cells))

    shown, reference = drive(images), drive(_reference_stimuli(images.shape[1])[0])

    def mixture(drives):
        energy, phases = (_standardise(d, over) for d, over in zip(drives, reference, strict=True))
        return (1 - PHASE_SHARE) * energy + PHASE_SHARE * phases

    return _standardise(mixture(shown), mixture(reference))


def _v1_tuning(voxels: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Receptive fields (positions, v), weights of scale x orientation (32, v) and of the phases (4, v)."""
    eccentricity = MAX_ECCENTRICITY * np.sqrt(rng.uniform(size=voxels))
    polar_angle = rng.uniform(0, 2 * np.pi, voxels)
    width = 0.05 + 0.10 * eccentricity
    centres = (np.arange(GRID) + 0.5) / GRID * 2 - 1
    y, x = (c.reshape(-1, 1) for c in np.meshgrid(centres, centres, indexing="ij"))
    squared = (x - eccentricity * np.cos(polar_angle)) ** 2 + (y - eccentricity * np.sin(polar_angle)) ** 2
    fields = np.exp(-squared / (2 * width**2))

    octave = np.arange(len(SCALES))[:, None] - rng.uniform(0, len(SCALES) - 1, voxels)
    angle = ORIENTATIONS[:, None] - rng.uniform(0, np.pi, voxels)
    sharpness = rng.gamma(2.0, 0.6, voxels)
    tuning = np.exp(-(octave**2) / (2 * 0.8**2))[:, None] * np.exp(sharpness * np.cos(2 * angle))[None]
    tuning = tuning * rng.lognormal(0, 0.5, tuning.shape)
    tuning = tuning.reshape(-1, voxels)
    phase = rng.dirichlet([0.6] * 4, voxels).T
    return (
        (fields / fields.sum(axis=0)).astype(np.float32),
        (tuning / tuning.sum(axis=0)).astype(np.float32),
        phase.astype(np.float32),
    )


# ---- LO --------------------------------------------------------------------------------------------------


def lo_patterns(
    images: np.ndarray, factors: pd.DataFrame, voxels: int, seed: int | np.random.SeedSequence
) -> np.ndarray:
    """Noiseless responses of LO-like voxels: rectified random mixtures of what a tolerant shape area codes.

    The codes and their shares of the drive's variance are those of `LO_SHARES`, around which each voxel
    varies at random: family and category of the object; its aspect, thickness and roundness, and its aspect
    within its family; statistics of orientation and scale without position, the contrasts of the object and
    of its texture, and the mean of the background; a little position, size and rotation. Shape that tolerates
    changes of place and contour is what LO is known for (Kourtzi & Kanwisher 2001, Science 293, 1506).

    Parameters
    ----------
    images : (n, size, size) uint8, size a multiple of 16; they enter by the orientation and scale statistics
    factors : n rows of `world.draw_factors`
    voxels : number of voxels
    seed : of the mixtures

    Returns
    -------
    (n, voxels) float64 with mean 0 and SD 1 over the reference stimuli
    """
    rng = np.random.default_rng(seed)
    reference_images, reference_factors = _reference_stimuli(images.shape[1])
    shown = _lo_codes(factors, _texture_statistics(images))
    reference = _lo_codes(reference_factors, _texture_statistics(reference_images))
    drive, reference_drive = np.zeros((len(images), voxels)), np.zeros((REFERENCE_IMAGES, voxels))
    for code, share in LO_SHARES.items():
        weights = rng.standard_normal((reference[code].shape[1], voxels))
        gain = np.sqrt(share * rng.gamma(1.5, 1 / 1.5, voxels))
        mixture = _standardise(shown[code], reference[code]) @ weights
        reference_mixture = _standardise(reference[code], reference[code]) @ weights
        drive += gain * _standardise(mixture, reference_mixture)
        reference_drive += gain * _standardise(reference_mixture, reference_mixture)
    rectified = _soft_rectify(_standardise(drive, reference_drive))
    return _standardise(rectified, _soft_rectify(_standardise(reference_drive, reference_drive)))


def _soft_rectify(drive: np.ndarray) -> np.ndarray:
    """Softplus with its knee at 0.2: voxels respond to few of the stimuli, as selective populations do."""
    return np.log1p(np.exp(2 * (drive - 0.2))) / 2


def _lo_codes(factors: pd.DataFrame, texture_statistics: np.ndarray) -> dict[str, np.ndarray]:
    """The codes (n, features) that LO mixes, before standardisation."""

    def indicators(column, labels):
        return (factors[column].to_numpy()[:, None] == np.array(labels)).astype(float)

    family, log_aspect = indicators("family", list(FAMILIES)), np.log(factors[["aspect"]].to_numpy())
    rotation = 2 * factors[["rotation"]].to_numpy()
    signed_contrast = factors[["polarity"]].to_numpy() * factors[["contrast"]].to_numpy()
    shape = factors[["thickness", "roundness"]].to_numpy()
    surface = factors[["texture_contrast", "background_mean"]].to_numpy()
    place = factors[["x", "y", "size"]].to_numpy()
    return {
        "family": family,
        "category": indicators("category", CATEGORIES),
        "shape": np.hstack([log_aspect, shape, log_aspect * family]),
        "texture": np.hstack([texture_statistics, signed_contrast, surface]),
        "place": np.hstack([place, np.cos(rotation), np.sin(rotation)]),
    }


def _texture_statistics(images: np.ndarray) -> np.ndarray:
    """(n, 8) principal components, found on the reference stimuli, of the energy without position."""

    def statistics(shown):
        pyramid = _normalised_pyramid(shown, LO_SURROUND, with_phases=False)
        return np.concatenate([energy.mean(axis=(2, 3), dtype=np.float64) for energy, _ in pyramid])

    reference = statistics(_reference_stimuli(images.shape[1])[0])
    components = np.linalg.svd(_standardise(reference, reference), full_matrices=False)[2]
    return _standardise(statistics(images), reference) @ components[:TEXTURE_COMPONENTS].T


# ---- filters and reference -------------------------------------------------------------------------------


@lru_cache(maxsize=4)
def _reference_stimuli(size: int) -> tuple[np.ndarray, pd.DataFrame]:
    """The fixed images and factors on which all responses are normalised."""
    return make_images(REFERENCE_IMAGES, size, REFERENCE_SEED)


@lru_cache(maxsize=4)
def _reference_energy(size: int) -> float:
    """Mean energy over the reference stimuli: the semi-saturation constant of the normalisation."""
    return float(
        np.mean([energy.mean() for energy, _ in _pyramid(_reference_stimuli(size)[0], with_phases=False)])
    )


def _standardise(values: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Z-scores of the columns of `values` by the mean and SD of those of `reference`."""
    return (values - reference.mean(axis=0, dtype=np.float64)) / reference.std(axis=0, dtype=np.float64)


@lru_cache(maxsize=4)
def _log_gabor_filters(size: int) -> np.ndarray:
    """(scale x orientation, size, size) one-sided log-Gabor filters in the Fourier domain (Field 1987).

    One-sided, so that the filtered image is analytic: real and imaginary part are the quadrature pair.
    """
    frequency = fft.fftfreq(size, 1 / size)
    radius = np.hypot(frequency[:, None], frequency[None, :])
    radius[0, 0] = 1e-6
    angle = np.arctan2(frequency[:, None], frequency[None, :])
    octaves = np.log2(radius / SCALES[:, None, None])
    turn = (angle - ORIENTATIONS[:, None, None] + np.pi) % (2 * np.pi) - np.pi
    radial = np.exp(-(octaves**2) / (2 * SCALE_BANDWIDTH**2))
    angular = np.exp(-(turn**2) / (2 * ORIENTATION_BANDWIDTH**2))
    return (radial[:, None] * angular[None]).reshape(-1, size, size).astype(np.float32)


def _pyramid(images: np.ndarray, with_phases: bool = True):
    """Yield, for chunks of images, the maps of the filters, averaged to 16 x 16 positions, in float32.

    Yields
    ------
    energy : (n, 32, 16, 16)
    phases : (n, 32, 4, 16, 16) positive and negative part of the even and of the odd filter; or None
    """
    size = images.shape[1]
    if images.ndim != 3 or size % GRID:
        raise ValueError(f"images: found {images.shape}, expected (n, size, size), size a multiple of {GRID}")
    averages = np.repeat(np.eye(GRID, dtype=np.float32), size // GRID, axis=1) * np.float32(GRID / size)

    def pool(maps):
        return averages @ (maps @ averages.T)

    for start in range(0, len(images), CHUNK):
        spectrum = fft.fft2(images[start : start + CHUNK].astype(np.float32) / 255 - 0.5)
        energy, phases = [], []
        for gabor in _log_gabor_filters(size):
            analytic = fft.ifft2(spectrum * gabor, overwrite_x=True)
            energy.append(pool(np.abs(analytic)))
            if with_phases:
                parts = (analytic.real, -analytic.real, analytic.imag, -analytic.imag)
                phases.append(np.stack([pool(np.maximum(part, 0)) for part in parts], axis=1))
        yield np.stack(energy, axis=1), np.stack(phases, axis=1) if with_phases else None


def _normalised_pyramid(images: np.ndarray, surround: float, with_phases: bool = True):
    """The maps of `_pyramid` divided by the contrast at each position and in the image (Heeger 1992)."""
    saturation = _reference_energy(images.shape[1])
    for energy, phases in _pyramid(images, with_phases):
        local = energy.mean(axis=1, keepdims=True)
        everywhere = energy.mean(axis=(1, 2, 3), keepdims=True)
        divisor = saturation + surround * (local + 0.5 * everywhere)
        yield energy / divisor, phases / divisor[:, :, None] if with_phases else None


# ---- noise -----------------------------------------------------------------------------------------------


def noise_variance(
    signal_variance: np.ndarray, reliability: float, repeats: int, seed: int | np.random.SeedSequence
) -> np.ndarray:
    """Variance of one presentation's noise that gives the average over the repeats a reliability.

    The average over R repeats of a voxel with signal variance s and noise variance n has the reliability
    s / (s + n / R), so n = R s (1 / reliability - 1). It varies between voxels by a log-normal factor whose
    median is 1, which makes `reliability` the median over voxels.

    Parameters
    ----------
    signal_variance : (v,)
    reliability : in (0, 1]; 1 means no noise
    repeats : number of repeats R whose average has that reliability
    seed : of the factor

    Returns
    -------
    (v,) float64
    """
    if not 0 < reliability <= 1:
        raise ValueError(f"reliability: found {reliability}, expected a number in (0, 1]")
    factor = np.random.default_rng(seed).lognormal(0, 0.35, len(signal_variance))
    factor /= np.median(factor)
    return repeats * (1 / reliability - 1) * factor * signal_variance


def unit_noise(repeats: int, n: int, voxels: int, seed: int | np.random.SeedSequence) -> np.ndarray:
    """Gaussian noise of variance 1, independent between trials, correlated between voxels.

    Parameters
    ----------
    repeats, n, voxels : shape of the result
    seed : of the noise

    Returns
    -------
    (repeats, n, voxels) float64
    """
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((SHARED_MODES, voxels))
    weights /= np.linalg.norm(weights, axis=0)
    shared = rng.standard_normal((repeats, n, SHARED_MODES)) @ weights
    own = rng.standard_normal((repeats, n, voxels))
    return np.sqrt(SHARED_FRACTION) * shared + np.sqrt(1 - SHARED_FRACTION) * own
