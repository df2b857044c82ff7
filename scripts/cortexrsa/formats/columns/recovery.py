"""Columns of the tables of the recovery study."""

from cortexrsa.formats.tables import Column, Table

EXPERIMENTS = Table(
    {
        "scenario": Column("text", "what is planted"),
        "experiment": Column("integer", "number of the experiment, from 0"),
        "question": Column("text", "claim or test that is asked"),
        "estimate": Column("number", "estimate of its statistic", unit="of the statistic"),
        "answer": Column("text", "verdict of the claim, or significant or not"),
    },
    file="recovery/{dataset}/{scenario}.csv",
    row="a question to one simulated experiment",
)

RECOVERY = Table(
    {
        "scenario": Column("text", "what is planted"),
        "question": Column("text", "claim or test that is asked"),
        "answers": Column("text", "answers that are counted, joined by or"),
        "expected": Column("text", "found, null (at most 5 %), raw (raw RSA finds it)"),
        "experiments": Column("integer", "number of answers", unit="experiments"),
        "share": Column("number", "share of the answers that are counted", unit="0 to 1"),
        "ci_low": Column("number", "lower limit of its exact 95 % interval", unit="0 to 1"),
        "ci_high": Column("number", "upper limit of its exact 95 % interval", unit="0 to 1"),
        "holds": Column("flag", "whether the interval allows what is expected"),
    },
    file="recovery/recovery.csv",
    row="a question in one scenario",
)
