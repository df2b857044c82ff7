"""Columns of `reliability.csv`."""

from cortexrsa.formats.tables import Column, Table

RELIABILITY = Table(
    {
        "subject": Column("text", "name of the subject"),
        "roi": Column("text", "region of interest"),
        "voxel": Column("integer", "place of the voxel in `responses.nc`, from 0"),
        "split": Column("text", "train, test, or another split of the stimuli"),
        "repeats": Column("integer", "most repeats of any stimulus of the split", unit="presentations"),
        "reliability": Column(
            "number",
            "reliability of the mean over the repeats, from halves of them: the share of its variance that "
            "is signal, which bounds R²; missing for a voxel without variance",
            unit="-1 to 1",
        ),
        "ncsnr": Column(
            "number",
            "SD of the signal over that of the noise of a single trial, as published with NSD; 0 where the "
            "noise leaves nothing of the variance, missing where no noise can be told",
        ),
        "nc": Column(
            "number",
            "noise ceiling that follows from ncsnr: the part of the variance of the mean over the repeats "
            "that a perfect model explains (R²)",
            unit="percent",
        ),
        "r_reliability": Column(
            "number",
            "largest correlation of a model with the mean over the repeats: the root of reliability; missing "
            "where that is below 0",
            unit="0 to 1",
        ),
        "r_nc": Column("number", "the same bound from nc: the root of nc / 100", unit="0 to 1"),
    },
    "number",
    file="{dataset}/reliability.csv",
    row="a voxel and a split",
    further_meaning="icc_LABEL: intraclass correlation of the responses over that label of the stimuli, "
    "which errors over single stimuli leave out; -1 to 1",
)
