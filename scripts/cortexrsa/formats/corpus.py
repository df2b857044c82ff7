"""Training corpora: images and the table of their labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cortexrsa.formats.columns.corpus import CORPUS
from cortexrsa.formats.stimuli import write_with_table


def write_corpus(
    images_path: str | Path, labels_path: str | Path, images: np.ndarray, labels: pd.DataFrame, settings: dict
) -> None:
    """Write the images (n, H, W) uint8 of a training corpus and a row of labels for each, with provenance."""
    write_with_table(images_path, labels_path, images, labels, settings, CORPUS)
