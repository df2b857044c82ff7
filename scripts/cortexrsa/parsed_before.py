"""What `code` found in sources, kept for the next start of Snakemake: that saves a second."""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import sys
from pathlib import Path

from cortexrsa import code
from cortexrsa.storage import atomic_path
from cortexrsa.user_cache import user_cache

MOST = 10_000  # sources: of many versions of the project


def remember_parsed() -> None:
    """Take what earlier processes found from the user's cache, and add to it when this one ends.

    Without a folder to write to, every process parses the sources anew.
    """
    own = hashlib.sha256(Path(code.__file__).read_bytes()).hexdigest()[:16]
    # of one version of Python, so that none lends its hashes to another
    path = user_cache() / f"code-{own}-{sys.version_info[0]}.{sys.version_info[1]}.json"
    before: dict[str, list] = {}
    with contextlib.suppress(OSError, ValueError):
        before = json.loads(path.read_text(encoding="utf-8"))
    code.PARSED.update(before)
    atexit.register(_remember, path, frozenset(before))


def _remember(path: Path, before: frozenset[str]) -> None:
    added = {key: found for key, found in code.PARSED.items() if key not in before}
    if added:
        kept = code.PARSED if len(code.PARSED) <= MOST else added
        with contextlib.suppress(OSError), atomic_path(path) as temporary:
            temporary.write_text(json.dumps(kept), encoding="utf-8")
