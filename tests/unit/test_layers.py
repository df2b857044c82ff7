"""Hooks against manual forward passes."""

import numpy as np
import pytest
import torch
import torchvision

from cortexrsa.errors import InputError
from cortexrsa.networks.layers import recorded, relative_depth


def collected(network, layers, images):
    outputs = {}
    with (
        torch.inference_mode(),
        recorded(network, layers, lambda layer, x: outputs.update({layer: x.clone()})),
    ):
        network(images)
    return outputs


def test_recorded_outputs_equal_a_manual_forward_pass():
    torch.manual_seed(0)
    network = torchvision.models.resnet18(weights=None).eval()
    images = torch.rand(2, 3, 64, 64)
    # bn1 is overwritten in place by the ReLU that follows: what counts is its output when it ran
    outputs = collected(network, ["bn1", "relu", "layer1.0", "layer3.1", "avgpool"], images)
    with torch.inference_mode():
        normalised = network.bn1(network.conv1(images))
        expected = {"bn1": normalised.clone(), "relu": torch.relu(normalised)}
        x = network.layer1[0](network.maxpool(expected["relu"]))
        expected["layer1.0"] = x.clone()
        x = network.layer3(network.layer2(network.layer1[1](x)))
        expected["layer3.1"] = x.clone()
        expected["avgpool"] = network.avgpool(network.layer4(x))
    assert list(outputs) == list(expected)
    assert (outputs["bn1"] < 0).any()
    for layer, values in expected.items():
        torch.testing.assert_close(outputs[layer], values, rtol=0, atol=0)


def test_hooks_are_gone_after_the_block():
    network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU())
    seen = []
    with recorded(network, ["0"], lambda layer, _: seen.append(layer)):
        network(torch.rand(1, 3))
        network(torch.rand(1, 3))
    network(torch.rand(1, 3))
    assert seen == ["0", "0"]


class Odd(torch.nn.Module):
    """A module that runs twice, one that never runs, one that returns a tuple and one that returns text."""

    def __init__(self):
        super().__init__()
        self.twice, self.never = torch.nn.ReLU(), torch.nn.ReLU()
        self.attention = torch.nn.MultiheadAttention(4, 1, batch_first=True)
        self.text = Text()

    def forward(self, x):
        self.text(x)
        return self.attention(self.twice(x), self.twice(x), x)[0]


class Text(torch.nn.Module):
    def forward(self, x):
        return "text"


def test_the_first_tensor_of_a_tuple_is_taken():
    network, images = Odd().eval(), torch.rand(2, 5, 4)
    outputs = collected(network, ["attention"], images)
    torch.testing.assert_close(outputs["attention"], network(images))


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (["attention.out_porj"], "'attention.out_proj'"),
        (["twice", "twice"], "'twice' twice"),
        ([], "found none"),
        (["twice"], "'twice', which runs several times"),
        (["never", "attention"], r"\['never'\], not run"),
        (["text"], "'text', which returns str"),
    ],
)
def test_wrong_layers_are_one_line(layers, message):
    network = Odd().eval()
    with (
        pytest.raises(InputError, match=message) as error,
        recorded(network, layers, lambda *_: None),
    ):
        network(torch.rand(2, 5, 4))
    assert str(error.value).startswith("layers: ")


def test_layers_in_another_order_than_they_run_are_refused():
    network = torchvision.models.resnet18(weights=None).eval()
    with pytest.raises(InputError, match=r"layers: found 'layer3.0' before 'relu', expected the order"):
        collected(network, ["layer3.0", "relu", "avgpool"], torch.rand(1, 3, 32, 32))


def test_relative_depth_spans_0_to_1():
    np.testing.assert_allclose(relative_depth(5), [0, 0.25, 0.5, 0.75, 1])
    assert relative_depth(1).tolist() == [0]
