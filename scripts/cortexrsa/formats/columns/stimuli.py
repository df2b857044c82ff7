"""Columns of `stimuli.tsv`."""

from cortexrsa.formats.tables import Column, Table

STIMULI = Table(
    {
        "stimulus_id": Column("text", "name of the stimulus, the same in responses and RDMs"),
        "split": Column(
            "text", "train (layers are chosen on it), test (claims are about it), or another that is scored"
        ),
        "repeats": Column(
            "integer", "how often it was shown: the fewest of any subject", unit="presentations"
        ),
    },
    "text",
    file="{dataset}/stimuli.tsv",
    row="a stimulus, in the order of `stimuli.npy`",
    further_meaning="labels of the stimuli, as the data set has them",
)
