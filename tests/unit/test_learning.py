"""Whether a network learned, against the bar of its corpus."""

import pandas as pd
import pytest

from cortexrsa.figures.style import marked
from cortexrsa.networks.learning import learning_table, unlearned

BARS = {"over_chance": 0.1, "reconstruction_r2": 0.2}


def verdict(objective, **values):
    rows = [(name, value, 0 if name.endswith("_before") else 100) for name, value in values.items()]
    metrics = pd.DataFrame(rows, columns=["metric", "value", "step"])
    metrics["metric"] = metrics["metric"].str.removesuffix("_before")
    table = learning_table({"net": metrics}, {"net": {"objective": objective, "bars": BARS}})
    return table.iloc[0]


@pytest.mark.parametrize(
    ("objective", "values", "learned"),
    [
        ("supervised", {"accuracy": 0.45, "chance": 0.3}, "yes"),
        ("supervised", {"accuracy": 0.35, "chance": 0.3}, "no"),
        ("simclr", {"knn_accuracy": 0.6, "knn_accuracy_before": 0.5, "chance": 0.3}, "yes"),
        # an untrained network's neighbours are better than chance: that is not learning
        ("simclr", {"knn_accuracy": 0.5, "knn_accuracy_before": 0.55, "chance": 0.3}, "no"),
        ("barlow_twins", {"knn_accuracy": 0.35, "knn_accuracy_before": 0.31, "chance": 0.3}, "no"),
        ("vae", {"reconstruction_r2": 0.5, "knn_accuracy": 0.1, "chance": 0.3}, "yes"),
        ("autoencoder", {"reconstruction_r2": 0.1}, "no"),
        ("simclr", {"training_loss": 3.0}, "unknown"),
    ],
)
def test_the_bar_decides(objective, values, learned):
    row = verdict(objective, **values)
    assert row["learned"] == learned
    assert (row["model"] in unlearned(row.to_frame().T, {})) == (learned == "no")


def test_a_network_that_did_not_learn_is_marked(tmp_path):
    row = verdict("supervised", accuracy=0.35, chance=0.3)
    assert row["reason"] == "accuracy 0.35 is below the bar of 0.40"
    row.to_frame().T.to_csv(tmp_path / "learning.csv", index=False)
    models = {name: {"label": name, "family": "task-optimised"} for name in ("net", "other", "large")}
    models["large"] |= {"variant_of": "net"}
    labels = {name: model["label"] for name, model in marked(models, tmp_path / "learning.csv").items()}
    assert labels == {"net": "net (did not learn)", "other": "other", "large": "large (did not learn)"}
    assert marked(models, None) == models
