"""Parts of claims in words, for figures and the report."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from cortexrsa.geometry.registry import COMPARISONS
from cortexrsa.geometry.registry import MEASURES as REGISTERED

# of the measures that claims are about
MEASURES = {"rsa": "RSA", "encoding": "encoding"} | {
    name: f"RSA by {record.meaning}" if name in COMPARISONS else record.label
    for name, record in REGISTERED.items()
}


def with_interval(estimate: float, low: float, high: float) -> str:
    """An estimate and its interval, with so many decimals that an end near 0 keeps its sign.

    Examples
    --------
    >>> with_interval(0.15, 0.104, 0.198)
    '0.15 [0.10, 0.20]'
    >>> with_interval(-0.028, -0.054, -0.001)
    '-0.028 [-0.054, -0.001]'
    >>> with_interval(0.15, float("nan"), float("nan"))
    '0.15, without an interval'
    """
    if not (np.isfinite(low) and np.isfinite(high)):
        return f"{estimate:.2f}, without an interval"
    decimals = 2
    while decimals < 6 and any(end != 0 and round(end, decimals) == 0 for end in (low, high)):
        decimals += 1
    # 0 has no sign
    estimate = round(estimate, decimals) + 0.0
    return f"{estimate:.{decimals}f} [{low:.{decimals}f}, {high:.{decimals}f}]"


def place(part: pd.Series, models: dict[str, dict], measure: bool) -> str:
    """Networks and ROI (and measure) of a part of a claim.

    Parameters
    ----------
    part : row of `claims.csv`
    models : label and family by model name
    measure : whether the measure is named
    """
    members = part["models"].split(", ")
    seeds = [name for name in members if name in models and models[name]["family"] == "untrained"]
    names = [models[name]["label"] if name in models else name for name in members]
    if len(seeds) > 1:
        names = [name for name, member in zip(names, members, strict=True) if member not in seeds]
        names.append(f"{len(seeds)} untrained networks")
    where = " in ".join(filter(None, (" / ".join(names), part["roi"])))
    return where + (f" ({MEASURES.get(part['measure'], part['measure'])})" if measure else "")


def labelled(text: str, models: dict[str, dict]) -> str:
    """A text in which networks have their labels in place of their names.

    Examples
    --------
    >>> labelled("resnet18 in V1: not told from 0", {"resnet18": {"label": "ResNet-18"}})
    'ResNet-18 in V1: not told from 0'
    """
    names = "|".join(re.escape(name) for name in sorted(models, key=len, reverse=True))
    return (
        re.sub(rf"(?<![\w.@-])({names})(?![\w@-])", lambda found: models[found[1]]["label"], text)
        if names
        else text
    )


def evidence(part: pd.Series) -> str:
    """Estimate and interval of a part of a claim, or why there is none."""
    if not np.isfinite(part["estimate"]):
        return part["reason"]
    return with_interval(part["estimate"], part["ci_low"], part["ci_high"])
