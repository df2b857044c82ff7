"""Cases of the benchmarks, and the process in which one side of a case is timed."""

from __future__ import annotations

import importlib
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Case:
    """One comparison with a peer. Every side runs in a process of its own, on inputs made alike.

    Attributes
    ----------
    name, size : what is done, on how much
    peer : the peer with its version, and what of it is extrapolated
    inputs : makes the keyword arguments of the sides, not timed
    ours, theirs : the work; results are thrown away
    ours_units, peer_units : units of work (resamples, images, runs) in one call; seconds are of one unit
    limit : a bare operation that bounds the work from below (a matrix product, a pass over the bytes), if any
    limit_units : units of work in one call of `limit`
    repeats, peer_repeats : timed calls, of which the median counts; with more than one, a call to warm up
        (compilation, caches) goes before them
    goal : ratio peer / ours to reach
    """

    name: str
    size: str
    peer: str
    inputs: Callable[[], dict]
    ours: Callable
    theirs: Callable
    ours_units: float = 1
    peer_units: float = 1
    limit: Callable | None = None
    limit_units: float = 1
    repeats: int = 5
    peer_repeats: int = 1
    goal: float | None = None


def load_cases(folder: Path) -> dict[str, tuple[str, Case]]:
    """All cases by name, with the module that holds each: `CASES` of every `bench_*.py`."""
    sys.path[:0] = [str(folder.parents[1] / "scripts"), str(folder)]
    found = {}
    for path in sorted(folder.glob("bench_*.py")):
        for case in importlib.import_module(path.stem).CASES:
            if case.name in found:
                raise ValueError(f"{path.name}: case {case.name!r} is in {found[case.name][0]}.py too")
            found[case.name] = (path.stem, case)
    return found


def _reset_peak() -> bool:
    """Let the kernel count this process's peak resident memory anew; False where it cannot."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def peak_mb() -> float:
    """Peak resident memory in MB (10^6 bytes): since the last reset, else of the whole process."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def time_side(case: Case, side: str) -> dict[str, float]:
    """Seconds per unit of work (median over repeats) and peak RSS in MB of one side of a case."""
    work, units, repeats = {
        "ours": (case.ours, case.ours_units, case.repeats),
        "peer": (case.theirs, case.peer_units, case.peer_repeats),
        "limit": (case.limit, case.limit_units, case.repeats),
    }[side]
    inputs = case.inputs()
    if repeats > 1:
        work(**inputs)
    _reset_peak()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work(**inputs)
        seconds.append(time.perf_counter() - start)
    return {"seconds": statistics.median(seconds) / units, "rss_mb": peak_mb()}


if __name__ == "__main__":
    # python harness.py MODULE CASE SIDE: one line of JSON, the last of the output
    module, name, side = sys.argv[1:]
    root = Path(__file__).resolve().parents[2]
    sys.path[:0] = [str(root / "scripts"), str(root / "measurements" / "bench")]
    # the module imports `Case` from `harness`, so that one is used here too
    (case,) = (case for case in importlib.import_module(module).CASES if case.name == name)
    print(json.dumps(importlib.import_module("harness").time_side(case, side)))
