"""Figures of the claims: depth centroids and the table of verdicts."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from cortexrsa.figures.style import (
    MARKERS,
    PALETTE,
    WIDTH,
    models_to_draw,
    ordered,
    ordered_rois,
    placeholder,
    roi_colours,
    say_how_many,
)
from cortexrsa.formats.columns.claims import OTHER_MEASURES
from cortexrsa.inference.claims.words import MEASURES, evidence, place

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


def _verdict_columns(claims: pd.DataFrame) -> dict[str, str]:
    """Columns of verdicts that have any, with their headings: of the claim's own measure, and of others."""
    others = {f"verdict_{measure}": MEASURES[measure] for measure in OTHER_MEASURES}
    found = {column: name for column, name in others.items() if (claims[column] != "").any()}
    return {"verdict": MEASURES["rsa"] if found else "verdict"} | found


def plot_verdicts(claims: pd.DataFrame, models: dict[str, dict]) -> plt.Figure:
    """Table: every claim, its verdicts in colour and words, and the estimates with intervals behind it.

    Claims about RSA have a verdict for every other measure of the study too; a claim about several measures
    has one.
    """
    columns = _verdict_columns(claims)
    left = 0.315
    # of each column of verdicts
    places = dict(zip(columns, left + 0.14 * np.arange(len(columns)), strict=True))
    evidence_at = left + 0.14 * len(columns)
    wrapped = int(66 if len(columns) == 1 else 130 * (1 - evidence_at))
    rows = []
    several = claims["file"].nunique() > 1
    for (file, claim), parts in claims.groupby(["file", "claim"], sort=False):
        overall = parts[parts["statistic"] == "overall"].iloc[0]
        details = parts[parts["statistic"] != "overall"]
        named = details["measure"].nunique() > 1
        lines = []
        for statistic, members in details.groupby("statistic", sort=False):
            lines += textwrap.wrap(f"{statistic}:", wrapped)
            for _, part in members.iterrows():
                said = ": ".join(filter(None, (place(part, models, named), evidence(part))))
                lines += textwrap.wrap(said, wrapped, initial_indent="  ", subsequent_indent="    ")
        statement = textwrap.wrap(overall["statement"], 27) + [f"({file})"] * several
        rows.append((claim, statement, overall, lines))
    heights = [max(len(statement), len(lines)) + 0.9 for _, statement, _, lines in rows]
    total = sum(heights) + 1.6
    figure = plt.figure(figsize=(WIDTH, 0.135 * total), layout="none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 1), ylim=(total, 0))
    axes.set_axis_off()
    headings = {0.055: "claim"} | {places[column]: name for column, name in columns.items()}
    for x, heading in (headings | {evidence_at: "estimate [interval]"}).items():
        axes.text(x, 0.9, heading, weight="bold", va="center", fontsize=7.5)
    y = 1.6
    for (claim, statement, overall, lines), height in zip(rows, heights, strict=True):
        axes.axhline(y, color="0.8", lw=0.6)
        axes.text(0.01, y + 0.9, claim, va="center", weight="bold", fontsize=7.5)
        for column, x in places.items():
            if overall[column]:
                _draw_verdict(axes, x, y, overall[column])
        if overall["measure"] != "rsa":
            axes.text(places["verdict"], y + 2, overall["measure"], va="center", fontsize=6.5)
        for x, text in ((0.055, statement), (evidence_at, lines)):
            for k, line in enumerate(text):
                axes.text(x, y + 0.9 + k, line, va="center", fontsize=6.5)
        y += height
    return figure


def _draw_verdict(axes: plt.Axes, x: float, y: float, verdict: str) -> None:
    box = (x - 0.006, y + 0.25), 0.125, 1.25
    axes.add_patch(plt.Rectangle(*box, color=VERDICTS[verdict], alpha=0.45, lw=0))
    axes.text(x, y + 0.9, verdict, va="center", fontsize=7)
