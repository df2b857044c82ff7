"""The archive of a study, and what its check finds; and the plan before a study."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import zipfile

import pandas as pd
import pytest
from PIL import Image

from cortexrsa import cards
from cortexrsa.archive import METADATA, PAPERS, check_archive
from cortexrsa.errors import InputError
from cortexrsa.formats.rdms import read_rdms
from cortexrsa.plan import disk, needed, traced
from support import ROOT, at, copy_project, place


def run(project, script, *arguments):
    command = [sys.executable, f"scripts/{script}.py", *arguments]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def archived(finished, tmp_path_factory):
    """A finished study with its archive."""
    project = shutil.copytree(finished, tmp_path_factory.mktemp("archived") / "project", symlinks=True)
    for name in PAPERS:
        shutil.copy2(ROOT / name, project)
    made = run(project, "archive", "write", "tiny.yaml")
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith("results/archives/tiny.crate.zip (")
    return project


@pytest.fixture
def archive(archived, tmp_path):
    return shutil.copy2(archived / "results/archives/tiny.crate.zip", tmp_path)


def test_an_archive_holds_the_study_and_passes_its_check(archived, archive):
    checked = run(archived, "archive", "check", str(archive))
    assert checked.returncode == 0, checked.stderr
    assert "results made by the code here" in checked.stdout
    names = set(zipfile.ZipFile(archive).namelist())
    results = {"scores.csv", "claims.csv", "report.html", "figures/rois.svg"}
    results |= {"rdms/brain.h5", "rdms/tiny_vae.h5", "rsa/pixels.nc"}
    assert {place(archived, f"tiny/{name}") for name in results} <= names
    assert {"Snakefile", "tiny.yaml", "config.yaml", "scripts/scores.py", "rules/common/studies.smk"} <= names
    assert {"resources/models/tiny_vae.yaml", "requirements.txt", "LICENSE"} <= names
    assert any(name.startswith("results/networks/tiny_vae/") for name in names)
    assert not [name for name in names if "/activations/" in name or "/.snakemake" in name]


def test_it_is_an_ro_crate(archived, archive):
    from rocrate.rocrate import ROCrate

    crate = ROCrate(archive)
    assert crate.mainEntity.id == "Snakefile"
    assert "ComputationalWorkflow" in crate.mainEntity.type
    (action,) = crate.get_by_type("CreateAction")
    assert action["instrument"].id == "Snakefile"
    assert place(archived, "tiny/scores.csv") in {result.id for result in action["result"]}


def test_another_machine_needs_nothing_but_sha256sum(archive, tmp_path):
    zipfile.ZipFile(archive).extractall(tmp_path / "there")
    command = ["sha256sum", "--check", "--quiet", "manifest-sha256.txt"]
    assert subprocess.run(command, cwd=tmp_path / "there").returncode == 0


def change(archive, name, content):
    """Another content (None: no file) under a name, and in the lists of checksums: a careful forgery."""
    with zipfile.ZipFile(archive) as file:
        files = {other: file.read(other) for other in file.namelist()}
    before = hashlib.sha256(files.get(name, b"")).hexdigest().encode()
    if content is None:
        del files[name]
    else:
        files[name] = content(files[name])
        after = hashlib.sha256(files[name]).hexdigest().encode()
        for listing in (METADATA, "manifest-sha256.txt"):
            files[listing] = files[listing].replace(before, after)
    with zipfile.ZipFile(archive, "w") as file:
        for other, data in files.items():
            file.writestr(other, data)


def drawn_elsewhere(data: bytes) -> bytes:
    """An empty picture of the same size, without a word of what made it."""
    picture = io.BytesIO()
    Image.new("RGB", Image.open(io.BytesIO(data)).size).save(picture, format="png")
    return picture.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("tiny/scores.csv", None, r"tiny/scores\.csv: found no such file"),
        (
            "tiny/rdms/brain.h5",
            lambda data: data + b" ",
            r"made from results/tiny/rdms/correlation/brain-\S+\.h5",
        ),
        ("tiny/stimuli.tsv", lambda data: data + b"\n", r"made from results/tiny/stimuli\.tsv"),
        (
            "tiny/figures/rois.svg",
            lambda data: re.sub(b"<dc:description>.*</dc:description>", b"", data),
            r"figures/rois\.svg: found no record of the code that made it",
        ),
        (
            "tiny/figures/rois.png",
            drawn_elsewhere,
            r"figures/rois\.png: found no record of the code that made it",
        ),
        (
            "scripts/plot_claims.py",
            lambda data: data + b"\nprint()\n",
            r"figures/centroids\.png: found made by code \w{16}, expected \w{16}, as plot_claims\.py is here",
        ),
        (
            "scripts/cortexrsa/geometry/gram.py",
            lambda data: data.replace(b"CHUNK_BYTES = 32", b"CHUNK_BYTES = 31"),
            r"made by code \w{16}, expected \w{16}, as \w+\.py is here",
        ),
    ],
)
def test_what_was_changed_is_found(archived, archive, name, content, expected):
    change(archive, place(archived, name) if name.startswith("tiny/") else name, content)
    with pytest.raises(InputError, match=expected):
        check_archive(archive)


def test_changed_bytes_missing_lists_and_strange_files_are_found(archive, tmp_path):
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("results/tiny/more.csv", "x")
    with pytest.raises(InputError, match=r"more\.csv: found a file that is not listed"):
        check_archive(archive)
    (tmp_path / "text").write_text("no archive")
    with pytest.raises(InputError, match="archive: found no zip file"):
        check_archive(tmp_path / "text")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as file:
        file.writestr("x", "x")
    with pytest.raises(InputError, match=r"ro-crate-metadata\.json: found no such file"):
        check_archive(tmp_path / "empty.zip")


def test_an_unfinished_study_is_not_archived(archived):
    (archived / "more.yaml").write_text("inference: {bootstrap: 41}\n")
    refused = run(archived, "archive", "write", "tiny.yaml", "more.yaml")
    assert refused.returncode == 1
    told = r"Error: more\.yaml: results: found \d+ jobs still to run, expected a finished study\n"
    assert re.fullmatch(told, refused.stderr), refused.stderr


def test_the_plan_says_what_the_study_then_took(archived, tmp_path):
    project = copy_project(tmp_path / "project")
    planned = run(project, "plan", "tiny.yaml")
    assert planned.returncode == 0, planned.stderr
    text = planned.stdout
    benchmarks = list((archived / "results/benchmarks").rglob("*.tsv"))
    # one job for each run-time file
    assert f"Jobs to run: {len(benchmarks)}\n" in text
    assert "extract 4, extract_baseline 1," in text
    assert "Jobs that use a GPU if there is one: 7\n" in text
    (row,) = (line.split() for line in text.splitlines() if line.startswith("tiny "))
    assert int(row[1]) == 44
    # to the byte, but for the headers of the files
    datasets = {"tiny": cards.load_card("datasets", "tiny", project)}
    names = ("tiny_resnet18", "tiny_simclr", "tiny_vae", "tiny_untrained", "pixels")
    features = traced({name: cards.load_card("models", name, project) for name in names})
    settings = {"bootstrap": 40, "permutations": 99}
    (planned,) = disk(datasets, dict.fromkeys(datasets, features), settings, project / "results").to_dict(
        "records"
    )
    arrays = list((archived / "results/tiny").glob("activations/*/*/*/*.npy"))
    assert planned["activations"] == sum(path.stat().st_size - 128 for path in arrays)
    assert planned["rdms"] == sum(
        read_rdms(at(archived, f"tiny/rdms/{name}.h5")).dissimilarities.nbytes for name in names
    )


def test_the_plan_of_a_data_set_whose_stimuli_are_not_known(tmp_path, monkeypatch):
    card = {"loader": "bids", "options": {}, "rois": {"V1": {}}}
    inference = {"bootstrap": 10, "permutations": 10}
    table = disk({"mine": card}, {"mine": {"net": [100, 10]}}, inference, tmp_path)
    assert table["stimuli"].isna().all()
    assert table["activations"].isna().all()
    (tmp_path / "mine").mkdir()
    stimuli = pd.DataFrame({"stimulus_id": range(50), "split": "test"})
    stimuli.to_csv(tmp_path / "mine/stimuli.tsv", sep="\t", index=False)
    (row,) = disk({"mine": card}, {"mine": {"net": [100, 10]}}, inference, tmp_path).to_dict("records")
    assert row["activations"] == row["largest"] == 4 * 50 * 110
    assert row["rdms"] == 8 * 2 * 50 * 49 / 2
    rest = row["rdms"] + row["scores"]
    assert needed(table, True) == needed(table, False) == 320  # scores alone
    table = pd.DataFrame([row, row | {"activations": 5e9, "largest": 2e9}])
    assert needed(table, True) == 2 * rest + row["activations"] + 5e9
    # whose activations go: room for those of the largest network is needed all the same
    assert needed(table, False) == 2 * rest + 2e9
    json.dumps(row["stimuli"])


def test_a_network_that_looks_at_its_numbers_while_it_is_built_is_planned(tmp_path):
    (tmp_path / "hubconf.py").write_text(
        "import torch\n"
        "def looking():\n"
        "    conv = torch.nn.Conv2d(3, 4, 3)\n"
        "    assert conv.weight.abs().max().item() > 0\n"
        "    return torch.nn.Sequential(conv, torch.nn.ReLU())\n"
    )
    card = {
        "network": {"source": "hub", "name": "looking", "options": {"repo": str(tmp_path)}},
        "preprocessing": {"size": 8},
        "layers": ["0", "1"],
    }
    assert traced({"looking": card}) == {"looking": [144, 144]}
    with pytest.raises(InputError, match="nowhere"):
        traced({"looking": card | {"layers": ["nowhere"]}})
