"""A copy of the project to run the workflow in, and one finished tiny run that tests may copy."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from filelock import FileLock

from support import TINY, copy_project, made


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
    with FileLock(shared / "finished.lock"):
        if not done.exists():
            shutil.rmtree(project, ignore_errors=True)
            made(copy_project(project), *TINY)
            done.touch()
    return project


@pytest.fixture
def rerun(finished, tmp_path) -> Path:
    """A copy of the finished run, modification times included."""
    return shutil.copytree(finished, tmp_path / "project", symlinks=True)
