"""One layer of encoding models on 9,000 training stimuli and 15,000 voxels: seconds, and peak memory.

python measurements/scale/large_encoding.py [--train N] [--voxels N]: the size of one subject of the NSD, with
invented data. The last line says what 200 networks of 20 layers come to at this rate.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import xarray

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "measurements" / "bench")]

from harness import peak_mb  # noqa: E402

from cortexrsa.encoding.network import encode_network  # noqa: E402
from cortexrsa.encoding.settings import EncodingSettings  # noqa: E402
from cortexrsa.inference.settings import Settings  # noqa: E402

TEST, FEATURES, LATENT = 515, 20_000, 200
NETWORKS, LAYERS = 200, 20


def invented(train: int, voxels: int) -> tuple[np.ndarray, xarray.DataArray]:
    """Features (stimuli, p), and averages over 3 repeats that are linear in some of them."""
    random = np.random.default_rng(0)
    n = train + TEST
    features = random.standard_normal((n, FEATURES), dtype=np.float32)
    responses = features[:, :LATENT] @ random.standard_normal((LATENT, voxels), dtype=np.float32) / 14
    for rows in np.array_split(np.arange(n), 20):
        responses[rows] += 1.5 * random.standard_normal((len(rows), voxels), dtype=np.float32)
    coords = {
        "stimulus_id": ("stimulus", np.arange(n).astype(str).astype(object)),
        "split": ("stimulus", np.repeat(np.array(["train", "test"], object), [train, TEST])),
        "repeats": ("stimulus", np.full(n, 3.0)),
        "subject": ("voxel", np.full(voxels, "sub-01", object)),
        "roi": ("voxel", np.full(voxels, "nsdgeneral", object)),
    }
    return features, xarray.DataArray(responses, dims=("stimulus", "voxel"), coords=coords)


def main(train: int, voxels: int) -> None:
    """Time one layer, from its features to its scores with errors and tests."""
    features, responses = invented(train, voxels)
    layers = pd.DataFrame({"layer": ["layer"], "layer_index": [0], "depth": [0.0]})
    wall, cpu = time.perf_counter(), time.process_time()
    encode_network(layers, lambda _: features, responses, EncodingSettings(), Settings())
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{train:,} + {TEST} stimuli, {voxels:,} voxels, {FEATURES:,} features, 5 folds x 20 alphas")
    print(f"{wall:.0f} s by the clock, {cpu:.0f} CPU seconds, {peak_mb() / 1e3:.1f} GB at most")
    days = cpu * NETWORKS * LAYERS / 86_400
    print(f"{NETWORKS} networks of {LAYERS} layers: {days:.0f} CPU days of one core, one subject")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=int, default=9_000)
    parser.add_argument("--voxels", type=int, default=15_000)
    main(**vars(parser.parse_args()))
