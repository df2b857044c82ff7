"""A fixed model of V1 before a network: VOneBlock (Dapello, Marques et al. 2020, NeurIPS).

Written from the paper. Gabor filters of many frequencies, orientations, phases and shapes, each on one colour
channel, feed simple cells (rectified) and complex cells (energy of a quadrature pair); noise of a variance
like the mean may follow. A trained 1 x 1 convolution leads from them into the network.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from cortexrsa.errors import InputError

# numbers of cells of macaque V1 between edges, as the paper gathers them. Preferred orientation, degrees
# (De Valois, Yund & Hepler 1982, doi:10.1016/0042-6989(82)90112-2)
ORIENTATION = np.array([-22.5, 22.5, 67.5, 112.5, 157.5]), np.array([66, 49, 77, 54])
# peak frequency, cycles a degree (De Valois, Albrecht & Thorell 1982, doi:10.1016/0042-6989(82)90113-4)
FREQUENCY = (
    np.array([0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0]),
    np.array([4, 4, 8, 25, 32, 26, 28, 12]),
)
# standard deviation of the envelope in periods of the carrier: along it by row, across it by column
# (Ringach 2002, doi:10.1152/jn.2002.88.1.455)
EXTENT = (
    np.logspace(-1, 0.2, 6),
    np.array([[2, 0, 1, 0, 0], [8, 9, 4, 1, 0], [1, 2, 19, 17, 3], [0, 0, 1, 7, 4], [0, 0, 0, 0, 0]]),
)
SHORTEST_PERIOD = 4.0  # pixels: finer carriers would be sampled too coarsely
GAIN = 25.0  # of simple cells: spikes for a response of 1, in the time that noise is of


def gabor_parameters(number: int, pixels_per_degree: float, seed: int) -> dict[str, np.ndarray]:
    """Parameters of Gabor filters, drawn from the distributions that were measured in macaque V1.

    Orientation and frequency are drawn each on its own, and both extents together; phase and colour are
    uniform. Within a bin of a histogram, frequency and extents are uniform in their logarithms. Frequencies
    whose period has fewer than `SHORTEST_PERIOD` pixels are not drawn.

    Returns
    -------
    dict of (number,): frequency (cycles a pixel), orientation and phase (radians), along and across (SD of
    the envelope, pixels), colour (0 to 2)
    """
    random = np.random.default_rng(seed)
    edges, cells = FREQUENCY
    highest, lowest = pixels_per_degree / SHORTEST_PERIOD, edges[0]
    if highest <= lowest:
        expected = f"more than {SHORTEST_PERIOD * lowest:g}: V1 sees {lowest} cycles a degree"
        raise InputError("network: front_end: pixels_per_degree", pixels_per_degree, expected)
    frequency = np.exp(_drawn(np.log(edges), cells, number, random, np.log(highest))) / pixels_per_degree
    edges, cells = EXTENT
    of_pairs = random.choice(cells.size, number, p=cells.ravel() / cells.sum())
    along, across = (
        np.exp(random.uniform(np.log(edges[place]), np.log(edges[place + 1])))
        for place in np.unravel_index(of_pairs, cells.shape)
    )
    return {
        "frequency": frequency,
        "orientation": np.radians(_drawn(*ORIENTATION, number, random)) % np.pi,
        "phase": random.uniform(0, 2 * np.pi, number),
        "along": along / frequency,
        "across": across / frequency,
        "colour": random.integers(0, 3, number),
    }


def _drawn(
    edges: np.ndarray, cells: np.ndarray, number: int, random: np.random.Generator, highest: float = np.inf
) -> np.ndarray:
    """Values (number,) of a histogram, uniform within each bin, and at most `highest`."""
    reached = np.append(0, np.cumsum(cells)) / cells.sum()
    return np.interp(random.uniform(0, np.interp(highest, edges, reached), number), reached, edges)


def gabor_bank(parameters: dict[str, np.ndarray], kernel: int, quarter: bool = False) -> torch.Tensor:
    """Gabor filters (n, 3, kernel, kernel), each on its colour channel; `quarter`: a quarter period further.

    g = exp(-x'² / (2 along²) - y'² / (2 across²)) cos(2 pi frequency x' + phase) / (2 pi along across), where
    x' runs along the carrier.
    """
    axis = np.arange(kernel) - (kernel - 1) / 2
    y, x = np.meshgrid(axis, axis, indexing="ij")
    value = {name: own[:, None, None] for name, own in parameters.items()}
    turned = x * np.cos(value["orientation"]) + y * np.sin(value["orientation"])
    other = -x * np.sin(value["orientation"]) + y * np.cos(value["orientation"])
    envelope = np.exp(-(turned**2) / (2 * value["along"] ** 2) - other**2 / (2 * value["across"] ** 2))
    phase = value["phase"] + (np.pi / 2 if quarter else 0)
    filters = envelope * np.cos(2 * np.pi * value["frequency"] * turned + phase)
    filters /= 2 * np.pi * value["along"] * value["across"]
    bank = np.zeros((len(filters), 3, kernel, kernel), np.float32)
    bank[np.arange(len(filters)), parameters["colour"]] = filters
    return torch.from_numpy(bank)


class VOneBlock(nn.Module):
    """Simple and complex cells (b, simple + complex, S / stride, S / stride) of images (b, 3, S, S).

    Nothing in it is trained. Layers to record: `simple`, `complex`, and `cells`, both with the noise.

    Parameters
    ----------
    simple, complex : number of cells of either kind
    pixels_per_degree : of the images (28 in the paper: 224 pixels for 8 degrees)
    stride, kernel : of the filters, in pixels
    noise : while the network is trained, Gaussian noise with the variance of the mean is added, as spikes of
        a Poisson process vary. In evaluation there is none, so that activations can be repeated
    seed : of the filters; the same for all networks
    """

    def __init__(
        self,
        simple: int = 256,
        complex: int = 256,
        pixels_per_degree: float = 28.0,
        stride: int = 4,
        kernel: int = 25,
        noise: bool = False,
        seed: int = 0,
    ):
        super().__init__()
        parameters = gabor_parameters(simple + complex, pixels_per_degree, seed)
        of_complex = {name: own[simple:] for name, own in parameters.items()}
        # they follow from the card: there is nothing to load
        self.register_buffer("filters", gabor_bank(parameters, kernel), persistent=False)
        self.register_buffer("quadrature", gabor_bank(of_complex, kernel, quarter=True), persistent=False)
        self.number, self.stride, self.padding, self.noise = simple, stride, kernel // 2, noise
        self.channels = simple + complex
        self.simple, self.complex, self.cells = nn.Identity(), nn.Identity(), nn.Identity()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        even = F.conv2d(images, self.filters, stride=self.stride, padding=self.padding)
        odd = F.conv2d(images, self.quadrature, stride=self.stride, padding=self.padding)
        simple = self.simple(GAIN * F.relu(even[:, : self.number]))
        energy = (even[:, self.number :].square() + odd.square()).sqrt() / math.sqrt(2)
        cells = torch.cat([simple, self.complex(GAIN * energy)], 1)
        if self.noise and self.training:
            cells = F.relu(cells + cells.clamp_min(0).sqrt() * torch.randn_like(cells))
        return self.cells(cells)


class WithFrontEnd(nn.Module):
    """A network behind a front end: `front_end`, then `bottleneck` (1 x 1), then `backbone`.

    Parameters
    ----------
    front_end : with `channels`
    backbone : the network
    replaces : modules of it that the front end stands for (in a residual network conv1, bn1, relu, maxpool):
        they do nothing any more, and the bottleneck has as many channels as the first convolution that is
        left takes
    """

    def __init__(self, front_end: nn.Module, backbone: nn.Module, replaces: Sequence[str] = ()):
        super().__init__()
        names = [name for name, _ in backbone.named_modules()]
        for name in replaces:
            if name not in names:
                expected = f"modules of the network, such as {[n for n in names if n][:5]}"
                raise InputError("network: front_end: replaces", repr(name), expected)
            backbone.set_submodule(name, nn.Identity())
        left = next((module for module in backbone.modules() if isinstance(module, nn.Conv2d)), None)
        if left is None:
            found = "all convolutions"
            raise InputError("network: front_end: replaces", found, "some that leave one")
        self.front_end = front_end
        self.bottleneck = nn.Conv2d(front_end.channels, left.in_channels, 1, bias=False)
        nn.init.kaiming_normal_(self.bottleneck.weight, mode="fan_out", nonlinearity="relu")
        self.backbone = backbone

    @property
    def features(self) -> int:
        """Of the last layer before any head, as the backbone says."""
        return self.backbone.features

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.backbone(self.bottleneck(self.front_end(images)))
