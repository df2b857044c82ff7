"""Losses against naive forms of the papers' formulas."""

import numpy as np
import pytest
import torch
from torch import nn

from cortexrsa.networks.build import build
from cortexrsa.networks.objectives import OBJECTIVES, kl_divergence
from cortexrsa.networks.settings import Recipe

HEADLESS = {
    "source": "resnet",
    "name": "resnet18",
    "options": {"width": 4, "stem": "small", "classes": 0},
}


def recipe_of(name, **changes):
    return Recipe(objective=name, images_seen=64, batch_size=8, learning_rate=1e-3, seed=1, **changes)


def objective(name, source="resnet", **recipe):
    options = {"width": 4, "stem": "small"}
    options |= {"latent": 8, "size": 16} if source in ("vae", "autoencoder") else {"classes": 0}
    network = build({"source": source, "name": "resnet18", "options": options}, seed=1)
    return OBJECTIVES[name](network, recipe_of(name, **recipe))


def embedded(name, z, **recipe):
    """Loss of given embeddings, past the projection head."""
    found = objective(name, **recipe)
    found.projection = nn.Identity()
    return found.loss((z,), None, None, 0.5).item()


def test_simclr_is_the_papers_sum():
    z = torch.randn(8, 5, generator=torch.Generator().manual_seed(0))
    unit = (z / z.norm(dim=1, keepdim=True)).double().numpy()
    losses = []
    for i in range(8):
        # rows 2k and 2k + 1 are views of one image
        similarity = np.exp(unit @ unit[i] / 0.3)
        losses.append(-np.log(similarity[i ^ 1] / (similarity.sum() - similarity[i])))
    assert embedded("simclr", z, temperature=0.3) == pytest.approx(np.mean(losses), rel=1e-5)


def test_barlow_twins_is_the_papers_sum():
    z = torch.randn(32, 5, generator=torch.Generator().manual_seed(0))
    a, b = ((x - x.mean(0)) / x.std(0) for x in (z[0::2].double().numpy(), z[1::2].double().numpy()))
    correlation = a.T @ b / 16
    on = ((1 - np.diag(correlation)) ** 2).sum()
    off = (correlation**2).sum() - (np.diag(correlation) ** 2).sum()
    # batch normalisation adds 1e-5 to the variance
    assert embedded("barlow_twins", z, redundancy=0.01) == pytest.approx(on + 0.01 * off, rel=1e-3)


def test_kl_is_that_of_normal_distributions():
    mu, logvar = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0))
    posterior = torch.distributions.Normal(mu, torch.exp(logvar / 2))
    expected = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(kl_divergence(mu, logvar), expected)


def test_variational_bound_warms_its_kl_up():
    bound = objective("vae", "vae", decoder_sd=0.5, beta=2.0)
    bound.network.eval()
    x = torch.rand(5, 3, 16, 16)
    with torch.inference_mode():
        outputs = bound.outputs(x)
        start, half, end = (bound.loss(outputs, x, None, done).item() for done in (0.0, 0.15, 0.9))
    reconstruction, mu, logvar = outputs
    error = ((reconstruction - x) ** 2).mean().item() / (2 * 0.5**2)
    kl = kl_divergence(mu, logvar).mean().item() / (3 * 16 * 16)
    assert start == pytest.approx(error, rel=1e-5)
    assert half == pytest.approx(error + kl, rel=1e-5)
    assert end == pytest.approx(error + 2 * kl, rel=1e-5)


def test_the_autoencoder_reconstructs():
    reconstruction = objective("autoencoder", "autoencoder")
    x = torch.rand(5, 3, 16, 16)
    outputs = reconstruction.outputs(x)
    assert reconstruction.loss(outputs, x, None, 0).item() == pytest.approx(
        ((outputs[0] - x) ** 2).mean().item()
    )


def test_supervised_is_cross_entropy_with_smoothed_labels():
    logits, labels = torch.randn(6, 3), torch.tensor([0, 1, 2, 0, 1, 2])
    target = torch.full((6, 3), 0.1 / 3)
    target[torch.arange(6), labels] += 0.9
    expected = -(target * logits.log_softmax(1)).sum(1).mean().item()
    found = OBJECTIVES["supervised"](nn.Identity(), recipe_of("supervised", label_smoothing=0.1))
    assert found.loss((logits,), None, labels, 0).item() == pytest.approx(expected, rel=1e-6)
