"""Tables that others wrote: tab- or comma-separated values, read as text."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd

from cortexrsa.errors import InputError, reason

MISSING = ("n/a", "")
COMMAS = (".csv",)


def read_foreign_table(path: str | Path) -> pd.DataFrame:
    """A table as text, NaN for n/a and empty cells; its index holds the lines of the file.

    Cells are separated by commas in a .csv file, and by tabs in any other. Separators at the end of rows are
    no columns, nor is a nameless first one, where pandas writes its index. Text stays as it is: `001` is no
    number.

    Raises
    ------
    InputError : no such file, no UTF-8, no header, a column twice, or a row that is longer or shorter than
        the header.
    """
    path = Path(path)
    commas = path.suffix.lower() in COMMAS
    kind = "comma-separated values" if commas else "tab-separated values"
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter="," if commas else "\t")
            rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(row)]
    except (OSError, ValueError, csv.Error) as error:
        raise InputError("table", reason(error), kind, file=path) from error
    if not rows:
        raise InputError("table", "an empty file", "a header, and a row for each entry", file=path)
    header = rows.pop(0)[1]
    while header and not header[-1]:
        header.pop()
    nameless = len(header) > 1 and not header[0]
    for name in header[nameless:]:
        if not name or header.count(name) > 1:
            raise InputError(
                "header", f"{name!r} twice" if name else "a nameless column", "unique names", file=path
            )
    for line, row in rows:
        while len(row) > len(header) and not row[-1]:
            row.pop()
        if len(row) != len(header):
            raise InputError(
                f"line {line}", f"{len(row)} values", f"{len(header)}, one for each column", file=path
            )
    rows, header = [(line, row[nameless:]) for line, row in rows], header[nameless:]
    table = pd.DataFrame(
        [row for _, row in rows], columns=header, index=[line for line, _ in rows], dtype=object
    )
    return table.mask(table.isin(MISSING))
