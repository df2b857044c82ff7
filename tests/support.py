"""What tests in several folders share: refusals, copies of the project, and runs of Snakemake in them."""

from __future__ import annotations

import html
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from cortexrsa import studies
from cortexrsa.cards import load_card, merged_config
from cortexrsa.errors import InputError
from cortexrsa.inference.ceilings.bounds import Ceiling
from forked import exit_code, run_snakemake

ROOT = Path(__file__).resolve().parents[1]
HERE = Path(__file__).resolve().parent / "workflow"
PARTS = ("Snakefile", "config.yaml", "rules", "scripts", "envs", "profiles", "resources", "studies")
TINY = ("--configfile", "tiny.yaml")


# ---- refusals ----------------------------------------------------------------------------------------------


def message_of(call, *arguments, **options) -> str:
    """The one line of the `InputError` that a call raises."""
    with pytest.raises(InputError) as caught:
        call(*arguments, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def error_of(run: subprocess.CompletedProcess) -> str:
    """The one line with which a program refuses, and no traceback beside it."""
    assert run.returncode != 0, run.stdout[-3000:]
    assert "Traceback" not in run.stderr, run.stderr[-3000:]
    lines = [line for line in run.stderr.splitlines() if line.startswith("Error: ")]
    # that of a job is repeated last
    assert len(set(lines)) == 1, run.stderr[-3000:]
    return lines[0]


def edit(path: Path, old: str, new: str) -> None:
    """Replace the first place of a text that must be there."""
    text = path.read_text()
    assert old in text, f"{path.name}: {old!r} is not there to be replaced"
    path.write_text(text.replace(old, new, 1))


# ---- runs of the workflow ----------------------------------------------------------------------------------


def copy_project(destination: Path) -> Path:
    """The project without its results, with the cards of the tests added."""
    destination.mkdir(parents=True)
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, destination / part)
        else:
            shutil.copy2(ROOT / part, destination / part)
    shutil.copytree(HERE / "cards", destination / "resources", dirs_exist_ok=True)
    shutil.copy2(HERE / "tiny.yaml", destination)
    return destination


def snakemake(project: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """Run Snakemake in a copy of the project."""
    return run_snakemake(["--cores", "2", *arguments], project, os.environ | environment)


def made(project: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """Run Snakemake, which must succeed."""
    run = snakemake(project, *arguments, **environment)
    assert run.returncode == 0, run.stderr[-5000:]
    return run


def refused(project: Path, *arguments: str, **environment: str) -> str:
    """Run Snakemake, which must fail; the one line that explains it, the last of all."""
    run = snakemake(project, *arguments, **environment)
    assert run.stderr.splitlines()[-1] == error_of(run)
    return error_of(run)


def start(project: Path, *arguments: str, **environment: str) -> subprocess.Popen:
    """Snakemake in the background, in a session of its own."""
    with open(project / "snakemake.log", "w") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "snakemake", "--cores", "2", *arguments],
            cwd=project,
            env=os.environ | environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def killed_twice(
    project: Path, *arguments: str, together: Iterable[str] = (), **environment: str
) -> set[str]:
    """Run Snakemake to its end, while every script is killed twice, see workflow/killed/sitecustomize.py.

    A script is retried; the first time, those of `together` die with Snakemake, which is then started again.
    Returns the deaths, as `script.1` and `script.2`.
    """
    deaths = project / "deaths"
    deaths.mkdir()
    environment |= {"PYTHONPATH": str(HERE / "killed"), "FAULTS_FOLDER": str(deaths)}
    environment |= {"FAULTS_TOGETHER": " ".join(together)}
    log = project / "snakemake.log"
    log.touch()
    words = ["--cores", "2", "--retries", "2", *arguments]
    while (code := exit_code(words, project, os.environ | environment, (log, log))) == -signal.SIGKILL:
        shutil.rmtree(project / ".snakemake/locks")
    assert code == 0, log.read_text()[-3000:]
    return {path.name for path in deaths.iterdir()}


def pending(project: Path, *arguments: str) -> set[str]:
    """Outputs that a run would make (again), as `short` has them."""
    summary = snakemake(project, "--summary", *(arguments or TINY))
    assert summary.returncode == 0, summary.stderr
    rows = [line.split("\t") for line in summary.stdout.splitlines() if line.startswith("results/")]
    assert rows, summary.stdout
    return {short(row[0]) for row in rows if row[-1] != "no update"}


# ---- where results lie -------------------------------------------------------------------------------------


def short(path: str) -> str:
    """A path below results/ without the names that studies and settings give to folders.

    So `studies/tiny/tiny/scores.csv` is `tiny/scores.csv`, and
    `tiny/rdms/correlation/raw/all-features/pixels.h5` is `tiny/rdms/pixels.h5`.
    """
    path = path.removeprefix("results/")
    path = re.sub(r"^studies/[^/]+/", "", path)
    path = re.sub(r"/(glm|activations)/[^/]+/", r"/\1/", path)
    path = re.sub(r"/responses/[^/]+\.nc$", "/responses.nc", path)
    return re.sub(r"/rdms/(?:[^/]+/)*(brain|[^/]+?)(?:-[^/]*)?\.h5$", r"/rdms/\1.h5", path)


def at(project: Path, name: str, configfile: str = TINY[1]) -> Path:
    """Where a project has what `short` calls `name`."""
    return project / place(project, name, configfile)


def place(project: Path, name: str, configfile: str = TINY[1]) -> str:
    """Path below the project of what `short` calls `name`, in the study of configuration files."""
    if name.startswith(("networks/", "corpora/")):
        return f"results/{name}"
    config = merged_config(project, [str(project / file) for file in configfile.split()])
    dataset, name = name.split("/", 1)
    card = load_card("datasets", dataset, project)
    if name == "rdms/brain.h5":
        return studies.brain_rdms(config, dataset, card)
    if name == "rdms/voxels.h5":
        return studies.voxel_rdms(config, dataset, card)
    if name.startswith("rdms/"):
        return studies.network_rdms(config, dataset, Path(name).stem)
    if name == "responses.nc":
        return f"results/{dataset}/responses/{studies.responses_key(config, card)}.nc"
    if name.startswith("glm/"):
        return f"results/{dataset}/glm/{studies.glm_key(config)}/{name.removeprefix('glm/')}"
    if name.startswith("activations/"):
        features = studies.features_key(config)
        return f"results/{dataset}/activations/{features}/{name.removeprefix('activations/')}"
    if name in ("bids", "truth.nc") or name.startswith("stimuli"):
        return f"results/{dataset}/{name}"
    return f"results/studies/{config['study']}/{dataset}/{name}"


# ---- figures -----------------------------------------------------------------------------------------------


def words_of(svg: Path) -> str:
    """All text of a figure. It is drawn as paths, with what each of its lines says in a comment."""
    return " ".join(html.unescape(line) for line in re.findall(r"<!-- (.*?) -->", svg.read_text()))


def assert_figure(folder: Path, name: str, *words: str) -> None:
    """A figure is whole, drawn on and of one size as PNG and SVG, and has these words in it."""
    svg = (folder / f"{name}.svg").read_text()
    size = re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', svg).groups()
    ElementTree.fromstring(svg)
    with Image.open(folder / f"{name}.png") as image:
        image.load()
        dpi = image.info["dpi"][0]
        pixels = np.asarray(image.convert("L"))
    assert pixels.shape == pytest.approx([float(points) * dpi / 72 for points in reversed(size)], abs=2), name
    # drawn on, over most of its height and width
    inked = pixels < 250
    assert inked.mean() > 0.02, name
    for axis in (0, 1):
        drawn = np.flatnonzero(inked.any(axis=1 - axis))
        assert drawn[-1] - drawn[0] > 0.6 * pixels.shape[axis], name
    for word in words:
        assert word in words_of(folder / f"{name}.svg"), f"{name}: {word}"


def ceiling(kind: str, signal: float, low: float, attainable: float, error: float = 0.0) -> dict:
    """A noise ceiling of one ROI; signal is the reliability of repeats, or the lower bound of people."""
    name = "lower" if kind == "subjects" else "reliability"
    limits = {"attainable_ci_low": attainable - error, "attainable_ci_high": attainable + error}
    known = {"kind": kind, name: signal, f"{name}_ci_low": low, "attainable": attainable}
    return dict.fromkeys(Ceiling.names(), np.nan) | known | limits


UNKNOWN = ceiling("unknown", np.nan, np.nan, np.nan)
