"""Losses of guided training against scipy, scikit-learn and the project's geometry, and their gradients."""

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.spatial.distance import pdist, squareform
from sklearn.linear_model import Ridge

from cortexrsa.geometry.grams import u_centred
from cortexrsa.guidance import losses
from cortexrsa.guidance.settings import TARGETS

RANDOM = np.random.default_rng(0)
FEATURES, RESPONSES = RANDOM.normal(size=(16, 40)), RANDOM.normal(size=(16, 12))
RESPONSES[:, :6] += FEATURES[:, :6]


def target_of(loss: str, responses: np.ndarray, dissimilarity: str = "correlation") -> torch.Tensor:
    centred = responses - responses.mean(axis=0)
    metric = "correlation" if dissimilarity == "correlation" else "sqeuclidean"
    found = {"rdm": squareform(pdist(responses, metric)), "gram": centred @ centred.T, "responses": responses}
    return torch.from_numpy(found[TARGETS[loss]])


def similarity_of(loss: str, features=FEATURES, **options) -> float:
    dissimilarity = options.get("dissimilarity", "correlation")
    return losses.similarity(loss, **options)(
        torch.from_numpy(features), target_of(loss, RESPONSES, dissimilarity)
    ).item()


@pytest.mark.parametrize(("dissimilarity", "metric"), [("correlation",) * 2, ("euclidean", "sqeuclidean")])
def test_rdm_similarities_are_those_of_scipy(dissimilarity, metric):
    own, other = pdist(FEATURES, metric), pdist(RESPONSES, metric)
    found = similarity_of("rdm_pearson", dissimilarity=dissimilarity)
    assert found == pytest.approx(stats.pearsonr(own, other)[0], abs=1e-10)
    exact = stats.spearmanr(own, other)[0]
    assert similarity_of("rdm_spearman", dissimilarity=dissimilarity, temperature=0) == pytest.approx(exact)
    # soft ranks tend to the exact ones
    errors = [
        abs(similarity_of("rdm_spearman", dissimilarity=dissimilarity, temperature=t) - exact)
        for t in (0.3, 0.03, 1e-4)
    ]
    assert errors[2] < 1e-3
    assert errors[1] < 0.01
    assert errors[0] < 0.05


def test_ranks_have_midranks_for_ties():
    values = np.array([3.0, 1.0, 3.0, 2.0, 1.0, 3.0])
    expected = stats.rankdata(values)
    assert losses.midranks(torch.from_numpy(values)).tolist() == pytest.approx(expected)
    assert losses.soft_ranks(torch.from_numpy(values), 1e-4).tolist() == pytest.approx(expected)


def test_cka_is_the_debiased_one_of_the_geometry():
    one, two = (u_centred(pdist(x, "sqeuclidean")) for x in (FEATURES, RESPONSES))
    assert similarity_of("cka") == pytest.approx(one @ two / np.sqrt(one @ one * (two @ two)), abs=1e-10)
    # without bias: of many pairs of independent patterns, the mean is 0
    random = np.random.default_rng(1)
    found = [
        losses.debiased_cka(
            torch.from_numpy(random.normal(size=(12, 50))), target_of("cka", random.normal(size=(12, 30)))
        )
        for _ in range(200)
    ]
    assert np.mean(found) == pytest.approx(0, abs=3 * np.std(found) / np.sqrt(200))


def test_the_readout_is_ridge_regression_on_the_other_half():
    ridge, found = 0.3, []
    for a, b in ((slice(None, 8), slice(8, None)), (slice(8, None), slice(None, 8))):
        centred = FEATURES[a] - FEATURES[a].mean(axis=0)
        alpha = ridge * (centred**2).sum(axis=1).mean()
        predicted = Ridge(alpha).fit(FEATURES[a], RESPONSES[a]).predict(FEATURES[b])
        found += [stats.pearsonr(one, two)[0] for one, two in zip(predicted.T, RESPONSES[b].T, strict=True)]
    assert similarity_of("readout", ridge=ridge) == pytest.approx(np.mean(found), abs=1e-9)


@pytest.mark.parametrize("loss", TARGETS)
def test_every_loss_passes_the_gradient_of_its_value(loss):
    measure, target = losses.similarity(loss, temperature=0.2), target_of(loss, RESPONSES)
    features = torch.from_numpy(FEATURES).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: measure(x, target), (features,), atol=1e-6)
    (gradient,) = torch.autograd.grad(measure(features, target), features)
    # it reaches every stimulus
    assert (gradient.abs().sum(1) > 1e-6).all()


@pytest.mark.parametrize("loss", TARGETS)
def test_what_is_the_same_has_a_similarity_of_one_and_constants_are_no_accident(loss):
    target = target_of(loss, FEATURES)
    if loss != "readout":
        found = losses.similarity(loss, temperature=0)(torch.from_numpy(FEATURES), target)
        assert found.item() == pytest.approx(1)
    constant = torch.ones(16, 5, dtype=torch.float64, requires_grad=True)
    found = losses.similarity(loss)(constant, target)
    assert found.item() == pytest.approx(0, abs=1e-6)
    (gradient,) = torch.autograd.grad(found, constant)
    assert torch.isfinite(gradient).all()
