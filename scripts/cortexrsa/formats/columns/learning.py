"""Columns of `learning.csv`."""

from cortexrsa.formats.tables import Column, Table

LEARNING = Table(
    {
        "model": Column("text", "name of the network's card"),
        "seed": Column("integer", "which of the card's random seeds, from 1"),
        "objective": Column("text", "supervised, simclr, barlow_twins, autoencoder or vae"),
        "metric": Column("text", "the metric that speaks for this objective"),
        "value": Column("number", "it at the end of the training, on held-out images"),
        "before": Column("number", "the same of the untrained network"),
        "chance": Column(
            "number", "share of the most frequent category; missing without labels", unit="0 to 1"
        ),
        "bar": Column("number", "what the value should reach, from the corpus's card"),
        "learned": Column("text", "yes, no, or unknown without labels"),
        "reason": Column("text", "why, in words"),
    },
    file="{dataset}/learning.csv",
    row="a network trained here, one of its seeds",
)
