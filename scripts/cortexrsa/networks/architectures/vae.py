"""Autoencoders: those trained here on a classifier's backbone, and VAEs with published weights."""

from __future__ import annotations

import torch
import torchvision
from torch import nn
from torch.nn import functional as F

from cortexrsa.errors import InputError
from cortexrsa.networks.architectures.cornet import CORnetS
from cortexrsa.networks.architectures.resnet import ResNet


class Autoencoder(nn.Module):
    """Autoencoder whose encoder is the backbone of the classifiers, so that layers correspond one to one.

    `encoder.*` holds the same layers under the same names as the classifier, up to the last stage; its
    feature map, not pooled (reconstruction needs position), goes to the linear head `code`.

    Parameters
    ----------
    name, width, stem : of the encoder, see `ResNet` and `CORnetS`
    latent : dimensions of the code
    size : side of the input in pixels, a multiple of the encoder's total stride
    zero_init_residual : of a ResNet, see there
    """

    def __init__(
        self,
        name: str,
        width: int = 64,
        stem: str = "imagenet",
        latent: int = 64,
        size: int = 224,
        zero_init_residual: bool = False,
    ):
        super().__init__()
        stride = 32 if stem == "imagenet" else 16
        if size % stride:
            raise ValueError(f"size {size} is no multiple of {stride}")
        if name == "cornet_s":
            if zero_init_residual:
                raise ValueError("zero_init_residual is an option of ResNets")
            self.encoder = CORnetS(width, stem, classes=0)
            self.encoder.decoder.avgpool = nn.Identity()
        else:
            self.encoder = ResNet(name, width, stem, 0, zero_init_residual)
            self.encoder.avgpool = nn.Identity()
        self.side, self.channels = size // stride, 8 * width
        self._add_heads(self.encoder.features * self.side**2, latent)
        self.expand = nn.Linear(latent, self.channels * self.side**2)
        steps, channels = [], self.channels
        for _ in range(stride.bit_length() - 2):
            narrower = max(channels // 2, width)
            steps += [
                nn.Upsample(scale_factor=2),
                nn.Conv2d(channels, narrower, 3, padding=1, bias=False),
                nn.BatchNorm2d(narrower),
                nn.ReLU(inplace=True),
            ]
            channels = narrower
        # the last doubling by sub-pixel convolution (Shi et al. 2016): full resolution is the costly one
        self.decoder = nn.Sequential(*steps, nn.Conv2d(channels, 12, 3, padding=1), nn.PixelShuffle(2))

    def _add_heads(self, features: int, latent: int) -> None:
        self.code = nn.Linear(features, latent)

    def decode(self, code: torch.Tensor) -> torch.Tensor:
        """Images (b, 3, S, S) of codes (b, latent)."""
        maps = self.expand(code).unflatten(1, (self.channels, self.side, self.side))
        return self.decoder(maps.contiguous(memory_format=torch.channels_last))

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Reconstruction (b, 3, S, S) of the images, and their code (b, latent)."""
        code = self.code(self.encoder(images))
        return self.decode(code), code


class VAE(Autoencoder):
    """Variational autoencoder (Kingma & Welling 2014) on the encoder and decoder of `Autoencoder`.

    The encoder's feature map goes to the linear heads `mu` and `logvar`. In evaluation mode the code is the
    mean.
    """

    def _add_heads(self, features: int, latent: int) -> None:
        self.mu = nn.Linear(features, latent)
        self.logvar = nn.Linear(features, latent)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Reconstruction (b, 3, S, S) of the images, mean and log variance (b, latent) of their code."""
        maps = self.encoder(images)
        mu, logvar = self.mu(maps).float(), self.logvar(maps).float().clamp(-10, 10)
        sample = mu + torch.randn_like(mu) * torch.exp(logvar / 2) if self.training else mu
        return self.decode(sample), mu, logvar


# ---- with published weights, and the keys of their files --------------------------------------------------


class BurgessEncoder(nn.Module):
    """Encoder of `BurgessVAE`; every activation is a module (no weights), so that it can be recorded."""

    def __init__(self, latent: int):
        super().__init__()
        for index, name in enumerate(("conv1", "conv2", "conv3", "conv_64")):
            self.add_module(name, nn.Conv2d(32 if index else 3, 32, 4, stride=2, padding=1))
            self.add_module(f"{name}_relu", nn.ReLU())
        self.lin1, self.lin1_relu = nn.Linear(512, 256), nn.ReLU()
        self.lin2, self.lin2_relu = nn.Linear(256, 256), nn.ReLU()
        self.mu_logvar_gen = nn.Linear(256, 2 * latent)
        self.mu = nn.Identity()

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        for name in ("conv1", "conv2", "conv3", "conv_64"):
            x = self.get_submodule(f"{name}_relu")(self.get_submodule(name)(x))
        x = self.lin1_relu(self.lin1(x.flatten(1)))
        x = self.lin2_relu(self.lin2(x))
        # mean and log variance alternate in the published weights
        mu, logvar = self.mu_logvar_gen(x).unflatten(1, (-1, 2)).unbind(-1)
        return self.mu(mu), logvar


class BurgessDecoder(nn.Module):
    """Decoder of `BurgessVAE`, the mirror image of its encoder."""

    def __init__(self, latent: int):
        super().__init__()
        self.lin1, self.lin2, self.lin3 = nn.Linear(latent, 256), nn.Linear(256, 256), nn.Linear(256, 512)
        self.convT_64 = nn.ConvTranspose2d(32, 32, 4, stride=2, padding=1)
        self.convT1 = nn.ConvTranspose2d(32, 32, 4, stride=2, padding=1)
        self.convT2 = nn.ConvTranspose2d(32, 32, 4, stride=2, padding=1)
        self.convT3 = nn.ConvTranspose2d(32, 3, 4, stride=2, padding=1)

    def forward(self, code: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.lin3(F.relu(self.lin2(F.relu(self.lin1(code))))))
        x = x.unflatten(1, (32, 4, 4))
        x = F.relu(self.convT2(F.relu(self.convT1(F.relu(self.convT_64(x))))))
        return torch.sigmoid(self.convT3(x))


class BurgessVAE(nn.Module):
    """VAE of Burgess et al. 2018 (arXiv:1804.03599) for 64 x 64 RGB images in [0, 1].

    Keys as published by YannDubs/disentangling-vae. Evaluation only: the code is the mean.
    """

    def __init__(self, latent: int = 10):
        super().__init__()
        self.encoder = BurgessEncoder(latent)
        self.decoder = BurgessDecoder(latent)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Reconstruction (b, 3, 64, 64), mean and log variance (b, latent) of images (b, 3, 64, 64)."""
        mu, logvar = self.encoder(images)
        return self.decoder(mu), mu, logvar


class BoltsVAE(nn.Module):
    """Encoder of the VAE of lightning-bolts: a ResNet-18 and the mean and log variance of the code.

    Keys as in its checkpoints (`encoder.*`, `fc_mu`, `fc_var`); the decoder is left out, since nothing after
    the code is recorded. Evaluation only: the code is the mean, `fc_mu`.

    Parameters
    ----------
    first_conv : 7 x 7 stem of stride 2 (STL-10, 96 pixels), else 3 x 3 of stride 1 (CIFAR-10, 32 pixels)
    maxpool1 : max pooling after the stem
    latent : dimensions of the code
    """

    def __init__(self, first_conv: bool = False, maxpool1: bool = False, latent: int = 256):
        super().__init__()
        self.encoder = torchvision.models.resnet18(weights=None)
        if not first_conv:
            self.encoder.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        if not maxpool1:
            self.encoder.maxpool = nn.Identity()
        features = self.encoder.fc.in_features
        self.encoder.fc = nn.Identity()
        self.fc_mu, self.fc_var = nn.Linear(features, latent), nn.Linear(features, latent)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and log variance (b, latent) of the code of images (b, 3, S, S)."""
        features = self.encoder(images)
        return self.fc_mu(features), self.fc_var(features)


class AutoencoderKLEncoder(nn.Module):
    """Encoder of diffusers' AutoencoderKL, the VAE of latent diffusion (Rombach et al. 2022, CVPR).

    Keys as in diffusers (`encoder.*`, `quant_conv`); the decoder is left out. `mu` is the mean of the code, a
    map (b, latent_channels, S / 8, S / 8).

    Parameters
    ----------
    block_out_channels, layers_per_block, latent_channels : of the published configuration; the defaults are
        those of stabilityai/sd-vae-ft-mse

    Raises
    ------
    InputError : diffusers, an optional package, is not installed.
    """

    def __init__(
        self,
        block_out_channels: tuple[int, ...] = (128, 256, 512, 512),
        layers_per_block: int = 2,
        latent_channels: int = 4,
    ):
        super().__init__()
        try:
            from diffusers import AutoencoderKL
        except ImportError as error:
            raise InputError(
                "package",
                f"no diffusers ({error})",
                "this package: pip install -r requirements-extra.txt",
                file="network: source autoencoder_kl",
            ) from error
        blocks = len(block_out_channels)
        whole = AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * blocks,
            up_block_types=("UpDecoderBlock2D",) * blocks,
            block_out_channels=tuple(block_out_channels),
            layers_per_block=layers_per_block,
            latent_channels=latent_channels,
        )
        self.encoder, self.quant_conv = whole.encoder, whole.quant_conv
        self.mu = nn.Identity()

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and log variance of the code of images (b, 3, S, S) in [-1, 1]."""
        mu, logvar = self.quant_conv(self.encoder(images)).chunk(2, dim=1)
        return self.mu(mu), logvar
