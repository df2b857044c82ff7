"""Cards and configuration: defaults, and one line for every fault."""

import copy
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from cortexrsa import cards, schemas
from cortexrsa.seeds import holder_of_weights
from support import message_of

ROOT = Path(__file__).resolve().parents[2]

RESNET = """\
label: A network
description: ImageNet ResNet-18
family: task-optimised
network: {source: torchvision, name: resnet18}
weights:
  file: resnet18.pth
  url: https://example.org/resnet18-f37072fd.pth
  sha256: f37072fd
  licence: BSD-3-Clause
preprocessing:
  size: 224
  mean: [0.485, 0.456, 0.406]
  std: [0.229, 0.224, 0.225]
layers: [conv1, layer1, layer2]
"""
SMALL = """\
label: A network
description: ResNet-18 trained here
family: task-optimised
network: {source: resnet, name: resnet18, options: {width: 16, stem: small}}
weights:
  training: {corpus: shapes, objective: supervised, images_seen: 1000, batch_size: 32, optimizer: sgd,
             learning_rate: 1e-1, seed: 1}
preprocessing: {size: 64}
layers: [conv1]
"""
PIXELS = """\
label: A network
description: pixels
family: baseline
network: {source: baseline, name: pixels}
preprocessing: {size: 32}
layers: [pixels]
"""
OBJECTS = """\
description: objects
citation: nobody
licence: CC0
loader: rdms
files:
  - {base_url: https://example.org/brain/, sha256: {it.npz: null}}
  - {base_url: https://example.org/images, folder: stimuli, sha256: {a-b.jpg: aaaaaaaa}}
  - {file: labels.npy, url: https://example.org/download}
rois: {IT: {file: it.npz, key: Net_RDM}}
images: stimuli
options: {dissimilarity: correlation}
"""
WORLD = """\
description: simulated
citation: none
licence: CC0
loader: simulated
rois: {V1: {voxels: 300, area: v1}, LO: {voxels: 200, area: lo}}
"""
BOLD = """\
description: raw
citation: none
licence: CC0
loader: bids
path: bids
rois: {V1: {mask: v1.nii.gz}}
options: {task: images}
"""
SHAPES = """\
description: shapes
kind: procedural
options: {images: 100, size: 64, seed: 1, validation: 10}
"""
MINE = """\
title: Mine
claims:
  - id: A
    statement: It is so
    statistic: {score: best, network: {role: generative}, roi: V1}
    expect: greater
"""
CARDS = {
    "claims/mine": MINE,
    "models/resnet18": RESNET,
    "models/small": SMALL,
    "models/pixels": PIXELS,
    "datasets/objects": OBJECTS,
    "datasets/world": WORLD,
    "datasets/bold": BOLD,
    "corpora/shapes": SHAPES,
}
CONFIG = {
    "datasets": ["world"],
    "models": ["resnet18", "pixels"],
    "inference": {"bootstrap": 200, "seed": 3},
    "claims": ["mine"],
    "roles": {"rois": {"early": "V1", "late": "LO"}, "networks": {"generative": "resnet18"}},
}


@pytest.fixture
def root(tmp_path):
    for name, text in CARDS.items():
        path = tmp_path / "resources" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


# ---- what is right -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", schemas.SCHEMAS)
def test_the_schemas_are_valid_themselves(kind):
    Draft202012Validator.check_schema(schemas._validator(kind).schema)


def test_defaults_are_filled_in_where_the_schema_has_them(root):
    card = cards.load_card("models", "resnet18", root)
    assert card["batch_size"] == 64
    assert card["preprocessing"]["interpolation"] == "bilinear"
    assert card["network"]["options"] == {}
    assert (card["weights"]["entry"], card["weights"]["strip_prefix"]) == ([], "")
    training = cards.load_card("models", "small", root)["weights"]["training"]
    # PyYAML by itself reads 1e-1 as text
    assert training["learning_rate"] == pytest.approx(0.1)
    assert "weights" not in cards.load_card("models", "pixels", root)


def test_whole_numbers_are_int_also_when_written_with_a_point(root):
    path = root / "resources/models/pixels.yaml"
    path.write_text(PIXELS.replace("size: 32", "size: 32.0"))
    size = cards.load_card("models", "pixels", root)["preprocessing"]["size"]
    assert (size, type(size)) == (32, int)


def test_order_of_keys_changes_nothing_and_order_of_layers_does(root):
    first = repr(cards.load_card("models", "small", root))
    path = root / "resources/models/small.yaml"
    path.write_text("layers: [conv1]\n" + SMALL.replace("layers: [conv1]\n", "").replace("width: 16, ", ""))
    path.write_text(path.read_text().replace("stem: small", "stem: small, width: 16"))
    assert repr(cards.load_card("models", "small", root)) == first
    assert cards.canonical({"b": [2, 1], "a": ({"d": 1, "c": 2},)}) == {"a": [{"c": 2, "d": 1}], "b": [2, 1]}
    assert list(cards.canonical({"b": {"z": 1, "y": 2}, "a": 1})) == ["a", "b"]


def test_files_of_a_card_with_their_urls(root):
    assert cards.card_files(cards.load_card("datasets", "objects", root)) == {
        "it.npz": {"url": "https://example.org/brain/it.npz", "sha256": None},
        "stimuli/a-b.jpg": {"url": "https://example.org/images/a-b.jpg", "sha256": "aaaaaaaa"},
        "labels.npy": {"url": "https://example.org/download", "sha256": None},
    }
    assert cards.card_files(cards.load_card("models", "resnet18", root)) == {
        "resnet18.pth": {"url": "https://example.org/resnet18-f37072fd.pth", "sha256": "f37072fd"}
    }
    assert cards.card_files(cards.load_card("models", "pixels", root)) == {}


def test_configuration_gets_its_defaults_and_keeps_what_is_set(root):
    given = copy.deepcopy(CONFIG)
    config = cards.load_config_checked(given, root)
    assert given == CONFIG
    assert config["inference"] == {
        "bootstrap": 200,
        "ceiling_splits": 50,
        "confidence": 0.95,
        "fitted": False,
        "group": "mean-score",
        "halves": 10,
        "permutations": 5000,
        "seed": 3,
        "standard_error": "one-pass",
        "threads": 4,
        "unequal_noise": "matched",
        "voxel_groups": 10,
    }
    assert config["measures"] == {
        "comparison": "spearman",
        "confounds": [],
        "dissimilarity": "correlation",
        "others": [],
        "units": "raw",
    }
    assert config["training"] == {"gpu": 1, "mem_mb": 4000, "runtime": 60, "threads": 1}
    assert config["mirror"] is None
    without = cards.load_config_checked({key: CONFIG[key] for key in ("datasets", "models")}, root)
    assert (without["claims"], without["roles"]) == ([], {"networks": {}, "rois": {}})


def test_networks_and_rois_that_the_study_does_not_have_are_told(root):
    roles = {"networks": {"generative": "small", "control": None}, "rois": {"late": "IT"}}
    config = cards.load_config_checked(CONFIG | {"roles": roles}, root)
    files, told = cards.claims_of(config, root)
    assert list(files) == ["mine"]
    assert told == [
        "config.yaml: roles.networks.generative: small is not in models: claims about it are untestable",
        "config.yaml: roles.rois.late: IT is not in the ROIs of the data sets (LO, V1): "
        "claims about it are untestable",
    ]


def test_the_former_form_of_the_claims_is_told_how_to_move(root):
    former = {"rois": {"early": "V1", "late": None}, "models": {"generative": "vae"}, "equivalence": 0.1}
    assert message_of(cards.load_config_checked, CONFIG | {"claims": former}, root) == (
        "config.yaml: claims: found a mapping with rois, models, equivalence, expected a list of files of "
        "resources/claims, and who plays which part beside it; write: claims: [original_study], and roles: "
        "{networks: {generative: vae}, rois: {early: V1, late: null}}; equivalence: 0.1 stands in the file "
        "of claims, at `equivalent`"
    )


def test_projected_features_have_no_z_scores(root):
    given = CONFIG | {"measures": {"units": "z"}, "projection": 128}
    assert "measures.units: found z, with a projection to 128" in message_of(
        cards.load_config_checked, given, root
    )
    given["measures"] = {"units": "centred"}
    assert cards.load_config_checked(given, root)["measures"]["units"] == "centred"
    # and no units that could be matched with voxels
    given["measures"] = {"others": ["cka", "soft_matching"]}
    assert "measures.others: found soft_matching, with a projection to 128" in message_of(
        cards.load_config_checked, given, root
    )


@pytest.mark.parametrize("kind", ["models", "datasets", "corpora"])
def test_every_card_of_the_project_is_valid(kind):
    names = cards.card_names(kind, ROOT)
    assert names
    for name in names:
        assert cards.load_card(kind, name, ROOT)["description"]


def test_known_checksums_of_the_real_study_cover_all_its_files():
    files = cards.card_files(cards.load_card("datasets", "algonauts92", ROOT))
    images = [name for name in files if name.startswith("stimuli/")]
    assert images == [f"stimuli/image_{number:02}.jpg" for number in range(1, 93)]
    assert all(len(entry["sha256"]) == 64 for entry in files.values())
    assert len({entry["sha256"] for entry in files.values()}) == 94


# ---- what is wrong -----------------------------------------------------------------------------------------

BAD_CARDS = [
    ("models/resnet18", "family:", "? [a, b]\n: 1\nfamily:", "line 3: found a list in the place of a key"),
    ("models/resnet18", "family:", "? {a: b}\n: 1\nfamily:", "line 3: found a mapping in the place of a key"),
    ("datasets/objects", "licence: CC0", "licence: &a [*a]", "line 3: found unconstructable recursive node"),
    # card, old text, new text, message
    (
        "models/resnet18",
        "layers:",
        "layer:",
        "layer: found an unknown key, expected one of lineage, seeds, controls, variant_of, "
        "citation, licence, trained_on, layers, batch_size, resources; did you mean layers?",
    ),
    (
        "models/resnet18",
        "task-optimised",
        "task-optimized",
        "family: found 'task-optimized', expected one of task-optimised, self-supervised, generative, "
        "untrained, baseline, brain-guided, guidance-control; did you mean task-optimised?",
    ),
    (
        "models/resnet18",
        "source: torchvision",
        "source: torchvison",
        "network.source: found 'torchvison', expected one of torchvision, timm,",
    ),
    (
        "models/resnet18",
        "size: 224",
        "size: -1",
        "preprocessing.size: found -1, expected a whole number >= 1",
    ),
    (
        "models/resnet18",
        "size: 224",
        "size: large",
        "preprocessing.size: found 'large', expected a whole number >= 1",
    ),
    (
        "models/resnet18",
        "size: 224",
        "size: yes",
        "preprocessing.size: found True, expected a whole number",
    ),
    (
        "models/resnet18",
        "0.229, 0.224, 0.225",
        "0.229, 0.224",
        "preprocessing.std: found [0.229, 0.224], expected a list of 3 items",
    ),
    (
        "models/resnet18",
        "0.229, 0.224, 0.225",
        "0.229, 0.224, 0",
        "preprocessing.std[2]: found 0, expected a number > 0",
    ),
    (
        "models/resnet18",
        "0.229, 0.224, 0.225",
        "0.229, .nan, 0.2",
        "preprocessing.std[1]: found nan, expected a finite number",
    ),
    (
        "models/resnet18",
        "  std: [0.229, 0.224, 0.225]\n",
        "",
        "preprocessing.std: found nothing, expected this key, a list of 3 items",
    ),
    (
        "models/resnet18",
        "  sha256: f37072fd",
        "  sha256: f3707",
        "weights.sha256: found 'f3707', expected a sha256 of 64 hexadecimal digits, or its first 8 or more",
    ),
    (
        "models/resnet18",
        "  sha256: f37072fd",
        "  sha256: 37072312",
        "weights.sha256: found 37072312, expected a sha256 of 64 hexadecimal digits, or its first 8 or more; "
        "put it in quotes",
    ),
    (
        "models/resnet18",
        "https://",
        "ftp://",
        "weights.url: found 'ftp://example.org/resnet18-f37072fd.pth', expected an http, https or file url",
    ),
    (
        "models/resnet18",
        "file: resnet18.pth",
        "file: ../resnet18.pth",
        "weights.file: found '../resnet18.pth', expected a file name of letters",
    ),
    (
        "models/resnet18",
        "  licence: BSD-3-Clause",
        "  random: {seed: 1}",
        "weights: found a mapping with file, url, sha256, random, expected exactly one of url, package, "
        "training, random",
    ),
    (
        "models/resnet18",
        "  url:",
        "  urll:",
        "weights: found a mapping with file, urll, sha256, licence, expected exactly one of url, package, "
        "training, random; did you mean url?",
    ),
    (
        "models/resnet18",
        "  licence:",
        "  licences:",
        "weights.licences: found an unknown key, expected one of licence, entry, strip_prefix, ignore, "
        "rename, placeholders; "
        "did you mean licence?",
    ),
    (
        "models/resnet18",
        "[conv1, layer1, layer2]",
        "[conv1, layer1, conv1]",
        "layers: found 'conv1' twice, expected each item once",
    ),
    ("models/resnet18", "[conv1, layer1, layer2]", "[]", "layers: found an empty list, expected a list of"),
    ("models/resnet18", "[conv1, layer1, layer2]", "conv1", "layers: found 'conv1', expected a list"),
    (
        "models/resnet18",
        "description: ImageNet ResNet-18\n",
        "",
        "description: found nothing, expected this key, text",
    ),
    (
        "models/resnet18",
        "family:",
        "description: again\nfamily:",
        "line 3: found the key 'description' twice, expected valid YAML with unique keys",
    ),
    (
        "models/resnet18",
        "  size: 224",
        "  size: 224\n  size: 225",
        "line 12: found the key 'size' twice, expected valid YAML with unique keys",
    ),
    ("models/resnet18", "layers: [conv1,", "layers: [conv1,,", "line 14: found a syntax error ("),
    ("models/resnet18", "layers: [", "\tlayers: [", "line 14: found a syntax error ("),
    (
        "models/small",
        "width: 16",
        "widht: 16",
        "network.options.widht: found an unknown key, expected one of width, classes, zero_init_residual; "
        "did you mean width?",
    ),
    ("models/small", "resnet18,", "resnet19,", "network.name: found 'resnet19', expected one of resnet18,"),
    (
        "models/small",
        "corpus: shapes",
        "corpus: shape",
        "weights.training.corpus: found 'shape', expected one of shapes; did you mean shapes?",
    ),
    (
        "models/small",
        "1e-1",
        "0",
        "weights.training.learning_rate: found 0, expected a number > 0",
    ),
    (
        "models/small",
        "batch_size: 32, ",
        "",
        "weights.training.batch_size: found nothing, expected this key, a whole number >= 2",
    ),
    (
        "models/small",
        "seed: 1}",
        "seed: 1, temperature: 0.1}",
        "weights.training.temperature: found an unknown key, expected one of norm_batch, warmup,",
    ),
    (
        "models/small",
        "supervised",
        "simclr",
        "weights.training.temperature: found nothing, expected this key, a number > 0",
    ),
    (
        "models/small",
        "seed: 1}",
        "seed: 1, augmentation: {rotaton: 5}}",
        "weights.training.augmentation.rotaton: found an unknown key, expected one of crop, jitter, "
        "grayscale, rotation, scale, shift, flip, contrast, brightness, polarity, blur, noise, aperture; did "
        "you mean rotation?",
    ),
    (
        "models/pixels",
        "layers:",
        "weights: {random: {seed: 1}}\nlayers:",
        "weights: found a mapping with random, expected no such key here",
    ),
    ("models/pixels", "name: pixels", "name: pixel", "did you mean pixels?"),
    *(
        (
            "models/resnet18",
            "name: resnet18}",
            f"name: resnet18, options: {{{key}: {value}}}}}",
            f"network.options.{key}: found {shown}, expected null or false: the card's own key `weights`",
        )
        for key, value, shown in [
            ("weights", "IMAGENET1K_V1", "'IMAGENET1K_V1'"),
            ("weights_backbone", "DEFAULT", "'DEFAULT'"),
            ("pretrained", "true", "True"),
            ("pretrained_backbone", "true", "True"),
            ("pretrained_cfg_overlay", "{}", "a mapping with no keys"),
            ("checkpoint_path", "x.pth", "'x.pth'"),
        ]
    ),
    (
        "models/resnet18",
        "torchvision, name: resnet18}",
        "hub, name: x, options: {repo: a/b:c, pretrained: true}}",
        "network.options.pretrained: found True, expected null or false",
    ),
    (
        "models/resnet18",
        "  licence:",
        "  ignore: [fc, 'fc(']\n  licence:",
        "weights.ignore[1]: found 'fc(' (missing ), unterminated subpattern at position 2), expected a",
    ),
    (
        "models/resnet18",
        "  licence:",
        "  rename: {'*a': b}\n  licence:",
        "weights.rename: found '*a': 'b' (nothing to repeat at position 0), expected a regular",
    ),
    (
        "models/resnet18",
        "  licence:",
        "  rename: {'(a)': '\\9'}\n  licence:",
        r"weights.rename: found '(a)': '\\9' (invalid group reference 9 at position 1), expected",
    ),
    (
        "models/resnet18",
        "  licence:",
        "  rename: {'(a)': '\\g<b>'}\n  licence:",
        r"weights.rename: found '(a)': '\\g<b>' (unknown group name 'b'), expected",
    ),
    (
        "datasets/world",
        "loader: simulated",
        "loader: simulated\npath: x",
        "yaml: path: found 'x', expected no such key here",
    ),
    (
        "datasets/bold",
        "rois:",
        "files: [{file: a.nii, url: https://example.org/a.nii}]\nrois:",
        "yaml: files: found [{'file': 'a.nii', 'url': 'https://example.org/a.nii'}], expected no such key",
    ),
    (
        "datasets/world",
        "voxels: 300",
        "voxels: 3",
        "rois.V1.voxels: found 3, expected a whole number >= 10",
    ),
    (
        "datasets/world",
        "loader: simulated",
        "loader: simulated\nshards: 0",
        "shards: found 0, expected a whole number >= 1",
    ),
    ("datasets/world", "V1:", "V 1:", "rois: found 'V 1', expected a ROI label of letters"),
    ("datasets/world", "V1:", "1:", "rois: found the key 1, expected text as key; put it in quotes"),
    (
        "datasets/world",
        "rois: {V1: {voxels: 300, area: v1}, LO: {voxels: 200, area: lo}}",
        "rois: {}",
        "rois: found no keys, expected at least one",
    ),
    (
        "datasets/objects",
        "key: Net_RDM",
        "keys: Net_RDM",
        "rois.IT.keys: found an unknown key, expected one of key, select, subjects; did you mean key?",
    ),
    ("datasets/objects", "it.npz: null", "/etc/it.npz: null", "expected a relative path of letters"),
    (
        "datasets/objects",
        "options: {dissimilarity: correlation}",
        "",
        "options: found nothing",
    ),
    (
        "datasets/objects",
        "aaaaaaaa",
        "gggggggg",
        "files[1].sha256.a-b.jpg: found 'gggggggg', expected a sha256",
    ),
    (
        "datasets/objects",
        "aaaaaaaa",
        "12345678",
        "files[1].sha256.a-b.jpg: found 12345678, expected a sha256",
    ),
    (
        "datasets/world",
        "LO: {voxels: 200, area: lo}}",
        "LO: {voxels: 200, area: lo}}\noptions: {size: 50}",
        "options.size: found 50, expected a whole number >= 16 and a multiple of 16",
    ),
    ("corpora/shapes", "procedural", "folder", "kind: found 'folder', expected one of procedural"),
    ("corpora/shapes", "images: 100", "images: 0", "options.images: found 0, expected a whole number >= 1"),
]


@pytest.mark.parametrize(("name", "old", "new", "expected"), BAD_CARDS)
def test_fault_in_a_card_is_one_line(root, name, old, new, expected):
    path = root / "resources" / f"{name}.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    message = message_of(cards.load_card, *name.split("/"), root)
    assert message.startswith(f"resources/{name}.yaml: ")
    assert expected in message


def test_empty_card(root):
    (root / "resources/models/small.yaml").write_text("")
    expected = "small.yaml: content: found nothing (null), expected a mapping of keys to values"
    assert expected in message_of(cards.load_card, "models", "small", root)


def test_card_that_is_not_text(root):
    (root / "resources/models/small.yaml").write_bytes(b"\xff\xfe\x00description: x")
    assert "small.yaml: YAML: found" in message_of(cards.load_card, "models", "small", root)


@pytest.mark.parametrize("name", ["resnet81", "../models/resnet18"])
def test_card_that_does_not_exist(root, name):
    message = message_of(cards.load_card, "models", name, root)
    assert message == (
        f"resources/models/{name}.yaml: card: found no such file, expected one of pixels, resnet18, small; "
        "did you mean resnet18?"
    )


BAD_CONFIGS = [
    ({"models": ["resnet81"]}, "models[0]: found 'resnet81', expected a card of resources/models: one of"),
    ({"models": ["resnet81"]}, "did you mean resnet18?"),
    ({"datasets": ["word"]}, "datasets[0]: found 'word', expected a card of resources/datasets: one of"),
    ({"models": ["pixels", "pixels"]}, "models: found 'pixels' twice, expected each item once"),
    ({"models": "pixels"}, "models: found 'pixels', expected a list"),
    ({"models": []}, "models: found an empty list, expected a list of at least 1 items"),
    ({"models": ["a b"]}, "models[0]: found 'a b', expected a name of letters, digits, _ and -"),
    ({"model": ["pixels"]}, "model: found an unknown key"),
    ({"inference": {"bootstrap": 0}}, "inference.bootstrap: found 0, expected a whole number >= 2"),
    ({"inference": {"permutations": 1.5}}, "inference.permutations: found 1.5, expected a whole number >= 1"),
    ({"inference": {"confidence": 95}}, "inference.confidence: found 95, expected a number > 0 and < 1"),
    ({"inference": {"confidence": "0.95"}}, "inference.confidence: found '0.95', expected a number"),
    ({"inference": {"bootstraps": 9}}, "inference.bootstraps: found an unknown key"),
    ({"measures": {"comparison": "spearmann"}}, "did you mean spearman?"),
    ({"claims": ["mien"]}, "claims[0]: found 'mien', expected a file of resources/claims: one of mine; did"),
    (
        {"roles": {"networks": {"generative": "resnet81"}}},
        "roles.networks.generative: found the network 'resnet81', expected one of pixels, resnet18, small; "
        "did you mean resnet18?",
    ),
    (
        {"roles": {"networks": {"guided": "resnet18"}}},
        "roles.networks.guided: found the role 'guided', expected another name",
    ),
    ({"roles": {"rois": {"controls": "V1"}}}, "roles.rois.controls: found the role 'controls', expected"),
    ({"roles": {"networks": {"generative": 3}}}, "roles.networks.generative: found 3, expected text or"),
    (
        {"roles": {"rois": {"early": "V2"}}},
        "roles.rois.early: found the ROI 'V2', expected one of IT, LO, V1; did you mean V1?",
    ),
    (
        {"roles": {"networks": {"generative": {"family": "generativ"}}}},
        "roles.networks.generative: found the family 'generativ', expected one of task-optimised,",
    ),
    (
        {"roles": {"networks": {"generative": [{"role": "a"}], "a": {"role": "generative"}}}},
        "roles.networks.generative: found a circle, generative > a > generative, expected a role that does "
        "not contain itself",
    ),
    ({"extraction": {"threads": 0}}, "extraction.threads: found 0, expected a whole number >= 1"),
    ({"mirror": 3}, "mirror: found 3, expected text or null; put it in quotes"),
    ({"keep_activations": "yes"}, "keep_activations: found 'yes', expected true or false"),
]


@pytest.mark.parametrize(("change", "expected"), BAD_CONFIGS)
def test_fault_in_the_configuration_is_one_line(root, change, expected):
    message = message_of(cards.load_config_checked, CONFIG | change, root)
    assert message.startswith("config.yaml: ")
    assert expected in message


@pytest.mark.parametrize("key", ["datasets", "models"])
def test_configuration_without_what_it_needs(root, key):
    config = {name: value for name, value in CONFIG.items() if name != key}
    assert f"config.yaml: {key}: found nothing" in message_of(cards.load_config_checked, config, root)


@pytest.mark.parametrize("options", ["{pretrained: false}", "{weights: null}"])
def test_a_card_may_say_that_a_library_is_not_to_load_weights(root, options):
    path = root / "resources/models/resnet18.yaml"
    path.write_text(RESNET.replace("name: resnet18}", f"name: resnet18, options: {options}}}"))
    assert cards.load_card("models", "resnet18", root)["network"]["options"]


def folders_of_results():
    """Names of files and folders of results/, as its README lists them."""
    text = (ROOT / "results/README.md").read_text()
    return sorted(set(re.findall(r"^\| `([a-z_]+)/", text, re.MULTILINE)) | {"benchmarks"})


@pytest.mark.parametrize("name", folders_of_results())
def test_no_data_set_has_the_name_of_a_folder_of_results(root, name):
    (root / f"resources/datasets/{name}.yaml").write_text(WORLD)
    message = message_of(cards.load_config_checked, CONFIG | {"datasets": [name]}, root)
    assert f"datasets[0]: found {name!r}, expected a name that no file or folder of results/ has" in message


def test_names_that_would_overwrite_other_results_are_refused(root):
    folder = root / "resources"
    (folder / "models/brain.yaml").write_text(PIXELS)
    (folder / "models/world.yaml").write_text(PIXELS)
    (folder / "datasets/networks.yaml").write_text(WORLD)
    message = message_of(cards.load_config_checked, CONFIG | {"models": ["brain"]}, root)
    assert "models[0]: found 'brain', expected a name that no file or folder of results/ has" in message
    message = message_of(cards.load_config_checked, CONFIG | {"datasets": ["networks"]}, root)
    assert "datasets[0]: found 'networks'" in message
    message = message_of(cards.load_config_checked, CONFIG | {"models": ["world"]}, root)
    assert "models[0]: found 'world', also a data set, expected names that differ" in message


def test_the_named_file_is_the_one_that_was_read(root):
    message = message_of(cards.load_config_checked, CONFIG | {"models": [1]}, root, "studies/mine.yaml")
    assert message.startswith("studies/mine.yaml: models[0]: found 1, expected a name")


# ---- sizes of images, and variants -------------------------------------------------------------------------

VARIANT = """\
variant_of: resnet18
label: A network, large
preprocessing: {size: 320}
"""


def write(root, name, text):
    (root / f"resources/{name}.yaml").write_text(text)


def test_a_variant_is_its_network_at_another_size(root):
    write(root, "models/large", VARIANT)
    base, large = (cards.load_card("models", name, root) for name in ("resnet18", "large"))
    assert large["preprocessing"] == base["preprocessing"] | {"size": 320}
    differing = {key for key in large if large[key] != base.get(key)}
    assert differing == {"variant_of", "label", "preprocessing"}
    assert holder_of_weights("large", large) == "resnet18"
    assert holder_of_weights("large@3", large) == "resnet18@3"
    assert holder_of_weights("resnet18@3", base) == "resnet18@3"


def test_the_size_follows_from_the_visual_angle(root):
    write(root, "models/dense", VARIANT.replace("size: 320", "pixels_per_degree: 11.2"))
    dense, plain = (cards.load_card("models", name, root) for name in ("dense", "resnet18"))
    world = cards.load_card("datasets", "world", root)
    message = message_of(cards.seen_by, "dense@2", dense, "world", world)
    assert message == (
        "resources/datasets/world.yaml: degrees: found nothing, expected the visual angle of an image, since "
        "dense has pixels_per_degree"
    )
    for degrees, size in ((20, 224), (8.4, 94)):
        seen = cards.seen_by("dense", dense, "world", world | {"degrees": degrees})
        # nothing else changes, so that another way to the same size reruns nothing
        assert seen == plain["preprocessing"] | {"size": size}
    assert cards.seen_by("a", plain, "world", world | {"background": 90})["background"] == 90
    assert cards.seen_by("a", plain, "world", world) == plain["preprocessing"]


def test_the_control_of_a_variant_has_its_size(root):
    large, small = {"size": 320}, {"size": 224}
    network = {"network": {"name": "resnet18"}}
    models = {
        "net": network | {"family": "task-optimised", "preprocessing": large},
        "other": network | {"family": "untrained", "preprocessing": small},
        "random": network | {"family": "untrained", "preprocessing": large},
    }
    assert cards.untrained_control("net", models) == "random"
    # pixels a degree are that size too, for images of 20 degrees
    models["net"] |= {"preprocessing": {"pixels_per_degree": 16}}
    found = cards.untrained_controls(models, "world", {"degrees": 20})
    assert found == {"net": "random", "other": None, "random": None}
    models["net"] |= {"preprocessing": large}
    models.pop("random")
    assert cards.untrained_control("net", models) == "other"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "of: resnet18",
            "of: resnet81",
            "variant_of: found 'resnet81', expected one of bad, pixels, resnet18,",
        ),
        (
            "of: resnet18",
            "of: bad",
            "variant_of: found 'bad', expected a card that is no variant itself: resnet18",
        ),
        ("label:", "family: generative\nlabel:", "family: found an unknown key, expected what a variant may"),
        ("label:", "layer: [conv1]\nlabel:", "did you mean layers?"),
        (
            "label: A network, large\n",
            "",
            "label: found nothing, expected what tells the variant apart",
        ),
        ("{size: 320}", "{}", "preprocessing: found nothing, expected what tells the variant apart"),
        ("{size: 320}", "{size: 320, pixels_per_degree: 2}", "preprocessing: found a mapping with"),
        ("{size: 320}", "{pixels_per_degre: 2}", "preprocessing"),
        (
            "{size: 320}",
            "{pixels_per_degree: 0}",
            "preprocessing.pixels_per_degree: found 0, expected a number >= 0.5",
        ),
        (
            "{size: 320}",
            "{pixels_per_degree: 1.0e+30}",
            "preprocessing.pixels_per_degree: found 1e+30, expected a number >= 0.5 and <= 1000",
        ),
        ("{size: 320}", "320", "preprocessing: found 320, expected a mapping of keys to values"),
    ],
)
def test_a_fault_in_a_variant_is_one_line(root, old, new, expected):
    if "of: bad" in new:
        write(root, "models/bad", VARIANT)
        write(root, "models/large", VARIANT.replace(old, new))
        assert expected in message_of(cards.load_card, "models", "large", root)
        return
    write(root, "models/bad", VARIANT.replace(old, new))
    message = message_of(cards.load_card, "models", "bad", root)
    assert message.startswith("resources/models/bad.yaml: ")
    assert expected in message


def test_what_is_trained_here_has_a_size_of_its_own(root):
    write(root, "models/small", SMALL.replace("size: 64", "pixels_per_degree: 4"))
    assert "preprocessing.pixels_per_degree: found in a" in message_of(
        cards.load_card, "models", "small", root
    )
