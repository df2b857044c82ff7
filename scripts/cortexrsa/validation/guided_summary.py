"""How often training with a simulated brain is found to help, and how often that is right."""

from __future__ import annotations

import pandas as pd
from scipy import stats

from cortexrsa.formats.columns.guided_recovery import GUIDED_RECOVERY

LEAST_POWER, LARGEST_ERROR = 0.9, 0.05


def expected_of(world: str, question: str) -> str | None:
    """What the answers should be: found (in at least 90 %), null (at most 5 %), or None: neither is known.

    Examples
    --------
    >>> expected_of("nothing beyond the low-level target", "rsa over low_level, people not trained with")
    'null'
    >>> expected_of("nothing beyond the low-level target", "rsa over unguided, people not trained with")
    """
    if world == "hidden structure":
        return "found"
    beyond = question.startswith("H9") or "low_level" in question
    return "null" if world == "shuffled responses" or beyond else None


def summarise(results: pd.DataFrame) -> pd.DataFrame:
    """Share of the studies in which H9, or a part of it, is supported, with its exact 95 % interval.

    Parameters
    ----------
    results : of `guided.experiments`, of all worlds and losses

    Returns
    -------
    table with the columns `GUIDED_RECOVERY`
    """
    rows = []
    for (scenario, question), part in results.groupby(["scenario", "question"], sort=False):
        expected = expected_of(scenario.partition(", ")[0], question)
        if expected is None:
            continue
        hits = int((part["answer"] == "supported").sum())
        limits = stats.binomtest(hits, len(part)).proportion_ci()
        share = hits / len(part)
        holds = limits.low <= LARGEST_ERROR if expected == "null" else share >= LEAST_POWER
        rows.append([scenario, question, "supported", expected, len(part), share, *limits, holds])
    return pd.DataFrame(rows, columns=list(GUIDED_RECOVERY.columns))
