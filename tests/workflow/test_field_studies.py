"""A study of every layout of the field, end to end at a tiny size: its RDMs are those of what was planted."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.spatial.distance import pdist

from cortexrsa.formats.rdms import read_rdms
from standins.layouts import LAYOUTS
from standins.world import SIZE, StandIn
from support import assert_figure, at, made

# what a person would still write into the card of a folder of their own
DECIDED = {"label1": "V1", "label2": "LO"}


# whose betas come z-scored
ZSCORED = ("algonauts2023", "brainscore")


def write_card(project, layout: str) -> tuple[dict, StandIn]:
    """The card as the command writes it, with what is left to decide decided, and what was planted."""
    folder = project / "data" / layout
    standin = LAYOUTS[layout](folder)
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
    return card, standin


def check_rdms(path, layout: str, standin: StandIn) -> None:
    """Brain RDMs of a study are those of the planted betas, in every person and ROI that was planted."""
    rdms, checked = read_rdms(path), 0
    for values, subject, roi in zip(
        rdms.dissimilarities, rdms.rdm_descriptors["subject"], rdms.rdm_descriptors["roi"], strict=True
    ):
        (person,) = (each for name, each in standin.people.items() if subject in (name, f"sub-{name}"))
        if roi in person.rois:
            planted = person.expected(roi, layout not in ZSCORED)
            planted = planted.loc[list(rdms.pattern_descriptors["stimulus_id"])]
            expected = pdist(planted, "correlation")
            np.testing.assert_allclose(values, expected, atol=0.01, err_msg=f"{subject} {roi}")
            checked += 1
    assert checked >= 2


def roles(rois: dict) -> dict:
    """No network of these studies plays a part in the claims."""
    parts = ("task_optimised", "generative", "self_supervised", "untrained")
    return {"rois": rois, "networks": dict.fromkeys(parts)}


@pytest.mark.slow
def test_a_study_of_every_layout_runs_from_its_folder(project):
    made_of = {layout: write_card(project, layout) for layout in LAYOUTS}
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
    for layout, (card, standin) in made_of.items():
        check_rdms(at(project, f"field_{layout}/rdms/brain.h5", "field.yaml"), layout, standin)
        scores = pd.read_csv(at(project, f"field_{layout}/scores.csv", "field.yaml"))
        own = scores[(scores["split"] == "test") & (scores["model"] == "pixels")]
        assert set(own["roi"]) == set(card["rois"]), layout
        assert own["score"].notna().all()
        ceilings = pd.read_csv(at(project, f"field_{layout}/ceilings.csv", "field.yaml"))
        known = ceilings["attainable"].notna()
        assert known.any() == (layout != "algonauts2023"), layout


@pytest.mark.slow
def test_a_students_folder_becomes_a_study_with_all_its_figures(project):
    _, standin = write_card(project, "lab")
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
    check_rdms(at(project, "field_lab/rdms/brain.h5", "lab.yaml"), "lab", standin)
