"""A copy of the project to run the workflow in, and one finished tiny run that tests may copy."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
PARTS = ("Snakefile", "config.yaml", "rules", "scripts", "envs", "profiles", "resources", "studies")
TINY = ("--configfile", "tiny.yaml")


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
    """Run Snakemake to its end, while every script is killed twice, see killed/sitecustomize.py.

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


@pytest.fixture
def project(tmp_path) -> Path:
    """A copy of the project without results."""
    return copy_project(tmp_path / "project")


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """A copy in which the tiny study has been run; tests that change anything copy it first."""
    project = copy_project(tmp_path_factory.mktemp("finished") / "project")
    run = snakemake(project, *TINY)
    assert run.returncode == 0, run.stderr[-5000:]
    return project


@pytest.fixture
def rerun(finished, tmp_path) -> Path:
    """A copy of the finished run, modification times included."""
    return shutil.copytree(finished, tmp_path / "project", symlinks=True)
