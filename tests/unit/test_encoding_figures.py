"""Figures and maps of the encoding models show what the tables say."""

import matplotlib.pyplot as plt
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import xarray

from cortexrsa.figures.encoding import plot_encoding
from cortexrsa.figures.maps import form_of, plot_maps, surface_maps, voxel_maps, write_maps, write_surfaces

MODELS = {"net": {"label": "Net", "family": "untrained"}, "flat": {"label": "Flat", "family": "baseline"}}


def table(corrected=True):
    rows = []
    for model, layers in (("net", 3), ("flat", 1)):
        for roi in ("V1", "LO"):
            for layer in range(layers):
                rows.append(
                    {
                        **{"subject": "sub-01", "roi": roi, "model": model, "method": "ridge"},
                        **{"layer": f"layer{layer}", "seed": 1, "p_fwe": 0.01},
                        **{"layer_index": layer, "depth": layer / 2, "score": 0.1 * (layer + 1)},
                        **{"ci_low": 0.05 * layer, "ci_high": 0.2 * layer + 0.1},
                    }
                )
    found = pd.DataFrame(rows)
    for name, source in (("corrected", "score"), ("corrected_low", "ci_low"), ("corrected_high", "ci_high")):
        found[name] = 2 * found[source] if corrected else np.nan
    return found


@pytest.mark.parametrize("corrected", [True, False])
def test_profiles_are_the_table_and_say_whether_they_are_corrected(corrected):
    figure = plot_encoding(table(corrected), MODELS)
    axes = figure.axes[0]
    assert axes.get_ylabel() == ("noise-corrected r" if corrected else "r (not corrected for noise)")
    line = next(line for line in axes.lines if line.get_label() == "Net")
    assert np.allclose(line.get_ydata(), np.array([0.1, 0.2, 0.3]) * (2 if corrected else 1))
    plt.close(figure)


def result():
    """Two layers, two subjects of two voxels."""
    variables = {
        "cv": (("estimator", "layer", "voxel"), [[[0.3, 0.1, -0.1, 0.2], [0.2, 0.4, -0.2, 0.3]]]),
        "r": (("estimator", "layer", "voxel"), [[[0.5, 0.2, 0.0, 0.1], [0.4, 0.6, 0.1, 0.7]]]),
        "voxel_subject": (("voxel",), np.array(["sub-01", "sub-01", "sub-01", "sub-02"], object)),
        **{name: (("voxel",), values) for name, values in {"i": [0, 1, 2, 0], "j": [1] * 4}.items()},
        "k": (("voxel",), [2] * 4),
    }
    coords = {"estimator": ["ridge"], "layer": ["a", "b"]}
    coords |= {"layer_index": ("layer", [0, 1]), "depth": ("layer", [0.0, 1.0])}
    return xarray.Dataset(variables, coords)


@pytest.mark.slow
def test_a_voxel_shows_the_layer_that_was_best_in_training(tmp_path):
    mean = nib.Nifti1Image(np.ones((3, 3, 4), np.float32), np.diag([2.0, 2, 2, 1]))
    maps = voxel_maps(result(), "ridge", "sub-01", mean.shape, mean.affine)
    layer, r = (maps[name].get_fdata() for name in ("layer", "r"))
    assert np.isfinite(r).sum() == 3
    assert [layer[0, 1, 2], layer[1, 1, 2]] == [0, 1]
    # nothing predicts the third in the training folds
    assert np.isnan(layer[2, 1, 2])
    assert np.allclose([r[0, 1, 2], r[1, 1, 2], r[2, 1, 2]], [0.5, 0.6, 0.0])
    write_maps(tmp_path, "net", "sub-01", maps)
    first = (tmp_path / "net_sub-01_r.nii.gz").read_bytes()
    read = nib.load(tmp_path / "net_sub-01_r.nii.gz")
    assert np.allclose(read.get_fdata(), r, equal_nan=True)
    assert np.allclose(read.affine, mean.affine)
    write_maps(tmp_path, "net", "sub-01", maps)
    assert (tmp_path / "net_sub-01_r.nii.gz").read_bytes() == first
    figure = plot_maps({"net": maps}, mean, MODELS, "sub-01")
    assert any("Net (sub-01)" in text.get_text() for text in figure.texts)
    plt.close(figure)


def test_networks_of_one_layer_have_no_map():
    mean = nib.Nifti1Image(np.ones((3, 3, 4), np.float32), np.eye(4))
    one = result().isel(layer=[0])
    figure = plot_maps(
        {"flat": voxel_maps(one, "ridge", "sub-01", mean.shape, mean.affine)}, mean, MODELS, "sub-01"
    )
    assert "more than one layer" in figure.axes[0].texts[0].get_text()
    plt.close(figure)


def on_surfaces(parts):
    """The result of `result` with voxels at vertices 4, 0 and 2, and of another subject at 1."""
    found = result().drop_vars(list("ijk")).assign(index=("voxel", [4, 0, 2, 1]))
    return found.assign(part=("voxel", np.array(parts, object)))


def test_maps_of_hemispheres_are_gifti(tmp_path):
    parts = [
        {"file": f"/data/{side}.betas.func.gii", "part": side, "grid": [5], "affine": None}
        for side in ("lh", "rh")
    ]
    assert form_of(parts) == "surface"
    found = surface_maps(on_surfaces(["lh", "lh", "rh", "lh"]), "ridge", "sub-01", parts)
    write_surfaces(tmp_path, "net", "sub-01", found)
    left, right = (nib.load(tmp_path / f"net_sub-01_{side}.func.gii") for side in ("lh", "rh"))
    assert [array.meta["Name"] for array in left.darrays] == ["layer", "depth", "r"]
    assert left.meta["AnatomicalStructurePrimary"] == "CortexLeft"
    assert right.meta["AnatomicalStructurePrimary"] == "CortexRight"
    nan = np.nan
    np.testing.assert_allclose(left.darrays[0].data, [1, nan, nan, nan, 0])
    np.testing.assert_allclose(left.darrays[2].data, [0.6, nan, nan, nan, 0.5], rtol=1e-6)
    # nothing predicts the one of the right hemisphere in the training folds
    assert np.isnan(right.darrays[0].data).all()
    np.testing.assert_allclose(right.darrays[2].data, [nan, nan, 0, nan, nan], atol=1e-7)


def test_maps_of_cifti_are_cifti(tmp_path):
    axis = nib.cifti2.BrainModelAxis.from_mask(np.array([1, 1, 0, 1, 1, 1]), "CortexLeft")
    header = nib.cifti2.Cifti2Header.from_axes((nib.cifti2.ScalarAxis(["a"]), axis))
    given = tmp_path / "betas.dscalar.nii"
    nib.save(nib.Cifti2Image(np.zeros((1, 5), np.float32), header), given)
    parts = [{"file": str(given), "part": "", "grid": [5], "affine": None}]
    assert form_of(parts) == "surface"
    found = surface_maps(on_surfaces(["", "", "", ""]), "ridge", "sub-01", parts)
    write_surfaces(tmp_path, "net", "sub-01", found)
    image = nib.load(tmp_path / "net_sub-01.dscalar.nii")
    assert image.header.get_axis(1) == axis
    assert list(image.header.get_axis(0).name) == ["layer", "depth", "r"]
    np.testing.assert_allclose(image.get_fdata()[2], [0.6, np.nan, 0.0, np.nan, 0.5], rtol=1e-6)


def test_what_has_no_place_has_no_map():
    flat = {"file": "betas.npy", "part": "", "grid": [5], "affine": None}
    assert form_of([flat]) == form_of([]) == ""
    volume = {"file": "b.nii.gz", "part": "", "grid": [3, 3, 4], "affine": np.eye(4).tolist()}
    assert form_of([volume]) == "volume"
    # a surface in the file of a volume
    assert form_of([volume | {"grid": [5, 1, 1]}]) == ""


@pytest.mark.slow
def test_volumes_without_a_mean_lie_on_their_rois():
    maps = voxel_maps(result(), "ridge", "sub-01", (3, 3, 4), np.eye(4))
    figure = plot_maps({"net": maps}, None, MODELS, "sub-01")
    assert any("Net (sub-01)" in text.get_text() for text in figure.texts)
    plt.close(figure)
    figure = plot_maps({}, None, MODELS, "sub-01")
    assert "surfaces" in figure.axes[0].texts[0].get_text()
    plt.close(figure)
