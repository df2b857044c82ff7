"""Training corpora."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cortexrsa.brain.world import make_images


def procedural_corpus(options: dict) -> tuple[np.ndarray, pd.DataFrame]:
    """Images of the procedural world with their categories.

    Parameters
    ----------
    options : of the corpus card: images (for training), validation (held out), size (pixels), seed

    Returns
    -------
    images : (images + validation, size, size) uint8
    labels : one row an image: index, category, split (train or validation)
    """
    n = options["images"] + options["validation"]
    images, factors = make_images(n, options["size"], options["seed"])
    labels = pd.DataFrame({"index": np.arange(n), "category": factors["category"].to_numpy()})
    # categories are balanced and in random order, so the last images are a random sample
    labels["split"] = np.where(labels["index"] < options["images"], "train", "validation")
    return images, labels
