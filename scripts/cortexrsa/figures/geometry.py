"""Figures of the geometry: RDMs, and the arrangement of layers and ROIs by the similarity of their RDMs."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from scipy.stats import rankdata
from sklearn.manifold import MDS

from cortexrsa.figures.scores import primary_scores
from cortexrsa.figures.style import WIDTH, model_styles, ordered, roi_colours
from cortexrsa.files import RDMs
from cortexrsa.geometry.compare import compare, normalise
from cortexrsa.geometry.rdm import select_stimuli, squareform


def _test_rdms(rdms: RDMs) -> np.ndarray:
    return select_stimuli(rdms.dissimilarities, (rdms.patterns["split"] == "test").to_numpy())


def _mean_rdms(brain: RDMs, comparison: str) -> dict[str, np.ndarray]:
    """Mean over subjects of the normalised RDMs of every ROI, in the test split."""
    normalised = normalise(_test_rdms(brain), comparison)
    rois = brain.rdms["roi"].to_numpy()
    return {roi: normalised[rois == roi].mean(axis=0) for roi in dict.fromkeys(rois)}


def stimulus_order(brain_rdm: np.ndarray) -> np.ndarray:
    """Order of the stimuli along the first dimension of the classical scaling of an RDM (pairs,)."""
    square = squareform(rankdata(brain_rdm))
    centred = square - square.mean(axis=0) - square.mean(axis=1)[:, None] + square.mean()
    return np.argsort(np.linalg.eigh(-centred)[1][:, -1])


def plot_rdms(
    brain: RDMs, networks: dict[str, RDMs], scores: pd.DataFrame, models: dict[str, dict], comparison: str
) -> plt.Figure:
    """RDMs of the ROIs, and of each network's first, best (in either ROI) and last layers, as ranks."""
    scores = primary_scores(scores)
    regions = _mean_rdms(brain, comparison)
    rois = list(regions)
    order = stimulus_order(regions[rois[-1]])
    names = ordered(models)
    # every network shows its first layer, the best for the first and the last ROI, and its last layer
    columns = max(len(rois), 4)
    figure, grid = plt.subplots(
        len(names) + 1, columns, figsize=(WIDTH, 1.75 * (len(names) + 1)), squeeze=False
    )

    def show(axes, rdm: np.ndarray, title: str) -> None:
        ranks = squareform(rankdata(rdm) / len(rdm))
        image = axes.imshow(ranks[np.ix_(order, order)], cmap="viridis", vmin=0, vmax=1, interpolation="none")
        axes.set_title(title, fontsize=7)
        axes.set_axis_on()
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        return image

    for axes in grid.flat:
        axes.set_axis_off()
    for axes, roi in zip(grid[0], rois, strict=False):
        image = show(axes, regions[roi], roi)
    grid[0, 0].set_ylabel("brain", fontsize=7)
    for row, name in zip(grid[1:], names, strict=True):
        rdms, layers = _test_rdms(networks[name]), list(networks[name].rdms["layer"])
        part = scores[scores["model"] == name]
        best = {
            roi: part[part["roi"] == roi].set_index("layer")["score"].reindex(layers).to_numpy()
            for roi in rois
        }
        chosen = {0: ["first"], len(layers) - 1: ["last"]} if len(layers) > 1 else {0: ["only layer"]}
        for roi in (rois[0], rois[-1]) if len(layers) > 1 else ():
            if np.isfinite(best[roi]).any():
                label = f"best {roi}"
                chosen.setdefault(int(np.nanargmax(best[roi])), []).append(label)
        for axes, (layer, why) in zip(row, sorted(chosen.items()), strict=False):
            if np.isfinite(rdms[layer]).all():
                show(axes, rdms[layer], f"{layers[layer]}\n({', '.join(dict.fromkeys(why))})")
        row[0].set_ylabel(models[name]["label"], fontsize=7)
    figure.colorbar(image, ax=grid, label="dissimilarity (rank)", shrink=0.3, aspect=30)
    return figure


def plot_mds(
    brain: RDMs, networks: dict[str, RDMs], models: dict[str, dict], comparison: str, seed: int
) -> plt.Figure:
    """Layers of all networks and the ROIs in the plane, by the similarity of their RDMs (metric MDS)."""
    regions = _mean_rdms(brain, comparison)
    names = ordered(models)
    layers = {name: _test_rdms(networks[name]) for name in names}
    stacked = np.concatenate([*layers.values(), np.stack(list(regions.values()))])
    sound = np.isfinite(stacked).all(axis=1)
    distance = np.clip(1 - compare(stacked[sound], stacked[sound], comparison), 0, None)
    np.fill_diagonal(distance, 0)
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
    points[sound] = scaling.fit_transform((distance + distance.T) / 2)
    stress = np.sqrt(scaling.stress_ * 2 / (distance**2).sum())
    figure, axes = plt.subplots(figsize=(WIDTH * 0.8, WIDTH * 0.66))
    start = 0
    for name, style in model_styles(models).items():
        path = points[start : start + len(layers[name])]
        start += len(path)
        axes.plot(path[:, 0], path[:, 1], "-", color=style["color"], lw=0.8, alpha=0.6)
        sizes = np.linspace(12, 45, len(path))
        axes.scatter(path[:, 0], path[:, 1], s=sizes, zorder=2, **style)
    for roi, point in zip(regions, points[start:], strict=True):
        axes.scatter(*point, s=170, marker="*", color=roi_colours(list(regions))[roi], ec="black", zorder=3)
        axes.annotate(roi, point, xytext=(7, 5), textcoords="offset points", weight="bold")
    axes.set_aspect("equal", adjustable="datalim")
    axes.set(xlabel="dimension 1 (1 - similarity)", ylabel="dimension 2 (1 - similarity)")
    axes.set_title(f"stress-1 = {stress:.2f}; markers grow from the first to the last layer", fontsize=8)
    figure.legend(loc="outside right center", frameon=False)
    return figure
