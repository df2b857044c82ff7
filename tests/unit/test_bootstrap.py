"""Errors of resampled statistics: against rsatoolbox, and against simulated truth."""

import numpy as np
import pytest
from rsatoolbox.util.inference_util import _dual_bootstrap
from scipy import stats

from cortexrsa.geometry.compare import compare
from cortexrsa.geometry.rdm import rdm
from cortexrsa.inference.bootstrap import (
    Resampled,
    Resamples,
    group_scores,
    interval,
    interval_of_samples,
    left_out_counts,
    noise_shares,
    p_value,
    sampling_variance,
    standard_error,
)
from cortexrsa.inference.resampling import draw_counts, resampled_similarity


def test_two_factor_variance_equals_rsatoolbox():
    generator = np.random.default_rng(5)
    scores = generator.normal(0.2, 0.1, size=(9, 4))
    # an interaction of subjects with stimuli, so that no bound of the correction is active
    draws = scores + generator.normal(0, 0.3, size=(300, 9, 4)) + generator.normal(0, 0.1, size=(300, 1, 4))
    group = group_scores(scores, draws, 40, seed=6)
    variances = [np.var(d, axis=0) for d in (group.both, group.subjects, group.draws)]
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
        variances = np.array([[np.var(d)] for d in (group.both, group.subjects, group.draws)])
        theirs.append(_dual_bootstrap(variances, n_rdm=n_subjects, n_pattern=n_stimuli)[0])
        means.append(values.mean())
    truth = 1 / n_subjects + 4 / n_stimuli
    assert np.mean(estimated) == pytest.approx(truth, rel=0.1)
    assert np.var(means) == pytest.approx(truth, rel=0.3)
    # without an interaction, rsatoolbox's bound binds (docs/statistics.md)
    assert np.mean(theirs) == pytest.approx(0.9 * truth, rel=0.03)


def test_one_factor_error_has_the_small_sample_correction():
    draws = np.random.default_rng(8).normal(size=(500, 3))
    resampled = Resampled(np.zeros(3), draws, 10)
    assert standard_error(resampled) == pytest.approx(draws.std(axis=0) * np.sqrt(10 / 9))


def mean_over_pairs(noise, counts):
    """Mean of pair noise (trials, n, n) over the pairs in each resample: (trials, resamples)."""
    counts = counts.astype(float)
    pairs = counts.sum(axis=1) ** 2 - (counts**2).sum(axis=1)
    return np.einsum("bi,tij,bj->tb", counts, noise, counts, optimize=True) / pairs


@pytest.mark.parametrize("kind", ["stimulus", "pair", "both"])
@pytest.mark.parametrize(("n", "groups"), [(30, 200), (60, 40)])
def test_corrected_variance_is_that_of_the_noise(kind, n, groups):
    """Means over pairs, noise of stimuli or pairs or both: expected variance known, V is unbiased for it."""
    generator = np.random.default_rng(11)
    trials = 600
    stimulus = generator.normal(0, kind != "pair", (trials, n))
    pair = np.triu(generator.normal(0, 4 * (kind != "stimulus"), (trials, n, n)), 1)
    noise = stimulus[:, :, None] + stimulus[:, None] + pair + np.swapaxes(pair, 1, 2)
    noise[:, np.arange(n), np.arange(n)] = 0
    resamples = Resamples(draw_counts(n, 150, 0), left_out_counts(n, 0, groups))
    resampled = resamples.resampled(mean_over_pairs(noise, resamples.counts).T)
    truth = {"stimulus": 4 / n, "pair": 32 / (n * (n - 1))}
    expected = sum(truth.values()) if kind == "both" else truth[kind]
    ratio = sampling_variance(resampled)[0].mean() / expected
    assert np.var(resampled.estimate) == pytest.approx(expected, rel=0.2)
    # where all noise is of pairs the lower bound binds half of the time, harder with fewer groups
    assert ratio == pytest.approx(1, abs=0.08) if kind != "pair" else 0.95 < ratio < 1.4
    if kind == "pair":
        bootstrap = resampled.draws.var(axis=0).mean()
        assert bootstrap == pytest.approx(3 * expected, rel=0.15)


def test_shares_of_noise_are_those_of_the_counts():
    n = 25
    (stimulus, pair), (jack_stimulus, jack_pair) = Resamples.of(n, 20_000, 0).shares
    assert stimulus == pytest.approx(0.9, abs=0.03)
    assert pair == pytest.approx(3, abs=0.2)
    assert jack_stimulus == pytest.approx(1, abs=1e-9)
    assert jack_pair == pytest.approx(2 * (n - 1) / (n - 2), abs=1e-9)  # Efron & Stein 1981
    assert noise_shares(np.ones((3, n), int)) == pytest.approx((0, 0), abs=1e-9)


def test_groups_left_out_part_the_stimuli():
    counts = left_out_counts(50, seed=0, groups=8)
    assert counts.shape == (8, 50)
    assert ((1 - counts).sum(axis=0) == 1).all()
    assert set((1 - counts).sum(axis=1)) == {6, 7}
    assert (left_out_counts(12, seed=0) == 1 - np.eye(12)).all()


def simulated_group(generator, subjects, n, effects, draws=200):
    """Scores that are means over stimuli of subject, stimulus and interaction effects of given SDs."""
    subject, stimulus, interaction = effects
    values = (
        generator.normal(0, subject, (subjects, 1))
        + generator.normal(0, stimulus, (1, n))
        + generator.normal(0, interaction, (subjects, n))
    )
    resamples = Resamples.of(n, draws, int(generator.integers(1 << 30)))
    counts = resamples.counts
    scores, drawn, left_out = resamples.parts((counts / counts.sum(axis=1, keepdims=True)) @ values.T)
    # means over stimuli, not over pairs: no noise of pairs, and the shares of a mean
    shares = np.array([[(n - 1) / n, 3], [1, 2]])
    return group_scores(scores, drawn, n, 0, left_out, shares)


@pytest.mark.parametrize("effects", [(1, 2, 0), (0, 0, 3), (1, 0, 0), (0.5, 1, 4)])
@pytest.mark.parametrize("subjects", [4, 15])
def test_two_factor_intervals_cover(effects, subjects):
    generator = np.random.default_rng(subjects)
    covered, estimates, variances = [], [], []
    for _ in range(300):
        group = simulated_group(generator, subjects, 30, effects)
        _, low, high = interval(group)
        covered.append(low <= 0 <= high)
        estimates.append(group.estimate)
        variances.append(sampling_variance(group)[0])
    error = np.sqrt(0.95 * 0.05 / 300)
    assert 0.95 - 3 * error <= np.mean(covered) <= 0.95 + 3.2 * error
    subject, stimulus, interaction = effects
    truth = subject**2 / subjects + stimulus**2 / 30 + interaction**2 / (30 * subjects)
    assert np.mean(variances) == pytest.approx(truth, rel=0.2)


def test_degrees_of_freedom_follow_the_noisier_factor():
    generator = np.random.default_rng(12)
    by_subject = np.mean(
        [sampling_variance(simulated_group(generator, 5, 40, (3, 1, 0)))[1] for _ in range(20)]
    )
    by_stimulus = np.mean(
        [sampling_variance(simulated_group(generator, 5, 40, (0, 9, 0)))[1] for _ in range(20)]
    )
    assert 3.5 < by_subject < 6
    assert by_stimulus > 20


def test_p_of_a_true_null_is_uniform():
    generator = np.random.default_rng(13)
    p = [p_value(simulated_group(generator, 8, 30, (1, 1, 1))) for _ in range(300)]
    assert stats.kstest(p, "uniform").pvalue > 0.01


@pytest.mark.slow
@pytest.mark.parametrize("signal", [1.0, 0.3])
def test_interval_covers_the_population_score(signal):
    """95 % intervals over stimuli, of a layer that shares part of its code with the ROI."""
    generator = np.random.default_rng(9)
    code, other = generator.normal(size=(6, 60)), generator.normal(size=(6, 60))

    def sample(n):
        latent, noise = generator.normal(size=(n, 6)), generator.normal(size=(n, 6))
        brain = signal * latent @ code + 2 * generator.normal(size=(n, 60))
        model = latent @ other + 0.7 * noise @ other
        return rdm(brain)[None], rdm(model)[None]

    truth = np.mean([compare(*sample(1200))[0, 0] for _ in range(3)])
    covered, plain = [], []
    for trial in range(250):
        brain, model = sample(40)
        resamples = Resamples.of(40, 300, trial)
        scores = resamples.resampled(resampled_similarity(brain, model, resamples.counts)[:, 0, 0])
        for found, score in ((covered, scores), (plain, Resampled(scores.estimate, scores.draws, 40))):
            _, low, high = interval(score)
            found.append(low <= truth <= high)
    # 95 % within Monte Carlo error of 250 trials (three standard errors)
    assert abs(np.mean(covered) - 0.95) <= 3 * np.sqrt(0.95 * 0.05 / 250)
    # without the correction the weak score's interval is too wide
    if signal < 1:
        assert np.mean(plain) > 0.985


def test_a_statistic_undefined_in_few_resamples_has_an_error_and_in_many_has_none():
    draws = np.random.default_rng(10).normal(size=(400, 3))
    draws[:12, 1] = np.nan
    draws[:40, 2] = np.nan
    error = standard_error(Resampled(np.zeros(3), draws, 40))
    expected = draws[12:, 1].std() * np.sqrt(40 / 39)
    assert error[1] == pytest.approx(expected)
    assert np.isnan(error).tolist() == [False, False, True]


def test_interval_of_two_samples_is_that_of_welch():
    """The difference of two means of independent samples, against scipy."""
    generator = np.random.default_rng(3)
    samples = [generator.normal(1, 1, 15), generator.normal(0, 3, 40)]
    parts = []
    for index, (own, other) in enumerate((samples, samples[::-1])):
        resamples = Resamples.of(len(own), 4000, 1, index)
        difference = resamples.counts @ own / resamples.counts.sum(axis=1) - other.mean()
        parts.append(resamples.resampled(-difference if index else difference))
    _, low, high = interval_of_samples(parts, 0.95)
    expected = stats.ttest_ind(*samples, equal_var=False).confidence_interval(0.95)
    # the bootstrap's own error, from 4,000 draws
    np.testing.assert_allclose([low, high], expected, rtol=0, atol=0.03 * (expected.high - expected.low))
