"""p by the moments of all relabellings against permutations, at 500 to 2,000 stimuli.

    python measurements/validation/relabelling.py [--stimuli 500 1000 2000] [--permutations 20000]

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
from cortexrsa.geometry.rdm import rdm  # noqa: E402
from cortexrsa.inference.pair_groups import PairGroups  # noqa: E402
from cortexrsa.inference.permutation import permutation_null  # noqa: E402
from cortexrsa.inference.relabelling import Parts, null_draws, relabelled  # noqa: E402

LEVELS = (0.05, 0.01, 0.001)
MODELS = {"1 dimension": 0, "2 dimensions": 1, "two categories": 7}


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


def measured(n: int, permutations: int, seed: int = 0) -> list[dict]:
    """A row for every brain RDM and some of the models, and one for its family."""
    names, models = world(n, np.random.default_rng([seed, n]))
    brain = np.stack(list(names.values()))
    null = permutation_null(brain, models, permutations, seed)
    groups = PairGroups.of(n, seed)
    parts = [Parts.of(normalise(each, "spearman"), groups) for each in (brain, models)]
    moments, drawn = relabelled(*parts), null_draws(*parts, permutations, seed)
    rows = []
    for r, name in enumerate(names):
        p = np.stack([moments.p_values(each)[r] for each in null])
        for model, k in MODELS.items():
            found = {f"p <= {level}": np.mean(p[:, k] <= level) for level in LEVELS}
            skewness = moments.skewness[r, k]
            rows.append({"stimuli": n, "brain": name, "model": model, "skewness": skewness} | found)
        highest = np.quantile(drawn[:, r].max(axis=1), 1 - LEVELS[0])
        wrong = np.mean(null[:, r].max(axis=1) > highest)
        rows.append({"stimuli": n, "brain": name, "model": "largest of 8", f"p <= {LEVELS[0]}": wrong})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stimuli", nargs="+", type=int, default=[500, 1000, 2000])
    parser.add_argument("--permutations", type=int, default=20_000)
    chosen = parser.parse_args()
    table = pd.DataFrame([row for n in chosen.stimuli for row in measured(n, chosen.permutations)])
    errors = [f"{level}: {np.sqrt(level * (1 - level) / chosen.permutations):.5f}" for level in LEVELS]
    print(table.round(5).to_string(index=False, na_rep=""))
    print("Monte Carlo standard errors of a share: " + ", ".join(errors))


if __name__ == "__main__":
    main()
