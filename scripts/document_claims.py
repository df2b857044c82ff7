"""Write what claims came to into docs/claims.md.

python scripts/document_claims.py results/studies/embedded/simulated/claims.csv
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import pandas as pd

from cortexrsa.errors import InputError
from cortexrsa.formats.columns.claims import CLAIMS
from cortexrsa.formats.tables import read_table

ROOT = Path(__file__).resolve().parents[1]
PAGE, EXAMPLES = ROOT / "docs/claims.md", ROOT / "resources/claims/examples.yaml"


def numbers(part: pd.Series) -> str:
    """Estimate and interval of a part, in words."""
    where = " in ".join(filter(None, (part["models"], part["roi"])))
    if pd.isna(part["estimate"]):
        return f"{where}: {part['reason']}" if where else part["reason"]
    ends = f"[{part['ci_low']:.3f}, {part['ci_high']:.3f}]"
    return f"{where}: {part['estimate']:.3f} {ends}"


def examples(table: pd.DataFrame) -> str:
    """Every claim of the examples as it is written, and what came out."""
    text = EXAMPLES.read_text(encoding="utf-8")
    blocks = re.split(r"^  - ", text, flags=re.MULTILINE)[1:]
    parts = []
    for block in blocks:
        name = re.match(r"id: (\S+)", block).group(1)
        own = table[(table["file"] == "examples") & (table["claim"] == name)]
        if own.empty:
            raise InputError("claims", f"no {name}", "the claims of examples.yaml", file="claims.csv")
        whole = own[own["statistic"] == "overall"].iloc[0]
        found = "; ".join(numbers(part) for _, part in own[own["statistic"] != "overall"].iterrows())
        written = re.sub(r"^    ", "  ", block.rstrip(), flags=re.MULTILINE)
        parts.append(f"```yaml\n- {written}\n```\n\n**{whole['verdict']}**: {found}.\n")
    return "\n".join(parts)


def verdicts(table: pd.DataFrame) -> str:
    """Verdicts of both files of the original study, side by side."""
    rows = ["On the embedded study:", "", "| claim | first rules | rules now | why |", "|---|---|---|---|"]
    whole = table[table["statistic"] == "overall"].set_index(["file", "claim"])
    for claim in whole.loc["original_study"].index:
        first, now = whole.loc[("original_study_v1", claim)], whole.loc[("original_study", claim)]
        rows.append(f"| {claim} | {first['verdict']} | {now['verdict']} | {now['reason']} |")
    return "\n".join(rows) + "\n"


def main(path: str) -> None:
    """Fill the marked places of the page."""
    table, page = read_table(path, CLAIMS), PAGE.read_text(encoding="utf-8")
    for name, text in (("verdicts", verdicts(table)), ("examples", examples(table))):
        pattern = rf"(<!-- {name} -->\n).*?(<!-- end -->)"
        page = re.sub(pattern, lambda found, text=text: found[1] + text + found[2], page, flags=re.DOTALL)
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write what claims came to into docs/claims.md.")
    parser.add_argument(
        "claims", help="claims.csv of a study with original_study, original_study_v1, examples"
    )
    try:
        main(parser.parse_args().claims)
    except (InputError, KeyError) as error:
        sys.exit(f"Error: {error}")
