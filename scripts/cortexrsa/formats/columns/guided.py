"""Columns of `guided.csv`."""

from cortexrsa.formats.tables import Column, Table

# the network itself among its controls, the control without a brain, and the control that is best
GUIDED_NETWORK, UNGUIDED, BEST = "guided", "unguided", "best control"
# people by what the network has seen of them
UNSEEN, SEEN = "not trained with", "trained with"

GUIDED = Table(
    {
        "dataset": Column("text", "name of the data set's card"),
        "model": Column("text", "name of the card of a network that is trained with a brain"),
        "objective": Column("text", "what else it is trained for"),
        "loss": Column("text", "how its layers are compared with the brain in training"),
        "weight": Column("number", "of that loss"),
        "measure": Column(
            "text",
            "rsa, encoding, or another measure of measures.csv; rsa, held-out categories: on those test "
            "stimuli of whose categories no stimulus was trained on; or what it does on held-out images of "
            "its corpus: its metric of learning.csv, and its accuracy under each corruption of "
            "robustness.csv (mean over the strengths)",
        ),
        "roi": Column("text", "region of interest; empty for what is asked of images of the corpus"),
        "guided_roi": Column("flag", "whether the network was trained with responses of this ROI"),
        "people": Column(
            "text",
            "whose responses: not trained with (the primary test; everybody, where the data set is another "
            "one), or trained with; empty as roi",
        ),
        "subjects": Column("integer", "number of these people"),
        "network": Column("text", "guided, or the control whose row this is"),
        "over": Column(
            "text",
            "empty: the row is a score; else what the score is compared with: a control, or best control "
            "(the one with the smallest difference)",
        ),
        "seeds": Column("integer", "number of random seeds, paired in a difference"),
        "value": Column("number", "score, or difference of scores; missing with a note", unit="as score"),
        "se": Column(
            "number",
            "standard error over stimuli, people (from five on) and seeds; none for best control",
            unit="as score",
        ),
        "ci_low": Column("number", "lower limit of the confidence interval", unit="as score"),
        "ci_high": Column("number", "upper limit of the confidence interval", unit="as score"),
        "p": Column(
            "number",
            "two-sided, that the difference is 0; for best control the largest p of all controls, or 1 where "
            "one difference is below 0; missing for a score",
            unit="0 to 1",
        ),
        "share": Column(
            "number",
            "the value as a share of what a perfect model attains in this ROI; missing without a ceiling",
        ),
        "n_stimuli": Column(
            "number",
            "number of test stimuli; of corruptions the number of held-out images; missing for a metric of "
            "learning.csv, which is of all held-out images",
        ),
        "note": Column("text", "why a number is missing, or what it is about; empty otherwise"),
    },
    file="{dataset}/guided.csv",
    row="a score of a network trained with a brain (or of one of its controls), or a difference of two",
)
