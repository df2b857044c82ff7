"""Raw BOLD in a user's folder, from NIfTI files to claims; the simulated folder, checked by a validator."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from cortexrsa.brain.simulated.bold import simulate_bids
from cortexrsa.brain.simulated.settings import experiment_of
from cortexrsa.formats.rdms import read_rdms
from cortexrsa.formats.responses import read_responses
from support import TINY, assert_figure, at, copy_project, made, pending, place, snakemake

EXPERIMENT = {
    "train": 10,
    "test": 12,
    "train_repeats": 2,
    "test_repeats": 3,
    "size": 32,
    "subjects": 2,
    "runs": 2,
    "seed": 5,
    "rois": {"V1": {"voxels": 20, "area": "v1"}, "LO": {"voxels": 16, "area": "lo"}},
}
MINE = ("--configfile", "mine.yaml")


def listing(folder):
    return {path: path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}


@pytest.fixture(scope="module")
def users_folder(tmp_path_factory):
    """Two subjects whose ROIs differ in size, one of whom did a run less, and one who was not scanned."""
    folder = tmp_path_factory.mktemp("user") / "study"
    folder.mkdir()
    simulate_bids(experiment_of(**EXPERIMENT), folder)
    path = folder / "derivatives/rois/sub-02/anat/sub-02_label-V1_mask.nii.gz"
    mask = nib.load(path)
    smaller = np.asarray(mask.dataobj).copy()
    smaller[tuple(np.argwhere(smaller)[0])] = 0
    nib.save(nib.Nifti1Image(smaller, mask.affine), path)
    (folder / "sub-03/anat").mkdir(parents=True)
    return folder


def add_study(project, folder):
    mask = "derivatives/rois/sub-{subject}/anat/sub-{subject}_label-%s_mask.nii.gz"
    (project / "resources/datasets/mine.yaml").write_text(
        "description: mine\ncitation: none\nlicence: none\nloader: bids\nsubject_effect: random\n"
        f"path: {folder}\n"
        f"rois:\n  V1: {{mask: '{mask % 'V1'}'}}\n  LO: {{mask: '{mask % 'LO'}'}}\n"
        "options: {task: images, incomplete: skip}\n"
    )
    (project / "mine.yaml").write_text(
        "datasets: [mine]\nmodels: [pixels]\n"
        "inference: {bootstrap: 20, permutations: 19, ceiling_splits: 3, halves: 2}\n"
        "encoding: {folds: 3}\n"
        "roles: {rois: {early: V1, late: LO}, networks: {task_optimised: null, generative: null, "
        "self_supervised: null, untrained: null}}\n"
    )


@pytest.fixture(scope="module")
def studied(users_folder, tmp_path_factory):
    """The whole study of the user's folder."""
    project = copy_project(tmp_path_factory.mktemp("mine") / "project")
    add_study(project, users_folder)
    before = listing(users_folder)
    made(project, *MINE)
    assert listing(users_folder) == before, "the user's folder was written to"
    return project


def test_two_subjects_from_nifti_files_to_scores(studied):
    mine = functools.partial(at, studied, configfile="mine.yaml")
    responses = read_responses(mine("mine/responses.nc"))
    voxels = pd.Series(responses["subject"].values + " " + responses["roi"].values).value_counts()
    assert voxels.to_dict() == {"sub-01 V1": 20, "sub-02 V1": 19, "sub-01 LO": 16, "sub-02 LO": 16}
    rdms = read_rdms(mine("mine/rdms/brain.h5"))
    assert sorted(rdms.rdm_descriptors[["subject", "roi"]].itertuples(index=False, name=None)) == [
        (f"sub-0{subject}", roi) for subject in (1, 2) for roi in ("LO", "V1")
    ]
    scores = pd.read_csv(mine("mine/scores.csv"))
    assert {"sub-01", "sub-02"} < set(scores["subject"])
    ceilings = pd.read_csv(mine("mine/ceilings.csv"))
    assert {"subjects", "split-half"} < set(ceilings["kind"])
    reliability = pd.read_csv(mine("mine/reliability.csv"))
    assert set(reliability["subject"]) == {"sub-01", "sub-02"}
    report = mine("mine/workflow.html").read_text()
    words = dict.fromkeys(("masks", "tsnr", "design"), ("sub-01",))
    words |= {"reliability": ("V1 (median", "LO (median"), "rois": ("V1", "LO", "Pixels")}
    for name, expected in words.items():
        assert_figure(mine("mine/figures"), name, *expected)
        assert f"figures/{name}.svg" in report
    warnings = pd.read_csv(mine("mine/warnings.csv"))["warning"]
    assert "sub-03 is left out: no BOLD of task-images" in set(warnings)


@contextlib.contextmanager
def changed(path):
    """A file with other content for a while (Snakemake sees through a mere touch)."""
    content, stamp = path.read_bytes(), path.stat()
    path.write_bytes(content + b"x")
    yield
    path.write_bytes(content)
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))


def test_a_changed_run_makes_the_betas_of_its_subject_again(studied, users_folder):
    assert pending(studied, *MINE) == set()
    with changed(next((users_folder / "sub-02").rglob("*run-02_bold.nii.gz"))):
        affected = pending(studied, *MINE)
    assert {"mine/glm/sub-02_betas.nc", "mine/responses.nc"} <= affected
    assert not {"mine/glm/sub-01_betas.nc", "mine/stimuli.npy"} & affected
    with changed(users_folder / "stimuli/test-0001.png"):
        affected = pending(studied, *MINE)
    assert "mine/stimuli.npy" in affected
    assert not any(path.startswith("mine/glm/") for path in affected)


def test_one_beta_a_stimulus_has_no_reliability_and_no_ceiling_of_repeats(studied, tmp_path):
    project = shutil.copytree(studied, tmp_path / "project", symlinks=True)
    targets = [place(project, f"mine/{name}.csv", "mine.yaml") for name in ("ceilings", "scores")]
    made(project, *MINE, "--config", "glm={betas: stimulus}", "--", *targets)
    kinds = set(pd.read_csv(project / targets[0])["kind"])
    assert kinds == {"subjects", "subjects-unscaled", "subjects-unscaled-squared"}
    plan = snakemake(project, *MINE, "-n", "--config", "glm={betas: stimulus}")
    assert plan.returncode == 0
    assert "reliability" not in plan.stdout + plan.stderr


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "task: images",
            "task: rest",
            "found none that is complete (sub-01 is left out: no BOLD of task-rest)",
        ),
        ("path: /", "path: /nowhere/", "resources/datasets/mine.yaml: path: found no folder /nowhere/"),
        (
            "task: images",
            "task: images, subjects: ['04']",
            r"options.subjects[0]: found '04', expected one of",
        ),
        (
            "task: images",
            "task: images, subjects: [1]",
            "options.subjects[0]: found 1, expected a BIDS label",
        ),
        ("task: images, ", "", "options.task: found nothing"),
        ("V1: {mask", "V1: {masks", "rois.V1"),
        ("label-V1_mask.nii.gz'", "label-V2_mask.nii.gz'", "label-V2_mask.nii.gz: ROI: found no such file"),
    ],
)
def test_cards_and_folders_that_do_not_fit(project, users_folder, old, new, expected):
    add_study(project, users_folder)
    target = place(project, "mine/responses.nc", "mine.yaml")
    card = project / "resources/datasets/mine.yaml"
    assert old in card.read_text()
    card.write_text(card.read_text().replace(old, new, 1))
    run = snakemake(project, *MINE, "--", target)
    assert run.returncode != 0
    lines = [line for line in run.stderr.splitlines() if line.startswith("Error: ")]
    assert any(expected in line for line in lines), run.stderr[-3000:]
    assert not (project / target).exists()
    # whatever names, headers and tables tell is told before the first GLM
    assert not (project / "results/mine/glm").exists()


def test_the_simulated_folder_is_valid_bids(finished):
    """Offline: the validator carries the schema of the standard it was built for."""
    folder = at(finished, "tiny/bids")
    validator = Path(sys.executable).with_name("bids-validator-deno")
    run = subprocess.run(
        [validator, folder, "--recursive", "--format", "json"], capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    result = json.loads(run.stdout)
    derivatives = result["derivativesSummary"].values()
    assert len(derivatives) == 1
    for part in (result, *derivatives):
        # what is recommended and a simulation cannot have: a scanner, an institution
        problems = [issue for issue in part["issues"]["issues"] if issue["severity"] == "error"]
        assert problems == []
    assert result["summary"]["subjects"] == ["01"]
    assert result["summary"]["tasks"]


def test_an_invalid_folder_is_noticed_by_the_validator(finished, tmp_path):
    folder = shutil.copytree(at(finished, "tiny/bids"), tmp_path / "bids")
    (folder / "dataset_description.json").unlink()
    validator = Path(sys.executable).with_name("bids-validator-deno")
    assert subprocess.run([validator, folder], capture_output=True, timeout=120).returncode != 0


def test_planted_betas_and_ceilings_are_recovered(finished):
    """At the size of the tests; docs/simulated-study.md has the figures of the full study."""
    table = pd.read_csv(at(finished, "tiny/beta_recovery.csv")).set_index(["roi", "split"])
    assert set(table.index) == {(roi, split) for roi in ("V1", "LO") for split in ("test", "train")}
    assert (table["r_trials"] > 0.5).all()
    assert (table.xs("test", level="split")["r_mean"] > 0.6).all()
    test = table.xs("test", level="split")
    assert ((test["reliability"] - test["reliability_true"]).abs() < 0.2).all()
    assert ((test["ceiling_attainable"] - test["ceiling_true"]).abs() < 0.25).all()


def test_single_trial_betas_give_cross_validated_distances(rerun):
    targets = [place(rerun, f"tiny/{name}") for name in ("ceilings.csv", "beta_recovery.csv")]
    made(rerun, *TINY, "--config", "measures={dissimilarity: crossnobis}", "--", *targets)
    (brain,) = rerun.glob("results/tiny/rdms/crossnobis/brain-*.h5")
    assert read_rdms(brain).dissimilarity_measure == "crossnobis"
    kinds = pd.read_csv(rerun / targets[0]).groupby("split")["kind"].unique()
    # either half needs two repeats, which the training stimuli do not have
    assert list(kinds["test"]) == ["split-half"]
    assert list(kinds["train"]) == ["unknown"]
    test = pd.read_csv(rerun / targets[1]).query("split == 'test'")
    assert (test["ceiling_true"] > 0.3).all()


def swap(first: Path, second: Path) -> None:
    """Exchange two files, times included, as `mv` does."""
    away = first.with_name("away")
    first.rename(away)
    second.rename(first)
    away.rename(second)


def test_inputs_replaced_by_files_with_older_times_are_noticed(studied, users_folder):
    """A restored backup, `cp -p` or `mv`: the new content is older than the results."""
    events = sorted(users_folder.glob("sub-01/func/*_events.tsv"))[:2]
    swap(*events)
    wanted = pending(studied, *MINE)
    swap(*events)
    assert {"mine/stimuli.tsv", "mine/glm/sub-01_betas.nc"} <= wanted
    assert "mine/glm/sub-02_betas.nc" not in wanted
    sidecar = sorted(users_folder.rglob("*_bold.json"))[0]
    content, status = sidecar.read_text(), sidecar.stat()
    sidecar.write_text(content.replace("{", "{ ", 1))
    os.utime(sidecar, ns=(0, 0))
    wanted = pending(studied, *MINE)
    sidecar.write_text(content)
    os.utime(sidecar, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert "mine/glm/sub-01_betas.nc" in wanted
    assert pending(studied, *MINE) == set()
