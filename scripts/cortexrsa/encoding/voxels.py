"""Errors over voxels: a region's voxels as a sample of those that it might have had."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cortexrsa.streams import Stream, generator

GROUPS = 50


@dataclass(frozen=True)
class VoxelGroups:
    """Random groups of the voxels of one region, each of which is left out in turn.

    Attributes
    ----------
    member : (v,) group of every voxel, from 0
    number : of groups: 50, or the voxels if they are fewer
    """

    member: np.ndarray
    number: int

    @classmethod
    def of(cls, voxels: int, seed: int, region: int) -> VoxelGroups:
        """Groups as equal as can be, the same for all networks.

        Parameters
        ----------
        voxels : number of them
        seed, region : of the draw
        """
        number = min(GROUPS, voxels)
        random = generator(seed, Stream.VOXEL_GROUPS, region)
        return cls(random.permutation(np.arange(voxels) % number), number)

    def left_out(self, values: np.ndarray) -> np.ndarray:
        """Sums of (..., v) over the voxels without each group: (number, ...)."""
        total = values.sum(axis=-1)
        of_group = [values[..., self.member == group].sum(axis=-1) for group in range(self.number)]
        return total - np.array(of_group)

    def deviations(self, left_out: np.ndarray, whole: float, shrunk: float) -> np.ndarray:
        """Jackknife of a statistic: (number,), whose sum of squares is its variance over voxels.

        Parameters
        ----------
        left_out : (number,) the statistic without each group
        whole : the statistic
        shrunk : of `without_stimuli`
        """
        spread = (left_out - left_out.mean()) * np.sqrt((self.number - 1) / self.number)
        return shrunk * spread if np.isfinite(whole) else np.full(self.number, np.nan)


def without_stimuli(r: np.ndarray, influences: np.ndarray) -> float:
    """Share of the spread of r over voxels that is of voxels, and not of single stimuli in single voxels.

    The variance over voxels holds the interaction of voxels with stimuli (the noise of responses is a part
    of it), which the variance over stimuli holds too: it counts once. The rest is at least 0.

    Parameters
    ----------
    r : (v,)
    influences : (m, v) of every stimulus on each r, whose sums of squares over stimuli are its variances

    References
    ----------
    Efron & Stein 1981, doi:10.1214/aos/1176345462
    """
    v = len(r)
    if v < 2 or not np.isfinite(r).all():
        return np.nan
    own = influences - influences.mean(axis=1, keepdims=True)
    of_voxels, interaction = r.var(ddof=1), (own**2).sum() / (v - 1)
    return float(np.sqrt(max(0.0, 1 - interaction / of_voxels))) if of_voxels > 0 else 0.0
