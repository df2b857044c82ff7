"""Tables have the columns that their list says, in the files, in memory and in the documentation."""

import ast
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cortexrsa.formats.columns.stimuli import STIMULI
from cortexrsa.formats.documented import PAGE, all_tables, page
from cortexrsa.formats.tables import KINDS, Column, Table, read_table, save_table, write_table
from support import message_of

ROOT = Path(__file__).resolve().parents[2]
TABLES = all_tables()
SMALL = Table(
    {
        "roi": Column("text"),
        "score": Column("number"),
        "voxels": Column("integer"),
        "holds": Column("flag"),
    },
    file="small.csv",
)
# names that a reader could take for a missing value, a number or a truth value
NAMES = ["NA", "nan", "None", "null", "N/A", "01", "1e3", "True", "", " V1 ", 'a "b", c', "ä\tΔ"]


def small(**changes) -> pd.DataFrame:
    n = len(NAMES)
    columns = {"roi": NAMES, "score": np.arange(n) / 3, "voxels": range(n), "holds": [True, False] * (n // 2)}
    return pd.DataFrame(columns | changes)


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_a_table_reads_as_it_was_written(tmp_path, suffix):
    table = small(score=[np.nan, np.inf, -np.inf, 0.1, 1e-300, -0.0, 12345678.9, *[1 / 8] * 5])
    write_table(tmp_path / f"t.{suffix}", table, {}, SMALL)
    read = read_table(tmp_path / f"t.{suffix}", SMALL)
    pd.testing.assert_frame_equal(read, table)
    assert [str(kind) for kind in read.dtypes] == ["str", "float64", "int64", "bool"]


def test_missing_text_is_empty_text_and_an_empty_cell_no_other_value(tmp_path):
    path = tmp_path / "t.csv"
    write_table(path, small(roi=[None, np.nan, *NAMES[2:]]), {}, SMALL)
    assert read_table(path, SMALL)["roi"].tolist() == ["", "", *NAMES[2:]]


def test_a_table_without_rows_keeps_its_types(tmp_path):
    write_table(tmp_path / "t.csv", pd.DataFrame(columns=list(SMALL.columns)), {}, SMALL)
    read = read_table(tmp_path / "t.csv", SMALL)
    assert len(read) == 0
    assert [str(kind) for kind in read.dtypes] == ["str", "float64", "int64", "bool"]


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (lambda t: t.drop(columns="score"), "columns: found roi, voxels, holds, expected roi, score, voxels"),
        (lambda t: t.assign(more=1), "columns: found roi, score, voxels, holds, more, expected roi, score"),
        (lambda t: t[["score", "roi", "voxels", "holds"]], "columns: found score, roi"),
        (lambda t: pd.concat([t, t["roi"]], axis=1), "columns: found roi, score, voxels, holds, roi"),
        (lambda t: t.assign(roi=1), "roi: found 1, expected text"),
        (lambda t: t.assign(score="high"), "score: found 'high', expected number"),
        (lambda t: t.assign(score=True), "score: found True, expected number"),
        (lambda t: t.assign(voxels=0.5), "voxels: found 0.5, expected whole number"),
        (lambda t: t.assign(voxels=np.nan), "voxels: found nan, expected whole number"),
        (lambda t: t.assign(voxels=True), "voxels: found True, expected whole number"),
        (lambda t: t.assign(holds=1), "holds: found 1, expected True or False"),
    ],
)
def test_another_table_is_not_written(tmp_path, edit, expected):
    with pytest.raises(ValueError, match="found") as error:
        write_table(tmp_path / "t.csv", edit(small()), {}, SMALL)
    assert str(error.value).startswith(expected)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "roi,score,voxels\nV1,1,2\n",
            "columns: found roi, score, voxels, expected roi, score, voxels, holds",
        ),
        (
            "roi,score,voxels,holds,x\nV1,1,2,True,3\n",
            "columns: found roi, score, voxels, holds, x, expected",
        ),
        ("roi,score,voxels,holds\nV1,high,2,True\n", "score: found 'high', expected a number"),
        ("roi,score,voxels,holds\nV1,1,2.5,True\n", "voxels: found '2.5', expected a whole number"),
        ("roi,score,voxels,holds\nV1,1,,True\n", "voxels: found an empty cell, expected a whole number"),
        ("roi,score,voxels,holds\nV1,1,2,yes\n", "holds: found 'yes', expected a True or False"),
        ("", "table: found No columns to parse from file, expected a table with a header"),
    ],
)
def test_another_table_is_not_read(tmp_path, text, expected):
    path = tmp_path / "t.csv"
    path.write_text(text)
    assert message_of(read_table, path, SMALL).startswith(f"{path}: {expected}")


def test_labels_of_stimuli_follow_their_columns_as_text(tmp_path):
    table = pd.DataFrame(
        {"stimulus_id": ["01", "1e3"], "split": "test", "repeats": 2, "category": ["NA", "3"]}
    )
    save_table(tmp_path / "stimuli.tsv", table, STIMULI)
    pd.testing.assert_frame_equal(read_table(tmp_path / "stimuli.tsv", STIMULI), table)
    with pytest.raises(ValueError, match="repeats: found 'two'"):
        save_table(tmp_path / "x.tsv", table.astype({"repeats": object}).assign(repeats="two"), STIMULI)


# ---- the list ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TABLES)
def test_every_column_has_a_type_and_a_meaning(name):
    table = TABLES[name]
    assert table.file.endswith((".csv", ".tsv"))
    assert table.row
    assert bool(table.further) == bool(table.further_meaning)
    for column, about in table.columns.items():
        assert about.kind in KINDS, column
        assert about.meaning, column


def test_the_page_of_the_tables_is_that_of_the_code():
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "write it anew: PYTHONPATH=scripts python -m cortexrsa.formats.documented"
    )


def test_tables_are_written_by_their_list_alone():
    """Who writes a table of the workflow names its columns; data and BIDS folders have other tables."""
    used = set()
    for path in (ROOT / "scripts").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in ("write_table", "read_table"):
                last = {"write_table": 3, "read_table": 1}[name]
                assert len(node.args) == last + 1, f"{path.name}: {ast.unparse(node)}"
                used |= {inner.id for inner in ast.walk(node.args[last]) if isinstance(inner, ast.Name)}
            if name == "to_csv" and node.args:
                others = ("tables.py", "bold.py", "bids_tables.py", "export_betas.py")
                assert path.name in others, f"{path}: {ast.unparse(node)}"
    indirect = {"CORPUS", "STIMULI", "LAYERS"}
    assert set(TABLES) - indirect <= used
