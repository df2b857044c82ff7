"""Where the user keeps what can be made anew: apart from results, and from what jobs depend on."""

from __future__ import annotations

import os
from pathlib import Path


def user_cache() -> Path:
    """The folder, which need not be there: `$XDG_CACHE_HOME/cortexrsa`, or `~/.cache/cortexrsa`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "cortexrsa")
