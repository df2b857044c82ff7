"""Figures of the geometry: RDMs, and the arrangement of layers and ROIs by the similarity of their RDMs."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from scipy.cluster import hierarchy
from scipy.stats import rankdata
from sklearn.manifold import MDS

from cortexrsa.figures.style import (
    WIDTH,
    model_styles,
    models_to_draw,
    ordered,
    ordered_rois,
    roi_colours,
    say_how_many,
)
from cortexrsa.formats.rdms import RDMs
from cortexrsa.geometry.compare import compare
from cortexrsa.geometry.mean_rdm import mean_rdm
from cortexrsa.geometry.rdm import select_stimuli, squareform
from cortexrsa.inference.names import of_the_group

# of an RDM in a figure, in rows and in columns, and of all its RDMs: a file takes about four bytes for each
PIXELS, ALL_PIXELS = 200, 800_000


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


def plot_rdms(
    brain: RDMs, networks: dict[str, RDMs], scores: pd.DataFrame, models: dict[str, dict], comparison: str
) -> plt.Figure:
    """RDMs as ranks: of the ROIs and single-layer baselines, and of selected layers of each network.

    Parameters
    ----------
    brain, networks : RDMs, the latter by model name, see `of_test_stimuli`
    scores : table of the data set
    models : label and family by model name
    comparison : see `geometry.compare.compare`
    """
    scores = of_the_group(scores)
    regions = mean_rdms(brain, comparison)
    rois = list(regions)
    order = stimulus_order(regions[rois[-1]])
    rows, baselines = [], []
    drawn = models_to_draw(models, scores.set_index("model")["score"])
    for name in ordered(drawn):
        rdms, layers = networks[name].dissimilarities, list(networks[name].rdm_descriptors["layer"])
        if len(layers) == 1:
            baselines.append((models[name]["label"], rdms[0]))
            continue
        chosen = _shown_layers(scores[scores["model"] == name], layers, rois)
        titles = [f"{layers[layer]} ({', '.join(why)})" for layer, why in chosen.items()]
        rows.append((models[name]["label"], list(zip(titles, rdms[list(chosen)], strict=True))))
    if baselines:
        rows.insert(0, ("Baselines", baselines))
    rows.insert(0, ("Brain", list(regions.items())))
    columns = max(len(cells) for _, cells in rows)
    number = sum(len(cells) for _, cells in rows)
    figure, grid = plt.subplots(
        len(rows), columns, figsize=(WIDTH, (WIDTH / columns + 0.15) * len(rows)), squeeze=False
    )
    for axes_row, (label, cells) in zip(grid, rows, strict=True):
        axes_row[0].set_ylabel("\n".join(textwrap.wrap(label, 16)), fontsize=7)
        for axes, (title, rdm) in zip(axes_row, cells, strict=False):
            ranks = (
                squareform(rankdata(rdm) / len(rdm))
                if np.isfinite(rdm).all()
                else np.nan * np.eye(len(order))
            )
            shown = _shrunk(ranks[np.ix_(order, order)], number)
            # the SVG file holds a pixel for each, and not as many as the figure has
            image = axes.imshow(shown, cmap="viridis", vmin=0, vmax=1, interpolation="none")
            axes.set_title("\n".join(textwrap.wrap(title, 24)), fontsize=6)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        for axes in axes_row[len(cells) :]:
            axes.set_axis_off()
    figure.colorbar(
        image, ax=grid, label="dissimilarity (rank)", location="bottom", shrink=0.4, aspect=30, pad=0.01
    )
    say_how_many(figure, drawn, models)
    return figure


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
    figure, axes = plt.subplots(figsize=(WIDTH * 0.8, WIDTH * 0.66))
    start = 0
    for name, style in model_styles(drawn).items():
        path = points[start : start + len(layers[name])]
        start += len(path)
        axes.plot(path[:, 0], path[:, 1], "-", color=style["color"], lw=0.8, alpha=0.6)
        sizes = np.linspace(12, 45, len(path))
        axes.scatter(path[:, 0], path[:, 1], s=sizes, zorder=2, **style)
    for roi, point in zip(regions, points[start:], strict=True):
        axes.scatter(*point, s=90, marker="*", color=roi_colours(list(regions))[roi], ec="black", zorder=3)
        place = {"xytext": (0, 6), "textcoords": "offset points", "ha": "center"}
        axes.annotate(roi, point, **place, fontsize=7, weight="bold", zorder=4)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set(xlabel="dimension 1 (1 - similarity)", ylabel="dimension 2 (1 - similarity)")
    axes.set_title(f"stress-1 = {stress:.2f}; markers grow from the first to the last layer", fontsize=8)
    figure.legend(loc="outside right center", frameon=False)
    say_how_many(figure, drawn, models)
    return figure
