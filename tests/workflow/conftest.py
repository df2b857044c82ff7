"""A copy of the project to run the workflow in, and one finished tiny run that tests may copy."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

import pytest

from support import ROOT, TINY, copy_project, made


def keep_compiled(project: Path) -> None:
    """Let later copies of the project have what numba compiled in this one: 10 s of work."""
    for path in (project / "scripts").glob("**/__pycache__/*.nb[ci]"):
        target = ROOT / path.relative_to(project)
        if target.parent.is_dir() and not target.exists():
            shutil.copy2(path, target)


@pytest.fixture
def project(tmp_path) -> Path:
    """A copy of the project without results."""
    return copy_project(tmp_path / "project")


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """A copy in which the tiny study has been run, once for all; tests that change anything copy it first."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    project, done = shared / "finished", shared / "finished.done"
    with open(shared / "finished.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(project, ignore_errors=True)
            made(copy_project(project), *TINY, PLAIN_FIRST="1")
            keep_compiled(project)
            done.touch()
    return project


@pytest.fixture
def rerun(finished, tmp_path) -> Path:
    """A copy of the finished run, modification times included."""
    return shutil.copytree(finished, tmp_path / "project", symlinks=True)
