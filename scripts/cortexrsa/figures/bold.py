"""Figures of the BOLD: ROIs over the mean image, tSNR, design matrix, recovery of planted betas."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.lines import Line2D
from nilearn import plotting

from cortexrsa.figures.style import PALETTE, WIDTH, behind, histogram, ordered_rois, roi_colours

MOST_SUBJECTS = 4  # in the figures of volumes: the first of them
MARGIN = 0.02


def subject_rows(subjects: list[str], height: float, below: float) -> tuple[plt.Figure, list[tuple]]:
    """A figure with a named row for each subject, and (bottom, height) of each in parts of the figure.

    nilearn places axes of its own inside those that it is given, which needs a fixed layout.
    """
    total = height * len(subjects) + below
    figure = plt.figure(figsize=(WIDTH, total), layout="none")
    places = []
    for row, subject in enumerate(subjects, start=1):
        bottom = (total - row * height) / total
        places.append((bottom, 0.86 * height / total))
        figure.text(MARGIN, bottom + 0.9 * height / total, f"sub-{subject}", fontsize=9, va="bottom")
    return figure, places


def planes_through(image: nib.Nifti1Image, point: np.ndarray) -> dict:
    """Planes through a point (voxels) that are more than a line of voxels, as nilearn wants them.

    A volume of one slice has one such plane.
    """
    right, anterior, superior = (size > 1 for size in nib.as_closest_canonical(image).shape[:3])
    shown = {"x": anterior and superior, "y": right and superior, "z": right and anterior}
    centre = dict(zip("xyz", nib.affines.apply_affine(image.affine, point), strict=True))
    if all(shown.values()):
        return {"display_mode": "ortho", "cut_coords": tuple(centre.values())}
    axis = next((axis for axis in "zyx" if shown[axis]), "z")
    return {"display_mode": axis, "cut_coords": [centre[axis]]}


def plot_masks(volumes: dict[str, tuple[nib.Nifti1Image, nib.Nifti1Image]], rois: list[str]) -> plt.Figure:
    """Outlines of the ROIs over the mean BOLD, three planes through their common centre.

    Parameters
    ----------
    volumes : {subject: (mean BOLD (x, y, z), masks (x, y, z, rois))}
    rois : labels, in the order of the masks
    """
    subjects = list(volumes)[:MOST_SUBJECTS]
    colours = roi_colours(ordered_rois(rois))
    figure, places = subject_rows(subjects, 1.6, 0.35)
    for subject, (bottom, height) in zip(subjects, places, strict=True):
        mean, masks = volumes[subject]
        inside = np.argwhere(masks.get_fdata().any(axis=-1))
        display = plotting.plot_img(
            mean,
            **planes_through(mean, inside.mean(axis=0)),
            cmap="gray",
            black_bg=False,
            colorbar=False,
            draw_cross=False,
            annotate=False,
            figure=figure,
            axes=(MARGIN, bottom, 1 - 2 * MARGIN, height),
        )
        display.annotate(size=7)
        # a line of voxels has no outlines
        outlined = rois if sum(size > 1 for size in mean.shape[:3]) > 1 else []
        for index, roi in enumerate(outlined):
            mask = nib.Nifti1Image(masks.get_fdata()[..., index], masks.affine)
            display.add_contours(mask, levels=[0.5], colors=[colours[roi]], linewidths=1.2)
    handles = [Line2D([], [], color=colours[roi], label=roi) for roi in ordered_rois(rois)]
    figure.legend(handles=handles, loc="lower center", ncols=min(len(rois), 6), frameon=False)
    return behind(figure, _voxels_of({subject: volumes[subject] for subject in subjects}, rois))


def _voxels_of(volumes: dict[str, tuple[nib.Nifti1Image, nib.Nifti1Image]], rois: list[str]) -> pd.DataFrame:
    """Voxels of each subject and ROI, and the median of the image over them."""
    rows = []
    for subject, (image, masks) in volumes.items():
        values, inside = image.get_fdata(), masks.get_fdata() > 0
        for index, roi in enumerate(rois):
            own = values[inside[..., index]]
            rows.append([subject, roi, len(own), np.median(own) if len(own) else np.nan])
    return pd.DataFrame(rows, columns=["subject", "roi", "voxels", "median"])


def plot_tsnr(volumes: dict[str, tuple[nib.Nifti1Image, nib.Nifti1Image]], rois: list[str]) -> plt.Figure:
    """Map of the tSNR, and its distribution over the voxels of each ROI.

    Parameters
    ----------
    volumes : {subject: (tSNR (x, y, z), masks (x, y, z, rois))}
    rois : labels, in the order of the masks
    """
    subjects = list(volumes)[:MOST_SUBJECTS]
    figure, places = subject_rows(subjects, 3.0, 0.1)
    colours = roi_colours(ordered_rois(rois))
    for subject, (bottom, height) in zip(subjects, places, strict=True):
        tsnr, masks = volumes[subject]
        values = tsnr.get_fdata()
        inside = masks.get_fdata() > 0
        point = np.argwhere(inside.any(axis=-1)).mean(axis=0)
        display = plotting.plot_img(
            tsnr,
            **planes_through(tsnr, point),
            cmap="viridis",
            black_bg=False,
            colorbar=True,
            vmin=0,
            vmax=_upper(values),
            cbar_tick_format="%.0f",
            annotate=False,
            draw_cross=False,
            figure=figure,
            axes=(MARGIN, bottom + 0.5 * height, 1 - 2 * MARGIN, 0.5 * height),
        )
        display.annotate(size=7)
        axes = figure.add_axes((0.12, bottom + 0.16 * height, 0.4, 0.32 * height))
        edges = np.linspace(0, _upper(values[inside.any(axis=-1)], 100) * 1.02, 31)
        for index, roi in enumerate(rois):
            own = values[inside[..., index]]
            label = f"{roi} ({len(own)} voxels, median {np.median(own):.0f})"
            histogram(axes, own, edges, colours[roi], label)
            axes.axvline(np.median(own), color=colours[roi], ls="--", lw=1)
        axes.set(xlabel="tSNR", ylabel="voxels")
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.02, 0.5))
    return behind(figure, _voxels_of({subject: volumes[subject] for subject in subjects}, rois))


def _upper(values: np.ndarray, percentile: float = 99) -> float:
    """A percentile of the values above 0, or 1 where there are none (tSNR of centred BOLD)."""
    return float(np.percentile(values[values > 0], percentile)) if (values > 0).any() else 1.0


def plot_design(designs: dict[str, pd.DataFrame]) -> plt.Figure:
    """Design matrix of each subject's first run, columns scaled to the same range.

    Parameters
    ----------
    designs : {subject: columns time (seconds) and regressors; see `glm.run_betas`}
    """
    subjects = list(designs)[:MOST_SUBJECTS]
    columns = min(len(subjects), 2)
    rows = -(-len(subjects) // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(WIDTH, 3.4 * rows), squeeze=False)
    for axes in grid.flat[len(subjects) :]:
        axes.set_axis_off()
    for axes, subject in zip(grid.flat, subjects, strict=False):
        design = designs[subject].set_index("time")
        values = design.to_numpy() / np.maximum(np.abs(design.to_numpy()).max(axis=0), 1e-12)
        events = sum(name.startswith("event_") for name in design)
        axes.imshow(
            values,
            cmap="gray",
            vmin=-1,
            vmax=1,
            aspect="auto",
            interpolation="none",
            extent=(0, len(design.columns), design.index[-1], design.index[0]),
        )
        axes.axvline(events, color="tab:red", lw=1)
        axes.set(
            xlabel=f"{events} regressors of presentations\n| {len(design.columns) - events} others",
            ylabel="time (s)",
            title=f"sub-{subject}, first run",
        )
    shown = [designs[subject].assign(subject=subject) for subject in subjects]
    return behind(figure, pd.concat(shown, ignore_index=True))


def plot_beta_recovery(table: pd.DataFrame) -> plt.Figure:
    """Recovered against planted: betas, reliability and noise ceiling of every ROI and split.

    Parameters
    ----------
    table : see `beta_recovery.recovery_table` and `true_ceilings.add_true_ceilings`
    """
    table = table.assign(position=0.0)
    rois = ordered_rois(table["roi"])
    splits = sorted(set(table["split"]), key=lambda split: split != "test")
    labels = [f"{roi}\n{split}" for roi in rois for split in splits]
    places = {(roi, split): k for k, (roi, split) in enumerate((r, s) for r in rois for s in splits)}
    x = np.array([places[row.roi, row.split] for row in table.itertuples()], float)
    # subjects of one ROI and split side by side
    order = table.groupby(["roi", "split"]).cumcount().to_numpy()
    most = order.max() + 1
    x += (order - (most - 1) / 2) * 0.5 / most
    figure, panels = plt.subplots(3, 1, figsize=(WIDTH, 4.6), sharex=True)
    colours = PALETTE
    for axes, title, known, found in (
        (
            panels[0],
            "correlation with planted betas",
            ("r_mean", "mean over repeats"),
            ("r_trials", "trials"),
        ),
        (
            panels[1],
            "reliability of the mean",
            ("reliability_true", "true"),
            ("reliability", "from split halves"),
        ),
        (
            panels[2],
            "noise ceiling",
            ("ceiling_true", "true"),
            ("ceiling_attainable", "attainable"),
        ),
    ):
        axes.plot(x - 0.08, table[known[0]], "o", color=colours[0], ms=5, label=known[1])
        axes.plot(x + 0.08, table[found[0]], "s", color=colours[1], ms=5, label=found[1])
        axes.set(title=title, ylim=(min(0, axes.get_ylim()[0]), 1))
        axes.set_xticks(range(len(labels)), labels, fontsize=7)
    panels[2].plot(
        x + 0.08, table["ceiling_reliability"], "_", color=colours[2], ms=8, mew=2, label="reliability"
    )
    for axes in panels:
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
    figure.supylabel("median over voxels", fontsize=7)
    return behind(figure, table)
