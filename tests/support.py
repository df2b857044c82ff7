"""What tests in several folders share: refusals, copies of the project, and runs of Snakemake in them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cortexrsa.errors import InputError

ROOT = Path(__file__).resolve().parents[1]
HERE = Path(__file__).resolve().parent / "workflow"
PARTS = ("Snakefile", "config.yaml", "rules", "scripts", "envs", "profiles", "resources", "studies")
TINY = ("--configfile", "tiny.yaml")


# ---- refusals ----------------------------------------------------------------------------------------------


def message_of(call, *arguments, **options) -> str:
    """The one line of the `InputError` that a call raises."""
    with pytest.raises(InputError) as caught:
        call(*arguments, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def error_of(run: subprocess.CompletedProcess) -> str:
    """The one line with which a program refuses, and no traceback beside it."""
    assert run.returncode != 0, run.stdout[-3000:]
    assert "Traceback" not in run.stderr, run.stderr[-3000:]
    lines = [line for line in run.stderr.splitlines() if line.startswith("Error: ")]
    # that of a job is repeated last
    assert len(set(lines)) == 1, run.stderr[-3000:]
    return lines[0]


def edit(path: Path, old: str, new: str) -> None:
    """Replace the first place of a text that must be there."""
    text = path.read_text()
    assert old in text, f"{path.name}: {old!r} is not there to be replaced"
    path.write_text(text.replace(old, new, 1))


# ---- runs of the workflow ----------------------------------------------------------------------------------


def copy_project(destination: Path) -> Path:
    """The project without its results, with the cards of the tests added."""
    destination.mkdir(parents=True)
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, destination / part)
        else:
            shutil.copy2(ROOT / part, destination / part)
    shutil.copytree(HERE / "cards", destination / "resources", dirs_exist_ok=True)
    shutil.copy2(HERE / "tiny.yaml", destination)
    return destination


def snakemake(project: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """Run Snakemake in a copy of the project."""
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", *arguments],
        cwd=project,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=900,
    )


def made(project: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """Run Snakemake, which must succeed."""
    run = snakemake(project, *arguments, **environment)
    assert run.returncode == 0, run.stderr[-5000:]
    return run


def refused(project: Path, *arguments: str, **environment: str) -> str:
    """Run Snakemake, which must fail; the one line that explains it, the last of all."""
    run = snakemake(project, *arguments, **environment)
    assert run.stderr.splitlines()[-1] == error_of(run)
    return error_of(run)


def start(project: Path, *arguments: str, **environment: str) -> subprocess.Popen:
    """Snakemake in the background, in a session of its own."""
    with open(project / "snakemake.log", "w") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "snakemake", "--cores", "2", *arguments],
            cwd=project,
            env=os.environ | environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def killed_twice(project: Path, *arguments: str, **environment: str) -> set[str]:
    """Run Snakemake to its end, while every script is killed twice, see workflow/killed/sitecustomize.py.

    Once it dies with Snakemake, which is then started again, once alone, to be retried. Returns the deaths,
    as `script.1` and `script.2`.
    """
    deaths = project / "deaths"
    deaths.mkdir()
    environment |= {"PYTHONPATH": str(HERE / "killed"), "FAULTS_FOLDER": str(deaths)}
    while (run := start(project, "--retries", "1", *arguments, **environment)).wait() == -signal.SIGKILL:
        shutil.rmtree(project / ".snakemake/locks")
    assert run.returncode == 0, (project / "snakemake.log").read_text()[-3000:]
    return {path.name for path in deaths.iterdir()}


def pending(project: Path, *arguments: str) -> set[str]:
    """Outputs that a run would make (again), as paths below results/."""
    summary = snakemake(project, "--summary", *(arguments or TINY))
    assert summary.returncode == 0, summary.stderr
    rows = [line.split("\t") for line in summary.stdout.splitlines() if line.startswith("results/")]
    assert rows, summary.stdout
    return {row[0].removeprefix("results/") for row in rows if row[-1] != "no update"}
