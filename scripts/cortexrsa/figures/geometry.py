"""Figures of the geometry: RDMs, and the arrangement of layers and ROIs by the similarity of their RDMs."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from PIL import Image
from scipy.cluster import hierarchy
from scipy.stats import rankdata
from sklearn.manifold import MDS

from cortexrsa.figures.style import (
    FEW,
    LEGEND_COLUMNS,
    SMALL,
    WIDTH,
    behind,
    legend_height,
    model_styles,
    models_to_draw,
    ordered,
    ordered_rois,
    roi_colours,
    say_how_many,
    wrapped,
)
from cortexrsa.formats.rdms import RDMs
from cortexrsa.geometry.compare import compare
from cortexrsa.geometry.mean_rdm import mean_rdm
from cortexrsa.geometry.rdm import select_stimuli, squareform
from cortexrsa.inference.names import of_the_group

# of an RDM in a figure, in rows and in columns, and of all its RDMs: a file takes about four bytes for each
PIXELS, ALL_PIXELS = 200, 800_000
COLUMNS = 4  # of RDMs side by side
# at the margin of an RDM: how many, and their pixels
THUMBNAILS, THUMBNAIL = 10, 20


def of_test_stimuli(rdms: RDMs) -> RDMs:
    """RDMs of the test stimuli alone: all that figures show, and a small part of a large data set."""
    test = (rdms.pattern_descriptors["split"] == "test").to_numpy()
    return RDMs(
        select_stimuli(rdms.dissimilarities, test),
        rdms.rdm_descriptors,
        rdms.pattern_descriptors[test],
        rdms.dissimilarity_measure,
    )


def mean_rdms(brain: RDMs, comparison: str) -> dict[str, np.ndarray]:
    """Mean RDM over the subjects, of every ROI."""
    rois = brain.rdm_descriptors["roi"].to_numpy()
    return {roi: mean_rdm(brain.dissimilarities[rois == roi], comparison) for roi in ordered_rois(rois)}


def stimulus_order(brain_rdm: np.ndarray) -> np.ndarray:
    """Order of the stimuli by hierarchical clustering (average linkage) of an RDM (pairs,)."""
    ranks = rankdata(brain_rdm)
    return hierarchy.leaves_list(hierarchy.linkage(ranks, "average", optimal_ordering=True))


def _shown_layers(scores: pd.DataFrame, layers: list[str], rois: list[str]) -> dict[int, list[str]]:
    """Layers of a network to show, and why: first, last, highest score in the first and last ROI."""
    shown = {0: ["first"], len(layers) - 1: ["last"]}
    for roi in dict.fromkeys((rois[0], rois[-1])):
        line = scores[scores["roi"] == roi].set_index("layer")["score"].reindex(layers).to_numpy()
        if np.isfinite(line).any():
            shown.setdefault(int(np.nanargmax(line)), []).append(f"highest in {roi}")
    return dict(sorted(shown.items()))


def _shrunk(matrix: np.ndarray, number: int) -> np.ndarray:
    """A matrix of at most PIXELS rows and columns, fewer in a figure of many: means of neighbours."""
    pixels = min(PIXELS, int(np.sqrt(ALL_PIXELS / number)))
    if len(matrix) <= pixels:
        return matrix
    starts = np.linspace(0, len(matrix), pixels, endpoint=False).astype(int)
    sizes = np.diff(np.r_[starts, len(matrix)])
    sums = np.add.reduceat(np.add.reduceat(matrix, starts, axis=0), starts, axis=1)
    return sums / np.outer(sizes, sizes)


def _of_figure(
    brain: dict[str, np.ndarray], networks: dict[str, RDMs], scores: pd.DataFrame, drawn: dict[str, dict]
) -> list[tuple[str, list[tuple[str, np.ndarray]]]]:
    """Rows of the figure of RDMs: their name, and title and RDM of each cell."""
    rois, rows, baselines = list(brain), [], []
    for name in ordered(drawn):
        rdms, layers = networks[name].dissimilarities, list(networks[name].rdm_descriptors["layer"])
        if len(layers) == 1:
            baselines.append((drawn[name]["label"], rdms[0]))
            continue
        chosen = _shown_layers(scores[scores["model"] == name], layers, rois)
        titles = [f"{layers[layer]} ({', '.join(why)})" for layer, why in chosen.items()]
        rows.append((drawn[name]["label"], list(zip(titles, rdms[list(chosen)], strict=True))))
    brain_rows = [("Brain", list(brain.items())[k : k + COLUMNS]) for k in range(0, len(brain), COLUMNS)]
    parts = range(0, len(baselines), COLUMNS)
    return brain_rows + [("Baselines", baselines[k : k + COLUMNS]) for k in parts] + rows


def _thumbnails(images: np.ndarray, along: str) -> np.ndarray:
    """Images (k, height, width, 3) uint8 as small squares in a strip, along x or y."""
    squares = []
    for image in images:
        square = Image.fromarray(image)
        square.thumbnail((THUMBNAIL, THUMBNAIL))
        whole = Image.new("RGB", (THUMBNAIL, THUMBNAIL), "white")
        whole.paste(square, ((THUMBNAIL - square.width) // 2, (THUMBNAIL - square.height) // 2))
        squares.append(np.asarray(whole))
    return np.concatenate(squares, axis=1 if along == "x" else 0)


def _strip(axes, images: np.ndarray, rows: np.ndarray, along: str) -> None:
    """Thumbnails of some stimuli, evenly spaced in the order of an RDM, at its left or lower margin.

    Parameters
    ----------
    images : of the data set, of which few are read
    rows : place of each stimulus of the RDM among them, in the order of the RDM
    along : y (left) or x (below)
    """
    number = min(len(rows), THUMBNAILS)
    # in the middle of the part of the stimuli that each stands for
    places = ((np.arange(number) + 0.5) * len(rows) / number).astype(int)
    share = 1 / number
    box = (0, -share - 0.01, 1, share) if along == "x" else (-share - 0.01, 0, share, 1)
    margin = axes.inset_axes(box)
    margin.imshow(_thumbnails(images[rows[places]], along), aspect="auto", interpolation="none")
    margin.set_axis_off()


def plot_rdms(
    brain: RDMs,
    networks: dict[str, RDMs],
    scores: pd.DataFrame,
    models: dict[str, dict],
    comparison: str,
    pictures: tuple[np.ndarray, np.ndarray] | None = None,
) -> plt.Figure:
    """RDMs as ranks: of the ROIs and single-layer baselines, and of selected layers of each network.

    Parameters
    ----------
    brain, networks : RDMs, the latter by model name, see `of_test_stimuli`
    scores : table of the data set
    models : label and family by model name
    comparison : see `geometry.compare.compare`
    pictures : images (k, height, width, 3) uint8 of the data set, and the place among them of every stimulus
        of the RDMs; some stand at the margins
    """
    scores, regions = of_the_group(scores), mean_rdms(brain, comparison)
    order = stimulus_order(list(regions.values())[-1])
    drawn = models_to_draw(models, scores.set_index("model")["score"])
    rows = _of_figure(regions, networks, scores, drawn)
    columns = max(len(cells) for _, cells in rows)
    number = sum(len(cells) for _, cells in rows)
    figure, grid = plt.subplots(
        len(rows), columns, figsize=(WIDTH, (WIDTH / columns + 0.25) * len(rows) + 0.5), squeeze=False
    )
    for axes_row, (label, cells) in zip(grid, rows, strict=True):
        axes_row[0].set_ylabel(wrapped(label, 18), fontsize=SMALL, labelpad=12 if pictures else 4)
        for axes, (title, rdm) in zip(axes_row, cells, strict=False):
            known = np.isfinite(rdm).all()
            ranks = squareform(rankdata(rdm) / len(rdm)) if known else np.nan * np.eye(len(order))
            shown = _shrunk(ranks[np.ix_(order, order)], number)
            # the SVG file holds a pixel for each, and not as many as the figure has
            image = axes.imshow(shown, cmap="viridis", vmin=0, vmax=1, interpolation="none")
            axes.set_title(wrapped(title, 60 // columns), fontsize=SMALL)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        for axes in axes_row[len(cells) :]:
            axes.set_axis_off()
        for along in "xy" if pictures else "":
            _strip(axes_row[0], pictures[0], pictures[1][order], along)
    bar = {"location": "bottom", "shrink": 0.5, "aspect": 30, "pad": 0.01}
    figure.colorbar(image, ax=grid, label="dissimilarity (rank)", **bar)
    say_how_many(figure, drawn, models)
    # the RDMs are in files of their own: what a reader of the figure lacks is the order
    stimuli = brain.pattern_descriptors["stimulus_id"].to_numpy()[order]
    return behind(figure, pd.DataFrame({"place": np.arange(1, len(order) + 1), "stimulus_id": stimuli}))


def distances(rdms: np.ndarray, comparison: str) -> np.ndarray:
    """1 - similarity of RDMs (k, pairs): (k, k), symmetric, with zero diagonal.

    That of an RDM with itself is below 1 by rho-a and tau-a, where it has ties.
    """
    distance = np.clip(1 - compare(rdms, rdms, comparison), 0, None)
    np.fill_diagonal(distance, 0)
    return (distance + distance.T) / 2


def plot_mds(
    brain: RDMs,
    networks: dict[str, RDMs],
    scores: pd.DataFrame,
    models: dict[str, dict],
    comparison: str,
    seed: int,
) -> plt.Figure:
    """Layers of the networks and the ROIs in the plane, by the similarity of their RDMs (metric MDS).

    Parameters
    ----------
    brain, networks, scores, models, comparison : see `plot_rdms`
    seed : of the scaling
    """
    regions = mean_rdms(brain, comparison)
    drawn = models_to_draw(models, of_the_group(scores).set_index("model")["score"])
    layers = {name: networks[name].dissimilarities for name in ordered(drawn)}
    stacked = np.concatenate([*layers.values(), np.stack(list(regions.values()))])
    sound = np.isfinite(stacked).all(axis=1)
    distance = distances(stacked[sound], comparison)
    scaling = MDS(
        2,
        metric="precomputed",
        metric_mds=True,
        init="classical_mds",
        n_init=1,
        random_state=seed,
        normalized_stress=False,
    )
    points = np.full((len(stacked), 2), np.nan)
    points[sound] = scaling.fit_transform(distance)
    stress = np.sqrt(scaling.stress_ * 2 / (distance**2).sum())
    direct = len(drawn) <= FEW
    height = WIDTH * 0.85 + (0 if direct else legend_height(drawn))
    figure, axes = plt.subplots(figsize=(WIDTH, height))
    start, places = 0, []
    above = {"textcoords": "offset points", "ha": "center", "fontsize": SMALL, "weight": "bold", "zorder": 4}
    for name, style in model_styles(drawn).items():
        path = points[start : start + len(layers[name])]
        start += len(path)
        axes.plot(path[:, 0], path[:, 1], "-", color=style["color"], lw=0.8, alpha=0.6)
        sizes = np.linspace(8, 32, len(path))
        axes.scatter(path[:, 0], path[:, 1], s=sizes, zorder=2, **style)
        if direct:
            axes.annotate(style["label"], path[-1], xytext=(0, 7), color=style["color"], **above)
        places.append(_placed(path, name, networks[name].rdm_descriptors["layer"]))
    for roi, point in zip(regions, points[start:], strict=True):
        axes.scatter(*point, s=70, marker="*", color=roi_colours(list(regions))[roi], ec="black", zorder=3)
        axes.annotate(roi, point, xytext=(0, 6), **above)
    places.append(_placed(points[start:], "", list(regions)))
    axes.set_aspect("equal", adjustable="datalim")
    axes.set(xlabel="dimension 1 (1 - similarity)", ylabel="dimension 2 (1 - similarity)")
    axes.set_title(f"stress-1 = {stress:.2f}; markers grow from the first to the last layer", fontsize=7)
    if not direct:
        figure.legend(loc="outside lower center", ncols=LEGEND_COLUMNS, frameon=False)
    say_how_many(figure, drawn, models)
    return behind(figure, pd.concat(places, ignore_index=True))


def _placed(points: np.ndarray, model: str, names) -> pd.DataFrame:
    """Where the layers of a network (or, without a network, the ROIs) lie in the plane."""
    return pd.DataFrame({"model": model, "name": list(names), "x": points[:, 0], "y": points[:, 1]})
