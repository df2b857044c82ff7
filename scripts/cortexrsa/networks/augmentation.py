"""Random views of training images: kornia's transformations, a draw of each for every image."""

from __future__ import annotations

import kornia.augmentation as K
import torch
from torch import nn

COLOUR = ("jitter", "grayscale")


class Aperture(nn.Module):
    """Circular aperture on images around 0: 1 inside, falling to 0 over the outer 12 % of the radius."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        size = images.shape[-1]
        axis = (torch.arange(size, device=images.device) + 0.5) / size * 2 - 1
        return images * ((1 - torch.hypot(axis[:, None], axis[None, :])) / 0.12).clamp(0, 1)


class Views(nn.Module):
    """Random views (b, C or 3, S, S) of images (b, C, S, S) in [0, 1].

    The random state is PyTorch's global one: seed it to repeat a view.

    Parameters
    ----------
    settings : any of, in the order in which they act,
        `crop` (range of the area that is cut out and enlarged to the whole);
        `rotation` (degrees, to either side), `scale` (range), `shift` (of half the image, to either side):
        one affine transformation, with grey where nothing comes in;
        `flip` (mirror every second image);
        `jitter` ([brightness, contrast, saturation, hue], of four in five images), `grayscale` (probability);
        `contrast` (range of a factor about grey), `brightness` (largest shift), `polarity` (invert every
        second image);
        `blur` (probability), `noise` (SD, in every second image), `aperture` (put back after a shift)
    size : S
    """

    def __init__(self, settings: dict, size: int):
        super().__init__()
        self.colour = any(settings.get(key) for key in COLOUR)
        # in [0, 1]
        first: list[nn.Module] = []
        if "crop" in settings:
            first.append(K.RandomResizedCrop((size, size), scale=tuple(settings["crop"])))
        if settings.get("flip"):
            first.append(K.RandomHorizontalFlip())
        if settings.get("jitter"):
            first.append(K.ColorJitter(*settings["jitter"], p=0.8))
        if settings.get("grayscale"):
            first.append(K.RandomGrayscale(p=settings["grayscale"]))
        # around 0, which is grey
        second: list[nn.Module] = []
        if any(key in settings for key in ("rotation", "scale", "shift")):
            shift = settings.get("shift", 0.0) / 2
            second.append(
                K.RandomAffine(
                    settings.get("rotation", 0.0),
                    translate=(shift, shift),
                    scale=tuple(settings.get("scale", (1.0, 1.0))),
                    p=1.0,
                )
            )
        if "contrast" in settings:
            second.append(K.RandomContrast(tuple(settings["contrast"]), clip_output=False, p=1.0))
        if settings.get("polarity"):
            second.append(K.RandomInvert(max_val=0.0))
        if settings.get("brightness"):
            bounds = (1 - settings["brightness"], 1 + settings["brightness"])
            second.append(K.RandomBrightness(bounds, clip_output=False, p=1.0))
        if settings.get("blur"):
            second.append(K.RandomGaussianBlur((5, 5), (0.1, 1.5), p=settings["blur"]))
        if settings.get("noise"):
            second.append(K.RandomGaussianNoise(std=settings["noise"]))
        if settings.get("aperture"):
            second.append(Aperture())
        self.first, self.second = nn.Sequential(*first), nn.Sequential(*second)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.colour:
            images = images.expand(-1, 3, -1, -1)
        images = self.first(images)
        if len(self.second):
            images = self.second(images - 0.5) + 0.5
        return images.clamp(0, 1)
