"""Coverage of intervals over stimuli and networks: families of lineages, and means over seeds.

python measurements/validation/families_and_seeds.py [--studies 1000]

Scores are means over 50 stimuli, each with an error of 0.14 beside what all networks share; in truth
lineages, or seeds, differ by a normal distribution of the spread given.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from cortexrsa.inference.contrasts import differences, ranks
from cortexrsa.inference.errors import Replicated, Replicates
from cortexrsa.inference.lineages import family_contrast
from cortexrsa.inference.seeds import over_seeds

STIMULI = 50
DIFFERENCE = 0.3


def means(values: np.ndarray) -> Replicated:
    """Means over stimuli of values (stimuli, ...), by the jackknife."""
    n = len(values)
    rows = (values.sum(axis=0) - values) / (n - 1)
    return Replicated(values.mean(axis=0), rows, Replicates((0, n), (0.0, (n - 1) / n), 0.0, n - 1.0))


def drawn(generator, size: int, mean: float, spread: float, common: np.ndarray) -> np.ndarray:
    """Values (stimuli, networks): networks drawn anew, stimuli that act on all and on each network."""
    truth = mean + spread * generator.normal(size=size)
    return truth + common + generator.normal(size=(STIMULI, size))


def families(first: int, second: int, spread: float, studies: int) -> tuple[float, float]:
    """Coverage of the interval over stimuli and lineages, and of that over stimuli alone."""
    generator, covered = np.random.default_rng(0), np.zeros(2)
    weights = np.repeat([1 / first, -1 / second], [first, second])
    lineages = [f"lineage {k}" for k in range(first + second)]
    for _ in range(studies):
        common = generator.normal(size=(STIMULI, 1))
        values = [
            drawn(generator, size, mean, spread, common)
            for size, mean in ((first, 1 + DIFFERENCE), (second, 1.0))
        ]
        scores = means(np.hstack(values))
        for k, names in enumerate((lineages, [None] * len(lineages))):
            _, low, high = family_contrast(scores, weights, names)[0].interval()
            covered[k] += low <= DIFFERENCE <= high
    return tuple(covered / studies)


def seeds(number: int, spread: float, studies: int) -> tuple[float, float]:
    """Coverage of the difference of a mean over seeds and a network, with and without the seeds' variance."""
    generator, covered = np.random.default_rng(0), np.zeros(2)
    for _ in range(studies):
        common = generator.normal(size=(STIMULI, 1))
        scores = means(drawn(generator, number, 1 + DIFFERENCE, spread, common))
        own = [scores.apply(lambda values, k=k: values[..., k]) for k in range(number)]
        other = means(1 + common[:, 0] + generator.normal(size=STIMULI))
        found, _ = over_seeds({"net": own, "other": [other]})
        alone = scores.apply(lambda values: values.mean(axis=-1))
        for k, pair in enumerate(((found["net"], found["other"]), (alone, other))):
            _, low, high = pair[0].apply(np.subtract, pair[1]).evaluated().interval()
            covered[k] += low <= DIFFERENCE <= high
    return tuple(covered / studies)


def order(truth: np.ndarray, studies: int, n: int = 60) -> tuple[float, float, float, float]:
    """Of means over n stimuli: studies with a wrong order (p_fwe), coverage of differences, studies in which
    all intervals of ranks hold, share of the true differences that are told."""
    generator = np.random.default_rng(8)
    first, second = np.triu_indices(len(truth), k=1)
    true = truth[first] - truth[second]
    best, worst = 1 + (truth[:, None] < truth).sum(axis=1), len(truth) - (truth[:, None] > truth).sum(axis=1)
    found = []
    for _ in range(studies):
        shared = 2 * generator.normal(size=(n, 1))
        scores = means(truth + shared + generator.normal(size=(n, len(truth))))
        each = differences(scores, first, second, 0.95, seed=1)
        told = each.p_fwe < 0.05
        rank = ranks(scores.estimate, each.p_fwe, first, second, 0.95)
        found.append(
            (
                (told & (np.sign(each.value) != np.sign(true))).any(),
                ((each.low <= true) & (true <= each.high)).mean(),
                ((rank.low <= best) & (worst <= rank.high)).all(),
                told[true != 0].mean() if true.any() else np.nan,
            )
        )
    return tuple(np.mean(found, axis=0))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Coverage of intervals over stimuli and networks.")
    parser.add_argument("--studies", type=int, default=1000)
    studies = parser.parse_args().studies
    print("| what | spread | coverage | networks taken as they are |\n|---|---|---|---|")
    for first, second in ((5, 5), (5, 12), (20, 20)):
        for spread in (0.0, 0.1, 0.5):
            rates = families(first, second, spread, studies)
            print(
                f"| families of {first} and {second} lineages | {spread} | {rates[0]:.1%} | {rates[1]:.1%} |",
                flush=True,
            )
    for spread in (0.05, 0.15, 0.5):
        rates = seeds(5, spread, studies)
        print(
            f"| a network of 5 seeds and one of a single seed | {spread} | {rates[0]:.1%} | {rates[1]:.1%} |",
            flush=True,
        )
    print("\n| truth of 8 networks | any wrong order | interval of a difference | all ranks | told |")
    print("|---|---|---|---|---|")
    for label, truth in (("all equal", [0.0] * 8), ("some equal", [0, 0, 0, 0, 0.6, 0.6, 0.6, 2.0])):
        rates = order(np.array(truth, float), max(1, studies // 2))
        print(f"| {label} | " + " | ".join(f"{rate:.1%}" for rate in rates) + " |", flush=True)
