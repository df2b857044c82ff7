"""What a run would do, before it runs: jobs, GPU jobs and disk.

python scripts/plan.py [STUDY.yaml ...]
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from cortexrsa import cards
from cortexrsa.dryrun import jobs_of, pending
from cortexrsa.errors import InputError
from cortexrsa.plan import disk, needed, traced

ROOT = Path(__file__).resolve().parents[1]
# rules that use a GPU, and the section of the configuration that says whether
GPU_STAGES = {
    "train": "training",
    "train_guided": "training",
    "extract": "extraction",
    "robustness": "extraction",
}


def show(studies: list[str]) -> None:
    """Print the plan."""
    config = cards.merged_config(ROOT, studies)
    jobs = pending(jobs_of(ROOT, studies))
    datasets, models = cards.cards_of(config, ROOT)
    print(f"Jobs to run: {jobs.total()}")
    print("  " + ", ".join(f"{rule} {count}" for rule, count in sorted(jobs.items())))
    gpu = sum(jobs[rule] for rule, stage in GPU_STAGES.items() if config[stage]["gpu"])
    print(f"Jobs that use a GPU if there is one: {gpu}")

    results = ROOT / "results"
    features = {
        dataset: traced(
            {
                name: card | {"preprocessing": cards.seen_by(name, card, dataset, own)}
                for name, card in models.items()
            },
            config["projection"],
        )
        for dataset, own in datasets.items()
    }
    sizes = disk(datasets, features, config["inference"], results)
    gigabytes = sizes.set_index("dataset")
    columns = ["activations", "largest", "rdms", "scores"]
    gigabytes[columns] /= 1e9
    print("\nDisk of the results, in GB:")
    print(gigabytes.rename(columns={"largest": "of one network"}).to_string(float_format="%.3f"))
    unknown = sizes["dataset"][sizes["stimuli"].isna()]
    if len(unknown):
        print(f"Not counted: {', '.join(unknown)}, until the stimuli have been read")
    keep = config["keep_activations"]
    together = needed(sizes, keep) / 1e9
    free = shutil.disk_usage(results if results.exists() else ROOT).free / 1e9
    print(f"At once {together:.3f} GB, beside downloads, stimuli and responses; free: {free:.1f} GB")
    if not keep:
        print(
            f"Activations go once their RDMs are made: up to {gigabytes['largest'].max():.3f} GB for each"
            " network that waits for its RDMs, of which one is counted"
        )
    if together > free:
        advice = "`keep_activations: false` keeps RDMs alone" if keep else "`projection` keeps fewer features"
        print(f"Warning: the disk is too small; {advice}")


if __name__ == "__main__":
    # names of letters that the terminal does not know
    sys.stdout.reconfigure(errors="backslashreplace")
    parser = argparse.ArgumentParser(description="Jobs, GPU jobs and disk of a study, before it runs.")
    parser.add_argument("study", nargs="*", help="overlays of config.yaml, as after --configfile")
    try:
        show(parser.parse_args().study)
    except InputError as error:
        sys.exit(f"Error: {error}")
