"""Comparison of RDMs against scipy and rsatoolbox."""

import numpy as np
import pytest
import rsatoolbox
from scipy import stats

from cortexrsa.geometry.compare import compare

RSATOOLBOX = {"spearman": "spearman", "rho-a": "rho-a", "pearson": "corr", "cosine": "cosine"}


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


def test_broken_rdms_have_no_score(rdms):
    first, second = (r.copy() for r in rdms)
    first[1, 3] = np.nan
    second[0] = 0.5
    scores = compare(first, second)
    assert np.isnan(scores[1]).all()
    assert np.isnan(scores[:, 0]).all()
    assert np.isfinite(np.delete(scores, 1, 0)[:, 1:]).all()
