"""Errors of resampled statistics: against rsatoolbox, and against simulated truth."""

import numpy as np
import pytest
from rsatoolbox.util.inference_util import _dual_bootstrap
from scipy import stats

from cortexrsa.geometry.compare import compare
from cortexrsa.geometry.rdm import rdm
from cortexrsa.inference.draws import Resamples, draw_counts, left_out_counts, noise_shares
from cortexrsa.inference.errors import Estimate, Replicated, Replicates, over_subjects
from cortexrsa.inference.pair_groups import PairGroups
from cortexrsa.inference.replication import OnePass
from cortexrsa.inference.similarity import resampled_similarity


def plain(estimate, draws, n):
    """A statistic with draws of the plain bootstrap over n stimuli."""
    return Replicated(estimate, draws, Replicates.of_bootstrap(n, len(draws)))


def corrected(values, resamples):
    """A statistic in the sample, the draws and with groups left out: (1 + draws + groups, ...)."""
    return Replicated(values[0], values[1:], Replicates.of_resamples(resamples))


def variances(group, draws):
    """Of a two-factor bootstrap: both factors drawn, subjects drawn, stimuli drawn."""
    stimuli, subjects, both = np.split(group.rows, 3)
    return [np.var(each, axis=0) for each in (both, subjects, stimuli)]


def test_two_factor_variance_equals_rsatoolbox():
    generator = np.random.default_rng(5)
    scores = generator.normal(0.2, 0.1, size=(9, 4))
    # an interaction of subjects with stimuli, so that no bound of the correction is active
    draws = scores + generator.normal(0, 0.3, size=(300, 9, 4)) + generator.normal(0, 0.1, size=(300, 1, 4))
    group = over_subjects(scores, draws - scores, Replicates.of_bootstrap(40, 300), seed=6)
    expected = _dual_bootstrap(np.stack(variances(group, 300)), n_rdm=9, n_pattern=40)
    assert group.evaluated().variance == pytest.approx(expected, rel=1e-12)


def test_two_factor_error_of_additive_data():
    """Score = subject effect + stimulus effect: the variances of the two means add up."""
    generator = np.random.default_rng(7)
    n_subjects, n_stimuli, trials = 12, 30, 300
    estimated, means, theirs = [], [], []
    for trial in range(trials):
        values = generator.normal(0, 1, (n_subjects, 1)) + generator.normal(0, 2, (1, n_stimuli))
        weights = draw_counts(n_stimuli, 200, trial) / n_stimuli
        scores, made = values.mean(axis=1), Replicates.of_bootstrap(n_stimuli, 200)
        group = over_subjects(scores, weights @ values.T - scores, made, seed=trial + 1000)
        estimated.append(group.evaluated().variance)
        parts = np.array(variances(group, 200))[:, None]
        theirs.append(_dual_bootstrap(parts, n_rdm=n_subjects, n_pattern=n_stimuli)[0])
        means.append(values.mean())
    truth = 1 / n_subjects + 4 / n_stimuli
    assert np.mean(estimated) == pytest.approx(truth, rel=0.1)
    assert np.var(means) == pytest.approx(truth, rel=0.3)
    # without an interaction, rsatoolbox's bound binds (docs/statistics.md)
    assert np.mean(theirs) == pytest.approx(0.9 * truth, rel=0.03)


def test_one_factor_error_has_the_small_sample_correction():
    draws = np.random.default_rng(8).normal(size=(500, 3))
    error = np.sqrt(plain(np.zeros(3), draws, 10).evaluated().variance)
    assert error == pytest.approx(draws.std(axis=0) * np.sqrt(10 / 9))


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
    resampled = corrected(mean_over_pairs(noise, resamples.counts).T, resamples)
    truth = {"stimulus": 4 / n, "pair": 32 / (n * (n - 1))}
    expected = sum(truth.values()) if kind == "both" else truth[kind]
    ratio = resampled.evaluated().variance.mean() / expected
    assert np.var(resampled.estimate) == pytest.approx(expected, rel=0.2)
    # where all noise is of pairs the lower bound binds half of the time, harder with fewer groups
    assert ratio == pytest.approx(1, abs=0.08) if kind != "pair" else 0.95 < ratio < 1.4
    if kind == "pair":
        bootstrap = resampled.rows[:150].var(axis=0).mean()
        assert bootstrap == pytest.approx(3 * expected, rel=0.15)


def test_shares_of_noise_are_those_of_the_counts():
    n = 25
    resamples = Resamples.of(n, 20_000, 0)
    stimulus, pair = noise_shares(resamples.draws)
    jack_stimulus, jack_pair = np.array(noise_shares(resamples.left_out)) * (n - 1)
    assert stimulus == pytest.approx(0.9, abs=0.03)
    assert pair == pytest.approx(3, abs=0.2)
    assert jack_stimulus == pytest.approx(1, abs=1e-9)
    assert jack_pair == pytest.approx(2 * (n - 1) / (n - 2), abs=1e-9)  # Efron & Stein 1981
    assert noise_shares(np.ones((3, n), int)) == pytest.approx((0, 0), abs=1e-9)


def test_groups_left_out_part_the_stimuli():
    counts = left_out_counts(50, 0, groups=8)
    assert counts.shape == (8, 50)
    assert ((1 - counts).sum(axis=0) == 1).all()
    assert set((1 - counts).sum(axis=1)) == {6, 7}
    assert (left_out_counts(12, 0) == 1 - np.eye(12)).all()


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
    scores = (counts / counts.sum(axis=1, keepdims=True)) @ values.T
    # means over stimuli, not over pairs: no noise of pairs, and the shares of a mean
    weights = np.linalg.solve([[(n - 1) / n, 1], [3, 2]], [1, 1])
    made = Replicates((draws, n), (weights[0] / draws, weights[1] * (n - 1) / n), 1 / (3 * draws), n - 1.0)
    return over_subjects(scores[0], scores[1:] - scores[0], made, seed=0)


def one_pass_group(generator, subjects, n, effects):
    """The same scores by influences: a mean over stimuli is one over pairs, of (v_i + v_j) / 2."""
    subject, stimulus, interaction = effects
    values = (
        generator.normal(0, subject, (subjects, 1))
        + generator.normal(0, stimulus, (1, n))
        + generator.normal(0, interaction, (subjects, n))
    )
    scores = values.mean(axis=1)
    groups = PairGroups.of(n, 0)
    deviations = np.concatenate([np.zeros((groups.size, subjects)), (values - scores[:, None]).T / n])
    return over_subjects(scores, deviations, Replicates.of_influences(n, groups.size), seed=0)


@pytest.mark.parametrize("effects", [(1, 2, 0), (0, 0, 3), (1, 0, 0), (0.5, 1, 4)])
@pytest.mark.parametrize("subjects", [4, 15])
@pytest.mark.parametrize("simulated", [simulated_group, one_pass_group])
def test_two_factor_intervals_cover(effects, subjects, simulated):
    generator = np.random.default_rng(subjects)
    covered, estimates, variances = [], [], []
    for _ in range(300):
        found = simulated(generator, subjects, 30, effects).evaluated()
        _, low, high = found.interval()
        covered.append(low <= 0 <= high)
        estimates.append(found.value)
        variances.append(found.variance)
    error = np.sqrt(0.95 * 0.05 / 300)
    assert 0.95 - 3 * error <= np.mean(covered) <= 0.95 + 3.2 * error
    subject, stimulus, interaction = effects
    truth = subject**2 / subjects + stimulus**2 / 30 + interaction**2 / (30 * subjects)
    assert np.mean(variances) == pytest.approx(truth, rel=0.2)


def test_degrees_of_freedom_follow_the_noisier_factor():
    generator = np.random.default_rng(12)
    by_subject = np.mean([simulated_group(generator, 5, 40, (3, 1, 0)).evaluated().dof for _ in range(20)])
    by_stimulus = np.mean([simulated_group(generator, 5, 40, (0, 9, 0)).evaluated().dof for _ in range(20)])
    assert 3.5 < by_subject < 6
    assert by_stimulus > 20


def test_p_of_a_true_null_is_uniform():
    generator = np.random.default_rng(13)
    p = [simulated_group(generator, 8, 30, (1, 1, 1)).evaluated().p_value() for _ in range(300)]
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
    covered = {"resampled": [], "one-pass": [], "bootstrap": []}
    for trial in range(250):
        brain, model = sample(40)
        resamples = Resamples.of(40, 300, trial)
        score = corrected(resampled_similarity(brain, model, resamples.counts)[:, 0, 0], resamples)
        method = OnePass(40, trial)
        value, deviations = method.similarity(brain, model, "spearman")
        one_pass = Replicated(value[0, 0], value[0, 0] + deviations[:, 0, 0], method.replicates)
        uncorrected = plain(score.estimate, score.rows[:300], 40)
        for name, each in zip(covered, (score, one_pass, uncorrected), strict=True):
            _, low, high = each.evaluated().interval()
            covered[name].append(low <= truth <= high)
    # 95 % within Monte Carlo error of 250 trials (three standard errors)
    for name in ("resampled", "one-pass"):
        assert abs(np.mean(covered[name]) - 0.95) <= 3 * np.sqrt(0.95 * 0.05 / 250)
    # without the correction the weak score's interval is too wide
    if signal < 1:
        assert np.mean(covered["bootstrap"]) > 0.985


def test_a_statistic_undefined_in_few_resamples_has_an_error_and_in_many_has_none():
    draws = np.random.default_rng(10).normal(size=(400, 3))
    draws[:12, 1] = np.nan
    draws[:40, 2] = np.nan
    error = np.sqrt(plain(np.zeros(3), draws, 40).evaluated().variance)
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
        parts.append(corrected(-difference if index else difference, resamples))
    _, low, high = Estimate.of_samples(parts).interval(0.95)
    expected = stats.ttest_ind(*samples, equal_var=False).confidence_interval(0.95)
    # the bootstrap's own error, from 4,000 draws
    np.testing.assert_allclose([low, high], expected, rtol=0, atol=0.03 * (expected.high - expected.low))


@pytest.mark.parametrize("kind", ["stimulus", "pair", "both"])
def test_influences_give_the_variance_of_the_noise(kind):
    """Means over pairs, noise of stimuli or pairs or both: expected variance known, V is unbiased for it."""
    generator = np.random.default_rng(21)
    n, trials = 30, 600
    stimulus = generator.normal(0, kind != "pair", (trials, n))
    pair = np.triu(generator.normal(0, 4 * (kind != "stimulus"), (trials, n, n)), 1)
    noise = stimulus[:, :, None] + stimulus[:, None] + pair + np.swapaxes(pair, 1, 2)
    noise[:, np.arange(n), np.arange(n)] = 0
    mean = noise.sum(axis=(1, 2)) / (n * (n - 1))
    own = (noise.sum(axis=2) - (n - 1) * mean[:, None]) / (n - 2)
    rest = noise - own[:, :, None] - own[:, None] - mean[:, None, None]
    first, second = np.triu_indices(n, 1)
    rows = np.concatenate([rest[:, first, second] / len(first), 2 / n * own], axis=1).T
    found = Replicated(mean, mean + rows, Replicates.of_influences(n, len(first))).evaluated()
    expected = {"stimulus": 4 / n, "pair": 32 / (n * (n - 1))}
    expected = sum(expected.values()) if kind == "both" else expected[kind]
    ratio = found.variance.mean() / expected
    # where all noise is of pairs the lower bound binds half of the time
    assert ratio == pytest.approx(1, abs=0.05) if kind != "pair" else 0.98 < ratio < 1.3


@pytest.mark.parametrize("subjects", [1, 5])
@pytest.mark.parametrize("simulated", [simulated_group, one_pass_group])
def test_covariance_has_the_variances_and_draws_have_the_covariance(subjects, simulated):
    generator = np.random.default_rng(22)
    one = simulated(generator, subjects, 30, (1, 2, 1))
    other = simulated(generator, subjects, 30, (1, 2, 1))
    both = one.apply(lambda a, b: np.stack([a, a + 2 * b], axis=-1), other)
    covariance = both.covariance()
    np.testing.assert_allclose(np.diag(covariance), both.evaluated().variance, rtol=1e-9)
    difference = both.apply(lambda values: values[..., 1] - values[..., 0]).evaluated().variance
    found = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    assert found == pytest.approx(difference, rel=0.2)
    drawn = both.drawn(seed=0, draws=40_000)
    np.testing.assert_allclose(np.cov(drawn.draws.T), covariance, rtol=0, atol=0.03 * covariance.max())
    np.testing.assert_allclose(drawn.covariance(), covariance, rtol=0, atol=0.03 * covariance.max())
    assert drawn.evaluated().dof == pytest.approx(both.evaluated().dof, rel=0.1)


def test_draws_leave_out_what_has_no_score():
    generator = np.random.default_rng(3)
    rows = np.column_stack([np.full(200, np.nan), generator.normal(size=200)])
    scores = Replicated(np.array([[np.nan], [0.5]]), rows[..., None], Replicates.of_bootstrap(40, 200))
    drawn = scores.drawn(seed=0)
    assert drawn.draws.shape == (4000, 2, 1)
    assert np.isnan(drawn.draws[:, 0]).all()
    assert drawn.evaluated().variance[1, 0] == pytest.approx(scores.evaluated().variance[1, 0], rel=0.1)


@pytest.mark.parametrize("score", [-0.5, 0.0, 0.5])
def test_a_positive_part_has_the_variance_of_other_samples(score):
    """Half normal at 0: half the mean square; a linear form has all of it or none."""
    rows = np.random.default_rng(4).normal(score, 1, (40_000, 1))
    scores = Replicated(np.array([score]), rows, Replicates.of_draws(40_000, 39.0))
    found = scores.drawn(seed=0, draws=40_000).apply(lambda values: np.maximum(values, 0)).evaluated()
    sample = np.maximum(np.random.default_rng(5).normal(score, 1, 100_000), 0)
    about = ((sample - max(score, 0)) ** 2).mean()
    assert found.variance[0] == pytest.approx(about, rel=0.1)
    assert found.dof[0] == 39


def test_replicates_are_packed_and_unpacked():
    made = Replicates.of_influences(30, 435)
    assert Replicates.unpacked(made.packed()) == made
