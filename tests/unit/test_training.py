"""Objectives against naive forms, augmentation by what it must keep, and short trainings that learn."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from cortexrsa.cards import card_names, load_card
from cortexrsa.files import InputError
from cortexrsa.networks import training
from cortexrsa.networks.training import augment, kl_divergence, learning_rate, nt_xent, random_affine, train
from cortexrsa.networks.zoo import build, load_weights

ROOT = Path(__file__).resolve().parents[2]
PREPROCESSING = {"size": 16, "mean": [0.5] * 3, "std": [0.25] * 3}
RECIPE = {"images_seen": 1536, "batch_size": 32, "learning_rate": 4e-3, "seed": 1, "precision": "float32"}
RECIPES = {
    "supervised": {**RECIPE, "objective": "supervised", "label_smoothing": 0.05},
    "simclr": {
        **RECIPE,
        "objective": "simclr",
        "temperature": 0.2,
        "projection": [32, 16],
        "augmentation": {"shift": 0.2, "contrast": [0.6, 1.5], "noise": 0.05},
    },
    "vae": {**RECIPE, "objective": "vae", "images_seen": 6144, "learning_rate": 1e-2, "decoder_sd": 0.2},
}
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
    "vae": {
        "source": "vae",
        "name": "resnet18",
        "options": {"width": 4, "stem": "small", "latent": 8, "size": 16},
    },
}


@pytest.fixture(scope="module")
def corpus():
    """Vertical and horizontal gratings of random phase and contrast: (384, 20, 20) uint8."""
    rng = np.random.default_rng(0)
    n = 384
    labels = np.array(["horizontal", "vertical"])[rng.permutation(np.arange(n) % 2)]
    phase, contrast = rng.uniform(0, 2 * np.pi, (n, 1)), rng.uniform(0.3, 1, (n, 1))
    wave = 127.5 * (1 + contrast * np.cos(2 * np.pi * np.arange(20) / 8 + phase))
    images = np.repeat(wave[:, None, :], 20, axis=1)
    images[labels == "horizontal"] = images[labels == "horizontal"].transpose(0, 2, 1)
    images = np.clip(images + rng.normal(0, 10, images.shape), 0, 255).astype(np.uint8)
    return images, labels, np.where(np.arange(n) < 288, "train", "validation")


def run(name, corpus, **changes):
    recipe = {**RECIPES[name], **changes}
    return train(NETWORKS[name], recipe, *corpus, PREPROCESSING, device="cpu", source="card.yaml")


def final(metrics):
    return metrics.groupby("metric")["value"].last()


# ---- objectives ------------------------------------------------------------------------------------------


def test_nt_xent_is_the_papers_sum():
    z = torch.randn(8, 5, generator=torch.Generator().manual_seed(0)).double()
    unit = (z / z.norm(dim=1, keepdim=True)).numpy()
    losses = []
    for i in range(8):
        similarity = np.exp(unit @ unit[i] / 0.3)
        losses.append(-np.log(similarity[(i + 4) % 8] / (similarity.sum() - similarity[i])))
    assert nt_xent(z, 0.3).item() == pytest.approx(np.mean(losses), rel=1e-5)


def test_kl_is_that_of_normal_distributions():
    mu, logvar = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0))
    posterior = torch.distributions.Normal(mu, torch.exp(logvar / 2))
    expected = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(kl_divergence(mu, logvar), expected)


def test_variational_bound_warms_its_kl_up():
    torch.manual_seed(0)
    network = build(NETWORKS["vae"], seed=1).eval()
    objective = training.VariationalBound(network, {"decoder_sd": 0.5, "beta": 2.0}, PREPROCESSING)
    images = torch.rand(5, 1, 16, 16)
    with torch.inference_mode():
        start, half, end = (objective(images, None, done).item() for done in (0.0, 0.15, 0.9))
        x = objective.view(images)
        reconstruction, mu, logvar = network(x)
    error = ((reconstruction - x) ** 2).mean().item() / (2 * 0.5**2)
    kl = kl_divergence(mu, logvar).mean().item() / (3 * 16 * 16)
    assert start == pytest.approx(error, rel=1e-5)
    assert half == pytest.approx(error + kl, rel=1e-5)
    assert end == pytest.approx(error + 2 * kl, rel=1e-5)


def test_learning_rate_warms_up_and_decays():
    rates = [learning_rate(step, 100, 0.5, warmup=0.1) for step in range(100)]
    np.testing.assert_allclose(rates[:10], 0.05 * np.arange(1, 11))
    assert max(rates) == 0.5
    assert rates[55] == pytest.approx(0.25)
    assert all(a > b for a, b in zip(rates[10:], rates[11:], strict=False))
    assert rates[-1] < 0.001


# ---- augmentation ----------------------------------------------------------------------------------------


def test_affine_moves_content_where_it_says(monkeypatch):
    image = torch.zeros(1, 1, 33, 33)
    image[0, 0, 16, 24] = 1  # half-way to the right edge

    def peak(**settings):
        y, x = divmod(int(random_affine(image, **settings)[0, 0].argmax()), 33)
        return y - 16, x - 16

    assert peak() == (0, 8)
    # draws at the end of their range
    monkeypatch.setattr(
        training, "_uniform", lambda n, low, high, like: torch.full((n, 1, 1, 1), float(high))
    )
    assert peak(rotation=90) == (-8, 0)
    assert peak(scale=(0.5, 1.5)) == (0, 12)
    assert peak(shift=0.25) == (-4, 4)
    monkeypatch.setattr(training, "_sign", lambda n, like: -torch.ones(n, 1, 1, 1))
    assert peak(flip=True) == (0, -8)


def test_every_image_has_its_own_draw():
    torch.manual_seed(0)
    images = torch.rand(1, 1, 24, 24).expand(6, -1, -1, -1)
    for settings in (
        {"rotation": 180},
        {"scale": [0.7, 1.2]},
        {"shift": 0.2},
        {"contrast": [0.5, 2]},
        {"brightness": 0.2},
        {"blur": 1.0},
        {"noise": 0.1},
    ):
        views = augment(images, settings)
        assert views.shape == images.shape
        assert ((views >= 0) & (views <= 1)).all()
        assert len(torch.unique(views.flatten(1), dim=0)) == 6, settings
    flipped = augment(images, {"flip": True})
    same = [torch.allclose(view, images[0], atol=1e-5) for view in flipped]
    mirrored = [torch.allclose(view, images[0].flip(-1), atol=1e-5) for view in flipped]
    assert any(same)
    assert any(mirrored)
    assert all(a or b for a, b in zip(same, mirrored, strict=True))
    inverted = augment(images, {"polarity": True})
    assert {
        round(float(torch.corrcoef(torch.stack([v, w]).flatten(1))[0, 1]))
        for v, w in zip(inverted, images, strict=True)
    } == {-1, 1}


def test_no_settings_change_nothing():
    images = torch.rand(3, 3, 8, 8)
    torch.testing.assert_close(augment(images, {}), images)


def test_aperture_is_grey_outside():
    torch.manual_seed(0)
    view = augment(
        torch.rand(2, 1, 32, 32), {"shift": 0.3, "noise": 0.2, "brightness": 0.2, "aperture": True}
    )
    assert (view[:, :, 0, 0] == 0.5).all()
    assert view[:, :, 12:20, 12:20].std() > 0.1


# ---- training --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("objective", ["supervised", "simclr", "vae"])
def test_it_learns_and_says_so(corpus, objective, tmp_path):
    before = build(NETWORKS[objective], seed=1).state_dict()
    network, metrics = run(objective, corpus)
    assert list(metrics.columns) == ["metric", "value", "step"]
    values = final(metrics)
    curve = metrics[metrics["metric"] == "training_loss"]
    assert curve["step"].iloc[-1] == RECIPES[objective]["images_seen"]
    assert curve["value"].iloc[-5:].mean() < curve["value"].iloc[:5].mean()
    assert values["chance"] == pytest.approx(0.5, abs=0.1)
    expected = {"training_loss", "chance", "knn_accuracy", "probe_accuracy"}
    assert values["knn_accuracy"] > 0.8
    if objective == "supervised":
        expected |= {"accuracy"}
        assert values["accuracy"] > 0.9
    if objective == "vae":
        expected |= {"reconstruction_r2", "kl"}
        assert 0.2 < values["reconstruction_r2"] <= 1
        assert values["kl"] > 0
    assert set(values.index) == expected
    # the network alone is kept, loads again from a plain file, and no longer depends on the draw
    assert list(network.state_dict()) == list(before)
    assert not network.training
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    again = build(NETWORKS[objective], seed=9).eval()
    load_weights(again, {}, tmp_path / "weights.pt")
    x = torch.rand(2, 3, 16, 16)
    one, two = (out[0] if isinstance(out := net(x), tuple) else out for net in (network, again))
    torch.testing.assert_close(one, two)


@pytest.mark.parametrize("objective", ["supervised", "simclr", "vae"])
def test_the_same_seed_gives_the_same_weights(corpus, objective):
    torch.manual_seed(99)
    first, metrics = run(objective, corpus, images_seen=128)
    torch.manual_seed(100)
    state = torch.get_rng_state()
    again, same = run(objective, corpus, images_seen=128)
    assert torch.equal(state, torch.get_rng_state())
    other, _ = run(objective, corpus, images_seen=128, seed=2)
    first, again, other = (network.state_dict() for network in (first, again, other))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert metrics.equals(same)
    assert not torch.equal(first[next(iter(first))], other[next(iter(first))])


def test_labels_do_not_reach_simclr_and_vae(corpus):
    images, labels, split = corpus
    shuffled = np.random.default_rng(1).permutation(labels)
    for objective in ("simclr", "vae"):
        true, false = (
            run(objective, (images, y, split), images_seen=128)[0].state_dict() for y in (labels, shuffled)
        )
        assert all(torch.equal(true[key], false[key]) for key in true)


def test_a_network_that_cannot_learn_stays_at_chance(corpus):
    images, labels, split = corpus
    shuffled = np.random.default_rng(1).permutation(labels)
    values = final(run("supervised", (images, shuffled, split), images_seen=640)[1])
    assert values["accuracy"] < 0.7
    assert values["knn_accuracy"] < 0.7


def test_grey_and_colour_corpora_give_the_same(corpus):
    images, labels, split = corpus
    colour = np.repeat(images[..., None], 3, axis=-1)
    grey, rgb = (
        run("supervised", (x, labels, split), images_seen=64)[0].state_dict() for x in (images, colour)
    )
    for key, value in grey.items():
        torch.testing.assert_close(value, rgb[key], rtol=1e-3, atol=1e-4)


def test_bfloat16_trains_where_asked(corpus):
    values = final(run("supervised", corpus, images_seen=640, precision="bfloat16")[1])
    assert math.isfinite(values["training_loss"])
    assert training.precision({"precision": "float32"}, torch.device("cpu")) == torch.float32


def test_held_out_images_are_not_trained_on(corpus):
    images, labels, split = corpus
    spoiled = images.copy()
    spoiled[split == "validation"] = 0
    a, b = (run("supervised", (x, labels, split), images_seen=64)[0].state_dict() for x in (images, spoiled))
    assert all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objective": "supervized"}, r"objective: found 'supervized', expected one of \['supervised'"),
        ({"objective": "vae", "decoder_sd": 1}, "found vae for a network of source resnet"),
        ({"objective": "simclr", "temperature": 1}, "classes: found 2, expected 0 for simclr"),
        ({"images_seen": 8}, "images_seen: found 8 images in batches of 32"),
        ({"learning_rate": 1e12, "optimizer": "sgd"}, r"found loss (nan|inf) at step \d+, expected a lower"),
    ],
)
def test_recipes_that_do_not_work_are_one_line(corpus, changes, message):
    with pytest.raises(InputError, match=message) as error:
        run("supervised", corpus, **changes)
    assert str(error.value).startswith("card.yaml: ")


def test_corpora_that_do_not_fit_are_one_line(corpus):
    images, labels, split = corpus
    with pytest.raises(InputError, match="corpus: found 384 images, 383 labels"):
        run("supervised", (images, labels[1:], split))
    with pytest.raises(InputError, match="corpus: split: found {'train': 384, 'validation': 0}"):
        run("supervised", (images, labels, np.full(384, "train")))
    three = labels.astype("<U12")
    three[0] = "oblique"
    with pytest.raises(InputError, match="classes: found 2, expected 3 for supervised"):
        run("supervised", (images, three, split))


def test_trained_cards_share_budget_optimiser_and_corpus():
    recipes = [
        card["weights"]["training"]
        for name in card_names("models", ROOT)
        if "training" in (card := load_card("models", name, ROOT)).get("weights", {})
    ]
    assert len(recipes) >= 4
    for key in ("corpus", "images_seen", "optimizer", "learning_rate", "weight_decay", "seed"):
        assert len({recipe.get(key) for recipe in recipes}) == 1, key
