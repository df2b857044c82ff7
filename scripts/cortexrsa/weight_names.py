"""Regular expressions with which cards rename and ignore the weights of a checkpoint."""

from __future__ import annotations

import re
from pathlib import Path

from cortexrsa.errors import InputError


def check_patterns(weights: dict, file: str | Path) -> None:
    """Refuse what is no regular expression, or replaces with a group that its pattern has not.

    Parameters
    ----------
    weights : of a model card: `ignore` (patterns), `rename` (pattern to replacement), both optional
    file : name of the card, for an error
    """
    for index, pattern in enumerate(weights.get("ignore") or []):
        try:
            re.compile(pattern)
        except re.error as error:
            found = f"{pattern!r} ({error})"
            raise InputError(f"weights.ignore[{index}]", found, "a regular expression", file=file) from error
    for pattern, replacement in (weights.get("rename") or {}).items():
        try:
            # reads the replacement too, though there is nothing to replace
            re.sub(pattern, replacement, "")
        # an unknown name of a group is an IndexError
        except (re.error, IndexError) as error:
            found = f"{pattern!r}: {replacement!r} ({error})"
            raise InputError(
                "weights.rename", found, "a regular expression and what replaces it", file=file
            ) from error
