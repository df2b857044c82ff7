"""Scores with their errors in one pass, from files of RDMs: time, and memory whatever the number of layers.

    python measurements/scale/one_pass.py FOLDER [STIMULI [LAYERS [ROIS [SUBJECTS]]]]

makes RDMs in FOLDER (0.4 GB each at 10,000 stimuli), and prints what scores of all layers in all ROIs cost
in a process of their own: seconds, processor seconds of all threads, and peak resident memory. With several
subjects also their noise ceiling. Two threads.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "measurements/bench")]

from harness import peak_mb  # noqa: E402

from cortexrsa.formats.rdms import read_rdms  # noqa: E402
from cortexrsa.geometry.rdm import Rows  # noqa: E402
from cortexrsa.inference.ceilings.subjects import subject_ceiling  # noqa: E402
from cortexrsa.inference.replication import OnePass  # noqa: E402
from cortexrsa.inference.settings import Settings  # noqa: E402

THREADS = 2


def make(path: Path, stimuli: int, count: int, seed: int) -> None:
    """RDMs that share a part, written one by one."""
    import h5py

    pairs = stimuli * (stimuli - 1) // 2
    shared = np.random.default_rng(0).standard_normal(pairs, np.float32)
    with h5py.File(path, "w") as file:
        values = file.create_dataset("dissimilarities", (count, pairs), np.float64, fletcher32=True)
        for k in range(count):
            own = np.random.default_rng([seed, k]).standard_normal(pairs, np.float32)
            values[k] = 1 + 0.1 * (shared + (1 + 0.1 * k) * own)
        file.attrs["dissimilarity_measure"] = "correlation"
        file["rdm_descriptors/index"] = np.arange(count)
        file["pattern_descriptors/index"] = np.arange(stimuli)


def measure(folder: Path, what: str) -> dict:
    """Of scores, or of the ceiling."""
    brain, layers = (
        Rows(rdms.dissimilarities, np.ones(len(rdms.pattern_descriptors), bool))
        for rdms in (read_rdms(folder / name, in_memory=False) for name in ("brain.h5", "layers.h5"))
    )
    method = OnePass(len(brain.keep), 0)
    start = time.perf_counter(), time.process_time()
    if what == "ceiling":
        subject_ceiling(brain, method, "spearman", Settings(), THREADS)
    else:
        method.similarity(brain, layers, "spearman", THREADS)
    seconds = time.perf_counter() - start[0]
    return {"s": seconds, "cpu_s": time.process_time() - start[1], "peak_gib": peak_mb() * 1e6 / 2**30}


def main(folder: Path, stimuli: int = 10_000, layers: int = 18, rois: int = 10, subjects: int = 1) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    make(folder / "brain.h5", stimuli, rois if subjects == 1 else subjects, 1)
    make(folder / "layers.h5", stimuli, layers, 2)
    # compiled before it is timed, on few stimuli: what is compiled is kept on the disk
    method, small = OnePass(600, 0), np.random.default_rng(0).normal(size=(2, 600 * 599 // 2))
    method.similarity(small, small, "spearman", THREADS)
    rows = []
    for what in ("scores", *(["ceiling"] if subjects > 1 else [])):
        command = [sys.executable, __file__, "--measure", str(folder), what]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        rows.append({"what": what, "stimuli": stimuli, "layers": layers} | json.loads(said.splitlines()[-1]))
    print(pd.DataFrame(rows).round(2).to_string(index=False))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(Path(sys.argv[2]), sys.argv[3])))
    elif len(sys.argv) < 2:
        sys.exit(__doc__)
    else:
        main(Path(sys.argv[1]).resolve(), *map(int, sys.argv[2:]))
