"""From resamples to standard errors, intervals and p-values."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from cortexrsa.inference.resampling import draw_counts

# a statistic that is undefined in a larger share of the resamples has no standard error
UNDEFINED = 0.05
GROUPS = 200


def left_out_counts(n: int, seed: int | list[int], groups: int = GROUPS) -> np.ndarray:
    """Counts that leave out one group of the stimuli each: (groups, n) int32 of 0 and 1.

    Up to `groups` stimuli every stimulus is a group of its own (the jackknife); beyond that the groups are
    random and as equal as can be (the grouped jackknife).
    """
    groups = min(n, groups)
    member = np.random.default_rng(seed).permutation(n) % groups if groups < n else np.arange(n)
    return (member != np.arange(groups)[:, None]).astype(np.int32)


def noise_shares(counts: np.ndarray) -> tuple[float, float]:
    """What a set of resamples makes of the two kinds of noise of a mean over pairs of stimuli.

    A mean over pairs of h_ij = a_i + a_j + e_ij has the sampling variance A + E, with A = 4 var(a) / n from
    single stimuli and E = 2 var(e) / (n (n - 1)) from single pairs (Hoeffding 1948). Its variance over
    resamples expects shares of both that follow from the counts alone: for the bootstrap nearly A + 3 E (a
    pair's noise is drawn twice over, with either stimulus), for the jackknife nearly A + 2 E.

    Parameters
    ----------
    counts : (draws, n)

    Returns
    -------
    shares of A and of E in the variance over `counts`
    """
    counts = counts.astype(np.float64)
    n = counts.shape[1]
    drawn, squares = counts.sum(axis=1), (counts**2).sum(axis=1)
    pairs = (drawn**2 - squares) / 2
    stimulus = (counts * (drawn[:, None] - counts) / pairs[:, None]) ** 2
    pair = (squares**2 - (counts**4).sum(axis=1)) / 2 / pairs**2
    return n / 4 * (stimulus.sum(axis=1).mean() - 4 / n), n * (n - 1) / 2 * pair.mean() - 1


def resampling_shares(counts: np.ndarray, left_out: np.ndarray) -> np.ndarray:
    """Shares of the noise of stimuli and of pairs: (2, 2), rows bootstrap and jackknife. See `noise_shares`.

    Parameters
    ----------
    counts : (draws, n) of the bootstrap
    left_out : (groups, n) of `left_out_counts`; the jackknife's variance is (groups - 1) times that over them
    """
    jackknife = np.array(noise_shares(left_out)) * (len(left_out) - 1)
    return np.stack([noise_shares(counts), jackknife])


@dataclass
class Resamples:
    """How often each stimulus counts in every resample that a data set's models, layers and ROIs share.

    Attributes
    ----------
    draws : (draws, n) of the bootstrap
    left_out : (groups, n) of `left_out_counts`
    """

    draws: np.ndarray
    left_out: np.ndarray

    @classmethod
    def of(cls, n: int, draws: int, seed: int, *stream: int) -> Resamples:
        """Those of n stimuli; the groups that are left out have a stream of random numbers of their own.

        Sets with another `stream` are independent of each other.
        """
        return cls(
            draw_counts(n, draws, [seed, *stream] if stream else seed), left_out_counts(n, [seed, *stream, 7])
        )

    @property
    def counts(self) -> np.ndarray:
        """The sample itself, then the draws, then the groups left out: (1 + draws + groups, n) int32."""
        return np.concatenate([np.ones_like(self.draws[:1]), self.draws, self.left_out])

    @property
    def shares(self) -> np.ndarray:
        return resampling_shares(self.draws, self.left_out)

    def parts(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A statistic in `counts`, parted: on the sample, in the draws, with groups of stimuli left out."""
        return values[0], values[1 : len(self.draws) + 1], values[len(self.draws) + 1 :]

    def resampled(self, values: np.ndarray) -> Resampled:
        """A statistic in `counts` with its errors over samples of stimuli."""
        estimate, draws, left_out = self.parts(values)
        n = self.draws.shape[1]
        return Resampled(estimate, draws, n, left_out=left_out, shares=self.shares)


@dataclass
class Resampled:
    """A statistic on the full sample and in the resamples that all models share.

    Attributes
    ----------
    estimate : array (...), on the full sample
    draws : (draws, ...), stimuli resampled
    n_stimuli, n_subjects : sizes of the sample
    left_out : (groups, ...), a group of stimuli left out; None for the errors of the plain bootstrap
    shares : (2, 2) of `resampling_shares`, with `left_out`
    subjects : (draws, ...), subjects resampled; this and the following are None with one subject
    both : (draws, ...), subjects and stimuli resampled
    subjects_left_out : (subjects, ...)
    one_subject, one_subject_left_out : (subjects, draws, ...) and (subjects, groups, ...), like `draws` and
        `left_out` with the stimuli of one subject resampled and all other subjects on the full sample
    """

    estimate: np.ndarray
    draws: np.ndarray
    n_stimuli: int
    n_subjects: int = 1
    left_out: np.ndarray | None = None
    shares: np.ndarray | None = None
    subjects: np.ndarray | None = None
    both: np.ndarray | None = None
    subjects_left_out: np.ndarray | None = None
    one_subject: np.ndarray | None = None
    one_subject_left_out: np.ndarray | None = None

    def apply(self, statistic: Callable, *others: Resampled) -> Resampled:
        """The statistic of this (and others), evaluated on the sample and in every resample alike.

        Parameters
        ----------
        statistic : function of as many arrays as there are arguments, that leaves leading axes alone
        others : resampled with the same draws
        """
        return self.map(lambda field: statistic(*(getattr(each, field) for each in (self, *others))))

    def map(self, of: Callable[[str], np.ndarray]) -> Resampled:
        """The result of a function of the name of each field that holds the statistic."""
        present = [field for field in FIELDS if getattr(self, field) is not None]
        return replace(self, **{field: np.asarray(of(field)) for field in present})


FIELDS = (
    *("estimate", "draws", "left_out", "subjects", "both", "subjects_left_out"),
    *("one_subject", "one_subject_left_out"),
)


def group_scores(
    scores: np.ndarray,
    draws: np.ndarray,
    n_stimuli: int,
    seed: int,
    left_out: np.ndarray | None = None,
    shares: np.ndarray | None = None,
    fixed: bool = False,
) -> Resampled:
    """Mean over subjects, with both factors resampled.

    Parameters
    ----------
    scores : (subjects, ...) scores on the full sample
    draws : (draws, subjects, ...) scores in resamples of the stimuli
    n_stimuli : number of stimuli
    seed : of the draws of subjects, shared by all models
    left_out : (groups, subjects, ...) scores without a group of stimuli; None for the plain bootstrap
    shares : see `resampling_shares`
    fixed : take the subjects as fixed, so that only stimuli are resampled

    Returns
    -------
    Resampled : estimate (...); with one subject only its stimuli are resampled.
    """
    n = len(scores)
    mean = scores.mean(axis=0)
    mean_left_out = None if left_out is None else left_out.mean(axis=1)
    one_factor = Resampled(mean, draws.mean(axis=1), n_stimuli, n, left_out=mean_left_out, shares=shares)
    if n == 1 or fixed:
        return one_factor
    # a stream of its own: the stimuli are drawn from `seed`
    weights = draw_counts(n, len(draws), [seed, 1]) / n
    two_factors = replace(
        one_factor,
        subjects=np.einsum("bs,s...->b...", weights, scores),
        both=np.einsum("bs,bs...->b...", weights, draws),
    )
    if left_out is None:
        return two_factors
    return replace(
        two_factors,
        subjects_left_out=(n * mean - scores) / (n - 1),
        one_subject=mean + np.moveaxis(draws - scores, 1, 0) / n,
        one_subject_left_out=mean + np.moveaxis(left_out - scores, 1, 0) / n,
    )


def sampling_variance(resampled: Resampled) -> tuple[np.ndarray, np.ndarray]:
    """Variance of the statistic over samples of stimuli (and subjects), and its degrees of freedom.

    Corrected for the noise of pairs (the default). Resampling stimuli counts the noise of single pairs of
    stimuli too often, the bootstrap about three times, the jackknife twice, and at weak signal most of the
    noise is of that kind. With the shares known (`noise_shares`) both are solved for the noise of stimuli and
    of pairs, and the variance is their sum: nearly 2 V_jackknife - V_bootstrap. It is no less than what the
    bootstrap's variance means if all noise is of pairs (a third of it).

    With several subjects, V = V_subjects + V_stimuli - I: either variance holds the interaction of subjects
    with stimuli, once each. V_subjects is the jackknife over subjects; I follows from how much more the
    scores of single subjects vary over resampled stimuli than their mean does. The degrees of freedom are
    those of Welch & Satterthwaite.

    Where no group of stimuli was left out: `bootstrap_variance`, with one less than the smaller sample as
    degrees of freedom.

    Returns
    -------
    variance, dof : arrays shaped like the estimate; NaN where the statistic is NaN in more than 5 % of the
        resamples.

    References
    ----------
    Efron & Stein 1981, doi:10.1214/aos/1176345462 (jackknife of U-statistics); Schütt et al. 2023,
    doi:10.7554/eLife.82566 (interaction of two factors); Satterthwaite 1946, doi:10.2307/3002019
    """
    if resampled.left_out is None:
        smaller = min(resampled.n_stimuli, resampled.n_subjects if resampled.subjects is not None else np.inf)
        return bootstrap_variance(resampled), np.full(np.shape(resampled.estimate), smaller - 1.0)
    (a_boot, e_boot), (a_jack, e_jack) = resampled.shares
    boot, jack = _variance(resampled.draws), _jackknife(resampled.left_out)
    # weights of the two variances whose shares of stimulus and pair noise are 1
    of_boot, of_jack = np.linalg.solve([[a_boot, a_jack], [e_boot, e_jack]], [1, 1])
    by_stimulus = np.maximum(of_boot * boot + of_jack * jack, boot / e_boot)
    stimulus_dof = len(resampled.left_out) - 1
    if resampled.subjects is None:
        return by_stimulus, np.full(by_stimulus.shape, float(stimulus_dof))
    n = resampled.n_subjects
    by_subject = _jackknife(resampled.subjects_left_out)
    single_boot = _variance(resampled.one_subject, axis=1).sum(axis=0) * n
    single_jack = _jackknife(resampled.one_subject_left_out, axis=1).sum(axis=0) * n
    interaction = (of_boot * (single_boot - boot) + of_jack * (single_jack - jack)) / (n - 1)
    # what stimuli add for all subjects alike: no less than nothing
    shared = by_stimulus - np.clip(interaction, 0, by_stimulus)
    variance = by_subject + shared
    with np.errstate(invalid="ignore", divide="ignore"):
        dof = variance**2 / (by_subject**2 / (n - 1) + shared**2 / stimulus_dof)
    return variance, np.where(variance > 0, dof, n - 1)  # a statistic that never varies has some too


def bootstrap_variance(resampled: Resampled) -> np.ndarray:
    """Variance over resamples, corrected for small samples.

    One factor: times n / (n - 1). Two factors: the variance of the doubly resampled statistic overestimates,
    and is corrected from the variances of either factor alone (Schütt et al. 2023, doi:10.7554/eLife.82566;
    small-sample form as in rsatoolbox 0.3). An interaction below zero counts as none; rsatoolbox there falls
    back to the uncorrected variance, which is too small for few subjects.
    """
    stimuli = resampled.n_stimuli / (resampled.n_stimuli - 1)
    by_stimulus = _variance(resampled.draws) * stimuli
    if resampled.subjects is None:
        return by_stimulus
    subjects = resampled.n_subjects / (resampled.n_subjects - 1)
    by_subject = _variance(resampled.subjects) * subjects
    by_both = _variance(resampled.both)
    interaction = subjects * stimuli * (by_both - by_subject / subjects - by_stimulus / stimuli)
    variance = np.maximum(by_subject + by_stimulus - interaction, np.maximum(by_subject, by_stimulus))
    return np.minimum(variance, by_subject + by_stimulus)


def _variance(draws: np.ndarray, axis: int = 0) -> np.ndarray:
    """Variance over resamples of those in which the statistic is defined, if that is most."""
    undefined = np.isnan(draws).mean(axis=axis)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of columns without any value
        return np.where(undefined > UNDEFINED, np.nan, np.nanvar(draws, axis=axis))


def _jackknife(left_out: np.ndarray, axis: int = 0) -> np.ndarray:
    """Jackknife variance (Tukey 1958)."""
    return (left_out.shape[axis] - 1) * _variance(left_out, axis)


def standard_error(resampled: Resampled) -> np.ndarray:
    """Square root of `sampling_variance`."""
    return np.sqrt(sampling_variance(resampled)[0])


def interval(resampled: Resampled, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standard error and confidence limits: estimate -+ t quantile x standard error.

    The bootstrap distribution of a rank correlation of RDMs is shifted against the estimate (resamples hold
    fewer distinct stimuli), so its percentiles are not used.

    Returns
    -------
    se, low, high : arrays shaped like the estimate
    """
    variance, dof = sampling_variance(resampled)
    se = np.sqrt(variance)
    half = stats.t.ppf(0.5 + confidence / 2, dof) * se
    return se, resampled.estimate - half, resampled.estimate + half


def interval_of_samples(
    parts: Sequence[Resampled], confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As `interval`, of a statistic of several independent samples of stimuli.

    Parameters
    ----------
    parts : the statistic with one of the samples resampled each, and all others as they are; variances add
        up, with the degrees of freedom of Welch & Satterthwaite
    """
    variances, dofs = map(np.array, zip(*map(sampling_variance, parts), strict=True))
    variance = variances.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        dof = variance**2 / (variances**2 / dofs).sum(axis=0)
    se = np.sqrt(variance)
    half = stats.t.ppf(0.5 + confidence / 2, np.where(variance > 0, dof, dofs.min(axis=0))) * se
    return se, parts[0].estimate - half, parts[0].estimate + half


def p_value(resampled: Resampled, null: float = 0.0) -> np.ndarray:
    """Two-sided p that the statistic equals `null`, from the t distribution of the interval."""
    variance, dof = sampling_variance(resampled)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.abs(resampled.estimate - null) / np.sqrt(variance)
    return 2 * stats.t.sf(t, dof)
