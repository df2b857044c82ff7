"""Columns of `beta_recovery.csv`."""

from cortexrsa.formats.tables import Column, Table

BETA_RECOVERY = Table(
    {
        "subject": Column("text", "name of the subject"),
        "roi": Column("text", "region of interest"),
        "split": Column("text", "train or test stimuli"),
        "voxels": Column("integer", "number of voxels; values below are medians over them"),
        "r_trials": Column("number", "Pearson r of single betas with the planted ones", unit="-1 to 1"),
        "r_mean": Column(
            "number", "Pearson r of the mean over repeats with the planted signal", unit="-1 to 1"
        ),
        "reliability_true": Column(
            "number", "r_mean squared: share of the mean's variance that is signal", unit="0 to 1"
        ),
        "reliability": Column("number", "the same, estimated from split halves", unit="-1 to 1"),
        "ceiling_true": Column(
            "number", "similarity of the noiseless RDM to the measured one", unit="of the comparison"
        ),
        "ceiling_reliability": Column(
            "number", "reliability of the RDM, from halves of the repeats", unit="of the comparison"
        ),
        "ceiling_attainable": Column(
            "number", "its root, what a perfect model attains", unit="of the comparison"
        ),
    },
    file="{dataset}/beta_recovery.csv",
    row="a subject, ROI and split of a simulated study",
)
