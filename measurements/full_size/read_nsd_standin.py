"""Read the stand-in of NSD at its real size, and print time, memory and disk of every step.

    python measurements/full_size/read_nsd_standin.py FOLDER RESULTS

FOLDER is that of `make_nsd_standin.py`, RESULTS an empty one. The steps are those of the jobs: stimuli of
224 x 224 pixels, responses of three ROIs of 5,000 voxels as single trials, reliability and ceilings of all
voxels (5 random halves of the repeats). Each runs in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
STEPS = ("stimuli", "responses", "reliability")
ROIS = {"V1": 1, "V2": 3, "hV4": 7}


def card_of(folder: Path) -> dict:
    """The card of NSD with the folder and the ROIs of the stand-in."""
    from cortexrsa.formats.yaml_files import read_mapping
    from cortexrsa.schemas import validate

    card = read_mapping(ROOT / "resources/datasets/nsd.yaml")
    atlas = card["rois"]["V1"]["atlas"]
    card |= {
        "path": str(folder),
        "rois": {roi: {"atlas": atlas, "label": code} for roi, code in ROIS.items()},
    }
    return validate("datasets", card, "nsd.yaml")


def run(step: str, folder: Path, results: Path) -> None:
    """One step, as its job does it."""
    from cortexrsa.brain.loaders.responses import load_responses
    from cortexrsa.brain.loaders.responses_stimuli import load_stimuli
    from cortexrsa.brain.reliability import reliability_table
    from cortexrsa.brain.responses import clean_responses
    from cortexrsa.formats.columns.stimuli import STIMULI
    from cortexrsa.formats.responses import read_responses, write_responses
    from cortexrsa.formats.stimuli import write_stimuli
    from cortexrsa.formats.tables import read_table

    card = card_of(folder)
    images, table, responses = results / "stimuli.npy", results / "stimuli.tsv", results / "responses.nc"
    if step == "stimuli":
        write, stimuli, _ = load_stimuli(card, None)
        write_stimuli(images, table, write, stimuli, {})
    elif step == "responses":
        values = load_responses(card, None, read_table(table, STIMULI), results)
        clean_responses(values)
        write_responses(responses, values, {})
    else:
        reliability_table(read_responses(responses), splits=5)


def main() -> None:
    folder, results = Path(sys.argv[1]), Path(sys.argv[2])
    if len(sys.argv) > 3:
        run(sys.argv[3], folder, results)
        return
    results.mkdir(parents=True, exist_ok=True)
    print("| step | seconds | CPU seconds | peak RSS, MiB | results, GB |\n|---|---|---|---|---|")
    for step in STEPS:
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, __file__, str(folder), str(results), step], stdout=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            sys.exit(f"Error: {step} failed")
        seconds, cpu = time.perf_counter() - start, usage.ru_utime + usage.ru_stime
        disk = sum(path.stat().st_size for path in results.iterdir()) / 1e9
        print(
            f"| {step} | {seconds:.0f} | {cpu:.0f} | {usage.ru_maxrss / 1024:.0f} | {disk:.1f} |", flush=True
        )


if __name__ == "__main__":
    main()
