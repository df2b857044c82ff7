"""Columns of `confounds.csv`."""

from cortexrsa.formats.tables import Column, Table

CONFOUNDS = Table(
    {
        "dataset": Column("text", "name of the data set's card"),
        "confound": Column("text", "descriptor of the images and member of its family, column, or file"),
        "family": Column("text", "name by which the study asks for it"),
        "given": Column("flag", "whether the user brought it; else it is made from the images"),
        "vif": Column(
            "number",
            "variance inflation 1 / (1 - R2) of its RDM by all others that are kept, over the test stimuli",
            unit="1: unrelated to them",
        ),
        "note": Column("text", "why it is left out; empty otherwise"),
    },
    file="{dataset}/confounds.csv",
    row="a confound RDM, which partial RSA takes out",
)
