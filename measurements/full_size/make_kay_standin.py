"""Make a stand-in of `kay_images.npz`: the real layout and byte count, real images, simulated responses.

    python measurements/full_size/make_kay_standin.py IMAGES FOLDER

IMAGES is a folder with the 1,750 training images of Kay et al. (2008) as 0.jpg to 1749.jpg (128 x 128, grey),
FOLDER the place of `kay_images.npz`, for example MIRROR/kay2008_standin. The images are lossy copies,
stretched one by one: good to measure time, memory and disk, not for results. Test images are mirror images of
120 of them.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from cortexrsa.networks.architectures.baselines import GaborPyramid

BYTES = 248_704_338
SIZE, TRAIN, TEST = 128, 1750, 120
REPEATS = {"train": 2, "test": 13}
# voxels of the real file; reliability of the average over 13 presentations (of these only LatOcc's is known,
# from the real data), and the share of non-linear, local features that the signal mixes with Gabor energies
ROIS = {
    "V1": (1294, 0.60, 0.0),
    "V2": (2083, 0.57, 0.2),
    "V3": (1790, 0.54, 0.4),
    "V3A": (484, 0.45, 0.6),
    "V3B": (314, 0.45, 0.6),
    "V4": (1535, 0.50, 0.7),
    "LatOcc": (928, 0.48, 1.0),
}
NAMES = ("Other", *ROIS)
MODES, SHARED_NOISE = 60, 0.15  # modes of the signal; share of the noise that 10 modes make common to voxels


def read_images(folder: Path) -> np.ndarray:
    """Images (1750, 128, 128) float32 on Kay's scale: the field around the aperture at 0."""
    images = np.empty((TRAIN, SIZE, SIZE), np.float32)
    axis = np.arange(SIZE) - (SIZE - 1) / 2
    outside = np.hypot(*np.meshgrid(axis, axis)) > SIZE / 2
    for index in range(TRAIN):
        with Image.open(folder / f"{index}.jpg") as image:
            pixels = np.asarray(image.convert("L"), np.float32)
        # every copy was stretched by itself, so its own corners tell where the common grey went
        images[index] = (pixels - np.median(pixels[outside])) / 255
    images[:, outside] = 0
    return images


def features(images: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Standardised Gabor energies, and rectified random mixtures of them: two arrays (n, features)."""
    pyramid = GaborPyramid(wavelength=8)
    with torch.inference_mode():
        energies = [
            pyramid(torch.from_numpy(batch)[:, None].expand(-1, 3, -1, -1)).flatten(1).numpy()
            for batch in np.array_split(images, 40)
        ]
    energies = np.log1p(20 * np.concatenate(energies)).astype(np.float64)
    energies = (energies - energies.mean(0)) / energies.std(0)
    mixtures = np.maximum(energies @ generator.normal(size=(energies.shape[1], 500)), 0)
    mixtures = np.maximum(mixtures - mixtures.mean(0), 0)
    return energies, (mixtures - mixtures.mean(0)) / mixtures.std(0)


def signal(sources: tuple[np.ndarray, np.ndarray], share: float, voxels: int, generator) -> np.ndarray:
    """Noiseless responses (n, voxels) of variance 1: voxels read random mixtures of common modes."""
    modes = []
    for part, weight in zip(sources, (1 - share, share), strict=True):
        mixed = part @ generator.normal(size=(part.shape[1], MODES))
        modes.append(np.sqrt(weight) * mixed / mixed.std(0))
    # falling spectrum: few modes carry most of the signal
    decay = np.arange(1, MODES + 1) ** -0.5
    values = (sum(modes) * decay) @ generator.normal(size=(MODES, voxels))
    return (values - values.mean(0)) / values.std(0)


def noise(n: int, voxels: int, generator) -> np.ndarray:
    """Noise (n, voxels) of variance 1, part of it common to many voxels."""
    common = generator.normal(size=(n, 10)) @ generator.normal(size=(10, voxels)) / np.sqrt(10)
    return np.sqrt(SHARED_NOISE) * common + np.sqrt(1 - SHARED_NOISE) * generator.normal(size=(n, voxels))


def responses(images: np.ndarray, generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training and test responses (float64), scaled by the training mean and SD, and ROI codes."""
    sources = features(images, generator)
    train, test, codes = [], [], []
    for roi, (voxels, reliability, share) in ROIS.items():
        clean = signal(sources, share, voxels, generator)
        # reliability = 1 / (1 + variance / repeats)
        variance = REPEATS["test"] * (1 / reliability - 1)
        parts = {"train": clean[:TRAIN], "test": clean[TRAIN:]}
        for split, part in parts.items():
            parts[split] = part + np.sqrt(variance / REPEATS[split]) * noise(len(part), voxels, generator)
        mean, sd = parts["train"].mean(0), parts["train"].std(0)
        train.append((parts["train"] - mean) / sd)
        test.append((parts["test"] - mean) / sd)
        codes += [NAMES.index(roi)] * voxels
    return np.concatenate(train, 1), np.concatenate(test, 1), np.array(codes, np.int64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    generator = np.random.default_rng(2008)
    stimuli = read_images(arguments.images)
    mirrored = stimuli[np.linspace(0, TRAIN - 1, TEST).astype(int), :, ::-1]
    train, test, codes = responses(np.concatenate([stimuli, mirrored]), generator)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    path = arguments.folder / "kay_images.npz"
    np.savez(
        path,
        stimuli=stimuli,
        stimuli_test=np.ascontiguousarray(mirrored),
        responses=train,
        responses_test=test,
        roi=codes,
        roi_names=np.array(NAMES),
    )
    found = path.stat().st_size
    if found != BYTES:
        sys.exit(f"Error: {path}: size: found {found} bytes, expected {BYTES}")
    print(f"{path}: {found} bytes")


if __name__ == "__main__":
    main()
