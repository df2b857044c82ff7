"""Representational geometry: Gram matrices, RDMs and their comparison."""
