"""Banded ridge and the variance of bands, on worlds whose shares are known."""

import numpy as np
import pytest
from test_encoding import SPLIT, TEST, TRAIN, responses_of, splits_in

from cortexrsa.encoding import fits
from cortexrsa.encoding.banded import (
    JOINT,
    banded_ridge,
    encode_bands,
    explained_variance,
    sets_of,
)
from cortexrsa.encoding.kernels import Kernel, layer_kernel, mean_kernel
from cortexrsa.encoding.regions import Region
from cortexrsa.encoding.reliability import Targets
from cortexrsa.encoding.scores import Correlations
from cortexrsa.encoding.settings import EncodingSettings
from cortexrsa.inference.settings import Settings
from support import message_of

SETTINGS = EncodingSettings(alphas={"lowest": 1e-3, "highest": 1e3, "number": 8}, band_candidates=12)


def world(seed=0, voxels=12, shared=0.0):
    """Two bands (130, 5), the second partly the first, and responses to both in equal parts."""
    generator = np.random.default_rng(seed)
    first = generator.normal(size=(130, 5))
    second = np.sqrt(shared) * first + np.sqrt(1 - shared) * generator.normal(size=(130, 5))
    weights = generator.normal(size=(2, 5, voxels)) / np.sqrt(5)
    signal = first @ weights[0] + second @ weights[1]
    return first, second, signal + 0.4 * generator.normal(size=signal.shape)


def bands_of(**features):
    return {
        name: lambda part, values=values: layer_kernel(values, part.train, part.test)
        for name, values in features.items()
    }


def test_one_band_is_ridge():
    first, _, responses = world()
    kernel = layer_kernel(first, TRAIN, TEST)
    banded = banded_ridge([kernel], responses[TRAIN], splits_in(90), SETTINGS, seed=0)
    ridge = fits.ridge(kernel, responses[TRAIN], splits_in(90), SETTINGS)
    assert np.allclose(banded, ridge.predicted, atol=1e-6)


def test_bands_spare_a_voxel_what_says_nothing_about_it():
    generator = np.random.default_rng(1)
    first, noise = generator.normal(size=(2, 130, 40))
    responses = first @ generator.normal(size=(40, 12)) + 2 * generator.normal(size=(130, 12))
    kernels = [layer_kernel(values, TRAIN, TEST) for values in (first, noise)]
    banded = banded_ridge(kernels, responses[TRAIN], splits_in(90), SETTINGS, seed=0)
    plain = fits.ridge(mean_kernel(kernels), responses[TRAIN], splits_in(90), SETTINGS).predicted
    r = [Correlations.of(each, responses[TEST]).r.mean() for each in (banded, plain)]
    assert r[0] > r[1] + 0.02


def test_unique_variance_is_what_only_a_band_explains():
    first, second, responses = world()
    table = encode_bands(
        bands_of(one=first, two=second), responses_of(responses, SPLIT), SETTINGS, Settings()
    ).set_index("band")
    # of equal parts, nothing shared: 1 / 2.16 each in the population
    for band in ("one", "two"):
        assert table["unique"][band] == pytest.approx(table["r2"][JOINT] / 2, abs=0.12)
        assert table["unique_low"][band] > 0
        # below 0 if anything: what the other band explains is noise to the one alone
        assert table["shared"][band] < 0.1
    assert table["r2"][JOINT] > 0.6


def test_what_two_bands_share_is_unique_to_neither():
    first, _, responses = world(shared=1.0)
    table = encode_bands(
        bands_of(one=first, two=first.copy()), responses_of(responses, SPLIT), SETTINGS, Settings()
    ).set_index("band")
    assert table["unique"][["one", "two"]].abs().max() < 0.02
    assert table["shared"][JOINT] == pytest.approx(table["r2"][JOINT], abs=0.03)


def test_influences_on_explained_variance_are_what_deletion_does():
    generator = np.random.default_rng(0)
    measured = generator.normal(size=(80, 3))
    predicted = measured + generator.normal(size=(80, 3))
    region = Region("sub-01", "V1", np.arange(3), Targets(measured, "unknown"), [], 0)
    value, influence = explained_variance(predicted, region)
    assert value == pytest.approx(
        (1 - ((measured - predicted) ** 2).mean(axis=0) / measured.var(axis=0)).mean()
    )
    without = []
    for left in range(80):
        kept = np.delete(np.arange(80), left)
        r2 = 1 - ((measured - predicted)[kept] ** 2).mean(axis=0) / measured[kept].var(axis=0)
        without.append(r2.mean())
    deviations = np.mean(without) - np.array(without)
    jackknife = 79 / 80 * (deviations**2).sum()
    assert np.corrcoef(influence, deviations)[0, 1] > 0.99
    assert (influence**2).sum() == pytest.approx(jackknife, rel=0.1)


def test_people_and_their_mean():
    first, second, responses = world(voxels=24)
    data = responses_of(responses, ["test"] * 130, ("sub-01", "sub-02", "sub-03"), ("V1", "LO"))
    settings = EncodingSettings(
        folds=3, alphas={"lowest": 1e-2, "highest": 1, "number": 3}, band_candidates=3
    )
    table = encode_bands(bands_of(one=first, two=second), data, settings, Settings())
    assert len(table) == 2 * 4 * 3
    assert (table["given"] == "conditional on the training sets of the folds and on the voxels").all()
    group = table[table["subject"] == "group"].set_index(["roi", "band"])
    people = table[table["subject"] != "group"].groupby(["roi", "band"])
    assert np.allclose(people["r2"].mean(), group["r2"].loc[people["r2"].mean().index])
    assert (group["r2_low"] < group["r2"]).all()


def test_sets_and_faults():
    assert len(sets_of(2)) == 3
    assert len(sets_of(3)) == 7
    first, _, responses = world()
    data = responses_of(responses, SPLIT)
    assert message_of(encode_bands, bands_of(one=first), data, SETTINGS, Settings()) == (
        "encoding.bands: found 1 band, expected at least two"
    )
    constant = np.zeros((130, 4), np.float32)
    message = message_of(encode_bands, bands_of(one=first, two=constant), data, SETTINGS, Settings())
    assert message == (
        "encoding.bands: two: found a constant layer, expected one that varies over the stimuli"
    )
    nothing = Kernel(np.zeros((3, 3)), np.zeros((1, 3)), 0.0)
    assert mean_kernel([nothing, nothing]).scale == 0
