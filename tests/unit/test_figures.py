"""Figures of a study with the seven ROIs of Kay et al.: no text over another, none cut off."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.text import Text

from cortexrsa.figures.geometry import plot_rdms
from cortexrsa.figures.quality import plot_reliability
from cortexrsa.figures.scores import plot_profiles, plot_rois
from cortexrsa.files import RDMs

ROIS = ("V1", "V2", "V3", "V3A", "V3B", "V4", "LatOcc")
MODELS = {
    "deep": {"label": "ResNet-50, untrained, seed 1", "family": "untrained"},
    "other": {"label": "EfficientNet-Lite0", "family": "task-optimised"},
    "gabor": {"label": "Gabor pyramid", "family": "baseline"},
}
LAYERS = {
    "deep": ["relu", "layer1.0", "avgpool"],
    "other": ["blocks.0", "blocks.1", "pool"],
    "gabor": ["all"],
}


def scores() -> pd.DataFrame:
    rows = [
        {"model": model, "roi": roi, "layer": layer, "layer_index": k, "depth": k / 2, "score": 0.1 * k}
        for model, layers in LAYERS.items()
        for roi in ROIS
        for k, layer in enumerate(layers)
    ]
    same = {"split": "test", "subject": "sub-01", "measure": "spearman", "ci_low": 0.0, "ci_high": 0.3}
    return pd.DataFrame(rows).assign(**same)


def ceilings() -> pd.DataFrame:
    same = {"split": "test", "subject": "sub-01", "kind": "moments", "lower": 0.8, "upper": 0.9}
    return pd.DataFrame({"roi": ROIS}).assign(**same)


def reliability() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(
        itertools.product(ROIS, ("test", "train"), range(40)), columns=["roi", "split", "voxel"]
    )
    return rows.assign(reliability=rng.normal(0.4, 0.1, len(rows)), repeats=13)


def rdms(names: dict) -> RDMs:
    values = np.random.default_rng(0).random((len(next(iter(names.values()))), 66))
    patterns = pd.DataFrame({"stimulus_id": [f"s{k}" for k in range(12)], "split": "test"})
    return RDMs(values, pd.DataFrame(names), patterns, "correlation")


FIGURES = {
    "reliability": lambda: plot_reliability(reliability()),
    "rdms": lambda: plot_rdms(
        rdms({"roi": ROIS}),
        {name: rdms({"layer": layers}) for name, layers in LAYERS.items()},
        scores(),
        MODELS,
        "spearman",
    ),
    "profiles": lambda: plot_profiles(scores(), ceilings(), MODELS),
    "rois": lambda: plot_rois(scores(), ceilings(), MODELS),
}


@pytest.mark.parametrize("name", FIGURES)
def test_text_is_whole_and_apart(name):
    figure = FIGURES[name]()
    figure.canvas.draw()
    boxes = {
        text: text.get_window_extent().padded(-1)
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text() and (text.axes is None or text.axes.axison)
    }
    # ticks beyond the limits of their axis are not drawn
    shown = {text: box for text, box in boxes.items() if not is_hidden_tick(text)}
    outside = [text.get_text() for text, box in shown.items() if not figure.bbox.padded(1).contains(*box.min)]
    outside += [
        text.get_text() for text, box in shown.items() if not figure.bbox.padded(1).contains(*box.max)
    ]
    touching = [
        (one.get_text(), other.get_text())
        for (one, box), (other, box2) in itertools.combinations(shown.items(), 2)
        if box.overlaps(box2)
    ]
    plt.close(figure)
    assert (outside, touching) == ([], [])


def is_hidden_tick(text: Text) -> bool:
    """A tick label of matplotlib's locator that lies beyond the axis or is switched off."""
    for axes in text.figure.axes:
        for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            for tick in axis.get_major_ticks():
                if text in (tick.label1, tick.label2):
                    return not min(limits) <= tick.get_loc() <= max(limits)
    return False
