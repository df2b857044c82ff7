"""The command that writes cards: layers found by tracing, ready to use, valid."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from cortexrsa import cards
from cortexrsa.errors import InputError
from cortexrsa.networks import new_card
from cortexrsa.networks.build import build
from cortexrsa.networks.layers import recorded

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "new_model_card.py"


def written(card, size=None):
    """A card as it comes out, read back, with the layers that are recorded when the network runs."""
    text = new_card.card_text(card, size)
    read = cards.validate("models", yaml.safe_load(text), "card")
    network, shapes = build(read["network"]).eval(), {}
    size = read["preprocessing"]["size"]
    keep = lambda layer, output: shapes.update({layer: tuple(output.shape[1:])})  # noqa: E731
    # `recorded` refuses layers that do not run, run twice, or run in another order
    with torch.inference_mode(), recorded(network, read["layers"], keep):
        network(torch.rand(2, 3, size, size))
    return text, read, shapes


def test_a_resnet_has_its_stem_blocks_and_average():
    text, card, shapes = written(new_card.torchvision_card("resnet18"))
    blocks = [f"layer{stage}.{block}" for stage in range(1, 5) for block in range(2)]
    assert card["layers"] == ["relu", *blocks, "avgpool"]
    assert card["weights"]["sha256"] == "f37072fd"
    assert card["weights"]["url"] == "https://download.pytorch.org/models/resnet18-f37072fd.pth"
    assert "  - layer2.0  # 128x28x28, depth 0.33\n" in text
    assert shapes["layer2.0"] == (128, 28, 28)
    # every other layer that could be recorded is there to be taken
    assert "  # - layer2.0.conv1  # 128x28x28\n" in text
    # the in-place ReLU inside a block runs twice, so it cannot be recorded
    assert "layer2.0.relu" not in text
    # the same card as the one that was written by hand
    by_hand = cards.load_card("models", "resnet18_imagenet", ROOT)
    for key in ("network", "preprocessing", "layers"):
        assert cards.canonical(card[key]) == by_hand[key]


@pytest.mark.slow
def test_a_vision_transformer_has_the_tokens_of_every_block():
    _, card, shapes = written(new_card.torchvision_card("vit_b_16"))
    blocks = [f"encoder.layers.encoder_layer_{k}" for k in range(12)]
    assert card["layers"] == ["encoder.dropout", *blocks, "encoder.ln"]
    # 14 x 14 patches and the class token
    assert set(shapes.values()) == {(197, 768)}


def test_a_network_without_blocks_has_its_nonlinearities():
    _, card, shapes = written(new_card.torchvision_card("alexnet"))
    assert card["layers"] == [f"features.{k}" for k in (1, 4, 7, 9, 11)] + ["classifier.2", "classifier.5"]
    assert shapes["features.1"] == (64, 55, 55)


def test_a_timm_network_comes_with_its_weights():
    _, card, shapes = written(new_card.timm_card("test_vit.r160_in1k"))
    assert (
        card["weights"]["url"]
        == "https://huggingface.co/timm/test_vit.r160_in1k/resolve/main/model.safetensors"
    )
    assert card["preprocessing"]["size"] == 160
    assert all(len(shape) == 2 for name, shape in shapes.items() if name.startswith("blocks"))
    assert [name for name in card["layers"] if name.startswith("blocks")] == [f"blocks.{k}" for k in range(6)]


def test_a_hub_network_is_traced_too(tmp_path):
    (tmp_path / "hubconf.py").write_text(
        "import torch\n"
        "def tiny():\n"
        "    conv = lambda: torch.nn.Conv2d(3, 3, 3)\n"
        "    return torch.nn.Sequential(conv(), torch.nn.ReLU(), conv(), torch.nn.ReLU())\n"
    )
    _, card, _ = written(new_card.hub_card(str(tmp_path), "tiny"), size=32)
    assert card["layers"] == ["1", "3"]
    assert card["weights"] == {"random": {"seed": 1}}
    assert card["preprocessing"]["size"] == 32


def test_a_local_hub_folder_is_found_from_anywhere(tmp_path, monkeypatch):
    (tmp_path / "hub").mkdir()
    monkeypatch.chdir(tmp_path)
    assert new_card.hub_card("hub", "tiny")["network"]["options"]["repo"] == str(tmp_path / "hub")


def test_a_network_without_layers_of_its_own_is_one_line(tmp_path):
    (tmp_path / "hubconf.py").write_text(
        "import torch\n"
        "class Sum(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        return x.sum((2, 3))\n"
        "def total():\n"
        "    return Sum()\n"
    )
    with pytest.raises(InputError, match="total: layers: found no module that runs once"):
        new_card.card_text(new_card.hub_card(str(tmp_path), "total"), size=32)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("card", "first", "blocks"),
    [
        # parallel branches, blocks whose class occurs once, and stages that pass on their last block
        (
            lambda: new_card.torchvision_card("inception_v3"),
            "Conv2d_1a_3x3",
            ["Mixed_6a", "Mixed_7a", "Mixed_7c"],
        ),
        (
            lambda: new_card.timm_card("efficientnet_lite0"),
            "conv_stem",
            ["blocks.0.0", "blocks.1.0", "blocks.6.0"],
        ),
        (lambda: new_card.timm_card("test_convnext"), "stem", ["stages.0.blocks.0", "stages.1.blocks.0"]),
        (lambda: new_card.torchvision_card("mobilenet_v2"), "features.0", ["features.1", "features.17"]),
        (
            lambda: new_card.torchvision_card("efficientnet_b0"),
            "features.0",
            ["features.1.0", "features.7.0"],
        ),
    ],
)
def test_blocks_are_neither_their_parts_nor_their_stages(card, first, blocks):
    _, written_card, _ = written(card())
    layers = written_card["layers"]
    assert layers[0] == first
    assert set(blocks) <= set(layers)
    assert not [layer for layer in layers for block in layers if layer.startswith(f"{block}.")]


@pytest.mark.slow
def test_what_torchvision_does_with_its_weights_is_in_the_card():
    assert new_card.torchvision_card("googlenet")["network"]["options"] == {"transform_input": True}
    _, card, _ = written(new_card.torchvision_card("vit_b_16", "IMAGENET1K_SWAG_E2E_V1"))
    assert card["network"]["options"] == {"image_size": 384}
    # the names in the file of 2017, as torchvision renames them
    network = build({"source": "torchvision", "name": "densenet121"})
    names = {
        re.sub(r"(denselayer\d+\.(?:norm|relu|conv))([12])\.", r"\1.\2.", key) for key in network.state_dict()
    }
    ((pattern, replacement),) = new_card.torchvision_card("densenet121")["weights"]["rename"].items()
    assert names != set(network.state_dict())
    assert {re.sub(pattern, replacement, name) for name in names} == set(network.state_dict())


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("vit_small_patch16_224.dino", "self-supervised"),
        ("convnextv2_atto.fcmae", "self-supervised"),
        ("convnextv2_atto.fcmae_ft_in1k", "task-optimised"),
        ("resnet18.a1_in1k", "task-optimised"),
    ],
)
def test_the_family_is_a_guess_by_the_name(name, family):
    assert new_card.timm_card(name)["family"] == family


def test_a_size_at_which_a_network_does_not_run_is_one_line():
    with pytest.raises(InputError, match="vit_b_16: preprocessing.size: found .*a size at which it runs"):
        new_card.card_text(new_card.torchvision_card("vit_b_16"), size=100)


@pytest.mark.parametrize("size", [0, -3])
def test_a_size_is_at_least_one(size):
    with pytest.raises(InputError, match=f"preprocessing.size: found {size}, expected a whole number >= 1"):
        new_card.card_text(new_card.torchvision_card("alexnet"), size)


@pytest.mark.parametrize("name", ["a.b", "../x", "", "-x", "brain"])
def test_a_card_cannot_have_any_name(monkeypatch, name):
    monkeypatch.setattr(sys, "argv", ["new_model_card.py", "torchvision", "alexnet", f"--out={name}"])
    monkeypatch.setattr(new_card, "torchvision_card", lambda *_: pytest.fail("asked for the network first"))
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    message = str(caught.value)
    assert message.startswith(f"Error: new_model_card.py: --out: found {name!r}, expected a name ")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: new_card.torchvision_card("resnt18"), "name: found 'resnt18', expected one of .*'resnet18'"),
        (
            lambda: new_card.torchvision_card("resnet18", "V3"),
            "weights: found 'V3', expected one of IMAGENET1K_V1",
        ),
        (
            lambda: new_card.timm_card("vit_bse_patch16_224"),
            "found 'vit_bse_patch16_224'.*vit_base_patch16_224",
        ),
    ],
)
def test_unknown_names_are_one_line_with_the_nearest(call, message):
    with pytest.raises(InputError, match=message):
        call()


@pytest.mark.slow
def test_the_command_prints_a_card_or_one_line():
    def command(*arguments):
        return subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True)

    run = command("torchvision", "squeezenet1_1")
    assert run.returncode == 0, run.stderr
    assert cards.validate("models", yaml.safe_load(run.stdout), "card")["weights"]["sha256"]
    run = command("torchvision", "resnet18", "--out", "resnet18_imagenet")
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr.startswith("Error: ")
    assert "one there already" in run.stderr
    assert len(run.stderr.splitlines()) == 1
