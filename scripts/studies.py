"""What stands in results/: list the studies, or remove what no study asks for.

python scripts/studies.py list
python scripts/studies.py prune [--yes]
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from cortexrsa.cards import cards_of, merged_config
from cortexrsa.dryrun import jobs_of, pending
from cortexrsa.errors import InputError
from cortexrsa.studies import origin_of, shared_places, unasked

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path("results")


def configuration_of(folder: Path) -> list[str]:
    """Configuration files of a study, as after `--configfile`: its own, or the record of one that is gone."""
    origin = origin_of(folder / "origin.json")
    if origin == "config.yaml":
        return []
    return [origin if Path(origin).is_file() else str(folder / "config.yaml")]


def studies() -> list[Path]:
    """Folders of the studies that have been run."""
    return sorted(path.parent for path in RESULTS.glob("studies/*/origin.json"))


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.lstat().st_size for file in files if not file.is_dir())


def show() -> None:
    """Print every study with its size and whether its results are current."""
    if not studies():
        print("No study has been run yet.")
        return
    for folder in studies():
        try:
            waiting = pending(jobs_of(ROOT, configuration_of(folder)))
            state = f"{waiting.total()} jobs to run" if waiting else "current"
        except InputError as error:
            state = f"cannot be run as it is: {error}"
        print(f"{folder.name:24} {size_of(folder) / 1e6:9.1f} MB  {state}")
    shared = size_of(RESULTS) - size_of(RESULTS / "studies")
    print(f"{'(shared by all)':24} {shared / 1e6:9.1f} MB")


def prune(yes: bool) -> None:
    """Remove what no study asks for, after saying what and asking."""
    asked = set()
    for folder in studies():
        config = merged_config(ROOT, configuration_of(folder))
        datasets, models = cards_of(config, ROOT)
        asked |= shared_places(config, datasets, models)
    found = unasked(RESULTS, asked)
    if not found:
        print("Nothing to remove: every file is asked for by a study.")
        return
    for path in found:
        print(f"{size_of(path) / 1e6:9.1f} MB  {path}")
    print(f"{sum(map(size_of, found)) / 1e6:9.1f} MB in all, which no study of `make studies` asks for")
    if not yes and (not sys.stdin.isatty() or input("Remove them? [y/N] ").strip().lower() != "y"):
        print("Nothing was removed.")
        return
    for path in found:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    print("Removed.")


if __name__ == "__main__":
    # names of letters that the terminal does not know
    sys.stdout.reconfigure(errors="backslashreplace")
    parser = argparse.ArgumentParser(description="The studies whose results lie in results/.")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("list")
    actions.add_parser("prune").add_argument("--yes", action="store_true", help="do not ask")
    arguments = parser.parse_args()
    try:
        show() if arguments.action == "list" else prune(arguments.yes)
    except InputError as error:
        sys.exit(f"Error: {error}")
