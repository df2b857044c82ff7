"""Run the whole workflow on a stand-in of Kay's data at full size, and report time, memory and disk.

    python measurements/full_size/run_kay_standin.py IMAGES FOLDER [--cores 1]

IMAGES holds the 1,750 training images of Kay et al. (2008) as 0.jpg to 1749.jpg; FOLDER is made, and takes up
to 60 GB while activations of ResNet-50 wait for their RDMs. What was finished is kept: run again to go on, or
to see the report once more. Prints the tables of docs/kay2008.md.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PARTS = ("Snakefile", "config.yaml", "rules", "scripts", "envs", "profiles", "resources", "studies")
DATASET = "kay2008_standin"
MOST_RSS = 4096  # MiB


def prepare(images: Path, folder: Path) -> Path:
    """A copy of the project in FOLDER/project with the card and the study; the stand-in in FOLDER/mirror."""
    mirror, project = folder / "mirror" / DATASET, folder / "project"
    if not (mirror / "kay_images.npz").is_file():
        subprocess.run([sys.executable, HERE / "make_kay_standin.py", images, mirror], check=True)
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, project / part, dirs_exist_ok=True)
        else:
            _copy_file(ROOT / part, project / part)
    _copy_file(HERE / "kay2008_standin.yaml", project / "resources" / "datasets" / "kay2008_standin.yaml")
    _copy_file(HERE / "study.yaml", project / "study.yaml")
    return project


def _copy_file(source: Path, destination: Path) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, destination)


def size(folder: Path) -> int:
    """Bytes on disk of the files below a folder; some may vanish meanwhile."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_blocks * 512
        except OSError:
            continue
    return total


def run(project: Path, cores: int) -> tuple[int, float]:
    """Exit status of Snakemake, and the most bytes that results/ held while it ran."""
    largest, done = [0], threading.Event()

    def watch():
        while not done.wait(2):
            largest[0] = max(largest[0], size(project / "results"))

    thread = threading.Thread(target=watch)
    thread.start()
    environment = os.environ | {"CORTEXRSA_MIRROR": str(project.parent / "mirror")}
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), "--configfile", "study.yaml", "--"]
    models = yaml.safe_load((project / "study.yaml").read_text())["models"]
    # networks first and one after the other, so that the disk holds the activations of one at a time
    targets = [[f"results/{DATASET}/rdms/{model}.h5"] for model in models] + [[]]
    try:
        for target in targets:
            status = subprocess.run([*command, *target], cwd=project, env=environment).returncode
            if status:
                break
    finally:
        done.set()
        thread.join()
    return status, largest[0]


def benchmarks(project: Path) -> pd.DataFrame:
    """One row for each job: rule, model, seconds, CPU seconds, peak RSS (MiB), from the benchmark files."""
    rows = []
    folder = project / "results" / "benchmarks"
    for path in sorted(folder.rglob("*.tsv")):
        parts = path.relative_to(folder).with_suffix("").parts
        table = pd.read_csv(path, sep="\t")
        rule, *job = [part for part in parts if part != DATASET]
        rows.append(
            {
                "rule": rule,
                "job": "/".join(job),
                "seconds": table["s"].iloc[-1],
                "cpu": pd.to_numeric(table["cpu_time"], errors="coerce").iloc[-1],
                "peak_rss_mib": pd.to_numeric(table["max_rss"], errors="coerce").iloc[-1],
            }
        )
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cores", type=int, default=1)
    arguments = parser.parse_args()
    project = prepare(arguments.images, arguments.folder.resolve())
    start = time.time()
    status, largest = run(project, arguments.cores)
    jobs = benchmarks(project)
    print("\n| rule | job | seconds | CPU seconds | peak RSS, MiB |\n|---|---|---|---|---|")
    for row in jobs.itertuples():
        print(f"| {row.rule} | {row.job} | {row.seconds:.0f} | {row.cpu:.0f} | {row.peak_rss_mib:.0f} |")
    peak = jobs["peak_rss_mib"].max()
    print(f"\nlargest RSS {peak:.0f} MiB; results/ held at most {largest / 1e9:.1f} GB, ")
    print(
        f"and {size(project / 'results') / 1e9:.2f} GB at the end; this call took {time.time() - start:.0f} s"
    )
    if peak > MOST_RSS:
        sys.exit(f"Error: largest RSS: found {peak:.0f} MiB, expected at most {MOST_RSS}")
    sys.exit(status)


if __name__ == "__main__":
    main()
