"""Comparison of RDMs against scipy and rsatoolbox."""

import numpy as np
import pytest
import rsatoolbox
from scipy import stats

from cortexrsa.geometry.compare import compare, normalise
from cortexrsa.geometry.registry import COMPARISONS

RSATOOLBOX = {name: name for name in COMPARISONS} | {"pearson": "corr"}


@pytest.fixture
def rdms():
    values = np.random.default_rng(0).random((7, 190))
    values[2] = np.round(values[2] * 4)
    values[5] = np.round(values[5] * 9)
    return values[:4], values[4:]


def test_spearman_equals_scipy_with_ties(rdms):
    expected = [[stats.spearmanr(x, y).statistic for y in rdms[1]] for x in rdms[0]]
    assert np.abs(compare(*rdms) - expected).max() < 1e-12


@pytest.mark.parametrize("comparison", RSATOOLBOX)
def test_equals_rsatoolbox(rdms, comparison):
    first, second = (rsatoolbox.rdm.RDMs(r) for r in rdms)
    expected = rsatoolbox.rdm.compare(first, second, method=RSATOOLBOX[comparison])
    assert np.abs(compare(*rdms, comparison) - expected).max() < 1e-12


def test_tau_equals_scipy(rdms):
    """scipy's tau-b, undone: (concordant - discordant) over all pairs instead of those without ties."""

    def untied(values):
        pairs = len(values) * (len(values) - 1) / 2
        ties = np.unique(values, return_counts=True)[1]
        return np.sqrt(1 - (ties * (ties - 1) / 2).sum() / pairs)

    expected = [[stats.kendalltau(x, y).statistic * untied(x) * untied(y) for y in rdms[1]] for x in rdms[0]]
    assert np.abs(compare(*rdms, "tau-a") - expected).max() < 1e-12


@pytest.mark.parametrize("comparison", ["corr_cov", "cosine_cov"])
def test_whitening_is_that_of_the_covariance_matrix(comparison):
    """Against V as defined, inverted as a whole."""
    generator = np.random.default_rng(1)
    first, second = generator.random((2, 66))
    rows, columns = np.triu_indices(12, 1)
    contrasts = np.eye(12)[rows] - np.eye(12)[columns]
    inverse = np.linalg.inv((contrasts @ contrasts.T) ** 2)
    if comparison == "corr_cov":
        first, second = first - first.mean(), second - second.mean()
    expected = first @ inverse @ second / np.sqrt(first @ inverse @ first * (second @ inverse @ second))
    assert compare(first[None], second[None], comparison)[0, 0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_threads_change_nothing(rdms, comparison):
    assert (compare(*rdms, comparison) == compare(*rdms, comparison, threads=3)).all()


def test_inner_products_of_normalised_rdms_are_similarities(rdms):
    for comparison in (name for name in COMPARISONS if name != "tau-a"):
        products = normalise(rdms[0], comparison) @ normalise(rdms[1], comparison).T
        assert np.abs(products - compare(*rdms, comparison)).max() < 1e-12


def test_broken_rdms_have_no_score(rdms):
    first, second = (r.copy() for r in rdms)
    first[1, 3] = np.nan
    second[0] = 0.5
    scores = compare(first, second)
    assert np.isnan(scores[1]).all()
    assert np.isnan(scores[:, 0]).all()
    assert np.isfinite(np.delete(scores, 1, 0)[:, 1:]).all()
