"""Statistical inference on RDM comparisons: bootstrap, permutation, ceilings and claims."""
