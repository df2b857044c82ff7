"""What a network is trained for. Images, backbone and budget are the same; only this differs."""

from __future__ import annotations

import torch
from lightly.loss import BarlowTwinsLoss, NTXentLoss
from lightly.models.modules.heads import BarlowTwinsProjectionHead, SimCLRProjectionHead
from torch import nn
from torch.nn import functional as F

from cortexrsa.networks.settings import Recipe


class Objective(nn.Module):
    """A network, what is trained beside it, and a loss of the network's output for a whole batch.

    `views` says how many views of each image the loss compares; `loss` gets the network's outputs for all
    of them, image by image (rows 0 and 1 are two views of the first image), so that the network itself may
    run on parts of the batch.
    """

    views = 1

    def __init__(self, network: nn.Module, recipe: Recipe):
        super().__init__()
        self.network, self.recipe = network, recipe

    def outputs(self, views: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Outputs of the network (b, ...) for views (b, 3, S, S)."""
        outputs = self.network(views)
        return outputs if isinstance(outputs, tuple) else (outputs,)

    def loss(
        self, outputs: tuple[torch.Tensor, ...], views: torch.Tensor, labels: torch.Tensor, done: float
    ) -> torch.Tensor:
        """Loss of a batch; `done` is the fraction of the training that lies behind."""
        raise NotImplementedError


class Supervised(Objective):
    """Cross-entropy of the category, with label smoothing (Szegedy et al. 2016)."""

    def loss(self, outputs, views, labels, done):
        smoothing = self.recipe.label_smoothing
        return F.cross_entropy(outputs[0].float(), labels, label_smoothing=smoothing)


class SimCLR(Objective):
    """SimCLR (Chen et al. 2020) with lightly's NT-Xent; the projection head is dropped after training."""

    views = 2

    def __init__(self, network: nn.Module, recipe: Recipe):
        super().__init__(network, recipe)
        hidden, out = recipe.projection or (256, 64)
        self.projection = SimCLRProjectionHead(network.features, hidden, out)
        self.criterion = NTXentLoss(recipe.temperature)

    def loss(self, outputs, views, labels, done):
        z = self.projection(outputs[0]).float()
        return self.criterion(z[0::2], z[1::2])


class BarlowTwins(Objective):
    """Barlow Twins (Zbontar et al. 2021) with lightly's loss; the projection head is dropped at the end."""

    views = 2

    def __init__(self, network: nn.Module, recipe: Recipe):
        super().__init__(network, recipe)
        hidden, out = recipe.projection or (256, 256)
        self.projection = BarlowTwinsProjectionHead(network.features, hidden, out)
        self.criterion = BarlowTwinsLoss(recipe.redundancy)

    def loss(self, outputs, views, labels, done):
        z = self.projection(outputs[0]).float()
        return self.criterion(z[0::2], z[1::2])


class Reconstruction(Objective):
    """Mean squared error of the reconstruction, in units of the standardised input."""

    def loss(self, outputs, views, labels, done):
        return F.mse_loss(outputs[0].float(), views)


def kl_divergence(mu: torch.Tensor, logvar: torch.Tensor) -> torch.Tensor:
    """KL(N(mu, exp(logvar)) || N(0, 1)) in nats (b,), summed over the code (Kingma & Welling 2014)."""
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(1)


class VariationalBound(Objective):
    """Negative evidence lower bound in nats a pixel value, for a Gaussian decoder of fixed SD.

    `decoder_sd` is in units of the standardised input; the weight of the KL rises linearly to `beta` (Higgins
    et al. 2017) over the first `beta_warmup` of the training, without which the code collapses.
    """

    def loss(self, outputs, views, labels, done):
        reconstruction, mu, logvar = outputs
        error = F.mse_loss(reconstruction.float(), views) / (2 * self.recipe.decoder_sd**2)
        beta = self.recipe.beta * min(1.0, done / self.recipe.beta_warmup)
        return error + beta * kl_divergence(mu, logvar).mean() / views[0].numel()


OBJECTIVES = {
    "supervised": Supervised,
    "simclr": SimCLR,
    "barlow_twins": BarlowTwins,
    "autoencoder": Reconstruction,
    "vae": VariationalBound,
}
# the sources of networks that an objective trains
SOURCES = {
    "supervised": ("resnet", "cornet_s", "torchvision"),
    "simclr": ("resnet", "cornet_s"),
    "barlow_twins": ("resnet", "cornet_s"),
    "autoencoder": ("autoencoder",),
    "vae": ("vae",),
}
