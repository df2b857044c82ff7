"""Columns of `scores.csv`."""

from cortexrsa.formats.tables import Column, Table

SCORES = Table(
    {
        "dataset": Column("text", "name of the data set's card"),
        "subject": Column(
            "text", "name of the subject; group: mean over the subjects, or their mean RDM (inference: group)"
        ),
        "roi": Column("text", "region of interest"),
        "model": Column("text", "name of the network's card"),
        "seed": Column("integer", "which of the card's random seeds, from 1"),
        "layer": Column("text", "name of the layer"),
        "layer_index": Column("integer", "its place among the layers of the card, from 0"),
        "depth": Column("number", "relative depth", unit="0 first, 1 last layer"),
        "split": Column("text", "train or test stimuli"),
        "measure": Column("text", "comparison of the RDMs"),
        "score": Column(
            "number", "similarity of the layer's and the ROI's RDM; missing with a note", unit="-1 to 1"
        ),
        "se": Column("number", "its standard error", unit="as score"),
        "ci_low": Column("number", "lower limit of its confidence interval", unit="as score"),
        "ci_high": Column("number", "upper limit of its confidence interval", unit="as score"),
        "p": Column("number", "permutation test against zero, of the test stimuli", unit="0 to 1"),
        "p_fwe": Column(
            "number",
            "the same, corrected for all layers of all networks in the ROI by the maximum",
            unit="0 to 1",
        ),
        "q_fdr": Column(
            "number", "the same, by Benjamini and Hochberg's false discovery rate", unit="0 to 1"
        ),
        "n_stimuli": Column("integer", "number of stimuli of the split", unit="stimuli"),
        "note": Column("text", "why a score is missing, or that it is against the mean RDM; empty otherwise"),
    },
    file="{dataset}/scores.csv",
    row="a subject or the group, ROI, layer of a network (of one of its seeds), and split",
)
