"""Short trainings that learn, go on after a kill as if nothing had been, and do not depend on the memory."""

import io
import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from cortexrsa.cards import card_names, load_card
from cortexrsa.errors import InputError
from cortexrsa.networks import objectives, training
from cortexrsa.networks.build import build
from cortexrsa.networks.settings import Preprocessing, Recipe
from cortexrsa.networks.streaming import Corpus
from cortexrsa.networks.training import Training, checkpoint_key, learning_rate, train
from cortexrsa.networks.weights import load_weights
from forked import ended, process

ROOT = Path(__file__).resolve().parents[2]
PREPROCESSING = Preprocessing(16, mean=[0.5] * 3, std=[0.25] * 3)
RECIPE = {"images_seen": 1536, "batch_size": 32, "learning_rate": 4e-3, "seed": 1, "precision": "float32"}
VIEWS = {"shift": 0.2, "contrast": [0.6, 1.5], "noise": 0.05}
RECIPES = {
    "supervised": {**RECIPE, "objective": "supervised", "label_smoothing": 0.05},
    "simclr": {
        **RECIPE,
        "objective": "simclr",
        "temperature": 0.2,
        "projection": [32, 16],
        "augmentation": VIEWS,
    },
    "barlow_twins": {
        **RECIPE,
        "objective": "barlow_twins",
        "projection": [32, 32],
        "augmentation": VIEWS,
    },
    "autoencoder": {**RECIPE, "objective": "autoencoder", "images_seen": 4608, "learning_rate": 1e-2},
    "vae": {**RECIPE, "objective": "vae", "images_seen": 6144, "learning_rate": 1e-2, "decoder_sd": 0.2},
}
CODED = {"width": 4, "stem": "small", "latent": 8, "size": 16}
NETWORKS = {
    "supervised": {
        "source": "resnet",
        "name": "resnet18",
        "options": {"width": 4, "stem": "small", "classes": 2},
    },
    "simclr": {
        "source": "resnet",
        "name": "resnet18",
        "options": {"width": 4, "stem": "small", "classes": 0},
    },
    "autoencoder": {"source": "autoencoder", "name": "resnet18", "options": CODED},
    "vae": {"source": "vae", "name": "resnet18", "options": CODED},
}
NETWORKS["barlow_twins"] = NETWORKS["simclr"]


def gratings() -> Corpus:
    """Vertical and horizontal gratings of random phase and contrast: (384, 20, 20) uint8."""
    rng = np.random.default_rng(0)
    n = 384
    labels = np.array(["horizontal", "vertical"])[rng.permutation(np.arange(n) % 2)]
    phase, contrast = rng.uniform(0, 2 * np.pi, (n, 1)), rng.uniform(0.3, 1, (n, 1))
    wave = 127.5 * (1 + contrast * np.cos(2 * np.pi * np.arange(20) / 8 + phase))
    images = np.repeat(wave[:, None, :], 20, axis=1)
    images[labels == "horizontal"] = images[labels == "horizontal"].transpose(0, 2, 1)
    images = np.clip(images + rng.normal(0, 10, images.shape), 0, 255).astype(np.uint8)
    split = np.where(np.arange(n) < 288, "train", "validation")
    index = pd.DataFrame({"file": [str(k) for k in range(n)], "category": labels, "split": split})
    return Corpus(index, images)


@pytest.fixture(scope="module")
def corpus():
    return gratings()


def run(name, corpus, checkpoints=None, network=None, **changes):
    recipe = Recipe(**RECIPES[name] | changes)
    return train(
        network or NETWORKS[name], recipe, corpus, PREPROCESSING, checkpoints=checkpoints, device="cpu"
    )


def relabelled(corpus, **columns):
    return Corpus(corpus.index.assign(**columns), corpus.images)


def final(metrics):
    return metrics.groupby("metric")["value"].last()


def equal(first, second):
    first, second = first.state_dict(), second.state_dict()
    return all(torch.equal(first[key], second[key]) for key in first)


# ---- what is learned -------------------------------------------------------------------------------------


def test_learning_rate_warms_up_and_decays():
    rates = [learning_rate(step, 100, warmup=0.1) for step in range(100)]
    np.testing.assert_allclose(rates[:10], 0.1 * np.arange(1, 11))
    assert max(rates) == 1
    assert rates[55] == pytest.approx(0.5)
    assert all(a > b for a, b in zip(rates[10:], rates[11:], strict=False))
    assert rates[-1] < 0.002


@pytest.mark.slow
@pytest.mark.parametrize("objective", list(RECIPES))
def test_it_learns_and_says_so(corpus, objective, tmp_path):
    before = build(NETWORKS[objective], seed=1).state_dict()
    network, metrics = run(objective, corpus)
    assert list(metrics.columns) == ["metric", "value", "step"]
    values = final(metrics)
    expected = {"training_loss", "held_out_loss", "chance", "knn_accuracy", "probe_accuracy"}
    for curve in ("training_loss", "held_out_loss"):
        points = metrics[metrics["metric"] == curve]
        assert points["step"].iloc[-1] == RECIPES[objective]["images_seen"]
        assert np.isfinite(points["value"]).all()
        assert len(points) >= 10
    falling = metrics.loc[metrics["metric"] == "training_loss", "value"]
    assert falling.iloc[-5:].mean() < falling.iloc[:5].mean()
    assert values["chance"] == pytest.approx(0.5, abs=0.1)
    assert values["knn_accuracy"] > 0.8
    if objective == "supervised":
        expected |= {"accuracy"}
        assert values["accuracy"] > 0.9
    if objective in ("autoencoder", "vae"):
        expected |= {"reconstruction_r2"}
        assert 0.2 < values["reconstruction_r2"] <= 1
    if objective == "vae":
        expected |= {"kl"}
        assert values["kl"] > 0
    assert set(values.index) == expected
    assert set(metrics.loc[metrics["step"] == 0, "metric"]) == {"knn_accuracy", "probe_accuracy"}
    # the network alone is kept, loads again from a plain file, and no longer depends on the draw
    assert list(network.state_dict()) == list(before)
    assert not network.training
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    again = build(NETWORKS[objective], seed=9).eval()
    load_weights(again, {}, tmp_path / "weights.safetensors")
    x = torch.rand(2, 3, 16, 16)
    one, two = (out[0] if isinstance(out := net(x), tuple) else out for net in (network, again))
    torch.testing.assert_close(one, two)


@pytest.mark.slow
def test_cornet_s_learns(corpus):
    network = {
        "source": "cornet_s",
        "name": "cornet_s",
        "options": {"width": 4, "stem": "small", "classes": 2},
    }
    assert final(run("supervised", corpus, network=network)[1])["accuracy"] > 0.8


@pytest.mark.parametrize("objective", ["supervised", "simclr", "vae"])
def test_the_same_seed_gives_the_same_weights(corpus, objective):
    torch.manual_seed(99)
    first, metrics = run(objective, corpus, images_seen=128)
    torch.manual_seed(100)
    state = torch.get_rng_state()
    again, same = run(objective, corpus, images_seen=128)
    assert torch.equal(state, torch.get_rng_state())
    other, _ = run(objective, corpus, images_seen=128, seed=2)
    assert equal(first, again)
    assert metrics.equals(same)
    assert not equal(first, other)


@pytest.mark.slow
def test_labels_do_not_reach_the_others(corpus):
    shuffled = np.random.default_rng(1).permutation(corpus.index["category"])
    for objective in ("simclr", "barlow_twins", "autoencoder", "vae"):
        true, false = (
            run(objective, relabelled(corpus, category=y), images_seen=128)[0]
            for y in (corpus.index["category"], shuffled)
        )
        assert equal(true, false)


def test_a_network_that_cannot_learn_stays_at_chance(corpus):
    shuffled = np.random.default_rng(1).permutation(corpus.index["category"])
    values = final(run("supervised", relabelled(corpus, category=shuffled), images_seen=640)[1])
    assert values["accuracy"] < 0.7
    assert values["knn_accuracy"] < 0.7


def test_without_labels_there_are_losses_and_reconstructions_alone(corpus):
    blank = relabelled(corpus, category="")
    assert set(run("simclr", blank, images_seen=128)[1]["metric"]) == {"training_loss", "held_out_loss"}
    assert "reconstruction_r2" in set(run("autoencoder", blank, images_seen=128)[1]["metric"])
    single = relabelled(corpus, category="cat")
    assert "knn_accuracy" not in set(run("simclr", single, images_seen=128)[1]["metric"])
    with pytest.raises(InputError, match="images without categories"):
        run("supervised", blank)


def test_the_progress_bar_is_on_the_terminal_and_not_in_the_log(corpus, monkeypatch, capsys):
    terminal = io.StringIO()
    monkeypatch.setattr(sys, "__stderr__", terminal)
    run("supervised", corpus, images_seen=64)
    assert not terminal.getvalue()
    terminal.isatty = lambda: True
    run("supervised", corpus, images_seen=128)
    assert "4/4" in terminal.getvalue()
    logged = capsys.readouterr()
    assert "4/4" not in logged.out + logged.err


def test_grey_and_colour_corpora_give_the_same(corpus):
    colour = Corpus(corpus.index, np.repeat(corpus.images[..., None], 3, axis=-1))
    grey, rgb = (run("supervised", x, images_seen=64)[0].state_dict() for x in (corpus, colour))
    for key, value in grey.items():
        torch.testing.assert_close(value, rgb[key], rtol=1e-3, atol=1e-4)


def test_bfloat16_trains_where_asked(corpus):
    values = final(run("supervised", corpus, images_seen=640, precision="bfloat16")[1])
    assert np.isfinite(values["training_loss"])
    assert training.precision(Recipe(**RECIPES["vae"]), torch.device("cpu")) == "32-true"


def test_held_out_images_are_not_trained_on(corpus):
    spoiled = corpus.images.copy()
    spoiled[corpus.index["split"] == "validation"] = 0
    a, b = (run("supervised", Corpus(corpus.index, x), images_seen=64)[0] for x in (corpus.images, spoiled))
    assert equal(a, b)


# ---- killed at any moment --------------------------------------------------------------------------------


def save_trained(objective, checkpoints, out):
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    network, metrics = run(objective, gratings(), checkpoints, images_seen=1920)
    save_file(network.state_dict(), out)
    metrics.to_csv(f"{out}.csv", index=False)


def child(objective, checkpoints, out):
    started = process(save_trained, objective, checkpoints, out)
    started.start()
    return started


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["simclr", "vae"])
def test_killed_and_taken_up_it_ends_with_the_same_weights(objective, tmp_path):
    """A real process, killed by SIGKILL in its midst, and run again until it is through."""
    unbroken, broken = tmp_path / "unbroken.safetensors", tmp_path / "broken.safetensors"
    whole = child(objective, tmp_path / "a", unbroken)
    started = child(objective, tmp_path / "b", broken)
    deadline = time.monotonic() + 600
    # at the first checkpoint there are 19 twentieths to go
    while not list((tmp_path / "b").glob("*/last.ckpt")):
        assert started.is_alive(), "the training was through before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    started.kill()
    assert ended(started) == -signal.SIGKILL
    assert not broken.exists()
    (checkpoint,) = (tmp_path / "b").glob("*/last.ckpt")
    assert 0 < torch.load(checkpoint, weights_only=True)["global_step"] < 60
    assert ended(child(objective, tmp_path / "b", broken)) == 0
    assert ended(whole) == 0
    expected, found = load_file(unbroken), load_file(broken)
    assert all(torch.equal(expected[key], found[key]) for key in expected)
    # curves and metrics have no seam either
    assert Path(f"{unbroken}.csv").read_text() == Path(f"{broken}.csv").read_text()


def test_a_checkpoint_of_something_else_is_never_taken_up(corpus, tmp_path):
    run("supervised", corpus, tmp_path, images_seen=64)
    (first,) = tmp_path.iterdir()
    (first / ".last.ckpt.half").write_bytes(b"half")
    # the same again: taken up at its end, and half-written files are gone
    again, _ = run("supervised", corpus, tmp_path, images_seen=64)
    assert [path.name for path in first.iterdir()] == ["last.ckpt"]
    assert equal(again, run("supervised", corpus, images_seen=64)[0])
    changed, _ = run("supervised", corpus, tmp_path, images_seen=64, learning_rate=1e-3)
    (second,) = tmp_path.iterdir()
    assert second != first
    assert equal(changed, run("supervised", corpus, images_seen=64, learning_rate=1e-3)[0])
    settings = {"recipe": 1}
    keys = {
        checkpoint_key(settings, corpus),
        checkpoint_key({"recipe": 2}, corpus),
        checkpoint_key(settings, Corpus(corpus.index, corpus.images + 1)),
        checkpoint_key(settings, relabelled(corpus, split="train")),
        checkpoint_key(settings, corpus, code="edited"),
    }
    assert len(keys) == 5


def test_a_damaged_checkpoint_is_one_line(corpus, tmp_path):
    run("supervised", corpus, tmp_path, images_seen=64)
    (path,) = tmp_path.glob("*/last.ckpt")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"last\.ckpt: checkpoint: found a damaged file .*delete it"):
        run("supervised", corpus, tmp_path, images_seen=64)


def test_checkpoints_hold_tensors_and_plain_values_alone(corpus, tmp_path):
    run("vae", corpus, tmp_path, images_seen=64)
    (path,) = tmp_path.glob("*/last.ckpt")
    state = torch.load(path, weights_only=True)
    assert state["global_step"] == 2
    json.dumps(state["callbacks"]["LearningCurve"])


# ---- out of memory ---------------------------------------------------------------------------------------


class Exhausted:
    """Raises out of memory while more than `limit` images have passed since the last backward pass."""

    def __init__(self, monkeypatch, limit):
        self.held, self.limit, self.raised = 0, limit, 0
        outputs, backward = objectives.Objective.outputs, torch.autograd.backward

        def limited(objective, views):
            found = outputs(objective, views)
            self.held += len(views) if torch.is_grad_enabled() else 0
            if self.held > self.limit:
                self.held, self.raised = 0, self.raised + 1
                raise torch.OutOfMemoryError("CUDA out of memory (simulated)")
            return found

        def released(*args, **kwargs):
            self.held = 0
            return backward(*args, **kwargs)

        monkeypatch.setattr(objectives.Objective, "outputs", limited)
        monkeypatch.setattr(torch.autograd, "backward", released)


@pytest.mark.parametrize("objective", list(RECIPES))
def test_out_of_memory_changes_nothing_but_the_way(corpus, objective, monkeypatch):
    """Gradients of the divided batch, contrastive losses included, are those of the whole one."""
    recipe = Recipe(**RECIPES[objective], norm_batch=8)
    found = {}
    for in_parts in (False, True):
        torch.manual_seed(0)
        network = build(NETWORKS[objective], seed=1)
        module = Training(objectives.OBJECTIVES[objective](network, recipe), PREPROCESSING, 10)
        # outside a Trainer
        monkeypatch.setattr(Training, "manual_backward", lambda self, loss: loss.backward())
        module.train()
        part = corpus.part("train", 16)
        images, labels = part.__getitems__(range(32))
        module._seed(5, 0)
        loss = module.gradients(module.views(images), labels, 5, in_parts)
        gradients = {name: p.grad for name, p in module.objective.named_parameters() if p.grad is not None}
        found[in_parts] = loss, gradients, dict(module.objective.named_buffers())
    torch.testing.assert_close(found[True][0], found[False][0])
    assert found[True][1].keys() == found[False][1].keys()
    for key, gradient in found[False][1].items():
        # nothing but the order of the sums differs
        scale = gradient.abs().max() + 1e-6
        assert (found[True][1][key] - gradient).abs().max() < 1e-4 * scale, key
    for key, buffer in found[False][2].items():
        if key.startswith("criterion."):
            continue  # lightly's memory bank, which is not used
        torch.testing.assert_close(found[True][2][key], buffer, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("objective", ["supervised", "simclr"])
def test_a_training_goes_on_by_the_same_recipe(corpus, objective, monkeypatch, capsys):
    changes = {"images_seen": 96, "norm_batch": 8}
    whole, metrics = run(objective, corpus, **changes)
    memory = Exhausted(monkeypatch, 16)
    parts, same = run(objective, corpus, **changes)
    assert memory.raised == 1
    assert "going on with parts of 8, by the same recipe" in capsys.readouterr().out
    for key, value in whole.state_dict().items():
        torch.testing.assert_close(parts.state_dict()[key], value, rtol=1e-2, atol=2e-3)
    losses = [m.loc[m["metric"] == "training_loss", "value"].to_numpy() for m in (metrics, same)]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-3)


def test_out_of_memory_without_a_way_out_is_one_line(corpus, monkeypatch):
    memory = Exhausted(monkeypatch, 16)
    with pytest.raises(InputError, match="norm_batch: found out of memory on cpu at 32 images, expected"):
        run("supervised", corpus)
    memory.limit = 4
    with pytest.raises(InputError, match="norm_batch: found out of memory on cpu at 8 images, expected"):
        run("supervised", corpus, norm_batch=8)


# ---- bad input -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objective": "supervized"}, r"objective: found 'supervized', expected one of \['supervised'"),
        ({"objective": "vae", "decoder_sd": 1}, "found vae for a network of source resnet"),
        ({"objective": "simclr", "temperature": 1}, "classes: found 2, expected 0 for simclr"),
        ({"images_seen": 8}, "images_seen: found 8 images in batches of 32"),
        ({"norm_batch": 12}, "norm_batch: found 12, expected a divisor of the batch_size, 32"),
        ({"learning_rate": 1e12, "optimizer": "sgd"}, r"found loss (nan|inf) at step \d+, expected a lower"),
    ],
)
def test_recipes_that_do_not_work_are_one_line(corpus, changes, message):
    with pytest.raises(InputError, match=message):
        run("supervised", corpus, **changes)


def test_corpora_that_do_not_fit_are_one_line(corpus):
    with pytest.raises(InputError, match="corpus: split: found {'train': 384, 'validation': 0}"):
        run("supervised", relabelled(corpus, split="train"))
    three = corpus.index["category"].tolist()
    three[0] = "oblique"
    with pytest.raises(InputError, match="classes: found 2, expected 3 for supervised"):
        run("supervised", relabelled(corpus, category=three))


def test_trained_cards_of_a_corpus_share_budget_optimiser_and_preprocessing():
    cards = [load_card("models", name, ROOT) for name in card_names("models", ROOT)]
    # guided networks have a budget of their own, the same for all of their controls
    cards = [card for card in cards if "brain" not in card.get("weights", {}).get("training", {"brain": 1})]
    for corpus in ("procedural", "cifar10"):
        own = [card for card in cards if card["weights"]["training"]["corpus"] == corpus]
        recipes = [card["weights"]["training"] for card in own]
        assert {recipe["objective"] for recipe in recipes} == set(RECIPES)
        for key in ("images_seen", "batch_size", "optimizer", "learning_rate", "weight_decay", "seed"):
            assert len({recipe.get(key) for recipe in recipes}) == 1, key
        assert len({json.dumps(card["preprocessing"]) for card in own}) == 1
