"""Register the claims of a study before its scores are seen.

python scripts/register.py [--time-stamp ADDRESS] [STUDY.yaml ...]
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from cortexrsa.cards import cards_of, claims_of, merged_config
from cortexrsa.errors import InputError
from cortexrsa.registration import register

ROOT = Path(__file__).resolve().parents[1]

if __name__ == "__main__":
    # names of letters that the terminal does not know
    sys.stdout.reconfigure(errors="backslashreplace")
    parser = argparse.ArgumentParser(description="Register the claims of a study.")
    parser.add_argument("study", nargs="*", help="overlays of config.yaml, as after --configfile")
    parser.add_argument("--time-stamp", help="address of a public time stamp: OSF, Zenodo, or a signed tag")
    arguments = parser.parse_args()
    try:
        config = merged_config(ROOT, arguments.study)
        files, told = claims_of(config, ROOT)
        datasets, models = cards_of(config, ROOT)
        cards = {"datasets": datasets, "models": models}
        path = register(config, files, cards, ROOT, time_stamp=arguments.time_stamp)
    except InputError as error:
        sys.exit(f"Error: {error}")
    except OSError as error:
        sys.exit(f"Error: {error.filename or 'resources/registrations'}: {error.strerror}")
    print(*told, sep="\n", end="\n" * bool(told))
    print(f"Registered {config['study']}: commit {os.path.relpath(path)} now, before the study runs")
