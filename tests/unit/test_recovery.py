"""Planted truth is found, and nothing else, in small simulated experiments."""

import numpy as np
import pandas as pd
import pytest

from cortexrsa.figures import recovery as figure
from cortexrsa.validation.recovery import (
    ROIS,
    SCENARIOS,
    Pool,
    experiments,
    read_layers,
    summarise,
    without_codes,
)

EXPERIMENTS = 25
# a rate that should be near 1 needs fewer than one that should be near 0.05
PLANTED = dict.fromkeys(("H1 true", "VAE deficit", "generative world", "low-level world"), 15)


@pytest.fixture(scope="module")
def pool():
    """A classifier whose layers turn from one code to another, a network with a code of its own, edges."""
    rng = np.random.default_rng(0)
    early, late, own = rng.normal(size=(3, 200, 8))
    depth = np.linspace(0, 1, 8)

    def layer(*weighted):
        x = np.hstack([np.sqrt(weight) * code for weight, code in weighted])
        return x @ rng.normal(size=(x.shape[1], 40))

    network = [layer((1 - 0.9 * d, early), (0.1 + 0.9 * d, late)) for d in depth]
    other = [layer((1, own), (0.2, early), (0.2, late)) for _ in depth]
    return Pool(network, other, [layer((1, early))])


@pytest.fixture(scope="module")
def table(pool):
    sizes = {"stimuli": 60, "training": 50}
    others = ("H1 null with other voxels", "H1 null with unequal noise", "no label codes")
    scenarios = [scenario for scenario in SCENARIOS if scenario not in others]
    results = pd.concat(
        experiments(pool, scenario, PLANTED.get(scenario, EXPERIMENTS), **sizes) for scenario in scenarios
    )
    return summarise(results).set_index(["scenario", "question"])


@pytest.mark.slow
def test_what_is_planted_is_found(table):
    assert table.loc[("H1 true", "H1"), "share"] > 0.8
    for question in ("H4 early", "H4 late"):
        assert table.loc[("VAE deficit", question), "share"] > 0.8
    # a network that wins is found as one that loses is
    for question in ("H4 early", "H4 late"):
        assert table.loc[("generative world", question), "share"] > 0.8
    # a low-level world looks like a match to raw RSA: that is what partial RSA is for
    assert table.loc[("low-level world", "score early"), "share"] > 0.8


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scenario", "question"),
    [
        ("H1 null", "H1"),
        ("equal networks", "H4 early"),
        ("equal networks", "H4 late"),
        ("shuffled responses", "score early"),
        ("shuffled responses", "score late"),
        ("shuffled responses", "H4 late"),
    ],
)
def test_what_is_not_there_is_not_found(table, scenario, question):
    row = table.loc[(scenario, question)]
    # 5 % of 25 allows up to 4 (exact 95 % interval)
    assert row["holds"], row
    assert row["share"] <= 4 / EXPERIMENTS


def test_label_codes_are_taken_out_of_a_layer(pool):
    """The last layer alone holds labels; what is linear in it is left out, and the rest stays."""
    rng = np.random.default_rng(1)
    labels = np.eye(12)[np.arange(200) % 12]
    labels -= labels.mean(axis=0)
    coded = pool.network[-1] + 3 * labels @ rng.normal(size=(12, 40))
    rest = without_codes(coded, labels @ rng.normal(size=(12, 12)))
    np.testing.assert_allclose(labels.T @ rest, 0, atol=1e-9)
    assert np.corrcoef(rest.ravel(), (pool.network[-1] - pool.network[-1].mean(axis=0)).ravel())[0, 1] > 0.9


def test_an_experiment_is_repeatable(pool):
    sizes = {"stimuli": 40, "training": 30}
    first, again = (experiments(pool, "H1 true", 2, seed=7, **sizes) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    assert set(first["question"]) == {"H1", "H4 early", "H4 late", "score early", "score late"}


def test_the_figure_names_rois():
    table = pd.DataFrame(
        {
            "scenario": ["the late world", "H1 true"],
            "question": ["H4 late", "H1"],
            "answers": "supported",
            "expected": "found",
            "experiments": 20,
            "share": [0.9, 1.0],
            "ci_low": 0.8,
            "ci_high": 1.0,
        }
    )
    (axes,) = figure.plot_recovery(table).axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["the late world: H4 (late ROI) supported", "H1 true: H1 supported"]
    assert figure.ROIS == ROIS


def test_layers_are_read_from_shards_and_projected(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(12, 500))
    for k, part in enumerate((x[:7], x[7:]), start=1):
        folder = tmp_path / f"{k}-of-2"
        folder.mkdir()
        np.save(folder / "wide.npy", part.astype(np.float32))
        np.save(folder / "narrow.npy", part[:, :20].astype(np.float32))
        layers = {"layer": ["wide", "narrow"], "index": [0, 1], "depth": [0, 1], "shape": ["500", "20"]}
        pd.DataFrame(layers).to_csv(folder / "layers.tsv", sep="\t", index=False)
    wide, narrow = read_layers([tmp_path / "1-of-2", tmp_path / "2-of-2"])
    assert wide.shape == (12, 300)
    centred = x[:, :20].astype(np.float32) - x[:, :20].astype(np.float32).mean(axis=0)
    np.testing.assert_allclose(narrow, centred / centred.std(), rtol=1e-4, atol=1e-5)
