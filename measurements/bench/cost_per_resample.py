"""What one resample costs, and the memory it takes, against the number of stimuli.

    python measurements/bench/cost_per_resample.py [--stimuli 120 500 1750 5000 10000] [--draws 10]

For each number a process of its own makes RDMs of 4 layers and 2 ROIs (of 256 features) and scores them in
a few resamples, by Spearman, in two threads. Prints the table of docs/cost.md: processor seconds (of
all threads together, so that other load on the machine hardly changes them) of one RDM and per resample of
all layers x ROIs, and the peak of resident memory, the RDMs themselves included.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from harness import peak_mb

from cortexrsa.geometry.rdm import rdm
from cortexrsa.inference.draws import draw_counts
from cortexrsa.inference.similarity import resampled_similarity

LAYERS, ROIS, FEATURES, THREADS = 4, 2, 256, 2


def measure(n: int, draws: int) -> dict[str, float]:
    """Processor seconds of an RDM and of a resample, and peak memory in GiB."""
    generator = np.random.default_rng(0)
    small = np.stack([rdm(generator.standard_normal((20, 30))) for _ in range(3)])
    resampled_similarity(small[:1], small[1:], draw_counts(20, 2, 0))  # compiles
    code = generator.standard_normal((n, FEATURES), dtype=np.float32)
    rdms = np.empty((LAYERS + ROIS, n * (n - 1) // 2))
    start = time.process_time()
    for row in rdms:
        row[:] = rdm(code + 2 * generator.standard_normal(code.shape, dtype=np.float32), threads=THREADS)
    made = time.process_time()
    counts = draw_counts(n, draws, 0)
    resampled_similarity(rdms[:ROIS], rdms[ROIS:], counts, threads=THREADS)
    seconds = time.process_time() - made
    return {
        "stimuli": n,
        "RDM (s)": (made - start) / len(rdms),
        "resample (s)": seconds / draws,
        "peak (GiB)": peak_mb() * 1e6 / 2**30,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stimuli", type=int, nargs="+", default=[120, 500, 1750, 5000, 10_000])
    parser.add_argument(
        "--draws", type=int, default=10, help="resamples; the sorting before them is shared out"
    )
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.draws)))
        return
    print("| stimuli | one RDM (s) | one resample (s) | peak memory (GiB) |")
    print("|---|---|---|---|")
    for n in tqdm(options.stimuli, unit="size", disable=not sys.stderr.isatty()):
        run = subprocess.run(
            [sys.executable, __file__, "--one", str(n), "--draws", str(options.draws)],
            capture_output=True,
            text=True,
            check=True,
        )
        row = json.loads(run.stdout.splitlines()[-1])
        print("| {:,} | {:.2g} | {:.2g} | {:.2g} |".format(*row.values()), flush=True)


if __name__ == "__main__":
    main()
