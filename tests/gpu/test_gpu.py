"""Extraction and training on a GPU against the CPU's (`make test-gpu`); skipped where there is none.

Tolerances: float32 with TF32 off differs from the CPU's by the order of the sums alone, hence 1e-3 of an
output's largest value; bfloat16 keeps 8 bits of the mantissa, and its losses may differ by 5 %.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cortexrsa.networks.build import build
from cortexrsa.networks.devices import choose_device, place
from cortexrsa.networks.extraction import Projection, extract
from cortexrsa.networks.objectives import OBJECTIVES
from cortexrsa.networks.procedural import procedural_corpus
from cortexrsa.networks.settings import Preprocessing, Recipe
from cortexrsa.networks.streaming import Corpus
from cortexrsa.networks.training import Training, precision, train

DEVICE = "cuda"
pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="PyTorch finds no GPU here (torch.cuda.is_available() is False)"
)

PREPROCESSING = Preprocessing(64, mean=[0.5] * 3, std=[0.2] * 3)
LAYERS = ["relu", "layer1.0", "layer2.1", "layer4.1", "avgpool"]
CLASSIFIER = {"source": "resnet", "name": "resnet18", "options": {"stem": "small", "classes": 12}}
RECIPE = {
    **{"objective": "supervised", "images_seen": 640, "batch_size": 64, "norm_batch": 16},
    **{"learning_rate": 1e-3, "seed": 1, "precision": "float32"},
    "augmentation": {"shift": 0.1, "flip": True},
}


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (150, 64, 64, 3), np.uint8)


@pytest.fixture(scope="module")
def corpus():
    images, index = procedural_corpus({"images": 768, "validation": 0.2, "size": 64, "seed": 3})
    return Corpus(index, images)


@pytest.fixture
def little_memory():
    """Sets the bytes that PyTorch may take of the GPU; all of it again at the end."""
    total = torch.cuda.get_device_properties(0).total_memory

    def allow(most: int) -> None:
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(most / total)

    yield allow
    torch.cuda.set_per_process_memory_fraction(1.0)
    torch.cuda.empty_cache()


def classifier(width: int = 16, **changes):
    options = CLASSIFIER["options"] | {"width": width}
    return CLASSIFIER | {"options": options} | changes


def rows(folder, device, images, batch_size=64, width=16):
    """Activations of each layer, by name."""
    folder.mkdir()
    network = build(classifier(width), seed=1)
    extract(network, images, PREPROCESSING, LAYERS, folder, batch_size=batch_size, device=device)
    return {layer: np.load(folder / f"{layer}.npy") for layer in LAYERS}, network


def assert_close(found: dict, expected: dict) -> None:
    for layer, values in expected.items():
        error = float(np.abs(found[layer] - values).max())
        assert error < 1e-3 * np.abs(values).max(), layer


# ---- extraction ------------------------------------------------------------------------------------------


def test_networks_run_on_the_gpu_in_channels_last():
    assert choose_device().type == DEVICE
    # narrow layers too: only the CPU's library computes them wrongly
    network = place(build(classifier(4), seed=1), DEVICE)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            assert module.weight.device.type == DEVICE
            assert module.weight.is_contiguous(memory_format=torch.channels_last)
            assert not module._forward_pre_hooks


def test_activations_are_those_of_the_cpu(images, tmp_path):
    expected, _ = rows(tmp_path / "cpu", "cpu", images)
    found, network = rows(tmp_path / "gpu", None, images)
    assert next(network.parameters()).device.type == DEVICE
    assert_close(found, expected)


def test_projected_activations_are_those_of_the_cpu(images, tmp_path):
    found = {}
    for device in ("cpu", DEVICE):
        (tmp_path / device).mkdir()
        projection = Projection(256, 1, centred=True)
        network = build(classifier(), seed=1)
        extract(network, images, PREPROCESSING, LAYERS, tmp_path / device, 64, device, projection)
        found[device] = {layer: np.load(tmp_path / device / f"{layer}.npy") for layer in LAYERS}
    assert found[DEVICE]["relu"].shape[1] == 256
    assert_close(found[DEVICE], found["cpu"])


def test_extraction_goes_on_when_memory_runs_out(images, tmp_path, little_memory, monkeypatch):
    """Memory for a whole batch is taken away; the outputs are the same."""
    expected, _ = rows(tmp_path / "all", DEVICE, images, 150, width=64)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    rows(tmp_path / "third", DEVICE, images, 50, width=64)
    third = torch.cuda.max_memory_allocated()
    sizes = []
    network = build(classifier(64), seed=1)
    network.register_forward_hook(lambda module, inputs, output: sizes.append(len(output)))
    # more than a third of the batch needs, with the library's workspace, and far less than all of it
    little_memory(int(1.2 * third))
    (tmp_path / "little").mkdir()
    extract(network, images, PREPROCESSING, LAYERS, tmp_path / "little", batch_size=150, device=DEVICE)
    assert max(sizes) < 150
    found = {layer: np.load(tmp_path / "little" / f"{layer}.npy") for layer in LAYERS}
    assert_close(found, expected)


# ---- training --------------------------------------------------------------------------------------------


def losses(metrics, metric="training_loss"):
    return metrics.loc[metrics["metric"] == metric, "value"].to_numpy()


def trained(corpus, device, width=16, **changes):
    return train(classifier(width), Recipe(**RECIPE | changes), corpus, PREPROCESSING, device=device)


@pytest.mark.parametrize("objective", ["supervised", "simclr", "vae"])
def test_gradients_are_those_of_the_cpu(corpus, objective, monkeypatch):
    """The same views on both devices, divided into parts.

    In float64: where a ReLU's input is 0 but for rounding, float32 alone moves a gradient by 5 %.
    """
    monkeypatch.setattr(Training, "manual_backward", lambda self, loss: loss.backward())
    monkeypatch.setattr(
        Training,
        "_loss",
        lambda self, outputs, views, *given: self.objective.loss(outputs, views.float(), *given),
    )
    options = {"width": 16, "stem": "small"}
    network = {
        "supervised": classifier(),
        "simclr": classifier() | {"options": options | {"classes": 0}},
        "vae": {"source": "vae", "name": "resnet18", "options": options | {"latent": 16, "size": 64}},
    }[objective]
    own = {"simclr": {"temperature": 0.2}, "vae": {"decoder_sd": 0.3, "beta": 0.0}}.get(objective, {})
    recipe = Recipe(**RECIPE | {"objective": objective, "augmentation": {}} | own)
    images, labels = corpus.part("train", 64).__getitems__(range(32))
    # made once: a grey background that rounding moves by 1e-7 switches all of its ReLUs
    views = (
        Training(OBJECTIVES[objective](build(network, seed=1), recipe), PREPROCESSING, 10)
        .views(images)
        .double()
    )
    found = {}
    for device in ("cpu", DEVICE):
        torch.manual_seed(0)
        made = OBJECTIVES[objective](build(network, seed=1), recipe).to(device).double()
        for module in made.modules():
            if isinstance(module, torch.nn.Linear):
                # a code is float32 in every network
                module.register_forward_pre_hook(lambda _, inputs: inputs[0].double())
        module = Training(made, PREPROCESSING, 10).to(device)
        # the VAE's code without its sample, which differs between devices
        module.train(objective != "vae")
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            loss = module.gradients(views.to(device), labels.to(device), 0, in_parts=True)
        gradients = {name: p.grad.cpu() for name, p in made.named_parameters() if p.grad is not None}
        found[device] = float(loss), gradients
    assert found[DEVICE][0] == pytest.approx(found["cpu"][0], rel=1e-5)
    for name, gradient in found["cpu"][1].items():
        largest = max(float(gradient.abs().max()), 1e-6)
        error = float((found[DEVICE][1][name] - gradient).abs().max())
        assert error < 1e-3 * largest, name


def test_a_training_repeats_itself_and_returns_to_the_cpu(corpus):
    first, metrics = trained(corpus, None)
    again, same = trained(corpus, DEVICE)
    assert {p.device.type for p in first.parameters()} == {"cpu"}
    np.testing.assert_allclose(losses(metrics), losses(same), rtol=1e-3)
    for key, value in first.state_dict().items():
        torch.testing.assert_close(again.state_dict()[key], value, rtol=1e-2, atol=1e-3)


def test_bfloat16_learns_as_float32_does(corpus):
    if not torch.cuda.is_bf16_supported(including_emulation=False):
        pytest.skip("this GPU does not multiply bfloat16 natively")
    assert precision(Recipe(**RECIPE | {"precision": "auto"}), torch.device(DEVICE)) == "bf16-mixed"
    _, full = trained(corpus, DEVICE)
    network, half = trained(corpus, DEVICE, precision="bfloat16")
    assert {p.dtype for p in network.parameters()} == {torch.float32}
    np.testing.assert_allclose(losses(half), losses(full), rtol=0.05)


def test_a_training_goes_on_by_the_same_recipe_when_memory_runs_out(corpus, little_memory, capsys):
    changes = {"batch_size": 256, "images_seen": 1024, "norm_batch": 32}
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    _, whole = trained(corpus, DEVICE, 64, **changes)
    needed = torch.cuda.max_memory_allocated()
    little_memory(int(0.6 * needed))
    _, parts = trained(corpus, DEVICE, 64, **changes)
    assert "going on with parts of 32, by the same recipe" in capsys.readouterr().out
    np.testing.assert_allclose(losses(parts), losses(whole), rtol=1e-2)
