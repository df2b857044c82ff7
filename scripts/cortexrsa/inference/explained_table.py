"""Table of the unique and shared variance of networks and confounds in the RDMs of ROIs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray

from cortexrsa.formats.columns.measures import RDM_VARIANCE
from cortexrsa.inference.errors import Replicated
from cortexrsa.inference.names import GROUP, PRIMARY, TOGETHER
from cortexrsa.inference.settings import Settings
from cortexrsa.inference.study import group_scores, parts_of
from cortexrsa.seeds import card_of, seed_of


def rdm_variance_table(results: dict[str, xarray.Dataset], dataset: str, settings: Settings) -> pd.DataFrame:
    """What every source explains of the RDM of a ROI, alone and beside all others.

    Explained is r |r|, with r the correlation of the RDM with the mixture that was weighted on other stimuli:
    r^2, with the sign of r. The unique part of a source is what all explain less what all others do.

    Parameters
    ----------
    results : of `measures.measure_network` by network, one measure of RDMs; those without `explained` have
        no rows
    settings : confidence and seed

    Returns
    -------
    table with the columns `formats.columns.measures.RDM_VARIANCE`
    """
    rows = []
    for model, result in results.items():
        if "explained" not in result:
            continue
        for part in parts_of(result.sel(split=PRIMARY)):
            subjects = list(part["subject"].values)
            subject = GROUP if len(subjects) > 1 else str(subjects[0])
            r = group_scores(part, settings.seed, "explained")
            for k, roi in enumerate(part["roi"].values):
                head = {"dataset": dataset, "subject": subject, "roi": roi}
                head |= {"model": card_of(model), "seed": seed_of(model)}
                own = r.apply(lambda values, k=k: values[..., k, :] * np.abs(values[..., k, :]))
                of_roi = _of_roi(own, [str(name) for name in part["sources"].values], settings)
                rows += [head | row | {"n_stimuli": int(part["n_stimuli"])} for row in of_roi]
    return pd.DataFrame(rows, columns=list(RDM_VARIANCE.columns))


def _of_roi(explained: Replicated, names: list[str], settings: Settings) -> list[dict]:
    """Rows of all sources together, and of each."""
    place = {name: k for k, name in enumerate(names)}

    def with_limits(name: str, plus: str, minus: str | None = None) -> dict:
        def difference(values: np.ndarray) -> np.ndarray:
            return values[..., place[plus]] - (values[..., place[minus]] if minus else 0)

        found = explained.apply(difference)
        low, high = found.evaluated().interval(settings.confidence)[1:]
        return {name: float(found.estimate), f"{name}_low": float(low), f"{name}_high": float(high)}

    sources = [name for name in names if name != TOGETHER and not name.startswith("-")]
    parts = []
    for name in sources:
        row = with_limits("r2", name) | with_limits("unique", TOGETHER, f"-{name}")
        parts.append({"source": name, **row, "shared": row["r2"] - row["unique"]})
    whole = with_limits("r2", TOGETHER)
    whole["shared"] = whole["r2"] - sum(row["unique"] for row in parts)
    return [{"source": TOGETHER, **whole}, *parts]
