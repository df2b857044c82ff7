"""Confound RDMs: of descriptors of the images, and of labels, levels, RDMs and embeddings of the user."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cortexrsa.brain.loaders.rdm_files import read_rdms_of_others, row_order, square_rdms
from cortexrsa.errors import InputError, suggestion
from cortexrsa.formats.arrays import load_foreign_array
from cortexrsa.formats.padding import BACKGROUND
from cortexrsa.formats.rdms import RDMs
from cortexrsa.geometry.compare import compare, usable
from cortexrsa.geometry.descriptors import DESCRIPTORS, describe
from cortexrsa.geometry.rdm import rdm, select_stimuli
from cortexrsa.geometry.registry import DISSIMILARITIES
from cortexrsa.inference.names import PRIMARY

# a confound of which others tell all but this share of the variance of its ranks adds nothing to them
LEAST_OWN = 1e-6
# a confound of the user is reported as collinear from here (the usual rule of thumb)
COLLINEAR = 10.0


def confound_rdms(
    images: np.ndarray,
    stimuli: pd.DataFrame,
    wanted: Sequence[str | dict],
    dissimilarity: str,
    background: int = BACKGROUND,
) -> RDMs:
    """RDMs of all confounds.

    Parameters
    ----------
    images : (n, H, W, 3) uint8
    stimuli : n rows, `stimuli.tsv`
    wanted : names of `geometry.descriptors.DESCRIPTORS`; {labels: COLUMN} of stimuli.tsv (0 where two stimuli
        have the same label, else 1); {levels: COLUMN} (difference of numbers); {rdm: FILE} over all stimuli,
        with the `key` of its array (see `brain.loaders.rdm_files`); {embedding: FILE}, an .npy
        of (n, features)
    dissimilarity : of the brain's RDMs; patterns have that of the layers
    background : grey around images that are not square, see `formats.padding.squared`

    Returns
    -------
    RDMs with the columns confound, family (all that was asked for by one name), and given (whether the user
    brought it: True); confounds of descriptors that do not vary over the stimuli are NaN

    Raises
    ------
    InputError : a column that is not there, labels that are all alike, levels that are no numbers; an RDM or
        embedding of another number of stimuli, not finite, or constant.
    """
    of_layers = DISSIMILARITIES[dissimilarity].of_layers
    names = [item for item in wanted if isinstance(item, str)]
    features = describe(images, names, background)
    rows, found = [], []
    for item in wanted:
        if isinstance(item, str):
            for member, values in features[item].items():
                rows.append((f"{item} {member}".strip(), item, False))
                found.append(_of_descriptor(values, "euclidean" if DESCRIPTORS[item].levels else of_layers))
            continue
        kind = next(key for key in READERS if key in item)
        values, name = READERS[kind](item, stimuli, of_layers)
        if not usable(values):
            raise InputError(f"confound {name}", "the same for all pairs", "one that varies over the stimuli")
        rows.append((name, name, True))
        found.append(values)
    table = pd.DataFrame(rows, columns=["confound", "family", "given"])
    return RDMs(np.stack(found), table, stimuli[["stimulus_id", "split"]], of_layers)


def _of_descriptor(values: np.ndarray, dissimilarity: str) -> np.ndarray:
    """RDM of a descriptor; by squared distance where a pattern (of a uniform image) has no correlation."""
    found = rdm(values, dissimilarity)
    return found if np.isfinite(found).all() else rdm(values, "euclidean")


# ---- of the user -----------------------------------------------------------------------------------------


def _column(name: str, stimuli: pd.DataFrame) -> pd.Series:
    if name not in stimuli:
        raise InputError("measures.confounds", f"the column {name!r}", suggestion(name, stimuli))
    return stimuli[name]


def _labels(item: dict, stimuli: pd.DataFrame, of_layers: str) -> tuple[np.ndarray, str]:
    codes = pd.factorize(_column(item["labels"], stimuli))[0]
    return (codes[:, None] != codes)[np.triu_indices(len(codes), 1)].astype(float), item["labels"]


def _levels(item: dict, stimuli: pd.DataFrame, of_layers: str) -> tuple[np.ndarray, str]:
    cells = _column(item["levels"], stimuli)
    values = pd.to_numeric(cells, errors="coerce").to_numpy(float)
    if not np.isfinite(values).all():
        wrong = cells[~np.isfinite(values)].iloc[0]
        raise InputError(f"levels of {item['levels']}", repr(wrong), "a number for each stimulus (or labels)")
    return np.abs(values[:, None] - values)[np.triu_indices(len(values), 1)], item["levels"]


def _rdm(item: dict, stimuli: pd.DataFrame, of_layers: str) -> tuple[np.ndarray, str]:
    path, n, key = Path(item["rdm"]), len(stimuli), item.get("key")
    read = read_rdms_of_others(path, key, None, n)
    squares = square_rdms(read.values, n, path, key or "RDM", "stimuli.tsv")
    if len(squares) > 1:
        raise InputError(key or "RDM", f"{len(squares)} RDMs", "one", file=path)
    order = row_order(read, stimuli.assign(filename=stimuli["stimulus_id"]), path)
    square = squares[0] if order is None else squares[0][order][:, order]
    return square[np.triu_indices(n, 1)], path.stem


def _embedding(item: dict, stimuli: pd.DataFrame, of_layers: str) -> tuple[np.ndarray, str]:
    path = Path(item["embedding"])
    if not path.is_file():
        raise InputError("embedding", "no such file", "an .npy file of stimuli x features", file=path)
    values = load_foreign_array(path)
    if values.dtype.kind not in "iufb" or values.ndim != 2 or len(values) != len(stimuli):
        raise InputError(
            "embedding", f"{values.dtype} {values.shape}", f"({len(stimuli)} stimuli, features)", file=path
        )
    found = rdm(np.asarray(values, np.float64), of_layers)
    if not np.isfinite(found).all():
        raise InputError("embedding", "a row without variation, or not finite", "finite features", file=path)
    return found, path.stem


READERS = {"labels": _labels, "levels": _levels, "rdm": _rdm, "embedding": _embedding}


# ---- which of them are kept ------------------------------------------------------------------------------


def chosen_confounds(rdms: RDMs, comparison: str) -> tuple[np.ndarray, pd.DataFrame]:
    """Which confounds are taken out, and how much the others tell of each, over the stimuli of each split.

    Parameters
    ----------
    comparison : by which RDMs are compared

    Returns
    -------
    kept : (k,) bool
    table : rows with the columns `formats.columns.confounds.CONFOUNDS` but the data set's name; `vif` is the
        variance inflation 1 / (1 - R2) of a confound by all others that are kept, of the test stimuli

    References
    ----------
    Belsley, Kuh & Welsch 1980, doi:10.1002/0471725153 (variance inflation)
    """
    own = rdms.rdm_descriptors
    k, split = len(own), rdms.pattern_descriptors["split"].to_numpy()
    kept, notes = np.ones(k, bool), [""] * k
    for name in dict.fromkeys(split):
        part = select_stimuli(rdms.dissimilarities, split == name)
        for row in range(k):
            if kept[row] and not usable(part[row]):
                kept[row], notes[row] = False, f"left out: it does not vary over the {name} stimuli"
        products = compare(part, part, comparison)
        for row in range(k):
            before = np.flatnonzero(kept[:row])
            if kept[row] and len(before) and _left(products, row, before) < LEAST_OWN:
                kept[row], notes[row] = False, "left out: those before it tell all of it"
    part = select_stimuli(rdms.dissimilarities, split == PRIMARY)
    products = compare(part, part, comparison)
    inflation = np.full(k, np.nan)
    for row in np.flatnonzero(kept):
        others = np.flatnonzero(kept & (np.arange(k) != row))
        inflation[row] = 1 / _left(products, row, others) if len(others) else 1.0
    columns = own[["confound", "family", "given"]]
    return kept, columns.assign(vif=inflation, note=notes)


def _left(products: np.ndarray, row: int, others: np.ndarray) -> float:
    """Share of the variance of a confound that some others leave, from all correlations (k, k)."""
    with_others = products[row, others]
    explained = with_others @ np.linalg.lstsq(products[np.ix_(others, others)], with_others, rcond=None)[0]
    return max(float(1 - explained), np.finfo(float).tiny)


def told(table: pd.DataFrame) -> list[str]:
    """What a person has to know: which confounds are left out, and which of the user are collinear."""
    lines = [f"confound {row.confound}: {row.note}" for row in table.itertuples() if row.note]
    return lines + [
        f"confound {row.confound} is collinear with the others (variance inflation {row.vif:.0f}): what it "
        "explains alone cannot be told"
        for row in table.itertuples()
        if row.given and row.vif > COLLINEAR
    ]
