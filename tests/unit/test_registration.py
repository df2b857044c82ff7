"""What is said of claims that were registered, and of those that were not."""

import copy

import pytest

from cortexrsa.registration import path_of, record_claims, register, registration_of, states, summary
from support import message_of

CONFIG = {"study": "mine", "roles": {"networks": {"generative": "vae"}, "rois": {}}}
CARDS = {"datasets": {"world": {"description": "a world"}}, "models": {"vae": {"label": "VAE"}}}
CLAIM = {"statement": "so", "statistic": {"score": "best"}, "expect": "greater"}
FILES = {
    "own": {
        "family": "none",
        "contradicted_by": "corrected test",
        "claims": [{"id": "H1"} | CLAIM, {"id": "H2"} | CLAIM],
    }
}


def edited(**changes):
    files = copy.deepcopy(FILES)
    files["own"]["claims"][1] |= changes
    return files


def said(root, files=FILES, config=CONFIG, cards=CARDS):
    return states(config, files, cards, root, root / "results")["own"]


def see_scores(root):
    path = root / "results/studies/mine/world/scores.csv"
    path.parent.mkdir(parents=True)
    path.write_text("score\n")


def test_registered_claims_are_unchanged_until_they_are_edited(tmp_path):
    register(CONFIG, FILES, CARDS, tmp_path, tmp_path / "results", "https://osf.io/abcde")
    see_scores(tmp_path)
    found = said(tmp_path)
    assert found["H1"] == found["H2"]
    assert found["H1"].startswith("registered (by the author's own statement) on 20")
    assert found["H1"].endswith(", https://osf.io/abcde, unchanged")
    found = said(tmp_path, edited(expect="less"))
    assert found["H1"].endswith("unchanged")
    assert found["H2"].endswith("changed after registration")
    assert ": H1; registered" in summary({"own": found})
    found = said(tmp_path, edited(id="H3"))
    assert found["H3"].startswith("added after registration on 20")


def test_roles_and_cards_belong_to_what_was_registered(tmp_path):
    register(CONFIG, FILES, CARDS, tmp_path, tmp_path / "results")
    other = CONFIG | {"roles": {"networks": {"generative": "other"}, "rois": {}}}
    assert said(tmp_path, config=other)["H1"].endswith("changed after registration")
    cards = CARDS | {"models": {"vae": {"label": "another VAE"}}}
    assert said(tmp_path, cards=cards)["H1"].endswith("unchanged; changed since: cards of vae")


def test_a_registration_after_the_scores_says_so(tmp_path):
    see_scores(tmp_path)
    register(CONFIG, FILES, CARDS, tmp_path, tmp_path / "results")
    assert said(tmp_path)["H1"].endswith(", after the first scores were seen, unchanged")


def test_claims_edited_after_the_first_scores_are_marked(tmp_path):
    assert set(said(tmp_path).values()) == {"not registered"}
    # as long as there are no scores, a run takes the claims as they are
    record_claims(CONFIG, edited(expect="less"), tmp_path / "results")
    record_claims(CONFIG, FILES, tmp_path / "results")
    see_scores(tmp_path)
    record_claims(CONFIG, edited(expect="less"), tmp_path / "results")
    assert set(said(tmp_path).values()) == {"not registered"}
    assert said(tmp_path, edited(expect="less")) == {
        "H1": "not registered",
        "H2": "not registered; edited after the first scores were seen",
    }
    assert said(tmp_path, edited(id="H3"))["H3"] == "not registered; added after the first scores were seen"
    assert said(tmp_path, edited(statement="so"))["H2"] == "not registered"


def test_a_study_is_registered_once(tmp_path):
    path = register(CONFIG, FILES, CARDS, tmp_path, tmp_path / "results")
    assert path == path_of("mine", tmp_path)
    assert "is registered already, on 20" in message_of(register, CONFIG, FILES, CARDS, tmp_path)
    assert "claims: found none" in message_of(register, CONFIG | {"study": "b"}, {}, CARDS, tmp_path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{}", "S.yaml: date: found None"),
        ("{date: 3, claims: {}}", "S.yaml: date: found 3"),
        ("{date: 2026-01-01, claims: 3}", "S.yaml: claims: found 3"),
        ("{date: 2026-01-01, claims: {own: 3}}", "S.yaml: claims: found {'own': 3}"),
        ("{date: 2026-01-01, claims: {}, datasets: []}", "S.yaml: datasets: found []"),
        ("", "S.yaml: content: found NoneType"),
    ],
)
def test_a_registration_that_was_edited_is_refused(tmp_path, content, told):
    path = path_of("S", tmp_path)
    path.parent.mkdir(parents=True)
    path.write_text(content)
    assert told in message_of(registration_of, path)
    config = CONFIG | {"study": "S"}
    assert told in message_of(states, config, FILES, CARDS, tmp_path)
    assert told in message_of(register, config, FILES, CARDS, tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "5", '{"own": 5}', "\xff"])
def test_a_record_of_claims_that_cannot_be_read_counts_as_none(tmp_path, content):
    see_scores(tmp_path)
    (tmp_path / "results/studies/mine/claims_before_scores.json").write_text(content, encoding="latin-1")
    assert set(said(tmp_path).values()) == {"not registered"}


@pytest.mark.parametrize("states_of", [{}, {"own": {"H1": "not registered"}}])
def test_a_summary_is_text(states_of):
    assert summary(states_of) == " ".join("own: not registered." for _ in states_of)
