"""Where the user keeps what can be made anew: apart from results, and from what jobs depend on."""

from __future__ import annotations

import os
from pathlib import Path


def user_cache() -> Path:
    """The folder, which need not be there: `$XDG_CACHE_HOME/cortexrsa`, or `~/.cache/cortexrsa`."""
    chosen = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # a relative one is to be ignored, says the XDG specification
    return (chosen if chosen.is_absolute() else Path.home() / ".cache") / "cortexrsa"
