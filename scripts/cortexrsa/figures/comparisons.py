"""Figure of the networks compared: sorted by score, with what tells them apart."""

from __future__ import annotations

import string

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.patches import Arc

from cortexrsa.figures.ceilings import draw_ceiling, handle_of, label_of
from cortexrsa.figures.style import (
    FAMILIES,
    FAMILY_STYLES,
    SMALL,
    WIDTH,
    behind,
    ordered_rois,
    placeholder,
)
from cortexrsa.formats.columns.comparisons import CEILING, PAIR
from cortexrsa.geometry.registry import COMPARISONS
from cortexrsa.inference.ceilings.primary import primary_ceilings

# networks up to which pairs are told apart by arcs, and up to which each has a line with its name
ARCS, LINES = 6, 60
MOST_LETTERS = 14
LINE = 0.165  # inches, of a network's row
NAMED = 5  # of many networks, how many are named


def plot_comparisons(
    comparisons: pd.DataFrame,
    ranks: pd.DataFrame,
    ceilings: pd.DataFrame,
    models: dict[str, dict],
    confidence: float,
) -> plt.Figure:
    """One panel a ROI: networks by score with intervals and noise ceiling, and which of them differ.

    Parameters
    ----------
    comparisons, ranks, ceilings : tables of the data set
    models : label and family by model name
    confidence : of the intervals; networks differ where p_fwe is below 1 - confidence
    """
    ranks = ranks[ranks["statistic"] == ranks["statistic"].iloc[0]]
    if len(models) < 2:
        return placeholder("This study has one network: there is nothing to compare.")
    comparisons = comparisons[comparisons["statistic"] == ranks["statistic"].iloc[0]]
    bounds, alpha = primary_ceilings(ceilings), round(1 - confidence, 12)
    rois = ordered_rois(ranks["roi"])
    panels = {}
    for roi in rois:
        rows = ranks[(ranks["roi"] == roi) & ranks["score"].notna()].reset_index(drop=True)
        panels[roi] = rows, _differing(comparisons[comparisons["roi"] == roi], rows, alpha)
    sizes = {roi: len(rows) for roi, (rows, _) in panels.items()}
    kind, groups = _kind(max(sizes.values()), {roi: differ for roi, (_, differ) in panels.items()})
    measure = ranks["measure"].iloc[0]
    label = f"similarity ({COMPARISONS[measure].label if measure in COMPARISONS else measure})"
    figure, grid = _grid(kind, list(sizes.values()))
    for (axes, beside), (roi, (rows, differ)) in zip(grid, panels.items(), strict=True):
        below = _below_ceiling(comparisons[comparisons["roi"] == roi], rows, alpha)
        (_curve if kind == "curve" else _lines)(axes, rows, models, below, bounds[roi], label)
        if kind == "arcs":
            _arcs(beside, differ)
        elif kind == "letters":
            _letters(beside, groups[roi], rows)
        else:
            _matrix(beside, differ)
        axes.set_title(roi, fontsize=9, loc="left", weight="bold")
    _legend(figure, models, list(dict.fromkeys(filter(None, map(label_of, bounds.values())))))
    return behind(figure, ranks)


def _kind(largest: int, differ: dict[str, np.ndarray]) -> tuple[str, dict[str, list[frozenset]]]:
    """How pairs are told apart in panels of so many networks, and the groups of each ROI for letters."""
    if largest <= ARCS:
        return "arcs", {}
    if largest > LINES:
        return "curve", {}
    groups = {roi: letters(each) for roi, each in differ.items()}
    # many networks that overlap in many ways have more letters than a reader can follow
    few = max(map(len, groups.values())) <= MOST_LETTERS
    return ("letters", groups) if few else ("matrix", {})


# ---- what differs ------------------------------------------------------------------------------------------


def _differing(comparisons: pd.DataFrame, rows: pd.DataFrame, alpha: float) -> np.ndarray:
    """Whether each pair of networks is told apart: (networks, networks) bool, in the order of the rows."""
    place = {name: k for k, name in enumerate(rows["model"])}
    told = comparisons[(comparisons["kind"] == PAIR) & (comparisons["p_fwe"] < alpha)]
    differ = np.zeros((len(rows), len(rows)), bool)
    first, second = ([place[name] for name in told[column]] for column in ("first", "second"))
    differ[first, second] = differ[second, first] = True
    return differ


def _below_ceiling(comparisons: pd.DataFrame, rows: pd.DataFrame, alpha: float) -> np.ndarray:
    """Whether each network is told to be below what is attainable (or no ceiling is known)."""
    against = comparisons[comparisons["kind"] == CEILING].set_index("first").loc[rows["model"]]
    return ~((against["p_fwe"] >= alpha) | (against["difference"] > 0)).to_numpy()


def letters(differ: np.ndarray) -> list[frozenset]:
    """The largest groups of networks of which no two differ (compact letter display).

    Parameters
    ----------
    differ : (networks, networks) bool, symmetric

    Returns
    -------
    groups : of indices, in the order of their first members; more than `MOST_LETTERS` where it ended early

    References
    ----------
    Piepho 2004, doi:10.1198/1061860043515 (insert and absorb)
    """
    groups = [frozenset(range(len(differ)))]
    for i, j in zip(*np.nonzero(np.triu(differ)), strict=True):
        split = [group for group in groups if i in group and j in group]
        if not split:
            continue
        kept = [group for group in groups if group not in split]
        for group in (group - {member} for group in split for member in (i, j)):
            if not any(group <= other for other in kept):
                kept = [other for other in kept if not other <= group] + [group]
        groups = kept
        if len(groups) > 8 * MOST_LETTERS:
            break
    return sorted(groups, key=lambda group: (min(group), max(group), sorted(group)))


# ---- panels ------------------------------------------------------------------------------------------------


def _grid(kind: str, sizes: list[int]):
    """The figure, and for each ROI its axes and those beside it."""
    height = 2.4 if kind == "curve" else LINE * max(sizes) + 0.75
    ratios = {"arcs": (4, 1), "letters": (3, 2), "matrix": (1, 1.2), "curve": (1.5, 1)}[kind]
    size = (WIDTH, height * len(sizes) + 0.7)
    figure, grid = plt.subplots(len(sizes), 2, figsize=size, squeeze=False, width_ratios=ratios)
    return figure, list(grid)


def _ceiling(axes, ceiling: dict, along: str) -> None:
    draw_ceiling(axes, ceiling, "0.5", along, alpha=0.2)
    (axes.axvline if along == "x" else axes.axhline)(0, color="0.7", lw=0.6, zorder=0)


def _marker(style: dict, below: bool) -> dict:
    """Open where the network is not told to be below the ceiling."""
    return {"marker": style["marker"], "mfc": style["color"] if below else "white", "mec": style["color"]}


def _lines(axes, rows, models, below, ceiling, label) -> None:
    """A line for each network, the highest score on top."""
    _ceiling(axes, ceiling, "x")
    for k, row in rows.iterrows():
        style = FAMILY_STYLES[models[row["model"]]["family"]]
        axes.plot([row["ci_low"], row["ci_high"]], [k, k], color=style["color"], lw=1.3, zorder=1)
        axes.plot(row["score"], k, color=style["color"], ms=4.5, ls="", **_marker(style, below[k]))
    names = [models[name]["label"] for name in rows["model"]]
    axes.set_yticks(range(len(rows)), names, fontsize=SMALL, parse_math=False)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=7)
    axes.set_xlabel(label, fontsize=7)


def _beside(axes, size: int) -> None:
    """Axes without a frame whose rows are those of the panel to the left."""
    axes.set_ylim(size - 0.4, -0.6)
    axes.set_axis_off()


def _arcs(axes, differ) -> None:
    """An arc from each network to each one that differs from it."""
    size = len(differ)
    for i, j in zip(*np.nonzero(np.triu(differ)), strict=True):
        width = 0.2 + 0.8 * (j - i) / size
        axes.add_patch(Arc((0, (i + j) / 2), 2 * width, j - i, theta1=-90, theta2=90, lw=0.9, color="0.25"))
    axes.set_xlim(0, 1.05)
    _beside(axes, size)


def _letters(axes, groups, rows) -> None:
    """A column for each group of networks of which no two differ, and the ranks that a network may have."""
    text = {"fontsize": SMALL, "va": "center", "ha": "center"}
    for column, group in enumerate(groups):
        for member in group:
            axes.text(column, member, string.ascii_lowercase[column], **text)
    ranked = len(groups) + 2.2
    for k, row in rows.iterrows():
        if np.isfinite(row["rank_low"]):
            low, high = int(row["rank_low"]), int(row["rank_high"])
            ranks = str(low) if low == high else f"{low}\N{EN DASH}{high}"
            axes.text(ranked, k, ranks, color="0.35", **text)
    axes.text(ranked, -0.9, "ranks", color="0.35", **text)
    axes.set_xlim(-1, max(ranked, 8) + 2.5)
    _beside(axes, len(rows))


def _curve(axes, rows, models, below, ceiling, label) -> None:
    """Score over rank, of many networks; the highest are named."""
    _ceiling(axes, ceiling, "y")
    for k, row in rows.iterrows():
        style = FAMILY_STYLES[models[row["model"]]["family"]]
        axes.plot([k + 1, k + 1], [row["ci_low"], row["ci_high"]], color=style["color"], lw=0.6, alpha=0.6)
        axes.plot(k + 1, row["score"], ms=2.6, ls="", mew=0.6, **_marker(style, below[k]))
    # named above everything that is drawn
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.6 * (high - low))
    named = [f"{k + 1}  {models[name]['label']}" for k, name in enumerate(rows["model"][:NAMED])]
    text = {"va": "top", "fontsize": SMALL, "parse_math": False}
    axes.text(0.02, 0.99, "\n".join(named), transform=axes.transAxes, **text)
    axes.set_xlim(0, len(rows) + 1)
    axes.tick_params(labelsize=7)
    axes.set_xlabel("networks by score", fontsize=7)
    axes.set_ylabel(label, fontsize=7)


def _matrix(axes, differ) -> None:
    """Which pairs differ: networks by score along both sides."""
    size = len(differ)
    axes.imshow(
        differ, cmap="Greys", vmin=0, vmax=1.4, extent=(0.5, size + 0.5, size + 0.5, 0.5), aspect="auto"
    )
    axes.set_ylim(size + 0.6, 0.4)
    axes.tick_params(labelsize=7)
    axes.set_xlabel("networks by score", fontsize=7)
    share = differ.sum() / max(1, size * (size - 1))
    axes.set_title(f"dark: told apart\n({share:.0%} of the pairs)", fontsize=7)


def _legend(figure, models, ceilings: bool) -> None:
    families = [family for family in FAMILIES if any(model["family"] == family for model in models.values())]
    handles = [
        plt.Line2D(
            [],
            [],
            ms=4.5,
            lw=1.3,
            label=family,
            color=FAMILY_STYLES[family]["color"],
            marker=FAMILY_STYLES[family]["marker"],
        )
        for family in families
    ]
    if ceilings:
        handles.append(
            plt.Line2D(
                [],
                [],
                marker="o",
                mfc="white",
                mec="0.2",
                ls="",
                ms=4.5,
                label="not told to be below the ceiling",
            )
        )
        handles += map(handle_of, ceilings)
    figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=SMALL, frameon=False)
