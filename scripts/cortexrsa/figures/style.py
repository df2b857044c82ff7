"""Look of the figures: order, colours, and how they are saved."""

from __future__ import annotations

import io
import itertools
import json
import textwrap
import traceback
from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from cortexrsa.errors import reason
from cortexrsa.formats.columns.learning import LEARNING
from cortexrsa.formats.tables import read_table
from cortexrsa.jobs import warn
from cortexrsa.networks.learning import unlearned, variants_of
from cortexrsa.storage import atomic_path, provenance

matplotlib.use("Agg")

# along the ventral stream; labels that are not here come last, by name
HIERARCHY = ("V1", "EVC", "V2", "V3", "V3A", "V3B", "V4", "LO", "LatOcc", "IT")
# ten colours that the colour-blind tell apart: "colorblind" of seaborn
PALETTE = ("#0173b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc")
PALETTE += ("#ca9161", "#fbafe4", "#949494", "#ece133", "#56b4e9")
FAMILIES = ("task-optimised", "self-supervised", "generative", "untrained", "baseline")
FAMILIES += ("brain-guided", "guidance-control")
# of a family: distinct in print without colour too
FAMILY_STYLES = {
    family: {"color": colour, "marker": marker}
    for family, colour, marker in zip(
        FAMILIES, [PALETTE[k] for k in (0, 1, 2, 7, 3, 4, 5)], "osD^vPX", strict=True
    )
}
WIDTH = 7.2  # inches, two columns of a journal page
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")
# models in one figure: more are neither legible nor, in the end, an image
MOST = 20
ROI_STYLES = ("-", "--", "-.", ":")

DARK = "0.15"  # of text and lines
plt.rcParams.update(
    {
        "axes.axisbelow": True,
        "axes.edgecolor": DARK,
        "axes.labelcolor": DARK,
        "axes.labelsize": 9.6,
        "axes.prop_cycle": plt.cycler(color=PALETTE),
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 9.6,
        "figure.constrained_layout.use": True,
        "font.sans-serif": ["Arial", "DejaVu Sans", "Liberation Sans", "sans-serif"],
        "font.size": 8,
        "grid.color": "0.8",
        "legend.fontsize": 8.8,
        "legend.title_fontsize": 9.6,
        "lines.linewidth": 1.2,
        "lines.markersize": 4.8,
        "patch.edgecolor": "white",
        "patch.force_edgecolor": True,
        "patch.linewidth": 0.8,
        "savefig.dpi": 200,
        # the same input gives the same file, byte for byte
        "svg.hashsalt": "cortexrsa",
        "text.color": DARK,
    }
)
for axis in ("xtick", "ytick"):
    plt.rc(axis, color=DARK, labelsize=8.8)
    plt.rc(f"{axis}.major", size=4.8, width=1.0)
    plt.rc(f"{axis}.minor", size=3.2, width=0.8)
plt.rc("axes", linewidth=1.0)


def marked(models: dict[str, dict], learning: str | None) -> dict[str, dict]:
    """The models, with "did not learn" in the label of each that did not.

    Parameters
    ----------
    models : label and family by model name, and variant_of where it has the weights of another
    learning : path of `learning.csv`; None where no network was trained
    """
    if not learning:
        return models
    failed = unlearned(read_table(learning, LEARNING), variants_of(models))
    return {
        name: model | {"label": f"{model['label']} (did not learn)"} if name in failed else model
        for name, model in models.items()
    }


def told_apart(models: dict[str, dict]) -> dict[str, dict]:
    """The models, with the name in the label of each whose label another has too."""
    labels = [model["label"] for model in models.values()]
    return {
        name: model | {"label": f"{model['label']} ({name})"} if labels.count(model["label"]) > 1 else model
        for name, model in models.items()
    }


def ordered(models: dict[str, dict]) -> list[str]:
    """Model names by family, then by label: an order that does not depend on the configuration."""
    return sorted(models, key=lambda name: (FAMILIES.index(models[name]["family"]), models[name]["label"]))


def models_to_draw(models: dict[str, dict], scores: pd.Series) -> dict[str, dict]:
    """At most `MOST` of the models: baselines, and the networks with the highest scores.

    Parameters
    ----------
    models : label and family by model name
    scores : of models, by name; the highest of each counts
    """
    best = scores.groupby(level=0).max().fillna(-1)
    ranked = sorted(
        models, key=lambda name: (models[name]["family"] != "baseline", -best.get(name, -1), name)
    )
    return {name: models[name] for name in ranked[:MOST]}


def say_how_many(figure, drawn: dict, models: dict) -> None:
    """Title a figure that leaves models out."""
    if len(drawn) < len(models):
        text = f"{len(drawn)} of {len(models)} networks: baselines, and those with the highest scores"
        figure.suptitle(text, fontsize=8)


def over_seeds(
    scores: pd.DataFrame,
    columns: tuple[str, ...] = ("score", "ci_low", "ci_high"),
    place: tuple[str, ...] = ("model", "roi", "layer"),
) -> pd.DataFrame:
    """One row a layer: of a network of several seeds their mean, with their range as the interval.

    A layer of such a network is above 0 (p_fwe) where it is in every seed.

    Parameters
    ----------
    scores : a row for each seed
    columns : of the score, and of its limits where they are wanted
    place : columns that the seeds of a network share
    """
    value, *limits = columns
    groups = scores.groupby(list(place), sort=False)
    several = groups[value].transform("size") > 1
    joined = {
        name: scores[name].where(~several, groups[value].transform(end))
        for name, end in zip(limits, ("min", "max"), strict=False)
    }
    joined |= {value: groups[value].transform("mean"), "p_fwe": groups["p_fwe"].transform("max")}
    return scores.assign(**joined).drop_duplicates(list(place), ignore_index=True)


def ordered_rois(rois) -> list[str]:
    """ROI labels (each once) along the visual hierarchy."""
    position = {roi: k for k, roi in enumerate(HIERARCHY)}
    return sorted(set(rois), key=lambda roi: (position.get(roi, len(HIERARCHY)), roi))


def model_styles(models: dict[str, dict]) -> dict[str, dict]:
    """Colour, marker and label of every model: distinct in print without colour too."""
    names = ordered(models)
    size = len(names)
    colours = PALETTE if size <= len(PALETTE) else matplotlib.colormaps["turbo"](np.linspace(0, 1, size))
    return {
        name: {
            "color": colours[k],
            "marker": MARKERS[k % len(MARKERS)],
            "label": models[name]["label"],
        }
        for k, name in enumerate(names)
    }


def roi_colours(rois: list[str]) -> dict[str, tuple]:
    """Colour of every ROI."""
    return dict(zip(rois, itertools.cycle(PALETTE), strict=False))


def histogram(axes, values, edges, colour, label: str, fill: bool = True) -> None:
    """A histogram: its outline, and its area in a light shade unless areas would hide one another."""
    counts, _ = np.histogram(values, edges)
    axes.stairs(counts, edges, color=colour, label=None if fill else label)
    if fill:
        axes.stairs(counts, edges, color=colour, fill=True, alpha=0.3, label=label)


def placeholder(sentence: str):
    """A figure that says why there is nothing to see."""
    sentence = textwrap.fill(sentence, 100)
    figure, axes = plt.subplots(figsize=(WIDTH, 0.8 + 0.2 * len(sentence.splitlines())))
    axes.set_axis_off()
    # as it stands: a $ begins no formula here
    axes.text(0.5, 0.5, sentence, ha="center", va="center", parse_math=False)
    return figure


def draw(svg: str, png: str, plot: Callable, *arguments) -> None:
    """Draw a figure, write it as SVG and PNG with what made it as their description, and close it.

    No figure stops a study: where one cannot be drawn, a placeholder names the fault, and so does a warning.

    Parameters
    ----------
    svg, png : files
    plot : function that returns the figure
    arguments : of the function
    """
    try:
        contents = _rendered(plot(*arguments))
    # whatever a library raises: tables, claims and report come all the same
    except Exception as error:
        traceback.print_exc()
        fault = f"The figure {Path(svg).stem} could not be drawn. {type(error).__name__}: {reason(error)}"
        warn(fault)
        plt.close("all")
        contents = _rendered(placeholder(fault))
    for path, content in zip((svg, png), contents, strict=True):
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)


def _rendered(figure) -> list[bytes]:
    """Content of the SVG and of the PNG file of a figure, which is closed."""
    made = {"Description": json.dumps(provenance(None), sort_keys=True)}
    contents = []
    for kind, metadata in (("svg", {"Date": None}), ("png", {"Software": None})):
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind, metadata=metadata | made)
        contents.append(buffer.getvalue())
    plt.close(figure)
    return contents
