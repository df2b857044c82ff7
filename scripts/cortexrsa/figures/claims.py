"""Figures of the claims: depth centroids and the table of verdicts."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from cortexrsa.figures.style import (
    MARKERS,
    PALETTE,
    SMALL,
    WIDTH,
    behind,
    models_to_draw,
    ordered,
    ordered_rois,
    placeholder,
    roi_colours,
    say_how_many,
    wrapped,
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

# of the table: where its text begins, and letters of a line
EDGE, LETTERS = 0.1, 78


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
    figure, axes = plt.subplots(figsize=(WIDTH, 0.3 * len(names) + 1.2))
    offsets = np.linspace(-0.2, 0.2, len(rois)) if len(rois) > 1 else [0]
    for k, (roi, colour) in enumerate(roi_colours(rois).items()):
        part = centroids[centroids["roi"] == roi].set_index("model").loc[names]
        y = np.arange(len(names)) + offsets[k]
        axes.hlines(y, part["ci_low"], part["ci_high"], color=colour)
        axes.plot(part["estimate"], y, MARKERS[k % len(MARKERS)], color=colour, ms=5, label=roi)
    axes.set_yticks(range(len(names)), [wrapped(models[name]["label"], 26) for name in names], fontsize=SMALL)
    axes.invert_yaxis()
    axes.set(xlabel="depth centroid (input 0, output 1)")
    axes.xaxis.grid(True, color="0.9")
    figure.legend(loc="outside lower center", ncols=min(len(rois), 4), frameon=False)
    say_how_many(figure, drawn, known)
    return behind(figure, centroids[centroids["model"].isin(names)])


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
    places = dict(zip(columns, EDGE + (1 - EDGE) / 3 * np.arange(len(columns)), strict=True))
    several = claims["file"].nunique() > 1
    rows = []
    for (file, claim), parts in claims.groupby(["file", "claim"], sort=False):
        overall = parts[parts["statistic"] == "overall"].iloc[0]
        statement = textwrap.wrap(overall["statement"] + f" ({file})" * several, LETTERS)
        rows.append((claim, statement, overall, _evidence(parts, models)))
    heights = [len(statement) + len(lines) + 2.4 for _, statement, _, lines in rows]
    total = sum(heights) + 0.4
    figure = plt.figure(figsize=(WIDTH, 0.135 * total), layout="none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 1), ylim=(total, 0))
    axes.set_axis_off()
    y = 0.2
    for (claim, statement, overall, lines), height in zip(rows, heights, strict=True):
        axes.axhline(y, color="0.8", lw=0.6)
        axes.text(0.01, y + 0.9, claim, va="center", weight="bold", fontsize=7)
        for k, line in enumerate(statement):
            axes.text(EDGE, y + 0.9 + k, line, va="center", fontsize=7)
        below = y + 0.4 + len(statement)
        for column, x in places.items():
            if overall[column]:
                named = "" if len(columns) == 1 else f"{columns[column]}: "
                if column == "verdict" and overall["measure"] != "rsa":
                    named = ", ".join(MEASURES[each] for each in overall["measure"].split(", ")) + ": "
                _draw_verdict(axes, x, below, overall[column], named)
        for k, line in enumerate(lines):
            axes.text(EDGE, below + 2 + k, line, va="center", fontsize=SMALL)
        y += height
    return behind(figure, claims)


def _evidence(parts: pd.DataFrame, models: dict[str, dict]) -> list[str]:
    """Lines of the estimates behind a claim, by statistic."""
    details = parts[parts["statistic"] != "overall"]
    named, lines = details["measure"].nunique() > 1, []
    for statistic, members in details.groupby("statistic", sort=False):
        lines += textwrap.wrap(f"{statistic}:", LETTERS)
        for _, part in members.iterrows():
            said = ": ".join(filter(None, (place(part, models, named), evidence(part))))
            lines += textwrap.wrap(said, LETTERS, initial_indent="  ", subsequent_indent="    ")
    return lines


def _draw_verdict(axes: plt.Axes, x: float, y: float, verdict: str, before: str) -> None:
    """A verdict in its colour, with the measure that it is about before it."""
    box = (x - 0.006, y - 0.1), (1 - EDGE) / 3 - 0.015, 1.25
    axes.add_patch(plt.Rectangle(*box, color=VERDICTS[verdict], alpha=0.45, lw=0))
    axes.text(x, y + 0.55, f"{before}{verdict}", va="center", fontsize=SMALL)
