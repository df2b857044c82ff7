"""Names in tables that say which stimuli, and whom, a score is of."""

# the split on which claims are made; layers are chosen on the other one where it exists
PRIMARY, SELECTION = "test", "train"
# the mean over all subjects
GROUP = "group"
# sets of layers from which the best is chosen, and all layers weighted (where the configuration wants it)
CANDIDATES = ("all", "middle", "last")
FITTED = "fitted"
