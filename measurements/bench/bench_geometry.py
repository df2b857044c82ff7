"""RDMs and their comparison, against rsatoolbox."""

import functools
from importlib.metadata import version

import numpy as np
import rsatoolbox
from harness import Case

from cortexrsa.geometry.compare import compare
from cortexrsa.geometry.rdm import rdm

PEER = f"rsatoolbox {version('rsatoolbox')}"
N, FEATURES, LAYERS, THREADS = 1750, 50_000, 20, 2


def features() -> dict:
    return {"patterns": np.random.default_rng(0).standard_normal((N, FEATURES), dtype=np.float32)}


def rsatoolbox_rdm(patterns):
    return rsatoolbox.rdm.calc_rdm(rsatoolbox.data.Dataset(patterns), method="correlation")


@functools.cache
def related_rdms(n: int, brains: int, layers: int) -> tuple[np.ndarray, np.ndarray]:
    """RDMs of ROIs and layers that share a code: correlations from almost 0 to about .4."""
    generator = np.random.default_rng(0)
    code = generator.standard_normal((n, 20))

    def one(strength: float) -> np.ndarray:
        mixed = strength * code @ generator.standard_normal((20, 100))
        return rdm(mixed + 6 * generator.standard_normal((n, 100)))

    return np.stack([one(1.0) for _ in range(brains)]), np.stack([one(k / layers) for k in range(layers)])


def rdms() -> dict:
    brain, layers = related_rdms(N, 1, LAYERS)
    return {"brain": brain, "layers": layers}


def comparison(ours: str, theirs: str, goal: float | None) -> Case:
    return Case(
        name=f"compare RDMs, {ours}",
        size=f"1 x {LAYERS} RDMs, {N} stimuli",
        peer=PEER,
        inputs=rdms,
        ours=lambda brain, layers: compare(brain, layers, ours, THREADS),
        theirs=lambda brain, layers: rsatoolbox.rdm.compare(
            rsatoolbox.rdm.RDMs(brain), rsatoolbox.rdm.RDMs(layers), method=theirs
        ),
        repeats=3,
        goal=goal,
    )


CASES = [
    Case(
        name="correlation RDM",
        size=f"{N} x {FEATURES} float32",
        peer=PEER,
        inputs=features,
        ours=lambda patterns: rdm(patterns, threads=THREADS),
        theirs=rsatoolbox_rdm,
        limit=lambda patterns: patterns @ patterns.T,  # NumPy calls SYRK
        repeats=5,
        goal=60,
    ),
    comparison("spearman", "spearman", 35),
    comparison("tau-a", "tau-a", 6),
    comparison("pearson", "corr", None),
]
