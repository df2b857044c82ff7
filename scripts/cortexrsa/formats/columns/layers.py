"""Columns of `layers.tsv`."""

from cortexrsa.formats.tables import Column, Table

LAYERS = Table(
    {
        "layer": Column("text", "name of the layer, as PyTorch has it"),
        "index": Column("integer", "its place among the layers of the card, from 0"),
        "depth": Column("number", "relative depth", unit="0 first, 1 last layer"),
        "shape": Column("text", "shape of its output for one image, as CxHxW", unit="units"),
    },
    file="{dataset}/activations/{features}/{model}/{shard}/layers.tsv",
    row="a layer, in the order of the card",
)
