"""Snakemake in processes that are forked from one that has imported it: each start is shorter by its imports.

Apart from support.py, because a forked process must know nothing of the library: each run imports the library
of its own copy of the project.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

# what Snakemake and the Snakefile import of others' packages
IMPORTED = ["snakemake.cli", "snakemake.report", "snakemake.executors.local", "jsonschema", "pandas", "yaml"]
TIMEOUT = 900  # seconds


def _snakemake(arguments: list[str], folder: str, environment: dict[str, str], streams: list[str]) -> None:
    """In the forked process: what `python -m snakemake` does in a folder, in a session of its own."""
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    # without the folders of the library and the tests, which pytest added
    installed = (path for path in sys.path if "site-packages" in path or path.startswith(sys.base_prefix))
    sys.path[:] = ["", *installed]
    for descriptor, path in zip((1, 2), streams, strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND), descriptor)
    sys.argv = ["snakemake", *arguments]
    from snakemake.cli import main

    try:
        main()
    finally:
        # a forked process ends without them, and the last line of an error is written by one
        atexit._run_exitfuncs()


def exit_code(
    arguments: list[str], folder: Path, environment: dict[str, str], streams: tuple[str, str]
) -> int:
    """Run Snakemake to its end in a folder; its output is appended to the two files of `streams`.

    Returns
    -------
    its exit code; less than 0, the signal that killed it

    Raises
    ------
    subprocess.TimeoutExpired : it takes longer than `TIMEOUT`.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    arguments = [str(argument) for argument in arguments]
    process = context.Process(target=_snakemake, args=(arguments, str(folder), environment, list(streams)))
    process.start()
    process.join(TIMEOUT)
    if process.exitcode is None:
        os.killpg(process.pid, signal.SIGKILL)
        raise subprocess.TimeoutExpired(["snakemake", *arguments], TIMEOUT)
    return process.exitcode


def run_snakemake(
    arguments: list[str], folder: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess:
    """Run Snakemake to its end, as `subprocess.run([sys.executable, "-m", "snakemake", ...])` does."""
    with tempfile.NamedTemporaryFile() as out, tempfile.NamedTemporaryFile() as err:
        code = exit_code(arguments, folder, environment, (out.name, err.name))
        texts = [Path(file.name).read_text() for file in (out, err)]
    return subprocess.CompletedProcess(["snakemake", *arguments], code, *texts)
