"""What `code` found in sources, kept for the next start of Snakemake: that saves a second."""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import sys
from pathlib import Path

from cortexrsa import code, words
from cortexrsa.storage import atomic_path
from cortexrsa.user_cache import user_cache

MOST = 10_000  # sources: of many versions of the project


def remember_parsed() -> None:
    """Take what earlier processes found from the user's cache, and add to it when this one ends.

    Without a folder to write to, every process parses the sources anew.
    """
    # of one set of rules: code that reads sources in another way does not take these hashes
    rules = b"\0".join(Path(module.__file__).read_bytes() for module in (code, words))
    own = hashlib.sha256(rules).hexdigest()[:16]
    # of one version of Python, so that none lends its hashes to another
    path = user_cache() / f"code-{own}-{sys.version_info[0]}.{sys.version_info[1]}.json"
    before = _read(path)
    code.PARSED.update(before)
    atexit.register(_remember, path, frozenset(before))


def _read(path: Path) -> dict[str, list]:
    """Content of the cache; nothing, if it is not as `_remember` wrote it."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        digest = kept.pop("digest")
    except (OSError, ValueError, RecursionError, AttributeError, KeyError, TypeError):
        return {}
    return kept if digest == _digest(kept) else {}


def _digest(kept: dict[str, list]) -> str:
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def _remember(path: Path, before: frozenset[str]) -> None:
    added = {key: found for key, found in code.PARSED.items() if key not in before}
    if added:
        kept = code.PARSED if len(code.PARSED) <= MOST else added
        with contextlib.suppress(OSError), atomic_path(path) as temporary:
            temporary.write_text(json.dumps(kept | {"digest": _digest(kept)}), encoding="utf-8")
