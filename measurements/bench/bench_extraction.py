"""Extraction of all layers of ResNet-50 against the bare forward passes over the same batches."""

import os
import tempfile

import numpy as np
import torch
import torchvision
from harness import Case

from cortexrsa.networks.extraction import extract
from cortexrsa.networks.preprocessing import prepare
from cortexrsa.networks.settings import Preprocessing

PREPROCESSING = Preprocessing(224, mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
LAYERS = ["relu"]
LAYERS += [f"layer{stage}.{block}" for stage, blocks in enumerate((3, 4, 6, 3), 1) for block in range(blocks)]
LAYERS += ["avgpool"]
IMAGES, BATCH = 128, 32


def inputs():
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    images = np.random.default_rng(0).integers(0, 256, (IMAGES, 128, 128, 3), np.uint8)
    network = torchvision.models.resnet50(weights=None).eval()
    return {"network": network, "images": images}


def ours(network, images):
    with tempfile.TemporaryDirectory() as folder:
        extract(network, images, PREPROCESSING, LAYERS, folder, batch_size=BATCH, device="cpu")


def bare(network, images):
    network = network.to(memory_format=torch.channels_last)
    with torch.inference_mode():
        for start in range(0, len(images), BATCH):
            network(prepare(images[start : start + BATCH], PREPROCESSING))


CASES = [
    Case(
        name="extraction_resnet50",
        size=f"18 layers (25.2 MB an image), {IMAGES} images of 224 x 224, batches of {BATCH}",
        peer=f"torch {torch.__version__.split('+')[0]}, bare forward passes",
        inputs=inputs,
        ours=ours,
        theirs=bare,
        ours_units=IMAGES,
        peer_units=IMAGES,
        repeats=3,
        peer_repeats=3,
        goal=0.87,  # 1.15 times as long
    )
]
