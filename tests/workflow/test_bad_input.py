"""Bad input, as a user meets it: one clear line, a non-zero exit, nothing half-written."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.io import savemat

from support import TINY, at, edit, made, place, refused


def leftovers(project):
    """Files below results/ other than logs, benchmarks and the records of what a study is."""
    folder = project / "results"
    kept = {folder / "logs", folder / "benchmarks"}
    records = ("config.yaml", "origin.json", "claims_before_scores.json")
    kept |= {path for name in records for path in folder.glob(f"studies/*/{name}")}
    return [path for path in folder.rglob("*") if path.is_file() and not kept & {path, *path.parents}]


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("tiny.yaml", "bootstrap: 40", "bootstraps: 40", r"tiny\.yaml: inference\.bootstraps: .*bootstrap\?"),
        ("tiny.yaml", "bootstrap: 40", "bootstrap: many", r"tiny\.yaml: inference\.bootstrap: found 'many'"),
        (
            "tiny.yaml",
            "tiny_simclr, ",
            "tiny_simlcr, ",
            r"models\[1\]: found 'tiny_simlcr'.*did you mean tiny_simclr",
        ),
        (
            "tiny.yaml",
            "datasets: [tiny]",
            "datasets: [tiny, algonauts92]\nmeasures: {dissimilarity: crossnobis}",
            r"tiny\.yaml: measures\.dissimilarity: found crossnobis.*algonauts92 has RDMs only",
        ),
        ("tiny.yaml", "bootstrap: 40", "standard_error: jack", r"inference\.standard_error: found 'jack'"),
        ("tiny.yaml", "datasets: [tiny]", "datasets: [tinny]", r"datasets\[0\].*did you mean tiny\?"),
        ("tiny.yaml", "models: [", "models: [pixels, pixels, ", r"models: found 'pixels' twice"),
        (
            "tiny.yaml",
            "claims: [original_study_v1, original_study]",
            "claims: {equivalence: 0.1}",
            r"claims: found a mapping with equivalence",
        ),
        ("tiny.yaml", "datasets: [tiny]", "datasets: [tiny]\ndatasets: [tiny]", r"the key 'datasets' twice"),
        ("resources/models/tiny_vae.yaml", "family: gen", "famly: gen", r"tiny_vae\.yaml: famly: .*family"),
        (
            "resources/models/tiny_vae.yaml",
            "generative",
            "generativ",
            r"family: found 'generativ'.*generative",
        ),
        ("resources/models/tiny_vae.yaml", "corpus: few", "corpus: fw", r"training\.corpus: found 'fw'.*few"),
        ("resources/models/tiny_vae.yaml", "size: 32, mean", "size: big, mean", r"size: found 'big'"),
        ("resources/models/tiny_vae.yaml", "label: ", "label: [", r"tiny_vae\.yaml: line \d+"),
        ("resources/datasets/tiny.yaml", "loader: simulated", "loader: simulate", r"loader: .*simulated"),
        (
            "tiny.yaml",
            "datasets: [tiny]",
            "datasets: [tiny]\ncorpora: {few: /images}",
            r"tiny\.yaml: corpora\.few: found '/images', expected no folder",
        ),
        (
            "tiny.yaml",
            "datasets: [tiny]",
            "datasets: [tiny]\ncorpora: {cifar: /images}",
            r"tiny\.yaml: corpora\.cifar: .*did you mean cifar10\?",
        ),
        (
            "resources/models/tiny_vae.yaml",
            "batch_size: 16",
            "batch_size: 16\n    norm_batch: 1",
            r"training\.norm_batch: found 1, expected a whole number >= 2",
        ),
        ("scripts/cortexrsa/geometry/gram.py", "def gram(", "def gram((", r"gram\.py: line \d+"),
    ],
)
def test_configuration_and_cards(project, file, old, new, expected):
    edit(project / file, old, new)
    line = refused(project, *TINY, "-n")
    assert re.search(expected, line), line
    assert leftovers(project) == []


@pytest.fixture
def with_stimuli(rerun):
    """The finished run, with the activations still to be made."""
    for name in ("activations/tiny_untrained", "rdms/tiny_untrained.h5", "rsa/tiny_untrained.nc"):
        at(rerun, f"tiny/{name}").rename(rerun / Path(name).name)
    return rerun


def run_untrained(project):
    return refused(project, *TINY, "--", place(project, "tiny/rdms/tiny_untrained.h5"))


def test_a_layer_that_does_not_exist(with_stimuli):
    edit(with_stimuli / "resources/models/tiny_untrained.yaml", "layer2.1", "layer2.7")
    line = run_untrained(with_stimuli)
    assert "tiny_untrained.yaml" in line
    assert "layer2.7" in line
    assert "layer2.1" in line
    assert not at(with_stimuli, "tiny/activations/tiny_untrained/1-of-1").exists()
    log = (with_stimuli / "results/logs/tiny/extract/all-features/tiny_untrained/1-of-1.log").read_text()
    assert "Traceback" in log


def test_duplicate_stimuli(with_stimuli):
    path = at(with_stimuli, "tiny/stimuli.tsv")
    table = pd.read_csv(path, sep="\t")
    table.loc[1, "stimulus_id"] = table.loc[0, "stimulus_id"]
    table.to_csv(path, sep="\t", index=False)
    line = run_untrained(with_stimuli)
    # its record knows it no longer; a table without a record is read, and its rows are checked
    assert "stimuli.tsv: content: found sha256:" in line
    path.with_name("stimuli.tsv.json").unlink()
    line = run_untrained(with_stimuli)
    assert "stimulus_id" in line
    assert "twice" in line


def test_pickled_stimuli_are_refused(with_stimuli):
    np.save(at(with_stimuli, "tiny/stimuli.npy"), np.array([{}], object), allow_pickle=True)
    at(with_stimuli, "tiny/stimuli.tsv.json").unlink()
    assert "stimuli.npy: array: found" in run_untrained(with_stimuli)


def test_truncated_weights(rerun):
    path = rerun / "results/networks/tiny_simclr/weights.safetensors"
    path.write_bytes(path.read_bytes()[:2000])
    line = refused(rerun, *TINY, "--", place(rerun, "tiny/rdms/tiny_simclr.h5"))
    assert "weights.safetensors: content: found sha256:" in line
    # of a file without a record the reader tells as well
    path.with_name("weights.safetensors.json").unlink()
    line = refused(rerun, *TINY, "--", place(rerun, "tiny/activations/tiny_simclr/1-of-1"))
    assert "weights.safetensors" in line
    assert not at(rerun, "tiny/activations/tiny_simclr/1-of-1").exists()


def test_truncated_rdms(rerun):
    path = at(rerun, "tiny/rdms/pixels.h5")
    path.write_bytes(path.read_bytes()[:1000])
    line = refused(rerun, *TINY, "--", place(rerun, "tiny/rsa/pixels.nc"))
    assert "pixels.h5: RDM file" in line
    assert not at(rerun, "tiny/rsa/pixels.nc").exists()


def dataset_from(project, folder, **changes):
    """A data set of RDMs made of local files, as a user would add one."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    images, rdms = changes.get("images", 10), changes.get("rdms", 10)
    for k in range(images):
        pixels = generator.integers(0, 255, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"image_{k:02d}.png")
    square = generator.random((2, rdms, rdms))
    square = square + square.transpose(0, 2, 1)
    square[:, range(rdms), range(rdms)] = 0
    np.savez(folder / "V1.npz", rdm=changes.get("values", square))
    files = "\n".join(
        f"  - {{file: {prefix}{path.name}, url: '{path.as_uri()}'}}"
        for path in sorted(folder.iterdir())
        for prefix in ["" if path.suffix == ".npz" else "stimuli/"]
    )
    (project / "resources/datasets/mine.yaml").write_text(
        f"description: mine\ncitation: none\nlicence: none\nloader: rdms\nfiles:\n{files}\n"
        f"rois: {{V1: {{file: V1.npz, key: {changes.get('key', 'rdm')}}}}}\n"
        "images: stimuli\noptions: {dissimilarity: correlation}\n"
    )
    (project / "mine.yaml").write_text(
        "datasets: [mine]\nmodels: [pixels]\n"
        "roles: {rois: {early: V1, late: V1}, networks: {task_optimised: null, "
        "generative: null, self_supervised: null, untrained: null}}\n"
    )
    return "--configfile", "mine.yaml", "--", place(project, "mine/rdms/brain.h5", "mine.yaml")


def test_a_data_set_of_local_files_is_read(project, tmp_path):
    made(project, *dataset_from(project, tmp_path / "raw"))
    lock = (project / "results/downloads/checksums.lock").read_text()
    assert "mine/V1.npz" in lock


def test_one_roi_of_a_folder_whose_names_look_like_missing_values(project, tmp_path):
    """A MATLAB file, a folder of images, no download; names go through every table to the claims."""
    generator = np.random.default_rng(0)
    (tmp_path / "faces").mkdir()
    for name in ("NA", "nan", "None", "null", *map(str, range(6))):
        pixels = generator.integers(0, 255, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "faces" / f"{name}.png")
    square = generator.random((10, 10, 2))
    square = square + square.transpose(1, 0, 2)
    square[range(10), range(10)] = 0
    savemat(tmp_path / "rdm.mat", {"RDM": square})
    (project / "resources/datasets/faces.yaml").write_text(
        f"description: mine\ncitation: none\nlicence: none\nloader: rdms\npath: {tmp_path}\nimages: faces\n"
        "rois: {NA: {file: rdm.mat}}\noptions: {dissimilarity: correlation, subjects: ['nan', 'None']}\n"
    )
    (project / "faces.yaml").write_text(
        "datasets: [faces]\nmodels: [pixels]\ninference: {bootstrap: 20, permutations: 19, halves: 2}\n"
        "roles: {rois: {early: null, late: NA}, networks: {task_optimised: null, "
        "generative: null, self_supervised: null, untrained: null}}\n"
    )
    made(project, "--configfile", "faces.yaml", "--", "results/studies/faces/faces/claims.csv")
    stimuli = (project / "results/faces/stimuli.tsv").read_text().splitlines()
    assert [line.split("\t")[0] for line in stimuli[1:]] == [*"012345", "NA", "None", "nan", "null"]
    scores, claims = (
        pd.read_csv(project / f"results/studies/faces/faces/{name}.csv", dtype=str, keep_default_na=False)
        for name in ("scores", "claims")
    )
    assert set(scores["subject"]) == {"nan", "None", "group"}
    assert set(scores["roi"]) == {"NA"}
    assert "NA matches middle layers rather than the last" in set(claims["statement"])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"key": "rdms"}, r"V1\.npz: .*rdms.*rdm"),
        ({"rdms": 9}, r"V1\.npz: .*9.*10"),
        ({"images": 5, "rdms": 5}, r"5.*at least 8"),
        ({"values": np.full((2, 10, 10), np.nan)}, r"V1\.npz: "),
        ({"values": np.array([{}], object)}, r"V1\.npz: .*pickle|object"),
    ],
)
def test_raw_files_of_a_data_set(project, tmp_path, changes, expected):
    line = refused(project, *dataset_from(project, tmp_path / "raw", **changes))
    assert re.search(expected, line), line
    assert not (project / "results/mine").exists() or not leftovers_in(project / "results/mine")


def leftovers_in(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_file_that_changed_since_its_first_download(project, tmp_path):
    arguments = dataset_from(project, tmp_path / "raw")
    made(project, *arguments)
    np.savez(tmp_path / "raw/V1.npz", rdm=np.zeros((2, 10, 10)))
    line = refused(project, "--forcerun", "fetch", *arguments)
    assert "sha256" in line
    assert not (project / "results/downloads/mine").exists()


def test_wrong_bytes_in_the_mirror(project, tmp_path):
    mirror = tmp_path / "mirror"
    (mirror / "vae_celeba").mkdir(parents=True)
    (mirror / "vae_celeba/model.pt").write_text("<html>not found</html>")
    study = ("--configfile", "studies/algonauts92.yaml", "--", "results/downloads/vae_celeba")
    line = refused(project, *study, CORTEXRSA_MIRROR=str(mirror))
    assert "model.pt: sha256" in line
    assert "a9e1e6cd8f6d26680b9252dd30168b47b7ace801dcd3b60e2cb91ffa57768b56" in line
    assert not (project / "results/downloads/vae_celeba").exists()
