"""Write a stand-in: `python tests/standins LAYOUT FOLDER`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from standins.layouts import LAYOUTS  # noqa: E402

if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in LAYOUTS:
        sys.exit(f"usage: python tests/standins LAYOUT FOLDER, where LAYOUT is one of {', '.join(LAYOUTS)}")
    LAYOUTS[sys.argv[1]](Path(sys.argv[2]))
