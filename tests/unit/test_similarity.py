"""Similarities in resamples against rsatoolbox on the same resamples."""

import numpy as np
import pytest
import rsatoolbox

from cortexrsa.errors import InputError
from cortexrsa.geometry.compare import compare
from cortexrsa.geometry.rdm import rdm
from cortexrsa.geometry.registry import COMPARISONS
from cortexrsa.inference import similarity as resampling
from cortexrsa.inference.draws import draw_counts
from cortexrsa.inference.similarity import resampled_similarity

RSATOOLBOX = {name: name for name in COMPARISONS} | {"pearson": "corr"}
N = 24


@pytest.fixture(scope="module")
def rdms():
    generator = np.random.default_rng(0)
    latent = generator.normal(size=(N, 5))
    values = np.stack(
        [rdm(latent @ generator.normal(size=(5, 40)) + generator.normal(size=(N, 40))) for _ in range(7)]
    )
    values[1] = np.round(values[1] * 6) / 6  # many ties
    values[5] = np.round(values[5] * 3) / 3
    return values[:3], values[3:]


@pytest.mark.parametrize("comparison", RSATOOLBOX)
def test_equals_rsatoolbox_on_the_same_resamples(rdms, comparison):
    brain, models = rdms
    counts = draw_counts(N, 25, 1)
    ours = resampled_similarity(brain, models, counts, comparison)
    for draw, count in enumerate(counts):
        drawn = np.repeat(np.arange(N), count)
        parts = [rsatoolbox.rdm.RDMs(r).subsample_pattern("index", drawn) for r in rdms]
        expected = rsatoolbox.rdm.compare(*parts, method=RSATOOLBOX[comparison])
        assert np.abs(ours[draw] - expected).max() < 1e-12


@pytest.mark.parametrize("comparison", RSATOOLBOX)
def test_all_stimuli_once_is_the_full_sample(rdms, comparison):
    once = resampled_similarity(*rdms, np.ones((1, N), int), comparison)[0]
    assert np.abs(once - compare(*rdms, comparison)).max() < 1e-12


def test_counts_of_zero_and_one_are_a_subset(rdms):
    keep = np.arange(N) % 2 == 0
    first, second = np.triu_indices(N, 1)
    pairs = keep[first] & keep[second]
    ours = resampled_similarity(*rdms, keep[None].astype(int))[0]
    assert np.abs(ours - compare(rdms[0][:, pairs], rdms[1][:, pairs])).max() < 1e-12


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_threads_change_nothing(rdms, comparison):
    counts = draw_counts(N, 301, 2)
    one, two, three = (resampled_similarity(*rdms, counts, comparison, threads) for threads in (1, 2, 3))
    assert (one == two).all()
    assert (one == three).all()


def test_a_broken_layer_is_nan_and_harms_no_other(rdms):
    brain, models = rdms[0], rdms[1].copy()
    models[2, 5] = np.nan
    counts = draw_counts(N, 5, 3)
    ours = resampled_similarity(brain, models, counts)
    assert np.isnan(ours[:, :, 2]).all()
    assert (np.delete(ours, 2, 2) == np.delete(resampled_similarity(*rdms, counts), 2, 2)).all()


def test_draws_are_a_bootstrap():
    counts = draw_counts(50, 400, 4)
    assert (counts.sum(axis=1) == 50).all()
    assert counts.mean(axis=0) == pytest.approx(np.ones(50), abs=0.25)
    assert (counts == draw_counts(50, 400, 4)).all()
    assert (counts != draw_counts(50, 400, 5)).any()


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_blocks_change_nothing(rdms, comparison, monkeypatch):
    counts = draw_counts(N, 30, 6)
    whole = resampled_similarity(*rdms, counts, comparison)
    # one model at a time, and products over few pairs and resamples
    for name, size in (("SORTED_BYTES", 1), ("WORKSPACE_BYTES", 1), ("PAIR_BLOCK", 17), ("DRAW_BLOCK", 7)):
        monkeypatch.setattr(resampling, name, size)
    assert np.abs(resampled_similarity(*rdms, counts, comparison, threads=2) - whole).max() < 1e-12


@pytest.mark.parametrize("comparison", ["pearson", "corr_cov"])
def test_an_offset_does_no_harm(rdms, comparison):
    brain, models = rdms
    counts = draw_counts(N, 10, 7)
    shifted = resampled_similarity(brain + 1e6, models, counts, comparison)
    assert np.abs(shifted - resampled_similarity(brain, models, counts, comparison)).max() < 1e-7


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_an_rdm_that_does_not_vary_in_a_resample_is_undefined_there(comparison):
    generator = np.random.default_rng(8)
    brain, model = generator.random((2, 1, 45))
    # stimulus 0 alone differs from the others, and one resample lacks it
    model[0] = 0.0
    model[0, :9] = 1.0
    counts = np.ones((2, 10), int)
    counts[1, 0] = 0
    similarity = resampled_similarity(brain, model, counts, comparison)[:, 0, 0]
    assert np.isfinite(similarity[0])
    if comparison == "tau-a":
        assert similarity[1] == 0  # no pair of dissimilarities is concordant or discordant
    else:
        assert np.isnan(similarity[1])


def test_more_stimuli_than_ranks_can_count_are_refused(monkeypatch):
    monkeypatch.setattr(resampling, "MOST_STIMULI", 9)
    rdms = np.random.default_rng(0).random((2, 45))
    counts = np.ones((1, 10), np.int32)
    assert resampled_similarity(rdms, rdms, counts, "pearson").shape == (1, 2, 2)
    with pytest.raises(InputError, match="stimuli: found 10, expected at most 9 for spearman"):
        resampled_similarity(rdms, rdms, counts, "spearman")
