"""Columns of `encoding.csv`."""

from cortexrsa.formats.tables import Column, Table

ENCODING = Table(
    {
        "dataset": Column("text", "name of the data set's card"),
        "subject": Column("text", "name of the subject; group: mean over the subjects"),
        "roi": Column("text", "region of interest"),
        "model": Column("text", "name of the network's card"),
        "seed": Column("integer", "which of the card's random seeds, from 1"),
        "layer": Column("text", "name of the layer"),
        "layer_index": Column("integer", "its place among the layers of the card, from 0"),
        "depth": Column("number", "relative depth", unit="0 first, 1 last layer"),
        "method": Column("text", "ridge, or pls (partial least squares)"),
        "score": Column(
            "number",
            "mean over the voxels of Pearson's r of predicted and measured responses to the test stimuli",
            unit="-1 to 1",
        ),
        "se": Column("number", "its standard error", unit="as score"),
        "ci_low": Column("number", "lower limit of its confidence interval", unit="as score"),
        "ci_high": Column("number", "upper limit of its confidence interval", unit="as score"),
        "median": Column("number", "median of r over the voxels", unit="-1 to 1"),
        "corrected": Column(
            "number",
            "mean of r / mean of the root of the reliability, over the voxels of enough reliability; "
            "missing if it is unknown; may exceed 1",
            unit="1: all that is reliable",
        ),
        "corrected_low": Column("number", "lower limit of its confidence interval", unit="as corrected"),
        "corrected_high": Column("number", "upper limit of its confidence interval", unit="as corrected"),
        "corrected_median": Column(
            "number", "median of r / root of the reliability over the same voxels", unit="as corrected"
        ),
        "r2": Column(
            "number", "mean over the voxels of 1 - residual / total variance", unit="up to 1; may be below 0"
        ),
        "corrected_r2": Column(
            "number",
            "r2 / mean reliability (the noise ceiling of R2), over all voxels",
            unit="1: all that is reliable",
        ),
        "ceiling": Column(
            "number", "mean root of the reliability that `corrected` is divided by", unit="0 to 1"
        ),
        "p": Column("number", "permutation test of score against zero", unit="0 to 1"),
        "p_fwe": Column(
            "number",
            "the same, corrected for all layers of all networks in the ROI by the maximum",
            unit="0 to 1",
        ),
        "q_fdr": Column(
            "number", "the same, by Benjamini and Hochberg's false discovery rate", unit="0 to 1"
        ),
        "n_stimuli": Column("integer", "number of test stimuli", unit="stimuli"),
        "n_voxels": Column("integer", "number of voxels of the ROI, of all subjects in group", unit="voxels"),
        "n_left_out": Column(
            "number",
            "voxels below the minimum of the reliability (a mean where two halves of the repeats are scored)",
            unit="voxels",
        ),
        "alpha_low": Column(
            "number",
            "regularisation of ridge: 10 % quantile over the voxels",
            unit="kernel of mean diagonal 1",
        ),
        "alpha_median": Column("number", "the same: median", unit="kernel of mean diagonal 1"),
        "alpha_high": Column("number", "the same: 90 % quantile", unit="kernel of mean diagonal 1"),
        "reliability_source": Column("text", "what reliability is estimated from"),
        "given": Column(
            "text", "what the intervals are conditional on: the training set (of each fold), the voxels"
        ),
        "trained_on": Column("text", "source of the stimuli that the network was trained on; empty: none"),
        "note": Column("text", "why a score is missing; empty otherwise"),
    },
    file="{dataset}/encoding.csv",
    row="a subject or the group, ROI, layer of a network, and method",
)
