"""Tiny copies of the layouts in which the field's data sets come, with a planted signal.

Nobody may redistribute those data sets, so their loaders are tested on these: the same files, keys, dtypes,
axis order, scales, indexing base and quirks. `python tests/standins LAYOUT FOLDER` writes one.
"""
