"""Archive a finished study, or check an archive.

python scripts/archive.py write [STUDY.yaml ...]
python scripts/archive.py check ARCHIVE
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cortexrsa import cards
from cortexrsa.archive import check_archive, check_settings, files_of, write_archive
from cortexrsa.dryrun import jobs_of, pending
from cortexrsa.errors import InputError, concerning
from cortexrsa.studies import shared_places

ROOT = Path(__file__).resolve().parents[1]


def write(studies: list[str]) -> Path:
    """Archive a study; only a finished one, so that code, cards and results belong together."""
    for study in studies:
        if not Path(study).resolve().is_relative_to(ROOT):
            raise InputError("study", "a file outside of the project", f"one below {ROOT}", file=study)
    config = cards.merged_config(ROOT, studies)
    name = config["study"]
    jobs = jobs_of(ROOT, studies)
    if pending(jobs):
        with concerning(studies[-1] if studies else "config.yaml"):
            raise InputError("results", f"{pending(jobs).total()} jobs still to run", "a finished study")
    check_settings(ROOT, jobs)
    datasets, models = cards.cards_of(config, ROOT)
    files = files_of(
        ROOT,
        [*shared_places(config, datasets, models), f"results/studies/{name}"],
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
