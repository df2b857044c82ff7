"""Files that were downloaded: known again by their checksums, and told from a page that came instead."""

from __future__ import annotations

import json
from pathlib import Path

from cortexrsa.errors import InputError


def check(folder: str | Path, files: dict[str, dict]) -> None:
    """Refuse downloaded files that are no longer as they came; whoever reads them asks first.

    Parameters
    ----------
    folder : that `fetch` made, named like the card, with `checksums.lock` beside it
    files : of the card, as for `fetch`

    Raises
    ------
    InputError : another sha256 than the card says, or than was recorded when the file came.
    """
    import pooch

    folder = Path(folder)
    recorded = read_lock(folder.parent / "checksums.lock")
    for name, entry in files.items():
        expected = entry["sha256"] or recorded.get(f"{folder.name}/{name}", "")
        found = pooch.file_hash(str(folder / name), alg="sha256")
        if not found.startswith(expected.lower()):
            raise InputError(
                "sha256", found, f"{expected}, as it was downloaded; delete {folder}", file=folder / name
            )


def disguised(path: Path) -> str | None:
    """What a server sent in place of a file, by its first bytes and suffix; None if it may be the file."""
    with open(path, "rb") as file:
        head = file.read(1024).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    suffix = path.suffix.lower()
    if head.startswith(b"<") and suffix not in (".html", ".htm", ".xml", ".svg"):
        return "an XML page" if head.startswith(b"<?xml") and b"<html" not in head else "an HTML page"
    if head.startswith((b'{"', b"{\n", b"{ ", b"{}")) and suffix not in (".json", ".jsonl"):
        return "a JSON text"
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer"
    if head.startswith(b"\x1f\x8b") and suffix not in (".gz", ".tgz"):
        return "gzip-compressed data"
    return None


# ---- transport ---------------------------------------------------------------------------------------------


def read_lock(lock: Path) -> dict[str, str]:
    if not lock.is_file():
        return {}
    try:
        recorded = json.loads(lock.read_text())
    except ValueError as error:
        raise InputError("JSON", error, "{CARD/NAME: sha256}", file=lock) from error
    if not isinstance(recorded, dict) or not all(isinstance(value, str) for value in recorded.values()):
        raise InputError("content", "something else", "{CARD/NAME: sha256}", file=lock)
    return recorded
