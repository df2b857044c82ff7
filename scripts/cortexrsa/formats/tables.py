"""Tables: CSV and TSV files with typed columns, and the record of what made them.

The columns of each table stand in a module of `formats.columns`: an edit of them reruns what reads or writes
that table, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from cortexrsa.errors import InputError
from cortexrsa.storage import atomic_path, check_unchanged, write_provenance

# what a cell holds, and whether it may be empty
KINDS = {
    "text": "text",
    "number": "number",
    "integer": "whole number",
    "flag": "True or False",
}


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    kind : of `KINDS`; text may be empty, a number may be missing (an empty cell), the others have a value
    meaning : what a value says
    unit : of the values, or their range
    """

    kind: str
    meaning: str = ""
    unit: str = ""


@dataclass(frozen=True)
class Table:
    """The columns of a table.

    Attributes
    ----------
    columns : name -> column, in their order
    further : kind of columns that may follow, whatever their names; None where none may
    file : where the table lies below results/
    row : what a row is
    further_meaning : what the columns are that may follow
    """

    columns: dict[str, Column]
    further: str | None = None
    file: str = field(default="", kw_only=True)
    row: str = field(default="", kw_only=True)
    further_meaning: str = field(default="", kw_only=True)

    def kinds(self, names: list[str]) -> dict[str, str]:
        """Kind of each column of a table that has columns of these names.

        Raises
        ------
        ValueError : a column is missing, is there twice, or is not of this table.
        """
        expected = list(self.columns)
        known = names[: len(expected)] if self.further else names
        if known != expected or len(set(names)) < len(names):
            raise ValueError(f"columns: found {', '.join(names)}, expected {', '.join(expected)}")
        return {name: self.columns[name].kind if name in self.columns else self.further for name in names}


def _writable(values: pd.Series, kind: str) -> pd.Series:
    """The values as they are written, after a check of their kind."""
    missing = values.isna()
    if kind == "text":
        wrong = ~missing & ~values.map(lambda value: isinstance(value, str)).astype(bool)
        values = values.astype(object).where(~missing, "")
    elif kind == "number":
        wrong = ~missing & values.map(lambda value: isinstance(value, str | bool | np.bool)).astype(bool)
        values = values if wrong.any() else values.astype(float)
    else:
        types = (int, np.integer) if kind == "integer" else (bool, np.bool)
        wrong = missing | ~values.map(
            lambda value: isinstance(value, types) and (kind == "flag" or not isinstance(value, bool))
        ).astype(bool)
    if wrong.any():
        found = values[wrong].astype(object).iloc[0]
        raise ValueError(f"{values.name}: found {found!r}, expected {KINDS[kind]}")
    return values


def save_table(
    path: str | Path, table: pd.DataFrame, columns: Table, number_format: str | None = "%.10g"
) -> None:
    """Write the file of a table alone, where its record is that of other files: see `write_table`.

    Parameters
    ----------
    path : of the file; TSV or CSV by its suffix, or that of `columns.file`
    number_format : of numbers; None for all their digits

    Raises
    ------
    ValueError : other columns than these, or a value of another kind.
    """
    kinds = columns.kinds(list(map(str, table)))
    written = pd.DataFrame({name: _writable(table[name], kind) for name, kind in kinds.items()})
    separator = "\t" if Path(path).suffix == ".tsv" else ","
    written.to_csv(path, sep=separator, index=False, float_format=number_format)


def write_table(path: str | Path, table: pd.DataFrame, settings: dict, columns: Table) -> None:
    """Write a tidy table as CSV (or TSV by its suffix), with its provenance beside it.

    Parameters
    ----------
    table : rows with the columns of `columns` in their order; missing text is written as empty text
    settings : see `storage.provenance`
    columns : of the table

    Raises
    ------
    ValueError : other columns than these, or a value of another kind.
    """
    with atomic_path(path) as temporary:
        save_table(temporary, table, columns)
        # provenance first: a table never stands without it
        write_provenance(path, settings, {Path(path).name: temporary})


def _read(values: pd.Series, kind: str, path: str | Path) -> pd.Series:
    """Cells as values of a kind; text stays as it is, whatever it looks like."""
    if kind == "text":
        return values
    cells = values.to_numpy(object)
    try:
        if kind == "number":
            # only an empty cell is missing
            converted = np.where(cells == "", "nan", cells).astype(float)
        elif kind == "integer":
            converted = cells.astype(np.int64)
        else:
            converted = np.array([{"True": True, "False": False}[cell] for cell in cells], bool)
    except (ValueError, KeyError, OverflowError) as error:
        raise InputError(values.name, _found(cells, error), f"a {KINDS[kind]}", file=path) from error
    return pd.Series(converted, index=values.index, name=values.name)


def _found(cells: np.ndarray, error: Exception) -> str:
    """The cell that could not be read: the one that the error names, or the first that is empty."""
    return next((repr(cell) for cell in cells if cell and repr(cell) in str(error)), "an empty cell")


def read_table(path: str | Path, columns: Table) -> pd.DataFrame:
    """Read a CSV or TSV table (by its suffix).

    Parameters
    ----------
    columns : of the table

    Returns
    -------
    table : text as text ("NA", "nan", "01" and "1e3" are names, and an empty cell is empty text), numbers as
        float64 (an empty cell is NaN), whole numbers as int64, flags as bool

    Raises
    ------
    InputError : the file is missing, empty, damaged or not as it was written, has other columns, or a cell
        is not of its column's kind.
    """
    check_unchanged(path)
    separator = "\t" if Path(path).suffix == ".tsv" else ","
    try:
        cells = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, na_filter=False)
    except (OSError, ValueError) as error:
        raise InputError("table", " ".join(str(error).split()), "a table with a header", file=path) from error
    try:
        kinds = columns.kinds(list(cells))
    except ValueError as error:
        expected = ", ".join(columns.columns) + (", and what follows" if columns.further else "")
        raise InputError("columns", ", ".join(cells), expected, file=path) from error
    return pd.DataFrame({name: _read(cells[name], kind, path) for name, kind in kinds.items()})
