"""CKA, Bures similarity and Procrustes angle of Gram matrices, against independent implementations."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import procrustes
from sklearn.linear_model import Ridge

from cortexrsa.formats.rdms import RDMs
from cortexrsa.geometry import grams, spectral
from cortexrsa.geometry.rdm import Rows, rdm
from cortexrsa.geometry.registry import MEASURES
from cortexrsa.inference.errors import Replicated
from cortexrsa.inference.measures import OfGrams, Sources, measure_network
from cortexrsa.inference.replication import OnePass
from cortexrsa.inference.settings import Settings
from cortexrsa.inference.study import model_scores

GRAMS = [name for name, record in MEASURES.items() if record.grams]


def patterns(n=30, p=7, q=5, seed=0, shared=1.0):
    random = np.random.default_rng(seed)
    common = random.standard_normal((n, 3)) * [3, 2, 1]
    x = np.concatenate([shared * common, random.standard_normal((n, p - 3))], axis=1)
    y = np.concatenate([shared * common, random.standard_normal((n, q - 3))], axis=1)
    return x @ random.standard_normal((p, p)) + 5, y @ random.standard_normal((q, q)) - 2


def distances(x):
    return rdm(x, "euclidean")


def score(x, y, measure):
    rows = np.stack([distances(x)]), np.stack([distances(y)])
    if measure == "cka_debiased":
        keep = np.ones(len(x), bool)
        sides = (grams.UCentred(each, keep) for each in rows)
        return OnePass(len(x), 1).similarity(*sides, "cosine")[0][0, 0]
    return grams.similarities(*rows, measure)[0][0, 0]


def weighted(x, y, measure, w):
    """The measure of features themselves, with weights of the stimuli: an implementation of its own."""
    w = w / w.sum()
    x, y = (each - w @ each for each in (x, y))

    def covariance(a, b):
        return a.T @ (w[:, None] * b)

    if measure == "cka":
        norms = [np.linalg.norm(covariance(a, b)) for a, b in ((x, y), (x, x), (y, y))]
        return norms[0] ** 2 / (norms[1] * norms[2])
    nuclear = np.linalg.svd(covariance(x, y), compute_uv=False).sum()
    cosine = nuclear / np.sqrt(np.trace(covariance(x, x)) * np.trace(covariance(y, y)))
    return cosine if measure == "nbs" else 1 - np.degrees(np.arccos(cosine)) / 90


def unbiased_hsic(k, m):
    """Song et al. 2012, equation 5."""
    n, k, m = len(k), k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
    one = np.ones(n)
    return (
        np.trace(k @ m)
        + (one @ k @ one) * (one @ m @ one) / (n - 1) / (n - 2)
        - 2 / (n - 2) * (one @ k @ m @ one)
    ) / (n * (n - 3))


@pytest.mark.parametrize("measure", ["cka", "nbs", "procrustes"])
def test_measures_are_those_of_the_features(measure):
    x, y = patterns()
    np.testing.assert_allclose(score(x, y, measure), weighted(x, y, measure, np.ones(len(x))), atol=1e-10)
    # invariant to rotations, scale and offset; 1 of itself
    turned = 3 * x @ np.linalg.qr(np.random.default_rng(1).standard_normal((7, 7)))[0] + 4
    np.testing.assert_allclose(score(turned, x, measure), 1, atol=1e-6)


def test_debiased_cka_is_that_of_unbiased_hsic():
    x, y = patterns()
    k, m = x @ x.T, y @ y.T
    expected = unbiased_hsic(k, m) / np.sqrt(unbiased_hsic(k, k) * unbiased_hsic(m, m))
    np.testing.assert_allclose(score(x, y, "cka_debiased"), expected, atol=1e-10)


def test_bures_similarity_is_what_procrustes_analysis_leaves():
    """SciPy's disparity after the best rotation and scale is 1 - NBS squared."""
    x, y = patterns(p=5)
    np.testing.assert_allclose(score(x, y, "nbs") ** 2, 1 - procrustes(x, y)[2], atol=1e-10)


def test_many_random_features_look_alike_by_the_biased_measures_alone():
    random = np.random.default_rng(2)
    pairs = [random.standard_normal((2, 24, 1000)) for _ in range(20)]
    found = {measure: np.array([score(*pair, measure) for pair in pairs]) for measure in GRAMS}
    assert found["cka"].min() > 0.9
    assert found["nbs"].min() > 0.9
    assert found["procrustes"].min() > 0.7
    debiased = found["cka_debiased"]
    assert abs(debiased.mean()) < 3 * debiased.std(ddof=1) / np.sqrt(20) < 0.1


@pytest.mark.parametrize("measure", ["cka", "nbs", "procrustes"])
def test_influence_is_the_derivative_in_the_weight_of_a_stimulus(measure):
    x, y = patterns(n=12)
    scores, influence = grams.similarities(distances(x)[None], distances(y)[None], measure)
    step = 1e-5
    for i in (0, 5, 11):
        moved = [
            weighted(x, y, measure, np.ones(12) + sign * step * (np.arange(12) == i)) for sign in (1, -1)
        ]
        assert influence[i, 0, 0] / 12 == pytest.approx((moved[0] - moved[1]) / (2 * step), abs=1e-6)
    np.testing.assert_allclose(influence.sum(axis=0), 0, atol=1e-8)
    assert scores.shape == (1, 1)


@pytest.mark.parametrize("measure", GRAMS)
def test_errors_are_those_of_the_jackknife(measure):
    """One pass against scores made anew without each stimulus."""
    n = 40
    x, y = patterns(n)
    keep = np.ones(n, bool)
    kind = grams.UCentred if measure == "cka_debiased" else Rows
    rows = [kind(distances(each)[None], keep) for each in (x, y)]
    method, comparison = (OnePass(n, 1), "cosine") if measure == "cka_debiased" else (OfGrams(n), measure)
    deviations, made = method.similarity(*rows, comparison)[1][:, 0, 0], method.replicates
    first, second = np.split(deviations, [made.sizes[0]])
    squares = [each.var() * len(each) if len(each) else 0.0 for each in (first, second)]
    variance = max(np.dot(made.weights, squares), made.floor * squares[0])
    left_out = np.array([score(x[keep], y[keep], measure) for keep in ~np.eye(n, dtype=bool)])
    jackknife = (n - 1) / n * ((left_out - left_out.mean()) ** 2).sum()
    assert 0.7 < np.sqrt(variance / jackknife) < 1.2


def test_participation_ratio_counts_the_dimensions():
    x, _ = patterns()
    values = np.linalg.eigvalsh(np.cov(x.T))
    ratio = grams.participation_ratio(grams.gram_of(distances(x)))
    assert ratio == pytest.approx(values.sum() ** 2 / (values**2).sum())
    flat = np.linalg.qr(np.random.default_rng(3).standard_normal((30, 4)))[0]
    flat -= flat.mean(axis=0)
    flat = np.linalg.qr(flat)[0]
    assert grams.participation_ratio(grams.gram_of(distances(flat))) == pytest.approx(4)


@pytest.mark.parametrize(("subjects", "split"), [(1, True), (3, False)])
def test_a_network_under_every_measure(subjects, split):
    n, random = 24, np.random.default_rng(4)
    pairs = [patterns(n, seed=seed) for seed in range(4)]
    stimuli = pd.DataFrame({"stimulus_id": [f"s{k}" for k in range(n)], "split": "test"})
    if split:
        stimuli["split"] = ["train", "test"] * (n // 2)
    rois = [(f"sub-{s}", roi) for s in range(subjects) for roi in ("V1", "LO")]
    voxels = [pairs[roi == "LO"][1] + random.standard_normal((n, 5)) / 3 for _, roi in rois]
    layers = pd.DataFrame({"layer": ["a", "b", "c"], "layer_index": range(3), "depth": [0, 0.5, 1]})
    table = pd.DataFrame(rois, columns=["subject", "roi"])

    def made(features, of, dissimilarity):
        return RDMs(np.stack([rdm(each, dissimilarity) for each in features]), of, stimuli, dissimilarity)

    features = [pairs[k][0] for k in (2, 0, 1)]
    network, brain = made(features, layers, "correlation"), made(voxels, table, "correlation")
    euclidean = made(features, layers, "euclidean"), made(voxels, table, "euclidean")
    data = Sources(network, brain, "spearman", distances=euclidean)
    found = measure_network(data, [*GRAMS, "spearman"], Settings(permutations=9, halves=2))
    keep = (stimuli["split"] == "test").to_numpy()
    for measure in GRAMS:
        own = found.sel(measure=measure, split="test")
        expected = [[score(v[keep], f[keep], measure) for f in features] for v in voxels]
        np.testing.assert_allclose(own["score"], np.reshape(expected, (subjects, 2, 3)), atol=1e-8)
        values = model_scores(found.sel(measure=measure), 1)
        assert list(values.scores.estimate.argmax(axis=1)) == [1, 2]
        assert (values.scores.evaluated().variance > 0).all()
        assert (values.heldout.evaluated().variance[:, 0] > 0).all()
    ratio = grams.participation_ratio(grams.gram_of(distances(features[0][keep])))
    assert float(found["dimensionality"][0]) == pytest.approx(ratio)
    assert found["roi_dimensionality"].shape == (subjects, 2)
    alone = measure_network(replace(data, distances=None), ["spearman"], Settings(permutations=9, halves=2))
    np.testing.assert_array_equal(alone["score"][0], found["score"].sel(measure="spearman"))


def test_the_spectral_prediction_is_what_ridge_regression_reaches():
    """On a population of stimuli of which half as many are drawn, by scikit-learn."""
    random = np.random.default_rng(5)
    n, alpha = 120, spectral.ALPHAS[5]
    x = random.standard_normal((n, 60)) * np.arange(1, 61) ** -0.7
    y = x[:, :20] @ random.standard_normal((20, 3)) + 0.5 * random.standard_normal((n, 3))
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    ridge = alpha * (x**2).sum() / n
    errors = []
    for _ in range(150):
        drawn = random.integers(0, n, n // 2)
        fitted = Ridge(ridge, fit_intercept=False).fit(x[drawn], y[drawn]).predict(x)
        errors.append(((fitted - y) ** 2).sum() / (y**2).sum())
    found = spectral.predicted_r2(x @ x.T, (y @ y.T)[None], np.array([alpha]))[0]
    assert 0.3 < found < 0.9
    assert found == pytest.approx(1 - np.mean(errors), abs=0.02)
    # of all regularisations the best
    assert spectral.predicted_r2(x @ x.T, (y @ y.T)[None])[0] >= found


def test_errors_of_the_spectral_prediction_are_those_of_the_jackknife(monkeypatch):
    x, y = patterns(n=24)
    monkeypatch.setattr(spectral, "GROUPS", 24)
    found, influence = grams.similarities(distances(x)[None], distances(y)[None], "spectral")
    without = []
    for left in range(24):
        kept = np.delete(np.arange(24), left)
        without.append(grams.similarities(distances(x[kept])[None], distances(y[kept])[None], "spectral")[0])
    jackknife = 23 * np.var(without)
    method = OfGrams(24)
    deviations = influence[:, 0, 0] / 24
    rows = Replicated(found[0, 0], found[0, 0] + deviations, method.replicates)
    assert rows.evaluated().variance == pytest.approx(jackknife)


def test_a_layer_that_does_not_vary_has_no_score():
    x, y = patterns()
    keep = np.ones(len(x), bool)
    rows = Rows(np.stack([distances(x)]), keep), Rows(np.stack([distances(y), 0 * distances(y)]), keep)
    for measure in ("cka", "nbs", "procrustes", "spectral"):
        scores, influence = grams.similarities(*rows, measure)
        assert np.isfinite(scores[0, 0])
        assert np.isnan(scores[0, 1])
        assert np.isnan(influence[:, 0, 1]).all()
