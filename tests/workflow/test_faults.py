"""Snakemake killed, its job an orphan: the next run makes the same results."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import TINY, snakemake

pytestmark = pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="jobs are found in /proc")


def jobs_of(project: Path) -> dict[int, str]:
    """Processes that run scripts of the workflow in a project: pid -> name of the script."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes()
            script = re.search(rb"/\.snakemake/scripts/tmp\w+\.(\w+)\.py\0", command)
            if script and os.readlink(process / "cwd") == str(project):
                found[int(process.name)] = script[1].decode()
    return found


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def start(project: Path, *arguments: str) -> subprocess.Popen:
    """Snakemake in the background, in a session of its own."""
    with open(project / "snakemake.log", "w") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "snakemake", "--cores", "2", "--retries", "1", *TINY, *arguments],
            cwd=project,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def results_of(project: Path) -> dict[str, bytes]:
    """Content of all results; not of logs, run times and the report that shows them."""
    folder = project / "results"
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "report.html")
    return {
        name: path.read_bytes()
        for path in files
        if not (name := str(path.relative_to(folder))).startswith(("logs/", "benchmarks/"))
    }


def differences(project: Path, finished: Path) -> list[str]:
    ours, theirs = results_of(project), results_of(finished)
    return sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))


def test_an_orphan_cannot_harm_what_the_next_run_made(rerun, finished):
    """The orphan stands still until the next run has done its work; then it goes on."""
    project = rerun.resolve()
    target = "results/tiny/activations/tiny_untrained/1-of-1"
    run = start(project, "--forcerun", target, "--", target)

    def orphans() -> list[int]:
        return [pid for pid, script in jobs_of(project).items() if script == "extract"]

    while not orphans() or not list((project / target).parent.glob(".1-of-1.*")):
        assert run.poll() is None
    (orphan,) = orphans()
    os.kill(orphan, signal.SIGSTOP)
    kill(run.pid)
    run.wait()
    # nothing stands under the final name, half or whole
    assert not (project / target).exists()
    shutil.rmtree(project / ".snakemake/locks")
    again = snakemake(project, *TINY, "--", target)
    assert again.returncode == 0, again.stderr[-3000:]
    os.kill(orphan, signal.SIGCONT)
    while orphan in jobs_of(project):
        time.sleep(0.05)
    assert differences(project, finished) == []
