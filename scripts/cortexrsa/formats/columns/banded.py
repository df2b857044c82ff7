"""Columns of `banded.csv`."""

from cortexrsa.formats.tables import Column, Table

BANDED = Table(
    {
        "dataset": Column("text", "name of the data set's card"),
        "subject": Column("text", "name of the subject; group: mean over the subjects"),
        "roi": Column("text", "region of interest"),
        "band": Column("text", "NETWORK or NETWORK/LAYER; all bands: all of them together"),
        "r2": Column(
            "number",
            "variance of the test responses that the band explains alone (all bands: together), "
            "mean over the voxels",
            unit="up to 1; may be below 0",
        ),
        "r2_low": Column("number", "lower limit of its confidence interval", unit="as r2"),
        "r2_high": Column("number", "upper limit of its confidence interval", unit="as r2"),
        "unique": Column(
            "number",
            "what all bands explain less what all others explain; missing for all bands",
            unit="as r2",
        ),
        "unique_low": Column("number", "lower limit of its confidence interval", unit="as r2"),
        "unique_high": Column("number", "upper limit of its confidence interval", unit="as r2"),
        "shared": Column(
            "number",
            "r2 less unique (all bands: less the sum of all unique parts): what other bands explain too",
            unit="as r2",
        ),
        "n_stimuli": Column("integer", "number of test stimuli", unit="stimuli"),
        "n_voxels": Column("integer", "number of voxels of the ROI, of all subjects in group", unit="voxels"),
        "given": Column(
            "text", "what the intervals are conditional on: the training set (of each fold), the voxels"
        ),
    },
    file="{dataset}/banded.csv",
    row="a subject or the group, ROI, and band",
)
