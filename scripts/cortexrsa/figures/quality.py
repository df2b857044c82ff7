"""Figures of the quality of what goes in: reliability of the voxels, learning of the networks."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
import xarray
from matplotlib import pyplot as plt
from matplotlib.transforms import ScaledTranslation

from cortexrsa.figures.style import (
    LEGEND_COLUMNS,
    SMALL,
    WIDTH,
    behind,
    histogram,
    model_styles,
    ordered,
    ordered_rois,
    placeholder,
    roi_colours,
)

MOST_CATEGORIES = 16  # rows of the contact sheet
TILE = 110  # pixels of an image in a sheet, from which on it shows every second one
# metrics that are shown, and what they are called
SHOWN = {
    "accuracy": "classifier",
    "probe_accuracy": "linear\nprobe",
    "knn_accuracy": "nearest\nneighbours",
    "reconstruction_r2": "recon-\nstruction",
}


def plot_reliability(reliability: pd.DataFrame) -> plt.Figure:
    """Histogram of the voxels' split-half reliability: a panel for each split, a colour for each ROI."""
    if reliability.empty:
        return placeholder("No stimulus was repeated: the reliability of the voxels is not known.")
    if reliability["reliability"].isna().all():
        return placeholder("Averages alone are known: there are no halves of the repeats to compare.")
    rois = ordered_rois(reliability["roi"])
    splits = sorted(set(reliability["split"]), key=lambda split: (split != "test", split))
    # a line of the legend for each ROI
    size = (WIDTH, 1.9 + 0.13 * len(rois))
    figure, grid = plt.subplots(1, len(splits), figsize=size, sharex=True, sharey=True, squeeze=False)
    for axes, split in zip(grid[0], splits, strict=True):
        for roi, colour in roi_colours(rois).items():
            values = reliability.loc[
                (reliability["roi"] == roi) & (reliability["split"] == split), "reliability"
            ].dropna()
            median = values.median()
            label = f"{roi} (median {median:.2f}, {len(values)} voxels)"
            # many areas over one another hide more than they show
            histogram(axes, values, np.linspace(-0.6, 1, 41), colour, label, fill=len(rois) <= 3)
            axes.axvline(median, color=colour, ls="--", lw=1)
        repeats = int(reliability.loc[reliability["split"] == split, "repeats"].max())
        axes.set(
            title=f"{split} stimuli, {repeats} repeats", xlabel="reliability of the mean", ylabel="voxels"
        )
        # below the axis label, whatever the height of the panel
        below = axes.transAxes + ScaledTranslation(0, -0.4, figure.dpi_scale_trans)
        anchor = {"loc": "upper center", "bbox_to_anchor": (0.5, 0), "bbox_transform": below}
        axes.legend(frameon=False, **anchor)
    return behind(figure, reliability)


def plot_stimuli(images: np.ndarray, stimuli: pd.DataFrame, columns: int = 8, rows: int = 6) -> plt.Figure:
    """Some of the test stimuli, evenly spaced in their order, as the networks receive them before resizing.

    Where stimuli have a category, a row for each of the largest ones instead, of all splits: images that do
    not belong to the name of their row betray an index that is wrong by one.

    Parameters
    ----------
    images : (n, H, W, 3) uint8
    stimuli : n rows with `split`, maybe category
    """
    if "category" in stimuli and (stimuli["category"] != "").any():
        return _by_category(images, stimuli, columns - 2)
    test = np.flatnonzero(stimuli["split"] == "test")
    shown = test[np.linspace(0, len(test) - 1, min(len(test), columns * rows)).round().astype(int)]
    tile, columns = WIDTH / columns, min(columns, len(shown))
    rows = -(-len(shown) // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(tile * columns, tile * rows), squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, index in zip(grid.flat, shown, strict=False):
        axes.imshow(_small(images[index]))
    return behind(figure, stimuli.iloc[shown])


def _small(image: np.ndarray) -> np.ndarray:
    """An image of no more pixels than a figure shows of it: it stands in the SVG file as it is."""
    step = max(1, min(image.shape[:2]) // TILE)
    return image[::step, ::step]


def _by_category(images: np.ndarray, stimuli: pd.DataFrame, columns: int) -> plt.Figure:
    """A row of images for each of the largest categories, with its name."""
    categories, drawn = stimuli["category"].to_numpy(), []
    sizes = pd.Series(categories[categories != ""]).value_counts()
    # among equal sizes in the order of the names
    names = sorted(sizes.index, key=lambda name: (-sizes[name], name))[:MOST_CATEGORIES]
    tile, columns = WIDTH / (columns + 2), min(columns, sizes.max())
    size = (tile * (columns + 2), tile * len(names) + 0.3)
    figure, grid = plt.subplots(
        len(names), columns + 1, figsize=size, width_ratios=[2] + [1] * columns, squeeze=False
    )
    for axes in grid.flat:
        axes.set_axis_off()
    for row, name in zip(grid, names, strict=True):
        own = np.flatnonzero(categories == name)
        shown = own[np.linspace(0, len(own) - 1, min(len(own), columns)).round().astype(int)]
        label = f"{textwrap.shorten(name, 24, placeholder='...')}\n({len(own)})"
        row[0].text(0, 0.5, label, fontsize=7, va="center", transform=row[0].transAxes)
        for axes, index in zip(row[1:], shown, strict=False):
            axes.imshow(_small(images[index]))
        drawn += list(shown)
    if len(sizes) > len(names):
        figure.text(0, 0, f"The {len(names)} largest of {len(sizes)} categories", fontsize=7, va="bottom")
    return behind(figure, stimuli.iloc[drawn])


def plot_inputs(inputs: xarray.Dataset, models: dict[str, dict]) -> plt.Figure:
    """Contact sheet: a row for each way in which networks receive the stimuli, with the networks that do.

    Parameters
    ----------
    inputs : of `networks.inputs.effective_inputs`
    models : label and family by model name
    """
    # networks with the same input share a row
    rows: list[tuple[xarray.DataArray, list[str]]] = []
    for name in ordered(models):
        values = inputs[name]
        same = (labels for other, labels in rows if other.equals(values) and other.attrs == values.attrs)
        labels = next(same, None)
        if labels is None:
            rows.append((values, labels := []))
        labels.append(models[name]["label"])
    columns = inputs.sizes["stimulus"]
    figure = plt.figure(figsize=(WIDTH, 1.2 * len(rows)))
    said = []
    parts = figure.subfigures(len(rows), 1, squeeze=False)[:, 0]
    for (values, labels), part in zip(rows, parts, strict=True):
        pixels = values.to_numpy().transpose(0, 2, 3, 1)
        low, high = float(pixels.min()), float(pixels.max())
        for axes, image in zip(part.subplots(1, columns, squeeze=False)[0], pixels, strict=True):
            # one map for the row: what differs in contrast or luminance stays different
            axes.imshow((image - low) / max(high - low, 1e-9), interpolation="nearest")
            axes.set_axis_off()
        names = textwrap.shorten(
            ", ".join(dict.fromkeys(labels)), 80, placeholder=f" ... ({len(labels)} in all)"
        )
        what = f"{values.attrs['resize']}; {values.attrs['scale']}: {low:.2f} to {high:.2f}"
        part.suptitle(f"{names}\n{textwrap.fill(what, 84)}", x=0.01, ha="left", fontsize=SMALL)
        said += [{"network": label, **values.attrs, "lowest": low, "highest": high} for label in labels]
    return behind(figure, pd.DataFrame(said))


def _over_seeds(metrics: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Means over the seeds of each network, and the lowest and highest last value where there are several."""
    keys = ["model", "metric", "step"]
    means = metrics.groupby(keys, sort=False, as_index=False)["value"].mean()
    last = metrics[metrics["step"] > 0].drop_duplicates(["model", "metric", "seed"], keep="last")
    ends = last.groupby(["model", "metric"])["value"].agg(["min", "max", "size"])
    return means, ends.loc[ends["size"] > 1, ["min", "max"]]


def plot_learning(metrics: pd.DataFrame, learning: pd.DataFrame, models: dict[str, dict]) -> plt.Figure:
    """What every trained network learned on held-out images, and its losses over training.

    Parameters
    ----------
    metrics : columns model, seed, metric, value, step; of several seeds the mean and range are shown
    learning : see `networks.learning.learning_table`
    models : label and family by model name
    """
    styles = {name: style for name, style in model_styles(models).items() if name in set(metrics["model"])}
    size = (WIDTH, 4.6 + 0.16 * (-(-(len(styles) + 2) // LEGEND_COLUMNS)))
    figure, (bars, losses) = plt.subplots(2, 1, figsize=size, height_ratios=(3, 2))
    final = metrics[metrics["metric"].isin(SHOWN) & (metrics["step"] > 0)]
    shown = [metric for metric in SHOWN if metric in set(final["metric"])]
    width = 0.84 / len(styles)
    # a network did not learn where one of its seeds did not
    verdicts = learning.sort_values("learned").drop_duplicates("model").set_index("model")
    metrics, ranges = _over_seeds(metrics)
    for k, (name, style) in enumerate(styles.items()):
        own = metrics[metrics["model"] == name]
        places = pd.Series(np.arange(len(shown)) + (k - (len(styles) - 1) / 2) * width, shown)
        verdict = verdicts.loc[name] if name in verdicts.index else None
        for metric in shown:
            if (name, metric) in ranges.index:
                bars.plot([places[metric]] * 2, ranges.loc[(name, metric)], color="black", lw=0.8, zorder=3)
        _plot_learned(bars, own, places, width, style, verdict)
        _plot_losses(losses, own, style["color"])
    for chance in sorted(set(metrics.loc[metrics["metric"] == "chance", "value"]))[:1]:
        bars.axhline(chance, color="0.4", ls=":", lw=1)
        bars.annotate("chance", (-0.5, chance), fontsize=SMALL, va="bottom", ha="left", zorder=5)
    bars.plot([], [], "_", color="black", mew=1.2, ls="none", label="before training")
    bars.plot([], [], "v", color="black", ms=3, ls="none", label="bar")
    losses.plot([], [], "-", color="0.3", lw=1, label="training images")
    losses.plot([], [], ":", color="0.3", lw=1, label="held-out images")
    losses.legend(frameon=False, fontsize=SMALL)
    bars.set_xticks(range(len(shown)), [SHOWN[metric] for metric in shown])
    bars.set(ylabel="accuracy, or $R^2$ (reconstruction)", ylim=(0, 1.12))
    losses.set(xlabel="images seen", ylabel="loss (relative to the first)", ylim=(None, 1.6))
    handles, labels = bars.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=LEGEND_COLUMNS, frameon=False)
    return behind(figure, metrics)


def _plot_learned(
    panel: plt.Axes,
    metrics: pd.DataFrame,
    places: pd.Series,
    width: float,
    style: dict,
    verdict: pd.Series | None,
) -> None:
    """Bars of one network by metric, at `places`: after training, before it, and what it had to reach."""
    values, before = (
        metrics[when]
        .drop_duplicates("metric", keep="last")
        .set_index("metric")["value"]
        .reindex(places.index)
        for when in (metrics["step"] > 0, metrics["step"] == 0)
    )
    failed = verdict is not None and verdict["learned"] == "no"
    panel.bar(
        places,
        values.fillna(0),
        width * 0.9,
        color=style["color"],
        label=style["label"],
        hatch="////" if failed else None,
        ec="white" if failed else style["color"],
        lw=0,
    )
    for place, value, start in zip(places, values, before.fillna(0), strict=True):
        if np.isfinite(value):
            height = max(value, start, 0) + 0.02
            panel.text(place, height, f"{value:.2f}", fontsize=SMALL, rotation=90, ha="center", va="bottom")
    panel.plot(places, before, "_", color="black", ms=width * 55, mew=1.2, zorder=3)
    if verdict is not None and verdict["metric"] in places:
        panel.plot(places[verdict["metric"]], verdict["bar"], "v", color="black", ms=3, zorder=4)


def _plot_losses(panel: plt.Axes, metrics: pd.DataFrame, color: str) -> None:
    """Losses of one network, relative to the first one on training images."""
    for metric, line in (("training_loss", "-"), ("held_out_loss", ":")):
        loss = metrics[metrics["metric"] == metric].sort_values("step")
        if len(loss):
            first = metrics.loc[metrics["metric"] == "training_loss", "value"].iloc[0]
            panel.plot(loss["step"], loss["value"] / first, line, color=color, lw=1)
