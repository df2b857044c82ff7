"""Write the card of a network: `python scripts/new_model_card.py torchvision resnet34 --out NAME`.

Sources are `torchvision NAME`, `timm NAME` and `hub REPO ENTRY_POINT`, where REPO is OWNER/NAME:COMMIT of
GitHub or a folder with hubconf.py.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cortexrsa.cards import check_card_name, write_card
from cortexrsa.errors import InputError
from cortexrsa.networks import new_card

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the card of a network, its layers found by tracing.")
    sources = parser.add_subparsers(dest="source", required=True)
    for name in ("torchvision", "timm", "hub"):
        source = sources.add_parser(name)
        if name == "hub":
            source.add_argument("repo", help="OWNER/NAME:COMMIT on GitHub, or a folder with hubconf.py")
        source.add_argument("name", help="entry point" if name == "hub" else f"a model of {name}")
        if name == "torchvision":
            source.add_argument("--weights", help="another than IMAGENET1K_V1")
        source.add_argument("--size", type=int, help="side of the input in pixels")
        source.add_argument("--out", metavar="CARD", help="write resources/models/CARD.yaml, else print it")
    arguments = parser.parse_args()
    try:
        if arguments.out is not None:
            check_card_name("models", arguments.out, "new_model_card.py", "--out")
        if arguments.source == "torchvision":
            card = new_card.torchvision_card(arguments.name, arguments.weights)
        elif arguments.source == "timm":
            card = new_card.timm_card(arguments.name)
        else:
            card = new_card.hub_card(arguments.repo, arguments.name)
        text = new_card.card_text(card, arguments.size)
        if arguments.out is None:
            print(text, end="")
            return
        path = write_card("models", arguments.out, text, ROOT)
        print(f"{path} written; name it in `models` of your configuration")
    except InputError as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
