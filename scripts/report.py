"""Write the reports of a finished study.

python scripts/report.py [STUDY.yaml ...]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from cortexrsa.cards import merged_config
from cortexrsa.dryrun import jobs_of, pending
from cortexrsa.errors import InputError, concerning
from cortexrsa.formats.columns.claims import CLAIMS
from cortexrsa.formats.tables import read_table
from cortexrsa.report.explorer import write_explorer
from cortexrsa.report.page import write_page

ROOT = Path(__file__).resolve().parents[1]


def write_reports(configfiles: list[str]) -> list[str]:
    """Write `report.html` of every data set of a study whose results are all there and current.

    Returns
    -------
    told : lines for the terminal: where the reports are and the verdicts in them, or why there is none

    Raises
    ------
    InputError : Snakemake cannot make a report, with what it says.
    """
    config = merged_config(ROOT, configfiles)
    study = config["study"]
    jobs = jobs_of(Path.cwd(), configfiles)
    waiting = pending(jobs)
    if waiting:
        rules = ", ".join(f"{rule} {count}" for rule, count in sorted(waiting.items()))
        return [f"No report of {study}: {waiting.total()} jobs of it are still to run ({rules})"]
    told = []
    for dataset in config["datasets"]:
        folder = f"results/studies/{study}/{dataset}"
        targets = [path for job in jobs for path in job.outputs if path.startswith(f"{folder}/")]
        temporary = f"{folder}/.workflow.html"
        run = subprocess.run(workflow_report(configfiles, temporary, targets), capture_output=True, text=True)
        if run.returncode:
            Path(temporary).unlink(missing_ok=True)
            with concerning(f"{folder}/workflow.html"):
                raise InputError(
                    f"Snakemake cannot make the report: {' '.join(run.stderr.splitlines()[-3:])}"
                )
        os.replace(temporary, f"{folder}/workflow.html")
        write_explorer(config, dataset, ROOT, Path("results"))
        page = write_page(config, dataset, ROOT, Path("results"))
        told.append(f"Results of {study}: {page}, and the tables and figures beside it")
        told += verdicts(f"{folder}/claims.csv")
    return told


def workflow_report(configfiles: list[str], path: str, targets: list[str]) -> list[str]:
    """Command that writes Snakemake's own report of some results."""
    command = [sys.executable, "-m", "snakemake", "--quiet", "rules", "progress", "--nolock"]
    command += ["--snakefile", str(ROOT / "Snakefile")]
    # the option wants a file at least; the embedded study has none beside config.yaml
    command += ["--configfile", *configfiles] if configfiles else []
    return [*command, "--report", path, "--", *targets]


def verdicts(claims: str) -> list[str]:
    """Verdict and statement of every claim of a table, one line each."""
    table = read_table(claims, CLAIMS)
    whole = table[table["statistic"] == "overall"]
    names = [
        row.claim if table["file"].nunique() == 1 else f"{row.file} {row.claim}" for row in whole.itertuples()
    ]
    widths = [max(map(len, column), default=0) for column in (names, whole["verdict"])]
    rows = zip(names, whole["verdict"], whole["statement"], strict=True)
    return [f"  {name:{widths[0]}}  {verdict:{widths[1]}}  {statement}" for name, verdict, statement in rows]


if __name__ == "__main__":
    # names of letters that the terminal does not know
    sys.stdout.reconfigure(errors="backslashreplace")
    parser = argparse.ArgumentParser(description="Write the reports of a finished study.")
    parser.add_argument("study", nargs="*", help="overlays of config.yaml, as after --configfile")
    try:
        print("\n".join(write_reports(parser.parse_args().study)))
    except InputError as error:
        sys.exit(f"Error: {error}")
    except OSError as error:
        sys.exit(f"Error: {error.filename or 'results'}: {error.strerror}")
