"""The tutorial from start to end: its own code, cards and claims, on the betas of the tiny study."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.spatial.distance import squareform

from cortexrsa.formats.rdms import read_rdms
from support import ROOT, edit, made

PAGE = (ROOT / "docs/tutorial.md").read_text()
# figures, report and the other measures are those of any study, which other tests run
SMALL = {"inference": {"bootstrap": 20, "permutations": 99, "ceiling_splits": 2, "halves": 2}}
SMALL |= {"encoding": {"methods": []}, "measures": {"others": []}}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def begun(finished, tmp_path) -> Path:
    """A copy of the project with the betas and training images of the tiny study, and nothing else of it."""
    project = tmp_path / "project"
    left_out = shutil.ignore_patterns("studies", "activations", "networks", "rdms")
    shutil.copytree(finished / "results", project / "results", ignore=left_out)
    for part in ("Snakefile", "config.yaml", "rules", "scripts", "envs", "profiles", "resources", "studies"):
        place = finished / part
        (shutil.copytree if place.is_dir() else shutil.copy2)(place, project / part)
    return project


def in_the_page(command: str, home: Path) -> list[str]:
    """Arguments of the one command of the page that begins so, in the tiny study and another home."""
    (line,) = (line for block in blocks("bash") for line in block.splitlines() if line.startswith(command))
    tiny = {"results/simulated": "results/tiny", "corpora/procedural": "corpora/few", "~": str(home)}
    for here, there in tiny.items():
        line = line.replace(here, there)
    return line.split()[1:]


def run(project: Path, command: str, home: Path) -> str:
    told = subprocess.run(
        [sys.executable, *in_the_page(command, home)], cwd=project, capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr
    return told.stdout


def by_roi(path: Path) -> dict[str, np.ndarray]:
    """RDM of each ROI of one person, as a square whose stimuli stand in the order of their names."""
    rdms = read_rdms(path)
    order = np.argsort(rdms.pattern_descriptors["stimulus_id"])
    squares = [squareform(rdm)[np.ix_(order, order)] for rdm in rdms.dissimilarities]
    return dict(zip(rdms.rdm_descriptors["roi"], squares, strict=True))


@pytest.mark.slow
def test_from_betas_to_a_claim_about_a_network_of_ones_own(finished, begun, tmp_path):
    home = tmp_path / "home"
    told = run(begun, "python scripts/export_betas.py", home)
    assert "ROIs" in told
    # three to describe it, and the axes: the grid of the tiny study is the same both ways
    assert "4 places are left to decide" in run(begun, "python scripts/new_dataset_card.py", home)
    card = begun / "resources/datasets/mylab.yaml"
    edit(card, "size: 224", "size: 64")
    card.write_text(card.read_text().replace("TO DECIDE", "decided"))

    (home / "tutorial/mynet").mkdir()
    for name, code in zip(("hubconf.py", "train.py"), blocks("python"), strict=True):
        (home / "tutorial/mynet" / name).write_text(code)
    assert "epoch 5: loss" in run(begun, "python ~/tutorial/mynet/train.py", home)
    run(begun, "python scripts/new_model_card.py", home)
    keys, claims, study = (yaml.safe_load(block.replace("HOME", str(home))) for block in blocks("yaml"))
    network = begun / "resources/models/mynet.yaml"
    network.write_text(yaml.safe_dump(yaml.safe_load(network.read_text()) | keys))
    (begun / "resources/claims/mine.yaml").write_text(yaml.safe_dump(claims))
    (begun / "studies/mystudy.yaml").write_text(yaml.safe_dump(study | SMALL))
    registered = subprocess.run(
        [sys.executable, "scripts/register.py", "studies/mystudy.yaml"],
        cwd=begun,
        capture_output=True,
        text=True,
    )
    assert registered.returncode == 0, registered.stderr

    results = begun / "results/studies/mystudy/mylab"
    wanted = str((results / "claims.csv").relative_to(begun))
    made(begun, *in_the_page("snakemake --cores 2 --configfile", home), "--", wanted)
    verdicts = pd.read_csv(results / "claims.csv").query("statistic == 'overall'")
    assert set(verdicts["claim"]) == {claim["id"] for claim in claims["claims"]}
    assert set(verdicts["verdict"]) <= {"supported", "contradicted", "inconclusive"}
    assert verdicts["registered"].str.contains("unchanged").all()
    assert set(pd.read_csv(results / "scores.csv")["model"]) == {"mynet", "pixels", "gabor"}
    # the folder holds the betas of the tiny study: the same RDMs come out of it
    (before,) = (finished / "results/tiny/rdms/correlation").glob("brain-*.h5")
    before, after = by_roi(before), by_roi(begun / "results/mylab/rdms/correlation/brain-published.h5")
    assert before.keys() == after.keys() == {"V1", "LO"}
    for roi, rdm in before.items():
        np.testing.assert_allclose(after[roi], rdm, atol=1e-5)
