"""Which of several noise ceilings bounds the scores of a group."""

from __future__ import annotations

import pandas as pd

from cortexrsa.inference.names import GROUP, PRIMARY


def primary_ceilings(table: pd.DataFrame) -> dict[str, dict]:
    """Per ROI the row that bounds the group's scores: over subjects where there are several, else repeats."""
    rows = table[table["split"] == PRIMARY].sort_values(
        "subject", key=lambda subject: subject != GROUP, kind="stable"
    )
    return {row["roi"]: row for row in rows.drop_duplicates("roi").to_dict("records")}


def signal_of(ceiling: dict) -> tuple[str, float, float]:
    """What tells whether a ROI has a signal: its name, its value, and the lower limit of its interval.

    The similarity of people to each other (the lower bound), or of repeats (the reliability).
    """
    name = "lower" if ceiling["kind"].startswith("subjects") else "reliability"
    return name, ceiling[name], ceiling[f"{name}_ci_low"]
