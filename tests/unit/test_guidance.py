"""Training with the brain: it moves the weights towards the target, and nothing leaks."""

import itertools
from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import xarray
from PIL import Image
from scipy import stats
from scipy.spatial.distance import pdist, squareform
from torch import nn

from cortexrsa.errors import InputError
from cortexrsa.guidance import choice, leaks, stimuli, targets
from cortexrsa.guidance.lessons import lesson_of, targets_of
from cortexrsa.guidance.settings import TARGETS, Guidance, Lesson
from cortexrsa.guidance.training import Guided, GuidedTraining, SimilarityCurve, begin_with, train_guided
from cortexrsa.networks import objectives
from cortexrsa.networks.build import build
from cortexrsa.networks.settings import Preprocessing, Recipe
from cortexrsa.networks.streaming import Corpus
from cortexrsa.networks.training import train
from support import message_of

PREPROCESSING = Preprocessing(16, mean=[0.5] * 3, std=[0.25] * 3)
NETWORK = {
    "source": "resnet",
    "name": "resnet18",
    "options": {"width": 4, "stem": "small", "classes": 2},
}
RECIPE = Recipe(
    objective="supervised",
    images_seen=24 * 12,
    batch_size=16,
    learning_rate=4e-3,
    seed=1,
    precision="float32",
)
GUIDANCE = Guidance(dataset="d", layers={"LO": "layer4.1"}, loss="rdm_pearson", weight=3.0, batch_size=8)
RANDOM = np.random.default_rng(0)


def gratings(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 20, 20) of gratings of two directions and of many wavelengths, with their labels."""
    random = np.random.default_rng(seed)
    labels = np.array(["horizontal", "vertical"])[np.arange(n) % 2]
    period, phase = random.uniform(4, 12, (n, 1)), random.uniform(0, 2 * np.pi, (n, 1))
    wave = 127.5 * (1 + 0.8 * np.cos(2 * np.pi * np.arange(20) / period + phase))
    images = np.repeat(wave[:, None, :], 20, axis=1)
    images[labels == "horizontal"] = images[labels == "horizontal"].transpose(0, 2, 1)
    return np.clip(images + random.normal(0, 8, images.shape), 0, 255).astype(np.uint8), labels


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    images, labels = gratings(96, 1)
    split = np.where(np.arange(96) < 64, "train", "validation")
    return Corpus(
        pd.DataFrame({"file": [str(k) for k in range(96)], "category": labels, "split": split}), images
    )


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, pd.DataFrame, xarray.DataArray]:
    """Forty stimuli, thirty of them for training, and responses of two people to three repeats of each."""
    images, labels = gratings(40, 2)
    table = pd.DataFrame(
        {
            "stimulus_id": [f"s{k:02d}" for k in range(40)],
            "split": np.where(np.arange(40) < 30, "train", "test"),
            "repeats": 3,
            "category": labels,
            "kind": [f"kind {k % 8}" for k in range(40)],
        }
    )
    # two dimensions, of which the images tell nothing: they have to be learned stimulus by stimulus
    random = np.random.default_rng(3)
    codes = random.normal(size=(40, 2)) @ random.normal(size=(2, 24))
    trials = codes[:, None, :] + 0.3 * np.random.default_rng(4).normal(size=(40, 3, 24))
    responses = xarray.DataArray(
        trials,
        dims=("stimulus", "repeat", "voxel"),
        coords={
            "stimulus_id": ("stimulus", table["stimulus_id"]),
            "split": ("stimulus", table["split"]),
            "subject": ("voxel", ["a"] * 12 + ["b"] * 12),
            "roi": ("voxel", (["LO"] * 6 + ["V1"] * 6) * 2),
        },
    )
    return np.repeat(images[..., None], 3, axis=-1), table, responses


@pytest.fixture
def hashed(corpus, tmp_path):
    """The corpus with the file of its hashes."""
    from cortexrsa.storage import write_provenance

    path = tmp_path / "hashes.npy"
    np.save(path, leaks.hashes_of_corpus(corpus, 16))
    write_provenance(path, {}, {"hashes.npy": path})
    return corpus, path


def lesson(data, hashed, guidance=GUIDANCE, seed=1, **options):
    images, table, responses = data
    layers = sorted(guidance.layers.items())
    return lesson_of(guidance, layers, (images, table), responses, hashed, PREPROCESSING, seed, **options)


def trained(data, hashed, guidance=GUIDANCE, recipe=RECIPE, **options):
    own, _, cleaned = lesson(data, hashed, guidance, recipe.seed)
    return train_guided(NETWORK, recipe, cleaned, PREPROCESSING, guidance, own, device="cpu", **options)


def equal(first, second) -> bool:
    first, second = first.state_dict(), second.state_dict()
    return all(torch.equal(first[key], second[key]) for key in first)


def similarity(metrics, name="validation_similarity") -> pd.Series:
    own = metrics[metrics["metric"] == name]
    return own.set_index("step")["value"]


# ---- what is learned -------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("loss", TARGETS)
def test_every_loss_brings_the_layer_closer_to_the_brain(data, hashed, loss):
    recipe = replace(RECIPE, images_seen=32 * 60)
    guidance = replace(GUIDANCE, loss=loss, batch_size=16)
    metrics = trained(data, hashed, guidance, recipe)[1]
    beside = trained(data, hashed, replace(guidance, weight=0), recipe)[1]
    ends = [similarity(each, "training_similarity").iloc[-10:].mean() for each in (metrics, beside)]
    guided, unguided = ends
    assert guided > unguided + 0.1
    assert metrics["step"].max() == recipe.images_seen
    # and the task is learned as well
    assert metrics.set_index("metric")["value"]["accuracy"] > 0.8


@pytest.mark.slow
def test_controls_begin_with_the_same_weights_and_see_the_same_stimuli(data, hashed, monkeypatch):
    seen, first = {}, {}
    shown, begun = GuidedTraining.stimuli_of, GuidedTraining.on_fit_start

    def stimuli_of(module, step):
        found = shown(module, step)
        seen.setdefault(module.guidance.target, []).append(module.lesson.fitted[found].tolist())
        return found

    def on_fit_start(module):
        first[module.guidance.target] = module.objective.network.state_dict()["layer1.0.conv1.weight"].clone()
        return begun(module)

    monkeypatch.setattr(GuidedTraining, "stimuli_of", stimuli_of)
    monkeypatch.setattr(GuidedTraining, "on_fit_start", on_fit_start)
    networks = {
        target: trained(data, hashed, replace(GUIDANCE, target=target))[0]
        for target in ("brain", "shuffled", "spectrum", "low_level")
    }
    assert len(seen["brain"]) == 12
    for target in ("shuffled", "spectrum", "low_level"):
        assert seen[target] == seen["brain"]
        assert torch.equal(first[target], first["brain"])
        assert not equal(networks[target], networks["brain"])


def test_no_batch_has_a_stimulus_twice_and_all_are_seen_equally_often(data, hashed):
    own = lesson(data, hashed)[0]
    guided = Guided(objectives.Supervised(build(NETWORK, 1), RECIPE), ["layer4.1"])
    module = GuidedTraining(guided, PREPROCESSING, 100, GUIDANCE, own)
    n, size = len(own.fitted), GUIDANCE.batch_size
    assert n % size
    batches = [module.stimuli_of(step) for step in range(60)]
    assert all(len(set(batch)) == size for batch in batches)
    counts = np.bincount(np.concatenate(batches), minlength=n)
    assert counts.min() > 0.5 * counts.mean()
    # in one pass none twice
    first = np.concatenate(batches[: n // size])
    assert len(set(first)) == len(first)


@pytest.mark.slow
def test_weight_zero_shows_the_stimuli_and_learns_nothing_of_the_brain(data, hashed):
    guidance = replace(GUIDANCE, weight=0)
    one = trained(data, hashed, guidance)[0]
    images, table, responses = data
    other = (images, table, responses + 100 * np.random.default_rng(5).normal(size=responses.shape))
    assert equal(one, trained(other, hashed, guidance)[0])
    # with other stimuli in the batch, normalisation is another
    assert not equal(one, trained((255 - images, table, responses), hashed, guidance)[0])


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["simclr", "barlow_twins", "autoencoder", "vae"])
def test_other_objectives_are_guided_too(data, hashed, objective):
    recipe = {
        "simclr": replace(RECIPE, objective="simclr", temperature=0.2, projection=[16, 8]),
        "barlow_twins": replace(RECIPE, objective="barlow_twins", projection=[16, 8]),
        "autoencoder": replace(RECIPE, objective="autoencoder"),
        "vae": replace(RECIPE, objective="vae", decoder_sd=0.2),
    }[objective]
    coded = {"width": 4, "stem": "small", "latent": 8, "size": 16}
    contrastive, layer = objective in ("simclr", "barlow_twins"), "layer4.1"
    network = NETWORK | {"options": NETWORK["options"] | {"classes": 0}}
    if not contrastive:
        network = {"source": objective, "name": "resnet18", "options": coded}
        layer = {"autoencoder": "code", "vae": "mu"}[objective]
    guidance = replace(GUIDANCE, layers={"LO": layer})
    own, _, cleaned = lesson(data, hashed, guidance)
    model, metrics = train_guided(network, recipe, cleaned, PREPROCESSING, guidance, own, device="cpu")
    assert np.isfinite(metrics["value"]).all()
    beside = replace(guidance, weight=0)
    other, _ = train_guided(network, recipe, cleaned, PREPROCESSING, beside, own, device="cpu")
    assert not equal(model, other)


def test_a_plain_training_is_what_it_was_before(corpus):
    """Without stimuli, the guided step is the plain one."""
    recipe = replace(RECIPE, images_seen=64)
    one = train(NETWORK, recipe, corpus, PREPROCESSING, device="cpu")[0]
    again = train(NETWORK, recipe, corpus, PREPROCESSING, device="cpu")[0]
    assert equal(one, again)


@pytest.mark.slow
def test_the_best_weights_are_those_of_the_highest_point_of_validation(data, hashed):
    model, metrics = trained(data, hashed, replace(GUIDANCE, keep="best"))
    last, same = trained(data, hashed)
    pd.testing.assert_series_equal(similarity(metrics), similarity(same))
    curve = similarity(metrics).iloc[1:]
    assert equal(model, last) == (curve.idxmax() == curve.index[-1])


@pytest.mark.slow
def test_taken_up_and_in_parts_it_ends_the_same(data, hashed, tmp_path, monkeypatch, capsys):
    whole, metrics = trained(data, hashed, recipe=replace(RECIPE, norm_batch=8))
    # taken up at its end
    trained(data, hashed, recipe=replace(RECIPE, norm_batch=8), checkpoints=tmp_path / "c")
    again, same = trained(data, hashed, recipe=replace(RECIPE, norm_batch=8), checkpoints=tmp_path / "c")
    assert equal(whole, again)
    pd.testing.assert_frame_equal(metrics, same)
    # out of memory: the batch of 16 images and 8 stimuli in two parts of 8 and 4
    held, outputs, backward = [0, 0], objectives.Objective.outputs, torch.autograd.backward

    def limited(objective, views):
        held[0] += len(views) if torch.is_grad_enabled() else 0
        if held[0] > 12:
            held[:] = 0, held[1] + 1
            raise torch.OutOfMemoryError("CUDA out of memory (simulated)")
        return outputs(objective, views)

    def released(*arguments, **options):
        held[0] = 0
        return backward(*arguments, **options)

    monkeypatch.setattr(objectives.Objective, "outputs", limited)
    monkeypatch.setattr(torch.autograd, "backward", released)
    parts, other = trained(data, hashed, recipe=replace(RECIPE, norm_batch=8))
    assert held[1] == 1
    for key, value in whole.state_dict().items():
        torch.testing.assert_close(parts.state_dict()[key], value, rtol=1e-2, atol=2e-3)
    np.testing.assert_allclose(similarity(other), similarity(metrics), atol=1e-3)


def test_a_training_may_begin_with_other_weights(data, hashed, capsys):
    other = build(NETWORK | {"options": NETWORK["options"] | {"classes": 7}}, 5)
    network = build(NETWORK, 1)
    before = network.state_dict()["fc.weight"].clone()
    assert begin_with(network, other.state_dict()) == ["fc.weight", "fc.bias"]
    assert torch.equal(network.state_dict()["fc.weight"], before)
    assert torch.equal(network.state_dict()["conv1.weight"], other.state_dict()["conv1.weight"])
    assert begin_with(network, build(NETWORK, 9).state_dict()) == []
    wide = build(NETWORK | {"options": NETWORK["options"] | {"width": 8}}, 5)
    assert "start: found" in message_of(begin_with, network, wide.state_dict())
    tuned = trained(data, hashed, recipe=replace(RECIPE, learning_rate=1e-9), start=other.state_dict())[0]
    torch.testing.assert_close(
        tuned.state_dict()["conv1.weight"], other.state_dict()["conv1.weight"], atol=1e-6, rtol=0
    )


def test_layer_and_weight_are_chosen_by_the_similarity_on_validation_stimuli(data, hashed):
    guidance = replace(
        GUIDANCE,
        layers={"V1": "relu", "LO": "layer4.1"},
        choose={"weights": [1, 3], "layers": {"LO": ["layer3.1", "layer4.1"]}, "share": 0.5},
    )
    found = choice.candidates(guidance)
    assert [(each.weight, each.layers["LO"], each.layers["V1"]) for each in found] == [
        (1, "layer3.1", "relu"),
        (3, "layer3.1", "relu"),
        (1, "layer4.1", "relu"),
        (3, "layer4.1", "relu"),
    ]
    values = iter([0.1, 0.4, 0.2, 0.3])
    chosen, table = choice.choose(guidance, lambda _: next(values))
    assert chosen == found[1]
    assert table["chosen"].tolist() == [False, True, False, False]
    assert table["layers"][1] == "V1: relu; LO: layer3.1"
    own = lesson(data, hashed, guidance)[0]
    moved = choice.with_layers(own, ["LO", "V1"], chosen, ["relu", "layer3.1", "layer4.1"])
    assert [layer for layer, _ in moved.targets] == ["relu", "layer3.1"]
    assert moved.targets[1][1] is own.targets[0][1]
    # a training that failed is never the best one
    values = iter([0.1, np.nan, 0.2, np.nan])
    assert choice.choose(guidance, lambda _: next(values))[0] == found[2]
    message = message_of(choice.choose, guidance, lambda _: np.nan)
    assert message.startswith("weights.training.brain.choose: found NaN as similarity of every candidate")
    # nothing to choose, or nothing to learn
    for settled in (GUIDANCE, replace(guidance, weight=0)):
        same, table = choice.choose(settled, None)
        assert same == settled
        assert table["chosen"].tolist() == [True]


def test_a_similarity_that_is_nan_at_first_gives_way_to_any():
    weights, values = nn.Linear(1, 1), iter([np.nan, 0.2, 0.1])
    module = SimpleNamespace(
        similarity=0.0,
        guidance=replace(GUIDANCE, keep="best"),
        objective=SimpleNamespace(network=weights),
        validate=lambda: next(values),
    )
    curve = SimilarityCurve(3, 4)
    for step in (1, 2, 3):
        with torch.no_grad():
            weights.weight.fill_(step)
        curve.on_train_batch_end(SimpleNamespace(global_step=step), module, None, None, step)
    assert (curve.highest, float(curve.best["weight"])) == (0.2, 2)


# ---- targets ---------------------------------------------------------------------------------------------


def test_targets_are_means_over_people(data):
    _, table, responses = data
    chosen = np.arange(20)
    means = responses.mean("repeat").to_numpy()[chosen]
    lo = [means[:, :6], means[:, 12:18]]
    expected = np.mean([squareform(pdist(own, "correlation")) for own in lo], axis=0)
    ((layer, found),) = targets_of(GUIDANCE, [("LO", "layer4.1")], responses, chosen, 1)
    assert layer == "layer4.1"
    np.testing.assert_allclose(found, expected, atol=1e-6)
    ((_, own),) = targets_of(replace(GUIDANCE, subjects=["b"]), [("LO", "x")], responses, chosen, 1)
    np.testing.assert_allclose(own, squareform(pdist(lo[1], "correlation")), atol=1e-6)
    ((_, voxels),) = targets_of(replace(GUIDANCE, loss="readout"), [("LO", "x")], responses, chosen, 1)
    np.testing.assert_allclose(voxels, stats.zscore(np.concatenate(lo, axis=1)), atol=1e-5)
    other = replace(GUIDANCE, target="other_roi", options={"roi": "V1"})
    ((_, v1),) = targets_of(other, [("LO", "x")], responses, chosen, 1)
    expected = np.mean([squareform(pdist(means[:, k : k + 6], "correlation")) for k in (6, 18)], axis=0)
    np.testing.assert_allclose(v1, expected, atol=1e-6)


def test_controls_keep_what_they_should_and_lose_the_rest():
    trials = RANDOM.normal(size=(60, 2, 10)) * np.linspace(1, 3, 10) + RANDOM.normal(size=(60, 1, 10))
    means = trials.mean(axis=1)
    mixed = targets.shuffled(trials, 3)
    assert sorted(mixed[:, 0, 0]) == sorted(trials[:, 0, 0])
    assert (mixed[:, 0, 0] != trials[:, 0, 0]).mean() > 0.9
    surrogate = targets.spectrum_matched(trials, 3)[:, 0]
    np.testing.assert_allclose(surrogate.mean(axis=0), means.mean(axis=0), atol=1e-9)
    np.testing.assert_allclose(np.cov(surrogate.T), np.cov(means.T), atol=1e-9)
    for other in (mixed.mean(axis=1), surrogate):
        assert abs(stats.pearsonr(pdist(other), pdist(means))[0]) < 0.2
    # by seed
    assert not np.allclose(targets.shuffled(trials, 4), mixed)
    # people who share nothing share nothing in the control
    people = [RANDOM.normal(size=(60, 1, 80)) for _ in range(2)]
    one, two = (pdist(own[:, 0], "correlation") for own in targets.responses_of("spectrum", people, 3))
    assert abs(stats.pearsonr(one, two)[0]) < 0.2


def test_targets_that_are_no_responses_are_as_noisy_as_the_brain():
    patterns = RANDOM.normal(size=(400, 30))
    signal = RANDOM.normal(size=(400, 1, 200))
    for noise in (0.5, 2.0):
        trials = signal + noise * RANDOM.normal(size=(400, 4, 200))
        truth = 1 / (1 + noise**2 / 4)
        assert targets.reliability_of(trials) == pytest.approx(truth, abs=0.03)
        made = targets.as_voxels(patterns, 200, truth, 1)[:, 0]
        again = targets.as_voxels(patterns, 200, np.nan, 1)[:, 0]
        shared = [stats.pearsonr(a, b)[0] ** 2 for a, b in zip(made.T, again.T, strict=True)]
        assert np.mean(shared) == pytest.approx(truth, abs=0.03)
    assert np.isnan(targets.reliability_of(trials[:, :1]))
    # noise of its own in each seed and person, correlated over voxels as the brain's
    drawn = [targets.as_voxels(patterns, 200, 0.5, *own) for own in ((1, 0), (1, 1), (2, 0), (2, 1))]
    for one, two in itertools.combinations(drawn, 2):
        assert not np.allclose(one, two)
    shared = RANDOM.normal(size=(400, 4, 1)) + 0.3 * RANDOM.normal(size=(400, 4, 200))
    made = targets.responses_of("network", [signal + shared], 1, patterns)[0][:, 0]
    plain = targets.responses_of("network", [signal + RANDOM.normal(size=(400, 4, 200))], 1, patterns)[0][
        :, 0
    ]
    apart = [np.linalg.eigvalsh(np.cov(each.T))[-1] for each in (made, plain)]
    assert apart[0] > 2 * apart[1]
    with pytest.raises(InputError, match="the same for all stimuli"):
        targets.as_voxels(np.ones((5, 3)), 4, 0.5, 1)


def test_a_target_without_noise_is_told(data, hashed, capsys):
    images, table, responses = data
    labels = replace(GUIDANCE, target="labels", options={"column": "kind"})
    lesson(data, hashed, labels)
    assert "without noise" not in capsys.readouterr().out
    lesson((images, table, responses.mean("repeat")), hashed, labels)
    assert "Warning: the control labels has a target without noise" in capsys.readouterr().out


# ---- what must not be seen -------------------------------------------------------------------------------


def altered(image: np.ndarray, size: int) -> np.ndarray:
    """The same picture of another size, contrast and compression."""
    grey = Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC)
    return np.clip(20 + 0.8 * np.asarray(grey) + RANDOM.normal(0, 3, np.asarray(grey).shape), 0, 255).astype(
        np.uint8
    )


def test_near_duplicates_are_found_and_others_are_not():
    one, _ = gratings(40, 1)
    two, _ = gratings(30, 2)
    two[7] = altered(one[11], 20)
    found = leaks.near_duplicates(leaks.hashes(one), leaks.hashes(two), lambda k: one[k], lambda k: two[k])
    assert (11, 7) in found
    large = altered(one[11], 90)
    assert leaks.alike(leaks.hashes([large]), leaks.hashes([one[11]])).tolist() == [[0, 0]]


def test_a_corpus_with_a_test_stimulus_is_refused(data, hashed, tmp_path):
    images, table, _ = data
    corpus = hashed[0]
    leaked = corpus.images.copy()
    leaked[5] = altered(images[33, :, :, 0], 20)
    spoiled = Corpus(corpus.index, leaked)
    of_spoiled = leaks.hashes_of_corpus(spoiled, 16)
    tested = np.flatnonzero(table["split"] == "test")
    names = list(table["stimulus_id"].iloc[tested])
    message = message_of(leaks.without_leaks, spoiled, of_spoiled, images[tested], names, False)
    assert message.startswith("corpus: images: found '5', which is the test stimulus 's33'")
    cleaned = leaks.without_leaks(spoiled, of_spoiled, images[tested], names, True)
    assert cleaned.index["split"].iloc[5] == "left_out"
    assert 5 not in cleaned.part("train", 16).rows
    clean = leaks.hashes_of_corpus(corpus, 16)
    assert leaks.without_leaks(corpus, clean, images[tested], names, False) is corpus
    # of the validation images nothing is learned
    elsewhere = Corpus(corpus.index.assign(split="validation"), leaked)
    assert leaks.without_leaks(elsewhere, of_spoiled, images[tested], names, False) is elsewhere


def test_training_stimuli_that_are_test_stimuli_are_left_out(data, hashed):
    images, table, responses = data
    leaked = images.copy()
    leaked[4] = images[35]
    seen = lesson((leaked, table, responses), hashed)[1]
    assert seen["role"][4] == "near_duplicate"
    assert set(seen["role"][30:]) == {"test"}
    own, seen, _ = lesson(data, hashed)
    assert set(seen["role"].iloc[own.fitted]) == {"fit"}
    assert set(seen["role"].iloc[own.validated]) == {"validation"}
    assert not set(own.fitted) & set(own.validated)


@pytest.mark.slow
def test_test_stimuli_change_nothing(data, hashed):
    images, table, responses = data
    other = images.copy()
    other[30:] = 255 - other[30:]
    changed = responses.copy()
    changed[30:] += 5
    assert equal(trained(data, hashed)[0], trained((other, table, changed), hashed)[0])


@pytest.mark.slow
def test_validation_stimuli_are_not_trained_on(data, hashed):
    images, table, responses = data
    own = lesson(data, hashed)[0]
    other = images.copy()
    other[own.validated] = 255 - other[own.validated]
    first, second = (trained((each, table, responses), hashed) for each in (images, other))
    assert equal(first[0], second[0])
    assert not similarity(first[1]).equals(similarity(second[1]))


def test_categories_are_held_out_where_there_are_any(data):
    table = data[1]
    guidance = replace(GUIDANCE, held_out={"column": "kind", "share": 0.25})
    found = stimuli.roles(table, guidance)
    away = set(table["kind"][found["category_held_out"]])
    assert len(away) == 2
    trained_on = found["role"].isin(["fit", "validation"])
    assert not away & set(table["kind"][trained_on])
    assert (found["category_held_out"] & (found["role"] == "test")).sum() > 0
    others = found[found["category_held_out"] & (table["split"] == "train")]
    assert set(others["role"]) == {"held_out_category"}
    # by default, where there are any
    usual = replace(guidance, held_out={"column": None, "share": 0.25}, batch_size=4)
    assert stimuli.roles(table, usual)["category_held_out"].any()
    assert not stimuli.roles(table.drop(columns="category"), usual)["category_held_out"].any()
    # an empty cell is no category
    blank = table.assign(kind=table["kind"].where(table["kind"] > "kind 3", ""))
    found = stimuli.roles(blank, guidance)
    assert not found["category_held_out"][blank["kind"] == ""].any()
    assert not stimuli.roles(table, replace(guidance, held_out=None))["category_held_out"].any()


# ---- bad input -------------------------------------------------------------------------------------------


def test_what_cannot_be_trained_with_is_one_line(data, hashed):
    images, table, responses = data
    alone = table.assign(split="test")
    assert message_of(lesson, (images, alone, responses), hashed) == (
        "split: found 40 test stimuli alone, expected train stimuli: test stimuli are never trained on"
    )
    few = replace(GUIDANCE, batch_size=32)
    assert "stimuli: found 22 train stimuli to train on" in message_of(lesson, data, hashed, few)
    nobody = replace(GUIDANCE, subjects=["c"])
    assert "subjects: found 'c', expected one of" in message_of(lesson, data, hashed, nobody)
    crossed = replace(GUIDANCE, dissimilarity="crossnobis")
    for means in (responses.mean("repeat"), responses.isel(repeat=[0])):
        assert "crossnobis, and the responses are averages" in message_of(
            lesson, (images, table, means), hashed, crossed
        )
    labels = replace(GUIDANCE, target="labels", options={"column": "animal"})
    assert "no column 'animal' of the stimuli" in message_of(lesson, data, hashed, labels)
    tested = replace(GUIDANCE, split="test")
    assert "split: found 'test', expected a split that nothing" in message_of(lesson, data, hashed, tested)
    typo = replace(GUIDANCE, held_out={"column": "categry", "share": 0.25})
    assert "held_out: found no column 'categry'" in message_of(lesson, data, hashed, typo)
    nowhere = replace(GUIDANCE, layers={"IT": "layer4.1"})
    assert "no voxels of IT" in message_of(lesson, data, hashed, nowhere)


def test_batches_that_cannot_be_divided_are_one_line(data, hashed):
    thin = replace(RECIPE, norm_batch=2)
    guidance = replace(GUIDANCE, batch_size=12)
    assert "brain.batch_size: found 12, expected a multiple of 8" in message_of(
        trained, data, hashed, guidance, thin
    )
    for wrong in (5, 64):
        message = message_of(trained, data, hashed, guidance, replace(RECIPE, norm_batch=wrong))
        assert f"norm_batch: found {wrong}, expected a divisor of the batch_size" in message
    short = replace(RECIPE, images_seen=20)
    assert "images_seen: found 20 images in batches of 24" in message_of(
        trained, data, hashed, GUIDANCE, short
    )


def test_a_lesson_is_known_by_all_that_is_learned_from(data, hashed):
    own = lesson(data, hashed)[0]
    assert isinstance(own, Lesson)
    changed = {
        own.digest(),
        replace(own, fitted=own.fitted[::-1]).digest(),
        replace(own, targets=[("layer4.1", own.targets[0][1] + 1)]).digest(),
        replace(own, preprocessing=replace(PREPROCESSING, background=1)).digest(),
    }
    assert len(changed) == 4
    assert asdict(GUIDANCE)["target"] == "brain"
