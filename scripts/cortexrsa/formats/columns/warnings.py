"""Columns of `warnings.csv`."""

from cortexrsa.formats.tables import Column, Table

WARNINGS = Table(
    {
        "log": Column("text", "log of the job that said it"),
        "warning": Column("text", "what it said"),
    },
    file="{dataset}/warnings.csv",
    row="a warning of a job of the study",
)
