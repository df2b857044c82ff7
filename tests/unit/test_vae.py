"""Published checkpoints: a state dict of each one's exact layout loads strictly into its card's network."""

import collections
import importlib
import sys
import types
import zlib
from pathlib import Path

import pytest
import torch
import torchvision

from cortexrsa.cards import card_names, load_card
from cortexrsa.errors import InputError
from cortexrsa.networks.build import build
from cortexrsa.networks.weights import load_weights

ROOT = Path(__file__).resolve().parents[2]


def filled(shapes):
    """A tensor of one number, told by its key, for each shape; files of them are small."""
    return collections.OrderedDict(
        (key, torch.tensor(float(zlib.crc32(key.encode()) % 1000)).expand(shape))
        for key, shape in shapes.items()
    )


def shapes_of(network):
    return {key: value.shape for key, value in network.state_dict().items()}


def torchvision_shapes(name, classifier=True, **options):
    with torch.device("meta"):
        shapes = shapes_of(torchvision.models.get_model(name, weights=None, **options))
    return {key: shape for key, shape in shapes.items() if classifier or not key.startswith("fc.")}


def prefixed(state, prefix):
    return {prefix + key: value for key, value in state.items()}


def backbone():
    return filled(torchvision_shapes("resnet50", classifier=False))


def whole():
    return filled(torchvision_shapes("resnet50"))


def swav():
    heads = filled(
        {
            "projection_head.0.weight": (2048, 2048),
            "projection_head.0.bias": (2048,),
            "projection_head.1.weight": (2048,),
            "projection_head.1.running_mean": (2048,),
            "projection_head.3.weight": (128, 2048),
            "prototypes.weight": (3000, 128),
        }
    )
    return prefixed(backbone() | heads, "module."), backbone()


def moco():
    head = filled({"fc.0.weight": (2048, 2048), "fc.0.bias": (2048,), "fc.2.weight": (128, 2048)})
    encoders = prefixed(backbone() | head, "module.encoder_q.") | prefixed(backbone(), "module.encoder_k.")
    state = encoders | {"module.queue": torch.ones(128, 4), "module.queue_ptr": torch.zeros(1)}
    return {"epoch": 800, "arch": "resnet50", "state_dict": state}, backbone()


def vissl():
    trunk = prefixed(backbone(), "_feature_blocks.")
    heads = {"0.clf.0.weight": torch.ones(2)}
    model = {"trunk": trunk, "heads": heads}
    return {"phase_idx": 799, "classy_state_dict": {"base_model": {"model": model}}}, backbone()


def cornet():
    convolutions = {"V1.conv1": (64, 3, 7, 7), "V1.conv2": (64, 64, 3, 3)}
    norms = {"V1.norm1": 64, "V1.norm2": 64}
    for area, before, channels, times in (("V2", 64, 128, 2), ("V4", 128, 256, 4), ("IT", 256, 512, 2)):
        wide = 4 * channels
        convolutions |= {
            f"{area}.conv_input": (channels, before, 1, 1),
            f"{area}.skip": (channels, channels, 1, 1),
            f"{area}.conv1": (wide, channels, 1, 1),
            f"{area}.conv2": (wide, wide, 3, 3),
            f"{area}.conv3": (channels, wide, 1, 1),
        }
        norms[f"{area}.norm_skip"] = channels
        for time in range(times):
            norms |= {f"{area}.norm1_{time}": wide, f"{area}.norm2_{time}": wide}
            norms[f"{area}.norm3_{time}"] = channels
    shapes = {f"{name}.weight": shape for name, shape in convolutions.items()}
    for name, width in norms.items():
        shapes |= {f"{name}.{part}": (width,) for part in ("weight", "bias", "running_mean", "running_var")}
        shapes[f"{name}.num_batches_tracked"] = ()
    shapes |= {"decoder.linear.weight": (1000, 512), "decoder.linear.bias": (1000,)}
    state = filled(shapes)
    return {"epoch": 43, "state_dict": prefixed(state, "module."), "optimizer": {"state": {}}}, state


def bolts(first_conv):
    """Lightning's checkpoint of lightning-bolts' VAE, with the objects that Lightning pickles beside it."""
    encoder = torchvision_shapes("resnet18", classifier=False)
    if not first_conv:
        encoder["conv1.weight"] = (64, 3, 3, 3)
    used = prefixed(encoder, "encoder.")
    for head in ("fc_mu", "fc_var"):
        used |= {f"{head}.weight": (256, 512), f"{head}.bias": (256,)}
    decoder = {"decoder.linear.weight": (8192, 256), "decoder.layer1.0.conv1.weight": (512, 512, 3, 3)}
    content = {
        "epoch": 89,
        "global_step": 1,
        "pytorch-lightning_version": "0.9.0",
        "state_dict": filled(used | decoder),
        "optimizer_states": [{"state": {}, "param_groups": [{"lr": 1e-4}]}],
        "callbacks": {},
        "hyper_parameters": {},
    }
    return content, filled(used)


def autoencoder_kl():
    """The safetensors file as published, with diffusers' earlier names of the attention."""
    shapes = shapes_of(build(load_card("models", "vae_sd", ROOT)["network"]))
    earlier = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    names = {}
    for key in shapes:
        old = key
        for new_name, old_name in earlier.items():
            old = old.replace(f"attentions.0.{new_name}.", f"attentions.0.{old_name}.")
        names[key] = old
    assert sum(key != old for key, old in names.items()) == 8
    file = filled({names[key]: shape for key, shape in shapes.items()})
    file |= {"post_quant_conv.bias": torch.ones(4), "decoder.conv_in.bias": torch.ones(512)}
    return file, {key: file[old] for key, old in names.items()}


def plain(make):
    return lambda: (make(), make())


LAYOUTS = {
    "resnet18_imagenet": plain(lambda: filled(torchvision_shapes("resnet18"))),
    "resnet50_imagenet": plain(whole),
    "alexnet": plain(lambda: filled(torchvision_shapes("alexnet"))),
    "vgg16": plain(lambda: filled(torchvision_shapes("vgg16"))),
    "convnext_tiny": plain(lambda: filled(torchvision_shapes("convnext_tiny"))),
    "vit_b_16": plain(lambda: filled(torchvision_shapes("vit_b_16"))),
    "simclr_resnet50": lambda: ({"state_dict": whole()}, whole()),
    "simclr_vissl_resnet50": vissl,
    "dino_resnet50": plain(backbone),
    "barlowtwins_resnet50": plain(backbone),
    "vicreg_resnet50": plain(backbone),
    "swav_resnet50": swav,
    "mocov2_resnet50": moco,
    "cornet_s": cornet,
    "vae_bolts_cifar10": lambda: bolts(False),
    "vae_bolts_stl10": lambda: bolts(True),
    "vae_sd": autoencoder_kl,
    "clip_resnet50": None,  # below: timm defines what its file holds
    "vae_celeba": None,  # the real file, tests/unit/test_build.py
}


def test_every_downloaded_network_has_its_layout_proven():
    downloaded = {name for name in card_names("models", ROOT) if "url" in weights_of(name)}
    assert downloaded <= set(LAYOUTS)


def weights_of(name):
    return load_card("models", name, ROOT).get("weights", {})


def save(content, folder, name):
    path = folder / weights_of(name)["file"]
    if path.suffix == ".safetensors":
        from safetensors.torch import save_file

        save_file({key: value.contiguous() for key, value in content.items()}, path)
    else:
        torch.save(content, path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, layout in LAYOUTS.items() if layout])
def test_a_published_layout_loads_strictly(tmp_path, name):
    if name == "vae_sd":
        pytest.importorskip("diffusers", reason="an optional package, see requirements-extra.txt")
    card = load_card("models", name, ROOT)
    content, used = LAYOUTS[name]()
    network = build(card["network"])
    path = save(content, tmp_path, name)
    load_weights(network, card["weights"], path)
    loaded = network.state_dict()
    assert set(loaded) == set(used)
    assert all(torch.equal(loaded[key].float(), used[key].float().expand(loaded[key].shape)) for key in used)

    # one key less, and one more, are refused and named
    weights = card["weights"]
    state = content
    for key in weights["entry"]:
        state = state[key]
    lost = next(key for key in state if key.endswith(("layer1.0.bn1.weight", "norm1.weight", "0.bias")))
    state["not.there"] = state.pop(lost)
    with pytest.raises(InputError, match=r"missing 1 \(.*unexpected 1 \(not\.there") as caught:
        load_weights(network, weights, save(content, tmp_path, name))
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_clip_loads_what_timm_writes(tmp_path):
    import timm

    card = load_card("models", "clip_resnet50", ROOT)
    shapes = shapes_of(timm.create_model("resnet50_clip.openai", pretrained=False))
    content = {key: value.clone() for key, value in filled(shapes).items()}
    network = build(card["network"])
    load_weights(network, card["weights"], save(content, tmp_path, "clip_resnet50"))
    assert all(torch.equal(value.float(), content[key]) for key, value in network.state_dict().items())


def test_objects_beside_the_weights_become_placeholders_without_running(tmp_path, monkeypatch):
    """Lightning pickles classes and hyper-parameters; named in the card they load as empty stand-ins."""
    ran = []
    modules = ("pytorch_lightning", "pytorch_lightning.utilities", "pytorch_lightning.utilities.parsing")
    for name in modules:
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))

    class AttributeDict(dict):
        def __init__(self, *arguments):
            ran.append("init")
            super().__init__(*arguments)

        def __setstate__(self, state):
            ran.append("setstate")

    AttributeDict.__module__, AttributeDict.__qualname__ = modules[-1], "AttributeDict"
    importlib.import_module(modules[-1]).AttributeDict = AttributeDict
    card = load_card("models", "vae_bolts_cifar10", ROOT)
    content, used = bolts(False)
    options = AttributeDict({"latent_dim": 256})
    options.lr = 1e-4
    content |= {"hyper_parameters": options, "callbacks": {AttributeDict: {"best": 0.1}}}
    path = tmp_path / "vae.ckpt"
    torch.save(content, path)
    ran.clear()

    network = build(card["network"])
    load_weights(network, card["weights"], path)
    assert torch.equal(network.fc_mu.bias, used["fc_mu.bias"].expand(256))
    assert ran == []
    weights = card["weights"] | {"placeholders": []}
    with pytest.raises(InputError, match=r"parsing\.AttributeDict, expected .*placeholders"):
        load_weights(network, weights, path)
    assert ran == []


def test_wrong_patterns_are_one_line(tmp_path):
    network = build({"source": "resnet", "name": "resnet18", "options": {"width": 4}})
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    for field in ("ignore", "rename"):
        value = {"(": ""} if field == "rename" else ["("]
        with pytest.raises(InputError, match=rf"weights\.{field}.*: found '\('.*a regular expression"):
            load_weights(network, {field: value}, tmp_path / "weights.pth")


# ---- networks from elsewhere -------------------------------------------------------------------------------


def test_a_hub_network_comes_from_its_repository(tmp_path):
    (tmp_path / "hubconf.py").write_text(
        "import torch\ndef tiny(width=3):\n    return torch.nn.Sequential(torch.nn.Conv2d(3, width, 1))\n"
    )

    def network(**changes):
        return {"source": "hub", "name": "tiny", "options": {"repo": str(tmp_path), "width": 5}} | changes

    assert build(network())[0].out_channels == 5
    first, again = build(network(), seed=3), build(network(), seed=3)
    assert torch.equal(first[0].weight, again[0].weight)
    with pytest.raises(InputError, match="network: name: found 'tinny' of .*failed"):
        build(network(name="tinny"))
    with pytest.raises(InputError, match="options: repo: found 'nowhere', expected OWNER/NAME:COMMIT"):
        build(network(options={"repo": "nowhere"}))


def test_a_missing_optional_package_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(InputError, match="no diffusers .*pip install -r requirements-extra.txt") as caught:
        build(load_card("models", "vae_sd", ROOT)["network"])
    assert "\n" not in str(caught.value)


def test_timm_networks_are_found_by_name_and_tag():
    assert build({"source": "timm", "name": "test_vit.r160_in1k"}).num_features
    with pytest.raises(InputError, match="network: name: found 'resnet50_clap'.*resnet50_clip"):
        build({"source": "timm", "name": "resnet50_clap"})
