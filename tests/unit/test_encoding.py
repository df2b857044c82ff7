"""Encoding models against scikit-learn, primal forms, deletion and simulated truth."""

import numpy as np
import pandas as pd
import pytest
import xarray
from scipy import stats
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import PredefinedSplit
from sklearn.preprocessing import StandardScaler

from cortexrsa.encoding import fits
from cortexrsa.encoding.banded import explained_variance
from cortexrsa.encoding.folds import partitions, random_folds, splits_of, units_of
from cortexrsa.encoding.kernels import layer_kernel
from cortexrsa.encoding.network import encode_network
from cortexrsa.encoding.regions import Part, Region
from cortexrsa.encoding.reliability import (
    OTHER_REPEATS,
    SAME_REPEATS,
    TRAINING_REPEATS,
    UNKNOWN,
    VARIANCES,
    Targets,
    components,
    of_mean,
    targets,
)
from cortexrsa.encoding.scores import Correlations, r_squared
from cortexrsa.encoding.settings import EncodingSettings
from cortexrsa.encoding.table import encoding_table
from cortexrsa.formats.columns.encoding import ENCODING
from cortexrsa.formats.tables import write_table
from cortexrsa.geometry import gram as gram_module
from cortexrsa.geometry.compare import compare
from cortexrsa.geometry.rdm import rdm
from cortexrsa.inference.settings import Settings
from cortexrsa.inference.study import model_scores
from support import message_of

TRAIN, TEST = np.arange(90), np.arange(90, 130)
SETTINGS = EncodingSettings()


def linear_world(seed=0, features=300, voxels=12, noise=4.0):
    """Features (130, p) and responses (130, v) of a linear world."""
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(130, features)) + 3
    weights = generator.normal(size=(features, voxels)) * (generator.random((features, 1)) < 0.1)
    return values, values @ weights + noise * generator.normal(size=(130, voxels)) + 5


def splits_in(n, folds=5):
    return splits_of(random_folds(np.arange(n), folds, np.random.default_rng(0)), np.arange(n))


# ---- fits --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("units", ["centred", "z"])
def test_ridge_is_that_of_scikit_learn_for_the_same_alpha(units):
    features, responses = linear_world()
    kernel = layer_kernel(features, TRAIN, TEST, units)
    fit = fits.ridge(kernel, responses[TRAIN], splits_in(90), SETTINGS)
    if units == "z":
        features = StandardScaler().fit(features[TRAIN]).transform(features)
    # the primal form, with an intercept
    for voxel, alpha in enumerate(fit.alpha):
        peer = Ridge(alpha * kernel.scale).fit(features[TRAIN], responses[TRAIN, voxel])
        expected = peer.predict(features[TEST])
        assert np.abs(fit.predicted[:, voxel] - expected).max() < 1e-5 * expected.std()


def test_ridge_is_the_primal_form():
    features, responses = linear_world(features=40)
    kernel = layer_kernel(features, TRAIN, TEST)
    fit = fits.ridge(kernel, responses[TRAIN], splits_in(90), SETTINGS)
    centred = features - features[TRAIN].mean(axis=0)
    for voxel, alpha in enumerate(fit.alpha):
        inside = centred[TRAIN].T @ centred[TRAIN] / kernel.scale + alpha * np.eye(40)
        mean = responses[TRAIN, voxel].mean()
        weights = np.linalg.solve(inside, centred[TRAIN].T @ (responses[TRAIN, voxel] - mean) / kernel.scale)
        assert np.allclose(fit.predicted[:, voxel], centred[TEST] @ weights + mean, rtol=1e-8)


def test_each_voxel_takes_the_alpha_that_predicts_best_in_the_folds():
    features, responses = linear_world(features=100, voxels=6, noise=1)
    responses[:, 3:] = np.random.default_rng(1).normal(size=(130, 3))  # nothing to predict
    kernel, splits = layer_kernel(features, TRAIN, TEST), splits_in(90)
    alphas, cv = fits.search_alpha(
        kernel.train, responses[TRAIN] - responses[TRAIN].mean(axis=0), splits, SETTINGS.grid
    )
    centred = responses[TRAIN] - responses[TRAIN].mean(axis=0)
    losses = np.zeros((len(SETTINGS.grid), 6))
    assert len(splits) == 5
    for fitted, own in splits:
        for a, alpha in enumerate(SETTINGS.grid):
            inside = kernel.train[np.ix_(fitted, fitted)] + alpha * np.eye(len(fitted))
            dual = np.linalg.solve(inside, centred[fitted])
            predicted = kernel.train[np.ix_(own, fitted)] @ dual
            losses[a] += ((predicted - centred[own]) ** 2).mean(axis=0) / 5
    assert (alphas == SETTINGS.grid[losses.argmin(axis=0)]).all()
    assert np.allclose(cv, 1 - losses.min(axis=0) / centred.var(axis=0))
    assert np.median(alphas[:3]) < np.median(alphas[3:])
    assert cv[:3].min() > 0.1 > 0.05 > cv[3:].max()


def test_batches_change_nothing(monkeypatch):
    features, responses = linear_world()
    kernel = layer_kernel(features, TRAIN, TEST)
    whole = fits.ridge(kernel, responses[TRAIN], splits_in(90), SETTINGS)
    monkeypatch.setattr(fits, "BATCH_BYTES", 8 * 90 * 18 * 3)
    assert fits.batches(90, 18, 20)["n_alphas_batch"] == 3
    parts = fits.ridge(kernel, responses[TRAIN], splits_in(90), SETTINGS)
    assert (parts.alpha == whole.alpha).all()
    assert np.allclose(parts.predicted, whole.predicted)


def test_ridge_beats_one_alpha_for_all_where_voxels_differ():
    features, responses = linear_world(features=100, voxels=20, noise=1)
    responses[:, 10:] += 40 * np.random.default_rng(2).normal(size=(130, 10))
    fit = fits.ridge(layer_kernel(features, TRAIN, TEST), responses[TRAIN], splits_in(90), SETTINGS)
    peer = RidgeCV(np.geomspace(1e-2, 1e6, 20), cv=5).fit(features[TRAIN], responses[TRAIN])
    r = Correlations.of(fit.predicted, responses[TEST]).r
    assert r[:10].mean() > Correlations.of(peer.predict(features[TEST]), responses[TEST]).r[:10].mean()


@pytest.mark.parametrize("features", [20, 300])
def test_pls_is_that_of_scikit_learn_on_the_features(features):
    values, responses = linear_world(features=features)
    settings = EncodingSettings(components=8)
    fit = fits.pls(layer_kernel(values, TRAIN, TEST), responses[TRAIN], splits_in(90), settings)
    peer = PLSRegression(8, scale=False).fit(values[TRAIN], responses[TRAIN])
    assert np.abs(fit.predicted - peer.predict(values[TEST])).max() < 1e-4 * responses.std()


def test_a_kernel_sees_every_feature_a_chunk_at_a_time(monkeypatch):
    features, _ = linear_world()
    whole = layer_kernel(features, TRAIN, TEST, "z")
    monkeypatch.setattr(gram_module, "feature_slices", lambda f: [slice(k, k + 7) for k in range(0, 300, 7)])
    parts = layer_kernel(features, TRAIN, TEST, "z")
    assert np.allclose(parts.train, whole.train)
    assert np.allclose(parts.test, whole.test)
    scaled = StandardScaler().fit(features[TRAIN]).transform(features)
    assert np.allclose(whole.test * whole.scale, scaled[TEST] @ scaled[TRAIN].T)
    assert np.trace(whole.train) == pytest.approx(90)


def test_test_stimuli_have_no_part_in_the_kernel_of_the_training_stimuli():
    features, _ = linear_world()
    before = layer_kernel(features, TRAIN, TEST, "z")
    features[TEST] *= 100
    assert (layer_kernel(features, TRAIN, TEST, "z").train == before.train).all()


# ---- folds -------------------------------------------------------------------------------------------------


def test_the_training_split_is_trained_on_and_the_test_split_scored():
    split = np.array(["train"] * 20 + ["test"] * 10)
    (part,) = partitions(split, 5, seed=1)
    assert list(part.train) == list(range(20))
    assert list(part.test) == list(range(20, 30))
    assert [(len(fitted), len(own)) for fitted, own in part.splits] == [(16, 4)] * 5
    assert sorted(np.concatenate([own for _, own in part.splits])) == list(range(20))


def test_stimuli_by_which_nothing_is_chosen_are_in_no_fold_and_trained_on():
    split = np.array(["train"] * 30 + ["test"] * 10)
    apart = np.arange(40) % 3 > 0
    (part,) = partitions(split, 3, 1, in_no_fold=apart)
    assert list(part.train) == list(range(30))
    assert sorted(np.concatenate([own for _, own in part.splits])) == list(range(0, 30, 3))
    for fitted, own in part.splits:
        assert sorted([*fitted, *own]) == list(range(30))
    # fewer folds where there are few to choose by, or few units of them
    assert len(partitions(split, 10, 1, in_no_fold=apart)[0].splits) == 3
    units = np.where(np.arange(40) < 30, np.arange(40) // 15, np.arange(40))
    (part,) = partitions(split, 3, 1, units, apart)
    assert len(part.splits) == 2
    for fitted, own in part.splits:
        assert not set(units[fitted]) & set(units[own])


@pytest.mark.parametrize("method", ["ridge", "pls"])
def test_folds_of_some_stimuli_are_those_of_scikit_learn(method):
    features, responses = linear_world(features=20, voxels=4, noise=1)
    apart = np.r_[TRAIN % 3 > 0, np.zeros(40, bool)]
    (part,) = partitions(np.array(SPLIT), 3, 1, in_no_fold=apart)
    settings = EncodingSettings(components=3, alphas={"lowest": 0.1, "highest": 1.0, "number": 2})
    kernel = layer_kernel(features, TRAIN, TEST)
    fit = fits.FITS[method](kernel, responses[TRAIN], part.splits, settings)
    centred = features[TRAIN] - features[TRAIN].mean(axis=0)
    around = responses[TRAIN] - responses[TRAIN].mean(axis=0)
    peers = {
        "ridge": [Ridge(alpha * kernel.scale, fit_intercept=False) for alpha in settings.grid],
        "pls": [PLSRegression(3, scale=False)],
    }
    folds = np.full(90, -1)
    for fold, (_, own) in enumerate(part.splits):
        folds[own] = fold
    losses = []
    for peer in peers[method]:
        errors = []
        for train, test in PredefinedSplit(folds).split():
            found = peer.fit(centred[train], around[train]).predict(centred[test])
            errors.append(((found - around[test]) ** 2).mean(axis=0))
        losses.append(np.mean(errors, axis=0))
    variance = (around[~apart[:90]] ** 2).mean(axis=0)
    assert np.allclose(fit.cv, 1 - np.min(losses, axis=0) / variance, atol=1e-6)


def test_a_layer_that_has_learned_responses_by_heart_is_not_chosen():
    """It holds the responses to most training stimuli, and noise for all others."""
    random = np.random.default_rng(0)
    features, responses = linear_world(features=20, voxels=8, noise=2)
    by_heart = np.r_[TRAIN % 3 > 0, np.zeros(40, bool)]
    learned = random.normal(size=(130, 8)) * responses.std(axis=0)
    learned[by_heart] = responses[by_heart] - responses.mean(axis=0)
    layers = pd.DataFrame({"layer": ["learned", "true"], "layer_index": [0, 1], "depth": [0.0, 1.0]})
    data = {"learned": learned, "true": features}

    def chosen(in_no_fold):
        found = encode_network(
            layers,
            data.__getitem__,
            responses_of(responses, SPLIT),
            SETTINGS,
            Settings(permutations=9),
            in_no_fold=in_no_fold,
        ).squeeze()
        score = float(found["heldout"].sel(candidate="all"))
        return str(found["layer"].to_numpy()[np.isclose(found["score"], score).argmax()])

    assert chosen(None) == "learned"
    assert chosen(by_heart) == "true"


def test_one_split_is_scored_in_folds():
    parts = partitions(np.array(["test"] * 23), 5, seed=1)
    assert sorted(np.concatenate([part.test for part in parts])) == list(range(23))
    for part in parts:
        assert not set(part.train) & set(part.test)
        for fitted, own in part.splits:
            assert sorted([*fitted, *own]) == list(range(len(part.train)))


def test_folds_split_no_unit():
    units = np.repeat(np.arange(12), np.arange(1, 13))
    folds = random_folds(units, 4, np.random.default_rng(0))
    assert all(len(set(folds[units == unit])) == 1 for unit in range(12))
    assert np.ptp(np.bincount(folds)) <= 4
    for part in partitions(np.array(["test"] * len(units)), 4, 1, units):
        assert not set(units[part.train]) & set(units[part.test])
        for fitted, own in part.splits:
            assert not set(units[part.train][fitted]) & set(units[part.train][own])


def test_too_few_stimuli_and_units_are_told():
    split = np.array(["train"] * 9 + ["test"] * 10)
    assert message_of(partitions, split, 5, 1) == (
        "encoding: found 9 stimuli to train on, expected at least 3 in each of 5 folds "
        "(encoding.folds; encoding.methods: [] leaves encoding out)"
    )
    units = np.array(["face", "house"] * 20)
    assert "40 stimuli in 2 units" in message_of(random_folds, units, 5, np.random.default_rng(0))
    both = np.array(["train", "test"] * 20)
    assert "in both splits" in message_of(partitions, both, 2, 1, np.array(["a", "a", "b", "c"] * 10))
    table = pd.DataFrame({"stimulus_id": ["a"], "split": ["test"]})
    assert message_of(units_of, table, "category") == (
        "encoding.folds_by: found 'category', expected a column: one of stimulus_id, split"
    )


# ---- scores and reliability --------------------------------------------------------------------------------


def test_influences_are_what_deletion_does():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(25, 4))
    y = x + generator.normal(size=(25, 4))
    found = Correlations.of(x, y)
    assert np.allclose(found.r, [stats.pearsonr(a, b)[0] for a, b in zip(x.T, y.T, strict=True)])
    without = [
        np.mean([np.corrcoef(np.delete(a, i), np.delete(b, i))[0, 1] for a, b in zip(x.T, y.T, strict=True)])
        for i in range(25)
    ]
    assert np.allclose(found.influences(), 24 * (np.mean(without) - without))


def test_r_of_few_stimuli_is_corrected_for_its_bias():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(16, 20000))
    y = 0.5 * x + np.sqrt(0.75) * generator.normal(size=x.shape)
    raw, less = Correlations.of(x, y), Correlations.of(x, y, few=True)
    assert raw.r.mean() == pytest.approx(0.5 - 0.5 * 0.75 / 32, abs=0.005)
    assert less.r.mean() == pytest.approx(0.5, abs=0.0045)
    # its influences are what deletion does to the corrected value
    x, y = x[:, :2], y[:, :2]
    found = Correlations.of(x, y, few=True)
    without = []
    for i in range(16):
        r = Correlations.of(np.delete(x, i, axis=0), np.delete(y, i, axis=0)).r
        without.append((r * (1 + (1 - r**2) / 32)).mean())
    assert np.allclose(found.influences(), 15 * (np.mean(without) - without))


def test_null_is_that_of_relabelled_stimuli():
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(2, 12, 5))
    orders = generator.permuted(np.tile(np.arange(12), (4, 1)), axis=1)
    expected = [Correlations.of(x, y[order]).r.mean() for order in orders]
    assert np.allclose(Correlations.of(x, y).null(orders), expected)


def test_p_is_uniform_without_a_relation():
    generator = np.random.default_rng(0)
    p = []
    for _ in range(400):
        x, y = generator.normal(size=(2, 15, 3))
        found = Correlations.of(x, y)
        orders = generator.permuted(np.tile(np.arange(15), (99, 1)), axis=1)
        p.append((np.sum(found.null(orders) >= found.r.mean()) + 1) / 100)
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert np.mean(np.array(p) <= 0.05) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


def test_r_squared_is_below_zero_for_what_is_worse_than_the_mean():
    measured = np.random.default_rng(0).normal(size=(50, 2))
    assert r_squared(measured, measured) == pytest.approx([1, 1])
    assert (r_squared(-measured, measured) < 0).all()


def trials_of(generator, stimuli, repeats, signal, noise):
    """Trials (stimuli, repeats, v) of voxels with these variances."""
    true = np.sqrt(signal) * generator.normal(size=(stimuli, 1, len(signal)))
    return true + np.sqrt(noise) * generator.normal(size=(stimuli, repeats, len(signal)))


def test_variance_components_are_those_of_the_world():
    signal, noise = np.array([1.0, 0.5, 0.0]), np.array([1.0, 4.0, 2.0])
    found = components(trials_of(np.random.default_rng(0), 20000, 3, signal, noise))
    assert np.allclose(found.signal, signal, atol=0.07)  # about three standard errors
    assert np.allclose(found.noise, noise, rtol=0.03)


def test_noise_ceiling_is_the_formula_of_the_nsd():
    trials = trials_of(np.random.default_rng(0), 400, 3, np.array([1.0, 0.3]), np.array([1.0, 2.0]))
    noise = trials.var(axis=1, ddof=1).mean(axis=0)
    # as published: the total variance of trials less that of the noise
    signal = np.maximum(trials.reshape(-1, 2).var(axis=0) - noise, 0)
    ncsnr = np.sqrt(signal) / np.sqrt(noise)
    expected = ncsnr**2 / (ncsnr**2 + 1 / 3)
    found, _ = of_mean(components(trials), np.full(400, 3))
    assert np.allclose(found, expected, atol=2e-3)


def test_influences_on_reliability_are_what_deletion_does():
    generator = np.random.default_rng(0)
    trials = trials_of(generator, 300, 5, np.array([1.0, 0.5]), np.array([1.0, 3.0]))
    trials[::3, 3:] = np.nan
    counts = np.isfinite(trials[..., 0]).sum(axis=1)
    _, influence = of_mean(components(trials), counts)
    without = np.array(
        [of_mean(components(np.delete(trials, i, 0)), np.delete(counts, i))[0] for i in range(300)]
    )
    jackknife = 299 * (without.mean(axis=0) - without)
    for voxel in range(2):
        assert np.corrcoef(influence[:, voxel], jackknife[:, voxel])[0, 1] > 0.98
        assert influence[:, voxel].std() == pytest.approx(jackknife[:, voxel].std(), rel=0.08)


def test_reliability_is_from_repeats_that_are_not_scored_where_there_are_any():
    generator = np.random.default_rng(0)
    many, few, once = (trials_of(generator, 30, k, np.ones(4), np.ones(4)) for k in (13, 3, 1))
    assert targets(many, few, None).source == OTHER_REPEATS
    assert targets(few, few, None).source == TRAINING_REPEATS
    assert targets(few, once, None).source == SAME_REPEATS
    assert targets(few, None, None).source == SAME_REPEATS
    assert targets(once, once, None).source == UNKNOWN
    averages = many.mean(axis=1), few.mean(axis=1)
    assert targets(*averages, {"test": 13.0, "train": 3.0}).source == VARIANCES
    assert targets(*averages, None).source == UNKNOWN
    assert np.isnan(targets(*averages, None).reliability).all()
    # the scored half says nothing about its own reliability
    before = targets(many, few, None)
    changed = many.copy()
    changed[:, ::2] += generator.normal(size=changed[:, ::2].shape)
    after = targets(changed, few, None)
    assert np.allclose(after.parts[0].reliability, before.parts[0].reliability)
    assert not np.allclose(after.parts[1].reliability, before.parts[1].reliability)


class World:
    """Voxels with shared signals and noise, of known reliability, and predictions of known quality."""

    def __init__(self, voxels=40):
        generator = np.random.default_rng(1)
        self.signal, self.noise = generator.normal(size=(2, 6, voxels)) * 0.5
        self.predicted = self.signal + 0.3 * generator.normal(size=(6, voxels))
        self.deviation = np.linspace(1, 4, voxels)

    def draw(self, generator, stimuli, repeats):
        """Predictions, true signals, and trials."""
        factors = generator.normal(size=(stimuli, 6))
        signal = factors @ self.signal + 0.7 * generator.normal(size=(stimuli, len(self.deviation)))
        shared = generator.normal(size=(stimuli, repeats, 6)) @ self.noise
        noise = shared + self.deviation * generator.normal(size=(stimuli, repeats, len(self.deviation)))
        return factors @ self.predicted, signal, signal[:, None] + noise


def region_of(test, train, repeats=None, minimum=0.1):
    made = targets(test, train, repeats)
    n_train = max((len(part.train) for part in made.parts if part.train is not None), default=0)
    parts = [Part.of(part, minimum, n_train) for part in made.parts]
    return Region("sub-01", "V1", np.arange(test.shape[-1]), made, parts, n_train)


def scored(region, predicted):
    everything = np.arange(len(predicted))
    return region.score(predicted, [everything], [everything[None]])


SOURCES = {
    OTHER_REPEATS: lambda test, train: region_of(test, train),
    TRAINING_REPEATS: lambda test, train: region_of(test[:, :3], train),
    SAME_REPEATS: lambda test, train: region_of(test[:, :3], None),
    VARIANCES: lambda test, train: region_of(
        test.mean(axis=1), train.mean(axis=1), {"test": 12.0, "train": 2.0}
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES)
def test_corrected_scores_and_their_intervals_cover_the_truth(source):
    world, simulations, m = World(), 500, 120
    predicted, signal, trials = world.draw(np.random.default_rng(9), 20000, 12)
    # what is scored: a half of the repeats, three, or all
    repeats = {OTHER_REPEATS: 6, TRAINING_REPEATS: 3, SAME_REPEATS: 3, VARIANCES: 12}[source]
    measured = trials[:, :repeats].mean(axis=1)
    truth_r = Correlations.of(predicted, trials[:, : {6: 12}.get(repeats, repeats)].mean(axis=1)).r.mean()
    truth = Correlations.of(predicted, measured).r.mean() / Correlations.of(signal, measured).r.mean()
    found = []
    for simulation in range(simulations):
        generator = np.random.default_rng([5, simulation])
        predicted, _, test = world.draw(generator, m, 12)
        _, _, train = world.draw(generator, 600, 2)
        region = SOURCES[source](test, train)
        assert region.targets.source == source
        score = scored(region, predicted)
        variances = [(each**2).sum() for each in (score.influence, score.corrected_influence)]
        found.append((score.score, variances[0], score.corrected, variances[1]))
    found = np.array(found)
    quantile = stats.t.ppf(0.975, m - 1)
    for value, variance, true in ((0, 1, truth_r), (2, 3, truth)):
        inside = np.abs(found[:, value] - true) < quantile * np.sqrt(found[:, variance])
        # 93 to 97 %, give or take what 500 simulations leave open
        assert 0.93 - 0.02 < inside.mean() < 0.97 + 0.02, (source, value, inside.mean())
    assert found[:, 2].mean() == pytest.approx(truth, abs=0.01)
    # the score itself is far from it
    assert found[:, 0].mean() < truth - 0.05


def test_scores_of_folds_are_those_of_many_stimuli():
    """r within folds of 12 stimuli is corrected for them; R2 is over all, since that of 12 would be .17."""
    random, explained = np.random.default_rng(0), 0.3
    signal = np.sqrt(explained) * random.normal(size=(60, 4000))
    test = signal + np.sqrt(1 - explained) * random.normal(size=signal.shape)
    folds = np.array_split(np.arange(60), 5)
    region = Region("sub-01", "V1", np.arange(4000), Targets(test, "unknown"), [], 0)
    score = region.score(signal, folds, [np.arange(12)[None]] * 5)
    assert score.score == pytest.approx(np.sqrt(explained), abs=0.01)
    assert score.r2_mean == pytest.approx(explained, abs=0.025)
    assert explained_variance(signal, region)[0] == pytest.approx(score.r2_mean)


def test_nothing_is_clipped_and_what_is_left_out_is_counted():
    generator = np.random.default_rng(0)
    signal = np.array([1.0, 1.0, 1.0, 0.0])
    test = trials_of(generator, 40, 8, signal, np.array([0.5, 0.5, 0.5, 20.0]))
    region = region_of(test, None)
    assert 0 < region.left_out <= 1
    # what was measured predicts itself better than its reliability lets a model
    score = scored(region, test.mean(axis=1))
    assert score.corrected > 1
    assert score.corrected_r2 > 1
    none = scored(region_of(test, None, minimum=1.0), test.mean(axis=1))
    assert np.isnan(none.corrected)
    assert np.isfinite(none.score)


# ---- networks and tables -----------------------------------------------------------------------------------


def responses_of(values, split, subjects=("sub-01",), rois=("V1",)):
    """Responses (stimulus, repeat, voxel) as the workflow has them, the voxels in equal parts."""
    labels = [(subject, roi) for subject in subjects for roi in rois]
    size = values.shape[-1] // len(labels)
    coords = {
        "stimulus_id": ("stimulus", np.array([f"s{k}" for k in range(len(values))], object)),
        "split": ("stimulus", np.array(split, object)),
        "subject": ("voxel", np.repeat(np.array([s for s, _ in labels], object), size)),
        "roi": ("voxel", np.repeat(np.array([r for _, r in labels], object), size)),
    }
    dims = ("stimulus", "repeat", "voxel") if values.ndim == 3 else ("stimulus", "voxel")
    return xarray.DataArray(values.astype(np.float32), dims=dims, coords=coords, name="responses")


LAYERS = pd.DataFrame(
    {"layer": ["true", "some", "noise"], "layer_index": [0, 1, 2], "depth": [0.0, 0.5, 1.0]}
)
SPLIT = ["train"] * 90 + ["test"] * 40


def study_of(split=SPLIT, methods=("ridge",), subjects=("sub-01",), threads=1, repeats=6, **settings):
    features, responses = linear_world(voxels=48, noise=0)
    generator = np.random.default_rng(3)
    values = responses[:, None] / responses.std(axis=0) + 2 * generator.normal(size=(130, repeats, 48))
    layers = {
        "true": features,
        "some": features + 1.5 * generator.normal(size=features.shape),
        "noise": generator.normal(size=(130, 60)),
    }
    layers = {name: layer.astype(np.float32) for name, layer in layers.items()}
    found = encode_network(
        LAYERS,
        layers.__getitem__,
        responses_of(values, split, subjects, ("V1", "LO")),
        EncodingSettings(methods=methods, **settings),
        Settings(permutations=199),
        threads=threads,
    )
    return found, layers, values


@pytest.mark.parametrize("split", [SPLIT, ["test"] * 130], ids=["two splits", "one split"])
def test_layers_are_told_apart(split):
    found, _, _ = study_of(split)
    score = found["score"].sel(estimator="ridge", split="test", subject="sub-01")
    assert (score.sel(layer="true") > score.sel(layer="some")).all()
    assert (score.sel(layer="some") > 0.1).all()
    assert np.abs(score.sel(layer="noise")).max() < 0.15
    assert (found["corrected"] > found["score"]).sel(layer="true").all()
    p = found["p"].sel(estimator="ridge", unit="sub-01")
    assert (p.sel(layer="true") == 1 / 200).all()
    given = "set" if "train" in split else "sets of the folds"
    assert found.attrs["conditional"] == f"conditional on the training {given} and on the voxels"
    # the best layer is chosen without the stimuli that it is scored on
    held = found["heldout"].sel(estimator="ridge", candidate="all").to_numpy()
    assert np.allclose(held, score.sel(layer="true"))


@pytest.mark.parametrize("split", [SPLIT, ["test"] * 130], ids=["two splits", "one split"])
def test_a_sample_of_voxels_adds_its_variance_to_the_same_scores(split):
    fixed, sampled = study_of(split)[0], study_of(split, voxel_effect="random")[0]
    assert sampled.attrs["conditional"] == fixed.attrs["conditional"].removesuffix(" and on the voxels")
    for which in ("score", "corrected", "heldout"):
        assert np.allclose(fixed[which], sampled[which], equal_nan=True)
    n = fixed.sizes["replicate"]
    for name in ("deviations", "corrected_deviations", "heldout_deviations"):
        before, after = fixed[name].to_numpy(), sampled[name].to_numpy()
        stimuli = (slice(None),) * fixed[name].dims.index("replicate") + (slice(0, n),)
        assert np.array_equal(before, after[stimuli], equal_nan=True)
    # 24 voxels of each ROI, each on the scores of its own
    rows = sampled["deviations"].squeeze().transpose("replicate", "roi", "layer").to_numpy()[n:]
    assert rows.shape[0] == 48
    assert (rows[24:, 0] == 0).all()
    assert (rows[:24, 1] == 0).all()
    # no more than the spread of r over voxels, which holds noise of the stimuli too
    r = sampled["r"].squeeze().to_numpy()
    for roi, own in enumerate((rows[:24, 0], rows[24:, 1])):
        spread = r[:, 24 * roi : 24 * roi + 24].var(axis=1, ddof=1) / 24
        assert ((own**2).sum(axis=0) <= spread * (1 + 1e-5)).all()
        assert (own**2).sum(axis=0)[0] > 0.2 * spread[0]


@pytest.mark.slow
def test_the_result_does_not_depend_on_the_number_of_threads():
    one, several = study_of(methods=("ridge", "pls"))[0], study_of(methods=("ridge", "pls"), threads=3)[0]
    xarray.testing.assert_identical(one, several)


def test_other_estimators_change_nothing_of_ridge():
    one, both = study_of()[0], study_of(methods=("pls", "ridge"))[0]
    for name in ("score", "corrected", "deviations", "p"):
        assert np.allclose(
            one[name].sel(estimator="ridge"), both[name].sel(estimator="ridge"), equal_nan=True
        )


def test_scores_are_those_of_the_single_fit():
    found, layers, values = study_of()
    kernel = layer_kernel(layers["true"], TRAIN, TEST)
    means = values.astype(np.float32).mean(axis=1, dtype=np.float64)
    # the folds of the study
    (part,) = partitions(np.array(SPLIT), 5, Settings().seed)
    fit = fits.ridge(kernel, means[TRAIN], part.splits, SETTINGS)
    r = Correlations.of(fit.predicted, means[TEST]).r
    own = found.sel(estimator="ridge", layer="true")
    assert np.allclose(own["r"], r, atol=1e-4)
    assert np.allclose(own["score"].sel(roi="LO").to_numpy().ravel(), r[24:].mean(), atol=1e-4)


def test_a_constant_layer_has_no_score_and_says_so():
    layers = {"true": np.random.default_rng(0).normal(size=(130, 20)), "some": np.full((130, 9), 0.1)}
    layers["noise"] = layers["true"]
    values = np.random.default_rng(1).normal(size=(130, 4, 10))
    found = encode_network(
        LAYERS,
        lambda name: layers[name].astype(np.float32),
        responses_of(values, SPLIT),
        SETTINGS,
        Settings(permutations=19),
    )
    table = encoding_table({"net": found}, "data", Settings())
    note = table.set_index("layer")["note"]
    assert note["some"].startswith("constant layer")
    assert note["true"] == ""
    assert np.isnan(table.set_index("layer")["score"]["some"])
    assert np.isfinite(table.set_index("layer")["p_fwe"][["true", "noise"]]).all()


def test_features_of_other_stimuli_are_refused():
    message = message_of(
        encode_network,
        LAYERS,
        lambda name: np.zeros((7, 3), np.float32),
        responses_of(np.random.default_rng(1).normal(size=(130, 4, 10)), SPLIT),
        SETTINGS,
        Settings(permutations=19),
    )
    assert message == "activations of true: found 7 rows, expected 130, the stimuli of the responses"


@pytest.mark.slow
def test_the_table_has_the_group_and_its_columns(tmp_path):
    found, _, _ = study_of(subjects=("sub-01", "sub-02", "sub-03"), methods=("ridge", "pls"))
    table = encoding_table({"net": found, "other": found}, "data", Settings(), {"net": ["coco"]})
    assert list(table) == list(ENCODING.columns)
    write_table(tmp_path / "encoding.csv", table, {}, ENCODING)
    assert len(table) == 2 * 2 * 3 * (3 + 1) * 2
    ridge = table[(table["model"] == "net") & (table["method"] == "ridge") & (table["layer"] == "true")]
    group = ridge[ridge["subject"] == "group"].set_index("roi")
    people = ridge[ridge["subject"] != "group"]
    for column in ("score", "corrected", "median", "corrected_r2"):
        assert np.allclose(people.groupby("roi")[column].mean(), group[column].loc[["LO", "V1"]])
    assert (group["n_voxels"] == 24).all()
    assert (group["p_fwe"] >= group["p"]).all()
    assert (table["ci_low"] < table["score"]).all()
    assert set(table["trained_on"]) == {"coco", ""}
    assert table.loc[table["method"] == "pls", "alpha_median"].isna().all()


def test_unknown_reliability_leaves_scores_without_correction():
    values = np.random.default_rng(1).normal(size=(130, 10))
    layers = np.random.default_rng(0).normal(size=(130, 20)).astype(np.float32)
    found = encode_network(
        LAYERS, lambda name: layers, responses_of(values, SPLIT), SETTINGS, Settings(permutations=19)
    )
    table = encoding_table({"net": found}, "data", Settings())
    for column in ("corrected", "corrected_low", "corrected_median", "corrected_r2", "n_left_out", "ceiling"):
        assert table[column].isna().all(), column
    assert (table["reliability_source"] == UNKNOWN).all()
    assert (table["note"] == "").all()
    assert table["score"].notna().all()


def test_claims_can_take_encoding_for_similarity():
    found, _, _ = study_of(subjects=("sub-01", "sub-02"))
    scores = model_scores(found.sel(estimator="ridge"), seed=1)
    assert scores.scores.estimate.shape == (2, 3)
    se, low, high = scores.heldout.evaluated().interval()
    assert np.isfinite(se).all()
    assert (low < high).all()


def both_measures(features, responses):
    """Mean r of ridge over the voxels, and RSA, on the same test stimuli."""
    fit = fits.ridge(layer_kernel(features, TRAIN, TEST), responses[TRAIN], splits_in(90), SETTINGS)
    encoding = Correlations.of(fit.predicted, responses[TEST]).r.mean()
    similarity = compare(rdm(features[TEST])[None], rdm(responses[TEST])[None], "spearman")[0, 0]
    return np.array([encoding, similarity])


def test_encoding_and_rsa_agree_where_information_is_in_all_dimensions():
    """A layer whose every dimension is the region's code, with more and more noise: both fall together."""
    generator = np.random.default_rng(0)
    code, noise = generator.normal(size=(130, 8)), generator.normal(size=(130, 120))
    signal = code @ generator.normal(size=(8, 120))
    responses = code @ generator.normal(size=(8, 60)) + generator.normal(size=(130, 60))
    found = np.array([both_measures(signal + deviation * noise, responses) for deviation in (1, 4, 12, 1000)])
    assert (np.diff(found, axis=0) < 0).all()
    assert (found[0] > 0.6).all()
    assert (np.abs(found[-1]) < 0.15).all()


def test_encoding_and_rsa_differ_where_information_is_in_few_weak_dimensions():
    """Encoding finds what is in a few dimensions of little variance; RSA sees the many others."""
    generator = np.random.default_rng(0)
    code = generator.normal(size=(130, 3))
    features = np.concatenate([0.3 * code, generator.normal(size=(130, 30))], axis=1)
    responses = code @ generator.normal(size=(3, 24)) + 0.5 * generator.normal(size=(130, 24))
    encoding, similarity = both_measures(features, responses)
    assert encoding > 0.6
    assert similarity < 0.15
