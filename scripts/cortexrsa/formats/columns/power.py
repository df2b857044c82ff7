"""Columns of `power.csv`."""

from cortexrsa.formats.tables import Column, Table

POWER = Table(
    {
        "file": Column("text", "file of resources/claims/ that the claim is in"),
        "claim": Column("text", "name of the claim"),
        "effect": Column("number", "size of the simulated effects; 0: networks do not differ", unit="0 to 1"),
        "stimuli": Column("integer", "number of test stimuli"),
        "subjects": Column("integer", "number of people"),
        "verdict": Column("text", "supported, contradicted, inconclusive or untestable"),
        "share": Column("number", "of the simulated studies with this verdict", unit="0 to 1"),
        "studies": Column("integer", "number of simulated studies"),
    },
    file="power/{study}/power.csv",
    row="a verdict on a claim, for an effect and a number of stimuli",
)
