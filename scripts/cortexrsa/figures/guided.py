"""Figures of what training with a brain gains: over weight 0, beside every control."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from cortexrsa.figures.style import PALETTE, SMALL, WIDTH, behind, ordered_rois, placeholder
from cortexrsa.formats.columns.guided import BEST, GUIDED_NETWORK, UNGUIDED, UNSEEN

# panels side by side, and cards in one figure: more are not legible
MOST_COLUMNS, MOST_CARDS = 3, 4
LABELS = {
    "rsa": "RSA",
    "rsa, held-out categories": "RSA, held-out categories",
    "partial_rsa": "partial RSA",
    "encoding": "encoding",
}
NAMES = {
    GUIDED_NETWORK: "guided",
    "shuffled": "shuffled responses",
    "spectrum": "matched spectrum",
    "low_level": "low-level target",
    "other_roi": "another ROI",
    "labels": "labels",
    "network": "another network",
    BEST: "guided, over the best control",
}
MARKERS = ("o", "s", "D", "^")


def primary_people(table: pd.DataFrame) -> pd.DataFrame:
    """The rows about people whom the network was not trained with, where there are any, else about all."""
    unseen = table["people"] == UNSEEN
    there = unseen.groupby([table[key] for key in ("dataset", "model", "roi")]).transform("any")
    return table[unseen | ~there]


def plot_gains(table: pd.DataFrame, models: dict[str, dict], confidence: float) -> plt.Figure:
    """One row a measure, one column a ROI: gains over weight 0 of the guided network and of every control.

    Parameters
    ----------
    table : with the columns `formats.columns.guided.GUIDED`
    models : label by model name
    confidence : of the intervals
    """
    own = primary_people(table[table["roi"] != ""])
    rois = ordered_rois(own.loc[own["guided_roi"], "roi"])
    rois = [*rois, *(roi for roi in ordered_rois(own["roi"]) if roi not in rois)][:MOST_COLUMNS]
    titles = {
        roi: f"{roi} (trained with)" if own[own["roi"] == roi]["guided_roi"].any() else roi for roi in rois
    }
    measures = list(dict.fromkeys(own["measure"]))
    panels = [
        [(own[(own["measure"] == m) & (own["roi"] == roi)], m, titles[roi]) for roi in rois] for m in measures
    ]
    return _grid(panels, models, confidence)


def plot_tasks(table: pd.DataFrame, models: dict[str, dict], confidence: float) -> plt.Figure:
    """One panel a metric of the task and a corruption: gains over weight 0, as in `plot_gains`."""
    own = table[table["roi"] == ""]
    if own.empty:
        return placeholder("No metric of the task is known of the guided networks.")
    metrics = list(dict.fromkeys(own["measure"]))
    panels = [
        (own[own["measure"] == metric], "", metric.replace("_", " ").replace("pgd", "PGD"))
        for metric in metrics
    ]
    rows = [panels[k : k + MOST_COLUMNS] for k in range(0, len(panels), MOST_COLUMNS)]
    return _grid(rows, models, confidence)


def _grid(panels: list[list[tuple]], models: dict[str, dict], confidence: float) -> plt.Figure:
    """Panels of (rows of the table, name of the row, name of the column)."""
    everything = pd.concat([part for row in panels for part, _, _ in row])
    kinds = [kind for kind in NAMES if kind in {*everything["network"], *everything["over"]} - {UNGUIDED}]
    cards = list(dict.fromkeys(everything["model"]))[:MOST_CARDS]
    columns = max(map(len, panels))
    figure, grid = plt.subplots(
        len(panels),
        columns,
        figsize=(WIDTH, (0.2 * len(kinds) * max(1, 0.7 * len(cards)) + 0.7) * len(panels) + 0.5),
        sharex="row",
        sharey=True,
        squeeze=False,
    )
    for row, axes in zip(panels, grid, strict=True):
        for place in axes[len(row) :]:
            place.set_axis_off()
        for place, (part, _, title) in zip(axes, row, strict=False):
            _panel(place, part, kinds, cards, models)
            place.set_title(textwrap.fill(title, 16), fontsize=SMALL)
        if measure := row[0][1]:
            axes[0].set_ylabel(textwrap.fill(LABELS.get(measure, measure), 14), fontsize=SMALL)
    grid[0, 0].set_yticks(range(len(kinds)), [NAMES[kind] for kind in kinds], fontsize=SMALL)
    grid[0, 0].invert_yaxis()
    if len(cards) > 1:
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=SMALL, frameon=False)
    figure.suptitle(
        f"gains over weight 0 (last row: over the best control)\n{100 * confidence:g} % intervals",
        fontsize=SMALL,
    )
    return behind(figure, everything[drawn_in(everything)])


def _short(value: float) -> str:
    """A number without the zero before its point.

    Examples
    --------
    >>> _short(-0.025), _short(0.5), _short(0.0), _short(1.0)
    ('−.025', '.5', '0', '1')
    """
    text = np.format_float_positional(abs(value), precision=6, trim="-").removeprefix("0") or "0"
    return ("−" if value < 0 and text != "0" else "") + text


def drawn_in(table: pd.DataFrame) -> pd.Series:
    """Which rows of the table are points of a figure."""
    return table["over"].isin([UNGUIDED, BEST])


def _panel(axes, part: pd.DataFrame, kinds: list[str], cards: list[str], models: dict[str, dict]) -> None:
    shift = np.linspace(-0.25, 0.25, len(cards)) if len(cards) > 1 else [0.0]
    for k, card in enumerate(cards):
        own = part[part["model"] == card]
        for y, kind in enumerate(kinds):
            found = own[(own["network"] == kind) & (own["over"] == UNGUIDED)]
            if kind == BEST:
                found = own[own["over"] == BEST]
            if found.empty:
                continue
            row, place = found.iloc[0], y + shift[k]
            filled = kind in (GUIDED_NETWORK, BEST)
            axes.plot([row["ci_low"], row["ci_high"]], [place, place], lw=1.2, color=PALETTE[k])
            axes.plot(
                row["value"],
                place,
                MARKERS[k],
                ms=4.5,
                color=PALETTE[k],
                mfc=PALETTE[k] if filled else "white",
                label=models[card]["label"] if y == 0 else None,
            )
    axes.axvline(0, color="0.6", lw=0.8, zorder=0)
    if BEST in kinds:
        # no gain over weight 0, but over whatever is best
        axes.axhline(len(kinds) - 1.5, color="0.8", lw=0.8, zorder=0)
    # panels are narrow
    axes.xaxis.set_major_formatter(lambda value, _: _short(value))
    axes.tick_params(labelsize=SMALL)
