"""Columns of `comparisons.csv` and `ranks.csv`."""

from cortexrsa.formats.tables import Column, Table

# kinds of comparisons
PAIR, CEILING, CONTROL = "pair", "ceiling", "control"
PLACE = {
    "dataset": Column("text", "name of the data set's card"),
    "roi": Column("text", "region of interest"),
    "measure": Column("text", "comparison of the RDMs"),
    "statistic": Column(
        "text",
        "which score is compared: held-out best layer, or held-out weighted layers (inference: fitted)",
    ),
}

COMPARISONS = Table(
    {
        **PLACE,
        "kind": Column(
            "text",
            "pair: two networks; ceiling: a network and what a perfect model attains; control: a network "
            "and its untrained control. Each kind is a family of tests of its own",
        ),
        "first": Column("text", "name of the network's card; of a pair the one with the higher score"),
        "second": Column("text", "what it is compared with: another network, or the noise ceiling"),
        "first_score": Column("number", "score of the first", unit="-1 to 1"),
        "second_score": Column("number", "score of the second; missing with a note", unit="-1 to 1"),
        "difference": Column("number", "first - second; missing with a note", unit="as score"),
        "se": Column(
            "number", "its standard error, paired; against the ceiling as if independent", unit="as score"
        ),
        "ci_low": Column("number", "lower limit of its confidence interval, for it alone", unit="as score"),
        "ci_high": Column("number", "upper limit of its confidence interval, for it alone", unit="as score"),
        "p": Column("number", "two-sided, that the difference is 0", unit="0 to 1"),
        "p_fwe": Column(
            "number",
            "the same, corrected for the family: the chance of a wrong order anywhere in it "
            "(the maximum over all pairs in steps; Holm against the ceiling)",
            unit="0 to 1",
        ),
        "q_fdr": Column(
            "number", "the same, by Benjamini and Hochberg's false discovery rate", unit="0 to 1"
        ),
        "note": Column("text", "why a number is missing; empty otherwise"),
    },
    file="{dataset}/comparisons.csv",
    row="a comparison of a network with another one, with the noise ceiling or with its control, in a ROI",
)

RANKS = Table(
    {
        **PLACE,
        "model": Column("text", "name of the network's card"),
        "seeds": Column("integer", "number of its random seeds, of which the score is the mean"),
        "seed_sd": Column(
            "number", "standard deviation of their scores; missing for one seed", unit="as score"
        ),
        "score": Column("number", "its score; missing with a note", unit="-1 to 1"),
        "ci_low": Column("number", "lower limit of its confidence interval, for it alone", unit="as score"),
        "ci_high": Column("number", "upper limit of its confidence interval, for it alone", unit="as score"),
        "rank": Column("number", "rank of its score among the networks", unit="1: the highest"),
        "rank_low": Column(
            "number",
            "best rank that the data leave it; the interval to rank_high holds for all networks at once",
        ),
        "rank_high": Column("number", "worst rank that the data leave it"),
        "networks": Column("integer", "number of networks that have a rank"),
        "note": Column("text", "why a number is missing; empty otherwise"),
    },
    file="{dataset}/ranks.csv",
    row="a network in a ROI",
)
