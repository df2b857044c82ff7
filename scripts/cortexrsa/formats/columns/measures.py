"""Columns of `measures.csv`, `measure_ranks.csv` and `rdm_variance.csv`."""

from cortexrsa.formats.tables import Column, Table

MEASURES = Table(
    {
        "dataset": Column("text", "name of the data set's card"),
        "subject": Column("text", "name of the subject; group: mean over the subjects"),
        "roi": Column("text", "region of interest"),
        "model": Column("text", "name of the network's card"),
        "seed": Column("integer", "which of the card's random seeds, from 1"),
        "layer": Column("text", "name of the layer"),
        "layer_index": Column("integer", "its place among the layers of the card, from 0"),
        "depth": Column("number", "relative depth", unit="0 first, 1 last layer"),
        "measure": Column("text", "rsa (as in scores.csv), encoding (ridge), or one of docs/measures.md"),
        "score": Column("number", "by this measure; missing with a note", unit="that of `scale`"),
        "se": Column("number", "its standard error", unit="as score"),
        "ci_low": Column("number", "lower limit of its confidence interval", unit="as score"),
        "ci_high": Column("number", "upper limit of its confidence interval", unit="as score"),
        "p": Column("number", "permutation test against zero, where the measure has one", unit="0 to 1"),
        "p_fwe": Column(
            "number",
            "the same, corrected for all layers of all networks in the ROI by the maximum",
            unit="0 to 1",
        ),
        "q_fdr": Column(
            "number", "the same, by Benjamini and Hochberg's false discovery rate", unit="0 to 1"
        ),
        "n_stimuli": Column("integer", "number of test stimuli", unit="stimuli"),
        "scale": Column("text", "what a score is, and what it is by chance"),
        "errors": Column("text", "how the standard error is made"),
        "dimensionality": Column(
            "number",
            "participation ratio of the layer's patterns; missing without a measure of Gram matrices",
            unit="dimensions",
        ),
        "roi_dimensionality": Column(
            "number", "the same of the ROI's patterns, noise included", unit="dimensions"
        ),
        "note": Column(
            "text", "why a score is missing; of soft matching also what is matched; empty otherwise"
        ),
    },
    file="{dataset}/measures.csv",
    row="a subject or the group, ROI, layer of a network (of one of its seeds), and measure; test stimuli",
)

MEASURE_RANKS = Table(
    {
        "dataset": Column("text", "name of the data set's card"),
        "roi": Column("text", "region of interest"),
        "measure": Column("text", "as in measures.csv"),
        "model": Column("text", "name of the network's card"),
        "score": Column(
            "number", "held-out best layer, of the group or the one subject", unit="of the measure"
        ),
        "ci_low": Column("number", "lower limit of its confidence interval", unit="as score"),
        "ci_high": Column("number", "upper limit of its confidence interval", unit="as score"),
        "rank": Column("number", "of the network under this measure", unit="1: the largest score"),
        "w": Column(
            "number", "Kendall's W of the ranks under all measures, in the ROI", unit="0 to 1: alike"
        ),
        "w_low": Column("number", "lower limit of its confidence interval", unit="0 to 1"),
        "w_high": Column("number", "upper limit of its confidence interval", unit="0 to 1"),
    },
    file="{dataset}/measure_ranks.csv",
    row="a ROI, measure and network",
)

RDM_VARIANCE = Table(
    {
        "dataset": Column("text", "name of the data set's card"),
        "subject": Column("text", "name of the subject; group: of the mean correlation over the subjects"),
        "roi": Column("text", "region of interest"),
        "model": Column("text", "name of the network's card"),
        "seed": Column("integer", "which of the card's random seeds, from 1"),
        "source": Column(
            "text",
            "network (all its layers), descriptors (of the images), a confound of the user; or together",
        ),
        "r2": Column(
            "number",
            "r |r| of the ROI's RDM with the source's RDMs, weighted (>= 0) on other stimuli",
            unit="-1 to 1",
        ),
        "r2_low": Column("number", "lower limit of its confidence interval", unit="as r2"),
        "r2_high": Column("number", "upper limit of its confidence interval", unit="as r2"),
        "unique": Column(
            "number", "of all sources less that of all others; missing for together", unit="as r2"
        ),
        "unique_low": Column("number", "lower limit of its confidence interval", unit="as r2"),
        "unique_high": Column("number", "upper limit of its confidence interval", unit="as r2"),
        "shared": Column(
            "number",
            "r2 less unique (together: less the sum of all unique parts): what other sources explain too",
            unit="as r2",
        ),
        "n_stimuli": Column("integer", "number of test stimuli", unit="stimuli"),
    },
    file="{dataset}/rdm_variance.csv",
    row="a ROI, network (of one of its seeds) and source, of the group or the one subject; needs confounds",
)
