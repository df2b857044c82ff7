"""The report: one page of a study and data set, which opens with the answer."""
