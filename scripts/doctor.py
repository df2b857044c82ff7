"""Look at what this machine has for a study, and exit with 1 if it lacks something.

python scripts/doctor.py [STUDY.yaml ...]
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path

from cortexrsa import cards, doctor
from cortexrsa.errors import InputError, concerning
from cortexrsa.seeds import holder_of_weights

ROOT = Path(__file__).resolve().parents[1]


def examine(studies: list[str]) -> list[doctor.Finding]:
    """All findings, printed one by one as they come."""
    config = cards.merged_config(ROOT, studies)
    datasets, models = cards.cards_of(config, ROOT)
    trained = {
        card["weights"]["training"]["corpus"]
        for card in models.values()
        if "training" in card.get("weights", {})
    }
    with concerning("config.yaml"):
        corpora = {
            name: cards.place_corpus(
                cards.load_card("corpora", name, ROOT), name, config["corpora"].get(name)
            )
            for name in sorted(trained)
        }
    found = []

    def tell(finding: doctor.Finding) -> None:
        found.append(finding)
        print(f"{finding.state:8} {finding.what}: {finding.found}", flush=True)

    for finding in doctor.python_and_packages(ROOT / "requirements.txt"):
        tell(finding)
    for finding in doctor.optional_packages(config, datasets, models):
        tell(finding)
    for finding in doctor.machine(ROOT / "results", embedded=not studies):
        tell(finding)
    if importlib.util.find_spec("torch"):
        tell(doctor.gpu())
    tell(doctor.slurm())
    finding, mirrored = doctor.mirror(config["mirror"])
    tell(finding)
    holders = {holder_of_weights(name, card): card for name, card in models.items()}
    for finding in doctor.downloads(datasets | holders | corpora, ROOT / "results/downloads", mirrored):
        tell(finding)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What this machine has for a study, and what it lacks.")
    parser.add_argument("study", nargs="*", help="overlays of config.yaml, as after --configfile")
    try:
        findings = examine(parser.parse_args().study)
    except InputError as error:
        sys.exit(f"Error: {error}")
    lacking = sum(finding.state == doctor.LACKING for finding in findings)
    print("Nothing is lacking." if not lacking else f"{lacking} lacking: see above.")
    sys.exit(bool(lacking))
