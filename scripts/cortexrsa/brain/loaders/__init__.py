"""Data sets as they come, one module a layout."""
