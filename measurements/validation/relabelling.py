"""p by the moments of all relabellings against permutations, at 500 to 2,000 stimuli.

    python measurements/validation/relabelling.py [--stimuli 500 1000 2000]

Brain RDMs of six dimensions, of two categories and of fifty dimensions, each with a family of eight
models that share a part and have 1 to 50 dimensions, one of them of two categories. The similarity under
every permutation is taken for one that was observed: p by moments should be at most .05, .01, .001 in
this share of them, and the corrected p of the largest of the family at most .05 in 5 %.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from cortexrsa.geometry.compare import normalise  # noqa: E402
from cortexrsa.geometry.rdm import rdm, squareform  # noqa: E402
from cortexrsa.inference.pair_groups import PairGroups  # noqa: E402
from cortexrsa.inference.permutation import permutation_null  # noqa: E402
from cortexrsa.inference.relabelling import Parts, Relabelled, null_draws, relabelled  # noqa: E402

LEVELS = (0.05, 0.01, 0.001)
MODELS = {"1 dimension": 0, "2 dimensions": 1}
# permutations of a family by the number of stimuli, and of two categories, of which each is a product only
PERMUTATIONS, OF_CATEGORIES = {500: 20_000, 1000: 5000, 2000: 2000}, 50_000


def world(n: int, random: np.random.Generator) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Brain RDMs by name, and models (8, pairs), unrelated to them."""

    def patterns(dimensions: int) -> np.ndarray:
        return rdm(random.normal(size=(n, dimensions)), "euclidean")

    def categories() -> np.ndarray:
        member = random.permutation(np.arange(n) % 2)[:, None]
        return (rdm(member.astype(float), "euclidean") > 0).astype(float)

    brain = {"6 dimensions": patterns(6), "two categories": categories(), "50 dimensions": patterns(50)}
    shared = random.normal(size=(n, 2))
    models = [rdm(shared[:, :1], "euclidean"), rdm(shared, "euclidean")]
    for dimensions in (3, 4, 6, 12, 50):
        own = random.normal(size=(n, dimensions)) / np.sqrt(dimensions)
        models.append(rdm(np.hstack([shared, own]), "euclidean"))
    return brain, np.stack([*models, categories()])


def of_categories(target: np.ndarray, model: np.ndarray, permutations: int, seed: int) -> np.ndarray:
    """Similarities of a model of two categories of one size under permutation: (permutations,).

    With z = 1 in the one and -1 in the other, the sum of an RDM over pairs of different categories is a
    quarter of (sum of all - z'Dz).
    """
    random = np.random.default_rng([seed, 1])
    square = squareform(target)
    n, null = len(square), np.empty(permutations)
    same, different = model.min(), model.max()
    for start in range(0, permutations, 1000):
        part = slice(start, start + 1000)
        z = random.permuted(np.tile(np.where(np.arange(n) % 2, 1.0, -1.0), (len(null[part]), 1)), axis=1)
        apart = (square.sum() - np.einsum("pi,pi->p", z @ square, z)) / 4
        null[part] = same * target.sum() + (different - same) * apart
    return null


def measured(n: int, seed: int = 0) -> list[dict]:
    """A row for every brain RDM and some of the models, and one for its family."""
    names, models = world(n, np.random.default_rng([seed, n]))
    brain = np.stack(list(names.values()))
    permutations = PERMUTATIONS[n]
    null = permutation_null(brain, models, permutations, seed)
    groups = PairGroups.of(n, seed)
    vectors = [normalise(each, "spearman") for each in (brain, models)]
    parts = [Parts.of(each, groups) for each in vectors]
    moments, drawn = relabelled(*parts), null_draws(*parts, 20_000, seed)
    rows = []

    def row(r: int, model: str, permutations: int, **values: float) -> None:
        found = {"stimuli": n, "brain": list(names)[r], "model": model, "permutations": permutations}
        rows.append(found | values)

    for r in range(len(names)):
        single = {name: (k, null[:, r, k]) for name, k in MODELS.items()}
        single["two categories"] = 7, of_categories(vectors[0][r], vectors[1][7], OF_CATEGORIES, seed)
        for model, (k, values) in single.items():
            spread = Relabelled(*(getattr(moments, name)[r, k] for name in ("mean", "deviation", "skewness")))
            p = spread.p_values(values)
            found = {f"p <= {level}": np.mean(p <= level) for level in LEVELS}
            row(r, model, len(values), skewness=spread.skewness, **found)
        highest = np.quantile(drawn[:, r].max(axis=1), 1 - LEVELS[0])
        wrong = np.mean(null[:, r].max(axis=1) > highest)
        row(r, "largest of 8", permutations, **{f"p <= {LEVELS[0]}": wrong})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stimuli", nargs="+", type=int, default=list(PERMUTATIONS), choices=PERMUTATIONS)
    table = pd.DataFrame([row for n in parser.parse_args().stimuli for row in measured(n)])
    print(table.round(5).to_string(index=False, na_rep=""))
    for permutations in sorted({*table["permutations"]}):
        errors = (f"{level}: {np.sqrt(level * (1 - level) / permutations):.5f}" for level in LEVELS)
        print(f"Monte Carlo standard errors with {permutations:,} permutations: " + ", ".join(errors))


if __name__ == "__main__":
    main()
