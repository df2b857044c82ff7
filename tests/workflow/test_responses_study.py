"""From a lab's folder of betas to scores: each fault of reading alone loses what was planted."""

import json

import numpy as np
import pandas as pd
import pytest

from responses_world import card_of, make_world, write_lab
from support import error_of, made, snakemake

pytestmark = pytest.mark.slow
STUDY = """datasets: [lab]
models: [pixels]
inference: {bootstrap: 20, permutations: 99, ceiling_splits: 4, halves: 2}
claims: []
roles:
  rois: {early: V1, late: LO}
  networks: {task_optimised: null, generative: null, self_supervised: null, untrained: null}
"""
FOLDER = "results/studies/lab/lab"
TABLES = [f"{FOLDER}/{name}.csv" for name in ("scores", "ceilings", "reliability")]


def scores_of(project, card):
    """Score of the pixels, which the voxels see, in each ROI and split."""
    (project / "resources/datasets/lab.yaml").write_text(json.dumps(card))
    made(project, "--configfile", "lab.yaml", "--", *TABLES)
    table = pd.read_csv(project / TABLES[0])
    return table.set_index(["split", "roi"])["score"]


@pytest.fixture
def lab(project, tmp_path):
    (project / "lab.yaml").write_text(STUDY)
    world = make_world(n=48)
    # sessions in which other stimuli were shown: their offsets are no noise that averages out
    keep = (world.trials["session"] != "03") | (world.trials["stimulus_id"].astype(int) % 2 == 0)
    world.betas, world.trials = world.betas[keep], world.trials[keep].reset_index(drop=True)
    return write_lab(tmp_path / "lab", world), world


def as_integers(folder, world):
    """The betas as whole numbers, with the trials first and the axes as HDF5 has them."""
    np.save(folder / "betas.npy", np.rint(world.volumes().transpose(3, 2, 1, 0) * 300).astype(np.int16))
    return {"file": "betas.npy", "axes": ["trial", "z", "y", "x"], "scale": "1/300"}


def test_a_labs_folder_becomes_a_study(project, lab):
    folder, world = lab
    (folder / "ood.txt").write_text("\n".join(world.ids[::5]))
    rest = [name for k, name in enumerate(world.ids) if k % 5]
    (folder / "test.txt").write_text("\n".join(rest[:20]))
    splits = {"test": {"list": "test.txt"}, "ood": {"list": "ood.txt"}, "train": {"rest": True}}
    right = card_of(folder, values=as_integers(folder, world), splits=splits)
    found = scores_of(project, right)
    # several splits that are scored, each with rows of its own
    assert set(found.index) == {(split, roi) for split in ("test", "ood", "train") for roi in ("V1", "LO")}
    assert found.min() > 0.7
    reliability = pd.read_csv(project / "results/studies/lab/lab/reliability.csv")
    assert set(reliability["split"]) == {"test", "ood", "train"}
    assert reliability["nc"].median() > 70
    ceilings = pd.read_csv(project / "results/studies/lab/lab/ceilings.csv")
    assert set(ceilings["split"]) == {"test", "ood", "train"}
    assert set(ceilings["kind"]) == {"split-half"}
    # sessions forgotten, of which some stimuli were not shown in all
    assert (
        scores_of(project, card_of(folder, values=right["options"]["values"], splits=splits, zscore="none"))[
            "test"
        ].max()
        < 0.6
    )
    # an index that is wrong by one
    trials = world.trials.assign(stimulus_id=np.roll(world.trials["stimulus_id"], 1))
    trials.to_csv(folder / "trials.csv", index=False)
    assert scores_of(project, right)["test"].max() < 0.3
    # a scale is needed, and says what the numbers are; axes that are not those of the file
    line = refused_card(project, right, {"values": right["options"]["values"] | {"scale": None}})
    assert "betas.npy: dtype: found int16 without a scale" in line
    line = refused_card(
        project, right, {"values": right["options"]["values"] | {"axes": ["trial", "x", "y", "z"]}}
    )
    assert "roi.nii.gz: shape: found (7, 6, 5), expected (5, 6, 7)" in line


def refused_card(project, card, options):
    content = card | {"options": card["options"] | options}
    (project / "resources/datasets/lab.yaml").write_text(json.dumps(content))
    return error_of(snakemake(project, "--configfile", "lab.yaml", "--", *TABLES))
