"""The record of the file that a study came from, and what of that file cannot be had."""

import pytest

from cortexrsa.studies import check_origin, left_out, origin_of
from support import message_of


def test_a_study_keeps_its_name_to_itself(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recorded = tmp_path / "origin.json"
    check_origin("mine", "mine.yaml", recorded)
    recorded.write_text('{"origin": "studies/other.yaml"}')
    assert origin_of(recorded) == "studies/other.yaml"
    # the other file is gone
    check_origin("mine", "mine.yaml", recorded)
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies/other.yaml").touch()
    check_origin("mine", "studies/other.yaml", recorded)
    assert "study: found 'mine'" in message_of(check_origin, "mine", "mine.yaml", recorded)


@pytest.mark.parametrize("content", ["", "[]", "5", "{}", '{"origin": 3}', '{"origin": ""}', "\xff"])
def test_a_record_that_does_not_tell_is_refused(tmp_path, content):
    recorded = tmp_path / "origin.json"
    recorded.write_text(content, encoding="latin-1")
    message = message_of(check_origin, "mine", "mine.yaml", recorded)
    assert "origin.json: origin: found" in message
    assert "delete this record" in message


def test_measures_that_need_voxels_are_told_of_where_there_are_none():
    config = {"datasets": ["world", "rdms"], "measures": {"others": ["cka", "soft_matching"]}}
    cards = {"world": {"loader": "simulated"}, "rdms": {"loader": "rdms"}}
    told = ["a.yaml: measures.others: soft_matching is left out of rdms, which has RDMs only"]
    assert left_out(config, cards, "a.yaml") == told
    assert left_out(config | {"measures": {"others": ["cka"]}}, cards, "a.yaml") == []
