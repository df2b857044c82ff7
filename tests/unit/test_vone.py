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


def test_parameters_lie_in_the_ranges_of_v1_and_depend_on_the_seed_alone():
    found = gabor_parameters(4000, PPD, 1)
    cycles = found["frequency"] * PPD
    assert cycles.min() >= 0.5
    assert cycles.max() <= PPD / 4
    # uniform in the logarithm, orientation over half a turn
    assert np.median(np.log(cycles)) == pytest.approx(np.log(0.5 * 4) / 2, abs=0.05)
    assert found["orientation"].mean() == pytest.approx(np.pi / 2, abs=0.05)
    extent = found["along"] * found["frequency"]
    assert (extent.min(), extent.max()) == (pytest.approx(0.1, rel=0.02), pytest.approx(1, rel=0.02))
    assert all(np.array_equal(value, gabor_parameters(4000, PPD, 1)[key]) for key, value in found.items())
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
    block = VOneBlock(32, 96, PPD, stride=1, kernel=31).eval()
    parameters = gabor_parameters(128, PPD, 0)
    # filters that the kernel holds whole, and of periods enough to be without a mean
    whole = (parameters["along"] < 5) & (parameters["across"] < 5)
    whole &= parameters["along"] * parameters["frequency"] > 0.4
    cells = np.flatnonzero(whole & (np.arange(128) >= 32))
    assert len(cells) > 2
    for cell in cells[:3]:
        own = (parameters["frequency"][cell], parameters["orientation"][cell])
        found = torch.stack(
            [block(grating(*own, phase))[0, :, 32, 32] for phase in np.linspace(0, 2 * np.pi, 9)]
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
