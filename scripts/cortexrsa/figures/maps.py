"""Maps of encoding models on the brain: the best layer of every voxel, and its score."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import xarray
from matplotlib import pyplot as plt
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from nilearn import plotting

from cortexrsa.figures.bold import MARGIN, planes_through, subject_rows
from cortexrsa.figures.style import behind, placeholder
from cortexrsa.storage import atomic_path

# networks in the figure, those that predict best
MOST_NETWORKS = 4
# values below are drawn as this one, which no eye tells from 0
HIDDEN = 1e-3


def best_layers(
    result: xarray.Dataset, estimator: str, subject: str
) -> tuple[xarray.Dataset, dict[str, np.ndarray]]:
    """The best layer of every voxel of one network and subject, its relative depth, and its score.

    The layer is chosen by its R2 in the folds of the training stimuli and scored on the test stimuli.

    Parameters
    ----------
    result : of `encoding.network.encode_network`
    estimator : ridge or pls
    subject : whose voxels

    Returns
    -------
    own : the result in these voxels
    values : {layer (index from 0), depth, r} of each (v,); layer and depth are NaN where no layer predicts
        the training folds better than their mean
    """
    own = result.sel(estimator=estimator).isel(
        voxel=np.flatnonzero(result["voxel_subject"].to_numpy() == subject)
    )
    cv = np.nan_to_num(own["cv"].to_numpy(), nan=-np.inf)
    best, voxels = cv.argmax(axis=0), np.arange(own.sizes["voxel"])
    nothing = cv[best, voxels] <= 0
    values = {
        "layer": np.where(nothing, np.nan, own["layer_index"].to_numpy()[best]),
        "depth": np.where(nothing, np.nan, own["depth"].to_numpy()[best]),
        "r": own["r"].to_numpy()[best, voxels],
    }
    return own, values


def voxel_maps(
    result: xarray.Dataset, estimator: str, subject: str, shape: tuple[int, ...], affine: np.ndarray
) -> dict:
    """Volumes of `best_layers`.

    Parameters
    ----------
    result : with the places i, j, k of the voxels
    estimator, subject : see `best_layers`
    shape, affine : of the volume

    Returns
    -------
    {layer, depth, r}: images of float32, NaN outside the ROIs and where `best_layers` has no layer
    """
    own, values = best_layers(result, estimator, subject)
    places = tuple(own[name].to_numpy().astype(int) for name in "ijk")
    images = {}
    for name, value in values.items():
        volume = np.full(shape[:3], np.nan, np.float32)
        volume[places] = value
        images[name] = nib.Nifti1Image(volume, affine)
    return images


def surface_maps(result: xarray.Dataset, estimator: str, subject: str, parts: list[dict]) -> dict:
    """Maps of `best_layers` in the form of the files that the responses came in.

    Parameters
    ----------
    result : with the index of every voxel in its part, and the part where there are several
    estimator, subject : see `best_layers`
    parts : of the space of the subject, see `brain.loaders.responses`; files of GIFTI or CIFTI

    Returns
    -------
    {end of a file's name: image}: _PART.func.gii of each part, or .dscalar.nii; of three maps each (layer,
    depth, r), NaN outside the ROIs and where there is no layer
    """
    own, values = best_layers(result, estimator, subject)
    index = own["index"].to_numpy().astype(int)
    found = {}
    for part in parts:
        here = own["part"].to_numpy() == part["part"] if len(parts) > 1 else np.ones(len(index), bool)
        maps = np.full((len(values), part["grid"][0]), np.nan, np.float32)
        maps[:, index[here]] = [value[here] for value in values.values()]
        name, names = part["part"], list(values)
        end = f"_{name}" if name else ""
        if part["file"].endswith(".gii"):
            found[f"{end}.func.gii"] = _gifti(maps, names, name)
        else:
            axis = nib.load(part["file"]).header.get_axis(1)
            header = nib.cifti2.Cifti2Header.from_axes((nib.cifti2.ScalarAxis(names), axis))
            found[f"{end}.dscalar.nii"] = nib.Cifti2Image(maps, header)
    return found


def _gifti(maps: np.ndarray, names: list[str], hemisphere: str) -> nib.GiftiImage:
    arrays = [
        nib.gifti.GiftiDataArray(
            own, intent="NIFTI_INTENT_SHAPE", datatype="NIFTI_TYPE_FLOAT32", meta={"Name": name}
        )
        for own, name in zip(maps, names, strict=True)
    ]
    side = {"l": "CortexLeft", "r": "CortexRight"}.get(hemisphere.lower()[:1])
    meta = {"AnatomicalStructurePrimary": side} if side else {}
    return nib.GiftiImage(meta=nib.gifti.GiftiMetaData(meta), darrays=arrays)


def form_of(parts: list[dict]) -> str:
    """How the maps of a space can be written: volume, surface, or nothing."""
    if len(parts) == 1 and parts[0]["affine"] is not None and sum(size > 1 for size in parts[0]["grid"]) > 1:
        return "volume"
    surfaces = (".gii", ".dscalar.nii", ".dtseries.nii")
    return "surface" if parts and all(part["file"].endswith(surfaces) for part in parts) else ""


def write_maps(folder: str | Path, model: str, subject: str, images: dict) -> None:
    """Write the volumes of `voxel_maps` as FOLDER/MODEL_SUBJECT_MAP.nii.gz."""
    for name, image in images.items():
        with atomic_path(Path(folder, f"{model}_{subject}_{name}.nii.gz")) as temporary:
            temporary.write_bytes(_compressed(image))


def write_surfaces(folder: str | Path, model: str, subject: str, images: dict) -> None:
    """Write the images of `surface_maps` as FOLDER/MODEL_SUBJECT{END}."""
    for end, image in images.items():
        with atomic_path(Path(folder, f"{model}_{subject}{end}")) as temporary:
            temporary.write_bytes(image.to_bytes())


def _compressed(image: nib.Nifti1Image) -> bytes:

    # without a time in it: the same map gives the same file
    return gzip.compress(image.to_bytes(), mtime=0)


def _opaque(image: nib.Nifti1Image) -> nib.Nifti1Image:
    """The map with a value above the threshold in every voxel that has one; 0 shows the background."""
    values = image.get_fdata()
    values = np.where(np.isfinite(values), np.maximum(values, HIDDEN), 0)
    return nib.Nifti1Image(values.astype(np.float32), image.affine)


def plot_maps(
    maps: dict[str, dict[str, nib.Nifti1Image]],
    mean: nib.Nifti1Image | None,
    models: dict[str, dict],
    subject: str,
) -> plt.Figure:
    """Depth of the best layer and its score over the mean BOLD of one subject, a row for each network.

    Parameters
    ----------
    maps : by network, of `voxel_maps`; the networks of more than one layer that predict best are drawn
    mean : mean BOLD, or None: the voxels of the ROIs are the background
    models : label by model name
    subject : name
    """
    if not maps:
        return placeholder("No volumes to draw. Maps of surfaces lie in encoding_maps/ (if any).")
    deep = {name: own for name, own in maps.items() if np.nanmax(own["layer"].get_fdata(), initial=0) > 0}
    if not deep:
        return placeholder("No network of this study has more than one layer that predicts voxels.")
    strength = {name: np.nanmean(own["r"].get_fdata()) for name, own in deep.items()}
    names = sorted(deep, key=lambda name: -strength[name])[:MOST_NETWORKS]
    figure, places = subject_rows(names, 1.4, 0.2)
    for text, name in zip(list(figure.texts), names, strict=True):
        text.set_text(f"{models[name]['label']} ({subject}): depth of the best layer; its r")
    present = np.isfinite(next(iter(deep.values()))["r"].get_fdata())
    inside = np.argwhere(present)
    if mean is None:
        mean = nib.Nifti1Image(present.astype(np.float32), deep[names[0]]["r"].affine)
    highest = max(np.nanmax(deep[name]["r"].get_fdata()) for name in names)
    for name, (bottom, height) in zip(names, places, strict=True):
        for column, (kind, limit) in enumerate((("depth", 1.0), ("r", float(highest)))):
            left = MARGIN + column * 0.48
            plotting.plot_stat_map(
                _opaque(deep[name][kind]),
                bg_img=mean,
                **planes_through(mean, inside.mean(axis=0)),
                cmap="viridis",
                vmin=0,
                vmax=limit,
                threshold=HIDDEN / 2,
                colorbar=False,
                black_bg=False,
                draw_cross=False,
                annotate=False,
                figure=figure,
                axes=(left, bottom, 0.4, height),
            )
            scale = figure.add_axes((left + 0.41, bottom + 0.1 * height, 0.012, 0.8 * height))
            figure.colorbar(ScalarMappable(Normalize(0, limit), "viridis"), cax=scale)
            # beside the bar it would lie under the next map
            scale.set_title(kind, fontsize=7)
            scale.tick_params(labelsize=7)
    return behind(figure, pd.DataFrame([_means(name, deep[name]) for name in names]))


def _means(name: str, maps: dict[str, nib.Nifti1Image]) -> dict:
    """Voxels of a network's maps, and the means of its maps over those that have a value."""
    values = {kind: maps[kind].get_fdata() for kind in ("depth", "r")}
    means = {f"mean_{kind}": np.nanmean(value) for kind, value in values.items()}
    return {"model": name, "voxels": int(np.isfinite(values["r"]).sum()), **means}
