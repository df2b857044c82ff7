"""Where the time of the comparisons and bootstraps of `make bench` goes, by cProfile, in one thread.

python measurements/bench/profile_inference.py
"""

import cProfile
import pstats
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from bench_geometry import related_rdms

from cortexrsa.geometry.compare import compare
from cortexrsa.inference.draws import draw_counts
from cortexrsa.inference.similarity import resampled_similarity


def profile(name: str, work, *arguments) -> None:
    """Print the functions that take most of a call; one before it compiles."""
    work(*arguments)
    profiler = cProfile.Profile()
    profiler.runcall(work, *arguments)
    print(f"== {name}")
    pstats.Stats(profiler).sort_stats("tottime").print_stats(7)


if __name__ == "__main__":
    brain, layers = related_rdms(1750, 1, 20)
    profile("Spearman, 1 x 20 RDMs, 1,750 stimuli", compare, brain, layers, "spearman")
    for stimuli, draws, comparison in (
        (1750, 12, "spearman"),
        (1750, 64, "pearson"),
        (120, 1000, "spearman"),
    ):
        counts = draw_counts(stimuli, draws, 0)
        name = f"{comparison}, {draws} resamples, {stimuli} stimuli"
        profile(name, resampled_similarity, *related_rdms(stimuli, 7, 20), counts, comparison)
