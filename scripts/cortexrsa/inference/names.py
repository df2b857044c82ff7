"""Names in tables that say which stimuli, and whom, a score is of."""

# the split on which claims are made; layers are chosen on the other one where it exists
PRIMARY, SELECTION = "test", "train"
# training stimuli of which nothing is made in the results of a guided network, such as those it was fitted to
GUIDANCE_SPLIT = "train (guidance)"
# the mean over all subjects
GROUP = "group"
# variables of a result that are of the mean RDM too, where the group is what people share
OF_THE_MEAN = ("score", "deviations", "heldout", "heldout_deviations")
# sets of layers from which the best is chosen (the thirds without pooled layers), and all layers weighted
# (where the configuration wants it)
CANDIDATES = ("all", "middle", "last", "first third", "middle third", "last third")
FITTED = "fitted"
# sources of RDMs whose variance is shared out: a network, all descriptors of the images, and all sources
NETWORK, DESCRIPTORS, TOGETHER = "network", "descriptors", "together"


def of_the_group(scores):
    """Rows of a table of scores in the primary split: of the group, or of the one subject in a ROI without.

    `scores` is a DataFrame as of `score_table.score_table`.
    """
    primary = scores[scores["split"] == PRIMARY]
    grouped = primary["subject"] == GROUP
    return primary[grouped | ~primary["roi"].isin(primary.loc[grouped, "roi"])]
