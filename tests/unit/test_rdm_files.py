"""RDMs in files of others: the same RDMs come out of every format, in the order of the images."""

import h5py
import numpy as np
import pandas as pd
import pytest
import rsatoolbox
from PIL import Image
from scipy.io import savemat
from scipy.spatial.distance import pdist, squareform

from cortexrsa.brain.loaders.places import local_files
from cortexrsa.brain.loaders.rdm_files import read_rdms_of_others, square_rdms
from cortexrsa.brain.loaders.rdms import load_rdm_dataset
from support import message_of

N, PAIRS = 9, 36
NAMES = [f"img_{k}" for k in range(1, N + 1)]
SQUARES = np.stack(
    [squareform(pdist(np.random.default_rng(k).normal(size=(N, 20)), "correlation")) for k in range(3)]
)
VECTORS = np.stack([squareform(rdm, checks=False) for rdm in SQUARES])


def squares_of(path, key=None, select=None):
    return square_rdms(read_rdms_of_others(path, key, select, N).values, N, path, key or "RDMs")


def cell_array(items):
    cells = np.empty((1, len(items)), object)
    cells[0, :] = list(items)
    return cells


def structures(fields):
    array = np.zeros((1, len(fields)), [("RDM", object), ("name", object)])
    for k, rdm in enumerate(fields):
        array[0, k] = rdm, f"subject {k}"
    return array


def mat_73(path, value):
    """As MATLAB writes version 7.3: HDF5, the axes in reverse order, cells as references."""
    with h5py.File(path, "w") as file:
        if isinstance(value, list):
            references = [file.create_dataset(f"#refs#/{k}", data=item.T).ref for k, item in enumerate(value)]
            file.create_dataset("rdm", data=np.array([references], h5py.ref_dtype).T, dtype=h5py.ref_dtype)
        else:
            file["rdm"] = value.T


WRITERS = {
    "condensed.npz": lambda path: np.savez(path, rdm=VECTORS),
    "only.npz": lambda path: np.savez(path, rdm=SQUARES),
    "square.npy": lambda path: np.save(path, SQUARES),
    "condensed.npy": lambda path: np.save(path, VECTORS),
    "last.npy": lambda path: np.save(path, SQUARES.transpose(1, 2, 0)),
    "square.mat": lambda path: savemat(path, {"rdm": SQUARES.transpose(1, 2, 0)}),
    "condensed.mat": lambda path: savemat(path, {"rdm": VECTORS}),
    "columns.mat": lambda path: savemat(path, {"rdm": VECTORS.T}),
    "cells.mat": lambda path: savemat(path, {"rdm": cell_array(SQUARES)}),
    "structures.mat": lambda path: savemat(path, {"rdm": structures(SQUARES)}),
    "nested.mat": lambda path: savemat(path, {"rdm": {"inner": SQUARES}}),
    "v73.mat": lambda path: mat_73(path, SQUARES.transpose(1, 2, 0)),
    "v73_condensed.mat": lambda path: mat_73(path, VECTORS),
    "v73_cells.mat": lambda path: mat_73(path, list(SQUARES)),
    "plain.h5": lambda path: h5py.File(path, "w").create_dataset("a/rdm", data=SQUARES).file.close(),
    "rows.csv": lambda path: np.savetxt(path, VECTORS, delimiter=","),
    "rows.txt": lambda path: np.savetxt(path, VECTORS),
    "pandas.csv": lambda path: pd.DataFrame(VECTORS).to_csv(path),
    "pandas_plain.csv": lambda path: pd.DataFrame(VECTORS).to_csv(path, index=False),
}
KEYS = {"structures.mat": "rdm.RDM", "nested.mat": "rdm.inner", "plain.h5": "a/rdm"}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_rdms(tmp_path, name):
    path = tmp_path / name
    WRITERS[name](path)
    np.testing.assert_allclose(squares_of(path, KEYS.get(name)), SQUARES, rtol=1e-14, atol=1e-15)


ONE = {
    "square.csv": lambda path: np.savetxt(path, SQUARES[1], delimiter=","),
    "square.tsv": lambda path: np.savetxt(path, SQUARES[1], delimiter="\t"),
    "semicolons.csv": lambda path: np.savetxt(path, SQUARES[1], delimiter=";"),
    "names.csv": lambda path: pd.DataFrame(SQUARES[1], NAMES, NAMES).to_csv(path),
    "columns.csv": lambda path: pd.DataFrame(SQUARES[1], columns=NAMES).to_csv(path, index=False),
    "counted.csv": lambda path: pd.DataFrame(SQUARES[1]).to_csv(path),
    "column.csv": lambda path: np.savetxt(path, VECTORS[1]),
    "ends.tsv": lambda path: path.write_text(
        "\n".join("\t".join(map(repr, map(float, row))) + "\t" for row in SQUARES[1])
    ),
    "vector.npy": lambda path: np.save(path, VECTORS[1]),
    "empty_diagonal.csv": lambda path: pd.DataFrame(SQUARES[1] + np.diag([np.nan] * N)).to_csv(path),
    "column.mat": lambda path: savemat(path, {"rdm": VECTORS[1][:, None]}),
}


@pytest.mark.parametrize("name", ONE)
def test_one_rdm(tmp_path, name):
    ONE[name](tmp_path / name)
    np.testing.assert_allclose(squares_of(tmp_path / name), SQUARES[1:2], rtol=1e-14, atol=1e-15)


def test_as_many_subjects_as_stimuli_plus_one_are_all_read(tmp_path):
    vectors = np.random.default_rng(0).random((N + 1, PAIRS))
    np.savetxt(tmp_path / "rdm.csv", vectors, delimiter=",")
    np.testing.assert_allclose(squares_of(tmp_path / "rdm.csv")[:, *np.triu_indices(N, 1)], vectors)


def test_as_many_subjects_as_stimuli(tmp_path):
    squares = np.stack([squareform(v) for v in np.random.default_rng(0).random((N, PAIRS))])
    np.save(tmp_path / "first.npy", squares)
    np.save(tmp_path / "last.npy", squares.transpose(1, 2, 0))
    np.testing.assert_array_equal(squares_of(tmp_path / "first.npy"), squares)
    np.testing.assert_array_equal(squares_of(tmp_path / "last.npy"), squares)


def test_condensed_order_is_that_of_rsatoolbox(tmp_path):
    rdms = rsatoolbox.rdm.RDMs(VECTORS)
    rdms.save(str(tmp_path / "rdm.hdf5"))
    np.testing.assert_allclose(squares_of(tmp_path / "rdm.hdf5"), rdms.get_matrices())


def toolbox_file(path, order):
    names = [NAMES[k] for k in order]
    shuffled = SQUARES[:, order][:, :, order]
    rdms = rsatoolbox.rdm.RDMs(
        np.concatenate([shuffled, shuffled[:, ::-1, ::-1]]),
        rdm_descriptors={"subject": ["anna", "NA", "carl"] * 2, "roi": ["IT"] * 3 + ["EVC"] * 3},
        pattern_descriptors={"image": names, "category": ["face"] * 4 + ["house"] * 5},
    )
    rdms.save(str(path))


CARD = {
    "rois": {"IT": {"file": "rdm.h5", "select": {"roi": "IT"}}},
    "images": "images",
    "options": {"dissimilarity": "correlation", "aspect_tolerance": 0.05},
}


@pytest.fixture
def card(tmp_path):
    (tmp_path / "images").mkdir()
    for name in NAMES:
        Image.effect_noise((12, 12), 50).save(tmp_path / "images" / f"{name}.png")
    return CARD | {"path": str(tmp_path)}


def test_rsatoolbox_rows_are_put_in_the_order_of_the_images(card, tmp_path, capsys):
    toolbox_file(tmp_path / "rdm.h5", np.random.default_rng(0).permutation(N))
    _, stimuli, rdms = load_rdm_dataset(card, None)
    assert stimuli["stimulus_id"].tolist() == NAMES
    assert rdms.rdm_descriptors["subject"].tolist() == ["anna", "NA", "carl"]
    np.testing.assert_allclose(rdms.dissimilarities, VECTORS)
    assert "rows are put in the order of the images" in capsys.readouterr().out


@pytest.mark.parametrize("suffix", ["mat", "npz"])
def test_names_in_another_variable_give_the_order(card, tmp_path, suffix):
    """As Meadows exports its tasks: condensed, with the stimuli in an order of its own."""
    order = np.random.default_rng(3).permutation(N)
    names = [NAMES[k] for k in order]
    vectors = np.stack([squareform(rdm[np.ix_(order, order)], checks=False) for rdm in SQUARES])
    path = tmp_path / f"rdm.{suffix}"
    if suffix == "mat":
        savemat(path, {"rdmutv": vectors, "stimuli": names, "participants": cell_array(["a", "b", "c"])})
    else:
        objects = np.array([{}, None], object)
        np.savez(path, rdmutv=vectors, stimuli=np.array(names), participants=objects)
    rois = {"IT": {"file": path.name, "key": "rdmutv"}}
    np.testing.assert_allclose(load_rdm_dataset(card | {"rois": rois}, None)[2].dissimilarities, VECTORS)


def test_files_of_several_subjects_in_orders_of_their_own(card, tmp_path):
    for k, rdm in enumerate(SQUARES):
        order = np.random.default_rng(k).permutation(N)
        names = [NAMES[j] for j in order]
        pd.DataFrame(rdm[np.ix_(order, order)], names, names).to_csv(tmp_path / f"{k}.csv")
    rois = {"IT": {"file": ["0.csv", "1.csv", "2.csv"]}}
    np.testing.assert_allclose(load_rdm_dataset(card | {"rois": rois}, None)[2].dissimilarities, VECTORS)


def test_rows_and_columns_in_different_orders_are_refused(card, tmp_path):
    pd.DataFrame(SQUARES[0], NAMES, NAMES[::-1]).to_csv(tmp_path / "rdm.csv")
    rois = {"IT": {"file": "rdm.csv"}}
    assert "names of rows" in message_of(load_rdm_dataset, card | {"rois": rois}, None)


def test_crossnobis_rdms_of_rsatoolbox_with_their_noise(card, tmp_path):
    """Its descriptors then hold matrices; conditions are sorted by name there, not as they came."""
    generator = np.random.default_rng(5)
    shown = np.tile(generator.permutation(N), 4)
    data = rsatoolbox.data.Dataset(
        generator.normal(size=(len(shown), 12)),
        obs_descriptors={"image": [NAMES[k] for k in shown], "run": np.repeat(range(4), N)},
    )
    noise = np.eye(12)
    rdms = rsatoolbox.rdm.calc_rdm(data, "crossnobis", "image", noise=noise, cv_descriptor="run")
    rdms.save(str(tmp_path / "rdm.h5"))
    rois = {"IT": {"file": "rdm.h5"}}
    ours = load_rdm_dataset(card | {"rois": rois}, None)[2].dissimilarities
    order = [rdms.pattern_descriptors["image"].index(name) for name in NAMES]
    expected = rdms.get_matrices()[0][np.ix_(order, order)]
    np.testing.assert_allclose(ours[0], squareform(expected, checks=False))


def test_names_of_rows_that_fit_in_part_are_refused(card, tmp_path):
    wrong = [*NAMES[:-1], "img_99"]
    pd.DataFrame(SQUARES[0], wrong, wrong).to_csv(tmp_path / "rdm.csv")
    rois = {"IT": {"file": "rdm.csv"}}
    message = message_of(load_rdm_dataset, card | {"rois": rois}, None)
    assert message.endswith("names of rows: found 'img_99', expected the names of the images, each once")


def test_a_table_gives_the_order_and_labels(card, tmp_path, capsys):
    order = np.random.default_rng(1).permutation(N)[:8]
    table = pd.DataFrame(
        {"filename": [f"{NAMES[k]}.png" for k in order], "category": ["NA"] * 4 + ["None"] * 4}
    )
    table.to_csv(tmp_path / "order.csv", index=False)
    np.save(tmp_path / "rdm.npy", SQUARES[:, order][:, :, order])
    options = card["options"] | {"order": "order.csv", "subjects": ["a", "b", "c"]}
    card = card | {"rois": {"IT": {"file": "rdm.npy"}}, "options": options}
    images, stimuli, rdms = load_rdm_dataset(card, None)
    assert stimuli["stimulus_id"].tolist() == [NAMES[k] for k in order]
    assert stimuli["category"].tolist() == ["NA"] * 4 + ["None"] * 4
    assert rdms.rdm_descriptors["subject"].tolist() == ["a", "b", "c"]
    stored = np.asarray(Image.open(tmp_path / "images" / f"{NAMES[order[0]]}.png").convert("RGB"))
    np.testing.assert_array_equal(images[0], stored)
    assert "1 of 9 images are not in" in capsys.readouterr().out
    table.assign(filename="no.png").to_csv(tmp_path / "order.csv", index=False)
    assert "filename, line 2: found 'no.png'" in message_of(load_rdm_dataset, card, None)


def test_a_file_for_each_subject(card, tmp_path):
    for k, rdm in enumerate(SQUARES):
        pd.DataFrame(rdm, NAMES, NAMES).to_csv(tmp_path / f"{k}.csv")
    rois = {"IT": {"file": ["0.csv", "1.csv", "2.csv"]}}
    np.testing.assert_allclose(load_rdm_dataset(card | {"rois": rois}, None)[2].dissimilarities, VECTORS)
    assert len(local_files(card | {"rois": rois})) == 3 + N


FAULTS = {
    "two.npz": (
        lambda p: np.savez(p, a=SQUARES, b=1),
        None,
        "key: found nothing, expected the name of an array",
    ),
    "objects.mat": (
        lambda p: savemat(p, {"rdm": np.array([[*SQUARES[:2]], [*SQUARES[1:]]])}),
        "rdm",
        "found shape (2, 2, 9, 9)",
    ),
    "grid.mat": (
        lambda p: savemat(p, {"rdm": np.concatenate([cell_array(SQUARES), cell_array(SQUARES)])}),
        "rdm",
        "found 2 x 3 of them, expected one row of RDMs",
    ),
    "field.mat": (lambda p: savemat(p, {"rdm": structures(SQUARES)}), "rdm.RDMs", "did you mean RDM?"),
    "structure.mat": (
        lambda p: savemat(p, {"rdm": structures(SQUARES)}),
        "rdm",
        "a structure with RDM",
    ),
    "text.mat": (lambda p: p.write_text("1 2 3"), None, "expected a MATLAB file that is complete"),
    "cut.h5": (
        lambda p: p.write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 50),
        None,
        "a file of RDMs that is complete",
    ),
    "rdm.pkl": (lambda p: p.write_bytes(b""), None, "format: found the suffix '.pkl', expected one of .npz"),
    "none.npy": (lambda p: None, None, "found no such file"),
    "word.csv": (lambda p: p.write_text("0,a\n1,0\n"), None, "found shape"),
    "comma.csv": (
        lambda p: p.write_text("\n".join(";".join("0,5" for _ in range(N)) for _ in range(N))),
        None,
        "expected a number (with a decimal point)",
    ),
    "ragged.csv": (lambda p: p.write_text("0,1\n1\n"), None, "rows of 1 to 2 values"),
    "latin.csv": (lambda p: p.write_bytes(b"\xe9,1\n"), None, "expected a file of RDMs that is complete"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_one_line(tmp_path, name):
    write, key, expected = FAULTS[name]
    write(tmp_path / name)
    message = message_of(squares_of, tmp_path / name, key)
    assert message.startswith(f"{tmp_path / name}: ")
    assert expected in message


def test_names_of_subjects(card, tmp_path):
    np.save(tmp_path / "rdm.npy", SQUARES)
    for names, expected in (
        (["a", "b"], "found 3 RDMs, expected 2, the subjects of the card"),
        (["a", "b", "group"], "found a subject 'group'"),
    ):
        changed = card | {
            "rois": {"IT": {"file": "rdm.npy"}},
            "options": card["options"] | {"subjects": names},
        }
        assert expected in message_of(load_rdm_dataset, changed, None)
