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
