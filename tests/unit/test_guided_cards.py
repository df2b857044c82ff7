"""Cards of networks that are trained with the brain: their controls, and what is refused."""

import json

import pytest
import yaml

from cortexrsa import cards, studies
from cortexrsa.guided_cards import FAMILY_OF_CONTROLS, guidance_of, needed
from cortexrsa.seeds import card_of, control_of, file_of, networks_of, seed_of
from support import HERE, ROOT, message_of

BRAIN = {"dataset": "tiny", "layers": {"LO": "layer4.1"}, "loss": "rdm_pearson", "weight": 2.0}
CONTROLS = [
    *("unguided", "shuffled", "spectrum", "low_level", "labels"),
    {"other_roi": "V1"},
    {"network": {"card": "tiny_vae", "layer": "mu"}},
]


@pytest.fixture
def root(tmp_path):
    """A folder with the cards of the tests."""
    for kind in ("models", "datasets", "corpora"):
        folder = tmp_path / "resources" / kind
        folder.mkdir(parents=True)
        for path in (HERE / "cards" / kind).glob("*.yaml"):
            (folder / path.name).write_text(path.read_text())
    return tmp_path


def write(root, brain=None, controls=CONTROLS, **training):
    card = yaml.safe_load((root / "resources/models/tiny_resnet18.yaml").read_text())
    card |= {"label": "Guided", "family": "brain-guided", "seeds": 2, "controls": controls}
    card["weights"]["training"] |= {"brain": BRAIN | (brain or {})} | training
    card["weights"]["training"] = {k: v for k, v in card["weights"]["training"].items() if v is not None}
    (root / "resources/models/guided.yaml").write_text(yaml.safe_dump(card))


def test_one_card_stands_for_the_network_and_its_controls(root):
    write(root)
    names = cards.with_controls(["guided", "tiny_vae"], root)
    kinds = ("unguided", "shuffled", "spectrum", "low_level", "labels", "other_roi", "network")
    assert names == ["guided", *(f"guided~{kind}" for kind in kinds), "tiny_vae"]
    loaded = {name: cards.load_card("models", name, root) for name in names}
    guided = loaded["guided"]
    assert guidance_of(guided)["target"] == "brain"
    assert loaded["guided~other_roi"]["label"] == "Guided (of V1)"
    assert guidance_of(loaded["guided~other_roi"])["options"] == {"roi": "V1"}
    assert guidance_of(loaded["guided~labels"])["options"] == {"column": "category"}
    assert needed(loaded["guided~network"]) == ["tiny_vae"]
    unguided = guidance_of(loaded["guided~unguided"])
    assert (unguided["weight"], unguided["target"]) == (0, "brain")
    for name, card in loaded.items():
        if name.startswith("guided~"):
            assert card["family"] == FAMILY_OF_CONTROLS
            # all else is equal: weights at the start, images, budget
            own, other = (dict(each["weights"]["training"]) for each in (card, guided))
            for training in (own, other):
                training["brain"] = {
                    key: value
                    for key, value in training["brain"].items()
                    if key not in ("target", "options", "weight")
                }
            assert own == other
            for key in ("network", "preprocessing", "layers", "seeds"):
                assert card[key] == guided[key]
            assert not card["controls"]
    # once expanded, a list of names stays as it is
    assert cards.with_controls(names, root) == names
    assert cards.with_controls(["guided~shuffled"], root) == ["guided~shuffled"]


def test_names_of_seeds_and_controls(root):
    write(root)
    card = cards.load_card("models", "guided~shuffled", root)
    found = networks_of("guided~shuffled", card)
    assert list(found) == ["guided~shuffled", "guided~shuffled@2"]
    name = "guided~shuffled@2"
    assert (card_of(name), file_of(name), control_of(name), seed_of(name)) == (
        *("guided~shuffled", "guided", "shuffled"),
        2,
    )
    assert control_of("guided@2") is None
    # paired by seed
    guided = networks_of("guided", cards.load_card("models", "guided", root))
    seeds = [each["weights"]["training"]["seed"] for each in (found[name], guided["guided@2"])]
    assert seeds == [2, 2]


def test_what_a_network_is_trained_with_is_still_asked_for(root):
    write(root)
    config = {"measures": {"dissimilarity": "correlation", "units": "raw", "others": []}}
    config |= {"projection": None, "keep_activations": False}
    models = {"guided~network": cards.load_card("models", "guided~network", root)}
    found = studies.shared_places(config, {}, models)
    assert {"results/tiny/responses", "results/tiny/stimuli.npy", "results/networks/tiny_vae"} <= found
    assert {"results/networks/guided~network", "results/corpora/few"} <= found


@pytest.mark.parametrize(
    ("brain", "controls", "expected"),
    [
        ({"weight": -1}, [], "weights.training.brain.weight: found -1, expected a number >= 0"),
        ({"batch_size": 4}, [], "weights.training.brain.batch_size: found 4, expected a whole number >= 8"),
        ({"loss": "rdm_kendall"}, [], "weights.training.brain.loss: found 'rdm_kendall', expected one of"),
        (
            {"layers": {"IT": "layer4.1"}},
            [],
            "weights.training.brain.layers: found the ROI 'IT', expected one of",
        ),
        (
            {"layers": {"LO": "layer9"}},
            [],
            "weights.training.brain.layers.LO: found 'layer9', expected one of",
        ),
        ({"dataset": "nowhere"}, [], "weights.training.brain.dataset: found 'nowhere', expected one of"),
        (
            {"dataset": "pairs", "loss": "readout"},
            [],
            "weights.training.brain.loss: found readout, and pairs has RDMs alone, expected rdm_pearson",
        ),
        (
            {"dataset": "pairs"},
            [],
            "weights.training.brain.dataset: found pairs, all of whose stimuli are test stimuli",
        ),
        ({"held_out": {"share": 1}}, [], "weights.training.brain.held_out.share: found 1, expected a number"),
        (
            {"choose": {"layers": {"LO": ["layer9"]}}},
            [],
            "weights.training.brain.choose.layers.LO: found 'layer9', expected one of",
        ),
        (
            {"choose": {"weights": [0]}},
            [],
            "weights.training.brain.choose.weights[0]: found 0, expected a number",
        ),
        (
            {"subjects": ["01", "07"], "dataset": "listed"},
            [],
            "weights.training.brain.subjects[1]: found '07', expected one of 01, 02, 03",
        ),
        ({"split": "test"}, [], "weights.training.brain.split: found 'test', expected a split that nothing"),
        (
            {"dissimilarity": "crossnobis", "loss": "cka"},
            [],
            "weights.training.brain.dissimilarity: found crossnobis, and cka has no RDM",
        ),
        (
            {"weight": 0},
            ["shuffled"],
            "weights.training.brain.weight: found 0, beside controls, expected more",
        ),
        (
            {},
            [{"network": {"card": "guided", "layer": "relu"}}],
            "controls[0]: found 'guided', expected a network that is not trained with the brain itself",
        ),
        (
            {},
            [{"network": {"card": "tiny_vae", "layer": "nu"}}],
            "controls[0]: found the layer 'nu' of tiny_vae, expected one of",
        ),
        ({}, ["shufled"], "controls[0]: found 'shufled', expected one of"),
        ({}, ["shuffled", {"shuffled": {}}], "controls[1]: found shuffled twice, expected each control once"),
        ({}, ["other_roi"], "controls[0]: found other_roi with nothing, expected {other_roi: {roi: ...}}"),
        ({}, [{"other_roi": "LO"}], "controls[0]: found 'LO', expected one of V1"),
        (
            {"layers": {"LO": "layer4.1", "V1": "layer1.1"}},
            [{"other_roi": "V1"}],
            "controls[0]: found other_roi, and the network is trained with all ROIs of tiny, expected other "
            "controls",
        ),
        ({}, [{"network": {"card": "vea", "layer": "mu"}}], "controls[0]: found 'vea', expected one of"),
        ({}, [7], "controls[0]: found 7, expected unguided, shuffled"),
        *[
            ({}, [control], f"controls[0]: found {found}, expected {shape}")
            for control, found, shape in (
                (
                    {"network": "tiny_vae"},
                    "network with 'tiny_vae'",
                    "{network: {card: ..., layer: ...}}, each",
                ),
                ({"network": 3}, "network with 3", "{network: {card: ..., layer: ...}}, each a text"),
                (
                    {"network": {"card": "tiny_vae", "layer": None}},
                    "network with {'card': 'tiny_vae', 'layer': None}",
                    "{network: {card: ..., layer: ...}}, each a text",
                ),
                ({"shuffled": "x"}, "shuffled with 'x'", "shuffled"),
                ({"unguided": True}, "unguided with True", "unguided"),
                ({"unguided": False}, "unguided with False", "unguided"),
                ({"labels": 3}, "labels with 3", "{labels: {column: ...}}, each a text"),
                ({"labels": {"column": 3}}, "labels with {'column': 3}", "{labels: {column: ...}}"),
                ({"labels": ""}, "labels with {'column': ''}", "{labels: {column: ...}}, each a text"),
                ({"other_roi": ["V1"]}, "other_roi with ['V1']", "{other_roi: {roi: ...}}, each a text"),
            )
        ],
        *[
            ({"glm": glm}, [], f"weights.training.brain.glm{expected}")
            for glm, expected in (
                ({"betaz": 1}, ".betaz: found an unknown key, expected one of betas, hrf"),
                ({"betas": "../../x"}, ".betas: found '../../x', expected one of trial-lss"),
                (
                    {"zscore": "sesion"},
                    ".zscore: found 'sesion', expected one of run, session, none; did you",
                ),
                (None, ": found nothing (null), expected a mapping of keys to values"),
            )
        ],
    ],
)
def test_what_cannot_be_is_one_line(root, brain, controls, expected):
    rdms = yaml.safe_load((ROOT / "resources/datasets/algonauts92.yaml").read_text())
    rdms["rois"] = {"LO": next(iter(rdms["rois"].values()))}
    (root / "resources/datasets/pairs.yaml").write_text(yaml.safe_dump(rdms))
    things = yaml.safe_load((ROOT / "resources/datasets/things_fmri.yaml").read_text())
    (root / "resources/datasets/listed.yaml").write_text(yaml.safe_dump(things))
    write(root, brain, controls)
    message = message_of(cards.load_card, "models", "guided", root)
    assert message.startswith(f"resources/models/guided.yaml: {expected}")


def test_controls_and_a_start_need_a_brain(root):
    write(root, training=None)
    path = root / "resources/models/guided.yaml"
    card = yaml.safe_load(path.read_text())
    del card["weights"]["training"]["brain"]
    path.write_text(yaml.safe_dump(card))
    assert "controls: found no weights.training.brain" in message_of(
        cards.load_card, "models", "guided", root
    )
    card["controls"] = []
    card["weights"]["training"]["start"] = "tiny_vae"
    path.write_text(yaml.safe_dump(card))
    assert "weights.training.start: found no weights.training.brain" in message_of(
        cards.load_card, "models", "guided", root
    )
    write(root, start="guided")
    assert "weights.training.start: found 'guided', expected a network that is not" in message_of(
        cards.load_card, "models", "guided", root
    )
    write(root, start="nobody")
    assert "weights.training.start: found 'nobody'" in message_of(cards.load_card, "models", "guided", root)
    write(root)
    assert "controls: found no 'shufled', expected one of" in message_of(
        cards.load_card, "models", "guided~shufled", root
    )


def test_stimuli_and_the_images_of_the_start_count_as_seen(root):
    """Other data sets whose stimuli are of the same source are warned of."""
    for kind, name, more in (("datasets", "tiny", {"images_from": ["coco"]}),
                             ("models", "tiny_vae", {"trained_on": ["imagenet"]})):  # fmt: skip
        path = root / f"resources/{kind}/{name}.yaml"
        path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | more))
    write(root, start="tiny_vae")
    for name in ("guided", "guided~unguided"):
        card = cards.load_card("models", name, root)
        corpus = card["weights"]["training"]["corpus"]
        assert set(cards.trained_on(card)) == {"imagenet", "tiny", "coco", corpus}
    assert "tiny" not in cards.trained_on(cards.load_card("models", "tiny_vae", root))


SPELLINGS = {
    "space": lambda text: text.replace("controls:", "controls :"),
    "quotes": lambda text: text.replace("controls:", '"controls":'),
    "JSON": lambda text: json.dumps(yaml.safe_load(text)),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_controls_are_found_however_the_key_is_written(root, spelling):
    write(root, controls=["shuffled"])
    path = root / "resources/models/guided.yaml"
    text = SPELLINGS[spelling](path.read_text())
    assert "controls:" not in text
    path.write_text(text)
    assert cards.with_controls(["guided"], root) == ["guided", "guided~shuffled"]


def variant(root, name, base):
    card = {"variant_of": base, "label": "Larger", "preprocessing": {"size": 48}}
    (root / f"resources/models/{name}.yaml").write_text(yaml.safe_dump(card))


def test_a_variant_has_the_controls_of_its_base(root):
    write(root, controls=["shuffled"])
    variant(root, "larger", "guided")
    assert cards.with_controls(["larger"], root) == ["larger", "larger~shuffled"]


@pytest.mark.parametrize("fault", ["UTF-16", "folder", "link"])
def test_a_card_that_cannot_be_read_is_one_line(root, fault):
    path = root / "resources/models/odd.yaml"
    if fault == "UTF-16":
        path.write_bytes("label: x".encode("utf-16"))
    elif fault == "folder":
        path.mkdir()
    else:
        path.symlink_to(root / "nowhere")
    message = message_of(cards.with_controls, ["odd"], root)
    assert message.startswith("resources/models/odd.yaml: ")


def test_only_the_keys_of_a_glm_that_are_given_are_there(root):
    write(root, {"glm": {"betas": "stimulus", "drift_order": 2.0}})
    glm = guidance_of(cards.load_card("models", "guided", root))["glm"]
    assert glm == {"betas": "stimulus", "drift_order": 2}
    assert isinstance(glm["drift_order"], int)


def test_a_variant_of_a_guided_network_is_one_too(root):
    """Neither a start nor a control, even where cards name each other in a circle."""
    variant(root, "larger", "guided")
    control = {"network": {"card": "larger", "layer": "relu"}}
    for field, more in (
        ("weights.training.start", {"start": "larger"}),
        ("controls[0]", {"controls": [control]}),
    ):
        write(root, **more)
        expected = f"{field}: found 'larger', expected a network that is not trained with the brain itself"
        assert expected in message_of(cards.load_card, "models", "guided", root)
    variant(root, "plain", "tiny_vae")
    write(root, controls=[{"network": {"card": "plain", "layer": "nope"}}])
    expected = "controls[0]: found the layer 'nope' of plain, expected one of encoder.relu"
    assert expected in message_of(cards.load_card, "models", "guided", root)


@pytest.mark.parametrize("text", ["weights: abc", "layers: 3", "layers: [mu", "- 1", "label: x"])
def test_the_other_card_is_checked_first(root, text):
    (root / "resources/models/other.yaml").write_text(text)
    for more in (
        {"start": "other"},
        {"controls": [{"network": {"card": "other", "layer": "mu"}}]},
    ):
        write(root, **more)
        message = message_of(cards.load_card, "models", "guided", root)
        assert message.startswith("resources/models/other.yaml: ")


def test_a_training_begins_with_weights(root):
    baseline = yaml.safe_load((ROOT / "resources/models/pixels.yaml").read_text())
    (root / "resources/models/pixels.yaml").write_text(yaml.safe_dump(baseline))
    write(root, start="pixels")
    message = message_of(cards.load_card, "models", "guided", root)
    assert "weights.training.start: found 'pixels', a baseline, expected a network with weights" in message


@pytest.mark.parametrize(
    ("brain", "training", "expected"),
    [
        ({}, {"norm_batch": 32}, "norm_batch: found 32, expected a divisor of the batch_size, 16"),
        ({"batch_size": 9}, {"norm_batch": 5}, "norm_batch: found 5, expected a divisor of the batch_size"),
        ({"batch_size": 9}, {"norm_batch": 8}, "brain.batch_size: found 9, expected a multiple of 2"),
        ({}, {"images_seen": 1}, "images_seen: found 1 images in batches of 48, expected at least one batch"),
        (
            {"choose": {"layers": {"LO": ["relu", "avgpool"]}, "share": 0.25}},
            {},
            "images_seen: found 24 images in batches of 48 (0.25 of 96, to choose with), expected at least",
        ),
    ],
)
def test_batches_that_cannot_be_made_are_refused_when_the_card_is_read(root, brain, training, expected):
    write(root, brain, **training)
    message = message_of(cards.load_card, "models", "guided", root)
    assert message.startswith(f"resources/models/guided.yaml: weights.training.{expected}")


def test_one_candidate_is_not_tried(root):
    write(root, {"choose": {"weights": [1], "share": 0.25}})
    assert cards.load_card("models", "guided", root)["seeds"] == 2
