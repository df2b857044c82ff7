"""From replicates of a statistic to its standard error, interval and p.

A statistic is carried as its value on the sample and in every replicate: with stimuli resampled, with a group
of them left out, or moved by the influence of one stimulus or of a group of pairs. Whatever is made of
statistics is made of each replicate alike (`Replicated.apply`), and its variance is a sum of squares over the
replicates with weights that follow from how these were made (`Replicates`).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cortexrsa.inference.draws import Resamples, draw_counts, noise_shares
from cortexrsa.inference.tails import student_quantile, student_tail
from cortexrsa.streams import Stream, generator

# a statistic that is undefined in a larger share of the resamples has no standard error
UNDEFINED = 0.05
# from the joint distribution of scores, for a statistic that is not smooth in them
DRAWS = 4000
QUANTITIES = ("first", "second", "weight", "other_weight", "floor", "dof", "summable")


@dataclass(frozen=True)
class Replicates:
    """Two blocks of replicates of a sample of stimuli, and how they make a variance.

    variance = weights[0] S[0] + weights[1] S[1], and at least floor x S[0], with S the sums of squares about
    the mean of either block. Both blocks hold the noise of single stimuli (variance A) and of single pairs
    (E) in different shares, and the weights solve for A + E; the floor is what the first block's means if
    all noise is of pairs.

    Attributes
    ----------
    sizes : (2,) number of replicates in either block
    weights : (2,)
    floor : float
    dof : degrees of freedom
    summable : whether the first block's replicates differ so little from the sample that sums of them are
        replicates too
    """

    sizes: tuple[int, int]
    weights: tuple[float, float]
    floor: float
    dof: float
    summable: bool = False

    def packed(self) -> np.ndarray:
        """As numbers, in the order of `QUANTITIES`."""
        return np.array([*self.sizes, *self.weights, self.floor, self.dof, self.summable], float)

    @classmethod
    def unpacked(cls, values: np.ndarray) -> Replicates:
        """Those that were `packed`."""
        first, second, weight, other, floor, dof, summable = values
        return cls((int(first), int(second)), (weight, other), floor, dof, bool(summable))

    def variance(self, rows: np.ndarray, squares: Callable, floor: float | None = None) -> np.ndarray:
        """Of what these replicates are rows of.

        Parameters
        ----------
        rows : (first + second, ...)
        squares : sums of squares (or products) of some rows about their mean
        floor : in the place of its own
        """
        first, second = np.split(rows, [self.sizes[0]])
        ours = self.weights[0] * squares(first) + self.weights[1] * squares(second)
        floor = self.floor if floor is None else floor
        return np.maximum(ours, floor * squares(first)) if floor else ours

    @classmethod
    def of_influences(cls, n: int, groups: int) -> Replicates:
        """Score + 2 a_i / n for every stimulus, and score + (sum of e_ij) / pairs for every group of pairs.

        Variance 4 var(a) / n + var(e) / pairs, each without bias: a has part of the noise of pairs,
        var(e) / (n - 2).
        """
        pairs = n * (n - 1) / 2
        # the sum of squares of e has pairs - n degrees of freedom
        of_pairs = pairs**2 / (pairs - n)
        own = of_pairs / pairs - 4 * of_pairs / (n * (n - 2))
        return cls((groups, n), (own, n / (n - 1)), of_pairs / pairs, n - 1.0, summable=True)

    @classmethod
    def of_stimuli(cls, n: int) -> Replicates:
        """Score + influence / n for every stimulus, of a score without a part of pairs."""
        return cls((n, 0), (n / (n - 1), 0.0), n / (n - 1), n - 1.0, summable=True)

    @classmethod
    def of_resamples(cls, resamples: Resamples) -> Replicates:
        """Draws of the bootstrap, and groups left out: nearly 2 V_jackknife - V_bootstrap."""
        draws, groups = len(resamples.draws), len(resamples.left_out)
        bootstrap = np.array(noise_shares(resamples.draws))
        jackknife = np.array(noise_shares(resamples.left_out)) * (groups - 1)
        of_bootstrap, of_jackknife = np.linalg.solve(np.stack([bootstrap, jackknife], axis=1), [1, 1])
        weights = of_bootstrap / draws, of_jackknife * (groups - 1) / groups
        return cls((draws, groups), weights, 1 / (bootstrap[1] * draws), groups - 1.0)

    @classmethod
    def of_bootstrap(cls, n: int, draws: int) -> Replicates:
        """Draws of the bootstrap as they are: the noise of pairs counts about three times."""
        return cls((draws, 0), (n / (n - 1) / draws, 0.0), 0.0, n - 1.0)

    @classmethod
    def of_draws(cls, draws: int, dof: float) -> Replicates:
        """Draws from the distribution of the statistic itself: see `Replicated.drawn`."""
        return cls((draws, 0), (1 / draws, 0.0), 0.0, dof)


@dataclass(frozen=True)
class Voxels:
    """Rows in which groups of voxels are left out, and how they make a variance.

    The voxels of different ROIs are different samples: the variance over voxels is the sum over the blocks of
    weight x squares about their mean. It holds the interaction of voxels with stimuli (noise is one), which
    the variance over stimuli holds already: it is taken out, from rows that have nothing else.

    Attributes
    ----------
    blocks : number of rows of every ROI
    weight, dof : of each block
    crossed : how the rows of the interaction make its variance
    """

    blocks: tuple[int, ...]
    weight: float
    dof: float
    crossed: Replicates

    @property
    def size(self) -> int:
        """Number of all rows."""
        return sum(self.blocks) + sum(self.crossed.sizes)


@dataclass
class Estimate:
    """A statistic with its sampling variance: arrays alike, NaN where there is none."""

    value: np.ndarray
    variance: np.ndarray
    dof: np.ndarray

    @classmethod
    def of_samples(cls, parts: Sequence[Replicated]) -> Estimate:
        """A statistic of several independent samples of stimuli.

        Parameters
        ----------
        parts : the statistic with one of the samples replicated each, and all others as they are; variances
            add up, with the degrees of freedom of Welch & Satterthwaite
        """
        found = [part.evaluated() for part in parts]
        variances, dofs = np.array([each.variance for each in found]), np.array([each.dof for each in found])
        variance = variances.sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            dof = variance**2 / (variances**2 / dofs).sum(axis=0)
        return cls(found[0].value, variance, np.where(variance > 0, dof, dofs.min(axis=0)))

    def interval(self, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Standard error and confidence limits: value -+ t quantile x standard error.

        The bootstrap distribution of a rank correlation of RDMs is shifted against the estimate (resamples
        hold fewer distinct stimuli), so percentiles are not used.

        Returns
        -------
        se, low, high : arrays shaped like the value
        """
        se = np.sqrt(self.variance)
        half = student_quantile(0.5 + confidence / 2, self.dof) * se
        return se, self.value - half, self.value + half

    def p_value(self, null: float = 0.0) -> np.ndarray:
        """Two-sided p that the statistic equals `null`, from the t distribution of the interval."""
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.abs(self.value - null) / np.sqrt(self.variance)
        return 2 * student_tail(t, self.dof)

    def equivalence_p(self, bound: float) -> np.ndarray:
        """Two one-sided tests of `|value| < bound` (Schuirmann 1987): the larger p of the two."""
        with np.errstate(divide="ignore"):
            return student_tail((bound - np.abs(self.value)) / np.sqrt(self.variance), self.dof)


@dataclass
class Replicated:
    """A statistic on the sample and in the replicates that all models share.

    Attributes
    ----------
    estimate : array (...), on the sample
    rows : (rows, ...), in every replicate: both blocks of the stimuli; then, with several subjects, each of
        them left out, and both blocks again, of single subjects (bootstrap: subjects drawn, then both drawn)
    stimuli : of the first two blocks
    subjects : number of subjects drawn from a population; 1 if there is one, or they are fixed
    single : sizes of the two blocks of single subjects
    voxels : of the rows that follow, where voxels are a sample too, see `voxels.over_voxels`
    seeds : sizes of further blocks at the end, of networks that stand for several random seeds: one seed of
        the network left out in each row, see `seeds.over_seeds`
    """

    estimate: np.ndarray
    rows: np.ndarray
    stimuli: Replicates
    subjects: int = 1
    single: tuple[int, int] = (0, 0)
    voxels: Voxels | None = None
    seeds: tuple[int, ...] = ()

    def apply(self, statistic: Callable, *others: Replicated) -> Replicated:
        """The statistic of this (and others), evaluated on the sample and in every replicate alike.

        Parameters
        ----------
        statistic : function of as many arrays as there are arguments, that leaves leading axes alone
        others : with the same replicates
        """
        together = (self, *others)
        return replace(
            self,
            estimate=np.asarray(statistic(*(each.estimate for each in together))),
            rows=np.asarray(statistic(*(each.rows for each in together))),
        )

    def evaluated(self) -> Estimate:
        """The statistic with its variance over samples of stimuli (and of subjects).

        With several subjects, V = V_subjects + V_stimuli - I: either variance holds the interaction of
        subjects with stimuli, once each. V_subjects is the jackknife over subjects; I follows from how much
        more the scores of single subjects vary over stimuli than their mean does. What stimuli add for all
        subjects alike, V_stimuli - I, is no less than nothing. Degrees of freedom: Welch & Satterthwaite.
        With plain bootstrap draws: `_two_factor_bootstrap`. Voxels, where they are a sample too, add
        V_voxels - I with an interaction of theirs, no less than nothing. The seeds of networks are drawn
        independently of all that, and their variances are added.

        Returns
        -------
        Estimate, NaN where the statistic is NaN in more than 5 % of the replicates

        References
        ----------
        Efron & Stein 1981, doi:10.1214/aos/1176345462 (jackknife of U-statistics); Schütt et al. 2023,
        doi:10.7554/eLife.82566 (interaction of two factors); Satterthwaite 1946, doi:10.2307/3002019
        """
        return self._evaluated(self.estimate, _squares)

    def along(self, weights: np.ndarray) -> Estimate:
        """`evaluated`, of many linear combinations of a statistic of few values.

        Parameters
        ----------
        weights : (k, combinations), of a statistic of (k,)
        """
        if not np.isfinite(self.rows).all():
            return self.apply(lambda values: values @ weights).evaluated()
        return self._evaluated(
            self.estimate @ weights,
            lambda rows: np.maximum(np.einsum("km,km->m", weights, _products(rows) @ weights), 0),
        )

    def _evaluated(self, value: np.ndarray, squares: Callable) -> Estimate:
        if self.seeds:
            return self._over_seeds(value, squares)
        if self.voxels:
            return self._over_voxels(value, squares)
        if self.subjects > 1 and not self.stimuli.floor:
            return self._two_factor_bootstrap(value, squares)
        parts = self._parts(squares)
        by_stimulus = parts["stimuli"]
        if self.subjects == 1:
            return Estimate(value, by_stimulus, np.full(by_stimulus.shape, self.stimuli.dof))
        by_subject, n = parts["subjects"], self.subjects
        shared = by_stimulus - np.clip(parts["interaction"], 0, by_stimulus)
        variance = by_subject + shared
        with np.errstate(invalid="ignore", divide="ignore"):
            dof = variance**2 / (by_subject**2 / (n - 1) + shared**2 / self.stimuli.dof)
        # a statistic that never varies has degrees of freedom too
        return Estimate(value, variance, np.where(variance > 0, dof, n - 1))

    def _over_seeds(self, value: np.ndarray, squares: Callable) -> Estimate:
        """`evaluated`, with the jackknife over the seeds of each network that has several."""
        sample, blocks = self._apart()
        found = sample._evaluated(value, squares)
        variance, spread = found.variance, found.variance**2 / found.dof
        for block in blocks:
            own = (len(block) - 1) / len(block) * squares(block)
            variance, spread = variance + own, spread + own**2 / (len(block) - 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            dof = variance**2 / spread
        return Estimate(value, variance, np.where(variance > 0, dof, found.dof))

    def _over_voxels(self, value: np.ndarray, squares: Callable) -> Estimate:
        """`evaluated`, with the jackknife over each ROI's voxels, less their interaction with stimuli."""
        sample, blocks, crossed = self._without_voxels()
        found = sample._evaluated(value, squares)
        own = [self.voxels.weight * squares(block) for block in blocks]
        added = np.maximum(sum(own) - self.voxels.crossed.variance(crossed, squares), 0)
        variance = found.variance + added
        spread = found.variance**2 / found.dof + sum(each**2 for each in own) / self.voxels.dof
        with np.errstate(invalid="ignore", divide="ignore"):
            dof = np.where(added > 0, variance**2 / spread, found.dof)
        return Estimate(value, variance, dof)

    def _without_voxels(self) -> tuple[Replicated, list[np.ndarray], np.ndarray]:
        """This without the rows of voxels; these by ROI; and those of their interaction with stimuli."""
        rows, voxels = np.split(self.rows, [len(self.rows) - self.voxels.size])
        *blocks, crossed = np.split(voxels, np.cumsum(self.voxels.blocks))
        return replace(self, rows=rows, voxels=None), blocks, crossed

    def _apart(self) -> tuple[Replicated, list[np.ndarray]]:
        """This without the rows of seeds, and those rows by network."""
        rows, *blocks = np.split(self.rows, len(self.rows) - np.cumsum([0, *self.seeds[::-1]])[:0:-1])
        return replace(self, rows=rows, seeds=()), blocks

    def _parts(self, squares: Callable, floor: float | None = None) -> dict[str, np.ndarray]:
        """Variances over stimuli and subjects, and their interaction, by sums of squares over the rows."""
        whole = sum(self.stimuli.sizes)
        parts = {"stimuli": self.stimuli.variance(self.rows[:whole], squares, floor)}
        if self.subjects > 1:
            n = self.subjects
            ours = self.stimuli.variance(self.rows[:whole], squares, 0.0)
            parts["subjects"] = (n - 1) / n * squares(self.rows[whole : whole + n])
            first, second = np.split(self.rows[whole + n :], [self.single[0]])
            weight, other = self.stimuli.weights
            single = n * (weight * squares(first) + other * squares(second))
            parts["interaction"] = (single - ours) / (n - 1)
        return parts

    def _two_factor_bootstrap(self, value: np.ndarray, squares: Callable) -> Estimate:
        """Subjects and stimuli drawn together, corrected by the variances of either factor alone.

        Schütt et al. 2023, doi:10.7554/eLife.82566, in the small-sample form of rsatoolbox 0.3. An
        interaction below zero counts as none; rsatoolbox there falls back to the uncorrected variance, which
        is too small for few subjects.
        """
        draws = self.stimuli.sizes[0]
        by_stimulus, by_subject, by_both = (squares(block) / draws for block in np.split(self.rows, 3))
        stimuli, subjects = self.stimuli.weights[0] * draws, self.subjects / (self.subjects - 1)
        interaction = subjects * stimuli * (by_both - by_subject - by_stimulus)
        by_stimulus, by_subject = by_stimulus * stimuli, by_subject * subjects
        variance = np.maximum(by_subject + by_stimulus - interaction, np.maximum(by_subject, by_stimulus))
        variance = np.minimum(variance, by_subject + by_stimulus)
        return Estimate(value, variance, np.full(variance.shape, min(self.stimuli.dof, self.subjects - 1.0)))

    def drawn(self, seed: int, draws: int = DRAWS) -> Drawn:
        """Draws from the joint normal distribution of scores, for what is made of them and is not smooth.

        A linear form, and a replicate near the sample, see one side of a kink only (the positive part of a
        score, the largest of several); draws see as much of either side as another sample would.

        Parameters
        ----------
        seed : of the draws; all statistics of the same scores share them
        draws : their number

        Returns
        -------
        Drawn : `apply` the statistic, then `evaluated`, `along` and `covariance` as of any other. A score
            without an error has none here, and the others have theirs.
        """
        shape = self.estimate.shape
        flat = self.apply(lambda values: values.reshape(*values.shape[: values.ndim - len(shape)], -1))
        found = flat.evaluated()
        sound = np.isfinite(found.variance)
        kept = flat.apply(lambda values: values[..., sound])
        # all that varies; then each factor of which there are few, for degrees of freedom
        factors = [(0.0, kept.covariance()), *kept._few()]
        random = generator(seed, Stream.JOINT)
        rows = np.full((len(factors) * draws, len(sound)), np.nan)
        for block, (_, matrix) in zip(np.split(rows, len(factors)), factors, strict=True):
            normal = random.standard_normal((draws, len(sound)))[:, sound]
            block[:, sound] = kept.estimate + normal @ _root(matrix).T
        made = Replicates.of_draws(draws, self.stimuli.dof)
        few = tuple(dof for dof, _ in factors[1:])
        return Drawn(self.estimate, rows.reshape(-1, *shape), made, few=few, source=self)

    def _few(self) -> list[tuple[float, np.ndarray]]:
        """Degrees of freedom and covariance of each factor but stimuli: subjects, voxels, seeds."""
        sample, blocks = self._apart()
        found = [(len(block) - 1.0, (len(block) - 1) / len(block) * _products(block)) for block in blocks]
        if sample.voxels:
            made = sample.voxels
            sample, blocks, _ = sample._without_voxels()
            # of the ROIs that the statistic is of
            own = [made.weight * _products(block) for block in blocks if np.ptp(block, axis=0).any()]
            found += [(made.dof, matrix) for matrix in own]
        if self.subjects > 1:
            n = self.subjects
            plain = not self.stimuli.floor
            subjects = (
                n / (n - 1) * _products(np.split(sample.rows, 3)[1]) / self.stimuli.sizes[0]
                if plain
                else sample._parts(_products, floor=0.0)["subjects"]
            )
            found.append((n - 1.0, subjects))
        return found

    def covariance(self) -> np.ndarray:
        """Covariance (k, k) of a statistic of several values (k,), with the variances of `evaluated`.

        An estimate that has negative directions is projected on the nearest one without.
        """
        deviation = np.sqrt(self.evaluated().variance)
        sample, blocks = self._apart()
        over_voxels = 0.0
        if sample.voxels:
            made = sample.voxels
            sample, groups, crossed = sample._without_voxels()
            root = _root(
                made.weight * sum(map(_products, groups)) - made.crossed.variance(crossed, _products, 0.0)
            )
            over_voxels = root @ root.T
        if self.subjects > 1 and not self.stimuli.floor:
            both = np.split(sample.rows, 3)[2]
            matrix = _products(both) / len(both)
        else:
            parts = sample._parts(_products, floor=0.0)
            matrix = parts["stimuli"] + parts.get("subjects", 0) - parts.get("interaction", 0)
        matrix = matrix + over_voxels
        matrix = sum(((len(block) - 1) / len(block) * _products(block) for block in blocks), matrix)
        root = _root(matrix)
        matrix = root @ root.T
        scale = deviation / np.sqrt(np.maximum(np.diag(matrix), np.finfo(float).tiny))
        return matrix * np.outer(scale, scale)


@dataclass
class Drawn(Replicated):
    """A statistic in draws of the scores that it is made of, see `Replicated.drawn`.

    Its variance is the mean square about the estimate, which holds the bias of what is not smooth too; and no
    less than the replicates themselves give, whose variance has a lower bound for every combination.

    Attributes
    ----------
    rows : (draws, ...), and as many again for every factor of which there are few, in which it varies alone
    few : degrees of freedom of these factors (subjects, seeds of networks)
    source : the same statistic of the replicates that the draws are made by
    """

    few: tuple[float, ...] = ()
    source: Replicated | None = None

    def apply(self, statistic: Callable, *others: Drawn) -> Drawn:
        source = self.source.apply(statistic, *(other.source for other in others))
        return replace(super().apply(statistic, *others), source=source)

    def evaluated(self) -> Estimate:
        return _larger(super().evaluated(), self.source.evaluated())

    def along(self, weights: np.ndarray) -> Estimate:
        return _larger(super().along(weights), self.source.along(weights))

    @property
    def draws(self) -> np.ndarray:
        """Those in which everything varies."""
        return self.rows[: self.stimuli.sizes[0]]

    def _evaluated(self, value: np.ndarray, squares: Callable) -> Estimate:
        def spread(draws: np.ndarray) -> np.ndarray:
            # about the estimate, not their mean: with mirror images of them, whose mean it is
            return squares(np.concatenate([draws, 2 * self.estimate - draws])) / (2 * len(draws))

        variance, *parts = (spread(block) for block in np.split(self.rows, 1 + len(self.few)))
        rest, spreads = variance, 0.0
        for dof, part in zip(self.few, parts, strict=True):
            own = np.minimum(part, rest)
            rest, spreads = rest - own, spreads + own**2 / dof
        with np.errstate(invalid="ignore", divide="ignore"):
            dof = variance**2 / (spreads + rest**2 / self.stimuli.dof)
        return Estimate(value, variance, np.where(variance > 0, dof, self.stimuli.dof))

    def covariance(self) -> np.ndarray:
        return _products(self.draws) / len(self.draws)


def _larger(first: Estimate, second: Estimate) -> Estimate:
    """The one of two estimates whose variance is larger, with its degrees of freedom; NaN where one is."""
    variance = np.maximum(first.variance, second.variance)
    dof = np.where(first.variance >= second.variance, first.dof, second.dof)
    return Estimate(first.value, variance, dof)


def _squares(rows: np.ndarray) -> np.ndarray:
    """Sums of squares about the mean of those replicates in which the statistic is defined, if most are."""
    if not len(rows):
        return np.zeros(rows.shape[1:])
    found = rows.var(axis=0) * len(rows)
    if np.isfinite(found).all():
        return found
    undefined = np.isnan(rows).mean(axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of columns without any value
        return np.where(undefined > UNDEFINED, np.nan, np.nanvar(rows, axis=0) * len(rows))


def _products(rows: np.ndarray) -> np.ndarray:
    """Sums of products about the mean: (rows, k) -> (k, k)."""
    if not len(rows):
        return np.zeros((rows.shape[1], rows.shape[1]))
    deviations = np.nan_to_num(_centred(rows))
    return deviations.T @ deviations


def _centred(rows: np.ndarray) -> np.ndarray:
    """Replicates less their mean over those in which the statistic is defined."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of columns without any value
        return rows - np.nanmean(rows, axis=0)


def over_subjects(
    scores: np.ndarray, deviations: np.ndarray, stimuli: Replicates, seed: int, fixed: bool = False
) -> Replicated:
    """Mean over subjects, with both factors replicated.

    Parameters
    ----------
    scores : (subjects, ...)
    deviations : (replicates, subjects, ...), score in a replicate of the stimuli less that on the sample
    stimuli : how the replicates were made
    seed : of signs and draws of subjects, shared by all models
    fixed : take the subjects as fixed, so that only stimuli are replicated

    Returns
    -------
    Replicated : estimate (...); with one subject only its stimuli are replicated.
    """
    n, first = len(scores), stimuli.sizes[0]
    mean = scores.mean(axis=0)
    over_stimuli = mean + deviations.mean(axis=1)
    if n == 1 or fixed:
        return Replicated(mean, over_stimuli, stimuli)
    if not stimuli.floor:
        weights = draw_counts(n, first, generator(seed, Stream.SUBJECTS)) / n
        subjects = np.einsum("bs,s...->b...", weights, scores)
        both = subjects + np.einsum("bs,bs...->b...", weights, deviations)
        return Replicated(mean, np.concatenate([over_stimuli, subjects, both]), stimuli, n)
    # about each subject's own mean over the replicates
    pairs, others = (
        np.moveaxis(_centred(block), 1, 0) / n for block in (deviations[:first], deviations[first:])
    )
    if stimuli.summable:
        # sums with random signs have the same squares in expectation, and are as few as those of one subject
        signs = generator(seed, Stream.SIGNS).choice([-1.0, 1.0], size=(first, n))
        pairs = np.einsum("bs,sb...->b...", signs, pairs)[None]
    blocks = [block.reshape(-1, *mean.shape) for block in (pairs, others)]
    rows = [over_stimuli, (n * mean - scores) / (n - 1), *(mean + block for block in blocks)]
    return Replicated(mean, np.concatenate(rows), stimuli, n, tuple(len(block) for block in blocks))


def _root(matrix: np.ndarray) -> np.ndarray:
    """R with R R' nearest to a symmetric matrix (k, k), without its negative directions."""
    if not np.isfinite(matrix).all():
        return np.full(matrix.shape, np.nan)
    values, vectors = np.linalg.eigh(matrix)
    return vectors * np.sqrt(np.maximum(values, 0))
