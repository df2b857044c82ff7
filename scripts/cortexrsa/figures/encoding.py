"""Figure of the encoding models: how well every layer predicts the voxels of every ROI."""

from __future__ import annotations

import pandas as pd
from matplotlib import pyplot as plt

from cortexrsa.figures.style import (
    FEW,
    LEGEND_COLUMNS,
    WIDTH,
    behind,
    legend_height,
    model_styles,
    models_to_draw,
    name_lines,
    ordered_rois,
    over_seeds,
    say_how_many,
)
from cortexrsa.inference.names import GROUP

LABELS = {"ridge": "ridge", "pls": "PLS"}
COLUMNS = ("score", "ci_low", "ci_high")
CORRECTED = ("corrected", "corrected_low", "corrected_high")


def plot_encoding(encoding: pd.DataFrame, models: dict[str, dict]) -> plt.Figure:
    """One panel a ROI and method: scores of all networks over relative depth; networks of one layer as lines.

    Scores are corrected for noise if the reliability of the responses is known.

    Parameters
    ----------
    encoding : table with the columns `formats.columns.encoding.ENCODING`
    models : label and family by model name
    """
    grouped = encoding["subject"] == GROUP
    encoding = encoding[grouped | ~encoding["roi"].isin(encoding.loc[grouped, "roi"])]
    corrected = encoding["corrected"].notna().any()
    value, low, high = CORRECTED if corrected else COLUMNS
    encoding = over_seeds(encoding, (value, low, high), ("model", "roi", "layer", "method"))
    rois, methods = ordered_rois(encoding["roi"]), list(dict.fromkeys(encoding["method"]))
    drawn = models_to_draw(models, encoding.set_index("model")[value])
    styles = model_styles(drawn)
    panels = [(method, roi) for method in methods for roi in rois]
    columns = min(len(rois), 2)
    rows = -(-len(panels) // columns)
    direct = len(drawn) <= FEW
    height = 2.2 * rows + 0.3 + (0 if direct else legend_height(drawn))
    figure, grid = plt.subplots(
        rows, columns, figsize=(WIDTH, height), sharex=True, sharey=True, squeeze=False
    )
    for axes, (method, roi) in zip(grid.flat, panels, strict=False):
        own = encoding[(encoding["roi"] == roi) & (encoding["method"] == method)]
        for name, style in styles.items():
            line = own[own["model"] == name].sort_values("layer_index")
            if len(line) == 1:
                axes.plot([0, 1], [line[value].iloc[0]] * 2, lw=1, ls="--", **style | {"marker": None})
                continue
            axes.fill_between(line["depth"], line[low], line[high], color=style["color"], alpha=0.12, lw=0)
            axes.plot(line["depth"], line[value], ms=3.5, lw=1.2, **style)
        axes.axhline(0, color="0.6", lw=0.6, zorder=0)
        if corrected:
            axes.axhline(1, color="0.6", lw=0.6, ls=":", zorder=0)
        axes.set_title(roi if len(methods) == 1 else f"{roi}, {LABELS[method]}")
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    for axes in grid[-1]:
        axes.set_xlabel("relative depth (input 0, output 1)", fontsize=7)
    for axes in grid[:, 0]:
        axes.set_ylabel("noise-corrected r" if corrected else "r (not corrected for noise)", fontsize=8)
    if direct:
        for k, method in enumerate(methods):
            own = encoding[encoding["method"] == method]
            name_lines(grid.flat[k * len(rois) : (k + 1) * len(rois)], rois, own, styles, 1.6, value)
    else:
        handles, labels = grid.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=LEGEND_COLUMNS, frameon=False)
    say_how_many(figure, drawn, models)
    return behind(figure, encoding[encoding["model"].isin(drawn)])
