"""Figures of all measures: profiles of the layers, ranks of the networks, unique and shared variance."""

from __future__ import annotations

import textwrap

import pandas as pd
from matplotlib import pyplot as plt

from cortexrsa.figures.style import (
    FEW,
    LEGEND_COLUMNS,
    SMALL,
    WIDTH,
    behind,
    label_ends,
    legend_height,
    model_styles,
    models_to_draw,
    ordered_rois,
    over_seeds,
    placeholder,
    say_how_many,
    wrapped,
)
from cortexrsa.geometry.registry import MEASURES
from cortexrsa.inference.names import GROUP, NETWORK, TOGETHER

# ROIs side by side; more are neither legible
MOST_ROIS = 4
LIMITS = ["unique", "unique_low", "unique_high"]


def label_of(measure: str) -> str:
    """A measure in words, for an axis."""
    return MEASURES[measure].label if measure in MEASURES else {"rsa": "RSA"}.get(measure, measure)


def plot_measure_profiles(table: pd.DataFrame, models: dict[str, dict]) -> plt.Figure:
    """One row a measure, one column a ROI: score over relative depth; networks of one layer as lines.

    Parameters
    ----------
    table : with the columns `formats.columns.measures.MEASURES`
    models : label and family by model name
    """
    grouped = table["subject"] == GROUP
    table = table[grouped | ~table["roi"].isin(table.loc[grouped, "roi"])]
    table = over_seeds(table, place=("measure", "model", "roi", "layer"))
    measures, rois = list(dict.fromkeys(table["measure"])), ordered_rois(table["roi"])[:MOST_ROIS]
    drawn = models_to_draw(models, table.set_index("model")["score"])
    styles = model_styles(drawn)
    figure, grid = plt.subplots(
        len(measures),
        len(rois),
        figsize=(WIDTH, 1.25 * len(measures) + 0.4 + legend_height(drawn)),
        sharex=True,
        sharey="row",
        squeeze=False,
    )
    for row, measure in zip(grid, measures, strict=True):
        for axes, roi in zip(row, rois, strict=True):
            own = table[(table["roi"] == roi) & (table["measure"] == measure)]
            for name, style in styles.items():
                line = own[own["model"] == name].sort_values("layer_index")
                if len(line) == 1:
                    axes.plot([0, 1], [line["score"].iloc[0]] * 2, lw=1, ls="--", **style | {"marker": None})
                    continue
                limits = line["ci_low"], line["ci_high"]
                axes.fill_between(line["depth"], *limits, color=style["color"], alpha=0.12, lw=0)
                axes.plot(line["depth"], line["score"], ms=2.5, lw=1, **style)
            if own["ci_low"].min() < 0.1:
                axes.axhline(0, color="0.6", lw=0.6, zorder=0)
        row[0].set_ylabel(textwrap.fill(label_of(measure), 20), fontsize=SMALL)
    for axes, roi in zip(grid[0], rois, strict=True):
        axes.set_title(roi)
    for axes in grid[-1]:
        axes.set_xlabel("relative depth" + " (input 0, output 1)" * (len(rois) < 3), fontsize=7)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=LEGEND_COLUMNS, frameon=False)
    say_how_many(figure, drawn, models)
    return behind(figure, table[table["model"].isin(drawn) & table["roi"].isin(rois)])


def plot_measure_ranks(ranks: pd.DataFrame, models: dict[str, dict]) -> plt.Figure:
    """One panel a ROI: rank of every network under every measure, with Kendall's W and its interval.

    Parameters
    ----------
    ranks : table with the columns `formats.columns.measures.MEASURE_RANKS`
    """
    if ranks["model"].nunique() < 2 or ranks["measure"].nunique() < 2:
        return placeholder("Ranks under several measures need two networks and two measures.")
    rois, measures = ordered_rois(ranks["roi"]), list(dict.fromkeys(ranks["measure"]))
    drawn = models_to_draw(models, ranks.set_index("model")["score"])
    styles = model_styles(drawn)
    direct = len(drawn) <= FEW
    height = 0.13 * ranks["model"].nunique() + 1.1
    total = height * len(rois) + 0.6 + (0 if direct else legend_height(drawn))
    figure, grid = plt.subplots(len(rois), 1, figsize=(WIDTH, total), sharex=True, squeeze=False)
    for axes, roi in zip(grid[:, 0], rois, strict=True):
        own = ranks[ranks["roi"] == roi]
        for name, style in styles.items():
            line = own[own["model"] == name].set_index("measure").reindex(measures)
            axes.plot(range(len(measures)), line["rank"], lw=1.2, ms=5, **style)
        axes.invert_yaxis()
        axes.set_ylabel("rank", fontsize=8)
        first = own.iloc[0]
        said = f"{roi}: Kendall's W {first['w']:.2f} [{first['w_low']:.2f}, {first['w_high']:.2f}]"
        axes.set_title(said, fontsize=8)
        if direct:
            last = own[own["measure"] == measures[-1]].set_index("model")["rank"].dropna()
            ends = [
                (last[name], wrapped(styles[name]["label"], 16), styles[name]["color"]) for name in last.index
            ]
            label_ends(axes, ends, 0.7 * height)
    names = [textwrap.fill(label_of(measure), 16) for measure in measures]
    grid[-1, 0].set_xticks(range(len(measures)), names, fontsize=SMALL, rotation=30, ha="right")
    if not direct:
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=LEGEND_COLUMNS, frameon=False)
    say_how_many(figure, drawn, models)
    return behind(figure, ranks[ranks["model"].isin(drawn)])


def plot_rdm_variance(table: pd.DataFrame, models: dict[str, dict]) -> plt.Figure:
    """One panel a ROI: what every network explains of its RDM, alone, beyond confounds, and with them.

    Parameters
    ----------
    table : with the columns `formats.columns.measures.RDM_VARIANCE`; of several seeds their mean is drawn
    models : label and family by model name
    """
    if table.empty:
        return placeholder("Unique and shared variance needs confounds: measures: {others: [partial_rsa]}.")
    rois = ordered_rois(table["roi"])[:MOST_ROIS]
    drawn = models_to_draw(models, table[table["source"] == NETWORK].set_index("model")["r2"])
    styles = model_styles(drawn)
    places = {name: k for k, name in enumerate(reversed(list(styles)))}
    table = over_seeds(table, ("unique", "unique_low", "unique_high"), ("model", "source", "roi")).assign(
        r2=table.groupby(["model", "source", "roi"], sort=False)["r2"].mean().to_numpy()
    )
    columns = min(len(rois), 2)
    rows = -(-len(rois) // columns)
    height = (0.16 * len(places) + 0.5) * rows + 0.7
    figure, grid = plt.subplots(
        rows, columns, figsize=(WIDTH, height), sharex=True, sharey=True, squeeze=False
    )
    for axes in grid.flat[len(rois) :]:
        axes.set_axis_off()
    for axes, roi in zip(grid.flat, rois, strict=False):
        own = table[table["roi"] == roi].set_index(["model", "source"])
        for name, place in places.items():
            alone, color = own.loc[(name, NETWORK)], styles[name]["color"]
            axes.barh(place, alone["r2"], height=0.7, color=color, alpha=0.3)
            unique, low, high = alone[LIMITS]
            axes.barh(place, unique, height=0.4, color=color)
            axes.plot([low, high], [place, place], lw=1, color="0.2")
            axes.plot(own.loc[(name, TOGETHER), "r2"], place, "|", ms=7, color="0.2")
        axes.axvline(0, color="0.6", lw=0.6)
        axes.set_title(roi, fontsize=8)
    for axes in grid.flat[max(0, len(rois) - columns) : len(rois)]:
        axes.set_xlabel("variance of the RDM explained, r\u00b2", fontsize=7)
    names = [wrapped(models[name]["label"], 28) for name in places]
    for row in grid:
        row[0].set_yticks(list(places.values()), names, fontsize=SMALL)
    say = {"lw": 1, "color": "0.2"}
    handles = [
        plt.Rectangle((0, 0), 1, 1, color="0.3", alpha=0.3, label="network alone"),
        plt.Rectangle((0, 0), 1, 1, color="0.3", label="its unique part"),
        plt.Line2D([], [], **say, label="interval of the unique part"),
        plt.Line2D([], [], marker="|", ms=7, ls="none", color="0.2", label="network and confounds together"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=LEGEND_COLUMNS, frameon=False)
    say_how_many(figure, drawn, models)
    return behind(figure, table[table["model"].isin(drawn) & table["roi"].isin(rois)])
