"""Is crossnobis unbiased where runs show some of the stimuli each, and trials of a run share noise?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from cortexrsa.geometry.crossnobis import crossnobis
from cortexrsa.geometry.rdm import pair_indices

STIMULI, RUNS, SHOWN, VOXELS = 16, 6, 3, 40
# variance of noise that the trials of a run share, and of each trial's own
SHARED, OWN = 1.0, 1.0


def _experiment(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Trials (n, SHOWN, voxels) without any signal, in random runs (n, SHOWN)."""
    runs = np.stack([np.sort(random.permutation(RUNS)[:SHOWN]) for _ in range(STIMULI)])
    shared = np.sqrt(SHARED) * random.normal(size=(RUNS, VOXELS))
    return shared[runs] + np.sqrt(OWN) * random.normal(size=(*runs.shape, VOXELS)), runs


def bias_of_crossnobis(simulations: int, seed: int = 0) -> pd.DataFrame:
    """Mean distance of stimuli that do not differ, by how many runs they share.

    Each stimulus is shown in 3 of 6 runs, as where there are more stimuli than a run has room for.

    Parameters
    ----------
    simulations : number of experiments

    Returns
    -------
    table with columns folds, shared_runs, distance (0 is right), mc_error
    """
    first, second = pair_indices(STIMULI)
    found: dict[tuple[str, int], list[float]] = {}
    for number in range(simulations):
        trials, runs = _experiment(np.random.default_rng([seed, number]))
        both = (runs[first][:, :, None] == runs[second][:, None]).sum(axis=(1, 2))
        for name, folds in (("order of repeats", None), ("runs", runs)):
            distances = crossnobis(trials, folds)
            for shared in range(SHOWN + 1):
                if (both == shared).any():
                    found.setdefault((name, shared), []).append(distances[both == shared].mean())
    return pd.DataFrame(
        [
            {
                "folds": name,
                "shared_runs": shared,
                "distance": np.mean(values),
                "mc_error": np.std(values) / np.sqrt(len(values)),
            }
            for (name, shared), values in sorted(found.items())
        ]
    )
