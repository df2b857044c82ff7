"""Jobs or Snakemake killed, two runs at once, a full disk: the next run makes the same results."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from support import ROOT, TINY, at, killed_twice, place, refused, snakemake, start

# what runs in the tiny study; those that read other data are killed where their studies run
STAGES = {path.stem for path in (ROOT / "scripts").glob("*.py")} - {
    *("archive", "plan", "report", "run_time", "studies", "doctor", "register"),
    *("new_model_card", "new_dataset_card", "export_betas", "document_claims"),
    *("calibration", "calibration_truth", "plot_calibration", "calibrate_comparisons"),
    *("calibrate_encoding", "calibrate_low_level"),
    *("calibrate_designs", "calibrate_regions", "calibrate_bounds", "calibrate_folds"),
    *("recovery", "plot_recovery", "power", "plot_power"),
    *("fetch", "read_kay", "read_rdm_dataset", "read_responses", "read_responses_stimuli", "index_corpus"),
    *("banded", "soft_matching", "hash_corpus", "train_guided", "guided", "robustness", "plot_guided"),
    *("guided_recovery", "plot_guided_recovery"),
}

pytestmark = pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="jobs are found in /proc")


def jobs_of(project: Path) -> dict[int, str]:
    """Processes that run scripts of the workflow in a project: pid -> name of the script."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes()
            script = re.search(rb"/\.snakemake/scripts/tmp\w+\.(\w+)\.py\0", command)
            if script and os.readlink(process / "cwd") == str(project):
                found[int(process.name)] = script[1].decode()
    return found


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def results_of(project: Path) -> dict[str, bytes]:
    """Content of all results; not of logs, run times and Snakemake's report, which shows them."""
    folder = project / "results"
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "workflow.html")
    return {
        name: path.read_bytes()
        for path in files
        if not (name := str(path.relative_to(folder))).startswith(("logs/", "benchmarks/"))
    }


def differences(project: Path, finished: Path) -> list[str]:
    ours, theirs = results_of(project), results_of(finished)
    return sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))


def test_an_orphan_cannot_harm_what_the_next_run_made(rerun, finished):
    """The orphan stands still until the next run has done its work; then it goes on."""
    project = rerun.resolve()
    target = place(rerun, "tiny/activations/tiny_untrained/1-of-1")
    run = start(project, *TINY, "--forcerun", target, "--", target)

    def orphans() -> list[int]:
        return [pid for pid, script in jobs_of(project).items() if script == "extract"]

    while not orphans() or not list((project / target).parent.glob(".1-of-1.*")):
        assert run.poll() is None
    (orphan,) = orphans()
    os.kill(orphan, signal.SIGSTOP)
    second = snakemake(project, *TINY)
    assert second.returncode == 1
    assert "another Snakemake process" in second.stderr or "--unlock" in second.stderr
    kill(run.pid)
    run.wait()
    # nothing stands under the final name, half or whole
    assert not (project / target).exists()
    shutil.rmtree(project / ".snakemake/locks")
    again = snakemake(project, *TINY, "--", target)
    assert again.returncode == 0, again.stderr[-3000:]
    os.kill(orphan, signal.SIGCONT)
    while orphan in jobs_of(project):
        time.sleep(0.05)
    assert differences(project, finished) == []


def hidden(project: Path) -> list[Path]:
    """Half-made files, and what else begins with a dot; not Snakemake's marks of folders."""
    return [path for path in (project / "results").rglob(".*") if path.name != ".snakemake_timestamp"]


def test_jobs_killed_at_every_stage_and_snakemake_at_some(project, finished):
    """On one core, where the finished study had two: the same bytes all the same.

    Snakemake dies with a job of each kind of result: a folder, weights with a checkpoint, activations that
    stand beside each other, arrays, one table, several, figures, and the last of all.
    """
    together = ("simulate", "train", "extract", "rsa", "scores", "claims", "plot_scores", "collect_warnings")
    assert killed_twice(project, *TINY, "--cores", "1", together=together) == {
        f"{stage}.{k}" for stage in STAGES for k in (1, 2)
    }
    assert differences(project, finished) == []
    assert hidden(project) == []


def mount(folder: Path, *options: str) -> bool:
    """Mount or remount a disk in memory on a folder, where this machine lets us."""
    command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "cortexrsa", str(folder)]
    return subprocess.run(command, capture_output=True).returncode == 0


def test_a_full_disk_is_told_and_the_next_run_goes_on(rerun, finished, tmp_path):
    """From trained networks on: what there was to run before is as in the other tests."""
    project, results = rerun, rerun / "results"
    results.rename(tmp_path / "before")
    results.mkdir()
    needed = sum(path.stat().st_size for path in (finished / "results").rglob("*") if path.is_file())
    size, refusals = needed // 4, 0
    if not mount(results, f"size={size}"):
        pytest.skip("mounting a small disk needs root")
    try:
        for part in ("corpora", "networks"):
            shutil.copytree(tmp_path / "before" / part, results / part)
        while (run := snakemake(project, *TINY)).returncode:
            told = r"^Error: results\S*: (The disk is full|free disk|No space left)"
            told += r"|workflow\.html: .*No space left"
            assert re.search(told, run.stderr, re.MULTILINE), run.stderr[-3000:]
            assert hidden(project) == []
            size, refusals = 2 * size, refusals + 1
            assert mount(results, "remount", f"size={size}")
        assert refusals > 1
        if not at(project, "tiny/report.html").exists():
            # all was made before, but the report
            command = [sys.executable, "scripts/report.py", "tiny.yaml"]
            report = subprocess.run(command, cwd=project, capture_output=True, text=True)
            assert report.returncode == 0, report.stderr[-3000:]
        assert differences(project, finished) == []
        assert hidden(project) == []
    finally:
        subprocess.run(["umount", "--lazy", str(results)], check=True)


def test_a_disk_that_is_full_once_a_job_has_ended_is_told(project):
    """Snakemake writes then how long the job took."""
    times = project / "results/benchmarks"
    times.mkdir(parents=True)
    if not mount(times, "size=4k"):
        pytest.skip("mounting a small disk needs root")
    try:
        (times / "full").write_bytes(bytes(4096))
        told = refused(project, *TINY, "--", "results/tiny/truth.nc")
    finally:
        subprocess.run(["umount", "--lazy", str(times)], check=True)
    assert told.startswith("Error: results: The disk is full: no record of this job could be written: ")
    assert "simulate.log" in told


def test_the_list_of_a_folder_of_images_killed(project, tmp_path):
    for k in range(200):
        path = tmp_path / "pictures" / f"kind{k % 2}" / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (k, k, k)).save(path)
    cards = project / "resources"
    shutil.copy(cards / "corpora/imagefolder.yaml", cards / "corpora/pictures.yaml")
    card = (cards / "models/tiny_vae.yaml").read_text().replace("corpus: few", "corpus: pictures")
    (cards / "models/other_vae.yaml").write_text(card)
    (project / "other.yaml").write_text(
        f"models: [other_vae, pixels]\ncorpora: {{pictures: {tmp_path / 'pictures'}}}\n"
        "roles: {networks: {task_optimised: [], generative: other_vae, self_supervised: null, "
        "untrained: null}}\n"
    )
    target = "results/corpora/pictures/index.tsv"
    deaths = killed_twice(project, *TINY, "other.yaml", "--", target, together=["index_corpus"])
    assert deaths == {"index_corpus.1", "index_corpus.2"}
    assert len((project / target).read_text().splitlines()) == 201
    assert hidden(project) == []
