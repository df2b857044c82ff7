"""Networks and seeds as random factors: against closed forms, and against simulated truth."""

import numpy as np
import pytest
from scipy import stats

from cortexrsa.inference.errors import Replicated, Replicates
from cortexrsa.inference.lineages import family_contrast, lineage_weights
from cortexrsa.inference.seeds import over_seeds

N = 50


def means(values: np.ndarray) -> Replicated:
    """Means over stimuli of values (stimuli, ...), by the jackknife."""
    n = len(values)
    rows = (values.sum(axis=0) - values) / (n - 1)
    return Replicated(values.mean(axis=0), rows, Replicates((0, n), (0.0, (n - 1) / n), 0.0, n - 1.0))


def single(scores: Replicated) -> list[Replicated]:
    return [scores.apply(lambda x, k=k: x[..., k]) for k in range(len(scores.estimate))]


def test_networks_of_one_lineage_count_once():
    weights = lineage_weights(["resnet50"] * 5 + ["vit", "convnext"])
    assert weights == pytest.approx([1 / 15] * 5 + [1 / 3] * 2)


def exact(values: np.ndarray) -> Replicated:
    """Scores that no sample of stimuli would change."""
    return means(np.tile(values, (N, 1)))


def test_without_noise_of_stimuli_it_is_welchs_test_of_the_lineages_means():
    generator = np.random.default_rng(0)
    values = generator.normal(size=13)
    weights = np.concatenate([lineage_weights(list("abcdef")), -lineage_weights(list("ghijklm"))])
    found, reason = family_contrast(exact(values), weights, list("abcdefghijklm"))
    oracle = stats.ttest_ind(values[:6], values[6:], equal_var=False)
    assert reason is None
    assert found.value / np.sqrt(found.variance) == pytest.approx(oracle.statistic)
    assert found.dof == pytest.approx(oracle.df)
    assert found.p_value() == pytest.approx(oracle.pvalue)


def test_lineages_in_both_families_are_paired():
    values = np.random.default_rng(1).normal(size=12)
    weights = np.concatenate([lineage_weights(list("abcdef")), -lineage_weights(list("abcdef"))])
    found, _ = family_contrast(exact(values), weights, list("abcdefabcdef"))
    oracle = stats.ttest_rel(values[:6], values[6:])
    assert found.p_value() == pytest.approx(oracle.pvalue)


def test_trainings_of_one_lineage_are_one_draw():
    values = np.random.default_rng(2).normal(size=9)
    lineages = ["a"] * 5 + list("bcde")
    found, _ = family_contrast(exact(values), lineage_weights(lineages), lineages)
    lineage = np.array([values[:5].mean(), *values[5:]])
    assert found.value == pytest.approx(lineage.mean())
    assert found.variance == pytest.approx(stats.sem(lineage) ** 2)
    assert found.dof == pytest.approx(4)


def test_a_network_that_is_meant_as_such_stands_for_no_family():
    values = np.random.default_rng(3).normal(size=6)
    weights = np.append(lineage_weights(list("abcde")), -1)
    found, _ = family_contrast(exact(values), weights, [*"abcde", None])
    assert found.p_value() == pytest.approx(stats.ttest_1samp(values[:5], values[5]).pvalue)
    # and without any family networks are taken as they are
    sampled = means(np.random.default_rng(4).normal(size=(N, 2)))
    alone, reason = family_contrast(sampled, np.array([1.0, -1.0]), [None, None])
    assert reason is None
    assert alone.variance == pytest.approx(
        sampled.apply(lambda x: x[..., 0] - x[..., 1]).evaluated().variance
    )


@pytest.mark.parametrize(
    ("lineages", "number"), [(["a"] * 9, "1 independent lineage of"), (list("aabcdd"), "4 ")]
)
def test_fewer_than_five_lineages_make_no_claim(lineages, number):
    scores = means(np.random.default_rng(5).normal(size=(N, len(lineages))))
    found, reason = family_contrast(scores, lineage_weights(lineages), lineages)
    assert reason.startswith(number)
    assert np.isnan(found.variance)
    assert np.isfinite(found.value)


def family(generator, size, effect, spread, common):
    """Values (stimuli, networks): lineages drawn anew, stimuli that act on all and on each network."""
    return effect + spread * generator.normal(size=size) + common + generator.normal(size=(N, size))


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.0, 0.1, 0.5])
@pytest.mark.parametrize(("first", "second"), [(5, 5), (5, 12), (20, 20)])
def test_intervals_over_stimuli_and_networks_cover(spread, first, second):
    """0.14 is the error of one network's score; without a spread, and few lineages, they cover too often."""
    generator = np.random.default_rng(6)
    lineages = [f"n{k}" for k in range(first + second)]
    weights = np.repeat([1 / first, -1 / second], [first, second])
    studies, covered = 1000, 0
    for _ in range(studies):
        common = generator.normal(size=(N, 1))
        values = [
            family(generator, first, 1.0, spread, common),
            family(generator, second, 0.7, spread, common),
        ]
        found, _ = family_contrast(means(np.hstack(values)), weights, lineages)
        _, low, high = found.interval()
        covered += low <= 0.3 <= high
    error = 2.5 * np.sqrt(0.05 * 0.95 / studies)
    assert covered / studies >= 0.93 - error
    if spread > 0:
        assert covered / studies <= 0.97 + error


# ---- seeds -------------------------------------------------------------------------------------------------


def test_one_seed_changes_nothing():
    scores = means(np.random.default_rng(7).normal(size=(N, 2)))
    found = over_seeds({name: [each] for name, each in zip("ab", single(scores), strict=True)})[0]
    for name, each in zip("ab", single(scores), strict=True):
        assert found[name].evaluated().variance == each.evaluated().variance
        assert found[name].evaluated().dof == each.evaluated().dof


def test_without_noise_of_stimuli_it_is_the_t_test_of_the_seeds():
    values = np.random.default_rng(8).normal(size=6)
    seeds = single(exact(values))
    found = over_seeds({"net": seeds[:5], "other": seeds[5:]})[0]
    difference = found["net"].apply(np.subtract, found["other"]).evaluated()
    assert difference.p_value() == pytest.approx(stats.ttest_1samp(values[:5], values[5]).pvalue)
    both = over_seeds({"net": seeds[:3], "other": seeds[3:]})[0]
    difference = both["net"].apply(np.subtract, both["other"]).evaluated()
    oracle = stats.ttest_ind(values[:3], values[3:], equal_var=False)
    assert difference.p_value() == pytest.approx(oracle.pvalue)
    assert difference.dof == pytest.approx(oracle.df)


def test_covariance_and_draws_hold_the_seeds():
    values = np.random.default_rng(9).normal(size=(N, 6)) + 3 * np.arange(6)
    seeds = single(means(values))
    found = over_seeds({"net": seeds[:3], "other": seeds[3:]})[0]
    joined = found["net"].apply(lambda *x: np.stack(x, axis=-1), found["other"])
    covariance = joined.covariance()
    assert np.diag(covariance) == pytest.approx(joined.evaluated().variance)
    # seeds are drawn independently: what the two share is of the stimuli alone
    stimuli = means(np.column_stack([values[:, :3].mean(axis=1), values[:, 3:].mean(axis=1)])).covariance()
    assert covariance[0, 1] == pytest.approx(stimuli[0, 1], abs=1e-6)
    assert (np.diag(covariance) > 5 * np.diag(stimuli)).all()
    assert np.cov(joined.drawn(1).draws.T) == pytest.approx(covariance, rel=0.15, abs=0.05)


def test_what_sampling_explains_is_not_counted_again():
    """Seeds that differ by the noise of the stimuli alone: the variance is that of the mean."""
    generator = np.random.default_rng(10)
    ratios = []
    for _ in range(300):
        values = generator.normal(size=(N, 5))
        mean = over_seeds({"net": single(means(values))})[0]["net"].evaluated().variance
        ratios.append(mean / (1 / N / 5))
    # a difference below nothing counts as nothing, so that a little is left
    assert 1 <= np.mean(ratios) < 1.45


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.05, 0.15, 0.5])
def test_intervals_over_stimuli_and_seeds_cover(spread):
    generator = np.random.default_rng(11)
    studies, covered = 1000, 0
    for _ in range(studies):
        common = generator.normal(size=(N, 1))
        seeds = single(means(family(generator, 5, 1.0, spread, common)))
        other = means(common[:, 0] + generator.normal(size=N))
        found = over_seeds({"net": seeds, "other": [other]})[0]
        _, low, high = found["net"].apply(np.subtract, found["other"]).evaluated().interval()
        covered += low <= 1.0 <= high
    assert covered / studies == pytest.approx(0.95, abs=0.02 + 2.5 * np.sqrt(0.05 * 0.95 / studies))
