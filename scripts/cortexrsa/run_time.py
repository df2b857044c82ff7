"""How long the embedded study will take on this machine, said before it starts; no import takes time."""

from __future__ import annotations

import os
from pathlib import Path

# seconds of the embedded study on one core, twice those by the clock on two, and of its longest training with
# what waits for it: with AVX2, in float32 (README, docs/unified-training.md)
TOTAL, LONGEST = 2 * 640, 282
# flags of /proc/cpuinfo; PyTorch asks the processor for the same
NATIVE_BFLOAT16 = {"avx512_bf16", "amx_bf16"}


def processor_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> set[str]:
    """Flags of the first processor; none where the system does not list them (macOS, Windows)."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return set()
    return next((set(line.partition(":")[2].split()) for line in lines if line.startswith("flags")), set())


def usable_cores(asked: str) -> int:
    """Cores that Snakemake gets: all that this process may use, or fewer where `--cores` says so."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(there, int(asked)) if asked.isdecimal() and int(asked) else there


def sentence(cores: int, flags: set[str]) -> str:
    """One sentence: minutes to expect of `cores` cores, and on what they rest.

    Parameters
    ----------
    cores : that the study gets
    flags : of the processor, see `processor_flags`
    """
    minutes = max(1, round(max(TOTAL / cores, LONGEST) / 60))
    less = ", less on this processor, which has native bfloat16" if flags & NATIVE_BFLOAT16 else ""
    where = f"{cores} {'core' if cores == 1 else 'cores'}"
    return (
        f"The embedded study will take about {minutes} minutes on {where}, if nothing else runs "
        f"(measured: {TOTAL // 2} s on two cores in float32{less}); what is finished is not done again."
    )
