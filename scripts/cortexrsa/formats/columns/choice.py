"""Columns of `choice.csv`."""

from cortexrsa.formats.tables import Column, Table

CHOICE = Table(
    {
        "layers": Column("text", "the layer that is to be like each ROI"),
        "weight": Column("number", "of the brain's loss beside the objective's"),
        "validation_similarity": Column(
            "number",
            "similarity with the target on the validation stimuli after a short training; missing, where the "
            "card leaves nothing to choose",
            unit="-1 to 1",
        ),
        "chosen": Column("flag", "the network was trained with it"),
    },
    file="networks/{model}/choice.csv",
    row="a layer and a weight that a network might be trained with",
)
