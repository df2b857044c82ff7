"""Bias of the ceilings from moments, in simulated data whose true bounds are known.

    python measurements/validation/moment_ceilings.py [--worlds 20]

Prints the table of docs/validation.md. In every world 1,000 training images (2 repeats) and 120 test images
(13) are shown to 300 voxels. The true bounds are means over measurements of the same test images: the
similarity of two measured RDMs (lower) and of the noiseless with a measured RDM (upper).
"""

from __future__ import annotations

import argparse
import sys
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from cortexrsa.geometry.compare import compare
from cortexrsa.geometry.rdm import rdm
from cortexrsa.inference.ceilings.moments import moment_ceiling
from cortexrsa.inference.ceilings.repeats import voxel_half_ceiling
from cortexrsa.inference.replication import replication
from cortexrsa.inference.settings import Settings

REPEATS = {"train": 2, "test": 13}
SIGNALS, NOISES = ("gaussian", "categories", "contrast"), ("independent", "shared", "aligned")
MODES, MEASUREMENTS = 60, 4


def world(signal, noise, reliability, seed, sizes=(1000, 120), voxels=300, test_noise=1.0):
    """Averages of the training images, several measurements of the test images, and their noiseless patterns.

    Parameters
    ----------
    signal : gaussian; categories (12 clusters); contrast (images differ in the strength of their signal)
    noise : of voxels: independent; shared (15 % in 10 common modes); aligned (30 % in the signal's own modes)
    reliability : of the average of 13 presentations
    test_noise : variance of a test presentation's noise in units of a training presentation's
    """
    generator = np.random.default_rng(seed)
    n = sum(sizes)
    modes = generator.normal(size=(n, MODES))
    if signal == "categories":
        modes = 0.7 * modes + generator.normal(size=(12, MODES))[generator.integers(0, 12, n)]
    elif signal == "contrast":
        modes *= generator.lognormal(0, 0.4, size=(n, 1))
    decay = np.arange(1, MODES + 1) ** -0.5
    weights = generator.normal(size=(MODES, voxels))
    clean = (modes / modes.std(0) * decay) @ weights
    clean = (clean - clean.mean(0)) / clean.std(0)
    common = generator.normal(size=(10, voxels)) / np.sqrt(10)

    def draw(rows):
        own = generator.normal(size=(rows, voxels))
        if noise == "shared":
            return np.sqrt(0.85) * own + np.sqrt(0.15) * generator.normal(size=(rows, 10)) @ common
        if noise == "aligned":
            along = (generator.normal(size=(rows, MODES)) * decay) @ weights
            return np.sqrt(0.7) * own + np.sqrt(0.3) * along / along.std()
        return own

    variance = 13 * (1 / reliability - 1)
    train = clean[: sizes[0]] + np.sqrt(variance / 2) * draw(sizes[0])
    mean, sd = train.mean(0), train.std(0)
    test = [
        (clean[sizes[0] :] + np.sqrt(test_noise * variance / 13) * draw(sizes[1]) - mean) / sd
        for _ in range(MEASUREMENTS)
    ]
    return (train - mean) / sd, test, (clean[sizes[0] :] - mean) / sd


def true_bounds(measured, noiseless, comparison="spearman"):
    """Lower and upper bound, as means over the measurements."""
    rdms = np.stack([rdm(noiseless), *map(rdm, measured)])
    similarity = compare(rdms, rdms, comparison)
    pairs = combinations(range(1, len(rdms)), 2)
    return float(np.mean([similarity[pair] for pair in pairs])), float(similarity[0, 1:].mean())


def bounds(seed, draws=200, halves=10, **options):
    """True and estimated bounds of one world, and whether the intervals reach the true ones."""
    train, test, noiseless = world(seed=seed, **options)
    lower, upper = true_bounds(test, noiseless)
    settings = Settings(bootstrap=draws, ceiling_splits=halves, seed=seed, standard_error="one-pass")
    patterns = {"train": train, "test": test[0]}
    moments = moment_ceiling(patterns, REPEATS, "test", "correlation", "spearman", settings)
    method = replication(len(test[0]), settings)
    optimistic = voxel_half_ceiling(test[0], method, "correlation", "spearman", settings)
    return {
        "true RDM reliability": lower,
        "RDM reliability": moments.reliability,
        "true attainable": upper,
        "attainable": moments.attainable,
        "halves RDM reliability": optimistic.reliability,
        "halves attainable": optimistic.attainable,
        "ci_low below": moments.reliability_ci_low <= lower,
        "ci_high above": moments.attainable_ci_high >= upper,
    }


def table(worlds: int) -> pd.DataFrame:
    """One row for each kind of world: means over `worlds` of them, and the SD of the bounds' errors."""
    cases = [
        {"signal": signal, "noise": noise, "reliability": reliability}
        for signal, noise, reliability in product(SIGNALS, NOISES, (0.2, 0.48))
    ]
    cases += [
        {"signal": "gaussian", "noise": "shared", "reliability": 0.48, "test_noise": factor}
        for factor in (0.7, 0.85, 1.15, 1.3)
    ]
    rows = []
    for case in cases:
        found = pd.DataFrame([bounds(seed=seed, **case) for seed in range(worlds)])
        row = {**case, "test_noise": case.get("test_noise", 1.0), **found.mean()}
        row["SD"] = (found["attainable"] - found["true attainable"]).std()
        rows.append(row)
        print(".", end="", file=sys.stderr, flush=True)
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--worlds", type=int, default=20)
    result = table(parser.parse_args().worlds)
    columns = ["signal", "noise", "reliability", "test_noise"]
    columns += [f"{of}RDM reliability" for of in ("true ", "", "halves ")]
    columns += [f"{of}attainable" for of in ("true ", "", "halves ")]
    columns += ["SD", "ci_low below", "ci_high above"]
    print("\n| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
    for _, row in result.iterrows():
        cells = [row[c] if isinstance(row[c], str) else f"{row[c]:.2f}" for c in columns]
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
