"""Tables and figures of all measures, and Kendall's W of the ranks of networks."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from test_encoding import LAYERS, responses_of

from cortexrsa.encoding.network import encode_network
from cortexrsa.encoding.settings import EncodingSettings
from cortexrsa.figures.measures import plot_measure_profiles, plot_measure_ranks, plot_rdm_variance
from cortexrsa.formats.columns.measures import MEASURE_RANKS, MEASURES, RDM_VARIANCE
from cortexrsa.formats.rdms import RDMs
from cortexrsa.formats.tables import write_table
from cortexrsa.geometry.rdm import rdm
from cortexrsa.inference.design import Design
from cortexrsa.inference.explained_table import rdm_variance_table
from cortexrsa.inference.measure_tables import _draws, kendalls_w, measures_table, ranks_table
from cortexrsa.inference.measures import Sources, measure_network
from cortexrsa.inference.score_table import score_table
from cortexrsa.inference.scores import score_network
from cortexrsa.inference.settings import Settings
from cortexrsa.inference.study import heldout_scores, model_scores

NAMES = ["partial_rsa", "pearson", "cka_debiased", "cka"]
SETTINGS = Settings(bootstrap=20, permutations=19, halves=2)
MODELS = {
    "net": {"label": "A net", "family": "task-optimised"},
    "other": {"label": "Another", "family": "untrained"},
    "noise": {"label": "Noise", "family": "baseline"},
}


def test_w_is_that_of_friedmans_test():
    """SciPy's chi squared is W x measures x (networks - 1), ties and all."""
    scores = np.random.default_rng(0).integers(0, 5, (4, 6)).astype(float)
    chi = stats.friedmanchisquare(*scores.T).statistic
    assert kendalls_w(scores) == pytest.approx(chi / (4 * 5))
    assert kendalls_w(np.tile(np.arange(6.0), (4, 1))) == 1
    assert kendalls_w(np.array([[0.0, 1], [1, 0]])) == 0


@pytest.fixture(scope="module")
def results():
    """Three networks, of less and less of what the ROIs have, the second of two seeds; two people."""
    n, random = 24, np.random.default_rng(1)
    patterns = pd.DataFrame({"stimulus_id": [f"s{k}" for k in range(n)]})
    patterns["split"] = ["train", "test"] * (n // 2)
    truth, confound = random.standard_normal((n, 4)), rdm(random.standard_normal((n, 2)), "euclidean")[None]
    rois = pd.DataFrame({"subject": ["a", "a", "b", "b"], "roi": ["V1", "LO"] * 2})
    voxels = [truth + random.standard_normal((n, 4)) / 2 for _ in range(4)]
    layers = pd.DataFrame({"layer": ["x", "y"], "layer_index": [0, 1], "depth": [0.0, 1.0]})

    def made(features, table, dissimilarity):
        return RDMs(np.stack([rdm(each, dissimilarity) for each in features]), table, patterns, dissimilarity)

    brain = made(voxels, rois, "correlation"), made(voxels, rois, "euclidean")
    found, rsa = {}, {}
    for name, weight in (("net", 3.0), ("other", 1.0), ("other@2", 1.0), ("noise", 0.0)):
        features = [weight * truth + random.standard_normal((n, 4)) for _ in range(2)]
        network = made(features, layers, "correlation"), made(features, layers, "euclidean")
        data = Sources(
            network[0], brain[0], "spearman", confound, (network[1], brain[1]), families=("descriptors",)
        )
        found[name] = measure_network(data, ["spearman", *NAMES], SETTINGS)
        rsa[name] = score_network(network[0], brain[0], "spearman", SETTINGS)
    by_measure = {
        measure: {name: result.sel(measure=measure) for name, result in found.items()}
        for measure in ["spearman", *NAMES]
    }
    return {"rsa": rsa} | by_measure


def test_every_layer_under_every_measure(results, tmp_path):
    own = {name: results[name] for name in ("rsa", *NAMES)}
    table = measures_table(own, "data", "spearman", SETTINGS)
    write_table(tmp_path / "measures.csv", table, {}, MEASURES)
    # networks of two layers, one of two seeds; two ROIs; two people and their mean
    assert len(table) == 5 * 4 * 2 * 2 * 3
    scores = score_table(results["rsa"], "data", "rsa", SETTINGS).query("split == 'test'")
    rsa = table.query("measure == 'rsa'")
    np.testing.assert_array_equal(rsa["score"], scores["score"])
    np.testing.assert_array_equal(rsa["p_fwe"], scores["p_fwe"])
    assert set(rsa["errors"]) == {f"{SETTINGS.standard_error}, as in scores.csv"}
    tested = table.groupby("measure")["p_fwe"].count() > 0
    assert tested.to_dict() == {"rsa": True, "partial_rsa": True} | dict.fromkeys(NAMES[1:], False)
    assert (table["ci_low"] < table["score"]).all()
    # one dimensionality a layer, whatever the measure, and one a ROI
    assert table.groupby(["model", "seed", "layer"])["dimensionality"].nunique().eq(1).all()
    people = table[table["subject"] != "group"]
    assert people.groupby(["subject", "roi"])["roi_dimensionality"].nunique().eq(1).all()
    assert people["roi_dimensionality"].between(1, 5).all()


def test_ranks_under_every_measure_and_their_agreement(results, tmp_path):
    one_pass = {"rsa": results["spearman"]} | {name: results[name] for name in NAMES}
    table = ranks_table(one_pass, "data", SETTINGS)
    write_table(tmp_path / "measure_ranks.csv", table, {}, MEASURE_RANKS)
    assert len(table) == 2 * 5 * 3
    for _, own in table.groupby(["roi", "measure"]):
        assert sorted(own["rank"]) == [1, 2, 3]
        assert own.sort_values("rank")["score"].is_monotonic_decreasing
    for _, own in table.groupby("roi"):
        scores = own.pivot(index="measure", columns="model", values="score").to_numpy()
        assert own["w"].iloc[0] == pytest.approx(kendalls_w(scores))
        assert 0 <= own["w_low"].iloc[0] <= own["w"].iloc[0] <= own["w_high"].iloc[0] <= 1
    figure = plot_measure_ranks(table, MODELS)
    assert [axes.get_title().rpartition(" W ")[0] for axes in figure.axes] == [
        "V1: Kendall's",
        "LO: Kendall's",
    ]
    alone = ranks_table({"rsa": {"net": results["spearman"]["net"]}}, "data", SETTINGS)
    assert alone["w"].isna().all()
    assert "need two networks" in plot_measure_ranks(alone, MODELS).axes[0].texts[0].get_text()


@pytest.mark.parametrize("split", [["test"] * 48, ["train", "test"] * 24], ids=["one split", "two splits"])
def test_errors_over_units_and_over_single_stimuli_are_drawn_together(split):
    random = np.random.default_rng(0)
    values = random.standard_normal((48, 20))
    responses, layers = responses_of(values, split, ("a",), ("V1", "LO")), LAYERS[:1]
    design, by_measure = Design(np.arange(48) // 4, "category"), {"units": {}, "single": {}}
    for name in ("net", "other"):
        features = values + random.standard_normal(values.shape)
        for measure, own in (("units", design), ("single", None)):
            by_measure[measure][name] = encode_network(
                layers,
                lambda layer, own=features: own,
                responses,
                EncodingSettings(folds=3),
                SETTINGS,
                design.labels if split[0] == "test" else None,
                design=own,
            ).sel(estimator="ridge")
    tested = np.array(split) == "test"
    assert by_measure["units"]["net"]["unit_of_stimulus"].size == tested.sum()
    table = ranks_table(by_measure, "data", SETTINGS)
    # the same scores, drawn together
    assert (table["w"] == 1).all()
    scores = [
        [heldout_scores(model_scores(result, 1), 0, "all") for result in own.values()]
        for own in by_measure.values()
    ]
    units = [own["net"].get("unit_of_stimulus") for own in by_measure.values()]
    drawn = _draws(scores, tested.sum(), [None if own is None else own.to_numpy() for own in units], 1)
    for j in range(2):
        assert np.corrcoef(drawn[:, 0, j], drawn[:, 1, j])[0, 1] > 0.99
        for k in range(2):
            error = np.sqrt(scores[k][j].evaluated().variance)
            assert drawn[:, k, j].std() == pytest.approx(error, rel=0.06)


def test_unique_and_shared_variance(results, tmp_path):
    table = rdm_variance_table(results["spearman"], "data", SETTINGS)
    write_table(tmp_path / "rdm_variance.csv", table, {}, RDM_VARIANCE)
    # networks, one of two seeds; two ROIs; together and two sources
    assert len(table) == 4 * 2 * 3
    rows = table.set_index(["model", "seed", "roi", "source"])
    for place, whole in rows.xs("together", level="source").iterrows():
        network, others = (rows.loc[(*place, source)] for source in ("network", "descriptors"))
        assert network["unique"] == pytest.approx(whole["r2"] - others["r2"])
        assert network["shared"] == pytest.approx(others["shared"])
        assert whole["shared"] == pytest.approx(network["shared"])
        assert network["unique_low"] < network["unique"] < network["unique_high"]
    mean = table.query("source == 'network'").groupby("model")["unique"].mean()
    assert mean["net"] > 0.2 > mean["noise"] + 0.15
    assert len(plot_rdm_variance(table, MODELS).axes) == 2
    nothing = rdm_variance_table({}, "data", SETTINGS)
    write_table(tmp_path / "rdm_variance.csv", nothing, {}, RDM_VARIANCE)
    assert "needs confounds" in plot_rdm_variance(nothing, MODELS).axes[0].texts[0].get_text()


def test_profiles_under_every_measure(results):
    table = measures_table({name: results[name] for name in ("rsa", *NAMES)}, "data", "spearman", SETTINGS)
    figure = plot_measure_profiles(table, MODELS)
    assert len(figure.axes) == 5 * 2
    assert [axes.get_title() for axes in figure.axes[:2]] == ["V1", "LO"]
    labels = [axes.get_ylabel().replace("\n", " ") for axes in figure.axes[::2]]
    assert labels == ["RSA", "partial RSA", "RSA, Pearson's $r$", "debiased CKA", "CKA"]
    # the group's scores, the mean of the seeds
    group = table.query("measure == 'cka' and roi == 'LO' and model == 'other' and subject == 'group'")
    drawn = {line.get_label(): line.get_ydata() for line in figure.axes[-1].lines}
    np.testing.assert_allclose(drawn["Another"], group.groupby("layer_index")["score"].mean())
