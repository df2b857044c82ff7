"""Write the card of a data set on your disk: `python scripts/new_dataset_card.py FOLDER --out NAME`.

NSD, THINGS-fMRI, BOLD5000, Algonauts 2023, LAION-fMRI, assemblies of Brain-Score and GLMsingle's folders are
recognised; of any other folder the arrays, tables, ROIs and images are found. What could not be decided is
a comment.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cortexrsa.brain import new_card
from cortexrsa.cards import check_card_name, write_card
from cortexrsa.errors import InputError

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the card of a data set in a folder.")
    parser.add_argument("folder", type=Path, help="where the data set lies")
    parser.add_argument("--subject", help="whose card, where each person has one (NSD, Algonauts 2023)")
    parser.add_argument("--out", metavar="CARD", help="write resources/datasets/CARD.yaml, else print it")
    arguments = parser.parse_args()
    try:
        if arguments.out is not None:
            check_card_name("datasets", arguments.out, "new_dataset_card.py", "--out")
        text = new_card.card_text(
            arguments.folder.expanduser(), ROOT / "resources/datasets", arguments.subject
        )
        if arguments.out is None:
            print(text, end="")
            return
        path = write_card("datasets", arguments.out, text, ROOT)
        print(f"{path} written; name it in `datasets` of your configuration")
        if undecided := text.count(new_card.DECIDE):
            print(f"{undecided} places are left to decide: look for {new_card.DECIDE}")
    except InputError as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
