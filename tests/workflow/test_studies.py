"""Studies side by side: what they share, what they keep apart, and what is said of them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from support import TINY, copy_project, edit, made, pending, refused, snakemake

OTHER = ("--configfile", "other.yaml")


@pytest.fixture
def two(rerun) -> Path:
    """The finished tiny study, and a second one with another comparison of the same RDMs."""
    (rerun / "other.yaml").write_text((rerun / "tiny.yaml").read_text() + "measures: {comparison: pearson}\n")
    return rerun


def state_of(folder: Path) -> dict[Path, int]:
    """Times of all files of the results."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def planned(project: Path, *arguments: str) -> set[str]:
    """Paths that a run would make, as they are."""
    summary = snakemake(project, "--summary", *arguments)
    assert summary.returncode == 0, summary.stderr
    rows = [line.split("\t") for line in summary.stdout.splitlines() if line.startswith("results/")]
    return {row[0] for row in rows if row[-1] != "no update"}


def script(project: Path, name: str, *arguments: str) -> subprocess.CompletedProcess:
    """Run one of the scripts that a person calls."""
    command = [sys.executable, f"scripts/{name}.py", *arguments]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=300)


def test_a_second_study_shares_what_it_can_and_replaces_nothing(two):
    assert {path.split("/")[1] for path in planned(two, *OTHER)} == {"studies"}
    before = state_of(two / "results")
    target = "results/studies/other/tiny/scores.csv"
    made(two, *OTHER, "--", target)
    changed = {path for path, time in state_of(two / "results").items() if before.get(path) != time}
    places = {path.relative_to(two / "results").parts[:3] for path in changed}
    assert places <= {
        ("studies", "other", "tiny"),
        ("studies", "other", "config.yaml"),
        ("studies", "other", "origin.json"),
        ("studies", "other", "claims_before_scores.json"),
        ("logs", "studies", "other"),
        ("benchmarks", "studies", "other"),
    }
    assert pending(two) == set()
    ours, theirs = (
        pd.read_csv(two / f"results/studies/{name}/tiny/scores.csv") for name in ("tiny", "other")
    )
    assert set(ours["measure"]) == {"spearman"}
    assert set(theirs["measure"]) == {"pearson"}


def test_several_studies_in_one_run(two):
    both = planned(two, "--config", "studies=[tiny.yaml,other.yaml]")
    assert both == planned(two, *OTHER)
    line = refused(two, "--config", "studies=[tiny.yaml,tiny.yaml]")
    assert "study: found 'tiny' twice" in line


def test_settings_of_betas_and_rdms_make_folders_of_their_own(two):
    (two / "other.yaml").write_text(
        (two / "tiny.yaml").read_text() + "glm: {hrf: glover}\nmeasures: {dissimilarity: euclidean}\n"
    )
    wanted = planned(two, *OTHER)
    assert "results/tiny/rdms/euclidean/raw/all-features/pixels.h5" in wanted
    assert any(path.startswith("results/tiny/rdms/euclidean/brain-trial-lss-") for path in wanted)
    assert not any(path.startswith(("results/tiny/activations", "results/networks")) for path in wanted)
    assert pending(two) == set()


def test_studies_are_listed_and_what_none_asks_for_is_removed(rerun):
    listed = script(rerun, "studies", "list")
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout.splitlines()[0].split()[0] == "tiny"
    assert listed.stdout.splitlines()[0].endswith("current")
    assert "Nothing to remove" in script(rerun, "studies", "prune").stdout
    edit(rerun / "tiny.yaml", ", pixels]", "]")
    told = script(rerun, "studies", "prune")
    lost = [rerun / "results/tiny/activations/all-features/pixels", rerun / "results/tiny/rdms/correlation"]
    assert "results/tiny/activations/all-features/pixels" in told.stdout
    assert "Nothing was removed" in told.stdout
    assert lost[0].exists()
    assert "Removed" in script(rerun, "studies", "prune", "--yes").stdout
    assert not lost[0].exists()
    assert not (lost[1] / "raw/all-features/pixels.h5").exists()
    assert (lost[1] / "raw/all-features/tiny_vae.h5").exists()
    assert "jobs to run" in script(rerun, "studies", "list").stdout.splitlines()[0]


def test_no_report_while_a_job_of_the_study_is_pending(rerun):
    edit(rerun / "tiny.yaml", "ceiling_splits: 4", "ceiling_splits: 5")
    report = rerun / "results/studies/tiny/tiny/report.html"
    before = report.stat().st_mtime_ns
    run = made(rerun, *TINY, "--until", "ceilings")
    assert report.stat().st_mtime_ns == before
    assert "No report of tiny: " in run.stderr
    assert "claims 1" in run.stderr


def test_results_that_were_touched_after_a_change_are_not_archived(rerun):
    edit(rerun / "tiny.yaml", "ceiling_splits: 4", "ceiling_splits: 5")
    made(rerun, *TINY, "--touch")
    run = script(rerun, "archive", "write", "tiny.yaml")
    assert run.returncode == 1
    assert "settings: found others than the study's" in run.stderr
    assert not list(rerun.glob("results/archives/*"))


def test_a_name_belongs_to_one_configuration_file(rerun):
    (rerun / "elsewhere").mkdir()
    shutil.copy2(rerun / "tiny.yaml", rerun / "elsewhere")
    line = refused(rerun, "--configfile", "elsewhere/tiny.yaml")
    assert "study: found 'tiny', the name of the study of tiny.yaml" in line


def test_a_second_configfile_that_snakemake_would_drop_is_refused(project):
    assert "keeps the last --configfile" in refused(project, *TINY, "--configfile", "config.yaml")


def test_results_of_the_former_layout_are_recognised(project):
    (project / "results/tiny").mkdir(parents=True)
    (project / "results/tiny/scores.csv").write_text("a\n1\n")
    line = refused(project, *TINY)
    assert "mv results/tiny results/studies/former-tiny/" in line


def test_it_runs_from_another_folder(project, tmp_path):
    run = snakemake(
        project, "-n", "--directory", str(tmp_path / "elsewhere"), "--configfile", str(project / "tiny.yaml")
    )
    assert run.returncode == 0, run.stderr
    assert "rsa" in run.stdout + run.stderr


def test_a_project_without_results_has_no_studies(project):
    for action, told in (("list", "No study has been run yet"), ("prune", "Nothing to remove")):
        (project / "results").mkdir(exist_ok=True)
        run = script(project, "studies", action)
        assert run.returncode == 0, run.stderr
        assert told in run.stdout


def test_a_path_that_snakemake_cannot_run_is_told_before_anything_is_installed(tmp_path):
    project = copy_project(tmp_path / "My Documents (old)")
    shutil.copy2(Path(__file__).resolve().parents[2] / "Makefile", project)
    run = subprocess.run(["make", "run"], cwd=project, capture_output=True, text=True)
    assert run.returncode != 0
    assert "to a path of letters, digits" in run.stderr
    assert not (project / ".venv").exists()
