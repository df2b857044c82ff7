"""Figures of the scores: layer profiles, ROIs side by side, and heat maps."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.lines import Line2D

from cortexrsa.figures.ceilings import draw_ceiling, handle_of
from cortexrsa.figures.ceilings import label_of as ceiling_name
from cortexrsa.figures.style import (
    FEW,
    LEGEND_COLUMNS,
    ROI_STYLES,
    SMALL,
    WIDTH,
    behind,
    label_ends,
    legend_height,
    model_styles,
    models_to_draw,
    name_lines,
    ordered,
    ordered_rois,
    over_seeds,
    placeholder,
    roi_colours,
    say_how_many,
    wrapped,
)
from cortexrsa.geometry.registry import COMPARISONS
from cortexrsa.inference.ceilings.primary import primary_ceilings
from cortexrsa.inference.names import of_the_group

PANEL_COLUMNS = 2
# marks of the highest score and of the depth centroid
RING = {"marker": "o", "ms": 8, "mfc": "none", "mew": 1.2, "ls": "none"}
TICK = {"marker": "^", "ms": 5, "ls": "none"}
PANEL = 1.7  # inches, of a panel
# names of layers that fit below a heat map
MOST_TICKS = 24


def score_label(scores: pd.DataFrame) -> str:
    """Axis label of the scores."""
    measure = scores["measure"].iloc[0]
    label = COMPARISONS[measure].label if measure in COMPARISONS else measure
    return f"RDM similarity ({label})"


def _label_outer(grid: np.ndarray, panels: int, score: str) -> None:
    """Switch off what is not one of the first `panels`; label the lowest of each column, and the scores."""
    for axes in grid.flat[panels:]:
        axes.set_axis_off()
    for column in grid.T:
        for axes in [axes for axes in column if axes.axison][-1:]:
            axes.set_xlabel("relative depth (input 0, output 1)", fontsize=7)
            axes.xaxis.set_tick_params(labelbottom=True)
    grid.flat[0].figure.supylabel(score, fontsize=8)


def plot_profiles(scores: pd.DataFrame, ceilings: pd.DataFrame, models: dict[str, dict]) -> plt.Figure:
    """One panel a network: score over relative depth in every ROI, with interval and noise ceiling.

    Parameters
    ----------
    scores, ceilings : tables of the data set
    models : label and family by model name
    """
    scores, bounds = over_seeds(of_the_group(scores)), primary_ceilings(ceilings)
    rois = ordered_rois(scores["roi"])
    colours = roi_colours(rois)
    counts = scores.groupby("model")["layer"].nunique()
    deep = {name: model for name, model in models.items() if counts[name] > 1}
    drawn = models_to_draw(deep, scores.set_index("model")["score"])
    names = ordered(drawn)
    if not names:
        return placeholder("No network of this study has more than one layer.")
    columns = min(len(names), PANEL_COLUMNS)
    rows = -(-len(names) // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(WIDTH, PANEL * rows + 0.5), sharex=True, sharey=True, squeeze=False
    )
    direct = len(rois) <= FEW
    for axes, name in zip(grid.flat, names, strict=False):
        for k, roi in enumerate(rois):
            line = scores[(scores["model"] == name) & (scores["roi"] == roi)].sort_values("layer_index")
            draw_ceiling(axes, bounds[roi], colours[roi])
            axes.fill_between(
                line["depth"], line["ci_low"], line["ci_high"], color=colours[roi], alpha=0.25, lw=0
            )
            axes.plot(
                line["depth"],
                line["score"],
                ROI_STYLES[k % len(ROI_STYLES)],
                color=colours[roi],
                marker="o",
                ms=3,
                label=roi,
            )
        axes.axhline(0, color="0.6", lw=0.6, zorder=0)
        axes.set_title(wrapped(models[name]["label"], 32), fontsize=7)
    _label_outer(grid, len(names), score_label(scores))
    say_how_many(figure, drawn, deep)
    if direct:
        for axes, name in zip(grid.flat, names, strict=False):
            last = scores[scores["model"] == name].sort_values("layer_index").groupby("roi")["score"].last()
            label_ends(axes, [(last[roi], roi, colours[roi]) for roi in rois if roi in last], 0.6 * PANEL)
        known = dict.fromkeys(filter(None, map(ceiling_name, bounds.values())))
        figure.legend(handles=[handle_of(each) for each in known], loc="outside lower center", frameon=False)
    else:
        handles, labels = grid.flat[0].get_legend_handles_labels()
        title = "ROI (band or hatched line in its colour: noise ceiling)"
        place = {"loc": "outside lower center", "ncols": min(len(rois), 4), "frameon": False, "title": title}
        figure.legend(handles, labels, **place)
    return behind(figure, scores[scores["model"].isin(names)])


def _mark(axes, line: pd.DataFrame, colour) -> None:
    """A ring around the highest score of a network, and a mark at its depth centroid on the axis."""
    best = line.loc[line["score"].idxmax()]
    axes.plot(best["depth"], best["score"], **RING, mec=colour, zorder=4)
    weights = line["score"].clip(lower=0)
    if weights.sum() > 0:
        centroid = np.average(line["depth"], weights=weights)
        axes.plot(centroid, 0.02, **TICK, color=colour, transform=axes.get_xaxis_transform(), zorder=4)


def plot_rois(scores: pd.DataFrame, ceilings: pd.DataFrame, models: dict[str, dict]) -> plt.Figure:
    """One panel a ROI: the profiles of all networks together, with the noise ceiling; baselines as lines.

    Of each network the highest score and the depth centroid of what is drawn are marked.
    """
    scores, bounds = over_seeds(of_the_group(scores)), primary_ceilings(ceilings)
    rois = ordered_rois(scores["roi"])
    drawn = models_to_draw(models, scores.set_index("model")["score"])
    styles = model_styles(drawn)
    columns = min(len(rois), PANEL_COLUMNS)
    rows = -(-len(rois) // columns)
    direct = len(drawn) <= FEW
    legend = 0.35 if direct else legend_height(drawn) + 0.16
    figure, grid = plt.subplots(
        rows, columns, figsize=(WIDTH, 2.4 * rows + 0.3 + legend), sharex=True, sharey=True, squeeze=False
    )
    for axes, roi in zip(grid.flat, rois, strict=False):
        draw_ceiling(axes, bounds[roi], "0.3")
        for name, style in styles.items():
            line = scores[(scores["model"] == name) & (scores["roi"] == roi)].sort_values("layer_index")
            if len(line) == 1:
                style = style | {"marker": None, "ls": (0, (4, 2))}
                axes.plot([0, 1], [line["score"].iloc[0]] * 2, lw=1, **style)
                continue
            axes.fill_between(
                line["depth"], line["ci_low"], line["ci_high"], color=style["color"], alpha=0.12, lw=0
            )
            axes.plot(line["depth"], line["score"], ms=3.5, lw=1.2, **style)
            _mark(axes, line, style["color"])
        axes.axhline(0, color="0.6", lw=0.6, zorder=0)
        axes.set_title(roi)
    _label_outer(grid, len(rois), score_label(scores))
    handles = [] if direct else grid.flat[0].get_legend_handles_labels()[0]
    if direct:
        name_lines(grid.flat[: len(rois)], rois, scores, styles, 1.8)
    known = dict.fromkeys(filter(None, map(ceiling_name, bounds.values())))
    marks = [
        Line2D([], [], label="highest score", **RING, mec="0.3"),
        Line2D([], [], label="depth centroid", **TICK, color="0.3"),
    ]
    handles = [*map(handle_of, known), *marks, *handles]
    figure.legend(handles=handles, loc="outside lower center", ncols=LEGEND_COLUMNS, frameon=False)
    say_how_many(figure, drawn, models)
    return behind(figure, scores[scores["model"].isin(drawn)])


def plot_heatmap(scores: pd.DataFrame, models: dict[str, dict], alpha: float) -> plt.Figure:
    """One panel a network: ROI x layer, the score as colour; a dot where it is above 0 (p_fwe < alpha)."""
    scores = over_seeds(of_the_group(scores), ("score",))
    rois = ordered_rois(scores["roi"])
    drawn = models_to_draw(models, scores.set_index("model")["score"])
    names = ordered(drawn)
    lowest, highest = min(0, scores["score"].min()), scores["score"].max()
    sizes = [scores.loc[scores["model"] == name, "layer"].nunique() for name in names]
    # networks of one layer share the last row
    panels = [name for name, size in zip(names, sizes, strict=True) if size > 1]
    single = [name for name in names if name not in panels]
    rows = len(panels) + bool(single)
    height = (0.2 * len(rois) + 0.95) * rows + 0.3
    figure, grid = plt.subplots(rows, 1, figsize=(WIDTH, height), squeeze=False)
    for axes, members in zip(grid[:, 0], [[name] for name in panels] + [single] * bool(single), strict=True):
        part = scores[scores["model"].isin(members)].sort_values(["model", "layer_index"])
        part = part.assign(column=part["layer"] if len(members) == 1 else part["model"])
        order = list(dict.fromkeys(part["column"]))
        values = part.pivot(index="roi", columns="column", values="score").loc[rois, order]
        p_fwe = part.pivot(index="roi", columns="column", values="p_fwe").loc[rois, order]
        image = axes.imshow(values, aspect="auto", cmap="viridis", vmin=lowest, vmax=highest)
        y, x = np.nonzero((p_fwe < alpha).to_numpy())
        axes.plot(x, y, ".", color="white", ms=4, mec="black", mew=0.4)
        ticks = [models[name]["label"] for name in order] if len(members) > 1 else order
        # of many layers as many names as fit side by side
        step = -(-len(order) // MOST_TICKS)
        axes.set_xticks(range(0, len(order), step), ticks[::step], rotation=45, ha="right", fontsize=SMALL)
        axes.set_yticks(range(len(rois)), rois)
        axes.set_title(models[members[0]]["label"] if len(members) == 1 else "Baselines", fontsize=7)
    bar = figure.colorbar(
        image,
        ax=grid,
        label=score_label(scores),
        location="bottom",
        shrink=0.6,
        aspect=30,
        pad=0.01,
        fraction=0.02,
    )
    bar.ax.tick_params(labelsize=SMALL)
    say_how_many(figure, drawn, models)
    return behind(figure, scores[scores["model"].isin(drawn)])
