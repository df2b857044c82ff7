"""Figure of the recovery of planted truth."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from cortexrsa.figures.style import PALETTE, WIDE

EXPECTATIONS = {
    "found": "found",
    "null": "at most 5 %",
    "raw": "raw RSA finds it",
    "voxels": "more: voxels are a sample too",
}
# characters of a line
LONGEST = 64
COLOURS = dict(zip(EXPECTATIONS, PALETTE, strict=False))
# of `validation.recovery`, which this does not import: the figure of guided training is drawn by it too
ROIS = ("early", "late")


def plot_recovery(table: pd.DataFrame) -> plt.Figure:
    """Share of the experiments in which each question got the answer, with its interval, by scenario.

    Parameters
    ----------
    table : of `validation.recovery.summarise`
    """
    labels = [
        textwrap.fill(f"{row.scenario}: {_asked(row.question)} {row.answers}", LONGEST)
        for row in table.itertuples()
    ]
    lines = sum(label.count("\n") for label in labels)
    figure, axes = plt.subplots(figsize=(WIDE, 0.27 * len(table) + 0.1 * lines + 1.1))
    y = np.arange(len(table))
    for expected, colour in COLOURS.items():
        rows = (table["expected"] == expected).to_numpy()
        if not rows.any():
            continue
        part = table[rows]
        axes.hlines(y[rows], part["ci_low"], part["ci_high"], color=colour)
        label = f"expected: {EXPECTATIONS[expected]}"
        axes.plot(part["share"], y[rows], "o", ms=5, color=colour, label=label)
    for place, share, high in zip(y, table["share"], table["ci_high"], strict=True):
        if high < 0.85:
            axes.text(high + 0.015, place, f"{share:.1%}", va="center", fontsize=6.5)
        else:
            low = table["ci_low"].iloc[place]
            axes.text(low - 0.015, place, f"{share:.1%}", va="center", ha="right", fontsize=6.5)
    axes.axvline(0.05, color="0.4", ls=":", lw=1)
    axes.set_yticks(y, labels, fontsize=7)
    axes.invert_yaxis()
    axes.set(xlim=(-0.02, 1.02), xlabel="share of the experiments (dotted: 5 %)")
    axes.xaxis.grid(True, color="0.9")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    fewest, most = table["experiments"].min(), table["experiments"].max()
    number = f"{most}" if fewest == most else f"{fewest} or {most}"
    figure.suptitle(f"{number} simulated experiments each", fontsize=8)
    return figure


def _asked(question: str) -> str:
    """A question, whose last word may be a ROI."""
    statistic, _, roi = question.rpartition(" ")
    return f"{statistic} ({roi} ROI)" if roi in ROIS else question
