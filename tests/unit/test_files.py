"""Files between the stages: round trips, atomic writing, provenance and refusals."""

import contextlib
import errno
import hashlib
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import rsatoolbox
import torch
import xarray
import xxhash

from cortexrsa import storage
from cortexrsa.errors import InputError
from cortexrsa.formats.arrays import load_array
from cortexrsa.formats.netcdf import read_dataset, write_dataset
from cortexrsa.formats.rdms import RDMs, read_rdms, write_rdms
from cortexrsa.formats.responses import read_responses, write_responses
from cortexrsa.formats.stimuli import read_stimuli, write_stimuli
from cortexrsa.formats.tables import Column, Table, read_table, write_table
from cortexrsa.jobs import errors_in, job_log
from cortexrsa.storage import atomic_folder, atomic_path, checksum
from support import message_of

SCORES = Table({"roi": Column("text"), "score": Column("number")})


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# ---- writing -----------------------------------------------------------------------------------------------


def test_half_written_file_never_has_its_name(tmp_path):
    path = tmp_path / "sub/table.csv"

    def killed():
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            assert not path.exists()
            assert temporary.parent == path.parent
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed()
    assert names(path.parent) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from cortexrsa import storage
with getattr(storage, sys.argv[1])(sys.argv[2]) as temporary:
    (temporary / "half" if temporary.is_dir() else temporary).write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("writer", ["atomic_path", "atomic_folder"])
def test_what_a_killed_job_left_is_removed_by_the_next(tmp_path, writer):
    path = tmp_path / "a.csv"
    others = [".a.csv.json.abcdefgh.json", ".b.csv.abcdefgh.csv", "a.csv.json"]
    for name in others:
        (tmp_path / name).write_text("another file's")
    environment = os.environ | {"PYTHONPATH": str(Path(storage.__file__).parents[1])}
    subprocess.run([sys.executable, "-c", KILLED, writer, str(path)], env=environment)
    assert not path.exists()
    assert len(names(tmp_path)) == len(others) + 1
    with getattr(storage, writer)(path):
        pass
    assert names(tmp_path) == sorted([*others, "a.csv"])


def test_failure_leaves_the_former_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail():
        with atomic_path(path) as temporary:
            temporary.write_text("new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    with atomic_path(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"
    assert names(tmp_path) == ["a.txt"]


def test_written_files_follow_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        with atomic_path(tmp_path / "a.txt") as temporary:
            temporary.write_text("x")
        with atomic_folder(tmp_path / "b") as temporary:
            (temporary / "x").write_text("x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o750


def test_folder_appears_whole_or_not_at_all(tmp_path):
    folder = tmp_path / "activations"

    def fail():
        with atomic_folder(folder) as temporary:
            (temporary / "a.npy").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert names(tmp_path) == []
    for content in ("a", "b"):
        with atomic_folder(folder) as temporary:
            (temporary / content).write_text(content)
    # nothing of the former folder is mixed in
    assert names(folder) == ["b"]
    assert names(tmp_path) == ["activations"]


def test_table_has_its_provenance_beside_it(tmp_path):
    table = pd.DataFrame({"roi": ["V1", "LO"], "score": [1 / 3, np.nan]})
    write_table(tmp_path / "scores.csv", table, {"seed": 7}, SCORES)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "scores.csv"), table, rtol=1e-9)
    record = json.loads((tmp_path / "scores.csv.json").read_text())
    assert record["settings"] == {"seed": 7}
    assert record["versions"]["numpy"] == np.__version__
    write_table(tmp_path / "scores.tsv", table, {}, SCORES)
    assert (tmp_path / "scores.tsv").read_text().startswith("roi\tscore\n")


def test_checksum_of_a_file_and_of_a_folder(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/x.npy").write_bytes(b"content")
    expected = "sha256:" + hashlib.sha256(b"content").hexdigest()
    assert checksum(tmp_path / "a/b/x.npy") == expected
    before = checksum(tmp_path / "a")
    assert before.startswith("sha256:")
    # another content, another name or another file makes another folder; the time does not
    os.utime(tmp_path / "a/b/x.npy", (1, 1))
    (tmp_path / "a/.snakemake_timestamp").touch()
    assert checksum(tmp_path / "a") == before
    (tmp_path / "a/y").write_bytes(b"")
    added = checksum(tmp_path / "a")
    (tmp_path / "a/y").rename(tmp_path / "a/z")
    renamed = checksum(tmp_path / "a")
    (tmp_path / "a/z").write_bytes(b"1")
    assert len({before, added, renamed, checksum(tmp_path / "a")}) == 4


def test_checksum_of_a_large_file_sees_every_byte(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "LARGE", 100)
    monkeypatch.setattr(storage, "READ", 32)
    path = tmp_path / "x.npy"
    contents = [b"a" * 101, b"a" * 102, *(b"a" * k + b"b" + b"a" * (100 - k) for k in range(101))]
    checksums = set()
    for k, content in enumerate(contents):
        path.write_bytes(content)
        os.utime(path, (k, k))
        checksums.add(checksum(path))
        assert checksum(path) == "xxh3-128:" + xxhash.xxh3_128(content).hexdigest()
    assert len(checksums) == len(contents)


def test_job_that_fails_says_one_line_and_logs_the_rest(tmp_path, capfd):
    log = tmp_path / "logs/rule.log"

    def job():
        with job_log(log):
            print("working")
            print("warning", file=sys.stderr)
            raise InputError("layers", "layre1", "layer1", file="card.yaml")

    with pytest.raises(SystemExit) as caught:
        job()
    assert caught.value.code == 1
    text = log.read_text()
    assert "working\n" in text
    assert "warning\n" in text
    assert "Traceback" in text
    shown = capfd.readouterr().err
    assert shown == f"Error: card.yaml: layers: found layre1, expected layer1 (details: {log})\n"


def test_lines_of_error_are_found_in_the_logs(tmp_path, capfd):
    for name, outcome in (("a/old", 1), ("b/first", 1), ("second", 1), ("done", None)):
        with contextlib.suppress(SystemExit), job_log(tmp_path / f"{name}.log"):
            if outcome:
                raise InputError("layers", name, "layer1", file="card.yaml")
        os.utime(tmp_path / f"{name}.log", (len(os.listdir(tmp_path)),) * 2)
    shown = capfd.readouterr().err.splitlines()
    assert len(shown) == 3
    assert errors_in(tmp_path, 2) == shown[1:]


def test_job_that_fails_otherwise_names_the_kind_of_error(tmp_path, capfd):
    with pytest.raises(SystemExit), job_log(tmp_path / "rule.log"):
        raise ZeroDivisionError("two\nlines")
    assert capfd.readouterr().err.startswith("Error: ZeroDivisionError: two lines (details: ")


def test_job_that_succeeds_leaves_its_log(tmp_path, capfd):
    with job_log(tmp_path / "rule.log"):
        print("done")
    assert (tmp_path / "rule.log").read_text() == "done\n"
    assert capfd.readouterr().err == ""


# ---- stimuli -----------------------------------------------------------------------------------------------


def stimuli(n=9):
    images = np.random.default_rng(0).integers(0, 256, (n, 4, 5, 3), np.uint8)
    table = pd.DataFrame(
        {"stimulus_id": [f"{i:03}" for i in range(n)], "split": "test", "repeats": 2, "label": "cat"}
    )
    return images, table


def test_stimuli_round_trip(tmp_path):
    images, table = stimuli()
    paths = tmp_path / "stimuli.npy", tmp_path / "stimuli.tsv"
    write_stimuli(*paths, images, table, {})
    read, read_table = read_stimuli(*paths)
    np.testing.assert_array_equal(read, images)
    # 000 stays text
    assert read_table["stimulus_id"].tolist() == table["stimulus_id"].tolist()
    assert read_table["label"].tolist() == table["label"].tolist()


BAD_STIMULI = [
    (lambda i, t: (i.astype(float), t), "images: found float64 (9, 4, 5, 3), expected uint8 (n, H, W, 3)"),
    (lambda i, t: (i[..., 0], t), "images: found uint8 (9, 4, 5), expected uint8 (n, H, W, 3)"),
    (lambda i, t: (i[:8], t), "rows: found 9, expected 8, one for each image"),
    (lambda i, t: (i[:7], t[:7]), "stimuli: found 7, expected at least 8"),
    (lambda i, t: (i, t.drop(columns="split")), "expected also ['split']"),
    (lambda i, t: (i, t.assign(stimulus_id="000")), "stimulus_id: found '000' twice, expected unique ids"),
    (lambda i, t: (i, t.assign(split="a b")), "split: found ['a b'], expected train, test, or another name"),
    (lambda i, t: (i, t.assign(split="validation")), "split: found 0 test stimuli, expected at least 8"),
]


@pytest.mark.parametrize(("edit", "expected"), BAD_STIMULI)
def test_wrong_stimuli_are_refused_and_nothing_is_written(tmp_path, edit, expected):
    paths = tmp_path / "stimuli.npy", tmp_path / "stimuli.tsv"
    message = message_of(write_stimuli, *paths, *edit(*stimuli()), {})
    assert message.startswith(f"{paths[0]}: ")
    assert expected in message
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "damage", ["cut", "empty", "pickle", "text", "missing", "npz", "cut npz", "bracket", "dtype"]
)
def test_damaged_array(tmp_path, damage):
    path = tmp_path / "stimuli.npy"
    images, _ = stimuli()
    if damage == "pickle":
        np.save(path, np.array([{"a": 1}], dtype=object))
    elif "npz" in damage:
        with open(path, "wb") as file:
            np.savez(file, images=images)
        path.write_bytes(path.read_bytes()[: -50 if damage == "cut npz" else None])
    elif damage != "missing":
        np.save(path, images)
        content = path.read_bytes()
        # NumPy reads the header as Python: errors of its tokenizer and its syntax
        headers = {"bracket": content.replace(b"}", b"(", 1), "dtype": content.replace(b"|u1", b"|01", 1)}
        path.write_bytes(({"cut": content[:300], "empty": b"", "text": b"hello"} | headers)[damage])
    for mode in (None, "r"):
        message = message_of(load_array, path, mode)
        assert message.startswith(f"{path}: array: found ")
        assert message.endswith("expected an .npy file with a plain array")


# ---- responses ---------------------------------------------------------------------------------------------


def test_responses_round_trip(tmp_path):
    values = np.random.default_rng(0).normal(size=(9, 2, 6)).astype(np.float32)
    values[3, 1] = np.nan
    responses = xarray.DataArray(
        values,
        dims=("stimulus", "repeat", "voxel"),
        coords={
            "stimulus_id": ("stimulus", np.array([f"s{i}" for i in range(9)], object)),
            "split": ("stimulus", np.array(["train"] * 9, object)),
            "subject": ("voxel", np.array(["sub-01"] * 6, object)),
            "roi": ("voxel", np.array(["V1", "LO"] * 3, object)),
        },
        name="responses",
    )
    path = tmp_path / "responses.nc"
    write_responses(path, responses, {"seed": 1})
    read = read_responses(path)
    np.testing.assert_array_equal(read.values, values)
    assert read.dims == responses.dims
    for name in responses.coords:
        assert read[name].values.astype(str).tolist() == responses[name].values.tolist()
    with h5py.File(path) as file:
        assert json.loads(file.attrs["provenance"])["settings"] == {"seed": 1}
    # read into memory: the file can be written again
    write_responses(path, read, {})
    message = message_of(write_responses, tmp_path / "b.nc", responses.drop_vars("roi"), {})
    assert "b.nc: coords: found" in message
    assert message.endswith("expected also ['roi']")
    assert names(tmp_path) == ["responses.nc"]


# ---- RDMs --------------------------------------------------------------------------------------------------


def make_rdms(k=3, n=8, prefix="s"):
    return RDMs(
        np.random.default_rng(0).random((k, n * (n - 1) // 2)),
        pd.DataFrame({"layer": [f"layer{i}" for i in range(k)], "depth": np.linspace(0, 1, k)}),
        pd.DataFrame({"stimulus_id": [f"{prefix}{i}" for i in range(n)], "split": ["test"] * n}),
        "correlation",
    )


def test_rdms_round_trip(tmp_path):
    rdms = make_rdms(prefix="é")
    write_rdms(tmp_path / "a.h5", rdms, {"seed": 1})
    read = read_rdms(tmp_path / "a.h5")
    np.testing.assert_array_equal(read.dissimilarities, rdms.dissimilarities)
    assert read.dissimilarity_measure == "correlation"
    # HDF5 keeps no order of columns
    pd.testing.assert_frame_equal(read.rdm_descriptors[["layer", "depth"]], rdms.rdm_descriptors)
    pd.testing.assert_frame_equal(
        read.pattern_descriptors[["stimulus_id", "split"]], rdms.pattern_descriptors
    )


def test_rsatoolbox_opens_the_rdms(tmp_path):
    rdms = make_rdms()
    write_rdms(tmp_path / "a.h5", rdms, {"seed": 1})
    opened = rsatoolbox.rdm.load_rdm(str(tmp_path / "a.h5"))
    np.testing.assert_array_equal(opened.get_vectors(), rdms.dissimilarities)
    assert (opened.n_rdm, opened.n_cond) == (3, 8)
    assert opened.dissimilarity_measure == "correlation"
    assert list(opened.rdm_descriptors["layer"]) == rdms.rdm_descriptors["layer"].tolist()
    np.testing.assert_array_equal(opened.rdm_descriptors["depth"], rdms.rdm_descriptors["depth"])
    assert list(opened.pattern_descriptors["stimulus_id"]) == rdms.pattern_descriptors["stimulus_id"].tolist()
    assert opened.subset("layer", "layer1").n_rdm == 1
    assert json.loads(opened.descriptors["provenance"])["settings"] == {"seed": 1}


def test_rdms_that_disagree_with_their_tables_are_not_written(tmp_path):
    rdms = make_rdms()
    rdms.pattern_descriptors = rdms.pattern_descriptors[:7]
    with pytest.raises(ValueError, match="does not fit 3 RDMs of 7 stimuli"):
        write_rdms(tmp_path / "a.h5", rdms, {})
    assert names(tmp_path) == []


@pytest.mark.parametrize("damage", ["cut", "text", "missing", "other", "disagree"])
def test_damaged_rdms(tmp_path, damage):
    path = tmp_path / "a.h5"
    write_rdms(path, make_rdms(), {})
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:1000])
    elif damage == "text":
        path.write_text("hello")
    elif damage == "missing":
        path.unlink()
    else:
        with h5py.File(path, "a") as file:
            del file["dissimilarities"]
            if damage == "disagree":
                file["dissimilarities"] = np.zeros((3, 27))
    message = message_of(read_rdms, path)
    assert message.startswith(f"{path}: ")
    if damage == "disagree":
        assert message == f"{path}: dissimilarities: found (3, 27), expected (3, 28)"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "No columns"),
        ("a,b\n1,2\n", "columns: found a, b, expected roi, score"),
        (None, "No such file"),
    ],
)
def test_damaged_table_is_named(tmp_path, text, expected):
    path = tmp_path / "scores.csv"
    if text is not None:
        path.write_text(text)
    message = message_of(read_table, path, SCORES)
    assert message.startswith(f"{path}: ")
    assert expected in message


def test_netcdf_without_a_variable_is_named(tmp_path):
    write_dataset(tmp_path / "a.nc", xarray.Dataset({"score": ("x", [1.0])}), {})
    with pytest.raises(InputError, match=r"a\.nc: variables: found \['score'\], expected also \['draws'\]"):
        read_dataset(tmp_path / "a.nc", ["score", "draws"])


def test_interrupted_job_says_so_in_one_line(tmp_path, capfd):
    with pytest.raises(SystemExit) as caught, job_log(tmp_path / "job.log"):
        raise KeyboardInterrupt
    assert caught.value.code == 130
    assert capfd.readouterr().err == f"Error: interrupted (details: {tmp_path / 'job.log'})\n"
    assert "Traceback" in (tmp_path / "job.log").read_text()


def test_full_disk_is_told_as_such(tmp_path, capfd):
    with pytest.raises(SystemExit), job_log(tmp_path / "job.log"):
        raise OSError(errno.ENOSPC, "No space left on device", "results/x.npy")
    error = capfd.readouterr().err
    assert error.startswith("Error: results/x.npy: The disk is full")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="writes to /dev/full")
def test_full_disk_is_told_as_such_by_pytorch_too(tmp_path, capfd):
    state = {"weight": torch.zeros(1_000_000)}
    with pytest.raises(SystemExit), job_log(tmp_path / "job.log"), open("/dev/full", "wb") as file:
        torch.save(state, file)
    assert capfd.readouterr().err.startswith("Error: results: The disk is full")


def test_a_log_that_cannot_be_written_does_not_hide_the_error(capfd):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with pytest.raises(SystemExit) as caught, job_log("/dev/full"):
        print("x" * 100_000)
    assert caught.value.code == 1
    assert len(capfd.readouterr().err.splitlines()) == 1


WRITERS = {
    "write_dataset": "xarray.Dataset({'score': (('layer', 'roi'), numpy.ones((300, 50)))}), {}",
    "write_rdms": "RDMs(numpy.ones((9, 1770)), pandas.DataFrame({'name': [*'abcdefghi']}), "
    "pandas.DataFrame({'stimulus_id': [f's{k}' for k in range(60)]}), 'correlation'), {}",
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_failure_to_write_hdf5_is_an_error_and_no_crash(writer, tmp_path):
    """HDF5 2.0 dies of a segmentation fault; a limit of the size stands for the full disk."""
    path = tmp_path / "a.h5"
    program = (
        "import resource, sys, numpy, pandas, xarray\n"
        "from cortexrsa.formats.netcdf import write_dataset\n"
        "from cortexrsa.formats.rdms import RDMs, write_rdms\n"
        f"result = {WRITERS[writer]}\n"
        f"{writer}({str(path)!r}, *result)\n"
        "for size in range(0, 100_000, 7_000):\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))\n"
        "    try:\n"
        f"        {writer}({str(path)!r}, *result)\n"
        "    except OSError as error:\n"
        "        print(error.strerror, error.filename)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(storage.__file__).parents[1])}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout.splitlines() == [f"File too large {path}"] * 15
    assert [file.name for file in tmp_path.iterdir()] == ["a.h5"]
    assert path.stat().st_size > 100_000
