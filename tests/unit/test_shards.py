"""Activations in shards: the same rows, the same bits and the same RDMs as in one piece."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cortexrsa import storage
from cortexrsa.errors import InputError
from cortexrsa.formats.activations import Activations, read_layers, shard_rows
from cortexrsa.geometry.gram import feature_slices
from cortexrsa.geometry.layers import network_rdms
from cortexrsa.geometry.rdm import KERNELS
from cortexrsa.networks.build import build
from cortexrsa.networks.extraction import extract, write_layers
from cortexrsa.networks.settings import Preprocessing
from cortexrsa.storage import write_provenance

ROOT = Path(__file__).resolve().parents[2]


def names_of(shards):
    return [f"{k}-of-{shards}" for k in range(1, shards + 1)]


@pytest.mark.parametrize("n", [8, 44, 120, 1750, 10_000])
@pytest.mark.parametrize("shards", [1, 2, 3, 7, 8])
def test_shards_cover_the_stimuli_in_order(n, shards):
    rows = [shard_rows(n, name) for name in names_of(shards)]
    assert np.concatenate([np.arange(n)[part] for part in rows]).tolist() == list(range(n))
    sizes = [part.stop - part.start for part in rows]
    assert min(sizes) > 0
    if n >= 64 * shards:
        assert all(part.start % 64 == 0 for part in rows)
    # as even as their step allows
    assert max(sizes) - min(sizes) <= (64 if n < 64 * shards else 128)


def test_more_shards_than_stimuli_are_refused():
    with pytest.raises(InputError, match="shards: found 9, expected at most 8"):
        shard_rows(8, "1-of-9")


def write_shards(folder, features, shards):
    folders = []
    for name in names_of(shards):
        part = folder / name
        part.mkdir(parents=True)
        np.save(part / "conv.npy", features[shard_rows(len(features), name)])
        (part / "layers.tsv").write_text(f"layer\tindex\tdepth\tshape\nconv\t0\t0.0\t{features.shape[1]}\n")
        folders.append(part)
    stimuli = {"stimulus_id": [f"s{k}" for k in range(len(features))], "split": "test", "repeats": 1}
    pd.DataFrame(stimuli).to_csv(folder / "stimuli.tsv", sep="\t", index=False)
    return folders


@pytest.mark.parametrize("dissimilarity", KERNELS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rdms_from_shards_are_those_of_one_piece_bit_by_bit(tmp_path, dissimilarity, dtype):
    features = np.random.default_rng(0).normal(3, 1, size=(50, 333)).astype(dtype)
    whole, parts = (
        network_rdms(
            write_shards(tmp_path / str(shards), features, shards),
            tmp_path / str(shards) / "stimuli.tsv",
            dissimilarity,
        )
        for shards in (1, 7)
    )
    assert whole.dissimilarities.tobytes() == parts.dissimilarities.tobytes()
    pd.testing.assert_frame_equal(whole.rdm_descriptors, parts.rdm_descriptors)


def test_extraction_in_shards_gives_the_same_bits(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (300, 16, 16, 3), np.uint8)
    options = {"width": 4, "stem": "small", "classes": 3}
    network = build({"source": "resnet", "name": "resnet18", "options": options}, seed=1)
    layers = ["relu", "layer2.1", "avgpool"]

    def run(name):
        (tmp_path / name).mkdir()
        rows = images[shard_rows(300, name)]
        written = extract(network, rows, Preprocessing(16), layers, tmp_path / name, device="cpu")
        write_layers(tmp_path / name, *written)
        return [np.load(tmp_path / name / f"{layer}.npy") for layer in layers]

    whole = run("1-of-1")
    parts = [run(name) for name in names_of(3)]
    for layer, expected in enumerate(whole):
        assert np.concatenate([part[layer] for part in parts]).tobytes() == expected.tobytes()
    tables = [read_layers([tmp_path / name]) for name in ["1-of-1", *names_of(3)]]
    assert all(table.equals(tables[0]) for table in tables)


def test_a_shard_that_was_changed_is_named(tmp_path):
    features = np.random.default_rng(0).normal(size=(50, 12)).astype(np.float32)
    folders = write_shards(tmp_path, features, 3)
    for folder in folders:
        write_provenance(folder / "layers.tsv", {}, {path.name: path for path in folder.iterdir()})
    network_rdms(folders, tmp_path / "stimuli.tsv", "correlation")
    path = folders[1] / "conv.npy"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"2-of-3/conv\.npy: content: found sha256:\w+, expected sha256:"):
        network_rdms(folders, tmp_path / "stimuli.tsv", "correlation")


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        ("rows", r"2-of-3/conv\.npy: shape: found \(16, 12\), expected \(17 stimuli"),
        ("features", r"2-of-3/conv\.npy: shape: found \(17, 11\)"),
        ("dtype", r"2-of-3/conv\.npy: dtype: found float64, expected float32, as in"),
        ("integers", r"2-of-3/conv\.npy: dtype: found int64, expected float32 or float64"),
        ("cut", r"2-of-3/conv\.npy: array: found .*, expected an \.npy file"),
        ("missing", r"2-of-3/conv\.npy: array: found "),
        ("nan", r"2-of-3/conv\.npy: activations: found NaN"),
        ("layers", r"2-of-3/layers\.tsv: layers: found another table, expected that of .*1-of-3"),
        ("no layers", r"2-of-3/layers\.tsv: table: found "),
    ],
)
def test_a_damaged_shard_is_named(tmp_path, damage, expected):
    features = np.random.default_rng(0).normal(size=(50, 12)).astype(np.float32)
    folders = write_shards(tmp_path, features, 3)
    path, table = folders[1] / "conv.npy", folders[1] / "layers.tsv"
    part = np.load(path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    elif damage == "missing":
        path.unlink()
    elif damage == "layers":
        table.write_text(table.read_text().replace("conv", "relu"))
    elif damage == "no layers":
        table.write_text("")
    else:
        spoilt = part.copy()
        spoilt[3, 2] = np.nan
        changes = {
            "rows": part[1:],
            "features": part[:, 1:],
            "dtype": part.astype(float),
            "integers": part.astype(int),
            "nan": spoilt,
        }
        np.save(path, changes[damage])
    with pytest.raises(InputError, match=expected):
        network_rdms(folders, tmp_path / "stimuli.tsv", "correlation")


MEASURE = """
import sys
from pathlib import Path
from cortexrsa.geometry.layers import network_rdms
folder = Path(sys.argv[1])
network_rdms(sorted(folder.glob("*-of-*")), folder / "stimuli.tsv", "correlation")
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(int(status["VmHWM"].split()[0]) / 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_memory_does_not_grow_with_the_features_of_the_shards(tmp_path):
    peaks = []
    for features in (35_000, 70_000):
        folder = tmp_path / str(features)
        write_shards(folder, np.random.default_rng(0).random((1000, features), np.float32), 2)
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts"), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-c", MEASURE, str(folder)]
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        peaks.append(float(run.stdout))
    # the files differ by 140 MB; both are several chunks of 32 MB
    assert peaks[1] - peaks[0] < 30


def test_shards_are_read_by_slices_of_features(tmp_path):
    features = np.arange(30, dtype=np.float32).reshape(10, 3)
    folders = write_shards(tmp_path, features, 2)
    activations = Activations([folder / "conv.npy" for folder in folders], 10)
    assert (activations.shape, activations.dtype, len(activations)) == ((10, 3), np.float32, 10)
    np.testing.assert_array_equal(activations[:, 1:3], features[:, 1:3])
    np.testing.assert_array_equal(activations[2:7, :2], features[2:7, :2])
    # two chunks, the last one narrower: those of one piece
    for columns in feature_slices(features, 80):
        ours, expected = activations[:, columns], features[:, columns]
        np.testing.assert_array_equal(ours, expected)


def test_a_byte_that_changed_in_the_middle_of_large_activations_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "LARGE", 1000)
    folders = write_shards(tmp_path, np.arange(3000, dtype=np.float32).reshape(10, 300), 1)
    path = folders[0] / "conv.npy"
    write_provenance(folders[0] / "layers.tsv", None, {path.name: path})
    Activations([path], 10)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    with pytest.raises(InputError, match="conv.npy: content: found xxh3-128"):
        Activations([path], 10)
