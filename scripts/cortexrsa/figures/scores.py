"""Figures of the scores: layer profiles, ROIs side by side, and heat maps."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from cortexrsa.figures.ceilings import draw_ceiling, handle_of, label_of
from cortexrsa.figures.style import (
    ROI_STYLES,
    WIDTH,
    model_styles,
    models_to_draw,
    ordered,
    ordered_rois,
    over_seeds,
    placeholder,
    roi_colours,
    say_how_many,
)
from cortexrsa.geometry.registry import COMPARISONS
from cortexrsa.inference.ceilings.primary import primary_ceilings
from cortexrsa.inference.names import of_the_group

PANEL_COLUMNS = 3


def score_label(scores: pd.DataFrame) -> str:
    """Axis label of the scores."""
    measure = scores["measure"].iloc[0]
    label = COMPARISONS[measure].label if measure in COMPARISONS else measure
    return f"RDM similarity ({label})"


def _label_outer(grid: np.ndarray, panels: int, score: str) -> None:
    """Switch off what is not one of the first `panels`; label the lowest of each column and the left ones."""
    for axes in grid.flat[panels:]:
        axes.set_axis_off()
    for column in grid.T:
        for axes in [axes for axes in column if axes.axison][-1:]:
            axes.set_xlabel("relative depth (input 0, output 1)", fontsize=7)
            axes.xaxis.set_tick_params(labelbottom=True)
    for axes in grid[:, 0]:
        axes.set_ylabel(score, fontsize=8)


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
    # four panels look better in two columns
    columns = 2 if len(names) in (2, 4) else PANEL_COLUMNS
    rows = -(-len(names) // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(WIDTH, 2.1 * rows + 0.5), sharex=True, sharey=True, squeeze=False
    )
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
        axes.set_title(models[name]["label"], fontsize=8)
    _label_outer(grid, len(names), score_label(scores))
    say_how_many(figure, drawn, deep)
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=len(rois),
        frameon=False,
        title="ROI (band: ceiling)",
    )
    return figure


def plot_rois(scores: pd.DataFrame, ceilings: pd.DataFrame, models: dict[str, dict]) -> plt.Figure:
    """One panel a ROI: the profiles of all networks together, with the noise ceiling; baselines as lines."""
    scores, bounds = over_seeds(of_the_group(scores)), primary_ceilings(ceilings)
    rois = ordered_rois(scores["roi"])
    drawn = models_to_draw(models, scores.set_index("model")["score"])
    styles = model_styles(drawn)
    columns = min(len(rois), PANEL_COLUMNS)
    rows = -(-len(rois) // columns)
    # long names in fewer columns and smaller, so that none is cut off
    long = max(len(model["label"]) for model in drawn.values()) > 24
    entries = 3 if long else 4
    legend = 0.18 * -(-(len(drawn) + 1) // entries)
    figure, grid = plt.subplots(
        rows, columns, figsize=(WIDTH, 3.0 * rows + 0.3 + legend), sharex=True, sharey=True, squeeze=False
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
        axes.axhline(0, color="0.6", lw=0.6, zorder=0)
        axes.set_title(roi)
    _label_outer(grid, len(rois), score_label(scores))
    handles, _ = grid.flat[0].get_legend_handles_labels()
    known = dict.fromkeys(filter(None, map(label_of, bounds.values())))
    figure.legend(
        handles=[*map(handle_of, known), *handles],
        loc="outside lower center",
        ncols=entries,
        fontsize=6.5 if long else 8,
        frameon=False,
    )
    say_how_many(figure, drawn, models)
    return figure


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
    figure, grid = plt.subplots(rows, 1, figsize=(WIDTH, (0.28 * len(rois) + 0.85) * rows), squeeze=False)
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
        axes.set_xticks(range(len(order)), ticks, rotation=45, ha="right", fontsize=6)
        axes.set_yticks(range(len(rois)), rois)
        axes.set_title(models[members[0]]["label"] if len(members) == 1 else "Baselines", fontsize=8)
    figure.colorbar(image, ax=grid, label=score_label(scores), shrink=min(1, 2 / rows))
    say_how_many(figure, drawn, models)
    return figure
