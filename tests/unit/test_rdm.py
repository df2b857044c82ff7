"""RDMs against rsatoolbox, and their numerical behaviour."""

import numpy as np
import pandas as pd
import pytest
import rsatoolbox
from threadpoolctl import threadpool_limits

from cortexrsa.formats.rdms import RDMs, read_rdms, write_rdms
from cortexrsa.geometry import gram
from cortexrsa.geometry.rdm import rdm, select_stimuli, squareform

RSATOOLBOX = {"correlation": "correlation", "euclidean": "euclidean"}


@pytest.fixture(params=[np.float32, np.float64])
def patterns(request):
    return np.random.default_rng(0).gamma(2.0, size=(30, 500)).astype(request.param)


@pytest.mark.parametrize("dissimilarity", RSATOOLBOX)
def test_equals_rsatoolbox(patterns, dissimilarity):
    expected = rsatoolbox.rdm.calc_rdm(
        rsatoolbox.data.Dataset(patterns.astype(np.float64)), method=RSATOOLBOX[dissimilarity]
    ).dissimilarities[0]
    tolerance = 1e-6 if patterns.dtype == np.float32 else 1e-12
    assert np.abs(rdm(patterns, dissimilarity) - expected).max() < tolerance * max(1, expected.max())


def test_cosine_equals_scipy(patterns):
    from scipy.spatial.distance import pdist

    tolerance = 1e-6 if patterns.dtype == np.float32 else 1e-12
    assert np.abs(rdm(patterns, "cosine") - pdist(patterns.astype(np.float64), "cosine")).max() < tolerance


@pytest.mark.parametrize("dissimilarity", ["correlation", "euclidean", "cosine"])
def test_chunks_of_features_change_nothing(patterns, dissimilarity, monkeypatch):
    whole = rdm(patterns, dissimilarity)
    tolerance = (1e-6 if patterns.dtype == np.float32 else 1e-12) * max(1, whole.max())
    monkeypatch.setattr(gram, "feature_slices", lambda features: [slice(k, k + 7) for k in range(0, 500, 7)])
    assert np.abs(rdm(patterns, dissimilarity) - whole).max() < tolerance


def test_a_large_constant_offset_does_no_harm():
    small = np.random.default_rng(1).normal(size=(20, 400))
    expected = 1 - np.corrcoef(np.float32(1e4 + small).astype(np.float64))[np.triu_indices(20, 1)]
    assert np.abs(rdm(np.float32(1e4 + small)) - expected).max() < 1e-6


def test_many_distinct_values_survive():
    # 1 - r in float32 would merge neighbouring values near 1
    features = np.random.default_rng(2).normal(size=(300, 40))
    assert len(np.unique(rdm(features))) == 300 * 299 // 2


@pytest.mark.parametrize("dissimilarity", ["correlation", "euclidean", "cosine"])
def test_threads_change_nothing(dissimilarity):
    # two chunks and a rest, large enough for BLAS to share out, which rounds sums of float32 differently
    width = gram.CHUNK_BYTES // (4 * 400)
    features = np.random.default_rng(3).normal(size=(400, 2 * width + 100)).astype(np.float32)
    with threadpool_limits(1):
        one = rdm(features, dissimilarity)
    with threadpool_limits(2):
        assert (rdm(features, dissimilarity, threads=2) == one).all()


@pytest.mark.parametrize("dissimilarity", ["euclidean", "correlation"])
def test_small_differences_survive_an_offset(dissimilarity):
    small = np.random.default_rng(7).normal(size=(20, 400))
    offset = np.float32(1e4 + small).astype(np.float64)
    exact = offset - offset.mean()
    assert rdm(np.float32(offset), dissimilarity) == pytest.approx(rdm(exact, dissimilarity), rel=2e-5)


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e4])
def test_a_constant_pattern_is_undefined(constant):
    features = np.random.default_rng(3).normal(size=(10, 50)).astype(np.float32)
    features[4] = constant
    dissimilarities = squareform(rdm(features))
    np.fill_diagonal(dissimilarities, 0)
    assert np.isnan(np.delete(dissimilarities[4], 4)).all()
    assert np.isfinite(np.delete(np.delete(dissimilarities, 4, 0), 4, 1)).all()


def test_condensed_order_is_that_of_scipy():
    from scipy.spatial.distance import squareform as scipy_squareform

    condensed = np.random.default_rng(4).random(15)
    assert (squareform(condensed) == scipy_squareform(condensed)).all()


def test_select_stimuli():
    features = np.random.default_rng(5).normal(size=(12, 30))
    keep = np.arange(12) % 3 != 0
    assert np.allclose(select_stimuli(rdm(features)[None], keep)[0], rdm(features[keep]))


@pytest.mark.parametrize("stimulus", ["image_{}.jpg", "Bild_ä{}"])
def test_file_opens_in_rsatoolbox(tmp_path, stimulus):
    values = np.random.default_rng(6).random((2, 28))
    rdms = RDMs(
        values,
        pd.DataFrame({"layer": ["conv1", "fc"], "depth": [0.0, 1.0]}),
        pd.DataFrame({"stimulus_id": [stimulus.format(k) for k in range(8)], "split": "test"}),
        "correlation",
    )
    write_rdms(tmp_path / "net.h5", rdms, {"seed": 1})
    opened = rsatoolbox.rdm.load_rdm(str(tmp_path / "net.h5"))
    assert (opened.dissimilarities == values).all()
    assert list(opened.rdm_descriptors["layer"]) == ["conv1", "fc"]
    assert opened.dissimilarity_measure == "correlation"
    assert opened.subset_pattern("split", "test").n_cond == 8
    ours = read_rdms(tmp_path / "net.h5")
    for name in ("stimulus_id", "split"):
        assert list(ours.pattern_descriptors[name]) == list(rdms.pattern_descriptors[name])
    assert list(ours.rdm_descriptors["layer"]) == ["conv1", "fc"]
    assert list(ours.rdm_descriptors["depth"]) == [0.0, 1.0]
