"""Error of RDMs after a random projection of the activations, with real weights on real images.

    python measurements/validation/projection.py IMAGES

Prints the table of docs/kay2008.md: Spearman's rho of exact and projected RDMs, and the largest error of
1 - r, of the layers of EfficientNet-Lite0 (ImageNet weights) for 120 photographs of the folder IMAGES (0.jpg
to 1749.jpg).
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from cortexrsa.cards import load_card
from cortexrsa.geometry.compare import compare
from cortexrsa.geometry.rdm import rdm
from cortexrsa.networks.extraction import Projection, extract
from cortexrsa.networks.settings import Preprocessing
from cortexrsa.networks.weights import build_with_weights

ROOT = Path(__file__).resolve().parents[2]
DIMENSIONS, SHOWN = (1024, 4096, 16384), 120


def main(folder: Path) -> None:
    paths = [folder / f"{index}.jpg" for index in np.linspace(0, 1749, SHOWN).astype(int)]
    images = np.stack([np.asarray(Image.open(path).convert("RGB")) for path in paths])
    card = load_card("models", "efficientnet_lite0", ROOT)
    network = build_with_weights(card["network"], card["weights"])
    preprocessing = Preprocessing(**card["preprocessing"])
    rdms, shapes = {}, {}
    for dimensions in (None, *DIMENSIONS):
        projection = Projection(dimensions, 1, centred=True) if dimensions else None
        with tempfile.TemporaryDirectory() as temporary:
            table, _ = extract(
                network, images, preprocessing, card["layers"], temporary, 16, projection=projection
            )
            arrays = {layer: np.load(f"{temporary}/{layer}.npy") for layer in card["layers"]}
        rdms[dimensions] = {layer: rdm(array) for layer, array in arrays.items()}
        shapes |= {layer: array.shape[1] for layer, array in arrays.items() if dimensions is None}
    print("| kept features | layers projected | lowest rho | mean rho | largest error of 1 - r |")
    print("|---|---|---|---|---|")
    for dimensions in DIMENSIONS:
        layers = [layer for layer in table["layer"] if shapes[layer] > dimensions]
        pairs = [(rdms[None][layer], rdms[dimensions][layer]) for layer in layers]
        rho = [compare(exact[None], projected[None])[0, 0] for exact, projected in pairs]
        error = max(np.abs(exact - projected).max() for exact, projected in pairs)
        print(f"| {dimensions:,} | {len(layers)} | {min(rho):.4f} | {np.mean(rho):.4f} | {error:.3f} |")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Error: a folder of images is needed, 0.jpg to 1749.jpg")
    main(Path(sys.argv[1]))
