"""Partial RSA: similarity of RDMs beyond confound RDMs, with errors by the delta method, and its test.

Partial correlations follow from the pairwise ones, and so do their errors. With y, x and z the transformed
RDMs (ranks, for Spearman) of the brain, the layer and the confounds,

    (r_xy - r_xz R_zz^-1 r_zy) / sqrt((1 - r_xz R_zz^-1 r_zx) (1 - r_yz R_zz^-1 r_zy))

References
----------
Freedman & Lane 1983, doi:10.1080/07350015.1983.10509354 (permutation of residuals); Winkler et al. 2014,
doi:10.1016/j.neuroimage.2014.01.060 (how it compares with other schemes)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cortexrsa.geometry.compare import normalise
from cortexrsa.geometry.rdm import Rows, n_stimuli
from cortexrsa.inference.against_zero import MOST_PERMUTED, of_units, p_and_null
from cortexrsa.inference.families import p_values
from cortexrsa.inference.permutation import permutation_null
from cortexrsa.inference.replication import OnePass


class Chained:
    """RDMs of several sources, one after the other, each read when it is asked for; see `geometry.rdm.Rows`.

    Parameters
    ----------
    parts : sources (k, pairs), and the rows that are taken of each
    """

    def __init__(self, *parts: tuple[Sequence, Sequence[int]]):
        self.places = [(source, row) for source, rows in parts for row in rows]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, k: int) -> np.ndarray:
        source, row = self.places[k]
        return source[row]


def with_confounds(rdms: Rows, confounds: np.ndarray) -> Rows:
    """RDMs, and behind them those of confounds (k, pairs of all stimuli), over the same stimuli."""
    return Rows(Chained((rdms.source, rdms.rows), (confounds, range(len(confounds)))), rdms.keep)


# ---- values ----------------------------------------------------------------------------------------------


def _parts(products: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """r_yx (..., r, l), r_yz (..., r, k), r_zx (..., k, l) and R_zz of correlations (..., r + k, l + k)."""
    return products[..., :-k, :-k], products[..., :-k, -k:], products[..., -k:, :-k], products[..., -k:, -k:]


def _solved(correlations: np.ndarray) -> tuple[np.ndarray, ...]:
    """What confounds explain, R_zz^-1 r_zy (k, r) and R_zz^-1 r_zx (k, l), and leave, (r,) and (l,)."""
    y_x, y_z, z_x, z_z = correlations
    # two that are the same (a mixture of one) count once
    inverse = np.linalg.pinv(z_z, rcond=1e-10, hermitian=True)
    of_y, of_x = inverse @ y_z.T, inverse @ z_x
    left_y, left_x = 1 - np.einsum("rk,kr->r", y_z, of_y), 1 - np.einsum("kl,kl->l", z_x, of_x)
    # what rounding leaves of an RDM that is one of the confounds is nothing
    left_y, left_x = (np.where(left > 1e-9, left, np.nan) for left in (left_y, left_x))
    return of_y, of_x, left_y, left_x


def partial_correlations(products: np.ndarray, k: int) -> np.ndarray:
    """Partial correlations (r, l) from all pairwise ones.

    Parameters
    ----------
    products : (r + k, l + k) correlations of r + k RDMs with l + k others; the last k are the same confounds
    k : their number

    Returns
    -------
    (r, l), NaN for an RDM that is a sum of confounds
    """
    y_x, y_z, z_x, z_z = _parts(products, k)
    of_y, of_x, left_y, left_x = _solved((y_x, y_z, z_x, z_z))
    return (y_x - y_z @ of_x) / np.sqrt(np.outer(left_y, left_x))


def partial_deviations(products: np.ndarray, deviations: np.ndarray, k: int) -> np.ndarray:
    """By how much partial correlations differ where all pairwise ones differ a little: the delta method.

    Parameters
    ----------
    products : see `partial_correlations`
    deviations : (replicates, r + k, l + k), of the pairwise correlations

    Returns
    -------
    (replicates, r, l)
    """
    parts = _parts(products, k)
    of_y, of_x, left_y, left_x = _solved(parts)
    scale = np.sqrt(np.outer(left_y, left_x))
    partial = (parts[0] - parts[1] @ of_x) / scale
    d_yx, d_yz, d_zx, d_zz = _parts(deviations, k)
    inner = of_y.T @ d_zz  # (replicates, r, k)
    numerator = d_yx - d_yz @ of_x - of_y.T @ d_zx + inner @ of_x
    d_left_y = -2 * np.einsum("brk,kr->br", d_yz, of_y) + np.einsum("brk,kr->br", inner, of_y)
    d_left_x = -2 * np.einsum("bkl,kl->bl", d_zx, of_x) + np.einsum("kl,bkl->bl", of_x, d_zz @ of_x)
    shrunk = d_left_y[:, :, None] / left_y[:, None] + d_left_x[:, None] / left_x
    return numerator / scale - partial / 2 * shrunk


class Partial:
    """`replication.OnePass` of partial correlations: the last `k` RDMs of either side are confounds."""

    def __init__(self, method: OnePass, k: int):
        self.method, self.k = method, k
        self.n, self.replicates = method.n, method.replicates

    def similarity(self, brain, models, comparison, threads=1):
        return self._partial(*self.method.similarity(brain, models, comparison, threads))

    def in_part(self, brain, models, keep, comparison, threads=1):
        return self._partial(*self.method.in_part(brain, models, keep, comparison, threads))

    def _partial(self, products, deviations):
        return partial_correlations(products, self.k), partial_deviations(products, deviations, self.k)


# ---- test ------------------------------------------------------------------------------------------------


def partial_p_and_null(
    brain: np.ndarray | Rows,
    models: np.ndarray | Rows,
    k: int,
    observed: np.ndarray,
    comparison: str,
    permutations: int,
    seed: int,
    threads: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """`against_zero.p_and_null` of partial correlations, by relabelling the residuals of the brain's RDMs.

    What the confounds explain of a brain RDM stays with its stimuli, the residual is relabelled, and the
    partial correlation is made anew of the sum (Freedman & Lane 1983): so brain and layer keep what they
    share with the confounds.

    Parameters
    ----------
    brain, models : the last `k` of either are the confounds
    observed : (units, rois, l) partial correlations; units are the subjects, and with several their mean last

    Returns
    -------
    p : (units, rois, l), one-sided
    null : (permutations, units, rois, l)
    """
    y, x = (normalise(np.stack(list(rdms)), comparison, threads) for rdms in (brain, models))
    _, sizes, basis = np.linalg.svd(x[-k:], full_matrices=False)
    basis = basis[sizes > 1e-5 * sizes[0]]
    y, x = ((part - (part @ basis.T) @ basis) for part in (y[:-k], x[:-k]))
    for part in (y, x):
        # an RDM that is a sum of confounds leaves rounding alone
        part[np.einsum("kp,kp->k", part, part) < 1e-9] = np.nan
    if n_stimuli(y.shape[1]) > MOST_PERMUTED:
        # of so many stimuli a relabelled residual has nothing of the confounds
        return p_and_null(y, x, observed, "cosine", permutations, seed, threads)
    null = permutation_null(y, np.concatenate([x, basis]), permutations, seed, "cosine", threads)
    explained = (null[..., len(x) :] ** 2).sum(axis=-1, keepdims=True)
    null = of_units(null[..., : len(x)] / np.sqrt(1 - explained), observed)
    return p_values(observed, null), null
