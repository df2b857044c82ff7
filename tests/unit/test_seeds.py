"""Cards of several seeds: what they stand for, what is refused, and what figures make of them."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cortexrsa import cards
from cortexrsa.figures.style import over_seeds
from cortexrsa.inference import profiles, seeds
from cortexrsa.inference.errors import Replicated, Replicates
from cortexrsa.inference.profile_errors import profile_correlations
from cortexrsa.inference.study import ModelScores, models_of_seeds
from cortexrsa.networks.learning import unlearned
from cortexrsa.seeds import by_card, card_of, networks_of, seed_of
from support import ROOT, message_of

DEPTH = np.linspace(0, 1, 10)
EARLY, LATE = 0.5 - 0.4 * DEPTH, 0.1 + 0.4 * DEPTH
MIDDLE = 0.5 - 1.2 * (DEPTH - 0.5) ** 2


def network(early, late, seed):
    """Scores of ten layers in two ROIs, and those of the best layers, with a bootstrap error."""
    generator = np.random.default_rng(seed)

    def resampled(values):
        draws = values + generator.normal(0, 0.01, (400, *values.shape))
        return Replicated(values, draws, Replicates.of_bootstrap(120, 400))

    scores = np.stack([early, late])
    return ModelScores(DEPTH, resampled(scores), resampled(scores.max(axis=1, keepdims=True)), ["all"])


def test_the_first_seed_is_called_after_the_card_and_the_others_count_up():
    card = {"seeds": 3, "weights": {"training": {"objective": "simclr", "seed": 7}}}
    found = networks_of("net", card)
    assert list(found) == ["net", "net@2", "net@3"]
    assert [each["weights"]["training"]["seed"] for each in found.values()] == [7, 8, 9]
    assert found["net"] == card
    assert [(card_of(name), seed_of(name)) for name in found] == [("net", 1), ("net", 2), ("net", 3)]
    assert by_card({"net@2": "b", "a": "c", "net": "a", "net@10": "d"}) == {
        "a": ["c"],
        "net": ["a", "b", "d"],
    }


def test_the_untrained_seeds_are_those_of_the_five_cards_before():
    _, models = cards.cards_of({"datasets": [], "models": ["resnet18_untrained"]}, ROOT)
    assert [card["weights"] for card in models.values()] == [{"random": {"seed": k}} for k in range(1, 6)]


@pytest.mark.parametrize(
    ("name", "seeds", "expected"),
    [
        ("resnet18_untrained", 0, "seeds: found 0, expected a whole number >= 1"),
        ("resnet18_untrained", "three", "seeds: found 'three', expected a whole number >= 1"),
        ("resnet18_imagenet", 3, "seeds: found 3, expected 1: these weights come without a random seed"),
        ("pixels", 2, "seeds: found 2, expected 1: these weights come without a random seed"),
    ],
)
def test_seeds_that_cannot_be(tmp_path, name, seeds, expected):
    folder = tmp_path / "resources/models"
    folder.mkdir(parents=True)
    lines = (ROOT / f"resources/models/{name}.yaml").read_text().splitlines()
    kept = [line for line in lines if not line.startswith("seeds:")]
    (folder / f"{name}.yaml").write_text("\n".join([*kept, f"seeds: {seeds}", ""]))
    message = message_of(cards.load_card, "models", name, tmp_path)
    assert message == f"resources/models/{name}.yaml: {expected}"


def test_profile_correlations_with_single_seeds_are_those_with_as_many_networks():
    """The control of H6, whose seeds have profiles of their own: nothing changes."""
    networks = {"a": network(EARLY, MIDDLE, 1), "b": network(EARLY, MIDDLE, 2)}
    controls = {"net": network(LATE, EARLY, 3), "net@2": network(MIDDLE, EARLY, 4)}
    found = models_of_seeds(networks | controls)
    together = [found["models"]["a"], found["models"]["b"], *found["seeds"]["net"]]
    apart = [*networks.values(), *controls.values()]
    for one, two in zip(
        profile_correlations(apart, [0, 1], 1), profile_correlations(together, [0, 1], 1), strict=True
    ):
        assert one == pytest.approx(two, rel=1e-9)


def test_what_is_made_of_a_network_of_several_seeds_holds_their_variance():
    networks = {
        "a": network(EARLY, MIDDLE, 1),
        "net": network(LATE, LATE, 2),
        "net@2": network(EARLY, EARLY, 3),
    }
    models = models_of_seeds(networks)["models"]
    alone = models_of_seeds({name: networks[name] for name in ("a", "net")})["models"]

    def slope_error(found):
        slopes = [
            each.scores.apply(lambda scores: profiles.slope(scores, DEPTH))
            for each in (found["a"], found["net"])
        ]
        return np.sqrt(slopes[0].apply(np.subtract, slopes[1]).evaluated().variance)

    # slopes 0.4 and -0.4: a standard deviation of 0.8 / sqrt(2), over two seeds
    assert slope_error(models) == pytest.approx([0.4, 0.4], rel=0.05)
    assert (slope_error(alone) < 0.05).all()


def test_seeds_of_a_variant_are_those_of_its_network():
    """What is made of both has the variance of one draw of seeds, as the same made of each seed has."""
    random, exact = np.random.default_rng(1), Replicates.of_stimuli(50)
    own = random.normal(size=(5, 3))
    other = 2 * own + 0.1 * random.normal(size=own.shape)
    networks = {
        name: [Replicated(each, np.tile(each, (50, 1)), exact) for each in values]
        for name, values in (("net", own), ("large", other))
    }
    means, single = seeds.over_seeds(networks, {"large": "net"})
    assert means["net"].seeds == means["large"].seeds == single["large"][0].seeds == (5,)
    for made in (np.subtract, np.add):
        found = means["large"].apply(made, means["net"]).evaluated()
        assert np.allclose(found.variance, made(other, own).var(axis=0, ddof=1) / 5)
        assert np.allclose(found.dof, 4)
    # a study of the variant alone
    (alone,) = seeds.over_seeds({"large": networks["large"]}, {"large": "net"})[0].values()
    assert np.allclose(alone.evaluated().variance, other.var(axis=0, ddof=1) / 5)


def paired(random, shared, own, n=60):
    """Five seeds of two networks: scores are means over stimuli; a seed moves both alike and each alone."""
    together = shared * random.normal(size=5)
    stimuli = random.normal(size=n)
    networks = {"net": [], "control": []}
    for seeds_of in networks.values():
        by_stimulus = stimuli + 0.5 * random.normal(size=n)
        for seed in together:
            scores = by_stimulus + 0.5 * random.normal(size=n) + seed + own * random.normal()
            rows = scores.mean() + (scores - scores.mean()) / n
            seeds_of.append(Replicated(np.asarray(scores.mean()), rows, Replicates.of_stimuli(n)))
    return networks


def gain(networks):
    means, _ = seeds.over_seeds(networks, {"control": "net"})
    return means["net"].apply(np.subtract, means["control"]).evaluated()


def test_what_a_seed_does_to_both_leaves_their_difference():
    little, much = (gain(paired(np.random.default_rng(3), shared, 0.1)) for shared in (0, 10))
    assert much.value == pytest.approx(little.value)
    assert much.variance == pytest.approx(little.variance)
    assert much.p_value() == pytest.approx(little.p_value())


@pytest.mark.slow
@pytest.mark.parametrize(("shared", "own"), [(0.1, 0.0), (0.1, 0.05), (0.0, 0.3)])
def test_differences_of_paired_networks_keep_their_level(shared, own):
    random = np.random.default_rng(0)
    found = [gain(paired(random, shared, own)) for _ in range(800)]
    assert np.mean([each.p_value() < 0.05 for each in found]) == pytest.approx(0.05, abs=0.023)
    ratio = np.sqrt(np.mean([each.variance for each in found])) / np.std([each.value for each in found])
    # no variance of seeds is taken as less than nothing: where there is none, the error is a little too large
    assert 0.95 < ratio < 1.12


def test_a_new_seed_differs_by_as_much_as_the_seeds_do():
    """Of six networks that differ by chance alone, one is told from a new seed of the others in 1 of 20."""
    values = np.random.default_rng(0).normal(size=(6, 4000))
    exact = Replicates.of_stimuli(50)
    one, *others = [Replicated(each, np.tile(each, (50, 1)), exact) for each in values]
    means, _ = seeds.over_seeds({"one": [one], "net": others})
    spread = values[1:].var(axis=0, ddof=1)
    for made, share in ((lambda each: each, 1 / 5), (seeds.of_a_new_seed, 6 / 5)):
        found = means["one"].apply(np.subtract, made(means["net"])).evaluated()
        assert np.allclose(found.variance, share * spread)
        assert np.allclose(found.dof, 4)
    p = found.p_value()
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert np.mean(p < 0.05) == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / 4000))


def test_figures_show_the_mean_and_the_range_of_the_seeds():
    rows = [("net", 1, "a", 0.2), ("net", 2, "a", 0.4), ("net", 1, "b", 0.1), ("net", 2, "b", 0.1)]
    rows += [("other", 1, "a", 0.3)]
    scores = pd.DataFrame(rows, columns=["model", "seed", "layer", "score"])
    scores = scores.assign(roi="V1", ci_low=-1.0, ci_high=1.0, p_fwe=[0.01, 0.2, 0.03, 0.01, 0.04])
    found = over_seeds(scores).set_index(["model", "layer"])[["score", "ci_low", "ci_high", "p_fwe"]]
    assert found.loc[("net", "a")].tolist() == pytest.approx([0.3, 0.2, 0.4, 0.2])
    assert found.loc[("net", "b")].tolist() == pytest.approx([0.1, 0.1, 0.1, 0.03])
    assert found.loc[("other", "a")].tolist() == pytest.approx([0.3, -1, 1, 0.04])


def test_a_network_did_not_learn_where_one_seed_did_not():
    table = pd.DataFrame(
        {
            "model": ["net", "net", "alone"],
            "seed": [1, 2, 1],
            "learned": ["yes", "no", "no"],
            "reason": ["", "too low", "lower"],
        }
    )
    found = {"net": "seed 2: too low", "alone": "lower"}
    assert unlearned(table, {}) == found
    # a variant has the weights of its network
    variants = {"net_large": "net", "vae_large": "vae"}
    assert unlearned(table, variants) == found | {"net_large": "seed 2: too low"}


def test_lines_of_several_seeds_keep_their_layers():
    scores = {"net": network(LATE, LATE, seed=1), "net@2": network(MIDDLE, MIDDLE, seed=2)}
    found = models_of_seeds(scores)
    mean = found["models"]["net"]
    assert mean.scores.estimate[0] == pytest.approx((LATE + MIDDLE) / 2)
    assert mean.scores.seeds == (2,)
    assert np.array_equal(found["seeds"]["net"][1].scores.estimate[0], MIDDLE)
