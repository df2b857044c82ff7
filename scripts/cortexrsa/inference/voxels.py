"""Voxels as a sample too, where ROIs are compared.

Two ROIs that hold the same code do so through other voxels, and other samples of these would score a little
differently. Whatever compares ROIs therefore has the jackknife over groups of voxels in its error, less the
interaction of voxels with stimuli, which the error over stimuli holds already (noise is such an interaction).
Several people who are drawn from a population have voxels of their own, so their spread holds this one.

References
----------
Efron & Stein 1981, doi:10.1214/aos/1176345462 (jackknife); Schütt et al. 2023, doi:10.7554/eLife.82566
(interaction of two factors)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import xarray

from cortexrsa.inference.errors import Replicated, Replicates, Voxels, over_subjects

# how unequal noise of ROIs is met (see `voxel_groups.brain_rdms_without`), and what claims say of it
NOISE = {
    "crossnobis": "",
    "matched": "",
    "ignored": "the ROIs' noise is not matched",
    "averages": "the ROIs' noise is not matched, since only averages exist, without repeats",
}


def over_voxels(part: xarray.Dataset, seed: int, which: str = "score") -> Replicated:
    """Mean scores of subjects who are taken as they are, by which ROIs are compared: voxels are a sample.

    Parameters
    ----------
    part : of `scores.score_network`, with what `scores_without.scores_without` adds to it
    seed : of `errors.over_subjects`
    which : score or heldout
    """
    whole, moved, around, crossed = (
        part[f"{which}_{kind}"].to_numpy().astype(float)
        for kind in ("contrast", "contrast_deviations", "voxels", "crossed")
    )
    groups, subjects, rois = around.shape[:3]
    replicates = Replicates.unpacked(part["voxel_replicates"].to_numpy())
    scores = over_subjects(whole, moved, replicates, seed, fixed=True)
    estimate = scores.estimate
    blocks = []
    for roi in range(rois):
        block = np.zeros((groups * subjects, *estimate.shape))
        block[:, roi] = around[:, :, roi].reshape(groups * subjects, -1) / subjects
        blocks.append(block)
    made = Voxels(
        tuple(len(block) for block in blocks),
        (groups - 1) / groups,
        subjects * (groups - 1.0),
        replicates,
    )
    rows = [scores.rows, *(estimate + block for block in blocks), estimate + crossed.sum(axis=1) / subjects]
    return replace(scores, rows=np.concatenate(rows), voxels=made)


def noise_said(part: xarray.Dataset) -> str:
    """What was done about unequal noise of the ROIs, in words."""
    codes = part["contrast_noise"].to_numpy()
    said = next((NOISE[name] for k, name in enumerate(NOISE) if (codes == k).any() and NOISE[name]), "")
    target = float(part["contrast_target"].mean())
    if said or not np.isfinite(target):
        return said
    reliability = part["contrast_reliability"].mean("subject").to_series()
    known = ", ".join(f"{roi} {value:.2f}" for roi, value in reliability.items())
    return f"with noise added to responses until the ROIs' reliabilities ({known}) are {target:.2f}"
