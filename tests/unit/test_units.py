"""Units of features, against scikit-learn's scaler and SciPy's distances."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import pdist
from sklearn.preprocessing import StandardScaler

from cortexrsa.geometry.gram import feature_slices
from cortexrsa.geometry.layers import network_rdms
from cortexrsa.geometry.rdm import rdm
from cortexrsa.geometry.units import InUnits
from cortexrsa.storage import write_provenance

SPLITS = np.repeat(["train", "test"], [14, 6])


def skewed(dtype=np.float32, p: int = 57) -> np.ndarray:
    """Features of a layer after a ReLU: means and scales of their own, some never active in training."""
    rng = np.random.default_rng(3)
    features = np.maximum(rng.normal(rng.uniform(-1, 4, p), rng.uniform(0.1, 3, p), (len(SPLITS), p)), 0)
    features[SPLITS == "train", 5] = 0
    features[SPLITS == "test", 5] = 2
    return features.astype(dtype)


def expected(features: np.ndarray, units: str, fitted_on: np.ndarray) -> np.ndarray:
    values = features.astype(np.float64)
    if units == "raw":
        return values
    varies = values[fitted_on].std(axis=0) > 0
    scaler = StandardScaler(with_std=units == "z").fit(values[fitted_on])
    values = scaler.transform(values)
    return values * varies if units == "z" else values


@pytest.mark.parametrize("units", ["raw", "centred", "z"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rdms_of_units_are_those_of_scaled_features(units, dtype, monkeypatch):
    features, training = skewed(dtype), SPLITS == "train"
    found = rdm(InUnits(features, units, training))
    np.testing.assert_allclose(
        found,
        pdist(expected(features, units, training), "correlation"),
        atol=1e-5 if dtype == np.float32 else 1e-12,
    )
    # features come in slices of any width
    monkeypatch.setattr(feature_slices, "__defaults__", (300,))
    np.testing.assert_allclose(rdm(InUnits(features, units, training)), found, atol=1e-5)


@pytest.mark.parametrize(
    ("splits", "fitted_on"), [(SPLITS, SPLITS == "train"), (["test"] * 20, np.ones(20, bool))]
)
def test_network_rdms_take_the_training_stimuli_or_all_where_there_is_one_split(tmp_path, splits, fitted_on):
    features = skewed()
    folder = tmp_path / "1-of-1"
    folder.mkdir()
    np.save(folder / "conv.npy", features)
    (folder / "layers.tsv").write_text("layer\tindex\tdepth\tshape\nconv\t0\t0.0\t57\n")
    write_provenance(folder / "layers.tsv", {}, {path.name: path for path in Path(folder).iterdir()})
    stimuli = pd.DataFrame({"stimulus_id": [f"s{k}" for k in range(20)], "split": splits, "repeats": 1})
    stimuli.to_csv(tmp_path / "stimuli.tsv", sep="\t", index=False)
    found = network_rdms([folder], tmp_path / "stimuli.tsv", "correlation", "centred").dissimilarities[0]
    np.testing.assert_allclose(
        found, pdist(expected(features, "centred", fitted_on), "correlation"), atol=1e-5
    )
    raw = network_rdms([folder], tmp_path / "stimuli.tsv", "correlation").dissimilarities[0]
    assert np.corrcoef(found, raw)[0, 1] < 0.9


def test_centred_features_keep_their_distances():
    features = skewed(np.float64)
    np.testing.assert_allclose(
        rdm(InUnits(features, "centred", SPLITS == "train"), "euclidean"),
        rdm(features, "euclidean"),
        rtol=1e-10,
    )
