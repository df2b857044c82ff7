"""CORnet-S, the recurrent network of four areas, written from its paper."""

from __future__ import annotations

import math

import torch
from torch import nn


class Area(nn.Module):
    """One cortical area (V2, V4 or IT): a bottleneck block that runs `times` times with shared weights.

    The first pass halves the resolution; the later ones take the area's own output as input. Convolutions are
    shared over time, batch normalisation is not (Kubilius et al. 2019, "CORnet-S", section 2).

    Parameters
    ----------
    before, channels : of the input and of the output
    times : passes
    scale : by which the bottleneck widens
    """

    def __init__(self, before: int, channels: int, times: int, scale: int = 4):
        super().__init__()
        self.times = times
        wide = channels * scale
        self.conv_input = nn.Conv2d(before, channels, 1, bias=False)
        self.skip = nn.Conv2d(channels, channels, 1, stride=2, bias=False)
        self.norm_skip = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, wide, 1, bias=False)
        self.conv2 = nn.Conv2d(wide, wide, 3, stride=2, padding=1, bias=False)
        self.conv3 = nn.Conv2d(wide, channels, 1, bias=False)
        self.nonlin = nn.ReLU(inplace=True)
        for time in range(times):
            self.add_module(f"norm1_{time}", nn.BatchNorm2d(wide))
            self.add_module(f"norm2_{time}", nn.BatchNorm2d(wide))
            self.add_module(f"norm3_{time}", nn.BatchNorm2d(channels))
            # a module that runs once, so that each moment can be recorded
            self.add_module(f"output_{time}", nn.Identity())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Output (b, channels, H / 2, W / 2) of the last pass, of (b, before, H, W)."""
        x = self.conv_input(x)
        for time in range(self.times):
            norm1, norm2, norm3, output = (
                self.get_submodule(f"{name}_{time}") for name in ("norm1", "norm2", "norm3", "output")
            )
            stride = 2 if time == 0 else 1
            past = self.norm_skip(self.skip(x)) if time == 0 else x
            x = self.nonlin(norm1(self.conv1(x)))
            x = self.nonlin(norm2(nn.functional.conv2d(x, self.conv2.weight, stride=stride, padding=1)))
            x = output(self.nonlin(norm3(self.conv3(x)) + past))
        return x


class CORnetS(nn.Module):
    """CORnet-S (Kubilius, Schrimpf et al. 2019, NeurIPS, arXiv:1909.06161).

    Without options it has the keys and shapes of the published checkpoint (below its prefix `module.`).
    Layers to record: `V1`, every moment of the other areas (`V2.output_0`, `V2.output_1`, `V4.output_0` to
    `_3`, `IT.output_0`, `_1`), and `decoder.avgpool`.

    Parameters
    ----------
    width : channels of V1 (64 in the paper)
    stem : imagenet (7 x 7, stride 2, then max pooling) or small (3 x 3, stride 2)
    classes : outputs of the linear decoder; 0 leaves it out, and the network returns `decoder.avgpool`
    """

    def __init__(self, width: int = 64, stem: str = "imagenet", classes: int = 1000):
        super().__init__()
        kernel = 7 if stem == "imagenet" else 3
        self.V1 = nn.Sequential()
        self.V1.add_module("conv1", nn.Conv2d(3, width, kernel, stride=2, padding=kernel // 2, bias=False))
        self.V1.add_module("norm1", nn.BatchNorm2d(width))
        self.V1.add_module("nonlin1", nn.ReLU(inplace=True))
        if stem == "imagenet":
            self.V1.add_module("pool", nn.MaxPool2d(3, stride=2, padding=1))
        self.V1.add_module("conv2", nn.Conv2d(width, width, 3, padding=1, bias=False))
        self.V1.add_module("norm2", nn.BatchNorm2d(width))
        self.V1.add_module("nonlin2", nn.ReLU(inplace=True))
        self.V2 = Area(width, 2 * width, times=2)
        self.V4 = Area(2 * width, 4 * width, times=4)
        self.IT = Area(4 * width, 8 * width, times=2)
        self.features = 8 * width
        self.decoder = nn.Sequential()
        self.decoder.add_module("avgpool", nn.AdaptiveAvgPool2d(1))
        self.decoder.add_module("flatten", nn.Flatten())
        if classes:
            self.decoder.add_module("linear", nn.Linear(self.features, classes))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels
                nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (b, classes), or features (b, 8 * width), of images (b, 3, S, S)."""
        return self.decoder(self.IT(self.V4(self.V2(self.V1(images)))))
