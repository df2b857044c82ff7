"""A tiny study on a real SLURM: what is submitted where, with what, and what happens when a job is killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from cluster import cluster, output, wait_until, why_not
from PIL import Image

from support import copy_project

REASON = why_not()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))

GPU_RULES = {"train", "extract"}
RUNS: list[subprocess.Popen] = []
TARGETS = ("results/studies/mine/mine/claims.csv", "results/studies/mine/mine/scores.csv")


@dataclass(frozen=True)
class Job:
    """A job as SLURM's accounting tells it."""

    number: int
    rule: str
    wildcards: str
    partition: str
    gpus: int
    memory: str
    minutes: int
    state: str
    account: str


def jobs() -> list[Job]:
    """All jobs that were ever submitted."""
    fields = "JobIDRaw,Comment,Partition,ReqTRES,ReqMem,TimelimitRaw,State,Account"
    lines = output("sacct", "-X", "--parsable2", "--noheader", "--starttime=now-1days", f"--format={fields}")
    found = []
    for line in lines.splitlines():
        number, comment, partition, tres, memory, minutes, state, account = line.split("|")
        rule, _, wildcards = comment.removeprefix("rule_").partition("_wildcards_")
        gpus = re.search(r"gres/gpu=(\d+)", tres)
        found.append(
            Job(
                *(int(number), rule, wildcards, partition, int(gpus[1]) if gpus else 0),
                *(memory, int(minutes), state.split()[0], account),
            )
        )
    return found


def start(project: Path, *arguments: str) -> subprocess.Popen:
    """Run the study through the profile, as a user would; only faster to look after its jobs."""
    command = [sys.executable, "-m", "snakemake", "--profile", "profiles/slurm", "--latency-wait", "10"]
    command += ["--slurm-init-seconds-before-status-checks", "7", "--seconds-between-status-checks", "2"]
    command += ["--configfile", "tiny.yaml", "slurm.yaml", *arguments, "--", *TARGETS]
    with open(project / "snakemake.log", "w") as log:
        RUNS.append(subprocess.Popen(command, cwd=project, stdout=log, stderr=log))
    return RUNS[-1]


def finish(run: subprocess.Popen, project: Path, seconds: float = 1200) -> str:
    """Wait for the run to succeed; what it said."""
    code = run.wait(seconds)
    said = (project / "snakemake.log").read_text()
    assert code == 0, said[-5000:]
    return said


def write_study(project: Path) -> None:
    """Twelve images and the RDMs of two ROIs as local files, three networks, one of them trained."""
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
    models = "models: [tiny_resnet18, tiny_untrained, pixels]\n"
    models += "claims: {models: {generative: null, self_supervised: null}}\n"
    (project / "slurm.yaml").write_text(f"datasets: [mine]\n{models}")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The study, run once through the profile on a cluster that is stopped in the end."""
    project = copy_project(tmp_path_factory.mktemp("slurm") / "project")
    write_study(project)
    with cluster():
        yield project
        # before the cluster, whatever happened
        for run in RUNS:
            run.kill()
            run.wait()


@pytest.fixture(scope="module")
def first(project):
    """Jobs of the first run."""
    finish(start(project), project)
    return jobs()


def test_the_study_runs_to_its_end(project, first):
    scores = pd.read_csv(project / "results/studies/mine/mine/scores.csv")
    assert set(scores["model"]) == {"tiny_resnet18", "tiny_untrained", "pixels"}
    assert {job.state for job in first} == {"COMPLETED"}


def test_gpu_jobs_get_their_gpu_and_partition_and_cpu_jobs_none(first):
    gpu_jobs = [job for job in first if job.rule in GPU_RULES]
    assert sorted((job.rule, job.wildcards) for job in gpu_jobs) == [
        ("extract", "mine_tiny_resnet18_1-of-1"),
        ("extract", "mine_tiny_untrained_1-of-1"),
        ("train", "tiny_resnet18"),
    ]
    assert {(job.partition, job.gpus) for job in gpu_jobs} == {("gpu", 1)}
    others = [job for job in first if job.rule not in GPU_RULES]
    assert {(job.partition, job.gpus) for job in others} == {("cpu", 0)}
    # the baseline is extracted by a rule of its own, which asks for none
    assert "extract_baseline" in {job.rule for job in others}
    # what was asked for is what was given, as the controller remembers it
    for job in first:
        shown = output("scontrol", "show", "job", str(job.number))
        assert f"Partition={job.partition}\n" in shown.replace(" ", "\n")
        assert ("gres/gpu=1" in shown) == (job.rule in GPU_RULES)


def test_each_job_is_submitted_once_with_its_memory_time_and_account(first):
    assert len({(job.rule, job.wildcards) for job in first}) == len(first)
    # downloads stay local; of extraction, RDMs and RSA there is one for each network
    single = {"read_rdm_dataset", "corpus", "train", "learning", "scores", "ceilings", "claims"}
    assert {job.rule for job in first} == single | {"extract", "extract_baseline", "network_rdms", "rsa"}
    assert len(first) == len(single) + 3 * 3
    asked = {job.rule: (job.memory, job.minutes) for job in first}
    # training and extraction: config.yaml
    assert asked["train"] == ("4000M", 240)
    assert asked["extract"] == asked["extract_baseline"] == ("4000M", 60)
    assert asked["read_rdm_dataset"] == ("2000M", 30)
    assert {job.account for job in first} == {"lab"}


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
def second(project, first):
    """Jobs of a run after a network's card was edited, in which a job was killed; and what Snakemake said."""
    card = project / "resources/models/tiny_untrained.yaml"
    card.write_text(card.read_text().replace("seed: 1", "seed: 2"))
    before = {job.number for job in first}
    # as at sites without accounting, and at those that want gres: both as docs/cluster.md says
    options = ["slurm_partition=gpu", "gpu=0", "gres=gpu:1"]
    run = start(
        *(project, "--slurm-status-command", "squeue", "--slurm-no-account"),
        *("--set-resources", *(f"extract:{option}" for option in options)),
    )

    def killed() -> bool:
        assert run.poll() is None, (project / "snakemake.log").read_text()[-3000:]
        # accounting knows the comment of a job only when it has ended
        running = re.findall(r"^(\d+) rule_extract_", output("squeue", "--noheader", "--format=%i %k"), re.M)
        return bool(running) and kill_processes_of(int(running[0]))

    wait_until(killed, "the extraction", 1200)
    said = finish(run, project)
    return [job for job in jobs() if job.number not in before], said


def test_one_card_edited_submits_its_jobs_alone(second):
    submitted = {(job.rule, job.wildcards) for job in second[0]}
    assert submitted == {
        ("extract", "mine_tiny_untrained_1-of-1"),
        ("network_rdms", "mine_tiny_untrained"),
        ("rsa", "mine_tiny_untrained"),
        ("scores", "mine"),
        ("claims", "mine"),
    }


def test_a_killed_job_is_tried_again_with_more(second, project):
    submitted, said = second
    first_try, retry = sorted((job for job in submitted if job.rule == "extract"), key=lambda job: job.number)
    assert (first_try.state, retry.state) == ("FAILED", "COMPLETED")
    assert (first_try.memory, first_try.minutes) == ("4000M", 60)
    assert (retry.memory, retry.minutes) == ("8000M", 120)
    assert (retry.partition, retry.gpus) == ("gpu", 1)
    assert "Trying to restart job" in said
    # and nothing half-written stays
    folder = project / "results/mine/activations/all-features/tiny_untrained"
    assert [path.name for path in folder.iterdir()] == ["1-of-1"]
