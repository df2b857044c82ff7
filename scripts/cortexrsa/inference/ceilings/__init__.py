"""Noise ceilings: what the best possible model could score."""
