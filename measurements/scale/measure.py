"""Measurements of docs/cost.md.

    python measurements/scale/measure.py dag FOLDER   300 networks x 4 data sets: until the DAG is built
    python measurements/scale/measure.py run FOLDER   60 networks, run on two cores: overhead of a job
    python measurements/scale/measure.py large FOLDER 10,000 stimuli in 8 shards: time and memory of stages

FOLDER is made anew, and stays. Run them on a quiet machine.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "tests"), str(HERE)]

from generated import write_package, write_study  # noqa: E402

from support import copy_project  # noqa: E402


def snakemake(project: Path, *arguments: str) -> tuple[float, str]:
    """Seconds that a run of Snakemake took, and what it said."""
    command = [sys.executable, "-m", "snakemake", "--configfile", "generated.yaml", *arguments]
    start = time.perf_counter()
    run = subprocess.run(command, cwd=project, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if run.returncode:
        sys.exit(run.stderr[-3000:])
    return seconds, run.stdout + run.stderr


def benchmarks(project: Path) -> pd.DataFrame:
    """One row a job: rule, seconds, CPU seconds and peak memory (MB), from Snakemake's benchmark files."""
    folder = project / "results/benchmarks"
    rows = []
    for path in sorted(folder.rglob("*.tsv")):
        parts = path.relative_to(folder).with_suffix("").parts
        rule = next(
            (part for part in parts if part in ("extract", "fetch", "network_rdms", "rsa", "train")),
            parts[-1],
        )
        job = pd.read_csv(path, sep="\t").iloc[0]
        rows.append({"rule": rule, "s": job["s"], "cpu_s": job["cpu_time"], "rss_mb": job["max_rss"]})
    jobs = pd.DataFrame(rows).set_index("rule")
    return jobs.apply(pd.to_numeric, errors="coerce").reset_index()


def dag(project: Path) -> None:
    write_study(project, models=300, datasets=4)
    seconds, said = snakemake(project, "--dry-run", "--quiet", "all")
    jobs = re.search(r"^total +(\d+)", said, re.M)[1]
    print(f"{jobs} jobs; whole dry run (parsing, cards, DAG, reasons of all jobs): {seconds:.1f} s")
    # a target that needs one job: all but the DAG
    alone, _ = snakemake(project, "--dry-run", "--quiet", "all", "--", "results/world0/stimuli.npy")
    print(f"of which parsing and cards: {alone:.1f} s")


def run(project: Path) -> None:
    write_study(project, models=60)
    seconds, _ = snakemake(project, "--cores", "2")
    jobs = benchmarks(project)
    print(f"{len(jobs)} jobs on 2 cores: {seconds:.0f} s, {2 * seconds / len(jobs):.2f} core seconds a job")
    print(
        jobs.groupby("rule")
        .agg(jobs=("s", "size"), s=("s", "mean"), cpu_s=("cpu_s", "mean"))
        .round(2)
        .to_string()
    )


def large(project: Path) -> None:
    # resampling is what takes long; `one_pass.py` measures the default
    inference = {"standard_error": "resampled", "bootstrap": 10}
    inference |= {"permutations": 20, "ceiling_splits": 2, "halves": 1}
    write_study(project, models=1, layers=4, shards=8, inference=inference)
    write_package(project, train=9880, test=120)
    seconds, _ = snakemake(project, "--cores", "1")
    jobs = benchmarks(project)
    print(f"{seconds:.0f} s on 1 core")
    most = {name: (name, "max") for name in ("s", "cpu_s", "rss_mb")}
    print(jobs.groupby("rule").agg(jobs=("s", "size"), **most).round(1))


if __name__ == "__main__":
    kinds = {"dag": dag, "run": run, "large": large}
    if len(sys.argv) != 3 or sys.argv[1] not in kinds:
        sys.exit(__doc__)
    kinds[sys.argv[1]](copy_project(Path(sys.argv[2]).resolve()))
