"""Figures of the BOLD, of volumes of any shape; and that no figure stops a study."""

from __future__ import annotations

import ast
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from PIL import Image

from cortexrsa.figures import bold, style
from cortexrsa.figures.bold import plot_design, plot_masks, plot_tsnr
from cortexrsa.jobs import job_log, warnings_in

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def volumes(shape, rois, level=30.0):
    """Mean or tSNR image and masks of ten voxels each."""
    rng = np.random.default_rng(0)
    image = nib.Nifti1Image((level * (1 + 0.1 * rng.random(shape))).astype(np.float32), np.eye(4) * 3)
    masks = np.zeros((*shape, len(rois)), np.uint8)
    for k in range(len(rois)):
        masks.reshape(-1, len(rois))[10 * k : 10 * k + 10, k] = 1
    image.affine[3, 3] = 1
    return {"01": (image, nib.Nifti1Image(masks, image.affine))}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "rois"),
    [
        ((9, 10, 8), ["V1"]),
        ((20, 20, 1), ["V1", "LO"]),
        ((1, 20, 20), ["V1"]),
        ((20, 20, 2), ["V1"]),
        ((40, 1, 1), ["V1"]),
    ],
)
@pytest.mark.parametrize("plot", [plot_masks, plot_tsnr])
def test_volumes_of_any_shape_are_drawn(plot, shape, rois, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        figure = plot(volumes(shape, rois), rois)
        figure.savefig(tmp_path / "f.png")
    pixels = np.asarray(Image.open(tmp_path / "f.png").convert("RGB")).astype(int)
    # something but axes and labels: greys of the image, or colours of its map
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 50
    plt.close("all")


def test_outlines_are_those_of_the_rois():
    figure = plot_masks(volumes((20, 20, 1), ["V1"]), ["V1"])
    outlines = [part for axes in figure.axes for part in axes.collections if part.get_paths()]
    assert outlines
    # ten voxels in a row of 3 mm, from the first centre to the last
    vertices = np.concatenate([path.vertices for part in outlines for path in part.get_paths()])
    assert np.ptp(vertices[:, 0]) < 40
    plt.close("all")


def test_tsnr_without_signal(tmp_path):
    figure = plot_tsnr(volumes((9, 10, 8), ["V1"], level=0.0), ["V1"])
    figure.savefig(tmp_path / "f.png")
    assert "V1 (10 voxels, median 0)" in [
        text.get_text() for axes in figure.axes if axes.get_legend() for text in axes.get_legend().get_texts()
    ]
    plt.close("all")


def test_a_design_of_one_column():
    design = pd.DataFrame({"time": [0.0, 2.0, 4.0], "event_00000": [0.0, 1.0, 0.5]})
    assert len(plot_design({"01": design}).axes) == 1
    plt.close("all")


# ---- figures that cannot be drawn ------------------------------------------------------------------------


def fails():
    plt.figure()
    raise IndexError("index -1 is out of bounds; cost $5 and $6")


def draws_what_cannot_be_saved():
    figure, axes = plt.subplots()
    axes.set_title("$\\nonsense{$")
    return figure


@pytest.mark.parametrize(
    ("plot", "fault"),
    [(fails, "IndexError: index -1 is out of bounds; cost $5 and $6"), (draws_what_cannot_be_saved, "Value")],
)
def test_no_figure_stops_a_study(plot, fault, tmp_path, capsys):
    svg, png, log = tmp_path / "masks.svg", tmp_path / "masks.png", tmp_path / "plot.log"
    with job_log(log):
        style.draw([str(svg), str(png), str(tmp_path / "masks.csv")], plot)
    told = f"The figure masks could not be drawn. {fault}"
    (warning,) = warnings_in(log)
    assert warning.startswith(told)
    assert "Traceback" in log.read_text()
    assert Image.open(png).size[0] > 500
    # the report shows the placeholder in the figure's place, with the figure's caption
    drawn = style.placeholder(warning).axes[0].texts[0].get_text().replace("\n", " ")
    assert drawn == warning
    assert not [number for number in plt.get_fignums() if number != plt.gcf().number]
    plt.close("all")


@pytest.mark.parametrize("script", sorted(SCRIPTS.glob("plot_*.py")), ids=lambda path: path.stem)
def test_every_script_of_figures_draws_so(script):
    calls = [node for node in ast.walk(ast.parse(script.read_text())) if isinstance(node, ast.Call)]
    called = {getattr(call.func, "id", getattr(call.func, "attr", "")) for call in calls}
    assert "draw" in called
    assert not [name for name in called if name.startswith("plot_") or "save" in name]


def test_a_figure_is_the_same_byte_for_byte(tmp_path):
    design = {"01": pd.DataFrame({"time": [0.0, 2.0], "event_00000": [0.0, 1.0]})}
    paths = [[tmp_path / f"{name}.{kind}" for kind in ("svg", "png", "pdf", "csv")] for name in "ab"]
    for files in paths:
        style.draw(files, plot_design, design)
    for first, second in zip(*paths, strict=True):
        assert first.read_bytes() == second.read_bytes()
    assert not plt.get_fignums()
    assert paths[0][2].read_bytes().startswith(b"%PDF")
    shown = pd.read_csv(paths[0][3])
    pd.testing.assert_frame_equal(shown, design["01"].assign(subject=1), check_dtype=False)


def test_planes_are_those_of_the_world_not_of_the_array():
    """A volume whose one slice is stored along the first axis, and is axial."""
    affine = np.array([[0, 3, 0, 0], [0, 0, 3, 0], [3, 0, 0, 0], [0, 0, 0, 1.0]])
    image = nib.Nifti1Image(np.zeros((1, 20, 20), np.float32), affine)
    assert bold.planes_through(image, np.zeros(3))["display_mode"] == "z"
