"""Writes docs/tables.md with every column: `PYTHONPATH=scripts python -m cortexrsa.formats.documented`."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from cortexrsa.formats import columns
from cortexrsa.formats.tables import KINDS, Table

PAGE = Path(__file__).resolve().parents[3] / "docs" / "tables.md"
INTRODUCTION = """# Tables

Every table below `results/`, with its columns in their order. The code reads the same list: it neither writes
nor reads a table with another column (`scripts/cortexrsa/formats/columns/`).

Text is text, whatever it looks like: `NA`, `nan`, `01` and `1e3` are names. An empty cell is empty text or a
missing number (NaN). In Python `cortexrsa.formats.tables.read_table` reads a table so. Pandas takes some
names for missing values. `keep_default_na=False, na_values={"score": [""]}` keeps it from that, with the
names of all columns of numbers. Beside each table stands `TABLE.json`, which says
[what made it](../results/README.md).
"""


def all_tables() -> dict[str, Table]:
    """Every table of the workflow by the name of its columns (such as SCORES)."""
    tables = {}
    for module in sorted(found.name for found in pkgutil.iter_modules(columns.__path__)):
        content = vars(importlib.import_module(f"{columns.__name__}.{module}"))
        tables |= {name: value for name, value in content.items() if isinstance(value, Table)}
    return tables


def page() -> str:
    """The page, in Markdown."""
    parts = [INTRODUCTION]
    for table in sorted(all_tables().values(), key=lambda table: table.file):
        lines = [f"## `{table.file}`", "", f"A row is {table.row}.", ""]
        lines += ["| column | type | unit | meaning |", "|---|---|---|---|"]
        lines += [
            f"| `{name}` | {KINDS[column.kind]} | {column.unit} | {column.meaning} |"
            for name, column in table.columns.items()
        ]
        if table.further:
            lines.append(f"| (further) | {KINDS[table.further]} | | {table.further_meaning} |")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
