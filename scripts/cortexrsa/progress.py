"""Progress bars for what takes long."""

from __future__ import annotations

import sys

from tqdm import tqdm


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
