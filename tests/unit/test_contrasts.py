"""Differences of many networks, against scipy and simulated truth; ranks, against their definition."""

import numpy as np
import pytest
from scipy import stats

from cortexrsa.inference.contrasts import differences, familywise_order, holm_order, ranks
from cortexrsa.inference.draws import Resamples
from cortexrsa.inference.errors import Replicated, Replicates
from cortexrsa.inference.holm import holm

N = 60
RESAMPLES = Resamples.of(N, 200, 1)
SHARES = np.concatenate([RESAMPLES.draws, RESAMPLES.left_out]).astype(float)
SHARES /= SHARES.sum(axis=1, keepdims=True)


def means(values: np.ndarray) -> Replicated:
    """Means over stimuli of values (stimuli, networks), resampled."""
    # the weights are of statistics of pairs, whose noise of single stimuli counts in full
    return Replicated(values.mean(axis=0), SHARES @ values, Replicates.of_resamples(RESAMPLES))


def exact_means(values: np.ndarray) -> Replicated:
    """The same by the jackknife: without the Monte Carlo error of few resamples."""
    rows = (values.sum(axis=0) - values) / (N - 1)
    return Replicated(values.mean(axis=0), rows, Replicates((0, N), (0.0, (N - 1) / N), 0.0, N - 1.0))


def shared_stimuli(generator, truth, shared=2.0, own=1.0):
    """Values of networks that rise and fall with the same stimuli."""
    return truth + shared * generator.normal(size=(N, 1)) + own * generator.normal(size=(N, len(truth)))


def pairs(m):
    return np.triu_indices(m, k=1)


def test_a_difference_is_paired_and_its_p_that_of_the_t_test():
    values = shared_stimuli(np.random.default_rng(0), np.array([0.5, 0.0]))
    found = differences(means(values), np.array([0]), np.array([1]), 0.95, seed=1)
    oracle = stats.ttest_rel(values[:, 0], values[:, 1])
    assert found.value == pytest.approx(values[:, 0].mean() - values[:, 1].mean())
    assert found.p[0] == pytest.approx(oracle.pvalue, rel=0.5)
    assert found.se[0] == pytest.approx(oracle.statistic**-1 * found.value[0], rel=0.1)
    # of one pair the two corrections change nothing, but for the number of draws
    assert found.q_fdr == pytest.approx(found.p)
    assert found.p_fwe[0] == pytest.approx(found.p[0], abs=0.01)


def test_equal_networks_have_no_difference_and_spoil_no_other():
    values = shared_stimuli(np.random.default_rng(1), np.array([1.0, 0.0]))
    values = np.column_stack([values, values[:, 1]])
    found = differences(means(values), *pairs(3), 0.95, seed=1)
    assert found.value[2] == found.se[2] == 0
    assert found.p[2] == found.p_fwe[2] == 1
    assert found.p_fwe[0] == pytest.approx(found.p_fwe[1])
    assert found.p_fwe[0] < 0.05


def test_two_networks_alone_are_the_two_sided_test():
    generator = np.random.default_rng(2)
    deviations = generator.normal(size=(4000, 2))
    p = familywise_order(np.array([1.0]), np.array([1.96]), deviations, np.array([0]), np.array([1]))
    assert p[0] == pytest.approx(0.05, abs=0.012)


def test_independent_networks_reach_tukeys_range():
    """The maximum over all pairs of equally precise independent means is the studentised range."""
    generator = np.random.default_rng(3)
    m = 8
    first, second = pairs(m)
    quantile = stats.studentized_range.ppf(0.95, m, np.inf) / np.sqrt(2)
    value = np.where(first == 0, 1.0, -1.0)
    z = np.full(len(first), quantile)
    p = familywise_order(value, z, generator.normal(size=(20000, m)), first, second)
    assert p == pytest.approx(0.05, abs=0.006)


def test_steps_are_monotonic_and_gain_on_one_step():
    generator = np.random.default_rng(4)
    first, second = pairs(6)
    z = np.sort(generator.uniform(0, 5, len(first)))[::-1]
    p = familywise_order(np.ones(len(first)), z, generator.normal(size=(4000, 6)), first, second)
    assert (np.diff(p) >= 0).all()
    # the last one is compared with the reversed hypotheses and itself alone
    alone = familywise_order(np.ones(1), z[-1:], generator.normal(size=(4000, 6)), first[:1], second[:1])
    assert p[-1] >= alone[0]


def test_holm():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    # both directions of two differences: four tests
    assert holm_order(np.array([0.01, 0.2])) == pytest.approx([4 * 0.005, 3 * 0.1])


def test_few_degrees_of_freedom_take_no_correlations(monkeypatch):
    def refused(*_):
        raise AssertionError("correlations of so few are not known")

    values = shared_stimuli(np.random.default_rng(5), np.zeros(4))
    scores = means(values)
    few = Replicates(scores.stimuli.sizes, scores.stimuli.weights, scores.stimuli.floor, dof=3.0)
    monkeypatch.setattr(Replicated, "drawn", refused)
    found = differences(Replicated(scores.estimate, scores.rows, few), *pairs(4), 0.95, seed=1)
    assert found.p_fwe == pytest.approx(holm_order(found.p))


def test_a_replicate_without_a_score_counts_as_the_mean():
    scores = means(shared_stimuli(np.random.default_rng(6), np.array([1.0, 0.0, 0.0])))
    rows = scores.rows.copy()
    rows[7, 1] = np.nan
    found = differences(Replicated(scores.estimate, rows, scores.stimuli), *pairs(3), 0.95, seed=1)
    whole = differences(scores, *pairs(3), 0.95, seed=1)
    assert found.p == pytest.approx(whole.p, rel=0.1)


def test_ranks_follow_from_the_order_of_the_pairs():
    scores = np.array([0.3, 0.9, 0.5, 0.5])
    first, second = pairs(4)
    told = {(0, 1), (1, 3)}  # network 1 beats 0 and 3
    p = np.array([0.01 if pair in told else 0.5 for pair in zip(first, second, strict=True)])
    found = ranks(scores, p, first, second, 0.95)
    assert found.rank.tolist() == [4, 1, 2, 2]
    assert found.low.tolist() == [2, 1, 1, 2]
    assert found.high.tolist() == [4, 2, 4, 4]


def test_no_pairs_no_order():
    scores = means(shared_stimuli(np.random.default_rng(7), np.array([0.0])))
    found = differences(scores, *pairs(1), 0.95, seed=1)
    assert found.p_fwe.shape == (0,)
    alone = ranks(scores.estimate, found.p_fwe, *pairs(1), 0.95)
    assert (alone.rank, alone.low, alone.high) == ([1], [1], [1])


@pytest.mark.slow
@pytest.mark.parametrize("truth", [np.zeros(8), np.array([0, 0, 0, 0, 0.6, 0.6, 0.6, 2.0])])
def test_the_order_of_networks_is_wrong_in_five_percent_of_the_studies_at_most(truth):
    """Of means: under the null and a partial one; ranks hold together."""
    generator = np.random.default_rng(8)
    first, second = pairs(len(truth))
    studies, wrong, held = 200, 0, 0
    for _ in range(studies):
        scores = exact_means(shared_stimuli(generator, truth))
        found = differences(scores, first, second, 0.95, seed=1)
        sign = np.sign(truth[first] - truth[second])
        wrong += ((found.p_fwe < 0.05) & (np.sign(found.value) != sign)).any()
        order = ranks(scores.estimate, found.p_fwe, first, second, 0.95)
        best = 1 + (truth[:, None] < truth).sum(axis=1)
        worst = len(truth) - (truth[:, None] > truth).sum(axis=1)
        # the interval holds every rank that a network may have among its equals
        held += ((order.low <= best) & (worst <= order.high)).all()
    assert wrong / studies <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / studies)
    assert held / studies >= 0.95 - 2.5 * np.sqrt(0.05 * 0.95 / studies)
