"""Measures of how alike two Gram matrices are: CKA, normalised Bures similarity, the Procrustes angle.

A Gram matrix K of patterns whose features are centred over the stimuli follows from their squared distances D
by double centring, K = -H D H / 2. All measures are invariant to rotations and to the scale of either side.

References
----------
Kornblith et al. 2019, arXiv:1905.00414 (CKA); Song et al. 2012, JMLR 13:1393 (unbiased HSIC); Tang et al.
2020, arXiv:2003.11803 (normalised Bures similarity); Williams et al. 2021, arXiv:2110.14739 (Procrustes)
"""

from __future__ import annotations

import numpy as np

from cortexrsa.geometry.compare import row_sums, usable
from cortexrsa.geometry.rdm import Rows, n_stimuli, squareform
from cortexrsa.geometry.spectral import with_influence
from cortexrsa.geometry.threads import in_threads

# directions of a Gram matrix with less of its largest variance are rounding
NOTHING = 1e-10


def gram_of(distances: np.ndarray) -> np.ndarray:
    """Gram matrix (n, n) of patterns, features centred over the stimuli, of squared distances (pairs,)."""
    square = squareform(distances)
    means = square.mean(axis=0)
    return (means[:, None] + means - square - means.mean()) / 2


def u_centred(distances: np.ndarray) -> np.ndarray:
    """RDM (pairs,) without the effects of its stimuli: inner products of two are unbiased HSIC, up to scale.

    The rows of the square matrix sum to 0, its diagonal left out (Székely & Rizzo 2014,
    doi:10.1214/14-AOS1255).
    """
    n, sums = n_stimuli(len(distances)), row_sums(distances)
    effects = sums / (n - 2) - sums.sum() / (2 * (n - 1) * (n - 2))
    out, start = np.empty(len(distances)), 0
    for i in range(n - 1):
        stop = start + n - 1 - i
        out[start:stop] = distances[start:stop] - effects[i] - effects[i + 1 :]
        start = stop
    return out


class UCentred(Rows):
    """RDMs, `u_centred` over the stimuli that they are of: their cosine is debiased CKA."""

    def __getitem__(self, k: int) -> np.ndarray:
        return u_centred(super().__getitem__(k))


def participation_ratio(gram: np.ndarray) -> float:
    """Effective dimensionality (sum of eigenvalues)^2 / sum of their squares of a Gram matrix (n, n).

    References
    ----------
    Gao et al. 2017, doi:10.1101/214262
    """
    squares = float((gram**2).sum())
    return float(np.trace(gram)) ** 2 / squares if squares > 0 else np.nan


def _kernel_alignment(first: np.ndarray, second: np.ndarray) -> tuple[float, np.ndarray]:
    """Linear CKA, and its influence function at every stimulus (n,)."""
    score, relative = 1.0, 0.0
    for one, other, power in ((first, second, 1.0), (first, first, -0.5), (second, second, -0.5)):
        by_stimulus = (one * other).mean(axis=1)
        value = by_stimulus.mean()
        score *= value**power
        relative = relative + power * 2 * (by_stimulus / value - 1)
    return float(score), score * relative


class _Factor:
    """A Gram matrix K as B B', with B (n, rank)."""

    def __init__(self, gram: np.ndarray):
        values, vectors = np.linalg.eigh(gram)
        kept = values > NOTHING * values[-1]
        self.root, self.trace = vectors[:, kept] * np.sqrt(values[kept]), values[kept].sum()


def _bures(factor: _Factor, gram: np.ndarray) -> tuple[float, np.ndarray]:
    """Normalised Bures similarity, the nuclear norm of X'Y over the roots of both variances; its influence.

    With X'Y = U S V', a stimulus has x_i' U V' y_i of the nuclear norm: U V' is its derivative.
    """
    product = gram @ factor.root
    squares, vectors = np.linalg.eigh(factor.root.T @ product)
    kept = squares > NOTHING * squares[-1]
    vectors, sizes = vectors[:, kept], np.sqrt(squares[kept])
    own = np.einsum("ik,ik->i", product @ vectors / sizes, factor.root @ vectors)
    total, variance = sizes.sum(), np.trace(gram)
    score = total / np.sqrt(variance * factor.trace)
    traces = np.diag(gram) / variance, (factor.root**2).sum(axis=1) / factor.trace
    n = len(gram)
    relative = n * (own / total - traces[0] / 2 - traces[1] / 2)
    return float(score), score * relative


def angle_similarity(cosine: np.ndarray) -> np.ndarray:
    """1 less the angle of a cosine over 90 degrees: 1 for the same shape, 0 for orthogonal ones."""
    return 1 - 2 / np.pi * np.arccos(np.clip(cosine, -1, 1))


def similarities(
    brain: np.ndarray | Rows, models: np.ndarray | Rows, measure: str, threads: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Similarities of the Gram matrices of brain and models, with their influence functions.

    Parameters
    ----------
    brain : (r, pairs) squared distances
    models : (l, pairs) likewise
    measure : cka, nbs, procrustes or spectral
    threads : over the models; the result does not depend on it

    Returns
    -------
    scores : (r, l); NaN for patterns that do not vary over the stimuli
    influence : (n, r, l): more of stimulus i by a share s of the sample moves the score by about s times it
    """
    n = n_stimuli(brain.shape[1])
    scores = np.full((len(brain), len(models)), np.nan)
    influence = np.full((n, *scores.shape), np.nan)
    rows = [row for row in range(len(brain)) if usable(brain[row])]
    regions = [brain[row] for row in rows]
    sides = [(row, gram_of(region)) for row, region in zip(rows, regions, strict=True)]
    if measure in ("nbs", "procrustes"):
        sides = [(row, _Factor(gram)) for row, gram in sides]
    of_pair = _kernel_alignment if measure == "cka" else _bures

    def against(column: int) -> None:
        distances = models[column]
        if not usable(distances):
            return
        if measure == "spectral" and rows:
            scores[rows, column], influence[:, rows, column] = with_influence(distances, regions, gram_of)
            return
        gram = gram_of(distances)
        for row, side in sides:
            scores[row, column], influence[:, row, column] = of_pair(side, gram)

    in_threads(against, range(len(models)), threads)
    if measure == "procrustes":
        with np.errstate(divide="ignore", invalid="ignore"):
            # the derivative of the angle, none at a cosine of 1
            slope = np.where(scores < 1, 2 / np.pi / np.sqrt(1 - np.minimum(scores, 1) ** 2), 0.0)
        scores, influence = angle_similarity(scores), influence * slope
    return scores, influence
