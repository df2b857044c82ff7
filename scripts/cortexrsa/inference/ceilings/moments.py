"""Noise ceilings where only averages over repeats are known, from the moments of two splits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cortexrsa.brain.reliability import signal_and_noise
from cortexrsa.geometry.compare import compare
from cortexrsa.geometry.rdm import rdm
from cortexrsa.inference.ceilings.bounds import Ceiling
from cortexrsa.inference.draws import Resamples
from cortexrsa.inference.errors import Estimate, Replicated, Replicates
from cortexrsa.inference.names import PRIMARY
from cortexrsa.inference.settings import Settings
from cortexrsa.streams import Stream, generator

# Monte Carlo patterns in all, so that few stimuli are simulated more often
SIMULATED = 2400


@dataclass
class Moments:
    """What the averages of two splits tell of signal S and noise N (covariances over voxels).

    Attributes
    ----------
    signal, noise : traces of S and N (N of one presentation)
    signal_squared, noise_squared, signal_noise : traces of S S, N N and S N
    total_squared : trace of (S + N / k)² in the split that is bounded
    energies : (n,) squared length of the signal's pattern of each stimulus of that split
    mean_energy : squared length of the mean pattern
    """

    signal: float
    noise: float
    signal_squared: float
    noise_squared: float
    signal_noise: float
    total_squared: float
    energies: np.ndarray
    mean_energy: float

    @property
    def reliability(self) -> float:
        """Share of signal in the variance of the Gram matrix's elements (the inner products of patterns)."""
        return self.signal_squared / self.total_squared


def moment_ceiling(
    patterns: dict[str, np.ndarray],
    repeats: dict[str, float],
    split: str,
    dissimilarity: str,
    comparison: str,
    settings: Settings,
) -> Ceiling | None:
    """Ceiling from averages over different numbers of repeats in two splits.

    Averages over k repeats have covariance S + N / k over stimuli, so two splits give the moments of signal S
    and noise N, of first order (the variances of `signal_and_noise`) and of second order, which say how many
    dimensions either has and so how far noise disturbs an RDM. RDMs of signal patterns, and of two noisy
    measurements of them, are then simulated with these moments: the reliability is the similarity of the two
    measurements, attainable that of the noiseless RDM with one. The interval is that of the signal's share in
    the variance of inner products over samples of the stimuli of both splits, on the scale of the bound.

    Parameters
    ----------
    patterns : per split (train, test) averages (n, voxels)
    repeats : per split presentations in an average, of different number
    split : whose RDM is bounded
    dissimilarity, comparison : of `geometry.registry`, the former one that needs no more than patterns
    settings : bootstrap resamples of the stimuli of either split, seed, confidence

    Returns
    -------
    Ceiling; without signal the reliability is the (negative) share, and attainable is 0. None where
    averages over more repeats vary no less: the noise cannot be told then.
    """
    prepared = {name: _prepared(values, dissimilarity) for name, values in patterns.items()}
    grams = {name: values @ values.T for name, (values, _) in prepared.items()}
    cross = (prepared["train"][0] @ prepared["test"][0].T) ** 2
    traces = {name: np.trace(gram) / (len(gram) - 1) for name, gram in grams.items()}
    squares = {name: _off_diagonal_variance(gram, None)[0] for name, gram in grams.items()}
    found = _moments(traces, squares, cross.mean(), repeats, split, np.diag(grams[split]), prepared)
    if found.noise <= 0:
        return None
    share = found.reliability
    if share > 0 and found.signal > 0:
        reliability, attainable = _simulated_bounds(
            found, repeats[split], dissimilarity, comparison, settings.seed
        )
    else:
        reliability, attainable = min(share, 0.0), 0.0
    parts = _resampled_shares(_resamples(patterns, settings), grams, squares, cross, repeats, split)
    roots = [part.apply(lambda shares: np.sqrt(np.maximum(shares, 0))) for part in parts]
    _, low_share, _ = Estimate.of_samples(parts).interval(settings.confidence)
    _, *of_root = Estimate.of_samples(roots).interval(settings.confidence)
    # the interval of the share, on the scale of the bound; as it is where there is no signal to simulate
    slope = (reliability / share, attainable / np.sqrt(share)) if attainable > 0 else (1.0, 1.0)
    low, high = (attainable + slope[1] * (limit - np.sqrt(max(share, 0))) for limit in of_root)
    return Ceiling(
        reliability=float(reliability),
        reliability_ci_low=float(reliability - slope[0] * (share - low_share)),
        attainable=float(attainable),
        attainable_ci_low=float(low),
        attainable_ci_high=float(min(1, high)),
    )


def _resampled_shares(
    resamples: dict[str, Resamples],
    grams: dict[str, np.ndarray],
    squares: dict[str, float],
    cross: np.ndarray,
    repeats: dict[str, float],
    split: str,
) -> list[Replicated]:
    """Share of signal in resamples of the stimuli of one split, with the other as it is: train, and test."""
    parts = []
    for resampled, others in (("train", "test"), ("test", "train")):
        counts = resamples[resampled].counts
        drawn = {resampled: _off_diagonal_variance(grams[resampled], counts), others: squares[others]}
        by_stimulus = cross.mean(axis=1 if resampled == "train" else 0)
        products = counts @ by_stimulus / counts.sum(axis=1)
        shares = _signal_squared(drawn, products, repeats) / drawn[split]
        made = Replicates.of_resamples(resamples[resampled])
        parts.append(Replicated(shares[0], shares[1:], made))
    return parts


def _resamples(patterns: dict[str, np.ndarray], settings: Settings) -> dict[str, Resamples]:
    """Resamples of the stimuli of each split, independent of those of the other."""
    found = {}
    for name, values in patterns.items():
        streams = () if name == PRIMARY else (Stream.OTHER_SPLIT,)
        found[name] = Resamples.of(len(values), settings.bootstrap, settings.seed, *streams)
    return found


def _prepared(values: np.ndarray, dissimilarity: str) -> tuple[np.ndarray, np.ndarray]:
    """Patterns less their mean pattern, and the mean; for correlation without the mean over voxels."""
    values = np.asarray(values, np.float64)
    if dissimilarity == "correlation":
        values = values - values.mean(axis=1, keepdims=True)
    mean = values.mean(axis=0)
    return values - mean, mean


def _off_diagonal_variance(gram: np.ndarray, counts: np.ndarray | None) -> np.ndarray:
    """Variance of the inner products of different stimuli, in every resample: estimates the trace of Σ².

    The mean is removed because centring the patterns makes it -trace / (n - 1).
    """
    counts = np.ones((1, len(gram))) if counts is None else counts.astype(np.float64)
    off = gram - np.diag(np.diag(gram))
    pairs = counts.sum(axis=1) ** 2 - (counts**2).sum(axis=1)
    mean = np.einsum("bi,bi->b", counts @ off, counts) / pairs
    return np.einsum("bi,bi->b", counts @ off**2, counts) / pairs - mean**2


def _signal_squared(squares: dict, cross, repeats: dict[str, float]):
    """Trace of S S from those of Σ_train², Σ_test² and Σ_train Σ_test."""
    few, many = repeats["train"], repeats["test"]
    total = many**2 * squares["test"] - 2 * few * many * cross + few**2 * squares["train"]
    return total / (many - few) ** 2


def _moments(traces, squares, cross, repeats, split, diagonal, prepared) -> Moments:
    few, many = repeats["train"], repeats["test"]
    signal, noise = signal_and_noise(traces["train"], traces["test"], few, many)
    scale = few * many / (many - few)
    noise_squared = scale**2 * (squares["train"] - 2 * cross + squares["test"])
    signal_noise = (
        scale / (many - few) * (many * (cross - squares["test"]) + few * (cross - squares["train"]))
    )
    energies = diagonal - noise / repeats[split]
    # noise makes the energies differ too: (2 tr N² / k + 4 tr S N) / k
    spurious = (2 * noise_squared / repeats[split] + 4 * signal_noise) / repeats[split]
    spread = energies.var()
    kept = np.sqrt(max(0.0, 1 - max(spurious, 0) / spread)) if spread > 0 else 0.0
    energies = np.maximum(energies.mean() + kept * (energies - energies.mean()), 0)
    return Moments(
        signal,
        noise,
        _signal_squared(squares, cross, repeats),
        noise_squared,
        signal_noise,
        squares[split],
        energies,
        float(prepared["train"][1] @ prepared["train"][1]),
    )


def _simulated_bounds(
    moments: Moments, repeats: float, dissimilarity: str, comparison: str, seed: int
) -> tuple[float, float]:
    """Similarity of two measured RDMs, and of one with the noiseless RDM, in patterns of these moments.

    The signal is isotropic in as many dimensions as its moments say, with the length that each stimulus's
    pattern has. The noise has its share in the signal's dimensions, and the rest in others.
    """
    dimensions = max(2, round(moments.signal**2 / moments.signal_squared))
    energies = moments.energies * (moments.signal / max(moments.energies.mean(), np.finfo(float).tiny))
    # variance of the noise in each dimension of the signal, from tr S N = (tr S / d) tr N restricted to them
    inside = float(np.clip(moments.signal_noise / moments.signal, 0, moments.noise / dimensions))
    rest = max(moments.noise - inside * dimensions, 0.0)
    rest_squared = max(moments.noise_squared - inside**2 * dimensions, rest**2 / SIMULATED)
    others = max(1, round(rest**2 / rest_squared)) if rest > 0 else 1
    scale = np.sqrt(np.r_[np.full(dimensions, inside), np.full(others, rest / others), 0] / repeats)
    # the mean pattern is one more dimension, the same for all; centring over voxels is done already
    metric = "cosine" if dissimilarity == "correlation" else dissimilarity
    random = generator(seed, Stream.MOMENTS)
    n = len(energies)
    lower, upper = [], []
    for _ in range(int(np.clip(SIMULATED // n, 2, 20))):
        directions = random.normal(size=(n, dimensions))
        directions *= np.sqrt(energies[:, None]) / np.linalg.norm(directions, axis=1, keepdims=True)
        clean = np.hstack([directions, np.zeros((n, others)), np.full((n, 1), np.sqrt(moments.mean_energy))])
        noisy = [clean + scale * random.normal(size=clean.shape) for _ in range(2)]
        rdms = np.stack([rdm(values, metric) for values in (clean, *noisy)])
        # a stimulus without any signal has no noiseless pattern; it says nothing of the bound
        rdms = rdms[:, np.isfinite(rdms).all(axis=0)]
        similarity = compare(rdms, rdms, comparison)
        lower.append(similarity[1, 2])
        upper.append((similarity[0, 1] + similarity[0, 2]) / 2)
    return float(np.mean(lower)), float(np.mean(upper))
