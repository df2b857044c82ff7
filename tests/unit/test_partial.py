"""Partial RSA: values, errors and test against oracles, and the confound RDMs that it takes out."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.optimize import nnls
from scipy.spatial.distance import squareform

from cortexrsa.formats.rdms import RDMs
from cortexrsa.geometry.compare import compare
from cortexrsa.geometry.descriptors import BANDS, DESCRIPTORS, describe, gabor_filters
from cortexrsa.geometry.rdm import Rows, rdm
from cortexrsa.geometry.registry import partial_comparison
from cortexrsa.inference.confounds import chosen_confounds, confound_rdms, told
from cortexrsa.inference.explained import explained
from cortexrsa.inference.halves import halves_of
from cortexrsa.inference.measures import PARTIAL, Sources, measure_network, with_mixtures
from cortexrsa.inference.partial import (
    Partial,
    partial_correlations,
    partial_p_and_null,
    with_confounds,
)
from cortexrsa.inference.replication import OnePass, Resampling
from cortexrsa.inference.settings import Settings
from cortexrsa.inference.study import model_scores
from support import message_of


def euclidean(patterns):
    return rdm(patterns, "euclidean")


def sharing(n, random, own=1.0):
    """RDMs of a ROI and of a layer that share three confounds and, with weight `own`, a part beyond them."""
    confounds, shared = random.standard_normal((3, n, 4)), random.standard_normal((n, 4))
    brain, layer = (
        euclidean(np.concatenate([*confounds, own * shared, random.standard_normal((n, 4))], axis=1))
        for _ in range(2)
    )
    return brain, layer, np.stack([euclidean(each) for each in confounds])


# ---- values ----------------------------------------------------------------------------------------------


def test_partial_spearman_is_that_of_pingouin_and_of_the_inverse_correlation_matrix():
    random = np.random.default_rng(18)
    z = random.random((3, 66))
    y = random.random(66) + z[0] - z[1]
    x = random.random(66) + z[0] + 0.5 * y
    # pingouin 0.7.0: partial_corr(table, "x", "y", ["a", "b", "c"], method=...)["r"], of the same numbers
    for comparison, known in (("spearman", 0.4775408107981988), ("pearson", 0.47626672546773885)):
        products = compare(np.stack([y, *z]), np.stack([x, *z]), comparison)
        found = partial_correlations(products, 3)
        assert found.shape == (1, 1)
        np.testing.assert_allclose(found[0, 0], known, atol=1e-12)
        columns = np.stack([y, x, *z])
        values = stats.rankdata(columns, axis=1) if comparison == "spearman" else columns
        precision = np.linalg.inv(np.corrcoef(values))
        np.testing.assert_allclose(
            found[0, 0], -precision[0, 1] / np.sqrt(precision[0, 0] * precision[1, 1]), atol=1e-12
        )


def test_a_layer_that_is_a_confound_has_no_score():
    random = np.random.default_rng(0)
    brain, layer, confounds = sharing(12, random)
    products = compare(np.stack([brain, *confounds]), np.stack([layer, confounds[1], *confounds]), "spearman")
    found = partial_correlations(products, 3)
    assert np.isfinite(found[0, 0])
    assert np.isnan(found[0, 1])


def test_comparisons_that_are_no_inner_products_give_way_to_spearman():
    assert [partial_comparison(name) for name in ("spearman", "rho-a", "tau-a", "pearson", "corr_cov")] == [
        *["spearman"] * 3,
        "pearson",
        "corr_cov",
    ]


# ---- errors ----------------------------------------------------------------------------------------------


def test_the_delta_method_is_the_derivative():
    """Replicates move the partial correlation as the pairwise correlations, moved as little, do."""
    random = np.random.default_rng(1)
    brain, layer, confounds = sharing(20, random)
    y, x = np.stack([brain, *confounds]), np.stack([layer, *confounds])
    scores, deviations = OnePass(20, 1).similarity(y, x, "spearman")
    found = Partial(OnePass(20, 1), 3).similarity(y, x, "spearman")[1]
    step = 1e-6
    moved = [partial_correlations(scores + step * each, 3) for each in deviations[::17]]
    slope = (np.array(moved) - partial_correlations(scores, 3)) / step
    np.testing.assert_allclose(found[::17], slope, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("own", [0.0, 0.7])
def test_intervals_cover_the_truth(own):
    """Of many samples of stimuli: the mean score is the truth, and intervals cover it."""
    random, n, found = np.random.default_rng(2), 40, []
    method = Partial(OnePass(n, 1), 3)
    for _ in range(200):
        brain, layer, confounds = sharing(n, random, own)
        scores, deviations = method.similarity(
            np.stack([brain, *confounds]), np.stack([layer, *confounds]), "spearman"
        )
        made = method.replicates
        first, second = np.split(deviations[:, 0, 0], [made.sizes[0]])
        variance = made.weights[0] * first.var() * len(first) + made.weights[1] * second.var() * len(second)
        variance = max(variance, made.floor * first.var() * len(first))
        found.append((scores[0, 0], np.sqrt(variance)))
    score, error = np.array(found).T
    covered = np.mean(np.abs(score - score.mean()) < stats.t.ppf(0.975, n - 1) * error)
    assert 0.9 <= covered <= 0.99


def test_errors_agree_with_resampled_stimuli():
    """Oracle: partial correlations of the pairwise ones of every resample."""
    random, n = np.random.default_rng(3), 40
    brain, layer, confounds = sharing(n, random)
    y, x = np.stack([brain, *confounds]), np.stack([layer, *confounds])
    resampling = Resampling(n, 300, 1)
    scores, deviations = resampling.similarity(y, x, "spearman")
    replicates = np.array([partial_correlations(scores + each, 3) for each in deviations])[:, 0, 0]
    made = resampling.replicates
    first, second = np.split(replicates, [made.sizes[0]])
    resampled = made.weights[0] * first.var() * len(first) + made.weights[1] * second.var() * len(second)
    method = Partial(OnePass(n, 1), 3)
    one = method.similarity(y, x, "spearman")[1][:, 0, 0]
    own = method.replicates
    first, second = np.split(one, [own.sizes[0]])
    delta = own.weights[0] * first.var() * len(first) + own.weights[1] * second.var() * len(second)
    assert 0.7 < np.sqrt(delta / resampled) < 1.4


# ---- test ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_freedman_and_lane_hold_their_level_where_relabelled_rdms_do_not():
    """ROI and layer share three confounds alone: p is uniform, though RSA is well above 0."""
    random, n, p = np.random.default_rng(4), 24, []
    for seed in range(300):
        brain, layer, confounds = sharing(n, random, own=0)
        y, x = np.stack([brain, *confounds]), np.stack([layer, *confounds])
        observed = partial_correlations(compare(y, x, "pearson"), 3)[None]
        p.append(partial_p_and_null(y, x, 3, observed, "pearson", 99, seed)[0][0, 0, 0])
        assert compare(y, x, "pearson")[0, 0] > 0.2
    for level in (0.05, 0.2, 0.5):
        error = np.sqrt(level * (1 - level) / len(p))
        assert abs(np.mean(np.array(p) <= level) - level) < 3 * error, level


def test_a_sum_of_confounds_outlasts_their_ranks_but_not_their_mixture():
    """Its rank is not linear in theirs; the mixture that fits the ROI has the same ranks."""
    random, found = np.random.default_rng(11), []
    for _ in range(10):
        brain, layer, confounds = sharing(40, random, own=0)
        patterns = pd.DataFrame({"stimulus_id": [str(k) for k in range(40)], "split": "test"})
        rois = RDMs(brain[None], pd.DataFrame({"subject": ["a"], "roi": ["V1"]}), patterns, "euclidean")
        mixed = with_mixtures(rois, confounds)
        assert mixed.shape == (4, 780)
        scores = []
        for own in (confounds, mixed):
            products = compare(np.stack([brain, *own]), np.stack([layer, *own]), "spearman")
            scores.append(partial_correlations(products, len(own))[0, 0])
        found.append(scores)
    alone, both = np.array(found).T
    error = both.std(ddof=1) / np.sqrt(len(both))
    assert alone.mean() > 0.1
    assert abs(both.mean()) < 3 * error + 0.02


def test_the_observed_statistic_is_that_of_the_identity():
    """Under the order as it is, the relabelled residuals give the partial correlation itself."""
    random = np.random.default_rng(5)
    brain, layer, confounds = sharing(12, random)
    y, x = np.stack([brain, *confounds]), np.stack([layer, *confounds])
    observed = partial_correlations(compare(y, x, "spearman"), 3)
    assert 0 < observed[0, 0] < 1
    p, null = partial_p_and_null(y, x, 3, observed[None], "spearman", 400, 1)
    assert p[0, 0, 0] == (np.sum(null >= observed[0, 0]) + 1) / 401
    assert np.abs(null).max() < 1


# ---- descriptors -----------------------------------------------------------------------------------------


def grating(cycles, angle, contrast=1.0, size=128):
    y, x = np.mgrid[:size, :size] / size
    wave = np.sin(2 * np.pi * cycles * (x * np.cos(angle) + y * np.sin(angle)))
    return np.repeat(np.round(127.5 + 127 * contrast * wave)[:, :, None], 3, axis=2).astype(np.uint8)


def test_descriptors_know_what_an_image_is_made_of():
    images = np.stack(
        [
            grating(4, 0),
            grating(4, np.pi / 2),
            grating(16, 0),
            grating(4, 0, 0.5),
            np.full((128, 128, 3), 64, np.uint8),
        ]
    )
    found = describe(images, list(DESCRIPTORS))
    np.testing.assert_allclose(found["luminance"][""][:, 0] * 255, [127.5] * 4 + [64], atol=1)
    contrast = found["contrast"][""][:, 0]
    np.testing.assert_allclose(contrast[[3, 4]] / contrast[0], [0.5, 0], atol=0.01)
    spectrum = found["spectrum"][""]
    assert spectrum[0].argmax() == spectrum[1].argmax() < spectrum[2].argmax()
    orientations = found["orientations"][""]
    assert (orientations[0].argmax(), orientations[1].argmax(), orientations[2].argmax()) == (0, 4, 0)
    # the band and, of its orientations at two frequencies, those of the grating
    for image, band, orientation in ((0, "middle", 0), (1, "middle", 3), (2, "highest", 0)):
        sums = {name: found["gabor"][f"{name} 2 x 2"][image].sum() for name in BANDS}
        assert max(sums, key=sums.get) == band
        energy = found["gabor"][f"{band} 2 x 2"][image].reshape(2, 6, 4).sum(axis=(0, 2))
        assert energy.argmax() == orientation
    plain, normalised = (found["gabor"][f"middle 2 x 2{kind}"] for kind in ("", " normalised"))
    np.testing.assert_allclose(plain[3], plain[0] / 2, rtol=0.02, atol=1e-3)
    np.testing.assert_allclose(normalised[3], normalised[0], rtol=0.02, atol=1e-3)
    np.testing.assert_allclose(plain[4], 0, atol=1e-4)
    assert all(values.dtype == np.float32 for family in found.values() for values in family.values())


def test_a_gabor_filter_has_its_bandwidth():
    """Half of its amplitude is at frequencies that are a bandwidth apart, octaves."""
    (own,) = gabor_filters(512, 0.125, 1, 1.0)
    row = own[0, :256]
    inside = np.flatnonzero(row >= row.max() / 2)
    assert row.argmax() == 64
    assert np.log2(inside[-1] / inside[0]) == pytest.approx(1, abs=0.05)


# ---- confounds -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stimuli():
    n = 16
    images = np.random.default_rng(6).integers(0, 256, (n, 32, 32, 3)).astype(np.uint8)
    table = pd.DataFrame(
        {
            "stimulus_id": [f"s{k}" for k in range(n)],
            "split": ["train"] * 8 + ["test"] * 8,
            "category": ["face", "house"] * 8,
            "size": [str(k) for k in range(n)],
            "same": "one",
        }
    )
    return images, table


def test_confounds_of_the_user(stimuli, tmp_path):
    images, table = stimuli
    n = len(table)
    own = np.random.default_rng(7).random((n, 5))
    np.save(tmp_path / "embedding.npy", own)
    np.save(tmp_path / "rdm.npy", np.abs(own[:, :1] - own[:, 0]))
    wanted = [
        "luminance",
        {"labels": "category"},
        {"levels": "size"},
        {"rdm": str(tmp_path / "rdm.npy")},
        {"embedding": str(tmp_path / "embedding.npy")},
    ]
    found = confound_rdms(images, table, wanted, "correlation")
    assert list(found.rdm_descriptors["confound"]) == ["luminance", "category", "size", "rdm", "embedding"]
    assert list(found.rdm_descriptors["given"]) == [False, True, True, True, True]
    i, j = np.triu_indices(n, 1)
    np.testing.assert_array_equal(found.dissimilarities[1], (i + j) % 2)
    np.testing.assert_array_equal(found.dissimilarities[2], j - i)
    np.testing.assert_allclose(found.dissimilarities[3], np.abs(own[i, 0] - own[j, 0]))
    np.testing.assert_allclose(found.dissimilarities[4], rdm(own), atol=1e-12)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"labels": "categorie"}, "the column 'categorie', expected one of .*did you mean category"),
        ({"labels": "same"}, "confound same: found the same for all pairs"),
        ({"levels": "category"}, "levels of category: found 'face', expected a number"),
        ({"rdm": "small.npy"}, r"small.npy: RDM: found .*expected .*16"),
        ({"rdm": "constant.npy"}, "constant.npy: .*RDM"),
        ({"rdm": "missing.npy"}, "missing.npy: file: found no such file"),
        ({"embedding": "small.npy"}, r"embedding: found float64 \(4, 4\), expected \(16 stimuli, features\)"),
    ],
)
def test_confounds_that_cannot_be_used_are_refused_in_one_line(stimuli, tmp_path, monkeypatch, wanted, said):
    monkeypatch.chdir(tmp_path)
    np.save("small.npy", np.ones((4, 4)) - np.eye(4))
    np.save("constant.npy", np.ones((16, 16)) - np.eye(16))
    assert re.search(said, message_of(confound_rdms, *stimuli, [wanted], "correlation"))


def test_collinear_and_constant_confounds_are_told(stimuli):
    images, table = stimuli
    grey = images.copy()
    grey[:] = images[:, :1, :1]
    flat = np.tile(grey[:1], (len(images), 1, 1, 1))
    wanted = ["luminance", "contrast", {"levels": "size"}, {"levels": "double"}, {"levels": "near"}]
    random = np.random.default_rng(8)
    values = np.arange(16) + 0.0
    table = table.assign(
        double=[str(2 * v) for v in values], near=[str(v) for v in values + random.random(16)]
    )
    found = confound_rdms(flat, table, wanted, "correlation")
    kept, rows = chosen_confounds(found, "spearman")
    assert list(kept) == [False, False, True, False, True]
    lines = told(rows)
    assert lines[0] == "confound luminance: left out: it does not vary over the train stimuli"
    assert "confound double: left out: those before it tell all of it" in lines
    (line,) = [line for line in lines if line.startswith("confound near is collinear")]
    part = found.dissimilarities[[2, 4]][:, [k for k in range(120) if np.triu_indices(16, 1)[0][k] >= 8]]
    r = stats.spearmanr(*part).statistic
    assert f"(variance inflation {1 / (1 - r**2):.0f})" in line


# ---- a network -------------------------------------------------------------------------------------------


def study_of(n=24, subjects=1, split=False):
    random = np.random.default_rng(9)
    confounds = np.stack([euclidean(random.standard_normal((n, 3))) for _ in range(2)])
    shared = [euclidean(random.standard_normal((n, 3))) for _ in range(2)]

    def made(*parts):
        return sum(parts) + euclidean(random.standard_normal((n, 6))) / 2

    patterns = pd.DataFrame({"stimulus_id": [f"s{k}" for k in range(n)], "split": "test"})
    if split:
        patterns["split"] = ["train", "test"] * (n // 2)
    rois = [(f"sub-{s}", roi) for s in range(subjects) for roi in ("V1", "LO")]
    brain = np.stack([made(confounds[0], shared[roi == "LO"]) for _, roi in rois])
    layers = np.stack([made(confounds[1]), made(confounds[0], shared[0]), made(confounds[0], shared[1])])
    network = pd.DataFrame({"layer": ["a", "b", "c"], "layer_index": range(3), "depth": [0, 0.5, 1]})
    return Sources(
        RDMs(layers, network, patterns, "euclidean"),
        RDMs(brain, pd.DataFrame(rois, columns=["subject", "roi"]), patterns, "euclidean"),
        "spearman",
        confounds,
    )


@pytest.mark.parametrize(("subjects", "split"), [(1, True), (3, False)])
def test_measures_of_a_network(subjects, split):
    data = study_of(subjects=subjects, split=split)
    settings = Settings(permutations=99, halves=2, fitted=True)
    found = measure_network(data, [PARTIAL, "pearson"], settings)
    keep = (data.brain.pattern_descriptors["split"] == "test").to_numpy()
    brain, layers = (Rows(rdms.dissimilarities, keep) for rdms in (data.brain, data.network))
    confounds = with_mixtures(data.brain, data.confounds)
    k = len(confounds)
    y, x = (np.stack(list(with_confounds(rdms, confounds))) for rdms in (brain, layers))
    expected = partial_correlations(compare(y, x, "spearman"), k).reshape(subjects, 2, 3)
    np.testing.assert_allclose(found["score"].sel(measure=PARTIAL, split="test"), expected, atol=1e-12)
    np.testing.assert_allclose(
        found["score"].sel(measure="pearson", split="test"),
        compare(y[:-k], x[:-k], "pearson").reshape(subjects, 2, 3),
        atol=1e-12,
    )
    # what the confound alone makes alike is not alike beyond it
    assert (expected.mean(axis=0)[[0, 1], [1, 2]] > 0.4).all()
    assert (found["p"].sel(measure=PARTIAL).to_numpy()[-1, [0, 1], [1, 2]] == 0.01).all()
    assert np.isnan(found["p"].sel(measure="pearson")).all()
    own = model_scores(found.sel(measure=PARTIAL), 1)
    assert own.candidates[0] == "all"
    assert np.isfinite(own.heldout.evaluated().variance[:, 0]).all()
    low, high = own.scores.evaluated().interval()[1:]
    assert (low < own.scores.estimate).all()
    assert (own.scores.estimate < high).all()


def test_stimuli_in_another_order_are_refused():
    data = study_of()
    patterns = data.network.pattern_descriptors[::-1].reset_index(drop=True)
    other = replace(data, network=replace(data.network, pattern_descriptors=patterns))
    assert "stimulus_id: found other stimuli" in message_of(measure_network, other, [PARTIAL], Settings())


@pytest.mark.parametrize("split", [True, False])
def test_explained_variance_is_that_of_mixtures_weighted_on_other_stimuli(split):
    data = study_of(subjects=2, split=split)
    settings = Settings(halves=1)
    found = explained(data.network, data.brain, data.confounds, ("descriptors", "mine"), settings)
    sets = found["sources"]
    assert sets == ["together", "-network", "-descriptors", "-mine", "network", "descriptors", "mine"]
    n = len(data.brain.pattern_descriptors)
    trained = (data.brain.pattern_descriptors["split"] == "train").to_numpy()
    halves = [trained] if split else [~halves_of(n, settings, None)[0], halves_of(n, settings, None)[0]]
    expected = np.zeros((2, 2))
    for fitted in halves:
        train, test = (np.ix_(keep, keep) for keep in (fitted, ~fitted))

        def pairs(rdms, place):
            return np.stack([squareform(each)[place][np.triu_indices(place[0].size, 1)] for each in rdms])

        sources = np.concatenate([data.network.dissimilarities, data.confounds])[[0, 1, 2, 4]]
        brain = [pairs(data.brain.dissimilarities, place) for place in (train, test)]
        x, y = pairs(sources, train), stats.zscore(brain[0], axis=1).reshape(2, 2, -1).mean(axis=0)
        for roi in range(2):
            centred = x - x.mean(axis=1, keepdims=True)
            weights = nnls(centred.T, y[roi] - y[roi].mean())[0]
            mixture = weights @ pairs(sources, test)
            r = [np.corrcoef(mixture, each)[0, 1] for each in brain[1].reshape(2, 2, -1)[:, roi]]
            expected[:, roi] += np.array(r) / len(halves)
    np.testing.assert_allclose(found["explained"][1][..., 2], expected, atol=1e-5)
    # one confound is in the ROIs, the other is not
    values = dict(zip(sets, np.moveaxis(found["explained"][1], -1, 0), strict=True))
    assert (values["descriptors"] > values["mine"] + 0.1).all()
    assert found["explained_deviations"][1].shape[1:] == (2, 2, 7)
