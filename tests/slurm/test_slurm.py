"""A tiny study on a real SLURM: what is submitted where, with what, and what happens when a job is killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from cluster import cluster, output, wait_until, why_not
from PIL import Image

from support import copy_project, edit

REASON = why_not()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))

GPU_RULES = {"train", "extract"}
RUNS: list[subprocess.Popen] = []
TARGETS = ("results/studies/slurm/mine/claims.csv", "results/studies/slurm/mine/scores.csv")


@dataclass(frozen=True)
class Job:
    """A job as the controller tells of it."""

    number: int
    rule: str
    wildcards: str
    partition: str
    gpus: int
    memory: str
    limit: str
    state: str


def jobs() -> list[Job]:
    """All jobs that were ever submitted, in their order."""
    found = []
    for line in output("scontrol", "--oneliner", "show", "jobs").splitlines():
        if not line.startswith("JobId="):
            continue  # "No jobs in the system"
        shown = dict(re.findall(r"(\S+?)=(\S*)", line))
        rule, _, wildcards = shown["Comment"].removeprefix("rule_").partition("_wildcards_")
        # of --gpus and of --gres
        asked = shown.get("TresPerJob", "") + shown.get("TresPerNode", "")
        gpus = re.search(r"gres:gpu:(\d+)", asked)
        found.append(
            Job(
                *(int(shown["JobId"]), rule, wildcards, shown["Partition"], int(gpus[1]) if gpus else 0),
                *(shown["MinMemoryNode"], shown["TimeLimit"], shown["JobState"]),
            )
        )
    return sorted(found, key=lambda job: job.number)


def start(project: Path) -> subprocess.Popen:
    """Run the study through the profile, as a user would; only faster to look after its jobs."""
    command = [sys.executable, "-m", "snakemake", "--profile", "profiles/slurm", "--latency-wait", "10"]
    command += ["--slurm-init-seconds-before-status-checks", "5", "--seconds-between-status-checks", "2"]
    command += ["--configfile", "slurm.yaml", "--", *TARGETS]
    with open(project / "snakemake.log", "w") as log:
        RUNS.append(subprocess.Popen(command, cwd=project, stdout=log, stderr=log))
    return RUNS[-1]


def write_study(project: Path) -> None:
    """Twelve images and the RDMs of two ROIs as local files, a network to train, and a baseline."""
    folder = project / "raw"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for k in range(12):
        Image.fromarray(generator.integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(folder / f"{k:02d}.png")
    for roi in ("V1", "LO"):
        square = generator.random((3, 12, 12))
        square = square + square.transpose(0, 2, 1)
        square[:, range(12), range(12)] = 0
        np.savez(folder / f"{roi}.npz", rdms=square)
    files = [
        {"file": path.name if path.suffix == ".npz" else f"stimuli/{path.name}", "url": path.as_uri()}
        for path in sorted(folder.iterdir())
    ]
    card = {
        **{"description": "local files", "citation": "none", "licence": "none", "loader": "rdms"},
        "files": files,
        "rois": {roi: {"file": f"{roi}.npz", "key": "rdms"} for roi in ("V1", "LO")},
        "images": "stimuli",
        "options": {"dissimilarity": "correlation"},
    }
    (project / "resources/datasets/mine.yaml").write_text(yaml.safe_dump(card))
    study = {
        "datasets": ["mine"],
        "models": ["tiny_resnet18", "pixels"],
        "inference": {"bootstrap": 40, "permutations": 99, "ceiling_splits": 4, "halves": 2},
    }
    roles = {
        "task_optimised": ["tiny_resnet18"],
        "generative": None,
        "self_supervised": None,
        "untrained": None,
    }
    (project / "slurm.yaml").write_text(yaml.safe_dump(study | {"roles": {"networks": roles}}))


def adapt_profile(project: Path) -> None:
    """What the profile says for sites without accounting, and of extraction what it says for `gres`."""
    profile = project / "profiles/slurm/config.yaml"
    for line in ("slurm-status-command: squeue", "slurm-no-account: true"):
        edit(profile, f"# {line}", line)
    extraction = "  extract:\n    slurm_partition: gpu\n"
    edit(profile, extraction, extraction + '    gpu: 0\n    gres: "gpu:1"\n')


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The study, run once through the profile on a cluster that is stopped in the end."""
    project = copy_project(tmp_path_factory.mktemp("slurm") / "project")
    write_study(project)
    adapt_profile(project)
    with cluster():
        yield project
        # before the cluster, whatever happened
        for run in RUNS:
            run.kill()
            run.wait()


def kill_processes_of(job: int) -> bool:
    """kill -9 of what a job runs on its node; False while there is nothing to kill."""
    killed = False
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes().split(b"\0")
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if f"SLURM_JOB_ID={job}".encode() in environment and b"extract.py" in command:
            os.kill(int(process.name), signal.SIGKILL)
            killed = True
    return killed


@pytest.fixture(scope="module")
def submitted(project) -> list[Job]:
    """Jobs of a run in which the extraction was killed once."""
    run = start(project)

    def killed() -> bool:
        assert run.poll() is None, (project / "snakemake.log").read_text()[-3000:]
        running = [job.number for job in jobs() if (job.rule, job.state) == ("extract", "RUNNING")]
        return bool(running) and kill_processes_of(running[0])

    wait_until(killed, "the extraction", 1200)
    code = run.wait(1200)
    assert code == 0, (project / "snakemake.log").read_text()[-5000:]
    return jobs()


def test_the_study_runs_to_its_end(project, submitted):
    scores = pd.read_csv(project / "results/studies/slurm/mine/scores.csv")
    assert set(scores["model"]) == {"tiny_resnet18", "pixels"}
    assert {job.state for job in submitted if job.rule != "extract"} == {"COMPLETED"}


def test_gpu_jobs_get_their_gpu_and_partition_and_cpu_jobs_none(submitted):
    gpu_jobs = [job for job in submitted if job.rule in GPU_RULES]
    assert {(job.rule, job.wildcards) for job in gpu_jobs} == {
        ("extract", "mine_all-features_tiny_resnet18_1-of-1"),
        ("train", "tiny_resnet18"),
    }
    assert {(job.partition, job.gpus) for job in gpu_jobs} == {("gpu", 1)}
    others = [job for job in submitted if job.rule not in GPU_RULES]
    assert {(job.partition, job.gpus) for job in others} == {("cpu", 0)}
    # the baseline is extracted by a rule of its own, which asks for none
    assert "extract_baseline" in {job.rule for job in others}


def test_each_job_is_submitted_once_with_its_memory_and_time(submitted):
    # downloads stay local; RDMs, RSA and measures have a job a network; the killed extraction was tried again
    prepared = {"read_rdm_dataset", "corpus", "train", "extract_baseline"}
    evaluated = {"learning", "confounds", "scores", "ceilings", "claims"}
    assert Counter(job.rule for job in submitted) == {
        **dict.fromkeys(prepared | evaluated, 1),
        **{"extract": 2, "network_rdms": 2, "rsa": 2, "measures": 2},
    }
    asked = {job.rule: (job.memory, job.limit) for job in reversed(submitted)}
    # training and extraction: config.yaml
    assert asked["train"] == ("4000M", "04:00:00")
    assert asked["extract"] == asked["extract_baseline"] == ("4000M", "01:00:00")
    assert asked["read_rdm_dataset"] == ("2000M", "00:30:00")


def test_a_killed_job_is_tried_again_with_more(submitted, project):
    first_try, retry = (job for job in submitted if job.rule == "extract")
    assert (first_try.state, retry.state) == ("FAILED", "COMPLETED")
    assert (first_try.memory, first_try.limit) == ("4000M", "01:00:00")
    assert (retry.memory, retry.limit) == ("8000M", "02:00:00")
    assert (retry.partition, retry.gpus) == ("gpu", 1)
    assert "Trying to restart job" in (project / "snakemake.log").read_text()
    # and nothing half-written stays
    folder = project / "results/mine/activations/all-features/tiny_resnet18"
    assert [path.name for path in folder.iterdir()] == ["1-of-1"]
