"""A study of every layout of the field, end to end at a tiny size: pixels explain voxels that see pixels."""

from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest
import yaml

from standins.layouts import LAYOUTS
from standins.world import SIZE
from support import assert_figure, at, made

# what a person would still write into the card of a folder of their own
DECIDED = {"label1": "V1", "label2": "LO"}


def write_card(project, layout: str) -> dict:
    """The card as the command writes it, with what is left to decide decided."""
    folder = project / "data" / layout
    LAYOUTS[layout](folder)
    name = f"field_{layout}"
    command = [sys.executable, "scripts/new_dataset_card.py", folder, "--out", name]
    run = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    path = project / f"resources/datasets/{name}.yaml"
    card = yaml.safe_load(path.read_text())
    card["rois"] = {DECIDED.get(roi, roi): place for roi, place in card["rois"].items()}
    # areas that the stand-ins do not have
    if layout in ("nsd", "algonauts2023"):
        card["rois"] = {roi: card["rois"][roi] for roi in ("V1", "hV4")}
    card["options"]["stimuli"]["size"] = SIZE
    path.write_text(yaml.safe_dump(card, sort_keys=False))
    return card


def roles(rois: dict) -> dict:
    """No network of these studies plays a part in the claims."""
    parts = ("task_optimised", "generative", "self_supervised", "untrained")
    return {"rois": rois, "networks": dict.fromkeys(parts)}


@pytest.mark.slow
def test_a_study_of_every_layout_runs_from_its_folder(project):
    cards = {layout: write_card(project, layout) for layout in LAYOUTS}
    study = {
        "datasets": [f"field_{layout}" for layout in LAYOUTS],
        "models": ["pixels"],
        "inference": {"bootstrap": 20, "permutations": 19, "ceiling_splits": 2, "halves": 2},
        "roles": roles({"early": "V1", "late": None}),
    }
    (project / "field.yaml").write_text(yaml.safe_dump(study))
    tables = [
        at(project, f"field_{layout}/{table}", "field.yaml").relative_to(project)
        for layout in LAYOUTS
        for table in ("scores.csv", "ceilings.csv")
    ]
    made(project, *map(str, tables), "--configfile", "field.yaml")
    for layout, card in cards.items():
        scores = pd.read_csv(at(project, f"field_{layout}/scores.csv", "field.yaml"))
        own = scores[(scores["split"] == "test") & (scores["model"] == "pixels")]
        assert set(own["roi"]) == set(card["rois"]), layout
        # stimuli, trials, voxels and images belong together
        assert own["score"].min() > 0.3, own[["subject", "roi", "score"]]
        ceilings = pd.read_csv(at(project, f"field_{layout}/ceilings.csv", "field.yaml"))
        known = ceilings["lower"].notna()
        assert known.any() == (layout != "algonauts2023"), layout


@pytest.mark.slow
def test_a_students_folder_becomes_a_study_with_all_its_figures(project):
    write_card(project, "lab")
    study = {
        "datasets": ["field_lab"],
        "models": ["pixels", "gabor"],
        "inference": {"bootstrap": 20, "permutations": 19, "ceiling_splits": 2, "halves": 2},
        "roles": roles({"early": "V1", "late": "LO"}),
    }
    (project / "lab.yaml").write_text(yaml.safe_dump(study))
    made(project, "--configfile", "lab.yaml")
    figures = at(project, "field_lab/figures", "lab.yaml")
    for name in ("stimuli", "reliability"):
        assert_figure(figures, name)
    scores = pd.read_csv(at(project, "field_lab/scores.csv", "lab.yaml"))
    assert scores[scores["model"] == "pixels"]["score"].min() > 0.3
