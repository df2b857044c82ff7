"""Columns of a GLM's design matrix."""

from cortexrsa.formats.tables import Column, Table

DESIGN = Table(
    {"time": Column("number", "middle of the slice acquisition from the start of the run", unit="s")},
    "number",
    file="{dataset}/glm/{glm}/sub-{subject}_design.tsv",
    row="a volume of the first run",
    further_meaning="regressors: the events, the drift and the confounds",
)
