"""Did a network learn? Its metrics on held-out images against the bar that its corpus sets."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cortexrsa.formats.columns.learning import LEARNING
from cortexrsa.seeds import card_of, seed_of

# the metric that speaks for each objective
METRICS = {
    "supervised": "accuracy",
    "simclr": "knn_accuracy",
    "barlow_twins": "knn_accuracy",
    "autoencoder": "reconstruction_r2",
    "vae": "reconstruction_r2",
}


def learning_table(metrics: dict[str, pd.DataFrame], settings: dict[str, dict]) -> pd.DataFrame:
    """Whether each network learned.

    Parameters
    ----------
    metrics : by network (each seed of a card for itself), columns metric, value, step (images seen)
    settings : by network `objective`, and `bars`: over_chance, reconstruction_r2

    Returns
    -------
    table with the columns `LEARNING`. The bar of accuracies is chance + over_chance; that of nearest
    neighbours also the untrained network's value, which is above chance for any network.
    """
    rows = []
    for model, table in metrics.items():
        objective, bars = settings[model]["objective"], settings[model]["bars"]
        metric = METRICS[objective]
        table = table.sort_values("step", kind="stable")

        def value(name: str, part: pd.DataFrame) -> float:
            found = part.loc[part["metric"] == name, "value"]
            return float(found.iloc[-1]) if len(found) else np.nan

        before, chance = value(metric, table[table["step"] == 0]), value("chance", table)
        if metric == "reconstruction_r2":
            bar = bars["reconstruction_r2"]
        else:
            bar = chance + bars["over_chance"]
            if metric == "knn_accuracy":
                bar = max(bar, before)
        final = value(metric, table[table["step"] > 0])
        if np.isnan(final) or np.isnan(bar):
            learned, reason = "unknown", "no labels to measure it by"
        elif final >= bar and not final <= before:
            learned, reason = "yes", f"{metric} {final:.2f} reaches the bar of {bar:.2f}"
        else:
            learned, reason = "no", f"{metric} {final:.2f} is below the bar of {bar:.2f}"
        rows.append(
            [card_of(model), seed_of(model), objective, metric, final, before, chance, bar, learned, reason]
        )
    return pd.DataFrame(rows, columns=list(LEARNING.columns))


def unlearned(table: pd.DataFrame, variants: dict[str, str]) -> dict[str, str]:
    """Reason by name of each network that did not learn, in one of its seeds; of its variants too.

    Parameters
    ----------
    table : with the columns `LEARNING`
    variants : name of the network whose weights each variant has
    """
    found = {}
    for row in table[table["learned"] == "no"].itertuples():
        which = f"seed {row.seed}: " if (table["model"] == row.model).sum() > 1 else ""
        found.setdefault(row.model, []).append(which + row.reason)
    joined = {model: "; ".join(reasons) for model, reasons in found.items()}
    of_variants = {name: joined[base] for name, base in variants.items() if base in joined}
    return joined | of_variants
