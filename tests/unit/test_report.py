"""The page of the report: its sentences, its places for figures, its references."""

import importlib
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from snakemake.cli import parse_args

from cortexrsa.cards import load_card, merged_config
from cortexrsa.figures.style import draw
from cortexrsa.formats.columns.reliability import RELIABILITY
from cortexrsa.formats.columns.scores import SCORES
from cortexrsa.formats.columns.stimuli import STIMULI
from cortexrsa.formats.tables import write_table
from cortexrsa.geometry.registry import COMPARISONS, DISSIMILARITIES
from cortexrsa.inference.claims.words import with_interval
from cortexrsa.report import answer, methods, page
from cortexrsa.report.figures import figure, inline

ROOT = Path(__file__).resolve().parents[2]
MODELS = {
    "a": {"label": "Net A", "family": "task-optimised"},
    "b": {"label": "Net B", "family": "generative"},
}


def claims(**changes):
    whole = {
        "file": "f",
        "claim": "H1",
        "statement": "A wins",
        "models": "",
        "roi": "",
        "statistic": "overall",
    }
    whole |= {"measure": "rsa", "estimate": np.nan, "ci_low": np.nan, "ci_high": np.nan, "p": np.nan}
    whole |= {"p_family": 0.01, "verdict": "supported", "reason": "all parts", "registered": "not registered"}
    whole |= {"verdict_encoding": "inconclusive", "verdict_partial_rsa": ""}
    part = whole | {"models": "a, b", "roi": "V1", "statistic": "difference", "estimate": 0.2}
    part |= {"ci_low": 0.1, "ci_high": 0.3}
    return pd.DataFrame([whole | changes, part])


def profiles(estimate=0.4):
    rows = [
        ("a", "V1", "held-out best layer", estimate, 0.3, 0.5),
        ("b", "V1", "held-out best layer", 0.1, 0, 0.2),
    ]
    rows += [("a", "V1", "depth centroid", 0.25, 0.2, 0.3)]
    return pd.DataFrame(rows, columns=["model", "roi", "statistic", "estimate", "ci_low", "ci_high"])


def ceilings(attainable=0.8):
    return pd.DataFrame([{"subject": "s1", "roi": "V1", "split": "test", "attainable": attainable}])


def test_the_sentences_say_the_numbers():
    (claim,) = answer.claims_of(claims(), MODELS)
    assert claim.verdicts == {"RSA": "supported", "encoding": "inconclusive"}
    assert answer.of_the_claims([claim]) == "Of 1 claim 1 is supported (H1)."
    told = "H1 (A wins) is supported. Its difference: 0.20 [0.10, 0.30] for Net A / Net B in V1."
    assert answer.of_the_first([claim]) == told
    best = answer.best_layers(profiles(), ceilings(), MODELS)
    assert [(each.model, each.share, each.centroid) for each in best] == [
        ("Net A", "50 %", "0.25 [0.20, 0.30]"),
        ("Net B", "12 %", ""),
    ]
    assert "that of Net A in V1 (0.40 [0.30, 0.50], 50 % of what is attainable)" in answer.of_the_best(
        best, ["V1"]
    )


def test_reasons_name_networks_by_their_labels():
    (claim,) = answer.claims_of(claims(reason="a in V1, b@2 and base: not told from 0"), MODELS)
    assert claim.reason == "Net A in V1, b@2 and base: not told from 0"


def test_registration_is_told_by_file():
    told = page.registration(answer.claims_of(claims(registered="registered on 2026-01-01"), MODELS))
    assert told == "f: registered on 2026-01-01."
    assert page.registration([]) == ""


def test_a_claim_of_two_measures_names_them():
    (claim,) = answer.claims_of(claims(measure="rsa, encoding", verdict_encoding=""), MODELS)
    assert claim.verdicts == {"RSA": "supported"}
    assert claim.measures == "RSA and encoding"


def test_a_contradicted_claim_shows_what_contradicts_it():
    table = claims(verdict="contradicted")
    against = table.iloc[1].to_dict() | {"statistic": "slope", "verdict": "contradicted", "ci_high": 0.25}
    (claim,) = answer.claims_of(pd.concat([table, pd.DataFrame([against])]), MODELS)
    told = "H1 (A wins) is contradicted. Its slope: 0.20 [0.10, 0.25] for Net A / Net B in V1."
    assert answer.of_the_first([claim]) == told


def test_only_parts_that_come_to_the_verdict_speak_for_it():
    table = claims(verdict="contradicted")
    parts = [table.iloc[1].to_dict() | {"roi": f"V{k}", "verdict": "supported"} for k in range(1, 6)]
    parts += [parts[0] | {"roi": roi, "verdict": "contradicted", "estimate": -0.2} for roi in "ABCDE"]
    (claim,) = answer.claims_of(pd.concat([table.iloc[:1], pd.DataFrame(parts)]), MODELS)
    told = answer.of_the_first([claim])
    assert " in A; " in told
    assert " in V1" not in told
    assert told.endswith(" in D (1 more in the table).")


def test_a_centroid_that_is_not_known_is_no_number():
    table = profiles()
    table.loc[2, ["estimate", "ci_low", "ci_high"]] = np.nan
    best = answer.best_layers(table, ceilings(), MODELS)
    assert [each.centroid for each in best] == ["no score above 0", ""]
    table.loc[2, "estimate"] = 0.5
    best = answer.best_layers(table, ceilings(), MODELS)
    assert best[0].centroid == "0.50, without an interval"
    assert with_interval(-0.003, -0.024, 0.018) == "0.00 [-0.02, 0.02]"


def test_what_is_not_known_is_not_said():
    best = answer.best_layers(profiles(np.nan), ceilings(np.nan), MODELS)
    assert [(each.model, each.score != "", each.share) for each in best] == [
        ("Net B", True, ""),
        ("Net A", False, ""),
    ]
    assert "attainable" not in answer.of_the_best(best, ["V1"])
    assert answer.of_the_best([], ["V1"]).startswith("No network has a score")
    (claim,) = answer.claims_of(claims(verdict="untestable", reason="no network").iloc[:1], MODELS)
    assert answer.of_the_first([claim]) == "H1 (A wins) is untestable: no network."


def written(path, table, rows):
    """A table with these rows, whose other columns are filled with something."""
    blank = {name: "" if column.kind == "text" else 1 for name, column in table.columns.items()}
    write_table(path, pd.DataFrame([blank | row for row in rows]), {}, table)


def test_people_and_voxels_are_counted_where_they_are(tmp_path):
    """Two people, of whom one lacks LO, and no test stimulus of LO was repeated."""
    people = [("a", "V1"), ("b", "V1"), ("group", "V1"), ("a", "LO")]
    scores = [{"subject": subject, "roi": roi, "split": "test"} for subject, roi in people]
    written(tmp_path / "scores.csv", SCORES, scores)
    found = [(subject, "V1", k, "test") for subject, voxels in (("a", 3), ("b", 6)) for k in range(voxels)]
    found += [("a", roi, k, "train") for roi in ("V1", "LO") for k in range(3)]
    voxels = [dict(zip(("subject", "roi", "voxel", "split"), each, strict=True)) for each in found]
    for k, voxel in enumerate(voxels):
        voxel["reliability"] = np.nan if k == 0 else k / 10
    written(tmp_path / "reliability.csv", RELIABILITY, voxels)
    stimuli = [{"stimulus_id": f"s{k}", "split": "test"} for k in range(8)]
    written(tmp_path / "stimuli.tsv", STIMULI, stimuli)
    told = page.facts(tmp_path, tmp_path / "stimuli.tsv", ["V1", "LO"])
    assert told == {
        "stimuli": {"test": 8},
        "subjects": 2,
        "fewer": {"LO": 1},
        "voxels": {"V1": 4, "LO": 3},
        "reliability": {"V1": 0.45},
    }


def test_what_limits_the_answer_is_a_warning():
    learning = pd.DataFrame(
        {"model": ["a", "b"], "seed": 1, "learned": ["yes", "no"], "reason": "0.1 is below"}
    )
    told = page.shortfalls(MODELS, learning, ceilings(), ["V1"])
    assert told == ["Net B did not learn: 0.1 is below."]
    told = page.shortfalls(MODELS, None, ceilings(np.nan), ["V1", "LO"])
    assert told == ["What a perfect model would attain is not known in V1 and LO."]
    assert page.shortfalls(MODELS, None, ceilings(), ["V1"]) == []


def test_every_figure_of_the_workflow_has_its_section():
    rules = (ROOT / "rules/figures.smk").read_text()
    drawn = set(re.findall(r'figure\("(\w+)"', rules))
    for path in (ROOT / "rules").glob("*.smk"):
        drawn |= set(re.findall(r'figure\("(\w+)"', path.read_text()))
    placed = {name for names in page.SECTIONS.values() for name in names} | {page.HEADLINE, *page.INSTEAD}
    assert placed == drawn


def test_a_drawing_in_a_page_keeps_its_references(tmp_path):
    def plot():
        from matplotlib import pyplot as plt

        shown, axes = plt.subplots()
        axes.plot([0, 1], marker="o")
        return shown

    draw([tmp_path / "tsnr.svg", tmp_path / "tsnr.png"], plot)
    made = figure(tmp_path / "tsnr.svg", ROOT)
    identifiers = re.findall(r'\bid="([^"]+)"', made.drawing)
    assert 0 < len(identifiers) == len(set(identifiers))
    assert all(name.startswith("tsnr-") for name in identifiers)
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', made.drawing)) <= set(identifiers)
    assert "<metadata" not in made.drawing
    assert made.words in inline((tmp_path / "tsnr.svg").read_text(), "x", made.words)


@pytest.mark.parametrize("name", ["simulated", "algonauts92", "kay2008"])
def test_methods_and_references_of_every_kind_of_data(name):
    config = merged_config(ROOT, [])
    card = load_card("datasets", name, ROOT)
    models = {model: load_card("models", model, ROOT) for model in config["models"]}
    voxels = {} if card["loader"] == "rdms" else {"V1": 300}
    facts = {"stimuli": {"test": 92}, "subjects": 1, "voxels": voxels, "reliability": {}}
    text = " ".join(methods.methods(config, card, models, facts, {"numpy": "2.0"}))
    assert "92 test stimuli and 1 subject." in text
    assert ("300 voxels" in text) == bool(voxels)
    sizes = {card["preprocessing"]["size"] for card in models.values()}
    assert all(f"{size} x {size} pixels (" in text for size in sizes)
    assert "a square of grey 128" in text
    pair = methods.methods(config, card, models, facts | {"subjects": 2}, {})
    assert pair[3].endswith("The score of several subjects is the mean of their scores.")
    assert ("300 voxels on average" in pair[0]) == bool(voxels)
    assert ("general linear model" in text) == (name == "simulated")
    assert ("Encoding models" in text) == (name != "algonauts92")
    # a label that holds a comma is one
    assert "ResNet-18, untrained;" in text
    wanted = methods.references(config, card)
    entries = methods.bibtex(name, card, models, wanted, ROOT)
    keys = re.findall(r"^@\w+\{([^,]+),$", entries, re.MULTILINE)
    assert keys[0] == name
    assert wanted <= set(keys)
    assert entries.count("{") == entries.count("}")


def told_of(name, **measures):
    config = merged_config(ROOT, [])
    config = config | {"measures": config["measures"] | measures}
    card = load_card("datasets", name, ROOT)
    facts = {"stimuli": {"train": 9, "test": 8, "art": 8}, "subjects": 1, "voxels": {}, "reliability": {}}
    models = {"pixels": load_card("models", "pixels", ROOT)}
    return " ".join(methods.methods(config, card, models, facts, {}))


def test_methods_tell_dissimilarities_of_regions_from_those_of_layers():
    text = told_of("simulated", dissimilarity="crossnobis")
    assert "9 train, 8 test and 8 art stimuli" in text
    assert "for regions the product of whitened differences of two runs; for layers" in text
    assert "noise nor repeats, the squared distance / number of features." in text
    text = told_of("algonauts92", dissimilarity="euclidean")
    assert "Those of the regions are taken as published (1 - Pearson r across features)" in text
    assert "those of the layers are made here (squared distance / number of features)" in text


def test_methods_say_layers_ceilings_corrections_and_training():
    config, card = merged_config(ROOT, []), load_card("datasets", "simulated", ROOT)
    models = {model: load_card("models", model, ROOT) for model in config["models"]}
    facts = {"stimuli": {"train": 9, "test": 8}, "subjects": 1, "voxels": {}, "ceilings": ["split-half"]}
    files = {
        "mine": {"family": "confirmatory", "contradicted_by": "corrected test"},
        "more": {"family": "exploratory", "contradicted_by": "any part"},
    }
    text = " ".join(methods.methods(config, card, models, facts, {}, files))
    assert "chosen on the training stimuli and scored on the test stimuli" in text
    assert "random halves of the repeats (50 times)" in text
    assert "confirmatory claims of mine are corrected by Holm's method" in text
    assert "exploratory claims of more are corrected by the false discovery rate" in text
    assert "What contradicts a claim" not in text
    assert "over 10 groups of neighbouring voxels" in text
    assert "noise is added to the responses of the more reliable ones" in text
    assert "trained on 36,000 images of procedural" in text
    assert "SimCLR by contrastive learning (SimCLR)" in text
    facts["stimuli"] = {"test": 92}
    assert "over 10 pairs of halves" in " ".join(methods.methods(config, card, models, facts, {}, files))


def test_methods_say_on_which_stimuli_layers_of_guided_networks_are_chosen():
    config = merged_config(ROOT, [])
    card = load_card("datasets", "simulated", ROOT)
    facts = {"stimuli": {"test": 120, "train": 300}, "subjects": 1, "voxels": {}}
    told = [
        " ".join(methods.methods(config, card, {name: load_card("models", name, ROOT)}, facts, {}))
        for name in ("resnet18_guided", "resnet18")
    ]
    assert ["on training stimuli that it was not fitted to" in text for text in told] == [True, False]


def test_methods_name_every_comparison_and_measure():
    for name, record in COMPARISONS.items():
        assert f"by {record.meaning} ({name})" in told_of("simulated", comparison=name)
        assert "the same" not in record.meaning
    assert "by linear CKA and normalised Bures similarity, too" in told_of("simulated", others=["cka", "nbs"])
    assert "CKA" not in told_of("algonauts92", others=["cka", "nbs"])


def test_a_citation_leaves_bibtex_whole():
    assert "note = {100\\% of a\\_b \\& c, doi:10.1000/a\\_b}" in methods.entry(
        "x", "100% of {a_b & c, doi:10.1000/a_b"
    )


def test_the_library_holds_no_reference_that_nothing_uses():
    library = re.findall(r"@\w+\{([^,]+),", (ROOT / "resources/report/references.bib").read_text())
    named = (ROOT / "scripts/cortexrsa/report/methods.py").read_text()
    records = [*COMPARISONS.values(), *DISSIMILARITIES.values()]
    cited = {key for record in records for key in record.references}
    assert all(f'"{key}"' in named or key in cited for key in library)


@pytest.mark.parametrize("configfiles", [[], ["studies/algonauts92.yaml"]])
def test_snakemake_understands_the_command_of_its_report(configfiles, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    command = importlib.import_module("report").workflow_report(configfiles, "x.html", ["results/a.csv"])
    # in process: the parser alone
    _, arguments = parse_args(command[3:])
    assert [Path(path).name for path in arguments.configfile or []] == [
        Path(path).name for path in configfiles
    ]
    assert (str(arguments.report), arguments.targets) == ("x.html", ["results/a.csv"])


def test_cards_say_whom_to_cite():
    for path in sorted((ROOT / "resources/models").glob("*.yaml")):
        card = yaml.safe_load(path.read_text())
        assert card.get("citation") or card.get("family") in ("untrained", "baseline"), path.name
