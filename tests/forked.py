"""Snakemake in processes that are forked from one that has imported it: each start is shorter by its imports.

Apart from support.py, because a forked process must know nothing of the library: each run imports the library
of its own copy of the project.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path

# what Snakemake and the Snakefile import of others' packages
IMPORTED = ["snakemake.cli", "snakemake.report", "snakemake.executors.local", "jsonschema", "pandas", "yaml"]
TIMEOUT = 900  # seconds


def _snakemake(arguments: list[str], folder: str, environment: dict[str, str], streams: list[str]) -> None:
    """In the forked process: what `python -m snakemake` does in a folder."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    # the tests' own folders, which pytest added, are not there for Snakemake
    sys.path[:] = [
        "",
        *(path for path in sys.path if "site-packages" in path or path.startswith(sys.base_prefix)),
    ]
    for descriptor, path in zip((1, 2), streams, strict=True):
        os.dup2(os.open(path, os.O_WRONLY), descriptor)
    sys.argv = ["snakemake", *arguments]
    from snakemake.cli import main

    main()


def run_snakemake(
    arguments: list[str], folder: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess:
    """Run Snakemake to its end, as `subprocess.run([sys.executable, "-m", "snakemake", ...])` does."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    with tempfile.NamedTemporaryFile() as out, tempfile.NamedTemporaryFile() as err:
        process = context.Process(
            target=_snakemake, args=(arguments, str(folder), environment, [out.name, err.name])
        )
        process.start()
        process.join(TIMEOUT)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(["snakemake", *arguments], TIMEOUT)
        texts = [Path(file.name).read_text() for file in (out, err)]
    return subprocess.CompletedProcess(["snakemake", *arguments], process.exitcode, *texts)
