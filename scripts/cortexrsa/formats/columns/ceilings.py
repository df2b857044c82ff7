"""Columns of `ceilings.csv`."""

from cortexrsa.formats.tables import Column, Table

CEILINGS = Table(
    {
        "dataset": Column("text", "name of the data set's card"),
        "subject": Column(
            "text", "name of the subject; group: mean over the subjects, or their mean RDM (kind mean-rdm)"
        ),
        "roi": Column("text", "region of interest"),
        "split": Column("text", "train or test stimuli"),
        "measure": Column("text", "comparison of the RDMs"),
        "kind": Column(
            "text", "what it is estimated from, or the convention of a published table; unknown: none can be"
        ),
        "lower": Column(
            "number",
            "of several people: similarity of each to the mean RDM of the others; missing without them",
            unit="as score",
        ),
        "lower_ci_low": Column("number", "lower limit of its confidence interval", unit="as score"),
        "upper": Column(
            "number", "of several people: similarity of each to the mean RDM of all", unit="as score"
        ),
        "upper_ci_high": Column("number", "upper limit of its confidence interval", unit="as score"),
        "reliability": Column(
            "number",
            "of repeats (of the mean RDM: over people): similarity of two measurements of this quality, "
            "which a perfect model exceeds; missing without them",
            unit="as score",
        ),
        "reliability_ci_low": Column("number", "lower limit of its confidence interval", unit="as score"),
        "attainable": Column(
            "number",
            "score of a perfect model: the geometry that people share, or the noiseless RDM; missing where "
            "it is unknown",
            unit="as score",
        ),
        "attainable_ci_low": Column("number", "lower limit of its confidence interval", unit="as score"),
        "attainable_ci_high": Column("number", "upper limit of its confidence interval", unit="as score"),
        "assumes": Column("text", "what the bounds assume"),
    },
    file="{dataset}/ceilings.csv",
    row="a noise ceiling: a kind of it for a subject or the group, ROI and split",
)
