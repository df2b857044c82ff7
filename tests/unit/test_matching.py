"""Soft matching against SciPy's solvers, deletion and simulated truth."""

import sys

import numpy as np
import pandas as pd
import pytest
from scipy import optimize
from test_encoding import responses_of

from cortexrsa.encoding.matching import (
    MOST_FEATURES,
    Matching,
    drawn_features,
    in_standard_units,
    matching_parts,
)
from cortexrsa.encoding.matching_network import match_network
from cortexrsa.formats.columns.measures import MEASURE_RANKS, MEASURES
from cortexrsa.formats.tables import write_table
from cortexrsa.geometry import gram
from cortexrsa.geometry.grams import similarities
from cortexrsa.geometry.rdm import rdm
from cortexrsa.geometry.registry import MEASURES as REGISTERED
from cortexrsa.inference.design import Design
from cortexrsa.inference.measure_tables import measures_table, ranks_table
from cortexrsa.inference.settings import Settings
from cortexrsa.inference.study import group_scores
from support import message_of

SPLIT = np.array(["train"] * 60 + ["test"] * 40)


def world(seed, stimuli=100, features=12, voxels=8, noise=1.0):
    """Features and voxels of a few shared dimensions each, so that pairs differ in how they correlate."""
    random = np.random.default_rng(seed)
    shared = random.standard_normal((stimuli, 5))
    return (
        shared @ random.standard_normal((5, units)) + noise * random.standard_normal((stimuli, units))
        for units in (features, voxels)
    )


def plan_of(matching, features, voxels):
    plan = np.zeros((features, voxels))
    plan[matching.features, matching.voxels] = matching.weights
    return plan


# ---- the plan ----------------------------------------------------------------------------------------------


def test_equal_numbers_are_matched_one_to_one():
    features, voxels = world(0, features=20, voxels=20)
    found = Matching.fitted(features, voxels)
    r = np.corrcoef(features.T, voxels.T)[:20, 20:]
    rows, columns = optimize.linear_sum_assignment(r, maximize=True)
    expected = np.zeros((20, 20))
    expected[rows, columns] = 1 / 20
    np.testing.assert_allclose(plan_of(found, 20, 20), expected, atol=1e-12)


@pytest.mark.parametrize("sizes", [(9, 6), (5, 7), (1, 4)])
def test_a_plan_is_that_of_a_linear_program(sizes):
    features, voxels = world(1, features=sizes[0], voxels=sizes[1])
    found = plan_of(Matching.fitted(features, voxels), *sizes)
    r = np.corrcoef(features.T, voxels.T)[: sizes[0], sizes[0] :]
    rows, columns = np.kron(np.eye(sizes[0]), np.ones(sizes[1])), np.tile(np.eye(sizes[1]), sizes[0])
    limits = np.repeat([1 / sizes[0], 1 / sizes[1]], sizes)
    best = optimize.linprog(-r.ravel(), A_eq=np.concatenate([rows, columns]), b_eq=limits)
    np.testing.assert_allclose(found.sum(axis=1), 1 / sizes[0])
    np.testing.assert_allclose(found.sum(axis=0), 1 / sizes[1])
    assert (found * r).sum() == pytest.approx(-best.fun)
    np.testing.assert_allclose(found, best.x.reshape(sizes), atol=1e-9)


def test_units_of_features_and_their_order_change_nothing():
    features, voxels = world(2)
    order = np.random.default_rng(0).permutation(12)
    moved = (3 * features - 7)[:, order]
    plans = (plan_of(Matching.fitted(values, voxels), 12, 8) for values in (features, moved))
    one, other = plans
    np.testing.assert_allclose(one[order], other, atol=1e-12)


# ---- score and influence -----------------------------------------------------------------------------------


def test_a_score_is_the_mean_correlation_of_the_pairs():
    features, voxels = world(3)
    plan = Matching.fitted(features[:60], voxels[:60])
    found = plan.correlations(features[60:], voxels[60:])
    r = np.corrcoef(features[60:].T, voxels[60:].T)[:12, 12:]
    assert found.mean(found.r) == pytest.approx((plan_of(plan, 12, 8) * r).sum())


@pytest.mark.parametrize("few", [False, True])
def test_influences_are_what_deletion_does_also_to_units_that_hardly_respond(few):
    features, voxels = world(4)
    # as of rectified units: of the test stimuli one, two, or none has any response
    features[60:, :3] = 0
    features[70, 0], features[[71, 80], 1] = 2, 3
    plan = Matching.fitted(features[:60], voxels[:60])
    plan = Matching(*(np.arange(96) // 8, np.arange(96) % 8), np.full(96, 1 / 96)) if few else plan
    assert {0, 1, 2} <= set(plan.features)
    x, y = features[60:], voxels[60:]
    found = plan.correlations(x, y, few)

    def score(keep):
        r = np.zeros((12, 8))
        for i in range(12):
            if np.ptp(x[keep, i]) > 0:
                r[i] = [np.corrcoef(x[keep, i], y[keep, j])[0, 1] for j in range(8)]
        r *= 1 + (1 - r**2) / 80 if few else 1
        return (r * plan_of(plan, 12, 8)).sum()

    whole = np.ones(40, bool)
    assert found.mean(found.r) == pytest.approx(score(whole))
    without = np.array([score(np.arange(40) != i) for i in range(40)])
    np.testing.assert_allclose(found.influences(), 39 * (without.mean() - without), atol=1e-9)


def test_null_is_that_of_relabelled_responses():
    features, voxels = world(5)
    plan = Matching.fitted(features[:60], voxels[:60])
    orders = np.random.default_rng(0).permuted(np.tile(np.arange(40), (5, 1)), axis=1)
    relabelled = (plan.correlations(features[60:], voxels[60:][order]) for order in orders)
    expected = [each.mean(each.r) for each in relabelled]
    np.testing.assert_allclose(
        plan.correlations(features[60:], voxels[60:]).null(orders), expected, atol=1e-12
    )


def test_chance_is_0_though_a_plan_finds_much_where_it_is_fitted():
    scores, fitted = [], []
    for seed in range(40):
        random = np.random.default_rng(seed)
        features, voxels = random.standard_normal((60, 400)), random.standard_normal((60, 40))
        plan = Matching.fitted(features[:30], voxels[:30])
        for into, keep in ((scores, slice(30, 60)), (fitted, slice(0, 30))):
            found = plan.correlations(features[keep], voxels[keep])
            into.append(found.mean(found.r))
    assert np.mean(fitted) > 0.25
    assert abs(np.mean(scores)) < 3 * np.std(scores) / np.sqrt(40) < 0.01


def test_it_sees_the_axes_where_cka_does_not():
    random = np.random.default_rng(0)
    voxels = random.standard_normal((100, 16))
    rotation = np.linalg.qr(random.standard_normal((16, 16)))[0]
    found = {}
    for name, features in (("permuted", voxels[:, random.permutation(16)]), ("rotated", voxels @ rotation)):
        pairs = Matching.fitted(features[:60], voxels[:60]).correlations(features[60:], voxels[60:])
        distances = (rdm(values[60:], "euclidean")[None] for values in (voxels, features))
        found[name] = pairs.mean(pairs.r), similarities(*distances, "cka")[0].item()
    assert found["permuted"] == pytest.approx((1, 1))
    assert found["rotated"][1] == pytest.approx(1, abs=1e-6)
    assert found["rotated"][0] < 0.7


# ---- features and stimuli ----------------------------------------------------------------------------------


def test_features_are_drawn_and_those_that_do_not_vary_counted(monkeypatch):
    random = np.random.default_rng(0)
    features = random.standard_normal((20, 50)).astype(np.float32)
    # only over the stimuli that count
    features[:10, ::5] = 0.1
    known = np.arange(20) < 10
    values, constant = drawn_features(features, known, np.random.default_rng(1))
    varying = np.delete(features, np.arange(0, 50, 5), axis=1)
    assert constant == 10
    np.testing.assert_array_equal(values, varying)
    drawn = drawn_features(features, known, np.random.default_rng(1), most=12)[0]
    columns = [np.flatnonzero((varying == column[:, None]).all(axis=0))[0] for column in drawn.T]
    assert columns == sorted(set(columns))
    assert len(columns) == 12
    # a chunk at a time
    monkeypatch.setattr(gram.feature_slices, "__defaults__", (20 * 4 * 7,))
    assert len(gram.feature_slices(features)) == 8
    np.testing.assert_array_equal(
        drawn_features(features, known, np.random.default_rng(1), most=12)[0], drawn
    )
    others = drawn_features(features, known, np.random.default_rng(2), most=12)[0]
    assert not np.array_equal(others, drawn)
    assert f"{MOST_FEATURES:,} features" in REGISTERED["soft_matching"].meaning


def test_what_does_not_vary_is_0_in_standard_units():
    values = in_standard_units(np.array([[0.1, 1.0], [0.1, 3.0]]))
    np.testing.assert_array_equal(values, [[0, -1], [0, 1]])


def test_plans_and_scores_are_of_different_stimuli_and_units():
    (part,) = matching_parts(SPLIT, Settings())
    np.testing.assert_array_equal(part.train, np.arange(60))
    np.testing.assert_array_equal(part.test, np.arange(60, 100))
    assert part.half.sum() == 30
    units = Design(np.arange(100) // 4, "category")
    parts = matching_parts(np.full(100, "test"), Settings(halves=3), units)
    assert len(parts) == 6
    for part in parts:
        np.testing.assert_array_equal(part.places, part.test)
        assert not set(units.labels[part.train]) & set(units.labels[part.test])
        ours, others = units.labels[part.train][part.half], units.labels[part.train][~part.half]
        assert not set(ours) & set(others)
    for one, other in zip(parts[::2], parts[1::2], strict=True):
        assert sorted([*one.test, *other.test]) == list(range(100))


def test_bad_input_is_told(monkeypatch):
    few = np.array(["train"] * 12 + ["test"] * 30)
    line = "measures.others: soft_matching: found 12 training stimuli, expected at least 16"
    assert message_of(matching_parts, few, Settings()) == line
    line = message_of(matching_parts, np.full(12, "test"), Settings())
    assert "found 12 stimuli and no training split, expected at least 16" in line
    units = Design(np.where(np.arange(100) < 60, "one", np.arange(100) // 4), "film")
    line = message_of(matching_parts, SPLIT, Settings(), units)
    assert "a half of 0 of 60 training stimuli (halves split no film)" in line
    features = np.full((20, 3), np.nan)
    line = message_of(drawn_features, features, np.ones(20, bool), np.random.default_rng(0))
    assert line == "activations: found NaN or infinite values, expected finite values"
    monkeypatch.setitem(sys.modules, "ot", None)
    line = message_of(Matching.fitted, *world(0))
    assert line.startswith("measures.others: soft_matching: found no package POT (ot), expected pip install")


# ---- networks ----------------------------------------------------------------------------------------------

LAYERS = pd.DataFrame({"layer": ["true", "noise", "flat"], "layer_index": range(3), "depth": [0.0, 0.5, 1.0]})
SETTINGS = Settings(permutations=39, halves=2)


def network_of(seed, split=SPLIT, threads=1, people=("a", "b")):
    random = np.random.default_rng(seed)
    voxels = random.standard_normal((100, 20 * len(people)))
    layers = {
        "true": voxels[:, random.permutation(voxels.shape[1])] + random.standard_normal(voxels.shape),
        "noise": random.standard_normal((100, 30)),
        "flat": np.ones((100, 4)),
    }
    found = match_network(
        LAYERS, layers.__getitem__, responses_of(voxels, split, people, ("V1", "LO")), SETTINGS, None, threads
    )
    # what the script counts
    return found.assign(n_left_out=0 * found["n_voxels"]), layers, voxels


@pytest.fixture(scope="module")
def networks():
    return {"net": network_of(0)[0], "other": network_of(1)[0]}


@pytest.mark.parametrize("split", [SPLIT, np.full(100, "test")], ids=["two splits", "one split"])
def test_layers_are_told_apart(split):
    found, layers, voxels = network_of(0, split)
    own = found["score"].sel(split="test", subject="a", roi="LO")
    assert own.sel(layer="true") > 0.1 > abs(own.sel(layer="noise"))
    assert own.sel(layer="flat").isnull()
    # the layer is chosen without the scored stimuli
    heldout = found["heldout"].sel(candidate="all")
    np.testing.assert_allclose(heldout, found["score"].sel(split="test", layer="true"))
    assert found["p"].notnull().any() == (split[0] == "train")
    # the first voxels are of a in V1
    place, r = {"subject": "a", "roi": "V1", "layer": "true"}, []
    for part in matching_parts(split, SETTINGS):
        x, y = layers["true"].astype(np.float64), voxels[:, :10].astype(np.float32).astype(np.float64)
        plan = Matching.fitted(x[part.train], y[part.train])
        pairs = plan.correlations(x[part.test], y[part.test], few=split[0] == "test")
        r.append(pairs.mean(pairs.r))
    assert found["score"].sel(place).item() == pytest.approx(np.mean(r), abs=1e-9)


def test_the_result_does_not_depend_on_the_number_of_threads():
    one, two = (network_of(0, threads=threads)[0] for threads in (1, 2))
    assert one.identical(two)


def test_tables_have_it_beside_other_measures(networks, tmp_path):
    results = {"soft_matching": networks}
    table = measures_table(results, "data", "spearman", SETTINGS)
    write_table(tmp_path / "measures.csv", table, {}, MEASURES)
    # two networks of three layers; two people and their mean, in two ROIs
    assert len(table) == 2 * 3 * 3 * 2
    rows = table.set_index(["model", "subject", "roi", "layer"])["note"]
    assert rows["net", "a", "V1", "true"] == "40 of 40 features (0 do not vary), 10 voxels (0 left out)"
    group = rows["net", "group", "V1", "flat"]
    assert group.startswith("0 of 4 features (4 do not vary), 20 voxels (0 left out); constant pattern")
    assert table["errors"].str.contains("conditional on the matching").all()
    known = table[table["layer"] != "flat"]
    assert (known["ci_low"] < known["score"]).all()
    assert (known["p_fwe"] >= known["p"]).all()
    assert known.loc[known["layer"] == "true", "p"].max() == pytest.approx(1 / 40)
    ranks = ranks_table(results, "data", SETTINGS)
    write_table(tmp_path / "measure_ranks.csv", ranks, {}, MEASURE_RANKS)
    assert sorted(ranks["rank"]) == [1, 1, 2, 2]


def test_a_person_without_a_region_has_no_part_in_its_mean():
    voxels = np.random.default_rng(0).standard_normal((100, 40))
    responses = responses_of(voxels, SPLIT, ("a", "b"), ("V1", "LO"))
    lacking = responses.isel(voxel=np.arange(30))
    found = match_network(LAYERS[:1], lambda name: voxels, lacking, SETTINGS)
    assert found["measured"].isnull().sum() == 1
    own = found["score"].sel(split="test", layer="true").to_numpy()
    assert np.isnan(own).tolist() == [[False, False], [False, True]]
    assert found["p"].sel(unit="group", roi="LO").item() == found["p"].sel(unit="a", roi="LO").item()


@pytest.mark.slow
@pytest.mark.parametrize(("split", "simulations"), [(SPLIT, 200), (np.full(100, "test"), 80)])
def test_intervals_cover_the_score_of_the_same_plans_on_other_stimuli(split, simulations):
    settings, layer, held = Settings(permutations=1, halves=2), LAYERS[:1], []
    for seed in range(simulations):
        features, voxels = world(seed, stimuli=3100)
        responses = responses_of(voxels[:100], split)
        found = match_network(layer, lambda name, own=features[:100]: own, responses, settings)
        estimate = group_scores(found.sel(split="test"), seed=1).evaluated()
        truth = []
        for part in matching_parts(split, settings):
            own = responses.transpose("stimulus", "voxel").to_numpy().astype(np.float64)[part.train]
            pairs = Matching.fitted(features[part.train], own).correlations(features[100:], voxels[100:])
            truth.append(pairs.mean(pairs.r))
        _, low, high = (each.item() for each in estimate.interval())
        held.append(low < np.mean(truth) < high)
    assert abs(np.mean(held) - 0.95) < 3 * np.sqrt(0.95 * 0.05 / simulations)
