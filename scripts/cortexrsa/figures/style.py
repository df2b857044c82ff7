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
from cortexrsa.networks.learning import unlearned
from cortexrsa.seeds import variants_of
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
# inches: figures of a study are read in one column of a journal, 85 mm wide, where SMALL is 5 points
WIDTH, COLUMN = 4.4, 85 / 25.4
SMALL = 6.6
# of studies of the methods: two columns of a page
WIDE = 7.2
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")
# models in one figure: more are neither legible nor, in the end, an image
MOST = 20
# lines up to which each has its name beside it, and no legend
FEW = 4
# of the legend below a figure
LEGEND_COLUMNS = 2
ROI_STYLES = ("-", "--", "-.", ":")

DARK = "0.15"  # of text and lines
plt.rcParams.update(
    {
        "axes.axisbelow": True,
        "axes.edgecolor": DARK,
        "axes.labelcolor": DARK,
        "axes.labelsize": 8,
        "axes.prop_cycle": plt.cycler(color=PALETTE),
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 8,
        "figure.constrained_layout.use": True,
        "font.sans-serif": ["Arial", "DejaVu Sans", "Liberation Sans", "sans-serif"],
        "font.size": 8,
        "grid.color": "0.8",
        "legend.fontsize": SMALL,
        "legend.title_fontsize": SMALL,
        "lines.linewidth": 1.2,
        "lines.markersize": 4.8,
        "patch.edgecolor": "white",
        "patch.force_edgecolor": True,
        "patch.linewidth": 0.8,
        # text stays text, as journals ask
        "pdf.fonttype": 42,
        "savefig.dpi": 200,
        # the same input gives the same file, byte for byte
        "svg.hashsalt": "cortexrsa",
        "text.color": DARK,
    }
)
for axis in ("xtick", "ytick"):
    plt.rc(axis, color=DARK, labelsize=7)
    plt.rc(f"{axis}.major", size=3.2, width=0.8)
    plt.rc(f"{axis}.minor", size=2.4, width=0.6)
plt.rc("axes", linewidth=0.8)


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
    """At most `MOST` of the models: baselines, then networks by score, trained ones before untrained ones.

    Beside trained networks there are no more untrained ones than these, or three.

    Parameters
    ----------
    models : label and family by model name
    scores : of models, by name; the highest of each counts
    """
    best = scores.groupby(level=0).max().fillna(-1)
    places = {"baseline": 0, "untrained": 2}

    def rank(name: str) -> tuple:
        return places.get(models[name]["family"], 1), -best.get(name, -1), name

    ranked = sorted(models, key=rank)
    untrained = [name for name in ranked if models[name]["family"] == "untrained"]
    trained = sum(models[name]["family"] not in places for name in models)
    left_out = set(untrained[max(trained, 3) :]) if trained else set()
    return {name: models[name] for name in [name for name in ranked if name not in left_out][:MOST]}


def say_how_many(figure, drawn: dict, models: dict) -> None:
    """Title a figure that leaves models out."""
    if len(drawn) < len(models):
        text = f"{len(drawn)} of {len(models)} networks: baselines, then the highest scores of trained ones"
        figure.suptitle(text, fontsize=SMALL)


def label_ends(axes, ends: list[tuple[float, str, object]], inches: float) -> None:
    """Names of lines beside their right ends, in their colours, moved apart where they would touch.

    Parameters
    ----------
    axes : whose limits are set
    ends : height of the end (data), name and colour of each line
    inches : height of the axes, about
    """
    low, high = axes.get_ylim()
    gap = 1.25 * SMALL / 72 / inches * (high - low)
    ends = sorted(ends, key=lambda end: end[0])
    halves = [gap * (name.count("\n") + 1) / 2 for _, name, _ in ends]
    places: list[float] = []
    for (height, _, _), half, before in zip(ends, halves, [0.0, *halves], strict=False):
        places.append(max(height, places[-1] + before + half if places else low + half))
    above = max(0.0, places[-1] + halves[-1] - high) if places else 0.0
    for place, (_, name, colour) in zip(places, ends, strict=True):
        axes.annotate(
            name,
            (1.02, place - above),
            xycoords=("axes fraction", "data"),
            color=colour,
            fontsize=SMALL,
            va="center",
            weight="bold",
            annotation_clip=False,
        )


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
    joined |= {value: groups[value].transform("mean")}
    joined |= {"p_fwe": groups["p_fwe"].transform("max")} if "p_fwe" in scores else {}
    return scores.assign(**joined).drop_duplicates(list(place), ignore_index=True)


def wrapped(label: str, width: int) -> str:
    """A label in lines of at most so many letters."""
    return "\n".join(textwrap.wrap(label, width))


def legend_height(models: dict[str, dict]) -> float:
    """Inches of a legend of the models below a figure, in `LEGEND_COLUMNS`."""
    return 0.16 * (-(-len(models) // LEGEND_COLUMNS) + 1)


def name_lines(panels, rois, scores: pd.DataFrame, styles: dict, inches: float, value: str = "score") -> None:
    """The name of each model beside the end of its line, in each panel of a ROI.

    Parameters
    ----------
    panels : axes, one for each of the ROIs
    scores : model, roi, layer_index, and `value`
    styles : of `model_styles`
    inches : height of the panels, about
    """
    for axes, roi in zip(panels, rois, strict=True):
        own = scores[scores["roi"] == roi].sort_values("layer_index").groupby("model")[value].last()
        ends = [
            (own[name], wrapped(style["label"], 14), style["color"])
            for name, style in styles.items()
            if name in own and np.isfinite(own[name])
        ]
        label_ends(axes, ends, inches)


def ordered_rois(rois) -> list[str]:
    """ROI labels (each once) along the visual hierarchy."""
    position = {roi: k for k, roi in enumerate(HIERARCHY)}
    return sorted(set(rois), key=lambda roi: (position.get(roi, len(HIERARCHY)), roi))


def model_styles(models: dict[str, dict]) -> dict[str, dict]:
    """Colour, marker and label of every model: distinct in print without colour too.

    More models than colours have the same colours again, with other markers.
    """
    return {
        name: {
            "color": PALETTE[k % len(PALETTE)],
            "marker": MARKERS[(k + k // len(PALETTE)) % len(MARKERS)],
            "label": models[name]["label"],
        }
        for k, name in enumerate(ordered(models))
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
    told = textwrap.fill(sentence, 64)
    figure, axes = plt.subplots(figsize=(WIDTH, 0.8 + 0.2 * len(told.splitlines())))
    axes.set_axis_off()
    # as it stands: a $ begins no formula here
    axes.text(0.5, 0.5, told, ha="center", va="center", parse_math=False)
    return behind(figure, pd.DataFrame({"note": [sentence]}))


def behind(figure, table: pd.DataFrame):
    """The figure with the table of what it shows, which `draw` writes beside it."""
    figure.shown = table
    return figure


def draw(files: list[str], plot: Callable, *arguments) -> None:
    """Draw a figure, write it and the numbers behind it, with what made it as its description, and close it.

    No figure stops a study: where one cannot be drawn, a placeholder names the fault, and so does a warning.

    Parameters
    ----------
    files : of one name, whose endings say what they hold: svg, png, pdf, and csv for the numbers
    plot : function that returns the figure, with its table of `behind` where a csv file is asked for
    arguments : of the function
    """
    paths = [Path(file) for file in files]
    try:
        contents = _rendered(plot(*arguments), paths)
    # whatever a library raises: tables, claims and report come all the same
    except Exception as error:
        traceback.print_exc()
        fault = f"The figure {paths[0].stem} could not be drawn. {type(error).__name__}: {reason(error)}"
        warn(fault)
        plt.close("all")
        contents = _rendered(placeholder(fault), paths)
    for path, content in contents.items():
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)


# of a format: what is left out, so that the same input gives the same bytes, and the place of the description
TIMELESS = {
    ".svg": ({"Date": None}, "Description"),
    ".png": ({"Software": None}, "Description"),
    ".pdf": ({"CreationDate": None}, "Subject"),
}


def _rendered(figure, paths: list[Path]) -> dict[Path, bytes]:
    """Content of the files of a figure, which is closed; laid out once, so that they are alike."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    made = json.dumps(provenance(None), sort_keys=True)
    contents = {}
    for path in paths:
        if path.suffix == ".csv":
            contents[path] = figure.shown.to_csv(index=False, float_format="%.6g").encode()
            continue
        without, described = TIMELESS[path.suffix]
        buffer = io.BytesIO()
        figure.savefig(buffer, format=path.suffix[1:], metadata=without | {described: made})
        contents[path] = buffer.getvalue()
    plt.close(figure)
    return contents
