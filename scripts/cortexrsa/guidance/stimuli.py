"""Which stimuli guided training may see: those of one split, without what is too like test stimuli."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

from cortexrsa.errors import InputError, suggestion
from cortexrsa.formats.columns.guidance import FIT, NEAR_DUPLICATE, TEST, VALIDATION
from cortexrsa.guidance.settings import Guidance

CATEGORY = "category"
MINIMUM_VALIDATION = 8


def _by_hash(names) -> list[str]:
    """Names in an order that depends on nothing but the single names."""
    return sorted(names, key=lambda name: hashlib.sha256(str(name).encode()).digest())


def held_out_values(table: pd.DataFrame, held_out: dict | None) -> set[str]:
    """Values of a column of the stimuli's table of which no stimulus is trained on.

    Parameters
    ----------
    table : of the stimuli
    held_out : column and share of its values; None: none. Without a column, category, if the table has it

    Raises
    ------
    InputError : the table lacks the column that is named.
    """
    if held_out is None:
        return set()
    column = held_out["column"] or CATEGORY
    if column not in table:
        if held_out["column"]:
            expected = suggestion(column, list(table.columns))
            raise InputError("weights: training: brain: held_out", f"no column {column!r}", expected)
        print(f"no categories are held out: stimuli.tsv has no column {CATEGORY}")
        return set()
    # an empty cell is no category
    values = _by_hash(set(table[column].astype(str)) - {""})
    if len(values) < 2:
        return set()
    return set(values[: max(1, round(held_out["share"] * len(values)))])


def roles(
    table: pd.DataFrame,
    guidance: Guidance,
    near_duplicates: set[str] = frozenset(),
    without_responses: set[str] = frozenset(),
) -> pd.DataFrame:
    """What each stimulus of a data set is to a guided training.

    Parameters
    ----------
    table : of the stimuli: stimulus_id, split, and perhaps the column of `held_out`
    near_duplicates : ids of training stimuli that are near-duplicates of stimuli of other splits
    without_responses : ids of those that not all people have seen

    Returns
    -------
    one row a stimulus: stimulus_id, split, role and category_held_out. Of the training split, role is fit,
    validation, held_out_category, near_duplicate or no_response; of other splits it is test.
    category_held_out is whether no stimulus of its category is trained on

    Raises
    ------
    InputError : no stimuli in the split, or too few of them are left for a batch or for validation.
    """
    if guidance.split == TEST:
        raise InputError("weights: training: brain: split", "'test'", "a split that nothing is tested on")
    counts = table["split"].value_counts()
    if guidance.split not in counts:
        found = ", ".join(f"{number} {split}" for split, number in counts.items())
        expected = f"{guidance.split} stimuli: test stimuli are never trained on"
        raise InputError("split", f"{found} stimuli alone", expected)
    ids = table["stimulus_id"].astype(str)
    away = held_out_values(table, guidance.held_out)
    column = (guidance.held_out["column"] or CATEGORY) if away else "split"
    held_out = table[column].astype(str).isin(away)
    own = table["split"] == guidance.split
    role = pd.Series(TEST, index=table.index).mask(own, FIT)
    for name, chosen in (
        ("no_response", ids.isin(without_responses)),
        (NEAR_DUPLICATE, ids.isin(near_duplicates)),
        ("held_out_category", held_out),
    ):
        role = role.mask(own & chosen, name)
    left = _by_hash(ids[role == FIT])
    number = max(MINIMUM_VALIDATION, round(guidance.validation * len(left)))
    role = role.mask(ids.isin(left[:number]) & (role == FIT), VALIDATION)
    fitted = int((role == FIT).sum())
    if fitted < guidance.batch_size:
        roles = ", ".join(_counted(role))
        found = f"{fitted} {guidance.split} stimuli to train on ({roles})"
        raise InputError("stimuli", found, f"at least one batch of {guidance.batch_size}")
    trained = set(table.loc[role.isin([FIT, VALIDATION]), column].astype(str)) if away else set()
    return pd.DataFrame(
        {
            "stimulus_id": ids,
            "split": table["split"],
            "role": role,
            "category_held_out": [bool(away) and str(value) not in {*trained, ""} for value in table[column]],
        }
    )


def _counted(role: pd.Series) -> list[str]:
    return [f"{number} {name}" for name, number in role.value_counts().items()]


def places(found: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Places of the stimuli to train on and of those for validation, of a table of `roles`."""
    return tuple(np.flatnonzero(found["role"] == role) for role in (FIT, VALIDATION))
