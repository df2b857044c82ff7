"""Residual networks with the width and the stem set by the card."""

from __future__ import annotations

import torchvision
from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck

RESNETS = {
    "resnet18": (BasicBlock, (2, 2, 2, 2)),
    "resnet34": (BasicBlock, (3, 4, 6, 3)),
    "resnet50": (Bottleneck, (3, 4, 6, 3)),
}


class ResNet(torchvision.models.ResNet):
    """torchvision's residual network (He et al. 2016) with the base width and the stem set by the card.

    With `width` 64, the imagenet stem and 1,000 classes it is torchvision's own, key by key.

    Parameters
    ----------
    name : resnet18, resnet34 or resnet50
    width : channels of the stem and of the first stage (64 in the paper)
    stem : imagenet (7 x 7, stride 2, then max pooling) or small (3 x 3, stride 2)
    classes : outputs of the linear head; 0 leaves it out, and the network returns `avgpool`
    zero_init_residual : begin with residual branches that add nothing, which trains deep networks in fewer
        steps (Goyal et al. 2017, arXiv:1706.02677)
    """

    def __init__(
        self,
        name: str,
        width: int = 64,
        stem: str = "imagenet",
        classes: int = 1000,
        zero_init_residual: bool = False,
    ):
        # torchvision's constructor fixes the width, so only its block builder and its forward pass serve here
        nn.Module.__init__(self)
        block, depths = RESNETS[name]
        self._norm_layer, self.groups, self.base_width, self.dilation = nn.BatchNorm2d, 1, 64, 1
        self.inplanes = width
        kernel = 7 if stem == "imagenet" else 3
        self.conv1 = nn.Conv2d(3, width, kernel, stride=2, padding=kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if stem == "imagenet" else nn.Identity()
        for stage, blocks in enumerate(depths):
            layer = self._make_layer(block, width * 2**stage, blocks, stride=1 if stage == 0 else 2)
            self.add_module(f"layer{stage + 1}", layer)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.features = width * 8 * block.expansion
        self.fc = nn.Linear(self.features, classes) if classes else nn.Identity()
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif zero_init_residual and isinstance(module, BasicBlock | Bottleneck):
                last = module.bn3 if isinstance(module, Bottleneck) else module.bn2
                nn.init.zeros_(last.weight)
