"""What the documentation shows is true: examples validate, layers exist, links lead somewhere."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from cortexrsa import cards
from cortexrsa.networks.build import build

ROOT = Path(__file__).resolve().parents[2]
# files that the reader writes in the tutorial
OF_THE_READER = {"resources/datasets/mylab.yaml", "resources/models/mynet.yaml", "resources/claims/mine.yaml"}
OF_THE_READER |= {"studies/mystudy.yaml"}
PAGES = [ROOT / "README.md", ROOT / "results/README.md", *sorted((ROOT / "docs").glob("*.md"))]


def examples(page: str) -> list[dict]:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)
    return [yaml.safe_load(block) for block in blocks]


def example(page: str) -> dict:
    (card,) = examples(page)
    return card


def test_the_model_cards_of_the_docs_are_valid_and_their_layers_exist(tmp_path):
    plain, variant = examples("add-a-model.md")
    card = cards.validate("models", plain, "docs/add-a-model.md")
    assert set(card["layers"]) <= set(dict(build(card["network"]).named_modules()))
    folder = tmp_path / "resources/models"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / f"resources/models/{variant['variant_of']}.yaml", folder)
    (folder / "dense.yaml").write_text(yaml.safe_dump(variant))
    assert cards.load_card("models", "dense", tmp_path)["preprocessing"]["pixels_per_degree"] == 11.2


def test_the_dataset_card_of_the_docs_is_valid():
    local, files = examples("add-a-dataset.md")
    cards.validate("datasets", local, "docs/add-a-dataset.md")
    card = cards.validate("datasets", local | files, "docs/add-a-dataset.md")
    assert set(cards.card_files(card)) == {"stimuli/image_01.jpg", "stimuli/image_02.jpg", "V1.npz"}


def test_the_card_of_raw_bold_in_the_docs_is_valid():
    card, _study = examples("bids.md")
    card = cards.validate("datasets", card, "docs/bids.md")
    assert card["rois"]["V1"]["threshold"] is None
    assert card["rois"]["LO"]["threshold"] == 0.5
    assert card["options"]["unshown"] == "refuse"


def test_the_card_of_betas_in_the_docs_is_valid():
    card = cards.validate("datasets", example("responses.md"), "docs/responses.md")
    assert card["options"]["subjects"] == ["sub-01"]
    assert card["options"]["zscore"] is None


@pytest.mark.parametrize(
    ("loader", "page"), [("bids", "bids.md"), ("rdms", "add-a-dataset.md"), ("responses", "responses.md")]
)
def test_every_option_of_a_loader_is_explained(loader, page):
    text = (ROOT / "docs" / page).read_text()
    schemas = {
        name: cards.read_yaml(ROOT / f"resources/schemas/{name}.schema.yaml")
        for name in ("config", "dataset")
    }
    branches = schemas["dataset"]["allOf"]
    (options,) = (
        branch["then"]["properties"]["options"]["properties"]
        for branch in branches
        if branch["if"]["properties"].get("loader") == {"const": loader}
    )
    for key in [
        *options,
        *(schemas["config"]["properties"]["glm"]["properties"] if loader == "bids" else []),
    ]:
        assert re.search(rf"`{key}`|options: {{{key}:", text), key


def anchors(page: Path) -> set[str]:
    """What GitHub calls the headings of a page."""
    headings = re.findall(r"^#+ (.*)", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_named_files_exist(page):
    text = page.read_text()
    for link, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)]+))?\)", text):
        if not link.startswith("http"):
            target = page.parent / link if link else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), f"{link}#{anchor}"
    folders = "scripts|tests|measurements|resources|rules|docs|studies|envs"
    for path in re.findall(rf"`(?:python )?((?:{folders})/[\w./-]+)", text):
        if "NAME" not in path and path not in OF_THE_READER:
            assert (ROOT / path.split("::")[0]).exists(), path


def test_every_page_is_in_the_contents():
    contents = re.findall(r"```{toctree}\n(.*?)```", "".join(page.read_text() for page in PAGES), re.DOTALL)
    named = {line for block in contents for line in block.split("\n") if line and line[0] != ":"}
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")} - {"index"}
    assert named == pages | {"../results/README", "../CHANGELOG"}


@pytest.mark.parametrize("study", [None, *sorted(path.name for path in (ROOT / "studies").glob("*.yaml"))])
def test_every_study_names_cards_that_are_valid(study):
    config = cards.read_yaml(ROOT / "config.yaml")
    if study:
        overlay = cards.read_yaml(ROOT / "studies" / study)
        roles = {kind: config["roles"][kind] | overlay["roles"].get(kind, {}) for kind in config["roles"]}
        config = config | overlay | {"roles": roles}
    config = cards.load_config_checked(config, ROOT)
    for kind in ("models", "datasets"):
        for name in config[kind]:
            assert cards.load_card(kind, name, ROOT)


@pytest.mark.parametrize("kind", ["models", "datasets", "corpora"])
def test_every_card_is_valid(kind):
    for name in cards.card_names(kind, ROOT):
        assert cards.load_card(kind, name, ROOT)
