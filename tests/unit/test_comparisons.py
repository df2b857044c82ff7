"""The tables of networks compared: every pair, ceiling, control and rank, and what has no number."""

import numpy as np
import pytest

from cortexrsa import cards
from cortexrsa.formats.columns.comparisons import CEILING, COMPARISONS, CONTROL, PAIR, RANKS
from cortexrsa.formats.tables import read_table, write_table
from cortexrsa.inference.comparisons import ATTAINABLE, Part, compare_networks
from cortexrsa.inference.errors import Replicated, Replicates
from cortexrsa.inference.settings import Settings
from support import UNKNOWN, ceiling

ROIS = ["V1", "LO"]
CEILINGS = {
    "V1": ceiling("split-half", 0.4, 0.3, 0.6, error=0.1),
    "LO": UNKNOWN,
}
CONTROLS = {"best": "untrained", "good": "untrained", "untrained": None}
TRUTH = {"best": (0.5, 0.4), "good": (0.3, 0.3), "untrained": (0.1, 0.3)}


def network(values, seed, error=0.02):
    estimate = np.array(values, float)[:, None]
    rows = estimate + np.random.default_rng(seed).normal(0, error, (300, *estimate.shape))
    return Replicated(estimate, rows, Replicates.of_bootstrap(100, 300))


def part(**changes):
    scores = {name: network(values, seed) for seed, (name, values) in enumerate(TRUTH.items())}
    return Part.of(ROIS, ["held-out best layer"], scores | changes)


def tables(parts, controls=CONTROLS, ceilings=CEILINGS):
    return compare_networks(parts, ceilings, controls, "data", "spearman", Settings())


def test_every_comparison_has_a_row(tmp_path):
    comparisons, ranks = tables([part()])
    for table, columns, name in ((comparisons, COMPARISONS, "c.csv"), (ranks, RANKS, "r.csv")):
        write_table(tmp_path / name, table, {}, columns)
        assert len(read_table(tmp_path / name, columns)) == len(table)
    counts = comparisons.groupby(["roi", "kind"]).size()
    assert counts.to_dict() == {
        ("LO", CEILING): 3,
        ("LO", CONTROL): 2,
        ("LO", PAIR): 3,
        ("V1", CEILING): 3,
        ("V1", CONTROL): 2,
        ("V1", PAIR): 3,
    }
    pair = comparisons[(comparisons["kind"] == PAIR) & (comparisons["roi"] == "V1")].set_index(
        ["first", "second"]
    )
    assert pair.loc[("best", "good"), "difference"] == pytest.approx(0.2)
    assert pair.loc[("best", "good"), "se"] == pytest.approx(0.02 * np.sqrt(2), rel=0.2)
    assert (pair["p_fwe"] < 0.05).all()
    assert (pair["p_fwe"] >= pair["p"] - 0.001).all()
    assert ranks[ranks["roi"] == "V1"].set_index("model")[["rank", "rank_low", "rank_high"]].T.to_dict(
        "list"
    ) == {"best": [1, 1, 1], "good": [2, 2, 2], "untrained": [3, 3, 3]}
    # two equal networks in LO share two ranks
    late = ranks[ranks["roi"] == "LO"].set_index("model")
    assert late.loc["good", ["rank_low", "rank_high"]].tolist() == [2, 3]


def test_the_ceilings_error_counts_against_the_ceiling():
    comparisons, _ = tables([part()])
    row = comparisons[
        (comparisons["kind"] == CEILING) & (comparisons["roi"] == "V1") & (comparisons["first"] == "best")
    ].iloc[0]
    assert row["second"] == ATTAINABLE
    assert row["difference"] == pytest.approx(-0.1)
    half = np.hypot(1.98 * 0.02, 0.1)
    assert row["ci_high"] - row["difference"] == pytest.approx(half, rel=0.05)
    assert row["p"] > 0.05


def test_an_unknown_ceiling_is_said():
    comparisons, _ = tables([part()])
    rows = comparisons[(comparisons["kind"] == CEILING) & (comparisons["roi"] == "LO")]
    assert rows["difference"].isna().all()
    assert set(rows["note"]) == {"no noise ceiling is known here"}


def test_a_network_without_a_score_takes_no_part_in_the_others_tests():
    whole, order = tables([part()])
    comparisons, ranks = tables([part(flat=network((np.nan, 0.2), 9))], CONTROLS | {"flat": "untrained"})
    early = comparisons["roi"] == "V1"
    rows = comparisons[early & ((comparisons["first"] == "flat") | (comparisons["second"] == "flat"))]
    assert len(rows) == 3 + 1 + 1
    assert rows["p"].isna().all()
    assert rows["note"].str.startswith("flat has no score here").all()
    known = comparisons[early & ~comparisons.index.isin(rows.index)]
    assert known["p_fwe"].tolist() == whole.loc[whole["roi"] == "V1", "p_fwe"].tolist()
    last = ranks[(ranks["roi"] == "V1") & (ranks["model"] == "flat")].iloc[0]
    assert np.isnan(last["rank"])
    assert last["networks"] == 3


def test_a_control_without_a_score():
    comparisons, _ = tables([part(untrained=network((np.nan, 0.2), 9))])
    rows = comparisons[(comparisons["kind"] == CONTROL) & (comparisons["roi"] == "V1")]
    assert rows["p"].isna().all()
    assert rows["note"].str.startswith("untrained has no score here").all()


def test_nobody_has_a_score():
    comparisons, ranks = tables([part(**{name: network((np.nan, 0.1), 1) for name in TRUTH})])
    assert comparisons[comparisons["roi"] == "V1"]["p"].isna().all()
    assert (ranks[ranks["roi"] == "V1"]["networks"] == 0).all()


def test_one_network_has_no_pairs():
    alone = Part.of(ROIS, ["held-out best layer"], {"best": network((0.5, 0.4), 1)})
    comparisons, ranks = tables([alone], {"best": None})
    assert set(comparisons["kind"]) == {CEILING}
    assert ranks["rank_high"].tolist() == [1, 1]


def test_controls_are_of_the_same_architecture_where_there_is_one():
    def card(family, architecture):
        return {"family": family, "network": {"name": architecture}, "preprocessing": {"size": 224}}

    models = {
        "a18": card("untrained", "resnet18"),
        "b50": card("untrained", "resnet50"),
        "net50": card("task-optimised", "resnet50"),
        "vit": card("self-supervised", "vit"),
        "pixels": card("baseline", "pixels"),
    }
    found = {name: cards.untrained_control(name, models) for name in models}
    assert found == {"a18": None, "b50": None, "net50": "b50", "vit": "a18", "pixels": None}
    del models["a18"], models["b50"]
    assert cards.untrained_control("net50", models) is None


def test_seeds_of_a_network_count_as_one_and_add_their_variance():
    seeds = {"best": (0.45, 0.4), "best@2": (0.5, 0.4), "best@3": (0.55, 0.4)}
    networks = {name: network(values, seed, error=0.001) for seed, (name, values) in enumerate(seeds.items())}
    comparisons, ranks = tables([part(**networks)])
    assert set(ranks["model"]) == set(TRUTH)
    row = ranks[(ranks["model"] == "best") & (ranks["roi"] == "V1")].iloc[0]
    assert (row["seeds"], row["score"]) == (3, pytest.approx(0.5))
    assert row["seed_sd"] == pytest.approx(0.05)
    alone = ranks[ranks["model"] == "good"]
    assert set(alone["seeds"]) == {1}
    assert alone["seed_sd"].isna().all()
    rows = comparisons[(comparisons["kind"] == PAIR) & (comparisons["first"] == "best")]
    pair = rows[rows["second"] == "good"].set_index("roi")
    assert pair.loc["V1", "se"] == pytest.approx(np.hypot(0.02, 0.05 / np.sqrt(3)), rel=0.1)
    assert pair.loc["LO", "se"] == pytest.approx(0.02, rel=0.1)
