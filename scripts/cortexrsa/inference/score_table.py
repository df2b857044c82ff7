"""Tidy table of the scores of all networks, corrected for the family of tests."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import xarray

from cortexrsa.inference.families import false_discovery_q, familywise_p
from cortexrsa.inference.names import GROUP, PRIMARY
from cortexrsa.inference.settings import Settings
from cortexrsa.inference.study import group_scores, parts_of
from cortexrsa.seeds import card_of, seed_of

CONSTANT_NOTE = "constant pattern: the layer does not vary over its features or over the stimuli"

MEAN_RDM_NOTE = "against the mean RDM of the subjects"


def score_table(
    results: dict[str, xarray.Dataset], dataset: str, measure: str, settings: Settings
) -> pd.DataFrame:
    """Tidy table of all scores of a data set.

    p, p_fwe and q_fdr are given for the primary split; the family of the corrections is all layers of all
    networks within one ROI and one unit (subject, or the group).

    Parameters
    ----------
    results : of `scores.score_network`, by network; each seed of a card for itself

    Returns
    -------
    table with the columns `formats.columns.scores.SCORES`
    """
    rows = [
        table
        for model, whole in results.items()
        for part in parts_of(whole)
        for split in part["split"].to_numpy()
        for table in _uncorrected(part, split, model, dataset, measure, settings)
    ]
    table = pd.concat(rows, ignore_index=True)
    primary = table[table["split"] == PRIMARY]
    for (unit, roi), family in primary.groupby(["subject", "roi"]):
        maxima = [result["null_maximum"].sel(unit=unit, roi=roi).to_numpy() for result in results.values()]
        maximum = np.fmax.reduce(maxima)
        table.loc[family.index, "p_fwe"] = familywise_p(family["score"].to_numpy(), maximum)
        table.loc[family.index, "q_fdr"] = false_discovery_q(family["p"].to_numpy())
    return table


def _uncorrected(
    result: xarray.Dataset, split: str, model: str, dataset: str, measure: str, settings: Settings
) -> Iterator[pd.DataFrame]:
    """Scores of one network in one split: a table for each unit (subject, or the group) and ROI."""
    part, subjects = result.sel(split=split), list(result["subject"].to_numpy())
    units = {subject: group_scores(part, settings.seed, subject=s) for s, subject in enumerate(subjects)}
    if len(subjects) > 1:
        units[GROUP] = group_scores(part, settings.seed)
    for unit, scores in units.items():
        note = MEAN_RDM_NOTE if unit == GROUP and "group_score" in part else ""
        se, low, high = scores.evaluated().interval(settings.confidence)
        for r, roi in enumerate(result["roi"].to_numpy()):
            tested = split == PRIMARY
            yield pd.DataFrame(
                {
                    "dataset": dataset,
                    "subject": unit,
                    "roi": roi,
                    "model": card_of(model),
                    "seed": seed_of(model),
                    "layer": result["layer"].to_numpy(),
                    "layer_index": result["layer_index"].to_numpy(),
                    "depth": result["depth"].to_numpy(),
                    "split": split,
                    "measure": measure,
                    "score": scores.estimate[r],
                    "se": se[r],
                    "ci_low": low[r],
                    "ci_high": high[r],
                    "p": result["p"].sel(unit=unit, roi=roi).to_numpy() if tested else np.nan,
                    "p_fwe": np.nan,
                    "q_fdr": np.nan,
                    "n_stimuli": int(part["n_stimuli"]),
                    "note": np.where(np.isnan(scores.estimate[r]), CONSTANT_NOTE, note),
                }
            )
