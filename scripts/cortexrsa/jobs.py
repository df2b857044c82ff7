"""What a job says while it runs: its log, its one line of error, its warnings, its progress."""

from __future__ import annotations

import contextlib
import errno
import gc
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from cortexrsa.errors import InputError

WARNING, ERROR = "Warning: ", "Error: "
# libraries say it in words of their own; PyTorch only that a checkpoint was written in part
FULL = re.compile(r"No space left on device|errno = 28|inline_container.*unexpected pos")


@contextlib.contextmanager
def job_log(path: str | Path) -> Iterator[None]:
    """Run a job with its output and traceback in the rule's log, and one line of error on the terminal.

    Raises
    ------
    SystemExit : with status 1, for any exception of the job; 130 if it was interrupted.
    """
    # what was imported is no garbage: nilearn has all of it searched for each image that it shows
    gc.freeze()
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    # closed by hand: on a full disk that may fail, and must not hide the first error
    log = open(path, "w")  # noqa: SIM115
    try:
        with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
            yield
        log.flush()
    except (Exception, KeyboardInterrupt) as error:
        line, status = _one_line(error)
        line = f"{ERROR}{line} (details: {path})"
        print(line, file=sys.__stderr__)
        with contextlib.suppress(OSError):
            traceback.print_exc(file=log)
            # the last line, where `errors_in` finds it
            print(line, file=log)
        raise SystemExit(status) from None
    finally:
        with contextlib.suppress(OSError):
            log.close()


def _one_line(error: BaseException) -> tuple[str, int]:
    """What a user is told about an exception, and the exit status."""
    text = " ".join(str(error).split())
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", 130
    if FULL.search(text) or (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)):
        place = getattr(error, "filename", None) or "results"
        return f"{place}: The disk is full", 1
    return (text if isinstance(error, InputError) else f"{type(error).__name__}: {text}"), 1


def last_line(log: str | Path) -> str:
    """The last line of a job's log; nothing of a log that is not there."""
    path = Path(log)
    return path.read_text(errors="replace").rstrip().rpartition("\n")[2] if path.is_file() else ""


def errors_in(folder: str | Path, since: float) -> list[str]:
    """The lines of error of the jobs that failed, oldest first.

    Parameters
    ----------
    folder : of the logs
    since : logs that were written before this time (seconds since the epoch) are of other runs
    """
    times = {path: path.stat().st_mtime for path in Path(folder).rglob("*.log")}
    found = []
    for path in sorted((path for path in times if times[path] >= since), key=lambda path: times[path]):
        last = last_line(path)
        found += [last] if last.startswith(ERROR) else []
    return list(dict.fromkeys(found))


def warn(text: str) -> None:
    """Tell a warning that matters: on the terminal, and in the job's log, from which the report takes it."""
    line = WARNING + " ".join(text.split())
    print(line)
    if sys.__stderr__ is not None and sys.stdout is not sys.__stdout__:
        print(line, file=sys.__stderr__)


def warnings_in(log: str | Path) -> list[str]:
    """The warnings that a finished job left in its log, each once."""
    path = Path(log)
    lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
    return list(dict.fromkeys(line.removeprefix(WARNING) for line in lines if line.startswith(WARNING)))


def progress(total: int, unit: str) -> tqdm:
    """Bar that appears after ten seconds, if a person watches; on the terminal though a log takes the output.

    Parameters
    ----------
    total : number of steps
    unit : what is counted
    """
    terminal = sys.__stderr__ is not None and sys.__stderr__.isatty()
    return tqdm(
        total=total, unit=f" {unit}", delay=10, leave=False, disable=not terminal, file=sys.__stderr__
    )
