"""VOneBlock: filters are tuned as drawn, complex cells do not see phase, any backbone stands behind it."""

import numpy as np
import pytest
import torch

from cortexrsa.networks.architectures.vone import GAIN, VOneBlock, gabor_bank, gabor_parameters
from cortexrsa.networks.build import build
from cortexrsa.networks.probes import embedding_of
from support import message_of

PPD = 16.0
FRONT_END = {
    **{"name": "vone", "simple": 8, "complex": 8, "pixels_per_degree": 16.0, "stride": 4, "kernel": 15},
    "replaces": ["conv1", "bn1", "relu", "maxpool"],
}
RESNET = {"source": "resnet", "name": "resnet18", "options": {"width": 4, "stem": "imagenet", "classes": 3}}


def grating(frequency, orientation, phase, size=65):
    axis = np.arange(size) - (size - 1) / 2
    y, x = np.meshgrid(axis, axis, indexing="ij")
    along = x * np.cos(orientation) + y * np.sin(orientation)
    wave = np.cos(2 * np.pi * frequency * along + phase)
    return torch.from_numpy(np.repeat(wave[None], 3, axis=0)[None]).float()


def test_parameters_are_distributed_as_in_v1_and_depend_on_the_seed_alone():
    found = gabor_parameters(20_000, PPD, 1)
    cycles = found["frequency"] * PPD
    # of 99 cells below 4 cycles a degree; this display shows no more
    counts, _ = np.histogram(cycles, [0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0])
    assert counts.sum() == 20_000
    assert counts / 20_000 == pytest.approx(np.array([4, 4, 8, 25, 32, 26]) / 99, abs=0.012)
    # of 246 cells: 49 around 45 degrees, 77 around 90, 54 around 135, and 66 around 0 and 180
    degrees = np.degrees(found["orientation"])
    counts, _ = np.histogram(degrees, [0, 22.5, 67.5, 112.5, 157.5, 180])
    assert counts / 20_000 == pytest.approx(np.array([33, 49, 77, 54, 33]) / 246, abs=0.012)
    # most envelopes are about as long as wide, and a third of a period or more
    along, across = (np.log10(found[each] * found["frequency"]) for each in ("along", "across"))
    edges = np.linspace(-1, 0.2, 6)
    counts, _, _ = np.histogram2d(along, across, [edges, edges])
    assert counts[2, 2] / 20_000 == pytest.approx(19 / 79, abs=0.012)
    assert counts[1, 0] / 20_000 == pytest.approx(8 / 79, abs=0.012)
    assert counts[3, 0] == counts[4].sum() == 0
    # a finer display shows all frequencies
    assert (gabor_parameters(2000, 40.0, 1)["frequency"] * 40).max() == pytest.approx(8, abs=0.2)
    assert all(np.array_equal(value, gabor_parameters(20_000, PPD, 1)[key]) for key, value in found.items())
    assert not np.array_equal(found["phase"], gabor_parameters(4000, PPD, 2)["phase"])
    assert "pixels_per_degree: found 2.0" in message_of(gabor_parameters, 4, 2.0, 1)


def test_a_filter_answers_most_to_its_own_frequency_and_orientation():
    drawn = {"frequency": 0.15, "orientation": 0.6, "phase": 1.0, "along": 6.0, "across": 6.0, "colour": 1}
    parameters = {name: np.array([value]) for name, value in drawn.items()}
    bank, quarter = (gabor_bank(parameters, 41, each) for each in (False, True))
    assert bank[0, [0, 2]].abs().sum() == 0
    # against the formula at one pixel
    x, y = 3, -2
    along = x * np.cos(0.6) + y * np.sin(0.6)
    across = -x * np.sin(0.6) + y * np.cos(0.6)
    expected = np.exp(-(along**2 + across**2) / 72) * np.cos(2 * np.pi * 0.15 * along + 1) / (72 * np.pi)
    assert bank[0, 1, 20 + y, 20 + x].item() == pytest.approx(expected, rel=1e-5)

    def energy(frequency, orientation):
        image = grating(frequency, orientation, 0.3, 41)[0]
        return sum((each[0] * image).sum().item() ** 2 for each in (bank, quarter))

    best = energy(0.15, 0.6)
    for frequency, orientation in ((0.1, 0.6), (0.2, 0.6), (0.15, 0.2), (0.15, 1.0)):
        assert energy(frequency, orientation) < 0.5 * best


def test_simple_cells_see_phase_and_complex_cells_do_not():
    # of 3 x 3 places, the one in the middle is that of the image
    block = VOneBlock(32, 96, PPD, stride=32, kernel=31).eval()
    parameters = gabor_parameters(128, PPD, 0)
    # filters that the kernel holds whole, and of periods enough to be without a mean
    whole = (parameters["along"] < 5) & (parameters["across"] < 5)
    whole &= parameters["along"] * parameters["frequency"] > 0.4
    cells = np.flatnonzero(whole & (np.arange(128) >= 32))
    assert len(cells) > 2
    for cell in cells[:3]:
        own = (parameters["frequency"][cell], parameters["orientation"][cell])
        found = torch.stack(
            [block(grating(*own, phase))[0, :, 1, 1] for phase in np.linspace(0, 2 * np.pi, 9)]
        )
        spread = (found.std(0) / found.mean(0).clamp_min(1e-9)).numpy()
        assert spread[cell] < 0.1
        assert np.median(spread[:32]) > 0.4
        assert (found >= 0).all()
    assert GAIN > 0


def test_noise_is_like_that_of_spikes_and_only_while_training():
    torch.manual_seed(0)
    block = VOneBlock(64, 64, PPD, stride=8, kernel=15, noise=True)
    image = 8 * torch.rand(1, 3, 32, 32)
    block.eval()
    mean = block(image)
    assert torch.equal(mean, block(image))
    block.train()
    draws = torch.stack([block(image) for _ in range(600)])
    strong = mean > 16  # where nothing is rectified
    assert strong.sum() > 20
    ratio = draws.var(0)[strong] / mean[strong]
    assert ratio.mean().item() == pytest.approx(1, abs=0.05)
    assert not list(block.parameters())


def test_a_backbone_stands_behind_it():
    network = build(RESNET | {"front_end": FRONT_END}, 1)
    assert network(torch.rand(2, 3, 64, 64)).shape == (2, 3)
    assert network.bottleneck.weight.shape == (4, 16, 1, 1)
    names = dict(network.named_modules())
    assert {
        "front_end.simple",
        "front_end.complex",
        "front_end.cells",
        "bottleneck",
        "backbone.layer1.0",
    } <= set(names)
    assert embedding_of(RESNET | {"front_end": FRONT_END}) == "backbone.avgpool"
    assert embedding_of(RESNET) == "avgpool"
    assert not [key for key in network.state_dict() if key.startswith("front_end")]
    # the filters are the same in every seed, the bottleneck is not
    other = build(RESNET | {"front_end": FRONT_END}, 2)
    assert torch.equal(network.front_end.filters, other.front_end.filters)
    assert not torch.equal(network.bottleneck.weight, other.bottleneck.weight)
    # nothing replaced: the whole network follows, with three channels
    whole = build(RESNET | {"front_end": FRONT_END | {"replaces": []}}, 1)
    assert whole.bottleneck.weight.shape[0] == 3
    assert whole.eval()(torch.rand(1, 3, 64, 64)).shape == (1, 3)
    assert "replaces: found 'conv9'" in message_of(
        build, RESNET | {"front_end": FRONT_END | {"replaces": ["conv9"]}}, 1
    )
