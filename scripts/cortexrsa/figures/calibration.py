"""Figure and table of the calibration study: coverage of intervals and error rates of tests."""

from __future__ import annotations

import textwrap

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from cortexrsa.figures.style import MARKERS, PALETTE, WIDE

ERRORS = {"one-pass": "one pass", "resampled": "resampled", "bootstrap": "plain bootstrap"}


def plot_calibration(table: pd.DataFrame):
    """Coverage by size of the study (rows: kinds of statistics; columns: signals), and false positives below.

    Parameters
    ----------
    table : of `validation.calibration`, all studies, with columns subjects, stimuli, signal
    """
    table = table.assign(study=[f"{row.subjects} x {row.stimuli}" for row in table.itertuples()])
    studies = list(dict.fromkeys(table.sort_values(["stimuli", "subjects"])["study"]))
    intervals, tests = table[table["signal"] != "none"], table[table["signal"] == "none"]
    statistics, signals = (
        list(dict.fromkeys(intervals["statistic"])),
        list(dict.fromkeys(intervals["signal"])),
    )
    names = list(dict.fromkeys(tests["statistic"]))
    columns = max(len(signals), len(names))
    rows = len(statistics) + 1
    figure, axes = plt.subplots(rows, columns, figsize=(WIDE, 1.25 * rows + 0.6), sharex=True, squeeze=False)
    methods = {errors: label for errors, label in ERRORS.items() if (intervals["errors"] == errors).any()}
    for panel in axes.flat:
        panel.set_visible(False)
    for row, statistic in enumerate(statistics):
        for column, signal in enumerate(signals):
            panel = axes[row, column]
            panel.set_visible(True)
            chosen = (intervals[["statistic", "signal"]] == [statistic, signal]).all(axis=1)
            _plot_coverage(panel, intervals[chosen], studies, methods, statistic.startswith("equivalence"))
            if row == 0:
                panel.set_title(f"{signal} signal", fontsize=8)
            if column == 0:
                panel.set_ylabel(textwrap.fill(statistic, 14), fontsize=7)
    for panel, name in zip(axes[-1], names, strict=False):
        panel.set_visible(True)
        values = tests[tests["statistic"] == name].set_index("study").reindex(studies)
        panel.axhline(0.05, color="0.6", linewidth=0.8)
        style = {"marker": "o", "markersize": 4, "color": PALETTE[2], "linestyle": "none"}
        panel.errorbar(range(len(studies)), values["rate"], 2 * values["mc_error"], **style)
        panel.set_ylim(0, 0.12)
        panel.set_title(f"no signal: {name}", fontsize=8)
        panel.set_xticks(range(len(studies)), studies, rotation=90)
    axes[-1, 0].set_ylabel("false\npositives")
    figure.supxlabel("subjects x stimuli", fontsize=8)
    figure.align_ylabels(axes[:, 0])
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
    return figure


def _plot_coverage(
    panel, table: pd.DataFrame, studies: list[str], methods: dict[str, str], equivalence: bool
) -> None:
    """Coverage of one statistic under one signal, by study and method; of equivalence, the errors."""
    if equivalence:
        # each verdict is wrong: no more than 2.5 %
        panel.axhline(0.025, color="0.6", linewidth=0.8, zorder=1)
    else:
        panel.axhspan(0.93, 0.97, color="0.9", zorder=0)
        panel.axhline(0.95, color="0.6", linewidth=0.8, zorder=1)
    for k, (errors, label) in enumerate(methods.items()):
        values = table[table["errors"] == errors].set_index("study")["coverage"].reindex(studies)
        style = {"marker": MARKERS[k], "markersize": 4, "color": PALETTE[k]}
        # side by side, so that no method hides another
        places = np.arange(len(studies)) + 0.25 * (k - (len(methods) - 1) / 2)
        panel.plot(places, values, linestyle="none", label=label, **style)
    if equivalence:
        panel.set_ylim(0, 0.1)
    else:
        panel.set_ylim(min(0.88, panel.get_ylim()[0]), 1.01)


def summary(table: pd.DataFrame) -> str:
    """Table in Markdown: coverage of 95 % intervals in %, by the methods of `ERRORS`, and error rates.

    Parameters
    ----------
    table : see `plot_calibration`
    """
    sizes = list(dict.fromkeys(zip(table["subjects"], table["stimuli"], strict=True)))
    sizes.sort(key=lambda size: size[::-1])
    lines = ["| signal | statistic | " + " | ".join(f"{s} x {n}" for s, n in sizes) + " |"]
    lines.append("|" + "---|" * (2 + len(sizes)))
    for (signal, statistic), rows in table.groupby(["signal", "statistic"], sort=False):
        cells = []
        for size in sizes:
            own = rows[(rows["subjects"] == size[0]) & (rows["stimuli"] == size[1])]
            if own.empty:
                cells.append("")
            elif signal == "none":
                cells.append(f"{own['rate'].item():.1%}")
            else:
                found = own.set_index("errors")["coverage"]
                methods = (errors for errors in ERRORS if errors in found)
                cells.append(" / ".join(f"{100 * found[errors]:.1f}" for errors in methods))
        lines.append(f"| {signal} | {statistic} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
