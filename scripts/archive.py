"""Archive a finished study, or check an archive.

python scripts/archive.py write [STUDY.yaml ...]
python scripts/archive.py check ARCHIVE
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from cortexrsa import cards
from cortexrsa.archive import check_archive, files_of, write_archive
from cortexrsa.errors import InputError

ROOT = Path(__file__).resolve().parents[1]


def write(studies: list[str]) -> Path:
    """Archive a study; only a finished one, so that code, cards and results belong together."""
    for study in studies:
        if not Path(study).resolve().is_relative_to(ROOT):
            raise InputError("study", "a file outside of the project", f"one below {ROOT}", file=study)
    options = ["--configfile", *studies] if studies else []
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--nolock", *options]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if run.returncode or "Nothing to be done" not in run.stdout + run.stderr:
        lines = run.stderr.splitlines()
        error = next((line for line in lines if line.startswith("Error: ")), None)
        name = studies[-1] if studies else "config.yaml"
        raise InputError(
            "results", error or "jobs still to be run", "a finished study; run it first", file=name
        )
    config = cards.merged_config(ROOT, studies)
    name = Path(studies[-1]).stem if studies else "+".join(config["datasets"])
    files = files_of(
        ROOT,
        config["datasets"],
        config["models"],
        [str(Path(study).resolve().relative_to(ROOT)) for study in studies],
    )
    path = ROOT / "results/archives" / f"{name}.crate.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_archive(path, ROOT, files, name)
    return path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Archive a finished study as RO-Crate, or check an archive.")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("write").add_argument("study", nargs="*", help="overlays of config.yaml")
    actions.add_parser("check").add_argument("archive", type=Path)
    arguments = parser.parse_args()
    try:
        if arguments.action == "write":
            path = write(arguments.study)
            print(f"{path.relative_to(ROOT)} ({path.stat().st_size / 1e6:.1f} MB)")
        else:
            print(check_archive(arguments.archive))
    except InputError as error:
        sys.exit(f"Error: {error}")
