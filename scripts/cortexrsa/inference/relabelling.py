"""Tests against zero without permutations: moments of the similarity under random relabelling of stimuli.

Over all relabellings, the similarity of an RDM with another has a mean, a variance and a third moment
in closed form (Mantel 1967), so p follows from the Pearson type III distribution that has them (Mielke 1979):
low-dimensional RDMs are skewed, and a normal distribution rejects too often. An RDM is the sum of a mean,
effects of single stimuli, and a rest; relabelling mixes none of these with another: covariances follow from
the inner products of the effects, and of the rests, of which sums over groups of pairs are kept. The maximum
over layers and networks is simulated with them.

References
----------
Mantel 1967, Cancer Res 27, 209; Mielke 1979, Biometrics 35, 277 (third moment, type III); Siemiatycki 1978,
doi:10.1111/j.1538-4632.1978.tb00655.x
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import special

from cortexrsa.geometry.compare import row_sums
from cortexrsa.geometry.rdm import n_stimuli, squareform
from cortexrsa.geometry.threads import in_threads
from cortexrsa.inference.pair_groups import PairGroups, sums_over_groups
from cortexrsa.streams import Stream, generator

# random directions for the trace of a cube, and stimuli up to which it is computed as it is
PROBES, DENSE = 60, 2000
# how many ordered triples of oriented pairs make a graph of three edges, by labelled graph, and how many
# stimuli the graph holds: a threefold pair; a twofold pair and one that shares a stimulus with it, or none; a
# triangle; a star; a path; a path of two and a pair apart; three pairs apart
TRIPLES = np.array([4, 24, 6, 8, 8, 24, 12, 1])
STIMULI = np.array([2, 3, 4, 3, 4, 4, 5, 6])


@dataclass
class Parts:
    """What relabelling needs of some RDMs, transformed so that their inner products are similarities.

    Attributes
    ----------
    mean : (k,) sum over pairs, over their root number
    effects : (n, k) of single stimuli, with sum 0
    rest : (k,) sum of squares of what is left
    sketch : (groups, k), its signed sums over groups of pairs, scaled to this sum of squares
    triples : (k, 8), sums of products over the graphs of three edges
    """

    mean: np.ndarray
    effects: np.ndarray
    rest: np.ndarray
    sketch: np.ndarray
    triples: np.ndarray

    @classmethod
    def of(cls, vectors: Iterable[np.ndarray], groups: PairGroups, threads: int = 1) -> Parts:
        """Those of transformed RDMs (pairs,), which need not be there at once; NaN for one with a NaN."""
        found = in_threads(lambda vector: _part(vector, groups), vectors, threads)
        mean, effects, rest, sketch, triples = zip(*found, strict=True)
        return cls(
            np.array(mean), np.stack(effects, 1), np.array(rest), np.stack(sketch, 1), np.stack(triples)
        )


def _part(vector: np.ndarray, groups: PairGroups) -> tuple:
    pairs = len(vector)
    n = n_stimuli(pairs)
    if not np.isfinite(vector).all():
        return np.nan, np.full(n, np.nan), np.nan, np.full(groups.size, np.nan), np.full(8, np.nan)
    centred = vector - vector.mean()
    effects = row_sums(centred) / (n - 2)
    rest = max(float(centred @ centred - (n - 2) * (effects @ effects)), 0.0)
    sketch = groups.without(effects[:, None], sums_over_groups(centred, groups)[:, None])[:, 0]
    size = np.sqrt(sketch @ sketch)
    sketch *= np.sqrt(rest) / size if size > 0 else 0
    return vector.sum() / np.sqrt(pairs), effects, rest, sketch, triple_sums(centred)


def triple_sums(centred: np.ndarray) -> np.ndarray:
    """Sums over labelled graphs of three edges of the products of their pairs, (8,), of an RDM with sum 0."""
    square = squareform(centred)
    n, rows = len(square), square.sum(axis=1)
    squares = np.einsum("ij,ij->i", square, square)
    cubes = 2 * (centred**3).sum()
    mixed, third, path = squares @ rows, (rows**3).sum(), rows @ square @ rows
    triangle = cube_trace(square) if n > DENSE else np.einsum("ij,ji->", square @ square, square)
    found = np.array(
        [
            cubes,
            mixed - cubes,
            -4 * mixed + 2 * cubes,
            triangle,
            third - 3 * mixed + 2 * cubes,
            path - 2 * mixed + cubes - triangle,
            -2 * (third - mixed + 2 * (path - mixed)) + 2 * (2 * (mixed - cubes) + triangle),
            0,
        ]
    )
    # all triples together have the sum 0
    found[-1] = -(TRIPLES[:-1] @ found[:-1])
    return found


def cube_trace(square: np.ndarray) -> float:
    """Trace of the cube of a symmetric matrix (n, n), from few products with it.

    The part in the directions of the largest eigenvalues, and that of random directions beyond (Hutch++,
    Meyer et al. 2021, doi:10.1137/1.9781611976496.16).
    """
    random = np.random.default_rng(0)
    n = len(square)
    basis, _ = np.linalg.qr(square @ (square @ random.standard_normal((n, PROBES))))
    inside = square @ basis
    probes = random.choice([-1.0, 1.0], size=(n, PROBES))
    probes -= basis @ (basis.T @ probes)
    outside = square @ probes
    return float(
        np.einsum("ik,ik->", inside, square @ inside)
        + np.einsum("ik,ik->", outside, square @ outside) / PROBES
    )


@dataclass
class Relabelled:
    """Similarities of RDMs under random relabelling: mean, standard deviation and skewness, each (r, l)."""

    mean: np.ndarray
    deviation: np.ndarray
    skewness: np.ndarray

    def p_values(self, observed: np.ndarray) -> np.ndarray:
        """One-sided: how often a similarity at least as large as the observed (r, l) comes by chance."""
        # imported here: a second that small data sets do not need
        from scipy.stats import pearson3

        z = (observed - self.mean) / self.deviation
        return np.where(np.isnan(observed), np.nan, pearson3.sf(z, self.skewness))


def relabelled(brain: Parts, models: Parts) -> Relabelled:
    """Moments of the similarity of brain (r) and model RDMs (l) under random relabelling."""
    n = len(brain.effects)
    pairs = n * (n - 1) / 2
    single, both = (_squares(part.effects) for part in (brain, models))
    variance = (n - 2) ** 2 / (n - 1) * np.outer(single, both) + np.outer(brain.rest, models.rest) / (
        pairs - n
    )
    # of sums over oriented pairs, twice those over pairs: a third moment 8 times as large
    configurations = np.array([np.prod(n - np.arange(k), dtype=float) for k in STIMULI])
    third = (brain.triples * (TRIPLES / configurations)) @ models.triples.T / 8
    with np.errstate(invalid="ignore", divide="ignore"):
        return Relabelled(np.outer(brain.mean, models.mean), np.sqrt(variance), third / variance**1.5)


def _squares(effects: np.ndarray) -> np.ndarray:
    return np.einsum("nk,nk->k", effects, effects)


def null_draws(brain: Parts, models: Parts, draws: int, seed: int) -> np.ndarray:
    """Similarities as under random relabelling, with their covariances over models: (draws, r, l).

    Normal with the closed-form covariance, then each brought to its own type III distribution. Calls with
    the same seed and brain RDMs are draws of the same relabellings, so maxima over the models of several
    calls may be taken.
    """
    from scipy.stats import pearson3

    n, groups = len(models.effects), len(models.sketch)
    pairs = n * (n - 1) / 2
    random = generator(seed, Stream.NULL)
    moments = relabelled(brain, models)
    out = np.empty((draws, *moments.mean.shape))
    for row in range(len(moments.mean)):
        # each brain RDM with draws of its own: families are within one
        of_single = random.standard_normal((draws, n)) @ models.effects
        of_rest = random.standard_normal((draws, groups)) @ models.sketch
        single = (n - 2) / np.sqrt(n - 1) * np.sqrt(_squares(brain.effects[:, row : row + 1]))
        normal = single * of_single + np.sqrt(brain.rest[row] / (pairs - n)) * of_rest
        z = normal / moments.deviation[row]
        skewed = pearson3.ppf(special.ndtr(z), moments.skewness[row])
        out[:, row] = moments.mean[row] + moments.deviation[row] * skewed
    return out
