"""Networks against torchvision, published layouts and real weights."""

import collections
import gzip
import hashlib
import json
import os
import pickle
import re
import struct
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
import torchvision
from PIL import Image

from cortexrsa.cards import card_names, load_card
from cortexrsa.errors import InputError
from cortexrsa.networks.build import build
from cortexrsa.networks.layers import recorded
from cortexrsa.networks.preprocessing import prepare
from cortexrsa.networks.settings import Preprocessing
from cortexrsa.networks.weights import build_with_weights, load_weights, package_file
from cortexrsa.storage import write_provenance
from support import message_of

ROOT = Path(__file__).resolve().parents[2]
MIRROR = Path(os.environ.get("CORTEXRSA_MIRROR") or ROOT.parent / "shared" / "mirror")
NARROW = {"source": "resnet", "name": "resnet18", "options": {"width": 4, "stem": "small", "classes": 3}}


def images92(*numbers):
    folder = MIRROR / "algonauts92" / "stimuli"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there: the real images are read from a mirror folder")
    return np.stack([np.asarray(Image.open(folder / f"image_{k:02d}.jpg").convert("RGB")) for k in numbers])


def saved(content, path):
    torch.save(content, path)
    return path


# ---- architectures ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_full_width_resnet_is_torchvisions(name):
    reference = torchvision.models.get_model(name, weights=None).eval()
    network = build({"source": "resnet", "name": name, "options": {"classes": 1000}}, seed=3).eval()
    network.load_state_dict(reference.state_dict(), strict=True)
    images = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(network(images), reference(images))


def test_width_and_stem_follow_the_card():
    network = build(NARROW, seed=0)
    assert network.conv1.weight.shape == (4, 3, 3, 3)
    assert isinstance(network.maxpool, torch.nn.Identity)
    assert network.layer4[1].conv2.weight.shape == (32, 32, 3, 3)
    assert network(torch.rand(2, 3, 32, 32)).shape == (2, 3)
    headless = {**NARROW, "options": {"width": 4, "stem": "small", "classes": 0}}
    assert build(headless, seed=0)(torch.rand(2, 3, 32, 32)).shape == (2, 32)
    bottleneck = build({"source": "resnet", "name": "resnet50", "options": {"width": 4}}, seed=0)
    assert bottleneck.layer1[0].conv3.weight.shape == (16, 4, 1, 1)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_residual_branches_that_begin_at_zero_are_torchvisions(name):
    options = {"width": 4, "stem": "small", "classes": 3}
    plain = build({"source": "resnet", "name": name, "options": options}, seed=1).state_dict()
    options["zero_init_residual"] = True
    network = build({"source": "resnet", "name": name, "options": options}, seed=1)
    reference = torchvision.models.get_model(name, weights=None, zero_init_residual=True).state_dict()
    zeros = {key for key, value in reference.items() if key.endswith("weight") and not value.any()}
    state = network.state_dict()
    assert {key for key in state if key.endswith("weight") and not state[key].any()} == zeros
    assert all(torch.equal(value, plain[key]) for key, value in state.items() if key not in zeros)
    # a block without a change of shape is the identity on what is not negative
    x = torch.rand(2, network.layer1[0].conv1.out_channels * network.layer1[0].expansion, 8, 8)
    torch.testing.assert_close(network.layer1[1](x), x)
    options = {"size": 16, "stem": "small", "zero_init_residual": True}
    with pytest.raises(InputError, match="zero_init_residual is an option of ResNets"):
        build({"source": "vae", "name": "cornet_s", "options": options})


def test_random_weights_depend_on_the_seed_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = (build(NARROW, seed=seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["conv1.weight"], other["conv1.weight"])


@pytest.mark.parametrize(("stem", "size"), [("small", 48), ("imagenet", 64)])
def test_vae_encoder_has_the_classifiers_layers(stem, size):
    options = {"width": 4, "stem": stem, "latent": 5, "size": size}
    vae = build({"source": "vae", "name": "resnet18", "options": options}, seed=0).eval()
    classifier = build({**NARROW, "options": {"width": 4, "stem": stem}}, seed=0).eval()
    layers = ["relu", *(f"layer{stage}.{block}" for stage in range(1, 5) for block in range(2))]
    shapes = []
    for network, prefix in ((vae, "encoder."), (classifier, "")):
        outputs = {}
        keep = lambda layer, output, to=outputs: to.update({layer: output.shape})  # noqa: E731
        with recorded(network, [prefix + layer for layer in layers], keep):
            network(torch.rand(2, 3, size, size))
        shapes.append(list(outputs.values()))
    assert shapes[0] == shapes[1]
    with torch.inference_mode():
        images = torch.rand(2, 3, size, size)
        reconstruction, mu, logvar = vae(images)
        assert reconstruction.shape == images.shape
        assert mu.shape == logvar.shape == (2, 5)
        # in evaluation the code is the mean, in training a sample
        assert torch.equal(vae(images)[0], reconstruction)


def test_cornet_s_is_that_of_the_paper():
    network = build({"source": "cornet_s", "name": "cornet_s"}, seed=0).eval()
    state = network.state_dict()
    # 53.4 million parameters, and the names and shapes of the published checkpoint
    assert sum(p.numel() for p in network.parameters()) == 53_416_616
    assert state["V1.conv1.weight"].shape == (64, 3, 7, 7)
    assert state["V2.conv2.weight"].shape == (512, 512, 3, 3)
    assert state["V4.norm3_3.running_mean"].shape == (256,)
    assert "V4.norm1_4.weight" not in state
    assert state["IT.conv_input.weight"].shape == (512, 256, 1, 1)
    assert state["decoder.linear.weight"].shape == (1000, 512)
    shapes = {}
    layers = ["V1", "V2.output_0", "V2.output_1", "V4.output_3", "IT.output_1", "decoder.avgpool"]
    with recorded(network, layers, lambda layer, x: shapes.setdefault(layer, tuple(x.shape[1:]))):
        assert network(torch.rand(1, 3, 224, 224)).shape == (1, 1000)
    sizes = [(64, 56, 56), (128, 28, 28), (128, 28, 28), (256, 14, 14), (512, 7, 7), (512, 1, 1)]
    assert [shapes[layer] for layer in layers] == sizes


def test_cornet_s_recurs_with_shared_weights():
    options = {"width": 4, "stem": "small", "classes": 0}
    network = build({"source": "cornet_s", "name": "cornet_s", "options": options}, seed=0).eval()
    images = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        assert network(images).shape == (2, 32)
        # V2 by hand: two passes through one set of convolutions, each with its own normalisation
        area, x = network.V2, network.V1(images)
        x = area.conv_input(x)
        state, past = x, area.norm_skip(area.skip(x))
        for time, stride in ((0, 2), (1, 1)):
            norms = [getattr(area, f"norm{k}_{time}") for k in (1, 2, 3)]
            y = norms[0](area.conv1(state)).relu()
            y = norms[1](torch.nn.functional.conv2d(y, area.conv2.weight, stride=stride, padding=1)).relu()
            state = past = (norms[2](area.conv3(y)) + past).relu()
        torch.testing.assert_close(network.V2(network.V1(images)), state)


@pytest.mark.parametrize("name", ["resnet18", "cornet_s"])
def test_autoencoders_share_the_classifiers_encoder(name):
    options = {"width": 4, "stem": "small", "latent": 7, "size": 32}
    source = "resnet" if name == "resnet18" else name
    network = build({"source": source, "name": name, "options": {"width": 4, "stem": "small", "classes": 0}})
    images = torch.rand(2, 3, 32, 32)
    for kind in ("autoencoder", "vae"):
        model = build({"source": kind, "name": name, "options": options}, seed=0).eval()
        model.encoder.load_state_dict(network.state_dict(), strict=True)
        reconstruction, code, *_ = model(images)
        assert reconstruction.shape == images.shape
        assert code.shape == (2, 7)


def test_safetensors_load_strictly(tmp_path):
    state = build(NARROW, seed=1).state_dict()
    path = tmp_path / "weights.safetensors"
    safetensors.torch.save_file(state, path)
    network = build(NARROW, seed=2)
    load_weights(network, {}, path)
    assert all(torch.equal(network.state_dict()[key], state[key]) for key in state)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(InputError, match="an unreadable file"):
        load_weights(network, {}, path)
    torch.save(state, path)
    with pytest.raises(InputError, match="an unreadable file"):
        load_weights(network, {}, path)


def test_wrong_networks_are_one_line_with_the_nearest():
    def message(**changes):
        text = message_of(build, {**NARROW, **changes}, seed=0)
        assert text.startswith("network: ")
        return text

    assert "'resnet'" in message(source="resnets")
    assert "'resnet18'" in message(name="resnet81")
    assert "'width'" in message(options={"widht": 4})
    assert "imagenet or small" in message(options={"stem": "tiny"})
    assert "multiple of 16" in message(source="vae", options={"stem": "small", "size": 50})
    assert "resnet18" in message(source="torchvision", name="resnet_18")
    assert "gabor" in message(source="baseline", name="gabbor")


def test_a_list_of_names_that_is_a_part_says_so():
    text = message_of(build, {"source": "timm", "name": "vit_tiny"}, seed=0)
    assert "vit_tiny_patch16_224" in text
    assert re.search(r"one of \d,\d{3} names, such as \[", text)
    # few names are all of them
    assert "one of ['resnet18', 'resnet34', 'resnet50']" in message_of(
        build, {**NARROW, "name": "vgg"}, seed=0
    )


@pytest.mark.parametrize("name", card_names("models", ROOT))
def test_every_card_builds_and_its_layers_run(name):
    if name == "vae_sd":
        pytest.importorskip("diffusers", reason="an optional package, see requirements-extra.txt")
    card = load_card("models", name, ROOT)
    # full-size networks run on a small image, where they can: layer names do not depend on it
    fixed = name in ("vit_b_16", "clip_resnet50")
    fixed |= card["network"]["source"] in ("vae", "autoencoder", "burgess_vae")
    size = card["preprocessing"]["size"] if fixed else 64
    network, seen = build(card["network"], seed=0).eval(), []
    with torch.inference_mode(), recorded(network, card["layers"], lambda layer, _: seen.append(layer)):
        network(torch.rand(1, 3, size, size))
    # in the order of the card, from input to output
    assert seen == card["layers"]


# ---- weights ---------------------------------------------------------------------------------------------


def test_wrong_keys_and_shapes_are_listed(tmp_path):
    network = build(NARROW, seed=1)
    state = network.state_dict()
    state["backbone.extra"] = torch.ones(2)
    del state["fc.bias"]
    state["conv1.weight"] = torch.ones(4, 3, 7, 7)
    before = network.conv1.weight.clone()
    text = message_of(load_weights, network, {}, saved(state, tmp_path / "weights.pth"))
    assert "missing 1 (fc.bias)" in text
    assert "unexpected 1 (backbone.extra)" in text
    assert "conv1.weight (4, 3, 7, 7) not (4, 3, 3, 3)" in text
    assert torch.equal(network.conv1.weight, before)

    prefixed = {f"module.{key}": value for key, value in build(NARROW, seed=1).state_dict().items()}
    with pytest.raises(InputError, match=r"missing \d\d+ \(.*, \.\.\.\); unexpected \d\d+ \(module\.conv1"):
        load_weights(network, {}, saved(prefixed, tmp_path / "weights.pth"))
    with pytest.raises(InputError, match=r"missing 1 \(fc.bias\)"):
        load_weights(network, {"strip_prefix": "module.", "ignore": ["fc.bias"]}, tmp_path / "weights.pth")
    with pytest.raises(InputError, match=r"entry state_dict: found keys 122 \(module\.bn1"):
        load_weights(network, {"entry": ["state_dict"]}, tmp_path / "weights.pth")
    nested = saved({"epoch": 3, "state_dict": prefixed}, tmp_path / "nested.pth")
    with pytest.raises(InputError, match=r"no tensors: 2 \(epoch, state_dict\).*entry"):
        load_weights(network, {}, nested)


@pytest.mark.parametrize(
    ("weights", "keys", "new"),
    [
        ({"strip_prefix": "module."}, ("fc.bias", "module.fc.bias"), "fc.bias"),
        ({"rename": {"^head": "fc"}}, ("fc.bias", "head.bias"), "fc.bias"),
        ({"strip_prefix": "a.", "rename": {"^b": "fc"}}, ("a.b.bias", "fc.bias"), "fc.bias"),
    ],
)
def test_no_two_keys_become_one(tmp_path, weights, keys, new):
    network = build(NARROW, seed=1)
    state = {key: value for key, value in network.state_dict().items() if key != new}
    path = saved(state | {key: torch.full((3,), float(k)) for k, key in enumerate(keys)}, tmp_path / "w.pth")
    found = f"found {keys[0]!r} and {keys[1]!r}, which both become {new!r}"
    assert found in message_of(load_weights, network, weights, path)


def test_keys_without_the_prefix_and_twins_that_are_ignored_may_stay(tmp_path):
    network, state = build(NARROW, seed=1), build(NARROW, seed=2).state_dict()
    mixed = {("" if key == "fc.bias" else "module.") + key: value for key, value in state.items()}
    path = saved(mixed | {"head": torch.ones(1), "module.head": torch.ones(1)}, tmp_path / "w.pth")
    load_weights(network, {"strip_prefix": "module.", "ignore": ["head"]}, path)
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())


def quantised(shape):
    return torch.quantize_per_tensor(torch.ones(shape), 0.1, 0, torch.qint8)


# quantised tensors are on their way out of PyTorch
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: {3: torch.ones(3)}, r"found keys that are no text: 1 \(3\), expected names of tensors"),
        (lambda: {"fc.bias": torch.ones(3, dtype=torch.int64)}, "1 .fc.bias whole numbers not floating"),
        (lambda: {"fc.bias": torch.ones(3, dtype=torch.complex64)}, "1 .fc.bias complex not floating-point"),
        (lambda: {"fc.bias": torch.ones(3).to_sparse()}, "1 .fc.bias sparse or nested not floating-point"),
        (lambda: {"fc.bias": torch.ones(3, device="meta")}, "1 .fc.bias without values not floating-point"),
        (lambda: {"fc.bias": quantised(3)}, "1 .fc.bias quantised not floating-point"),
        (lambda: {"fc.bias": quantised(4)}, "1 .fc.bias quantised not floating-point"),
    ],
)
def test_other_kinds_of_tensor_are_refused(tmp_path, make, message):
    network = build(NARROW, seed=1)
    path = saved(network.state_dict() | make(), tmp_path / "weights.pth")
    with pytest.raises(InputError, match=message) as error:
        load_weights(network, {}, path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_another_precision_loads(tmp_path, dtype):
    network, state = build(NARROW, seed=1), build(NARROW, seed=2).state_dict()
    # counters of batches too, as in averages of checkpoints
    converted = {key: value.to(dtype) for key, value in state.items()}
    load_weights(network, {}, saved(converted, tmp_path / "weights.pth"))
    loaded = network.state_dict()
    torch.testing.assert_close(loaded, state, rtol=1e-2, atol=1e-4)
    assert loaded["bn1.num_batches_tracked"].dtype == torch.int64


@pytest.mark.parametrize(
    ("rename", "found"), [({"(a)": r"\9"}, "group reference 9"), ({"a": r"\g<b>"}, "'b'")]
)
def test_a_replacement_without_its_group_is_one_line(tmp_path, rename, found):
    path = saved({"a": torch.ones(1)}, tmp_path / "weights.pth")
    with pytest.raises(InputError, match=f"weights.rename: found .*{found}"):
        load_weights(build(NARROW, seed=0), {"rename": rename}, path)


@pytest.mark.parametrize("error", [AssertionError("storage key"), struct.error("unpack"), TypeError()])
def test_whatever_a_damaged_checkpoint_raises_is_one_line(tmp_path, monkeypatch, error):
    path = saved({"a": torch.ones(1)}, tmp_path / "weights.pth")

    def load(*_, **__):
        raise error

    monkeypatch.setattr(torch, "load", load)
    with pytest.raises(InputError, match=f"an unreadable file .{type(error).__name__}: {error}"):
        load_weights(build(NARROW, seed=0), {}, path)


# a flipped bit may also name another version of pickle
@pytest.mark.filterwarnings("ignore")
def test_flipped_bits_in_the_old_format_are_one_line(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"a": torch.ones(3, 4)}, path, _use_new_zipfile_serialization=False)
    content, network = path.read_bytes(), torch.nn.Linear(4, 3)
    for place in range(0, len(content), 2):
        damaged = bytearray(content)
        damaged[place] ^= 4
        path.write_bytes(damaged)
        # the network has other keys: nothing loads
        message_of(load_weights, network, {}, path)


class Payload:
    """Runs code when unpickled."""

    def __reduce__(self):
        return (exec, ("import builtins; builtins.cortexrsa_was_here = True",))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<!DOCTYPE html><html>404: Not Found</html>", "an HTML page"),
        (b"<!-- page --><head></head>", "an HTML page"),
        (b"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer"),
        (gzip.compress(b"x", mtime=0), "gzip-compressed data"),
        (b"", "an empty file"),
        (b"not a checkpoint at all", "expected a PyTorch file"),
        (pickle.dumps({"a": Payload()}, protocol=2), "pickled objects"),
        (None, "No such file"),
    ],
)
def test_other_files_are_refused(tmp_path, content, message):
    path = tmp_path / "weights.pth"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        load_weights(build(NARROW, seed=0), {}, path)
    assert "\n" not in str(error.value)
    # PyTorch's advice to unpickle it after all
    assert "Re-running" not in str(error.value)


def test_weights_older_than_batch_counters_fit(tmp_path):
    network = build(NARROW, seed=1)
    old = {key: value for key, value in network.state_dict().items() if "num_batches_tracked" not in key}
    loaded = build(NARROW, seed=2)
    load_weights(loaded, {}, saved(old, tmp_path / "weights.pth"))
    assert all(torch.equal(value, loaded.state_dict()[key]) for key, value in old.items())


HUB = """
import torch
def brings_its_own(pretrained=True):
    network = torch.nn.Linear(3, 2)
    if pretrained:
        torch.nn.init.constant_(network.weight, 7), torch.nn.init.constant_(network.bias, 7)
    return network
def always_its_own():
    network = torch.nn.Linear(3, 2)
    torch.nn.init.constant_(network.weight, 7), torch.nn.init.constant_(network.bias, 7)
    return network
def plain():
    return torch.nn.Linear(3, 2)
def pair():
    return torch.nn.Linear(3, 2), None
"""


def hub_network(folder, name):
    (folder / "hubconf.py").write_text(HUB)
    network = {"source": "hub", "name": name, "options": {"repo": str(folder)}}
    return build_with_weights(network, {"random": {"seed": 1}})


@pytest.mark.parametrize("name", ["brings_its_own", "plain"])
def test_a_hub_network_with_random_weights_has_random_weights(tmp_path, name):
    first, again = hub_network(tmp_path, name), hub_network(tmp_path, name)
    assert first.weight.std() > 0
    assert torch.equal(first.weight, again.weight)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("always_its_own", "weights: random: found the same weights from every seed"),
        ("pair", "network: name: found 'pair' of .*, which returns tuple, expected .*torch.nn.Module"),
    ],
)
def test_a_hub_network_that_is_none_or_not_random_is_refused(tmp_path, name, message):
    with pytest.raises(InputError, match=message):
        hub_network(tmp_path, name)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            {"source": "timm", "name": "test_vit.nothere"},
            r"network: name: found 'test_vit.nothere' \(RuntimeError",
        ),
        (
            {"source": "torchvision", "name": "vit_b_16", "options": {"image_size": 100}},
            r"network: options: found .*image_size.*\(AssertionError",
        ),
        (
            {"source": "timm", "name": "test_vit", "options": {"act_layer": "nope"}},
            r"network: options: found .*act_layer.*\(KeyError",
        ),
    ],
)
def test_whatever_a_library_raises_names_the_field(network, message):
    with pytest.raises(InputError, match=message) as error:
        build(network)
    assert "\n" not in str(error.value)


def test_pickled_objects_inside_a_checkpoint_are_never_run(tmp_path):
    import builtins

    path = saved({"state_dict": Payload()}, tmp_path / "weights.pth")
    with pytest.raises(InputError, match="pickled objects"):
        load_weights(build(NARROW, seed=0), {}, path)
    assert not hasattr(builtins, "cortexrsa_was_here")


def test_a_truncated_checkpoint_is_refused(tmp_path):
    path = saved(build(NARROW, seed=0).state_dict(), tmp_path / "weights.pth")
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(InputError, match="expected a PyTorch file"):
        load_weights(build(NARROW, seed=0), {}, path)


def test_package_files_are_found_without_import(tmp_path, monkeypatch):
    folder = tmp_path / "somepackage" / "models"
    folder.mkdir(parents=True)
    (tmp_path / "somepackage" / "__init__.py").write_text("raise RuntimeError('imported')")
    (folder / "weights.pth").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert package_file("somepackage", "weights.pth") == folder / "weights.pth"
    assert package_file("somepackage", "models/weights.pth") == folder / "weights.pth"
    with pytest.raises(InputError, match="a file in package somepackage"):
        package_file("somepackage", "other.pth")
    with pytest.raises(InputError, match="not installed"):
        package_file("no_such_package_here", "weights.pth")


# ---- real weights ----------------------------------------------------------------------------------------


def test_real_efficientnet_lite0_names_what_it_sees():
    card = load_card("models", "efficientnet_lite0", ROOT)
    network = build(card["network"], seed=0).eval()
    load_weights(network, card["weights"], package_file(card["weights"]["package"], card["weights"]["file"]))
    # zebra, banana, bell pepper, cassette, macaque; the last three are lost with another mean and SD
    images = images92(32, 63, 70, 76, 44)
    with torch.inference_mode():
        classes = network(prepare(images, Preprocessing(**card["preprocessing"]))).argmax(1)
    assert classes.tolist() == [340, 954, 945, 481, 373]


def test_real_celeba_vae_reconstructs_faces():
    file = MIRROR / "vae_celeba" / "model.pt"
    if not file.is_file():
        pytest.skip(f"{file} is not there: the real weights are read from a mirror folder")
    card = load_card("models", "vae_celeba", ROOT)
    network = build(card["network"], seed=0).eval()
    load_weights(network, card["weights"], file)
    images = prepare(images92(16, 18, 19, 20, 22, 24), Preprocessing(**card["preprocessing"]))
    with torch.inference_mode():
        reconstruction, mu, _ = network(images)
    residual = (reconstruction - images).square().sum()
    total = (images - images.mean((0, 2, 3), keepdim=True)).square().sum()
    # a wrong order of mean and log variance in the published layer gives a negative value
    assert 1 - residual / total > 0.5
    assert mu.shape == (6, 10)


def test_ordered_dicts_are_plain_enough(tmp_path):
    network = build(NARROW, seed=4)
    state = collections.OrderedDict(network.state_dict())
    other = build(NARROW, seed=5)
    load_weights(other, {}, saved(state, tmp_path / "weights.pth"))
    assert all(torch.equal(value, state[key]) for key, value in other.state_dict().items())


def test_weights_that_are_not_as_they_were_made_or_came_are_refused(tmp_path):
    """Whoever builds the network: for activations, robustness, or a training that starts with it."""
    network = {"source": "resnet", "name": "resnet18", "options": {"width": 2, "classes": 2}}
    path = tmp_path / "net" / "weights.safetensors"
    path.parent.mkdir()
    safetensors.torch.save_file(build(network).state_dict(), path)
    write_provenance(path, None, {path.name: path})
    lock = tmp_path / "checksums.lock"
    came = hashlib.sha256(path.read_bytes()).hexdigest()
    lock.write_text(json.dumps({f"net/{path.name}": came}))
    weights = {"file": path.name, "sha256": None}
    build_with_weights(network, None, trained=path)
    build_with_weights(network, weights, downloads=path.parent)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert "content: found sha256:" in message_of(build_with_weights, network, None, trained=path)
    assert "sha256: found" in message_of(build_with_weights, network, weights, downloads=path.parent)
