"""Columns of `guidance.csv`."""

from cortexrsa.formats.tables import Column, Table

# roles
FIT, VALIDATION, NEAR_DUPLICATE, TEST = "fit", "validation", "near_duplicate", "test"

GUIDANCE = Table(
    {
        "stimulus_id": Column("text", "name of the stimulus"),
        "split": Column("text", "its split in `stimuli.tsv`"),
        "role": Column(
            "text",
            "fit (trained on), validation (layer, weight and steps are chosen on it), held_out_category, "
            "near_duplicate (of a test stimulus), no_response (of a person), test (of another split)",
        ),
        "category_held_out": Column("flag", "no stimulus of its category is trained on"),
    },
    file="networks/{model}/guidance.csv",
    row="a stimulus of the data set that a network is trained with",
)
