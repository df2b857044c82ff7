"""What a job wrote and something else changed is refused by whoever reads it, never silently used."""

import json

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray

from cortexrsa.errors import InputError
from cortexrsa.formats.rdms import RDMs, read_rdms, write_rdms
from cortexrsa.formats.responses import read_responses, write_responses
from cortexrsa.formats.stimuli import read_stimuli, write_stimuli
from cortexrsa.formats.tables import Column, Table, read_table, write_table
from support import message_of


def write_array(folder):
    images = np.random.default_rng(0).integers(0, 256, (9, 6, 6, 3), np.uint8)
    table = pd.DataFrame({"stimulus_id": [f"s{k}" for k in range(9)], "split": "test", "repeats": 2})
    write_stimuli(folder / "stimuli.npy", folder / "stimuli.tsv", images, table, {"seed": 1})
    return folder / "stimuli.npy", lambda: read_stimuli(folder / "stimuli.npy", folder / "stimuli.tsv")


def write_tsv(folder):
    _, read = write_array(folder)
    return folder / "stimuli.tsv", read


def write_csv(folder):
    table = pd.DataFrame({"roi": ["V1", "LO"] * 20, "score": np.linspace(0, 1, 40)})
    columns = Table({"roi": Column("text"), "score": Column("number")})
    write_table(folder / "scores.csv", table, {"seed": 1}, columns)
    return folder / "scores.csv", lambda: read_table(folder / "scores.csv", columns)


def write_h5(folder):
    rdms = RDMs(
        np.random.default_rng(0).random((3, 28)),
        pd.DataFrame({"layer": ["a", "b", "c"], "depth": [0, 0.5, 1]}),
        pd.DataFrame({"stimulus_id": [f"s{k}" for k in range(8)], "split": "test"}),
        "correlation",
    )
    write_rdms(folder / "a.h5", rdms, {"seed": 1})
    return folder / "a.h5", lambda: read_rdms(folder / "a.h5")


def write_netcdf(folder):
    coords = {
        "stimulus_id": ("stimulus", [f"s{k}" for k in range(8)]),
        "split": ("stimulus", ["test"] * 8),
        "subject": ("voxel", ["sub-01"] * 20),
        "roi": ("voxel", ["V1"] * 20),
    }
    values = np.random.default_rng(0).normal(size=(8, 20))
    responses = xarray.DataArray(values, dims=("stimulus", "voxel"), coords=coords)
    write_responses(folder / "responses.nc", responses, {"seed": 1})
    return folder / "responses.nc", lambda: read_responses(folder / "responses.nc")


FORMATS = [write_array, write_tsv, write_csv, write_h5, write_netcdf]


@pytest.mark.parametrize("write", FORMATS)
def test_a_file_cut_short_anywhere_is_refused(tmp_path, write):
    path, read = write(tmp_path)
    read()
    content = path.read_bytes()
    for length in [0, *np.linspace(1, len(content) - 1, 25).astype(int)]:
        path.write_bytes(content[:length])
        assert message_of(read).startswith(str(path))


@pytest.mark.parametrize("write", [write_array, write_tsv, write_csv])
def test_a_single_bit_that_changed_is_refused(tmp_path, write):
    path, read = write(tmp_path)
    content = bytearray(path.read_bytes())
    for position in np.linspace(0, len(content) - 1, 25).astype(int):
        changed = content.copy()
        changed[position] ^= 4
        path.write_bytes(changed)
        with pytest.raises(InputError, match="content: found sha256:.*, expected sha256:"):
            read()


@pytest.mark.parametrize(("write", "name"), [(write_h5, "dissimilarities"), (write_netcdf, "responses")])
def test_a_number_that_changed_in_hdf5_is_refused(tmp_path, write, name):
    path, read = write(tmp_path)
    with h5py.File(path) as file:
        chunk = file[name].id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    for position in range(chunk.byte_offset, chunk.byte_offset + chunk.size, 37):
        changed = content.copy()
        changed[position] ^= 4
        path.write_bytes(changed)
        assert message_of(read).startswith(str(path))


def test_a_damaged_record_is_refused(tmp_path):
    _, read = write_csv(tmp_path)
    (tmp_path / "scores.csv.json").write_text('{"files": ')
    with pytest.raises(
        InputError, match=r"scores\.csv\.json: record: found .*, expected that of scores\.csv"
    ):
        read()


def test_a_table_without_a_record_is_read_as_it_is(tmp_path):
    path, read = write_csv(tmp_path)
    path.write_text("roi,score\nV1,1\n")
    (tmp_path / "scores.csv.json").unlink()
    assert len(read()) == 1


def test_the_record_says_what_made_a_table(tmp_path):
    write_array(tmp_path)
    record = json.loads((tmp_path / "stimuli.tsv.json").read_text())
    assert set(record) == {"versions", "settings", "files"}
    assert set(record["files"]) == {"stimuli.npy", "stimuli.tsv"}
