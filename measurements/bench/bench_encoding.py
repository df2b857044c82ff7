"""Encoding models of a layer, against scikit-learn on its features and himalaya on its kernel."""

import functools
from importlib.metadata import version

import numpy as np
import pandas as pd
import xarray
from harness import Case
from sklearn.linear_model import RidgeCV

from cortexrsa.encoding.folds import random_folds
from cortexrsa.encoding.kernels import layer_kernel
from cortexrsa.encoding.network import encode_network
from cortexrsa.encoding.settings import EncodingSettings
from cortexrsa.inference.settings import Settings

TRAIN, TEST, VOXELS, FEATURES = 1750, 120, 8428, 20_000
SETTINGS = EncodingSettings()
# each accumulated, fitted and scored for itself
LAYERS = 20


def kay_like() -> dict:
    """Features of a layer, and averages over 2 and 13 repeats as those of Kay et al. (2008)."""
    generator = np.random.default_rng(0)
    features = generator.standard_normal((TRAIN + TEST, FEATURES), dtype=np.float32)
    code = features[:, :200] @ generator.standard_normal((200, VOXELS), dtype=np.float32) / 14
    repeats = np.repeat([2.0, 13.0], [TRAIN, TEST])
    noise = generator.standard_normal(code.shape, dtype=np.float32) * 3 / np.sqrt(repeats)[:, None]
    return {"features": features, "responses": (code + noise).astype(np.float32), "repeats": repeats}


def network(features, responses, repeats):
    """All of our job but the files: kernels, fits, scores with errors, permutations."""
    coords = {
        "stimulus_id": ("stimulus", np.arange(len(responses)).astype(str).astype(object)),
        "split": ("stimulus", np.repeat(np.array(["train", "test"], object), [TRAIN, TEST])),
        "repeats": ("stimulus", repeats),
        "subject": ("voxel", np.full(VOXELS, "sub-01", object)),
        "roi": ("voxel", np.repeat(np.array([f"ROI{k}" for k in range(7)], object), VOXELS // 7)),
    }
    data = xarray.DataArray(responses, dims=("stimulus", "voxel"), coords=coords)
    layers = pd.DataFrame({"layer": [f"layer{k}" for k in range(LAYERS)], "layer_index": range(LAYERS)})
    layers["depth"] = np.linspace(0, 1, LAYERS)
    return encode_network(layers, lambda name: features, data, SETTINGS, Settings())


def scikit_learn(features, responses, repeats):
    """One regularisation of the grid: 5 fits of the folds, and the fit to all; then the prediction."""
    del repeats
    model = RidgeCV([1e4], cv=5).fit(features[:TRAIN], responses[:TRAIN])
    return model.predict(features[TRAIN:])


@functools.cache
def ready() -> dict:
    made = kay_like()
    kernel = layer_kernel(made["features"], np.arange(TRAIN), np.arange(TRAIN, TRAIN + TEST))
    return {"made": made, "kernel": kernel}


def ours_with_kernel(made, kernel):
    del kernel
    return network(**made)


def himalaya(made, kernel):
    """Its grid search and fit by one function of its own, and the prediction."""
    from himalaya.kernel_ridge import solve_kernel_ridge_cv_eigenvalues
    from sklearn.model_selection import PredefinedSplit

    folds = random_folds(np.arange(TRAIN), SETTINGS.folds, np.random.default_rng(0))
    responses = made["responses"][:TRAIN].astype(np.float64)
    responses -= responses.mean(axis=0)
    _, dual, _ = solve_kernel_ridge_cv_eigenvalues(
        kernel.train, responses, alphas=SETTINGS.grid, cv=PredefinedSplit(folds)
    )
    return kernel.test @ dual


SIZE = f"a layer of {FEATURES:,} features, {VOXELS:,} voxels, {TRAIN:,} + {TEST} stimuli, 5 folds x 20 alphas"
CASES = [
    Case(
        name="encoding, from features",
        size=SIZE,
        peer=f"scikit-learn {version('scikit-learn')} RidgeCV (6 of its 101 fits)",
        inputs=kay_like,
        ours=network,
        theirs=scikit_learn,
        ours_units=LAYERS,
        peer_units=6 / 101,
        repeats=1,
        goal=20,
    ),
    Case(
        name="encoding, from a ready kernel",
        size=SIZE,
        peer=f"himalaya {version('himalaya')} without kernels, scores and tests",
        inputs=ready,
        ours=ours_with_kernel,
        theirs=himalaya,
        ours_units=LAYERS,
        repeats=1,
        goal=1 / 1.2,
    ),
]
