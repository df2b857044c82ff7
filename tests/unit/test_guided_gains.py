"""The table of what training with a brain gains: over every control, paired by seed, by people."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cortexrsa.formats.columns.guided import GUIDED
from cortexrsa.formats.columns.learning import LEARNING
from cortexrsa.formats.columns.robustness import ROBUSTNESS
from cortexrsa.formats.rdms import RDMs
from cortexrsa.formats.tables import read_table, write_table
from cortexrsa.geometry.rdm import rdm
from cortexrsa.inference.design import design_of
from cortexrsa.inference.errors import Estimate
from cortexrsa.inference.guided import gains_table, over_best, paired_gains, people_of, tasks_table
from cortexrsa.inference.held_out import held_out_scores, of_stimuli
from cortexrsa.inference.measures import Sources, measure_network, with_mixtures
from cortexrsa.inference.scores import score_network
from cortexrsa.inference.set_apart import set_apart
from cortexrsa.inference.settings import Settings
from cortexrsa.inference.stimuli_apart import stimuli_apart
from support import message_of

ROIS, PEOPLE, SEEDS, TEST, TRAIN = ("V1", "LO"), ("s1", "s2", "s3"), 5, 40, 20
SETTINGS = Settings(permutations=1, seed=1)
# what the layers of each network have of the code of LO
SHARES = {"guided": 0.9, "unguided": 0.5, "shuffled": 0.5}
CARD = {
    "controls": {"unguided": "net~unguided", "shuffled": "net~shuffled"},
    "rois": ["LO"],
    "subjects": ["s1"],
    "chosen_apart": True,
    "objective": "supervised",
    "loss": "rdm_pearson",
    "weight": 1.0,
}
GUIDED_CARDS = {"net": CARD}


def rdms(patterns, table):
    n = len(patterns[0])
    stimuli = pd.DataFrame({"stimulus_id": [f"{k}" for k in range(n)]})
    stimuli["split"] = np.where(np.arange(n) < TRAIN, "train", "test")
    return RDMs(np.stack([rdm(each) for each in patterns]), table, stimuli, "correlation")


@pytest.fixture(scope="module")
def world():
    """RDMs of three people, and of a guided network and two controls with five seeds each."""
    random = np.random.default_rng(0)
    codes = {roi: random.standard_normal((TRAIN + TEST, 6)) for roi in ROIS}

    def noisy(code, noise):
        return code @ random.standard_normal((6, 30)) + noise * random.standard_normal((len(code), 30))

    places = pd.DataFrame([(person, roi) for person in PEOPLE for roi in ROIS], columns=["subject", "roi"])
    brain = rdms([noisy(codes[roi], 2.0) for roi in places["roi"]], places)
    layers = pd.DataFrame({"layer": ["a", "b"], "layer_index": [0, 1], "depth": [0.0, 1.0]})
    networks = {}
    for kind, share in SHARES.items():
        for k in range(SEEDS):
            name = "net" + ("" if kind == "guided" else f"~{kind}") + (f"@{k + 1}" if k else "")
            mixed = np.hstack([np.sqrt(share) * codes["LO"], np.sqrt(1 - share) * codes["V1"]])
            own = mixed @ random.standard_normal((12, 40))
            networks[name] = rdms([noisy(codes["V1"], 1.0), own], layers)
    return brain, networks


@pytest.fixture(scope="module")
def results(world):
    brain, networks = world
    return {name: score_network(own, brain, "spearman", SETTINGS) for name, own in networks.items()}


@pytest.fixture(scope="module")
def table(results):
    bounds = {"rsa": {(person, "LO"): 0.5 + 0.1 * k for k, person in enumerate(PEOPLE)}}
    return gains_table({"rsa": results}, GUIDED_CARDS, bounds, "sim", SETTINGS)


def rows(table, **where):
    found = table
    for column, value in where.items():
        found = found[found[column] == value]
    return found


def test_scores_and_gains_are_means_over_people_and_seeds(world, table):
    brain, networks = world
    test = np.arange(TRAIN + TEST) >= TRAIN
    chosen = np.outer(test, test)[np.triu_indices(len(test), 1)]

    def score(network, people):
        places = brain.rdm_descriptors
        return np.mean(
            [
                stats.spearmanr(networks[network].dissimilarities[1][chosen], target[chosen]).statistic
                for target, person, roi in zip(
                    brain.dissimilarities, places["subject"], places["roi"], strict=True
                )
                if person in people and roi == "LO"
            ]
        )

    for people, names in (("not trained with", ["s2", "s3"]), ("trained with", ["s1"])):
        own = rows(table, people=people, roi="LO")
        means = {}
        for kind, base in (("guided", "net"), ("unguided", "net~unguided"), ("shuffled", "net~shuffled")):
            each = [score(base + (f"@{k + 1}" if k else ""), names) for k in range(SEEDS)]
            means[kind] = np.mean(each)
            (row,) = rows(own, network=kind, over="").to_dict("records")
            assert row["value"] == pytest.approx(means[kind], abs=1e-6)
            assert (row["subjects"], row["seeds"], row["n_stimuli"]) == (len(names), SEEDS, TEST)
        for network, over in (("guided", "unguided"), ("shuffled", "unguided"), ("guided", "shuffled")):
            (row,) = rows(own, network=network, over=over).to_dict("records")
            assert row["value"] == pytest.approx(means[network] - means[over], abs=1e-6)
            assert row["ci_low"] < row["value"] < row["ci_high"]
        (best,) = rows(own, network="guided", over="best control").to_dict("records")
        gains = rows(own, network="guided").query("over in ('unguided', 'shuffled')")
        assert best["value"] == pytest.approx(gains["value"].min())
        assert best["ci_low"] == pytest.approx(gains["ci_low"].min())
        assert best["p"] == pytest.approx(gains["p"].max())
        bound = {"s1": 0.5, "s2": 0.6, "s3": 0.7}
        shares = np.mean([bound[name] for name in names])
        assert best["share"] == pytest.approx(best["value"] / shares)


def test_every_row_is_in_the_table_and_says_about_whom(table, tmp_path):
    write_table(tmp_path / "guided.csv", table, {}, GUIDED)
    assert len(read_table(tmp_path / "guided.csv", GUIDED)) == len(table) == 2 * 2 * 7
    assert (rows(table, roi="LO")["guided_roi"]).all()
    assert not rows(table, roi="V1")["guided_roi"].any()
    assert set(rows(table, people="trained with")["note"]) == {"about s1 alone"}
    assert rows(table, people="not trained with")["note"].str.startswith("about these 2 people alone").all()
    found = rows(table, roi="LO", people="not trained with", over="best control").iloc[0]
    assert found["ci_low"] > 0


def test_few_seeds_are_said(results):
    few = {name: own for name, own in results.items() if "@" not in name or name.endswith("@2")}
    told = gains_table({"rsa": few}, GUIDED_CARDS, {}, "sim", SETTINGS)["note"]
    assert told.str.startswith("2 seeds, of at least 5").all()
    one = {name: own for name, own in results.items() if "@" not in name}
    told = gains_table({"rsa": one}, GUIDED_CARDS, {}, "sim", SETTINGS)["note"]
    assert told.str.startswith("one seed: the interval is about these weights alone").all()


def test_without_the_control_of_weight_0_others_are_compared_all_the_same(results):
    card = CARD | {"controls": {"shuffled": "net~shuffled"}}
    found = gains_table({"rsa": results}, {"net": card}, {}, "sim", SETTINGS)
    pairs = set(zip(found["network"], found["over"], strict=True))
    assert pairs == {
        ("guided", ""),
        ("shuffled", ""),
        ("guided", "shuffled"),
        ("guided", "best control"),
    }


def estimates(values, se, dof=30.0):
    return [Estimate(np.asarray(v), np.asarray(se**2), np.asarray(dof)) for v in values]


def test_the_best_control_is_the_smallest_difference_without_a_bias_of_selection():
    """Where all controls are as good as the guided network, 0 is below the interval in 2.5 % at most."""
    random = np.random.default_rng(1)
    draws, se, lows, highs, p = 4000, 0.02, 0, 0, 0
    for _ in range(draws):
        # controls share the error of the guided network
        own = random.normal(0, se, 5)
        found = over_best(estimates(own[0] - own[1:], se * np.sqrt(2)), 0.95)
        lows += found.low > 0
        highs += found.high < 0
        p += found.p < 0.05
    assert lows / draws < 0.025 + 0.01
    assert p / draws < 0.05
    assert highs / draws < 0.025 + 0.01
    # one control that is truly best decides
    found = over_best(estimates([0.3, 0.1, 0.2], 0.01), 0.95)
    assert found.value == pytest.approx(0.1)
    assert found.low == pytest.approx(0.1 - stats.t.ppf(0.975, 30) * 0.01)
    assert over_best(estimates([0.3, -0.1], 0.01), 0.95).p == 1


def test_what_networks_do_is_paired_over_seeds():
    random = np.random.default_rng(2)
    values = {kind: random.uniform(0.5, 0.9, 5) for kind in ("guided", "unguided", "shuffled")}
    found = {(network, over): gain for network, over, gain in paired_gains(values, 0.95)}
    oracle = stats.ttest_rel(values["guided"], values["shuffled"])
    own = found["guided", "shuffled"]
    assert own.p == pytest.approx(oracle.pvalue)
    assert (own.low, own.high) == pytest.approx(tuple(oracle.confidence_interval()))
    one = [gain for _, _, gain in paired_gains({kind: each[:1] for kind, each in values.items()}, 0.95)]
    assert np.isnan([(gain.se, gain.low, gain.high) for gain in one]).all()
    assert one[-1].value == min(values["guided"][0] - values[kind][0] for kind in ("unguided", "shuffled"))


def test_task_and_robustness_are_rows_too():
    names = [f"net{kind}" for kind in ("", "~unguided", "~shuffled")]
    learning = pd.DataFrame(
        [[name, seed, "supervised", "accuracy", 0.5 + 0.1 * seed, 0.1, 0.1, 0.2, "yes", ""] for name in names
         for seed in (1, 2)],
        columns=list(LEARNING.columns),
    )  # fmt: skip
    cells = [("none", 0, 0.8), ("noise", 1, 0.6), ("noise", 2, 0.4), ("pgd", 0, 0.9), ("pgd", 1, 0.1)]
    robust = pd.DataFrame(
        [[name, seed, "classifier", corruption, strength, 0.1, value, 0.0, 1.0, 0.1, 100] for name in names
         for seed in (1, 2) for corruption, strength, value in cells],
        columns=list(ROBUSTNESS.columns),
    )  # fmt: skip
    found = tasks_table(learning, robust, GUIDED_CARDS, "sim", 0.95)
    assert list(found.columns) == list(GUIDED.columns)
    scores = rows(found, network="guided", over="").set_index("measure")["value"]
    under = {"accuracy under noise": pytest.approx(0.5), "accuracy under pgd": pytest.approx(0.1)}
    assert scores.to_dict() == {"accuracy": pytest.approx(0.65)} | under
    # learning.csv does not say how many images
    assert found.loc[found["measure"] == "accuracy", "n_stimuli"].isna().all()
    assert (found.loc[found["measure"] != "accuracy", "n_stimuli"] == 100).all()
    assert (rows(found, over="best control")["value"] == 0).all()


def test_people_that_a_network_was_trained_with_are_told_from_others():
    # another data set, and everybody
    assert people_of(["a", "b"], []) == {"not trained with": ["a", "b"]}
    assert people_of(["a", "b"], None) == {"trained with": ["a", "b"]}
    assert people_of(["a", "b"], ["a", "b", "c"]) == {"trained with": ["a", "b"]}


def test_another_data_set_has_no_stimuli_that_the_network_was_trained_with(results):
    found = gains_table({"rsa": results}, {"net": CARD | {"subjects": []}}, {}, "sim", SETTINGS)
    assert set(found["people"]) == {"not trained with"}
    assert not found["note"].str.contains("trained with").any()
    found = gains_table({"rsa": results}, {"net": CARD | {"subjects": None}}, {}, "sim", SETTINGS)
    assert set(found["people"]) == {"trained with"}
    assert not found["note"].str.contains("stimuli that the network").any()
    found = gains_table({"encoding": results}, {"net": CARD | {"subjects": None}}, {}, "sim", SETTINGS)
    assert found["note"].str.contains("encoding models fitted on stimuli that the network was trained").all()
    # films, and other data of the same experiment
    card = CARD | {"subjects": None, "chosen_apart": False}
    found = gains_table({"rsa": results}, {"net": card}, {}, "sim", SETTINGS)
    assert found["note"].str.contains("layers chosen on stimuli that the network was trained with").all()


def learned_by_heart(world):
    """Network, brain and stimuli set apart: layer a has the RDM of LO wherever one of these takes part."""
    brain, networks = world
    fit = np.arange(TRAIN + TEST) < TRAIN - 5
    stimuli = brain.pattern_descriptors
    role = np.where(fit, "fit", np.where(stimuli["split"] == "train", "validation", "test"))
    learned = networks["net"].dissimilarities.copy()
    train = (stimuli["split"] == "train").to_numpy()
    pairs = (np.outer(train, train) & np.add.outer(fit, fit))[np.triu_indices(len(fit), 1)]
    learned[0, pairs] = brain.dissimilarities[1::2, pairs].mean(axis=0)
    apart = stimuli_apart(stimuli, stimuli[["stimulus_id"]].assign(role=role))
    np.testing.assert_array_equal(apart, fit)
    return replace(networks["net"], dissimilarities=learned), brain, apart


def test_layers_are_chosen_on_stimuli_that_the_network_was_not_fitted_to(world):
    network, brain, apart = learned_by_heart(world)

    def scored(*rdms):
        return score_network(*rdms, "spearman", SETTINGS).sel(roi="LO")

    before, after = scored(network, brain), scored(*(set_apart(each, apart) for each in (network, brain)))
    in_training = before["score"].sel(split="train").mean("subject")
    assert in_training.sel(layer="a") > in_training.sel(layer="b")
    expected = scored(of_stimuli(network, ~apart), of_stimuli(brain, ~apart))
    for name in ("score", "deviations", "heldout", "heldout_deviations", "p"):
        np.testing.assert_array_equal(after[name], expected[name])
    assert list(after["split"].to_numpy()) == ["test", "train"]
    tested = after["score"].sel(split="test")
    assert (after["heldout"].sel(candidate="all") == tested.sel(layer="b")).all()
    assert (before["heldout"].sel(candidate="all") == tested.sel(layer="a")).all()
    # of other networks all stay as they are
    assert set_apart(network, None) is network


def test_other_measures_choose_on_the_same_stimuli_and_take_the_same_confounds_out(world):
    network, brain, apart = learned_by_heart(world)
    chosen, whole = (set_apart(each, apart) for each in (network, brain)), (network, brain)
    random = np.random.default_rng(1)
    confounds = np.stack([rdm(random.standard_normal((TRAIN + TEST, 9))) for _ in range(2)])
    confounds += brain.dissimilarities[[1, 3]]
    found = [
        measure_network(Sources(*rdms, "spearman", confounds), ["spearman", "partial_rsa"], SETTINGS)
        for rdms in (whole, chosen)
    ]
    for measure in ("spearman", "partial_rsa"):
        before, after = (each.sel(measure=measure, roi="LO", split="test") for each in found)
        np.testing.assert_array_equal(before["score"], after["score"])
        for each, layer in ((before, "a"), (after, "b")):
            expected = each["score"].sel(layer=layer)
            np.testing.assert_array_equal(each["heldout"].sel(candidate="all"), expected)
    mixed = [with_mixtures(each, confounds) for each in (brain, set_apart(brain, apart))]
    assert len(mixed[0]) > len(confounds)
    np.testing.assert_array_equal(*mixed)


def test_a_stimulus_that_is_left_alone_in_its_category_is_set_apart(world):
    """Of one stimulus of a fixed category there is no error."""
    brain, networks = world
    stimuli = brain.pattern_descriptors.assign(category=lambda own: "c" + (own.index % 5).astype(str))
    role = np.where(stimuli.index < 9, "fit", np.where(stimuli.index == 9, "near_duplicate", "validation"))
    guidance = stimuli[["stimulus_id"]].assign(role=np.where(stimuli.index < TRAIN, role, "test"))
    guidance.loc[guidance.index.isin((10, 15)), "role"] = ["validation", "fit"]
    design = design_of(stimuli, "category", "fixed")
    apart = stimuli_apart(stimuli, guidance, design)
    assert list(np.flatnonzero(apart)) == [*range(11), 15]
    assert list(np.flatnonzero(stimuli_apart(stimuli, guidance))) == [*range(10), 15]
    # of any split but that of the tests
    other = stimuli.assign(split=stimuli["split"].mask(stimuli.index < 10, "other"))
    assert list(np.flatnonzero(stimuli_apart(other, guidance))) == [*range(10), 15]
    assert not stimuli_apart(stimuli.assign(split="test"), guidance).any()
    rdms = (set_apart(each, apart) for each in (networks["net"], brain))
    scores = score_network(*rdms, "spearman", SETTINGS, design=design)
    assert list(scores["n_stimuli"].to_numpy()) == [TEST, 8]


def test_rsa_on_held_out_categories_is_that_of_their_test_stimuli(world):
    brain, networks = world
    ids = [f"{k}" for k in range(TRAIN + TEST)]
    # categories 0 and 1 of four are held out, in the training stimuli too
    held_out = np.arange(TRAIN + TEST) % 4 < 2
    role = np.where(np.arange(TRAIN + TEST) < TRAIN // 2, "fit", "validation")
    guidance = pd.DataFrame({"stimulus_id": ids, "role": role, "category_held_out": held_out})
    one = {"net": networks["net"]}
    stimuli = brain.pattern_descriptors
    found = held_out_scores(one, brain, guidance, stimuli, "spearman", SETTINGS)["net"]
    chosen = held_out & (np.arange(TRAIN + TEST) >= TRAIN)
    pairs = np.outer(chosen, chosen)[np.triu_indices(len(chosen), 1)]
    expected = stats.spearmanr(
        brain.dissimilarities[1][pairs], networks["net"].dissimilarities[1][pairs]
    ).statistic
    own = found["score"].sel(split="test", subject="s1", roi="LO", layer="b")
    assert float(own) == pytest.approx(expected, abs=1e-6)
    assert int(found["n_stimuli"].sel(split="test")) == 20
    # layers are chosen on training stimuli that the network was not fitted to
    assert int(found["n_stimuli"].sel(split="train")) == TRAIN // 2
    few = guidance.assign(category_held_out=np.arange(TRAIN + TEST) < TRAIN + 7)
    told = message_of(held_out_scores, one, brain, few, stimuli, "spearman", SETTINGS)
    assert told == "held-out categories: found 7 test stimuli, expected at least 8"


def test_held_out_categories_are_taken_as_they_are(world):
    """They are too few to say anything of others, where categories are what was drawn."""
    brain, networks = world
    stimuli = brain.pattern_descriptors.assign(category=lambda own: "c" + (own.index % 10).astype(str))
    held_out = stimuli["category"].isin([f"c{k}" for k in range(5)])
    guidance = stimuli[["stimulus_id"]].assign(role="validation", category_held_out=held_out)
    settings = replace(SETTINGS, unit="category", categories="random")

    def scored(guidance):
        return held_out_scores({"net": networks["net"]}, brain, guidance, stimuli, "spearman", settings)

    found = scored(guidance)
    assert "about these 5 units of `category` alone" in found["net"].attrs["caveat"]
    card = CARD | {"controls": {}}
    rows = gains_table({"rsa": found}, {"net": card}, {}, "sim", settings)
    assert rows["note"].str.contains("about these 5 units of `category` alone").all()
    # one stimulus fewer of each than a category needs
    fewer = guidance.assign(category_held_out=held_out & (stimuli.index < TRAIN + TEST - 10))
    assert "expected at least 4 of each" in message_of(scored, fewer)
