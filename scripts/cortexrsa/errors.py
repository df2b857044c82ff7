"""One-line errors: what the user supplied is wrong, where, and what is expected instead."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path


class InputError(ValueError):
    """Something the user supplied is wrong; its text is one line.

    Parameters
    ----------
    field : the key, array, row or column at fault; or, alone, a whole sentence
    found, expected : what is there, and what should be
    file : path of the file, card or configuration in which the fault lies; where a function does not know
        it, `concerning` adds it

    Examples
    --------
    >>> print(InputError("shape", (3, 4), "(stimuli, features)", file="layer1.npy"))
    layer1.npy: shape: found (3, 4), expected (stimuli, features)
    >>> print(InputError("The disk is full", file="results"))
    results: The disk is full
    """

    def __init__(
        self, field: str, found: object = None, expected: object = None, *, file: str | Path | None = None
    ):
        super().__init__(field, found, expected)
        self.field, self.found, self.expected = field, found, expected
        self.file = None if file is None else str(file)

    def __str__(self) -> str:
        text = self.field
        if self.expected is not None:
            text = f"{self.field}: found {self.found}, expected {self.expected}"
        return text if self.file is None else f"{self.file}: {text}"


@contextlib.contextmanager
def concerning(file: str | Path) -> Iterator[None]:
    """Name `file` in every `InputError` of the block that names none.

    Examples
    --------
    >>> with concerning("responses.nc"):
    ...     raise InputError("roi", "none", "at least one")
    Traceback (most recent call last):
        ...
    cortexrsa.errors.InputError: responses.nc: roi: found none, expected at least one
    """
    try:
        yield
    except InputError as error:
        if error.file is None:
            error.file = str(file)
        raise


def reason(error: BaseException) -> str:
    """What an exception says, in one line; of an OSError without the path, which `InputError` names."""
    text = getattr(error, "strerror", None) or error
    return " ".join(str(text).split()) or type(error).__name__


def suggestion(word: object, possible: Iterable[str]) -> str:
    """The possibilities as text, and the nearest to `word` where one is near."""
    possible = [str(item) for item in possible]
    near = difflib.get_close_matches(str(word), possible, n=1, cutoff=0.5)
    listed = "one of " + ", ".join(possible) if possible else "none here"
    return listed + (f"; did you mean {near[0]}?" if near else "")
