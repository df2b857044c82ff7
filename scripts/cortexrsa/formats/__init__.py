"""Formats of the files between the stages, one module a format."""
