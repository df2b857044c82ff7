"""Figures of a study with the seven ROIs of Kay et al.: no text over another, none cut off."""

from __future__ import annotations

import itertools

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.text import Text

from cortexrsa.figures.claims import plot_centroids
from cortexrsa.figures.comparisons import letters, plot_comparisons
from cortexrsa.figures.geometry import plot_mds, plot_rdms
from cortexrsa.figures.quality import plot_reliability, plot_stimuli
from cortexrsa.figures.scores import plot_heatmap, plot_profiles, plot_rois
from cortexrsa.figures.style import (
    COLUMN,
    FAMILY_STYLES,
    MOST,
    PALETTE,
    label_ends,
    model_styles,
    models_to_draw,
    over_seeds,
)
from cortexrsa.formats.rdms import RDMs
from support import ceiling

ROIS = ("V1", "V2", "V3", "V3A", "V3B", "V4", "LatOcc")
FEW = {
    "deep": {"label": "ResNet-50, untrained, seed 1", "family": "untrained"},
    "other": {"label": "EfficientNet-Lite0", "family": "task-optimised"},
    "gabor": {"label": "Gabor pyramid", "family": "baseline"},
}
MANY = FEW | {
    f"net{k}": {"label": f"Network {k}, self-supervised", "family": "self-supervised"} for k in range(300)
}
LAYERS = {"deep": ["relu", "layer1.0", "avgpool"], "gabor": ["all"]}


SEVERAL_LAYERS = ("profiles",)  # shows no network of one layer


def layers_of(model: str) -> list[str]:
    return LAYERS.get(model, ["blocks.0", "blocks.1", "pool"])


def scores(models) -> pd.DataFrame:
    rows = [
        {"model": model, "roi": roi, "layer": layer, "layer_index": k, "depth": k / 2}
        for model in models
        for roi in ROIS
        for k, layer in enumerate(layers_of(model))
    ]
    same = {"split": "test", "subject": "sub-01", "measure": "spearman", "ci_low": 0.0, "ci_high": 0.3}
    values = np.random.default_rng(0).normal(0.1, 0.05, len(rows))
    return pd.DataFrame(rows).assign(**same, score=values, p_fwe=0.01)


def ceilings() -> pd.DataFrame:
    same = {"split": "test", "subject": "sub-01"} | ceiling("split-half", 0.7, 0.6, 0.84, error=0.05)
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


def profiles(models) -> pd.DataFrame:
    rows = [
        {"model": model, "roi": roi, "statistic": statistic}
        for model in models
        for roi in ROIS
        for statistic in ("depth centroid", "held-out best layer")
    ]
    return pd.DataFrame(rows).assign(estimate=0.5, ci_low=0.3, ci_high=0.6)


def geometry(plot, models, *options):
    networks = {name: rdms({"layer": layers_of(name)}) for name in models}
    return plot(rdms({"roi": ROIS}), networks, scores(models), models, "spearman", *options)


def compared(models, errors=0.05):
    """Tables of networks that differ where their scores are further apart than an error."""
    order = sorted(models)
    names, score = np.array(order, object), np.linspace(0.5, 0.1, len(order))
    first, second = np.triu_indices(len(order), k=1)
    pairs = pd.DataFrame({"first": names[first], "second": names[second], "kind": "pair"})
    pairs["p_fwe"] = np.where(score[first] - score[second] > errors, 0.01, 0.5)
    against = pd.DataFrame({"first": names, "kind": "ceiling", "difference": score - 0.8, "p_fwe": 0.01})
    ranks = pd.DataFrame({"model": names, "score": score, "ci_low": score - 0.1, "ci_high": score + 0.1})
    ranks = ranks.assign(rank_low=1.0, rank_high=float(len(order)), measure="spearman")
    tables = (pd.concat([pairs, against]), ranks)
    return [
        pd.concat([table.assign(roi=roi, statistic="held-out best layer") for roi in ROIS])
        for table in tables
    ]


def some(number: int) -> dict:
    return {name: MANY[name] for name in sorted(MANY)[:number]}


FIGURES = {
    "comparisons": lambda models: plot_comparisons(*compared(models), ceilings(), models, 0.95),
    "reliability": lambda models: plot_reliability(reliability()),
    "rdms": lambda models: geometry(plot_rdms, models),
    "mds": lambda models: geometry(plot_mds, models, 1),
    "profiles": lambda models: plot_profiles(scores(models), ceilings(), models),
    "rois": lambda models: plot_rois(scores(models), ceilings(), models),
    "heatmap": lambda models: plot_heatmap(scores(models), models, 0.05),
    "centroids": lambda models: plot_centroids(profiles(models), models),
}


def misplaced(figure) -> tuple[list[Text], list[str], list[tuple[str, str]]]:
    """Text that is shown, what of it lies outside the figure, and which texts touch each other."""
    figure.canvas.draw()
    # ticks beyond the limits of their axis are not drawn
    boxes = {
        text: text.get_window_extent().padded(-1)
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text() and (text.axes is None or text.axes.axison)
        if not is_hidden_tick(text)
    }
    whole = figure.bbox.padded(1)
    outside = [
        text.get_text()
        for text, box in boxes.items()
        if not (whole.contains(*box.min) and whole.contains(*box.max))
    ]
    touching = [
        (one.get_text(), other.get_text())
        for (one, box), (other, box2) in itertools.combinations(boxes.items(), 2)
        if box.overlaps(box2)
    ]
    return list(boxes), outside, touching


@pytest.mark.parametrize("models", [FEW, pytest.param(MANY, marks=pytest.mark.slow)], ids=["few", "many"])
@pytest.mark.parametrize("name", FIGURES)
def test_text_is_whole_and_apart(name, models):
    figure = FIGURES[name](models)
    shown, outside, touching = misplaced(figure)
    size, smallest = figure.get_size_inches(), min(text.get_fontsize() for text in shown)
    plt.close(figure)
    # what journals ask for at the width of a column
    assert smallest * COLUMN / size[0] >= 5
    assert len(figure.shown)
    if name == "mds":
        touching = []  # where a ROI lies is what the figure shows
    if models is MANY and name not in ("reliability", "comparisons"):
        assert (
            figure.get_suptitle()
            == f"20 of {len(MANY) - (name in SEVERAL_LAYERS)} networks: baselines, then the highest scores "
            "of trained ones"
        )
    assert max(size) < 60
    assert (outside, touching) == ([], [])


def is_hidden_tick(text: Text) -> bool:
    """A tick label of matplotlib's locator that lies beyond the axis or is switched off."""
    for axes in text.figure.axes:
        for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            for tick in axis.get_major_ticks():
                if text in (tick.label1, tick.label2):
                    return not min(limits) <= tick.get_loc() <= max(limits)
    return False


# ---- networks compared -------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2, 6, 12, 40, 200])
def test_networks_are_told_apart_at_every_number(number):
    models = some(number)
    figure = plot_comparisons(*compared(models), ceilings(), models, 0.95)
    figure.canvas.draw()
    texts = {text.get_text() for text in figure.findobj(Text)}
    if number == 1:
        assert any("one network" in text for text in texts)
    elif number <= 60:
        assert {model["label"] for model in models.values()} <= texts
    else:
        assert any("told apart" in text for text in texts)
    plt.close(figure)


@pytest.mark.parametrize("seed", range(5))
def test_letters_are_the_largest_groups_without_a_difference(seed):
    generator = np.random.default_rng(seed)
    differ = np.triu(generator.random((7, 7)) < 0.4, k=1)
    differ |= differ.T
    alike = [
        frozenset(group)
        for size in range(1, 8)
        for group in itertools.combinations(range(7), size)
        if not differ[np.ix_(group, group)].any()
    ]
    largest = {group for group in alike if not any(group < other for other in alike)}
    assert set(letters(differ)) == largest
    assert len(letters(differ)) == len(largest)


def test_reliability_of_several_splits_and_of_averages():
    table = pd.DataFrame({"roi": ["V1", "LO"] * 30, "reliability": 0.5, "repeats": 3})
    table["split"] = np.repeat(["train", "ood", "test"], 20)
    titles = [axes.get_title() for axes in plot_reliability(table).axes]
    assert titles == [f"{split} stimuli, 3 repeats" for split in ("test", "ood", "train")]
    (text,) = (
        text for text in plot_reliability(table.assign(reliability=np.nan)).findobj(Text) if text.get_text()
    )
    assert text.get_text().startswith("Averages alone are known")


def test_stimuli_of_a_category_stand_in_its_row():
    images = np.arange(40, dtype=np.uint8)[:, None, None, None].repeat(4, 1).repeat(4, 2).repeat(3, 3)
    stimuli = pd.DataFrame({"split": "test", "category": ["cat", "dog"] * 15 + ["few"] * 4 + [""] * 6})
    figure = plot_stimuli(images, stimuli)
    rows = np.array(figure.axes).reshape(3, -1)
    assert [row[0].texts[0].get_text() for row in rows] == ["cat\n(15)", "dog\n(15)", "few\n(4)"]
    for k, row in enumerate(rows):
        shown = [axes.images[0].get_array()[0, 0, 0] for axes in row[1:] if axes.images]
        assert len(shown) == min(6, [15, 15, 4][k])
        assert (stimuli["category"].to_numpy()[shown] == ["cat", "dog", "few"][k]).all()
    # without categories: the test stimuli
    plain = plot_stimuli(images, stimuli.assign(category=""))
    assert len(plain.axes) == 40


# ---- who is drawn, and how they are told apart -------------------------------------------------------------


def named(**families) -> dict:
    return {
        f"{family}{k}": {"label": f"{family} {k}", "family": family.replace("_", "-")}
        for family, count in families.items()
        for k in range(count)
    }


def test_untrained_networks_never_push_trained_ones_off_the_page():
    models = named(untrained=12, task_optimised=18, baseline=2)
    scores = pd.Series({name: 0.9 if name.startswith("untrained") else 0.1 for name in models})
    drawn = models_to_draw(models, scores)
    assert len(drawn) == MOST
    assert not [name for name in drawn if name.startswith("untrained")]
    # where there is room: no more of them than of trained ones, or three
    few = named(untrained=12, task_optimised=1)
    assert sum(name.startswith("untrained") for name in models_to_draw(few, scores.reindex(few))) == 3
    alone = named(untrained=12)
    assert set(models_to_draw(alone, scores.reindex(alone))) == set(alone)


def test_seeds_of_a_network_are_one_line_with_their_range():
    rows = [("net", seed, value) for seed, value in enumerate((0.1, 0.2, 0.6), start=1)]
    table = pd.DataFrame(rows, columns=["model", "seed", "score"]).assign(roi="V1", layer="a", p_fwe=0.01)
    table = table.assign(ci_low=table["score"] - 0.05, ci_high=table["score"] + 0.05)
    (row,) = over_seeds(table).to_dict("records")
    assert (row["score"], row["ci_low"], row["ci_high"]) == pytest.approx((0.3, 0.1, 0.6))


def seen_with_deuteranopia(colours) -> np.ndarray:
    """CIE L*a*b* of colours as people without M cones see them (Machado et al. 2009, severity 1)."""
    linear = np.array([matplotlib.colors.to_rgb(colour) for colour in colours])
    linear = np.where(linear <= 0.04045, linear / 12.92, ((linear + 0.055) / 1.055) ** 2.4)
    without = [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]
    linear = np.clip(linear @ np.array(without).T, 0, 1)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = linear @ np.array(to_xyz).T / [0.9505, 1, 1.089]
    root = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack(
        [116 * root[:, 1] - 16, *(500 * np.diff(root[:, 1::-1]).T), *(200 * -np.diff(root[:, 1:]).T)], 1
    )


def told_apart(styles: list[dict]) -> float:
    """Smallest distance (delta E) of two styles with one marker, without M cones."""
    seen = seen_with_deuteranopia([style["color"] for style in styles])
    pairs = itertools.combinations(range(len(styles)), 2)
    return min(
        (np.linalg.norm(seen[i] - seen[j]) for i, j in pairs if styles[i]["marker"] == styles[j]["marker"]),
        default=np.inf,
    )


def test_colours_and_markers_are_told_apart_without_m_cones():
    # a bar of 10, five times what is just noticed side by side
    assert told_apart([{"color": colour, "marker": "o"} for colour in PALETTE[:5]]) > 10
    assert told_apart(list(FAMILY_STYLES.values())) > 10
    assert told_apart(list(model_styles(named(task_optimised=MOST)).values())) > 10
    # the measure sees what it should: red and green of one brightness are alike
    assert told_apart([{"color": colour, "marker": "o"} for colour in ("#b05c3b", "#767a3a")]) < 10


def test_names_beside_lines_keep_apart_and_inside():
    figure, axes = plt.subplots(figsize=(3, 2))
    axes.set_ylim(0, 1)
    label_ends(axes, [(0.5, "a", "k"), (0.5, "b", "k"), (0.98, "c", "k"), (0.99, "d", "k")], 1.5)
    heights = [text.xy[1] for text in axes.texts]
    assert [text.get_text() for text in axes.texts] == ["a", "b", "c", "d"]
    assert np.diff(heights).min() > 0.05
    assert min(heights) >= 0
    assert max(heights) <= 1 + 1e-9
    plt.close(figure)
