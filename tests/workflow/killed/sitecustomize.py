"""Scripts of the workflow kill themselves; Python runs this at its start where PYTHONPATH names the folder.

Each script dies twice, at moments at which most could go wrong. First as it is about to give a finished file
its final name, if FAULTS_TOGETHER names it with Snakemake and all other jobs; then alone, as it is about to
name its second file or, if there is none, to end. FAULTS_FOLDER counts the deaths.
"""

import atexit
import os
import signal
import sys
from pathlib import Path

rename, calls = os.replace, 0


def die(death: int) -> None:
    """Kill for the `death`th time, if this is a script of the workflow and it has died once less."""
    path = Path(sys.argv[0])
    if path.parts[-3:-1] == (".snakemake", "scripts"):
        _, script, _ = path.name.split(".")
        folder = Path(os.environ["FAULTS_FOLDER"])
        if len(list(folder.glob(f"{script}.*"))) == death - 1:
            (folder / f"{script}.{death}").touch()
            if death == 1 and script in os.environ["FAULTS_TOGETHER"].split():
                os.killpg(os.getpgrp(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)


def replace(source, destination, **options):
    global calls
    calls += 1
    if calls <= 2:
        die(calls)
    rename(source, destination, **options)


os.replace = replace
atexit.register(die, 2)
