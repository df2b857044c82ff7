"""The training corpus of procedural images, made here."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cortexrsa.brain.simulated.images import make_images
from cortexrsa.networks.corpora import index_table, split_of


def procedural_corpus(options: dict) -> tuple[np.ndarray, pd.DataFrame]:
    """Images of the procedural world with their categories.

    Parameters
    ----------
    options : of the corpus card: images, validation (share held out), size (pixels), seed

    Returns
    -------
    images : (n, size, size) uint8
    index : one row an image: file (its name), category, split
    """
    images, factors = make_images(options["images"], options["size"], options["seed"])
    names = [f"{k:06d}" for k in range(len(images))]
    splits = [split_of(name, options["validation"]) for name in names]
    return images, index_table(names, factors["category"].to_numpy(), splits)
