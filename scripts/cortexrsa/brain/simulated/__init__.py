"""The embedded study: images, voxels and raw BOLD with a known truth."""
