"""What claims say of each person, where people are too few to say anything of others."""

from __future__ import annotations

import pandas as pd

from cortexrsa.inference.prevalence import prevalence


def with_people(
    claims: pd.DataFrame, alone: dict[str, pd.DataFrame], confidence: float, unseen: tuple[str, ...] = ()
) -> pd.DataFrame:
    """Claims whose reasons tell the verdict in each person, and in how many of a population they may hold.

    Parameters
    ----------
    claims : table of `evaluate.evaluate`, of the mean over people
    alone : the same of each person, by name
    confidence : of the intervals, whose tail is the level of a person's test
    unseen : networks whose claims are about people that these were not trained with: they stay as they are
    """
    claims = claims.copy()
    about_unseen = claims["claim"].map(lambda claim: claim.endswith(tuple(f" {name}" for name in unseen)))
    for row in claims.index[(claims["statistic"] == "overall") & ~about_unseen.astype(bool)]:
        verdicts = {person: table.at[row, "verdict"] for person, table in alone.items()}
        if set(verdicts.values()) == {"untestable"}:
            continue
        told = [
            f"{verdict} in {', '.join(person for person, own in verdicts.items() if own == verdict)}"
            for verdict in dict.fromkeys(verdicts.values())
        ]
        found = sum(verdict == "supported" for verdict in verdicts.values())
        value, low, high = prevalence(found, len(verdicts), (1 - confidence) / 2, confidence)
        claims.loc[row, "reason"] += (
            f"; each person alone: {', '.join(told)}; "
            f"it may hold in {value:.0%} [{low:.0%}, {high:.0%}] of people"
        )
    return claims
