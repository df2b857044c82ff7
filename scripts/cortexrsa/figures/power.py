"""Figure and page of the power of a design: how often its claims would be supported."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from cortexrsa.figures.style import MARKERS, WIDE

COLUMNS = 3
VERDICTS = ("supported", "contradicted", "inconclusive", "untestable")


def plot_power(table: pd.DataFrame):
    """Share of simulated studies that support a claim, over the number of stimuli: a panel for each claim.

    Parameters
    ----------
    table : with the columns `columns.power.POWER`
    """
    supported = table[table["verdict"] == "supported"]
    claims = list(supported.groupby(["file", "claim"], sort=False))
    effects = sorted(supported["effect"].unique())
    colours = plt.colormaps["viridis"](np.linspace(0, 0.9, len(effects)))
    rows = -(-len(claims) // COLUMNS)
    figure, axes = plt.subplots(
        rows, COLUMNS, figsize=(WIDE, 1.7 * rows + 0.8), sharex=True, sharey=True, squeeze=False
    )
    several = supported["file"].nunique() > 1
    for panel, ((file, claim), own) in zip(axes.flat, claims, strict=False):
        for k, (effect, line) in enumerate(own.groupby("effect")):
            line = line.sort_values("stimuli")
            panel.plot(
                line["stimuli"],
                line["share"],
                marker=MARKERS[k % len(MARKERS)],
                color=colours[k],
                label=f"{effect:g}",
            )
        panel.set_title(f"{claim}, {file}" if several else claim, fontsize=8)
        panel.set(ylim=(-0.04, 1.04))
        panel.set_xscale("log")
        panel.set_xticks(stimuli := sorted(own["stimuli"].unique()), [str(n) for n in stimuli])
        panel.minorticks_off()
    for panel in axes.flat[len(claims) :]:
        panel.set_visible(False)
    figure.supxlabel("stimuli", fontsize=8)
    figure.supylabel("share of studies that support the claim", fontsize=8)
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, title="effect", frameon=False, loc="outside right upper")
    return figure


def as_text(table: pd.DataFrame) -> str:
    """The shares of a grid as a page of text: a table for each claim."""
    pages = []
    for (file, claim), own in table.groupby(["file", "claim"], sort=False):
        studies = own["studies"].iloc[0]
        pages.append(f"{claim} ({file}): share of {studies} simulated studies, in %")
        pages.append(
            f"  {'effect':>6} {'stimuli':>8}  " + "  ".join(f"{verdict:>12}" for verdict in VERDICTS)
        )
        for (effect, stimuli), cell in own.groupby(["effect", "stimuli"]):
            shares = cell.set_index("verdict")["share"]
            said = "  ".join(f"{100 * shares[verdict]:12.0f}" for verdict in VERDICTS)
            pages.append(f"  {effect:6g} {stimuli:8d}  {said}")
        pages.append("")
    return "\n".join(pages)
