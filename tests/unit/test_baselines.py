"""Baselines against gratings whose energy is known."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cortexrsa.cards import load_card
from cortexrsa.networks.architectures.baselines import GaborPyramid, Pixels, gabor_filters, luminance

ROOT = Path(__file__).resolve().parents[2]


def grating(size, wavelength, orientation, phase=0.0, contrast=0.5):
    """(1, 3, size, size) in [0, 1]; wavelength in pixels, orientation of the modulation in radians."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    u = x * math.cos(orientation) + y * math.sin(orientation)
    wave = 0.5 + 0.5 * contrast * torch.cos(2 * math.pi * u / wavelength + phase)
    return wave.float().expand(1, 3, size, size)


def test_luminance_is_pillows_grey():
    rgb = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    grey = np.asarray(Image.fromarray(rgb).convert("L"), float)
    ours = luminance(torch.from_numpy(rgb).permute(2, 0, 1).float().unsqueeze(0))[0, 0].numpy()
    assert np.abs(ours - grey).max() <= 1


def test_pixels_are_the_grey_pattern():
    images = grating(32, 8, 0.3)
    torch.testing.assert_close(Pixels()(images), images[:, :1])


def test_filters_are_quadrature_pairs_without_mean():
    filters = gabor_filters(wavelength=6, orientations=4, bandwidth=1).double()
    assert filters.shape[:2] == (2, 4)
    assert filters.sum((2, 3)).abs().max() < 1e-5
    even, odd = filters
    assert (even * odd).sum((1, 2)).abs().max() < 1e-5
    # unit gain for a grating of the filter's own frequency, whatever its phase
    radius = filters.shape[-1] // 2
    x = torch.arange(-radius, radius + 1).double()
    for phase in (0.0, 0.7, 2.0):
        wave = torch.cos(2 * math.pi * x / 6 + phase).expand(2 * radius + 1, -1)
        response = torch.hypot((even[0] * wave).sum(), (odd[0] * wave).sum())
        assert response == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize(("scale", "cycles"), [(0, 32), (1, 16), (2, 8), (3, 4), (4, 2)])
def test_scales_of_the_card_are_what_it_says(scale, cycles):
    card = load_card("models", "gabor", ROOT)
    size, orientations = card["preprocessing"]["size"], card["network"]["options"]["orientations"]
    energy = GaborPyramid(**card["network"]["options"])(grating(size, size / cycles, 0))
    energy = energy.mean((0, 2, 3)).view(-1, orientations)
    assert divmod(int(energy.argmax()), orientations) == (scale, 0)


def test_energy_is_tuned_and_blind_to_phase():
    pyramid = GaborPyramid(wavelength=4, scales=3, orientations=4, grid=4)
    for scale, orientation in ((0, 0), (1, 2), (2, 1)):
        image = grating(64, 4 * 2**scale, orientation * math.pi / 4)
        energy = pyramid(image).view(3, 4, 4, 4)
        centre = energy[:, :, 1:3, 1:3].mean((2, 3))
        assert divmod(int(centre.argmax()), 4) == (scale, orientation)
        moved = pyramid(grating(64, 4 * 2**scale, orientation * math.pi / 4, phase=1.3)).view(3, 4, 4, 4)
        torch.testing.assert_close(
            moved[scale, orientation, 1:3, 1:3], energy[scale, orientation, 1:3, 1:3], rtol=0.05, atol=0
        )


def test_energy_is_linear_in_contrast_and_0_for_uniform_fields():
    pyramid = GaborPyramid()
    weak, strong = (pyramid(grating(64, 8, 0.5, contrast=c)) for c in (0.2, 0.4))
    torch.testing.assert_close(strong, 2 * weak, rtol=1e-3, atol=1e-5)
    assert pyramid(torch.full((1, 3, 64, 64), 0.8)).abs().max() < 1e-4


def test_baselines_have_nothing_to_train_or_load():
    for network in (Pixels(), GaborPyramid()):
        assert not list(network.parameters())
        assert not network.state_dict()
