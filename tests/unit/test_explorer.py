"""What the explorer shows, as JSON: rows of the charts, RDMs, thumbnails."""

import base64
import io
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.spatial.distance import squareform
from scipy.stats import rankdata

from cortexrsa.figures.geometry import _shrunk
from cortexrsa.figures.style import told_apart
from cortexrsa.formats.columns.ceilings import CEILINGS
from cortexrsa.formats.columns.scores import SCORES
from cortexrsa.formats.rdms import RDMs
from cortexrsa.formats.tables import write_table
from cortexrsa.report import explorer
from cortexrsa.report.explorer import MOST_STIMULI, _bytes, _chosen, _embedded, _order, _sprite, packed, rows

MODELS = {"a": {"label": "Net <A>", "family": "task-optimised"}}


def test_a_score_without_an_interval_is_no_fault(tmp_path):
    """Neither is a missing score, nor a ceiling that is not known."""
    blank = dict.fromkeys(SCORES.columns, np.nan) | {
        "note": "",
        "dataset": "d",
        "subject": "s",
        "split": "test",
    }
    blank |= {"model": "a", "roi": "V1", "measure": "spearman", "seed": 1, "layer_index": 0, "n_stimuli": 9}
    found = [{"layer": "x", "depth": 0, "score": 0.25}, {"layer": "y", "depth": 1, "score": np.nan}]
    write_table(tmp_path / "scores.csv", pd.DataFrame([blank | row for row in found]), {}, SCORES)
    ceiling = dict.fromkeys(CEILINGS.columns, np.nan) | {"dataset": "d", "subject": "s", "roi": "V1"}
    ceiling |= {"split": "test", "measure": "spearman", "kind": "unknown", "assumes": ""}
    write_table(tmp_path / "ceilings.csv", pd.DataFrame([ceiling]), {}, CEILINGS)
    (row,) = rows(tmp_path, {("a", "x"): "8x4x4"}, MODELS)
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    assert (row["score"], row["ci_low"], row["attainable"], row["shape"]) == (0.25, None, None, "8x4x4")
    assert row["dimensionality"] is None
    (row,) = rows(tmp_path, {}, MODELS, {("a", "x"): 4.44, ("a", "y"): np.nan})
    assert row["dimensionality"] == 4.4


def test_an_rdm_is_a_byte_a_pair_in_the_order_of_its_ranks():
    rdm = np.random.default_rng(0).random(45)
    shown = np.frombuffer(base64.b64decode(_bytes(rdm, np.ones(10, bool))), np.uint8)
    np.testing.assert_array_equal(shown, np.round(255 * (rankdata(rdm) - 1) / 44))
    some = np.arange(10) < 4
    assert len(base64.b64decode(_bytes(rdm, some))) == 6
    assert _bytes(np.full(45, np.nan), some) == ""


def test_thumbnails_of_images_of_any_shape():
    assert _sprite(np.zeros((3, 40, 20, 3), np.uint8)).startswith("data:image/webp;base64,")


def test_many_stimuli_are_evenly_sampled_and_have_thumbnails():
    assert _chosen(20, 1000).all()
    np.testing.assert_array_equal(np.flatnonzero(_chosen(20, 5)), [0, 4, 9, 14, 19])
    chosen = _chosen(2000, 1000)
    assert chosen.sum() == MOST_STIMULI
    assert _sprite(np.zeros((MOST_STIMULI, 4, 4, 3), np.uint8)).startswith("data:image/webp;base64,")


def test_stimuli_are_sorted_by_labels_as_numbers_or_text():
    assert _order(pd.Series([10, 9.5, np.nan, 2], index=[7, 5, 3, 1])) == [3, 1, 0, 2]
    assert _order(pd.Series(["b", None, "a", "b"])) == [2, 0, 3, 1]


def test_rows_of_a_large_study_leave_room_for_the_rdms():
    """Twenty networks of twenty layers in ten regions by three measures; the page has 5 MB."""
    generator = np.random.default_rng(0)
    place = {"measure": ("rsa", "encoding", "partial_rsa"), "roi": range(10), "model": range(20)}
    table = pd.MultiIndex.from_product([*place.values(), range(20)], names=[*place, "layer"]).to_frame()
    table = table.assign(layer="blocks." + table["layer"].astype(str), label="Network of a label")
    table[["score", "ci_low", "ci_high"]] = generator.uniform(-0.2, 0.6, (len(table), 3)).round(4)
    found = table.assign(depth=0.1053, attainable=0.7, shape="512x7x7", dimensionality=12.5).to_dict(
        "records"
    )
    columns = packed(found)
    for name, column in columns.items():
        assert [column["values"][code] for code in column["codes"]] == [row[name] for row in found]
    assert len(_embedded(columns)) < 1_100_000
    assert packed([]) == {}


def test_no_label_ends_or_hides_the_content():
    content = {"a": "</script>", "b": "<!--<script>"}
    text = _embedded(content)
    assert "<" not in text
    assert json.loads(text) == content


def test_cells_labels_and_thumbnails_are_those_of_the_stimuli(tmp_path, monkeypatch):
    """The RDMs have the stimuli in an order of their own, and a training stimulus; one layer has no RDM."""
    generator = np.random.default_rng(0)
    ids = generator.permutation([f"s{k}" for k in range(10)])
    patterns = pd.DataFrame({"stimulus_id": ids, "split": ["train"] + ["test"] * 9})
    brain = RDMs(generator.random((1, 45)), pd.DataFrame({"roi": ["V1"], "subject": "a"}), patterns, "x")
    values = generator.random((2, 45))
    values[1, 20] = np.nan
    network = RDMs(values, pd.DataFrame({"layer": ["first", "dead"]}), patterns, "x")
    monkeypatch.setattr(explorer, "brain_rdms", lambda *_: "brain")
    monkeypatch.setattr(explorer, "network_rdms", lambda *_: "network")
    monkeypatch.setattr(explorer, "read_rdms", lambda path: brain if path.name == "brain" else network)
    table = pd.DataFrame({"stimulus_id": [f"s{k}" for k in range(10)], "split": "test", "repeats": 1})
    table = table.assign(kind=[f"kind {k % 3}" for k in range(10)])
    images = np.zeros((10, 40, 20, 3), np.uint8) + 25 * np.arange(10, dtype=np.uint8)[:, None, None, None]
    monkeypatch.setattr(explorer, "read_stimuli", lambda *_: (images, table))
    config = {"measures": {"comparison": "spearman"}}
    found, dimensions = explorer.geometry(config, "d", {}, {"net": {}}, tmp_path / "results")
    assert found["stimuli"] == ids[1:].tolist()
    assert found["rdms"]["net/dead"] == ""
    assert list(found["orders"]) == ["stimulus", "kind", "cluster of V1"]
    for name, rdm in (("V1", brain.dissimilarities[0]), ("net/first", values[0])):
        shown = np.frombuffer(base64.b64decode(found["rdms"][name]), np.uint8)
        own = squareform(rdm)[1:, 1:]
        expected = np.round(255 * (rankdata(own[np.triu_indices(9, 1)]) - 1) / 35)
        np.testing.assert_array_equal(shown, expected)
    centring = np.eye(9) - 1 / 9
    values_of_gram = np.linalg.eigvalsh(-centring @ squareform(values[0])[1:, 1:] @ centring)
    assert dimensions["net", "first"] == pytest.approx(values_of_gram.sum() ** 2 / (values_of_gram**2).sum())
    assert np.isnan(dimensions["net", "dead"])
    numbers = [int(name[1:]) for name in found["stimuli"]]
    assert found["labels"]["kind"] == [f"kind {k % 3}" for k in numbers]
    row = Image.open(io.BytesIO(base64.b64decode(found["sprite"].split(",")[1]))).convert("L")
    middles = [row.getpixel((32 * k + 16, 16)) for k in range(9)]
    np.testing.assert_allclose(middles, [25 * k for k in numbers], atol=8)


def test_networks_of_one_label_are_told_apart():
    models = {
        "a": {"label": "ResNet", "family": "untrained"},
        "b": {"label": "VAE"},
        "c": {"label": "ResNet"},
    }
    labels = [model["label"] for model in told_apart(models).values()]
    assert labels == ["ResNet (a)", "VAE", "ResNet (c)"]


def test_a_large_rdm_is_drawn_as_means_of_neighbours():
    matrix = np.add.outer(np.arange(1000.0), np.zeros(1000))
    shrunk = _shrunk(matrix, 1)
    assert shrunk.shape == (200, 200)
    np.testing.assert_allclose(shrunk[:, 0], np.arange(200) * 5 + 2)
    # of twenty networks: a report has 6 MB for all its figures
    assert _shrunk(matrix, 80).shape == (100, 100)
    np.testing.assert_array_equal(_shrunk(matrix[:150, :150], 30), matrix[:150, :150])
