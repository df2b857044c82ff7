"""Mean RDMs against rsatoolbox, and what is made of them in figures."""

import numpy as np
import pandas as pd
import pytest
from rsatoolbox.rdm import RDMs as TheirRDMs
from rsatoolbox.util.inference_util import pool_rdm

from cortexrsa.figures import geometry
from cortexrsa.formats.rdms import RDMs
from cortexrsa.geometry.compare import compare
from cortexrsa.geometry.mean_rdm import mean_rdm, on_scale, sum_of_rdms
from cortexrsa.geometry.registry import COMPARISONS
from cortexrsa.inference.ceilings.subjects import references

THEIR_NAMES = {"pearson": "corr"}


@pytest.fixture
def rdms():
    generator = np.random.default_rng(0)
    shared = generator.normal(size=66)
    # subjects on scales of their own, and ties
    values = (shared + generator.normal(size=(5, 66))) * np.arange(1, 6)[:, None]
    return np.round(values + 20, 1)


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_mean_is_that_of_rsatoolbox(rdms, comparison):
    ours = mean_rdm(rdms, comparison)
    theirs = pool_rdm(TheirRDMs(rdms), method=THEIR_NAMES.get(comparison, comparison)).dissimilarities
    # theirs has another scale, and for centred comparisons another mean: neither is compared
    assert compare(ours[None], theirs, comparison) == pytest.approx(
        compare(ours[None], ours[None], comparison), abs=1e-9
    )


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_mean_of_one_is_that_one(rdms, comparison):
    mean = mean_rdm(rdms[:1], comparison)
    np.testing.assert_allclose(
        compare(mean[None], rdms[1:], comparison), compare(rdms[:1], rdms[1:], comparison), atol=1e-12
    )


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_without_each_is_the_mean_of_the_others(rdms, comparison):
    total = sum_of_rdms(rdms, comparison)
    for k, rdm in enumerate(rdms):
        others, everyone = references(total, on_scale(rdm, comparison), len(rdms))
        np.testing.assert_allclose(others, mean_rdm(np.delete(rdms, k, axis=0), comparison), atol=1e-9)
        np.testing.assert_allclose(everyone, mean_rdm(rdms, comparison), atol=1e-9)


@pytest.mark.parametrize("comparison", COMPARISONS)
@pytest.mark.parametrize("subjects", [1, 3])
def test_figure_draws_the_similarities_of_scores(rdms, comparison, subjects, monkeypatch):
    """Distances of layers and ROIs are 1 - similarity: with one subject, 1 - score."""
    drawn = []

    class Recorded(geometry.MDS):
        def fit_transform(self, distance):
            drawn.append(distance)
            return super().fit_transform(distance)

    monkeypatch.setattr(geometry, "MDS", Recorded)
    patterns = pd.DataFrame({"stimulus_id": [f"{k}" for k in range(12)], "split": "test"})
    brain = pd.DataFrame({"subject": range(subjects), "roi": "V1"})
    layers = pd.DataFrame({"layer": ["a", "b"], "depth": [0.0, 1.0]})
    network = RDMs(rdms[3:], layers, patterns, "correlation")
    scores = pd.DataFrame({"model": "net", "roi": "V1", "layer": ["a", "b"], "score": 0.5})
    scores = scores.assign(split="test", subject="group" if subjects > 1 else "0", layer_index=[0, 1])
    figure = geometry.plot_mds(
        RDMs(rdms[:subjects], brain, patterns, "correlation"),
        {"net": network},
        scores,
        {"net": {"label": "Net", "family": "baseline"}},
        comparison,
        seed=0,
    )
    geometry.plt.close(figure)
    mean = mean_rdm(rdms[:subjects], comparison)
    expected = 1 - compare(rdms[3:], mean[None], comparison)[:, 0]
    np.testing.assert_allclose(drawn[0][:2, 2], expected, atol=1e-12)
    if subjects == 1:
        np.testing.assert_allclose(expected, 1 - compare(rdms[3:], rdms[:1], comparison)[:, 0], atol=1e-12)
