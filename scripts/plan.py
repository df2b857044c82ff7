"""What a run would do, before it runs: jobs, GPU jobs and disk.

python scripts/plan.py [STUDY.yaml ...]
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

from cortexrsa import cards
from cortexrsa.files import InputError
from cortexrsa.plan import disk, traced

ROOT = Path(__file__).resolve().parents[1]


def jobs_to_run(studies: list[str]) -> dict[str, int]:
    """Rule -> number of jobs that Snakemake would run now."""
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--nolock", "--quiet", "all"]
    run = subprocess.run(
        [*command, *(["--configfile", *studies] if studies else [])], cwd=ROOT, capture_output=True, text=True
    )
    if run.returncode:
        line = next((line for line in run.stderr.splitlines() if line.startswith("Error: ")), run.stderr)
        sys.exit(line)
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", run.stdout, re.M)}


def show(studies: list[str]) -> None:
    """Print the plan."""
    jobs = jobs_to_run(studies)
    config = cards.merged_config(ROOT, studies)
    datasets, models = (
        {name: cards.load_card(kind, name, ROOT) for name in config[kind]} for kind in ("datasets", "models")
    )
    total = jobs.pop("total", 0)
    print(f"Jobs to run: {total}")
    print("  " + ", ".join(f"{rule} {count}" for rule, count in sorted(jobs.items())))
    gpu = {
        rule: jobs.get(rule, 0)
        for rule, stage in (("train", "training"), ("extract", "extraction"))
        if config[stage]["gpu"]
    }
    print(f"GPU jobs among them: {sum(gpu.values())}")

    results = ROOT / "results"
    sizes = disk(datasets, traced(models, config["projection"]), config["inference"], results)
    gigabytes = sizes.set_index("dataset")
    columns = ["activations", "largest", "rdms", "scores"]
    gigabytes[columns] /= 1e9
    print("\nDisk of the results, in GB:")
    print(gigabytes.rename(columns={"largest": "of one network"}).to_string(float_format="%.3f"))
    unknown = sizes["dataset"][sizes["stimuli"].isna()]
    if len(unknown):
        print(f"Not counted: {', '.join(unknown)}, until the stimuli have been read")
    kept = columns if config["keep_activations"] else ["rdms", "scores"]
    needed = gigabytes[kept].drop(columns="largest", errors="ignore").sum().sum()
    free = shutil.disk_usage(results if results.exists() else ROOT).free / 1e9
    print(f"Together {needed:.3f} GB; free: {free:.1f} GB")
    if not config["keep_activations"]:
        print(
            f"Activations are deleted once their RDMs are made: up to {gigabytes['largest'].max():.3f} GB"
            " more for each network whose RDMs are still to be made"
        )
    if needed > free:
        print("Warning: the disk is too small; `keep_activations: false` keeps RDMs alone")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Jobs, GPU jobs and disk of a study, before it runs.")
    parser.add_argument("study", nargs="*", help="overlays of config.yaml, as after --configfile")
    try:
        show(parser.parse_args().study)
    except InputError as error:
        sys.exit(f"Error: {error}")
