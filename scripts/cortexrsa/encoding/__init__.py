"""Encoding models: how well the layers of a network predict the responses of voxels."""
