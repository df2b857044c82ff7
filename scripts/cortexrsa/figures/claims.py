"""Figures of the claims: depth centroids and the table of verdicts."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt

from cortexrsa.figures.style import (
    MARKERS,
    WIDTH,
    models_to_draw,
    ordered,
    ordered_rois,
    placeholder,
    roi_colours,
    say_how_many,
)

PALETTE = sns.color_palette("colorblind")
# from the colour-blind safe palette; the verdict is written out too
VERDICTS = {
    "supported": PALETTE[2],
    "contradicted": PALETTE[3],
    "inconclusive": PALETTE[8],
    "untestable": PALETTE[7],
}


def plot_centroids(profiles: pd.DataFrame, models: dict[str, dict]) -> plt.Figure:
    """Depth centroid of every network in every ROI, with its interval."""
    centroids = profiles[profiles["statistic"] == "depth centroid"]
    if centroids.empty:
        return placeholder("No network of this study has enough layers for a depth centroid.")
    rois = ordered_rois(centroids["roi"])
    known = {name: models[name] for name in models if name in set(centroids["model"])}
    best = profiles[profiles["statistic"] == "held-out best layer"].set_index("model")["estimate"]
    drawn = models_to_draw(known, best)
    names = ordered(drawn)
    figure, axes = plt.subplots(figsize=(WIDTH * 0.75, 0.42 * len(names) + 1.2))
    offsets = np.linspace(-0.14, 0.14, len(rois)) if len(rois) > 1 else [0]
    for k, (roi, colour) in enumerate(roi_colours(rois).items()):
        part = centroids[centroids["roi"] == roi].set_index("model").loc[names]
        y = np.arange(len(names)) + offsets[k]
        axes.hlines(y, part["ci_low"], part["ci_high"], color=colour)
        axes.plot(part["estimate"], y, MARKERS[k % len(MARKERS)], color=colour, ms=5, label=roi)
    axes.set_yticks(range(len(names)), [models[name]["label"] for name in names])
    axes.invert_yaxis()
    axes.set(xlabel="depth centroid of the profile (input 0, output 1)")
    axes.xaxis.grid(True, color="0.9")
    axes.legend(title="ROI", frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    say_how_many(figure, drawn, known)
    return figure


def _evidence(part: pd.Series, models: dict[str, dict]) -> str:
    """One part of a claim in words: networks, ROI, estimate and interval, or why there is none."""
    members = part["models"].split(", ")
    seeds = [name for name in members if name in models and models[name]["family"] == "untrained"]
    names = [models[name]["label"] if name in models else name for name in members]
    if len(seeds) > 1:
        names = [name for name, member in zip(names, members, strict=True) if member not in seeds]
        names.append(f"{len(seeds)} untrained networks")
    where = " in ".join(filter(None, (" / ".join(names), part["roi"])))
    if not np.isfinite(part["estimate"]):
        return f"{where}: {part['reason']}" if where else part["reason"]
    low, high = part["ci_low"], part["ci_high"]
    decimals = 2
    # an end of the interval that is near 0 keeps its sign
    while decimals < 6 and any(end != 0 and round(end, decimals) == 0 for end in (low, high)):
        decimals += 1
    return f"{where}: {part['estimate']:.{decimals}f} [{low:.{decimals}f}, {high:.{decimals}f}]"


def plot_verdicts(claims: pd.DataFrame, models: dict[str, dict]) -> plt.Figure:
    """Table: every claim, its verdict in colour and words, and the estimates with intervals behind it."""
    rows = []
    several = claims["file"].nunique() > 1
    for (file, claim), parts in claims.groupby(["file", "claim"], sort=False):
        overall = parts[parts["statistic"] == "overall"].iloc[0]
        details = parts[parts["statistic"] != "overall"]
        lines = []
        for statistic, members in details.groupby("statistic", sort=False):
            lines += textwrap.wrap(f"{statistic}:", 66)
            for _, part in members.iterrows():
                lines += textwrap.wrap(
                    _evidence(part, models), 66, initial_indent="  ", subsequent_indent="    "
                )
        statement = textwrap.wrap(overall["statement"], 27) + [f"({file})"] * several
        rows.append((claim, statement, overall["verdict"], lines))
    heights = [max(len(statement), len(lines)) + 0.9 for _, statement, _, lines in rows]
    total = sum(heights) + 1.6
    figure = plt.figure(figsize=(WIDTH, 0.135 * total), layout="none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 1), ylim=(total, 0))
    axes.set_axis_off()
    columns = (0.01, 0.055, 0.315, 0.455)
    for x, heading in zip(columns, ("", "claim", "verdict", "estimate [interval]"), strict=True):
        axes.text(x, 0.9, heading, weight="bold", va="center", fontsize=7.5)
    y = 1.6
    for (claim, statement, verdict, lines), height in zip(rows, heights, strict=True):
        axes.axhline(y, color="0.8", lw=0.6)
        axes.add_patch(
            plt.Rectangle(
                (columns[2] - 0.006, y + 0.25), 0.125, 1.25, color=VERDICTS[verdict], alpha=0.45, lw=0
            )
        )
        axes.text(columns[0], y + 0.9, claim, va="center", weight="bold", fontsize=7.5)
        axes.text(columns[2], y + 0.9, verdict, va="center", fontsize=7)
        for x, text in ((columns[1], statement), (columns[3], lines)):
            for k, line in enumerate(text):
                axes.text(x, y + 0.9 + k, line, va="center", fontsize=6.5)
        y += height
    return figure
