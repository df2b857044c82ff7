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

from cortexrsa.inference.errors import Replicated, Replicates, Voxels


def over_voxels(scores: Replicated, part: xarray.Dataset, which: str = "score") -> Replicated:
    """Mean scores of subjects who are taken as they are, with their voxels as a sample.

    Parameters
    ----------
    scores : of `study.group_scores`
    part : of `scores.score_network`, with what `scores_without.scores_without` adds to it
    which : score or heldout
    """
    around, crossed = (part[f"{which}_{kind}"].to_numpy() for kind in ("voxels", "crossed"))
    groups, subjects, rois = around.shape[:3]
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
        Replicates.unpacked(part["voxel_replicates"].to_numpy()),
    )
    rows = [scores.rows, *(estimate + block for block in blocks), estimate + crossed.sum(axis=1) / subjects]
    return replace(scores, rows=np.concatenate(rows), voxels=made)
