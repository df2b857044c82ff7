"""Accuracy under corruptions and attacks, against what is known of a linear network."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from cortexrsa.formats.columns.robustness import ROBUSTNESS
from cortexrsa.networks import probes, robustness
from cortexrsa.networks.settings import Preprocessing
from cortexrsa.networks.streaming import Corpus

SIDE = 16
NETWORK = {"source": "resnet"}
PREPROCESSING = Preprocessing(SIDE, mean=[0.5] * 3, std=[0.25] * 3)


class Halves(nn.Module):
    """Names the half that is brighter: 2 x (mean of the right less mean of the left) of the input."""

    def __init__(self):
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d((1, 2))
        self.head = nn.Linear(6, 2, bias=False)
        sign = torch.tensor([-1.0, 1.0]).repeat(3) / 3
        self.head.weight.data = torch.stack([-sign, sign])

    def forward(self, x):
        return self.head(self.avgpool(x).flatten(1))


@pytest.fixture(scope="module")
def corpus():
    """Images whose halves differ by 3 to 20 of 255, by no budget's double, and their categories."""
    random = np.random.default_rng(0)
    n = 120
    steps, labels = random.choice([3, 5, 6, 7, *range(9, 21)], n), random.integers(0, 2, n)
    images = np.full((n, SIDE, SIDE), 120, np.uint8)
    for image, step, label in zip(images, steps, labels, strict=True):
        image[:, SIDE // 2 * label : SIDE // 2 * (label + 1)] += step.astype(np.uint8)
    split = np.where(np.arange(n) < 60, "train", "validation")
    index = pd.DataFrame({"file": [f"{k}" for k in range(n)], "category": np.where(labels, "right", "left")})
    return Corpus(index.assign(split=split), images), steps[60:]


@pytest.fixture(scope="module")
def found(corpus):
    return robustness.robustness(Halves(), NETWORK, True, corpus[0], PREPROCESSING, "cpu")


def test_every_corruption_has_five_strengths(found):
    assert list(found.columns) == [name for name in ROBUSTNESS.columns if name not in ("model", "seed")]
    counts = found.groupby("corruption")["strength"].agg(lambda own: sorted(own)).to_dict()
    five = [1, 2, 3, 4, 5]
    assert counts == {"none": [0]} | dict.fromkeys(("noise", "blur", "contrast"), five) | {"pgd": [0, *five]}
    assert (found["images"] == 60).all()
    assert found.query("corruption == 'none'")["accuracy"].item() == 1


def test_pgd_finds_the_worst_change_of_a_linear_network(corpus, found):
    """It names a category wrongly where the halves differ by less than twice the budget."""
    for budget, accuracy in found.query("corruption == 'pgd'")[["size", "accuracy"]].to_numpy():
        assert accuracy == pytest.approx(np.mean(corpus[1] > 2 * 255 * budget), abs=1e-9)


def test_attacked_images_are_counted_as_they_are_too(corpus, monkeypatch):
    monkeypatch.setattr(robustness, "ATTACKED", 20)
    found = robustness.robustness(Halves(), NETWORK, True, corpus[0], PREPROCESSING, "cpu")
    assert found.groupby("corruption")["images"].max()[["none", "pgd"]].to_dict() == {"none": 60, "pgd": 20}
    clean = found.query("corruption == 'pgd' and strength == 0")
    assert clean[["size", "accuracy", "images"]].to_numpy().tolist() == [[0, 1, 20]]


def test_an_attack_stays_within_its_budget_and_the_range_of_pixels():
    torch.manual_seed(0)
    images = torch.rand(4, 3, SIDE, SIDE)
    reader = robustness.classifier(Halves(), PREPROCESSING)
    labels = reader(images).argmax(1)
    changed = robustness.pgd(reader, images, labels, 0.1)
    assert (changed - images).abs().max() <= 0.1 + 1e-6
    assert changed.min() >= 0
    assert changed.max() <= 1
    before, after = (nn.functional.cross_entropy(reader(x), labels) for x in (images, changed))
    assert after > before


def test_contrast_and_blur_leave_what_they_say(corpus):
    images = torch.rand(2, 3, SIDE, SIDE)
    functions = {(name, strength): change for name, strength, _, change in robustness.corruptions(SIDE)}
    grey = images[:, :1].expand(-1, 3, -1, -1)
    contrast = functions["contrast", 1](grey)
    ratio = contrast.flatten(1).std(1) / grey.flatten(1).std(1)
    torch.testing.assert_close(ratio, torch.full((2,), 0.4), atol=1e-3, rtol=0)
    noise = functions["noise", 3](torch.full((50, 3, SIDE, SIDE), 0.5)) - 0.5
    # an SD of .18, cut off at 0 and 1
    assert noise.std().item() == pytest.approx(0.18, rel=0.02)
    sharp = torch.zeros(1, 3, 65, 65)
    sharp[..., 32, 32] = 1
    functions = {(name, strength): change for name, strength, _, change in robustness.corruptions(65)}
    blurred = functions["blur", 5](sharp)
    place = torch.arange(65.0) - 32
    width = (blurred[0, 0].sum(0) * place**2).sum().sqrt().item()
    assert width == pytest.approx(6 * 65 / 224, rel=0.03)


def test_the_probe_is_the_classifier_that_probes_fit(corpus):
    model, (data, _) = Halves().eval(), corpus
    train, test = (data.part(name, SIDE) for name in ("train", "validation"))
    device = torch.device("cpu")
    reader = robustness.probe(model, "avgpool", train, PREPROCESSING, device)
    features = [probes.embeddings(model, part, PREPROCESSING, "avgpool", device) for part in (train, test)]
    expected = probes.probe_accuracies(*features[0], *features[1])["probe_accuracy"]
    table = robustness.robustness(model, NETWORK, False, data, PREPROCESSING, "cpu")
    assert table.query("corruption == 'none'")["accuracy"].item() == pytest.approx(expected)
    assert set(table["reader"]) == {"probe"}
    raw, labels = test.__getitems__(range(4))
    logits = reader(raw.float().expand(-1, 3, -1, -1) / 255)
    assert logits.shape == (4, 2)


def test_all_networks_see_the_same_noise(corpus, found):
    again = robustness.robustness(Halves(), NETWORK, True, corpus[0], PREPROCESSING, "cpu")
    pd.testing.assert_frame_equal(found, again)


def test_a_corpus_without_categories_has_no_rows(corpus):
    index = corpus[0].index.assign(category="")
    found = robustness.robustness(
        Halves(), {"source": "vae"}, False, Corpus(index, corpus[0].images), PREPROCESSING, "cpu"
    )
    assert found.empty
