"""Bootstrap against rsatoolbox on the same resamples, and against simulated truth."""

import numpy as np
import pytest
import rsatoolbox
from rsatoolbox.util.inference_util import _dual_bootstrap

from cortexrsa.geometry.compare import compare
from cortexrsa.geometry.rdm import rdm
from cortexrsa.inference.bootstrap import (
    Resampled,
    draw_counts,
    group_scores,
    interval,
    resampled_similarity,
    standard_error,
)

RSATOOLBOX = {"spearman": "spearman", "rho-a": "rho-a", "pearson": "corr", "cosine": "cosine"}
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
    counts = draw_counts(N, 25, seed=1)
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


def test_threads_change_nothing(rdms):
    counts = draw_counts(N, 31, seed=2)
    one, two = (resampled_similarity(*rdms, counts, threads=threads) for threads in (1, 2))
    assert (one == two).all()


def test_a_broken_layer_is_nan_and_harms_no_other(rdms):
    brain, models = rdms[0], rdms[1].copy()
    models[2, 5] = np.nan
    counts = draw_counts(N, 5, seed=3)
    ours = resampled_similarity(brain, models, counts)
    assert np.isnan(ours[:, :, 2]).all()
    assert (np.delete(ours, 2, 2) == np.delete(resampled_similarity(*rdms, counts), 2, 2)).all()


def test_draws_are_a_bootstrap():
    counts = draw_counts(50, 400, seed=4)
    assert (counts.sum(axis=1) == 50).all()
    assert counts.mean(axis=0) == pytest.approx(np.ones(50), abs=0.25)
    assert (counts == draw_counts(50, 400, seed=4)).all()
    assert (counts != draw_counts(50, 400, seed=5)).any()


def test_two_factor_variance_equals_rsatoolbox():
    generator = np.random.default_rng(5)
    scores = generator.normal(0.2, 0.1, size=(9, 4))
    # an interaction of subjects with stimuli, so that no bound of the correction is active
    draws = scores + generator.normal(0, 0.3, size=(300, 9, 4)) + generator.normal(0, 0.1, size=(300, 1, 4))
    group = group_scores(scores, draws, 40, seed=6)
    variances = [np.var(d, axis=0) for d in (group.both, group.subject, group.stimulus)]
    expected = _dual_bootstrap(np.stack(variances), n_rdm=9, n_pattern=40)
    assert standard_error(group) ** 2 == pytest.approx(expected, rel=1e-12)


def test_two_factor_error_of_additive_data():
    """Score = subject effect + stimulus effect: the variances of the two means add up."""
    generator = np.random.default_rng(7)
    n_subjects, n_stimuli, trials = 12, 30, 300
    estimated, means, theirs = [], [], []
    for trial in range(trials):
        values = generator.normal(0, 1, (n_subjects, 1)) + generator.normal(0, 2, (1, n_stimuli))
        weights = draw_counts(n_stimuli, 200, seed=trial) / n_stimuli
        draws = weights @ values.T
        group = group_scores(values.mean(axis=1), draws, n_stimuli, seed=trial + 1000)
        estimated.append(standard_error(group) ** 2)
        variances = np.array([[np.var(d)] for d in (group.both, group.subject, group.stimulus)])
        theirs.append(_dual_bootstrap(variances, n_rdm=n_subjects, n_pattern=n_stimuli)[0])
        means.append(values.mean())
    truth = 1 / n_subjects + 4 / n_stimuli
    assert np.mean(estimated) == pytest.approx(truth, rel=0.1)
    assert np.var(means) == pytest.approx(truth, rel=0.3)
    # without an interaction, rsatoolbox's bound binds (docs/statistics.md)
    assert np.mean(theirs) == pytest.approx(0.9 * truth, rel=0.03)


def test_one_factor_error_has_the_small_sample_correction():
    draws = np.random.default_rng(8).normal(size=(500, 3))
    resampled = Resampled(np.zeros(3), draws, None, None, 10, 1)
    assert standard_error(resampled) == pytest.approx(draws.std(axis=0) * np.sqrt(10 / 9))


def test_interval_covers_the_population_score():
    """95 % intervals over stimuli, of a layer that shares part of its code with the ROI."""
    generator = np.random.default_rng(9)
    code, other = generator.normal(size=(6, 60)), generator.normal(size=(6, 60))

    def sample(n):
        latent, noise = generator.normal(size=(n, 6)), generator.normal(size=(n, 6))
        brain = latent @ code
        model = latent @ other + 0.7 * noise @ other
        return rdm(brain)[None], rdm(model)[None]

    truth = compare(*sample(1500))[0, 0]
    covered = []
    for trial in range(200):
        brain, model = sample(40)
        draws = resampled_similarity(brain, model, draw_counts(40, 300, seed=trial))[:, 0, 0]
        estimate = compare(brain, model)[0, 0]
        _, low, high = interval(Resampled(estimate, draws, None, None, 40, 1))
        covered.append(low <= truth <= high)
    # 95 % within Monte Carlo error of 200 trials (three standard errors)
    assert 0.90 <= np.mean(covered) <= 0.995


def test_a_statistic_undefined_in_few_resamples_has_an_error_and_in_many_has_none():
    draws = np.random.default_rng(10).normal(size=(400, 3))
    draws[:12, 1] = np.nan
    draws[:40, 2] = np.nan
    error = standard_error(Resampled(np.zeros(3), draws, None, None, 40, 1))
    expected = draws[12:, 1].std() * np.sqrt(40 / 39)
    assert error[1] == pytest.approx(expected)
    assert np.isnan(error).tolist() == [False, False, True]
