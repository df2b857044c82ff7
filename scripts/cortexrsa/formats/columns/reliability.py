"""Columns of `reliability.csv`."""

from cortexrsa.formats.tables import Column, Table

RELIABILITY = Table(
    {
        "subject": Column("text", "name of the subject"),
        "roi": Column("text", "region of interest"),
        "voxel": Column("integer", "place of the voxel in `responses.nc`, from 0"),
        "split": Column("text", "train or test stimuli"),
        "repeats": Column("integer", "most repeats of any stimulus of the split", unit="presentations"),
        "reliability": Column(
            "number",
            "reliability of the mean over the repeats; missing for a voxel without variance",
            unit="-1 to 1",
        ),
    },
    file="{dataset}/reliability.csv",
    row="a voxel and a split",
)
