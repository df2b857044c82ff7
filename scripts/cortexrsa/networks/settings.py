"""What a card says of a network's input and of its training; made once, in the script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cortexrsa.formats.padding import BACKGROUND


@dataclass(frozen=True)
class Preprocessing:
    """`preprocessing` of a card: how stimuli become the input of its network.

    Attributes
    ----------
    size : side of the input, in pixels
    mean, std : of the three channels, for images in [0, 1]; None: images stay as they are
    interpolation : bilinear, with antialiasing
    background : grey (0 to 255) of the square in whose middle an image lies that is not square itself
    """

    size: int
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    interpolation: str = "bilinear"
    background: int = BACKGROUND


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """`weights: training` of a card.

    Attributes
    ----------
    objective : one of `objectives.OBJECTIVES`
    images_seen, batch_size : in images; their quotient is the number of steps
    learning_rate : at its peak
    seed : of the random weights, of the order of the images, and of all that is drawn
    corpus : name of its card
    norm_batch : images over which batch normalisation takes its statistics; None: those of the batch
    optimizer : adamw or sgd (momentum 0.9, Nesterov)
    weight_decay : not of biases and normalisation
    warmup : share of the steps
    gradient_clip : largest norm of the gradient; None: any
    precision : auto (bfloat16 where the hardware multiplies it natively), float32 or bfloat16
    augmentation : see `augmentation.Views`
    label_smoothing : of the supervised objective
    temperature : of SimCLR
    projection : hidden and output units of the projection head (SimCLR, Barlow Twins); None: the objective's
    redundancy : weight of the off-diagonal terms of Barlow Twins
    decoder_sd, beta, beta_warmup : of the VAE, see `objectives.VariationalBound`
    """

    objective: str
    images_seen: int
    batch_size: int
    learning_rate: float
    seed: int
    corpus: str | None = None
    norm_batch: int | None = None
    optimizer: str = "adamw"
    weight_decay: float = 0.0
    warmup: float = 0.1
    gradient_clip: float | None = None
    precision: str = "auto"
    augmentation: dict = field(default_factory=dict)
    label_smoothing: float = 0.0
    temperature: float | None = None
    projection: Sequence[int] | None = None
    redundancy: float = 5e-3
    decoder_sd: float | None = None
    beta: float = 1.0
    beta_warmup: float = 0.3

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return self.images_seen // self.batch_size
