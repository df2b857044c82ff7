"""Tables: CSV and TSV with the record of what made them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from cortexrsa.errors import InputError
from cortexrsa.storage import atomic_path, check_unchanged, write_provenance


def write_table(path: str | Path, table: pd.DataFrame, settings: dict) -> None:
    """Write a tidy table as CSV (or TSV by its suffix), with its provenance beside it."""
    separator = "\t" if Path(path).suffix == ".tsv" else ","
    with atomic_path(path) as temporary:
        table.to_csv(temporary, sep=separator, index=False, float_format="%.10g")
        # provenance first: a table never stands without it
        write_provenance(path, settings, {Path(path).name: temporary})


def read_table(path: str | Path, columns: Iterable[str] = ()) -> pd.DataFrame:
    """Read a CSV or TSV table (by its suffix).

    Raises
    ------
    InputError : the file is missing, empty, damaged or not as it was written, or lacks one of `columns`.
    """
    check_unchanged(path)
    text = {"stimulus_id": str, "split": str, "layer": str, "subject": str, "roi": str, "model": str}
    try:
        separator = "\t" if Path(path).suffix == ".tsv" else ","
        # only an empty cell is missing: NA, nan, None and null may be names
        table = pd.read_csv(path, sep=separator, dtype=text, keep_default_na=False, na_values=[""])
    except (OSError, ValueError) as error:
        raise InputError("table", " ".join(str(error).split()), "a table with a header", file=path) from error
    missing = [column for column in columns if column not in table]
    if missing:
        raise InputError("columns", list(table), f"also {missing}", file=path)
    return table
