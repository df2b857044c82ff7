"""Image-computable baselines as networks with fixed filters, so that one extraction serves all models."""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F

# ITU-R BT.601 luma, the weights of the usual conversion to grey
LUMA = (0.299, 0.587, 0.114)


def luminance(images: torch.Tensor) -> torch.Tensor:
    """Grey images (b, 1, S, S) of RGB images (b, 3, S, S), by ITU-R BT.601 luma."""
    return (images * images.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)


class Pixels(torch.nn.Module):
    """The grey pixel pattern at the card's size; layer `pixels` (b, 1, S, S)."""

    def __init__(self):
        super().__init__()
        self.pixels = torch.nn.Identity()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.pixels(luminance(images))


def gabor_filters(wavelength: float, orientations: int, bandwidth: float) -> torch.Tensor:
    """Quadrature pairs of Gabor filters in the spatial domain.

    g(x, y) = exp(-(x² + y²) / (2 sigma²)) exp(i 2 pi u / wavelength) with u = x cos(theta) + y sin(theta),
    sigma = wavelength / pi sqrt(ln 2 / 2) (2^b + 1) / (2^b - 1) for a half-amplitude bandwidth of b octaves
    (Petkov & Kruizinga 1997, Biol Cybern 76:83). The even filter's mean is removed, so that
    uniform fields give 0, and the pair is scaled to an energy of 1 for a grating of contrast 1.

    Parameters
    ----------
    wavelength : pixels
    orientations : number of orientations, equally spaced in [0, pi)
    bandwidth : octaves

    Returns
    -------
    (2, orientations, k, k): even and odd filters; k odd, 3 sigma to each side
    """
    octaves = 2.0**bandwidth
    sigma = wavelength / math.pi * math.sqrt(math.log(2) / 2) * (octaves + 1) / (octaves - 1)
    radius = math.ceil(3 * sigma)
    axis = torch.arange(-radius, radius + 1, dtype=torch.float64)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    theta = torch.arange(orientations, dtype=torch.float64).view(-1, 1, 1) * math.pi / orientations
    phase = 2 * math.pi * (x * theta.cos() + y * theta.sin()) / wavelength
    envelope = torch.exp(-(x**2 + y**2) / (2 * sigma**2))
    even = envelope * phase.cos()
    even = even - envelope * even.sum((1, 2), keepdim=True) / envelope.sum()
    odd = envelope * phase.sin()
    gain = (even * phase.cos()).sum((1, 2), keepdim=True)
    return torch.stack([even / gain, odd / gain]).float()


class GaborPyramid(torch.nn.Module):
    """Gabor-energy pyramid; layer `energy` (b, scales * orientations, grid, grid).

    Contrast energy as the square root of the summed squares of a quadrature pair (the complex cells of Kay et
    al. 2008, Nature 452:352), averaged over a grid of patches. Each further scale runs the same filters on
    the image at half the size, one octave lower. There is no divisive normalisation.

    Parameters
    ----------
    wavelength : of the finest scale, pixels
    scales, orientations : number of each
    bandwidth : octaves
    grid : patches along each side
    """

    def __init__(
        self,
        wavelength: float = 4.0,
        scales: int = 4,
        orientations: int = 6,
        bandwidth: float = 1.0,
        grid: int = 8,
    ):
        super().__init__()
        pairs = gabor_filters(wavelength, orientations, bandwidth)
        # not part of the state dict: there is nothing to load
        self.register_buffer("filters", pairs.flatten(0, 1).unsqueeze(1), persistent=False)
        self.scales, self.orientations, self.grid = scales, orientations, grid
        self.energy = torch.nn.Identity()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        level = luminance(images)
        radius = self.filters.shape[-1] // 2
        maps = []
        for scale in range(self.scales):
            if scale:
                size = [side // 2 for side in level.shape[-2:]]
                level = F.interpolate(level, size=size, mode="bilinear", antialias=True, align_corners=False)
            # replicated borders hold no edge, so the frame of the image adds no energy
            even_odd = F.conv2d(F.pad(level, [radius] * 4, mode="replicate"), self.filters)
            energy = even_odd.unflatten(1, (2, self.orientations)).square().sum(1).sqrt()
            maps.append(F.adaptive_avg_pool2d(energy, self.grid))
        return self.energy(torch.cat(maps, 1))
