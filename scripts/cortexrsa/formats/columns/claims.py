"""Columns of `claims.csv` and `profiles.csv`."""

from cortexrsa.formats.tables import Column, Table

# measures beside RSA in which claims about RSA are evaluated too
OTHER_MEASURES = ("encoding", "partial_rsa")

CLAIMS = Table(
    {
        "file": Column("text", "file of resources/claims/ that the claim is in"),
        "claim": Column("text", "name of the claim"),
        "statement": Column("text", "what it says"),
        "models": Column("text", "networks of the part, joined by a comma; empty for the claim as a whole"),
        "roi": Column("text", "region of interest; empty for the claim as a whole"),
        "statistic": Column("text", "what is estimated; overall: the claim as a whole"),
        "measure": Column(
            "text", "whose scores it is made of: rsa, encoding, partial_rsa; joined by a comma"
        ),
        "estimate": Column("number", "its estimate", unit="of the statistic"),
        "ci_low": Column("number", "lower limit of its confidence interval", unit="as estimate"),
        "ci_high": Column("number", "upper limit of its confidence interval", unit="as estimate"),
        "p": Column("number", "of the part, where the claim has a test", unit="0 to 1"),
        "p_family": Column("number", "of the whole claim, corrected for those of its file", unit="0 to 1"),
        "verdict": Column("text", "supported, contradicted, inconclusive or untestable"),
        "reason": Column("text", "why, in words"),
        **{
            f"verdict_{measure}": Column(
                "text",
                f"verdict of the same on the scores of {measure}; empty where the study has none, or the "
                "claim names its measures",
            )
            for measure in OTHER_MEASURES
        },
        "registered": Column("text", "of the claim as a whole: what is said of its registration"),
    },
    file="{dataset}/claims.csv",
    row="a claim as a whole, or one of its parts",
)

PROFILES = Table(
    {
        "model": Column("text", "name of the network's card"),
        "roi": Column("text", "region of interest"),
        "statistic": Column("text", "what is read off the profile of scores over the layers"),
        "estimate": Column(
            "number", "its estimate", unit="depths: 0 to 1; scores: -1 to 1; slope: score over depth"
        ),
        "ci_low": Column("number", "lower limit of its confidence interval", unit="as estimate"),
        "ci_high": Column("number", "upper limit of its confidence interval", unit="as estimate"),
    },
    file="{dataset}/profiles.csv",
    row="a network, ROI and statistic",
)
