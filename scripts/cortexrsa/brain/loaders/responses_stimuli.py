"""Stimuli of a data set of responses: their table and their splits."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from cortexrsa.brain.loaders.places import place
from cortexrsa.brain.loaders.responses_files import base_of
from cortexrsa.brain.loaders.responses_images import (
    names_of_images,
    nearest_stimulus,
    place_of_images,
    write_images,
)
from cortexrsa.brain.loaders.responses_trials import read_trials
from cortexrsa.errors import InputError, reason, suggestion
from cortexrsa.formats.foreign_tables import read_foreign_table
from cortexrsa.formats.image_names import natural_key
from cortexrsa.formats.stimuli import MINIMUM_STIMULI

OWN = ("stimulus_id", "split", "repeats", "category")


def load_stimuli(
    card: dict, downloads: str | Path | None
) -> tuple[Callable[[Path], None], pd.DataFrame, list[str]]:
    """Stimuli of a data set of responses.

    Parameters
    ----------
    card : of the data set: path, options
    downloads : folder of the downloaded files, or None

    Returns
    -------
    images : function that writes them to an .npy file, (n, H, W, 3) uint8, one at a time in memory
    stimuli : n rows for `stimuli.tsv`
    warnings : sentences for the reader of the results

    Raises
    ------
    InputError : see `responses_trials.read_trials`, `stimulus_table` and `write_images`.
    """
    base, options = base_of(card, downloads), card["options"]
    trials = {subject: read_trials(base, options, subject) for subject in options["subjects"]}
    table, warnings = stimulus_table(base, options, trials)
    images = functools.partial(write_images, base, options, table.pop("image"))
    return images, table, warnings


def stimulus_table(
    base: str | Path, options: dict, trials: dict[str, pd.DataFrame]
) -> tuple[pd.DataFrame, list[str]]:
    """Stimuli that every subject saw, with the images that show them.

    Parameters
    ----------
    base : folder from which the names of the card start
    options : of the card: stimuli, splits, unshown, trials
    trials : of every subject, see `responses_trials.read_trials`

    Returns
    -------
    table : stimulus_id, split, repeats (the fewest of any subject), the labels of the card's table, and image
        (file below the images, or row of the array as text)
    warnings : sentences on the stimuli that are left out

    Raises
    ------
    InputError : a stimulus of the trials that the table lacks, one that a subject did not see (unless the
        card drops those), one in two splits, a split of fewer than 8 stimuli, images that are not there.
    """
    settings = options["stimuli"]
    counts = pd.DataFrame(
        {subject: own.groupby("stimulus_id")["repeats"].sum() for subject, own in trials.items()}
    )
    table, path = _listed(base, settings, counts, trials)
    counts = counts.reindex(table["stimulus_id"]).fillna(0).astype(int)
    warnings = []
    table, counts = _seen_by_all(table, counts, options["unshown"], path, warnings)
    table["repeats"] = counts.min(axis=1).to_numpy()
    table["split"] = _splits(base, options["splits"], table, trials, path, warnings)
    if settings["category"]:
        table["category"] = _column(settings["category"], table, trials, "options.stimuli.category", path)
    table = table[table["split"] != ""].reset_index(drop=True)
    table["image"] = names_of_images(place_of_images(base, settings, list(trials)), settings, table)
    first = ["stimulus_id", "split", "repeats"]
    dropped = {settings["id"], settings["filename"], settings["row"], "filename", "order"} - set(first)
    labels = [name for name in table if name not in first and name not in dropped]
    return table[first + labels].fillna(""), warnings


def _listed(base, settings: dict, counts: pd.DataFrame, trials: dict) -> tuple[pd.DataFrame, Path]:
    """The stimuli of the card's table (all that were shown stand in it), or those that were shown."""
    first = next(iter(trials.values()))
    if not settings["table"]:
        ids = sorted(counts.index, key=natural_key)
        return pd.DataFrame({"stimulus_id": ids}, dtype=object), Path(first["path"].iloc[0])
    path = place(base, settings["table"])
    table, column = read_foreign_table(path), settings["id"]
    if column not in table:
        expected = f"also {column} (options.stimuli.id names another)"
        raise InputError("columns", ", ".join(table), expected, file=path)
    for fault, found in ((table[column].isna(), "n/a"), (table[column].duplicated(), None)):
        if fault.any():
            line = fault.idxmax()
            raise InputError(
                f"{column}, line {line}",
                found or f"{table[column][line]!r} twice",
                "an id of its own in every row",
                file=path,
            )
    known = set(table[column])
    for own in trials.values():
        unknown = own[~own["stimulus_id"].isin(known)]
        if len(unknown):
            row = unknown.iloc[0]
            nearest = nearest_stimulus(row["stimulus_id"], known, path)
            field = f"trial in line {row['line']}"
            raise InputError(field, repr(row["stimulus_id"]), nearest, file=row["path"])
    table["order"] = np.arange(len(table))
    table.attrs["rows"] = len(table)
    table = table[table[column].isin(counts.index)].reset_index(drop=True)
    others = table.drop(columns=[name for name in OWN if name in table and name not in (column, "split")])
    return others.assign(stimulus_id=table[column]), path


def _seen_by_all(table, counts, unshown: str, path: Path, warnings: list[str]):
    """The stimuli that every subject saw; others are refused, or left out with a warning."""
    seen = (counts > 0).all(axis=1).to_numpy()
    if seen.all():
        return table, counts
    stimulus = counts.index[~seen][0]
    subject = counts.columns[(counts.loc[stimulus] == 0).to_numpy()][0]
    if unshown == "refuse":
        found = f"{stimulus!r} was never shown to {subject}"
        if (~seen).sum() > 1:
            found += f" (and {(~seen).sum() - 1} more stimuli not to every subject)"
        expected = (
            "every stimulus shown to every subject (options.unshown: drop keeps those that all saw; or "
        )
        expected += "a data set for each subject)"
        raise InputError("stimuli", found, expected, file=path)
    warnings.append(
        f"{seen.sum()} of {len(seen)} stimuli were shown to all {counts.shape[1]} subjects and are used; "
        f"{(~seen).sum()} are left out"
    )
    if not seen.any():
        raise InputError("stimuli", "none that every subject saw", "some", file=path)
    return table[seen].reset_index(drop=True), counts[seen]


# ---- splits ----------------------------------------------------------------------------------------------


def _splits(base, rules: dict | None, table: pd.DataFrame, trials: dict, path: Path, warnings: list[str]):
    """The split of each stimulus; "" for one of none."""
    if not rules:
        if "split" in table or any("split" in own for own in trials.values()):
            values = _column("split", table, trials, "split", path)
            rules = {value: {"column": "split", "value": value} for value in sorted(set(values) - {""})}
        else:
            return np.full(len(table), "test", object)
    splits = np.full(len(table), "", object)
    # whatever their order in the card, which has its keys sorted
    for name, rule in sorted(rules.items(), key=lambda item: "rest" in item[1]):
        chosen = _of_rule(base, name, rule, table, trials, path, splits)
        twice = chosen & (splits != "")
        if twice.any():
            stimulus = table["stimulus_id"][twice.argmax()]
            found = f"{stimulus!r}, also in {splits[twice.argmax()]} (and {twice.sum() - 1} more)"
            raise InputError(f"options.splits.{name}", found, "each stimulus in one split", file=path)
        splits[chosen] = name
        if chosen.sum() < MINIMUM_STIMULI:
            found = f"{chosen.sum()} stimuli"
            raise InputError(f"options.splits.{name}", found, f"at least {MINIMUM_STIMULI}", file=path)
    if (splits == "").any():
        lost = (splits == "").sum()
        warnings.append(f"{lost} of {len(splits)} stimuli are in no split of the card, and are left out")
    return splits


def _of_rule(base, name: str, rule: dict, table, trials, path: Path, splits: np.ndarray) -> np.ndarray:
    """(n,) bool: the stimuli that a rule of the card takes."""
    ids = table["stimulus_id"]
    if "rest" in rule:
        return splits == ""
    if "column" in rule:
        wanted = rule["value"] if isinstance(rule["value"], list) else [rule["value"]]
        values = _column(rule["column"], table, trials, f"options.splits.{name}.column", path)
        unknown = [str(value) for value in wanted if str(value) not in set(values)]
        if unknown:
            expected = suggestion(unknown[0], sorted(set(values))[:30])
            raise InputError(f"options.splits.{name}.value", repr(unknown[0]), expected, file=path)
        return np.isin(values.astype(str), [str(value) for value in wanted])
    if "list" in rule:
        listed = _list_of_ids(place(base, rule["list"]), rule.get("key"))
        return ids.isin(listed).to_numpy()
    if "fraction" in rule:
        return np.array([_share(value) < rule["fraction"] for value in ids])
    return (table["repeats"] >= rule["repeats"]).to_numpy()


def _share(stimulus: str) -> float:
    """A number in [0, 1) that follows from the id alone, so that splits do not depend on other stimuli."""
    return int.from_bytes(hashlib.sha256(stimulus.encode()).digest()[:8]) / 2**64


def _column(name: str, table: pd.DataFrame, trials: dict, field: str, path: Path) -> np.ndarray:
    """Values of a column of the stimuli, or of the trials where it is the same for all trials of one."""
    if name in table:
        return table[name].fillna("").to_numpy(object)
    if not all(name in own for own in trials.values()):
        columns = [str(column) for column in [*table, *next(iter(trials.values()))]]
        raise InputError(field, repr(name), suggestion(name, dict.fromkeys(columns)), file=path)
    shown = pd.concat([own[["stimulus_id", name, "line", "path"]] for own in trials.values()]).fillna("")
    first = shown.drop_duplicates("stimulus_id").set_index("stimulus_id")[name]
    other = shown[shown[name] != first.reindex(shown["stimulus_id"]).to_numpy()]
    if len(other):
        row = other.iloc[0]
        found = f"{row[name]!r} of {row['stimulus_id']!r}, and {first[row['stimulus_id']]!r} in another trial"
        raise InputError(f"{name}, line {row['line']}", found, "one value a stimulus", file=row["path"])
    return first.reindex(table["stimulus_id"]).to_numpy(object)


def _list_of_ids(path: Path, key: str | None) -> set[str]:
    """Ids of a list: one a line, a column stimulus_id, or a JSON list (`key`: where in it, as a.0.b)."""
    if not path.is_file():
        raise InputError("list", "no such file", "a list of stimuli", file=path)
    if path.suffix.lower() in (".csv", ".tsv"):
        table = read_foreign_table(path)
        if "stimulus_id" not in table:
            raise InputError("columns", ", ".join(table), "also stimulus_id", file=path)
        return set(table["stimulus_id"].dropna())
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() != ".json":
            return {line.strip() for line in text.splitlines() if line.strip()}
        content = json.loads(text)
        for part in key.split(".") if key else []:
            content = content[int(part)] if isinstance(content, list) else content[part]
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise InputError(key or "list", reason(error), "a list of stimuli", file=path) from error
    if not isinstance(content, list):
        raise InputError(key or "list", f"a {type(content).__name__}", "a list of stimuli (key)", file=path)
    return {str(item) for item in content}
