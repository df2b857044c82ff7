"""Time the cases against their peers: `make bench`, or `python measurements/bench/run.py --only NAME ...`.

Writes results/bench/bench.csv: seconds per unit of work of either side, ratio peer / ours, peak RSS in MB
while the work runs (inputs included), and the seconds of a bare operation that bounds the work (`limit_s`),
if there is one. Both sides of a case run one after the other, in processes of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
from harness import Case, load_cases
from tqdm import tqdm

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
TABLE = ROOT / "results" / "bench" / "bench.csv"
COLUMNS = ["case", "size", "peer", "ours_s", "peer_s", "ratio", "ours_rss_mb", "peer_rss_mb", "limit_s"]


def measured(module: str, case: Case) -> dict:
    """The row of one case."""

    def side(name: str) -> dict[str, float]:
        command = [sys.executable, str(FOLDER / "harness.py"), module, case.name, name]
        run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        if run.returncode:
            sys.exit(f"Error: case {case.name}, side {name}:\n{run.stderr[-3000:]}")
        return json.loads(run.stdout.splitlines()[-1])

    ours, peer = side("ours"), side("peer")
    limit = side("limit")["seconds"] if case.limit else None
    ratio = peer["seconds"] / ours["seconds"]
    values = [ours["seconds"], peer["seconds"], ratio, ours["rss_mb"], peer["rss_mb"], limit]
    return dict(zip(COLUMNS, [case.name, case.size, case.peer, *values], strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="cases whose name contains one of these")
    chosen = parser.parse_args().only
    cases = {
        name: found
        for name, found in load_cases(FOLDER).items()
        if not chosen or any(part in name for part in chosen)
    }
    if not cases:
        names = ", ".join(load_cases(FOLDER))
        sys.exit(f"Error: --only: found {' '.join(chosen or [])}, expected parts of {names}")
    bar = tqdm(cases.items(), unit="case", disable=not sys.stderr.isatty())
    table = pd.DataFrame([measured(module, case) for _, (module, case) in bar], columns=COLUMNS)
    if chosen and TABLE.exists():
        before = pd.read_csv(TABLE)
        table = pd.concat([before[~before["case"].isin(table["case"])], table])
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(TABLE.with_suffix(".tmp"), index=False, float_format="%.6g")
    os.replace(TABLE.with_suffix(".tmp"), TABLE)
    goals = {name: case.goal for name, (_, case) in load_cases(FOLDER).items()}
    shown = table.assign(goal=table["case"].map(goals))
    print(shown.to_string(index=False, float_format=lambda value: f"{value:.4g}", na_rep=""))
    print(f"Written to {TABLE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
