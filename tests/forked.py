"""Snakemake and its jobs in processes that are forked from one that has imported what they import of others.

A tiny job takes a fraction of a second, its imports several. The scripts themselves and the library are read
from the copy of the project, as always. With `PLAIN_FIRST` in the environment, the first job of each script
runs as at a user's, in an interpreter of its own: so in the study that most tests share.

Apart from support.py, because a forked process must know nothing of the library: each run imports the library
of its own copy of the project.
"""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import multiprocessing.forkserver
import os
import runpy
import select
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

import job_client

# what Snakemake, the Snakefile and the scripts import of others' packages
IMPORTED = ["snakemake.cli", "snakemake.report", "snakemake.executors.local", "snakemake.script"]
IMPORTED += [
    "jsonschema",
    "xarray",
    "h5py",
    "h5netcdf",
    "numba",
    "xxhash",
    "pooch",
    "tqdm",
    "rocrate.rocrate",
]
IMPORTED += ["scipy.optimize", "scipy.signal", "scipy.stats", "matplotlib.pyplot", "torchvision", "nibabel"]
IMPORTED += [
    "lightning",
    "lightly.loss",
    "kornia.augmentation",
    "nilearn.plotting",
    "nilearn.glm.first_level",
]
IMPORTED += ["sklearn.linear_model", "sklearn.manifold", "sklearn.model_selection", "sklearn.neighbors"]
IMPORTED += ["himalaya.kernel_ridge", "nilearn.interfaces.fmriprep", "safetensors.torch"]
TIMEOUT = 900  # seconds
CLIENT = shlex.join([sys.executable, "-I", "-S", job_client.__file__])


# ---- jobs --------------------------------------------------------------------------------------------------


def _job(argv: list[str], folder: str, environment: dict[str, str]) -> int:
    """Exit status of a script: what `python SCRIPT` does with it."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = argv
    added = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:1] = [str(Path(argv[0]).parent), *added]
    try:
        for path in added:
            if (Path(path) / "sitecustomize.py").exists():
                runpy.run_path(str(Path(path) / "sitecustomize.py"))
        runpy.run_path(argv[0], run_name="__main__")
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
        status = 1
    atexit._run_exitfuncs()
    return status


def _serve_jobs(listener: socket.socket, alive: int) -> None:
    """Fork a process for each request of job_client.py, until Snakemake is gone."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        ready, _, _ = select.select([listener, alive], [], [])
        if alive in ready:
            return
        connection, _ = listener.accept()
        if os.fork() == 0:
            # one that waits for the job, and the job
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            os.close(alive)
            request, streams = job_client.receive(connection)
            job = os.fork()
            if job == 0:
                connection.close()
                for number, stream in enumerate(streams):
                    os.dup2(stream, number)
                    os.close(stream)
                status = 1
                try:
                    status = _job(*request)
                    sys.stdout.flush()
                    sys.stderr.flush()
                finally:
                    os._exit(status)
            _, status = os.waitpid(job, 0)
            with contextlib.suppress(OSError):
                connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
            os._exit(0)
        connection.close()


def _fork_jobs(address: str) -> None:
    """Let this Snakemake have its jobs forked, by a process of its session and group that listens there."""
    from snakemake.script import PythonScript

    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(64)
    alive, of_snakemake = os.pipe()
    if os.fork() == 0:
        os.close(of_snakemake)
        _serve_jobs(listener, alive)
        os._exit(0)
    os.close(alive)
    listener.close()
    command = f"{CLIENT} {shlex.quote(address)} {{fname:q}}"

    plainly, ran = PythonScript.execute_script, set()

    def execute_script(self, fname, edit=False):
        _, script, _ = Path(fname).name.split(".")
        first = script not in ran
        ran.add(script)
        if first and "PLAIN_FIRST" in os.environ:
            plainly(self, fname, edit)
        else:
            self._execute_cmd(command, fname=fname, is_python_script=True)

    PythonScript.execute_script = execute_script


# ---- Snakemake ---------------------------------------------------------------------------------------------


def _snakemake(
    arguments: list[str], folder: str, environment: dict[str, str], streams: list[str], address: str
) -> None:
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
    _fork_jobs(address)
    from snakemake.cli import main

    try:
        main()
    finally:
        # a forked process ends without them, and the last line of an error is written by one
        atexit._run_exitfuncs()


def _start_server() -> multiprocessing.context.BaseContext:
    """Start the process from which others are forked, if it is not there yet."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    before = dict(os.environ)
    # threads do not outlive a fork
    os.environ.update(threads)
    try:
        multiprocessing.forkserver.ensure_running()
    finally:
        for name in threads:
            del os.environ[name]
        os.environ.update(before)
    return context


def process(target: Callable, *arguments: object) -> multiprocessing.Process:
    """A process that has the packages, to be started; the function stands in a module."""
    return _start_server().Process(target=target, args=arguments)


def ended(started: multiprocessing.Process) -> int:
    """Exit code of a process; less than 0, the signal that killed it.

    Raises
    ------
    subprocess.TimeoutExpired : it takes longer than `TIMEOUT`.
    """
    started.join(TIMEOUT)
    if started.exitcode is None:
        started.kill()
        raise subprocess.TimeoutExpired(started.name, TIMEOUT)
    return started.exitcode


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
    arguments = [str(argument) for argument in arguments]
    with tempfile.TemporaryDirectory(prefix="jobs") as place:
        address = f"{place}/socket"
        started = process(_snakemake, arguments, str(folder), environment, list(streams), address)
        started.start()
        try:
            return ended(started)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(started.pid, signal.SIGKILL)
            raise


def run_snakemake(
    arguments: list[str], folder: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess:
    """Run Snakemake to its end, as `subprocess.run([sys.executable, "-m", "snakemake", ...])` does."""
    with tempfile.NamedTemporaryFile() as out, tempfile.NamedTemporaryFile() as err:
        code = exit_code(arguments, folder, environment, (out.name, err.name))
        texts = [Path(file.name).read_text() for file in (out, err)]
    return subprocess.CompletedProcess(["snakemake", *arguments], code, *texts)
