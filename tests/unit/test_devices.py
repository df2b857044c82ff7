"""Where networks run: the device, and a memory format that every processor computes rightly in."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from cortexrsa.networks.devices import choose_device, place

ROOT = Path(__file__).resolve().parents[2]
# as a processor with AVX2 but not AVX-512 computes; without a word where the processor has neither
AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "OMP_NUM_THREADS": "1"}
# heap corruption shows within some passes, as the death of the process
GRADIENTS = """
import copy
import torch
from torch import nn
from cortexrsa.networks.devices import place

class Foreign(nn.Module):
    # changes the memory format on its own, as ConvNeXt does
    def __init__(self, channels, groups, kernel, stride):
        super().__init__()
        self.first = nn.Conv2d(3, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, 8, kernel, stride=stride, groups=groups)

    def forward(self, x):
        x = self.first(x).contiguous(memory_format=torch.channels_last)
        return self.second(x)

torch.manual_seed(0)
unsafe = [(2, 1, 1, 2), (4, 1, 1, 2), (7, 1, 1, 3)]
for layer in [*unsafe, (8, 1, 1, 2), (8, 2, 1, 2), (4, 4, 1, 2), (4, 1, 3, 2)]:
    print("channels, groups, kernel, stride:", layer, flush=True)
    for step in range(40):
        plain, images = Foreign(*layer), torch.randn(8, 3, 12, 12)
        placed = place(copy.deepcopy(plain), "cpu")
        y = plain.second(plain.first(images).contiguous())
        y.square().mean().backward()
        placed(images.contiguous(memory_format=torch.channels_last)).square().mean().backward()
        for p, q in zip(plain.parameters(), placed.parameters()):
            torch.testing.assert_close(p.grad, q.grad, rtol=1e-4, atol=1e-6)
"""


@pytest.mark.slow
def test_gradients_of_narrow_layers_are_right_without_avx512():
    """A process that dies (of memory that PyTorch corrupted) fails too."""
    environment = os.environ | AVX2 | {"PYTHONPATH": str(ROOT / "scripts")}
    done = subprocess.run([sys.executable, "-c", GRADIENTS], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.returncode}: {done.stdout[-80:]}{done.stderr[-600:]}"


def test_only_layers_that_are_not_safe_leave_channels_last():
    network = nn.Sequential(nn.Conv2d(4, 8, 1, stride=2), nn.Conv2d(8, 8, 1, stride=2), nn.Conv2d(8, 4, 3))
    images = torch.randn(2, 4, 24, 24).contiguous(memory_format=torch.channels_last)
    expected = network(images.contiguous())
    placed = place(place(network, "cpu"), "cpu")
    assert placed[0].weight.stride() == (4, 1, 1, 1)
    assert placed[1].weight.stride() == (8, 1, 8, 8)
    assert [len(layer._forward_pre_hooks) for layer in placed] == [1, 0, 0]
    assert placed[0](images).is_contiguous()
    torch.testing.assert_close(placed(images), expected, rtol=1e-5, atol=1e-6)


def test_device_is_one_that_is_there():
    assert choose_device().type == ("cuda" if torch.cuda.is_available() else "cpu")
