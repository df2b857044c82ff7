"""Training with a simulated brain: networks trained together, what is planted, and a small recovery."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional as F

from cortexrsa.claim_files import load_claims
from cortexrsa.guidance.losses import similarity
from cortexrsa.validation import guided
from cortexrsa.validation.guided_summary import summarise
from support import ROOT, message_of

H9 = load_claims("brain_guided", ROOT)
H9["claims"][0]["controls"] = ["unguided", "low_level"]  # the small study has no others


def test_networks_that_are_trained_together_are_those_trained_alone(monkeypatch):
    """Against a plain loop of one network, with the same loss and PyTorch's own gradient."""
    monkeypatch.setattr(guided, "STEPS", 5)
    random = np.random.default_rng(0)
    world = guided.World.drawn("hidden structure", 2, random)
    corpus, stimuli = world.images(80, random), world.images(40, random)["pixels"]
    targets = torch.from_numpy(random.standard_normal((3, 40, 40)).astype(np.float32))
    weights_of_loss, seeds = torch.tensor([1.0, 0.0, 2.0]), [3, 3, 4]
    together = guided.train_networks(corpus, stimuli, targets, weights_of_loss, seeds, "rdm_pearson")
    measure = similarity("rdm_pearson")
    for k, (target, weight, seed) in enumerate(zip(targets, weights_of_loss, seeds, strict=True)):
        own = {name: value[0].clone().requires_grad_() for name, value in guided._weights([seed]).items()}
        optimizer, order = torch.optim.Adam(own.values(), lr=guided.RATE), np.random.default_rng([seed, 1])
        for _ in range(5):
            rows, places = order.choice(80, guided.IMAGES, False), order.choice(40, guided.STIMULI, False)
            x = torch.from_numpy(np.concatenate([corpus["pixels"][rows], stimuli[places]]))
            _, features, logits = guided._layers(own, x)
            loss = F.cross_entropy(logits[: len(rows)], torch.from_numpy(corpus["labels"][rows]))
            loss = loss + weight * (1 - measure(features[len(rows) :], target[places][:, places]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        for name, value in own.items():
            torch.testing.assert_close(together[name][k], value.detach(), atol=1e-4, rtol=1e-3)


def test_a_loss_that_many_networks_cannot_have_at_once_is_refused():
    refusal = message_of(guided.train_networks, {}, None, None, None, [0], "rdm_spearman")
    assert refusal.startswith("loss: found 'rdm_spearman', expected one of rdm_pearson, ")


def test_responses_have_the_reliability_that_is_said():
    random = np.random.default_rng(1)
    world = guided.World.drawn("hidden structure", 2, random)
    images = world.images(2000, random)
    first, second = (world.trials(images, random).mean(axis=2) for _ in range(2))
    r = np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(first[0].T, second[0].T, strict=True)])
    assert r == pytest.approx(guided.RELIABILITY, abs=0.02)


def test_summary_counts_what_should_be_found_and_what_should_not():
    asked = [
        ("hidden structure", "H9", 20),
        ("shuffled responses", "H9", 6),
        ("nothing beyond the low-level target", "rsa over unguided", 20),
    ]
    rows = [
        (f"{world}, 60 test stimuli, 1 other person, cka", k, f"{question}, people trained with", 0.1, answer)
        for world, question, supported in asked
        for k, answer in enumerate(["supported"] * supported + ["inconclusive"] * (20 - supported))
    ]
    table = summarise(
        pd.DataFrame(rows, columns=["scenario", "experiment", "question", "estimate", "answer"])
    )
    assert table["expected"].tolist() == ["found", "null"]
    assert table["share"].tolist() == [1.0, 0.3]
    # 6 of 20 cannot be an error rate of 5 %
    assert table["holds"].tolist() == [True, False]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("world", "verdict"),
    [
        ("hidden structure", "supported"),
        ("nothing beyond the low-level target", "inconclusive"),
        ("shuffled responses", "inconclusive"),
    ],
)
def test_training_finds_what_is_there_and_nothing_else(monkeypatch, world, verdict):
    """One study of each world, with two of the controls; many studies are `snakemake guided_recovery`."""
    monkeypatch.setattr(guided, "CONTROLS", ("unguided", "low_level"))
    table = guided.experiments(world, "rdm_pearson", guided.Sample(120, 4), 1, H9).set_index("question")[
        "answer"
    ]
    found = table["H9, people not trained with"]
    assert found == verdict if verdict == "supported" else found != "supported"
    if world != "shuffled responses":
        # the low-level part of the ROI is found by all the same
        assert table["rsa over unguided, people not trained with"] == "supported"
