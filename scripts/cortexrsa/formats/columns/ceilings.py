"""Columns of `ceilings.csv`."""

from cortexrsa.formats.tables import Column, Table

CEILINGS = Table(
    {
        "dataset": Column("text", "name of the data set's card"),
        "subject": Column("text", "name of the subject; group: mean over the subjects"),
        "roi": Column("text", "region of interest"),
        "split": Column("text", "train or test stimuli"),
        "measure": Column("text", "comparison of the RDMs"),
        "kind": Column(
            "text", "what it is estimated from, or the convention of a published table; unknown: none can be"
        ),
        "lower": Column("number", "lower bound; missing where it is unknown", unit="as score"),
        "upper": Column("number", "upper bound; missing where it is unknown", unit="as score"),
        "ci_low": Column("number", "lower limit of the lower bound's confidence interval", unit="as score"),
        "ci_high": Column("number", "upper limit of the upper bound's confidence interval", unit="as score"),
        "assumes": Column("text", "what the bounds assume"),
    },
    file="{dataset}/ceilings.csv",
    row="a noise ceiling: a kind of it for a subject or the group, ROI and split",
)
