"""Trials of a data set of responses: which stimulus each was, in which session, run and file."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from cortexrsa.brain.loaders.places import place
from cortexrsa.brain.loaders.responses_files import filled, listed, on_disk, placeholders_of, same_name
from cortexrsa.errors import InputError, reason, suggestion
from cortexrsa.formats.bids_names import matching
from cortexrsa.formats.foreign_arrays import open_array
from cortexrsa.formats.foreign_tables import read_foreign_table
from cortexrsa.formats.image_names import image_names

# columns that are taken where the table has them, without being named in the card
USUAL = ("session", "run", "repeat")
UNKNOWN = "unknown"  # repeats of averages


def read_trials(base: str | Path, options: dict, subject: str) -> pd.DataFrame:
    """Trials of one subject, those that the card leaves out left out.

    Parameters
    ----------
    base : folder from which the names of the card start
    options : of the card: trials, sessions, runs, values (its file: one for all, or for each session or run)
    subject : name

    Returns
    -------
    a row for each trial, in the order of the table, all text but numbers of trials: stimulus_id; session, run
        and repeat ("" where the table has none); place (in the file of values of its session and run, from
        0); rows (number of trials of that file, as the table has it; -1 where an index says the place);
        repeats (trials in an average, 1 for a single trial); line and path of the table; the table's columns

    Raises
    ------
    InputError : no such file or column, no trial left, a trial without stimulus, places that no file can
        have, the same stimulus twice in averages, the same repeat of a stimulus twice.
    """
    settings = options["trials"]
    table = _tables(base, options, subject)
    table = _of_subject(table, settings["subject"], subject)
    trials = _with_own_columns(table, settings)
    # one file of values may have all sessions, and its places those of all
    files = [key for key in ("session", "run") if key in placeholders_of(options["values"]["file"])]
    if files and all((trials[key] == "").all() for key in files):
        trials = _by_files(base, options, subject, trials, files)
    trials["place"], trials["rows"] = _places(trials, settings, files)
    trials = _chosen_sessions(trials, options, subject)
    trials = _left_out(trials, settings["leave_out"])
    ids, counts = _ids(trials, settings), _counts(trials, settings["repeats"])
    trials["stimulus_id"], trials["repeats"] = ids, counts
    _check_repeats(trials, settings)
    return trials


def _tables(base: str | Path, options: dict, subject: str) -> pd.DataFrame:
    """The table of the card, or those of all sessions and runs one after the other, with line and path."""
    name = filled(options["trials"]["file"], {"subject": subject})
    keys = placeholders_of(name)
    if not keys:
        return _table(place(base, name), options["trials"], subject)
    wanted = {"session": listed(options["sessions"], subject), "run": listed(options["runs"], subject)}
    parts = []
    for values in on_disk(base, name):
        if all(wanted[key] is None or values[key] in wanted[key] for key in keys):
            path = place(base, filled(name, values))
            parts.append(_table(path, options["trials"], subject).assign(**values))
    if not parts:
        found = f"no file of {subject}" if "{subject}" in options["trials"]["file"] else "no such file"
        raise InputError("trials", found, "a table of trials", file=place(base, name))
    return pd.concat(parts, ignore_index=True)


def _table(path: Path, settings: dict, subject: str) -> pd.DataFrame:
    if not path.exists():
        raise InputError("trials", "no such file", "a table of trials", file=path)
    if settings["design"]:
        table = DESIGNS[settings["design"]](path, subject)
    elif path.suffix.lower() == ".txt":
        table = _names(path, settings["column"])
    elif path.suffix.lower() == ".nc":
        table = netcdf_table(path, settings["column"])
    else:
        table = read_foreign_table(path)
    if table.empty:
        raise InputError("trials", "no row", "a row for each trial", file=path)
    return table.assign(line=[str(line) for line in table.index], path=str(path)).reset_index(drop=True)


def _names(path: Path, column: str) -> pd.DataFrame:
    """A list of names, one a line."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise InputError("names", reason(error), "one name a line", file=path) from error
    names = {number: line.strip() for number, line in enumerate(lines, 1) if line.strip()}
    return pd.DataFrame({column: names.values()}, index=list(names), dtype=object)


def netcdf_table(path: Path, column: str) -> pd.DataFrame:
    """Coordinates that share the dimension of the coordinate `column` of a NetCDF file, as text."""
    import xarray

    try:
        with xarray.open_dataset(path) as dataset:
            if column not in dataset.variables:
                expected = suggestion(column, sorted(map(str, dataset.coords)))
                raise InputError("coordinates", f"no {column!r}", expected, file=path)
            (dimension,) = dataset[column].dims
            names = [str(name) for name, values in dataset.variables.items() if values.dims == (dimension,)]
            return pd.DataFrame({name: [_text(value) for value in dataset[name].values] for name in names})
    except (OSError, ValueError, KeyError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError("content", reason(error), "a NetCDF file with coordinates", file=path) from error


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _of_subject(table: pd.DataFrame, column: str | None, subject: str) -> pd.DataFrame:
    """Rows of one subject, where one table has all."""
    if column is None:
        return table
    path = table["path"].iloc[0]
    if column not in table:
        raise InputError("columns", _columns(table), f"also {column} (options.trials.subject)", file=path)
    own = table[table[column] == subject]
    if own.empty:
        present = sorted(table[column].dropna().unique())
        raise InputError(column, f"no trial of {subject!r}", suggestion(subject, present), file=path)
    return own.reset_index(drop=True)


def _columns(table: pd.DataFrame) -> str:
    return ", ".join(str(name) for name in table if name not in ("line", "path")) or "none"


def _with_own_columns(table: pd.DataFrame, settings: dict) -> pd.DataFrame:
    """The table with the columns of the card under the names that are used here."""
    path, found = table["path"].iloc[0] if len(table) else "trials", {}
    for name in USUAL:
        column = settings[name]
        if column is not None and column not in table:
            raise InputError("columns", _columns(table), f"also {column} (options.trials.{name})", file=path)
        found[name] = table[column or name].fillna("") if (column or name) in table else ""
    if settings["column"] not in table:
        hint = f"also {settings['column']} (options.trials.column names another)"
        raise InputError("columns", _columns(table), hint, file=path)
    # columns of the file that are called like ours, and are something else
    return table.drop(columns=[name for name in ("place", "rows") if name in table]).assign(**found)


def _chosen_sessions(trials: pd.DataFrame, options: dict, subject: str) -> pd.DataFrame:
    """The trials of the sessions and runs of the card."""
    for name in ("session", "run"):
        wanted = listed(options[f"{name}s"], subject)
        if wanted is None:
            continue
        if not (trials[name] != "").any():
            expected = f"a column of the {name} (options.trials.{name}), or {{{name}}} in options.values.file"
            raise InputError(
                f"options.{name}s", f"{wanted[0]}, and no {name} is known", expected, file=subject
            )
        present = list(dict.fromkeys(trials[name]))
        lacking = [value for value in wanted if not any(same_name(value, other) for other in present)]
        if lacking:
            found = f"no trial of {subject} in {name} {lacking[0]}"
            expected = f"trials in every {name} of the card ({', '.join(present[:40])} have some)"
            raise InputError(name, found, expected, file=trials["path"].iloc[0])
        keep = {other for other in present if any(same_name(value, other) for value in wanted)}
        trials = trials[trials[name].isin(keep)]
    return trials.reset_index(drop=True)


def _by_files(base, options: dict, subject: str, trials: pd.DataFrame, files: list[str]) -> pd.DataFrame:
    """Trials with the sessions and runs of the files of values, through which they follow one another."""
    name = filled(options["values"]["file"], {"subject": subject})
    path = trials["path"].iloc[0]
    found = list({tuple(values[key] for key in files): values for values in on_disk(base, name)}.values())
    if not found:
        raise InputError("values", f"no file of {subject}", "a file for each session", file=place(base, name))
    numbers = [values[files[0]] for values in found]
    if all(number.isdecimal() for number in numbers) and len(files) == 1:
        lacking = set(range(1, len(numbers) + 1)) - {int(number) for number in numbers}
        if lacking:
            shown = f"no file of {files[0]} {min(lacking)}, but one of {numbers[-1]}"
            expected = "all of them from the first on: without a column of the session, trials go through all"
            raise InputError("values", shown, expected, file=place(base, name))
    counts = [_trials_in(place(base, filled(name, values)), options["values"]) for values in found]
    total = sum(counts)
    if len(trials) < total or (len(trials) > total and options["trials"]["design"] not in LONGER):
        shown = f"{len(trials)} trials, and {total} in {len(found)} files of {subject}"
        raise InputError("trials", shown, "as many as in the files", file=path)
    if len(trials) > total:
        print(f"{path}: the files of {subject} have the first {total} of {len(trials)} trials")
    trials = trials.iloc[:total].reset_index(drop=True)
    return trials.assign(**{key: np.repeat([values[key] for values in found], counts) for key in files})


def _trials_in(path: Path, settings: dict) -> int:
    """Number of trials in a file of values."""
    with open_array(path, settings["key"]) as array:
        axes = settings["axes"] or array.axes
        if axes is None:
            expected = "options.values.axes, such as [trial, voxel]"
            raise InputError("axes", f"shape {array.shape}", expected, file=path)
        if len(axes) != len(array.shape) or "trial" not in axes:
            raise InputError(
                "axes",
                f"{len(array.shape)} axes of lengths {array.shape}",
                f"{', '.join(axes)} (options.values.axes)",
                file=path,
            )
        return array.shape[list(axes).index("trial")]


def _places(trials: pd.DataFrame, settings: dict, files: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Place of each trial in its file (one for each key in `files`), and the number of trials there."""
    groups = trials.assign(all="").groupby(["all", *files], sort=False)
    column = settings["index"]
    if column is None:
        return groups.cumcount().to_numpy(), groups["line"].transform("size").to_numpy()
    path = trials["path"].iloc[0]
    if column not in trials:
        raise InputError("columns", _columns(trials), f"also {column} (options.trials.index)", file=path)
    base = settings["base"]
    if base is None:
        raise InputError("options.trials.base", "nothing", f"0 or 1: what {column} counts from", file=path)
    for line, value in zip(trials["line"], trials[column], strict=True):
        if not (isinstance(value, str) and value.isdecimal() and int(value) >= base):
            shown = "n/a" if pd.isna(value) else repr(value)
            expected = f"a whole number from {base} on (options.trials.base)"
            raise InputError(f"{column}, line {line}", shown, expected, file=path)
    places = trials[column].astype(int) - base
    twice = trials.assign(place=places).duplicated([*files, "place"])
    if twice.any():
        line, value = trials.loc[twice.idxmax(), ["line", column]]
        raise InputError(f"{column}, line {line}", f"{value} twice", "each trial once", file=path)
    return places.to_numpy(), np.full(len(trials), -1)


def _left_out(trials: pd.DataFrame, leave_out: dict) -> pd.DataFrame:
    """The trials that the card does not leave out."""
    before, path = len(trials), trials["path"].iloc[0]
    for column, unwanted in leave_out.items():
        if column not in trials:
            expected = f"also {column} (options.trials.leave_out)"
            raise InputError("columns", _columns(trials), expected, file=path)
        present = set(trials[column].dropna())
        dropped = {value for values in matching(unwanted, present).values() for value in values}
        trials = trials[~trials[column].isin(dropped)]
    if trials.empty:
        raise InputError("trials", "none left", "at least one (options.trials.leave_out)", file=path)
    if len(trials) < before:
        print(f"{path}: {before - len(trials)} of {before} trials are left out, as the card says")
    return trials.reset_index(drop=True)


def _ids(trials: pd.DataFrame, settings: dict) -> list[str]:
    """The stimulus of each trial."""
    column, pattern, ids = settings["column"], settings["pattern"], []
    for value, line, path in zip(trials[column], trials["line"], trials["path"], strict=True):
        if pd.isna(value):
            expected = "the name of a stimulus (options.trials.leave_out leaves trials out)"
            raise InputError(f"{column}, line {line}", "n/a", expected, file=path)
        if pattern is not None:
            match = re.search(pattern, value)
            if match is None or not match[match.re.groups and 1]:
                raise InputError(
                    f"{column}, line {line}", repr(value), f"a value that {pattern!r} fits", file=path
                )
            value = match[match.re.groups and 1]
        ids.append(value)
    return ids


def _counts(trials: pd.DataFrame, repeats: int | str | None) -> np.ndarray:
    """How many presentations each row is the average of."""
    if repeats == UNKNOWN:
        return np.ones(len(trials), int)
    if not isinstance(repeats, str):
        return np.full(len(trials), 1 if repeats is None else repeats)
    path = trials["path"].iloc[0]
    if repeats not in trials:
        raise InputError("columns", _columns(trials), f"also {repeats} (options.trials.repeats)", file=path)
    for line, value in zip(trials["line"], trials[repeats], strict=True):
        if not (isinstance(value, str) and value.isdecimal() and int(value) > 0):
            shown = "n/a" if pd.isna(value) else repr(value)
            raise InputError(f"{repeats}, line {line}", shown, "a number of presentations", file=path)
    return trials[repeats].astype(int).to_numpy()


def _check_repeats(trials: pd.DataFrame, settings: dict) -> None:
    """Refuse averages of one stimulus in two rows, and one repeat of a stimulus in two."""
    if settings["repeats"] is not None:
        twice = trials.duplicated("stimulus_id")
        expected = "each stimulus once: rows are averages over repeats (options.trials.repeats)"
    elif (trials["repeat"] != "").any():
        twice = trials.duplicated(["stimulus_id", "session", "run", "repeat"])
        expected = "each repeat of a stimulus once"
    else:
        return
    if twice.any():
        row = trials.loc[twice.idxmax()]
        which = f", repeat {row['repeat']}," if row["repeat"] else ""
        found = f"{row['stimulus_id']!r}{which} twice"
        raise InputError(f"{settings['column']}, line {row['line']}", found, expected, file=row["path"])


# ---- designs that are no tables --------------------------------------------------------------------------


def nsd_design(path: Path, subject: str) -> pd.DataFrame:
    """Trials of a subject of the Natural Scenes Dataset, from `nsd_expdesign.mat`.

    All of that file counts from 1: trial t shows image subjectim[subject, masterordering[t]] of the 73,000.

    Parameters
    ----------
    path : of the file
    subject : its name ends in the subject's number, as subj01 does

    Returns
    -------
    a row for each trial, in the order of the sessions: stimulus_id (row of the 73,000, from 0, which is
        `nsdId`) and shared (1: one of the images that everybody saw, else 0)

    Raises
    ------
    InputError : a name without number, arrays that are not there, or of other shapes or values.

    References
    ----------
    Allen et al. 2022, doi:10.1038/s41593-021-00962-x; the NSD data manual
    """
    number = re.search(r"(\d+)$", subject)
    if number is None:
        raise InputError(
            "options.subjects", repr(subject), "a name that ends in a number, as subj01", file=path
        )
    names = ("masterordering", "subjectim", "sharedix")
    ordering, images, shared = (np.asarray(value) for value in _matlab(path, names))
    ordering = ordering.ravel().astype(np.int64)
    # MATLAB 7.3 has the axes the other way round
    images = (images if images.shape[0] < images.shape[1] else images.T).astype(np.int64)
    row = int(number[1]) - 1
    if not 0 <= row < len(images):
        found = f"{subject!r}, and {len(images)} subjects in subjectim"
        raise InputError("options.subjects", found, f"a number from 1 to {len(images)}", file=path)
    for name, values, most in (("masterordering", ordering, images.shape[1]), ("subjectim", images, None)):
        if values.min() < 1 or (most and values.max() > most):
            found = f"values from {values.min()} to {values.max()}"
            raise InputError(name, found, f"numbers from 1 to {most or 'that of the images'}", file=path)
    shown = images[row, ordering - 1]
    return pd.DataFrame(
        {
            "stimulus_id": [str(number) for number in shown - 1],
            "shared": np.where(np.isin(shown, shared), "1", "0"),
        },
        index=np.arange(1, len(shown) + 1),
        dtype=object,
    )


def _matlab(path: Path, names: tuple[str, ...]) -> list[np.ndarray]:
    """Arrays of a MATLAB file of any version."""
    import h5py
    from scipy.io import loadmat

    try:
        if h5py.is_hdf5(path):
            with h5py.File(path, "r") as file:
                content = {name: file[name][()] for name in names if name in file}
        else:
            content = loadmat(path, variable_names=list(names))
    # scipy has an error of its own for each way a file can be damaged
    except Exception as error:
        raise InputError("content", reason(error), "a MATLAB file that is complete", file=path) from error
    for name in names:
        if name not in content:
            raise InputError("variable", f"no {name!r}", f"{' and '.join(names)}", file=path)
    return [content[name] for name in names]


def images_design(path: Path, subject: str) -> pd.DataFrame:
    """A row for each image of a folder, in the order of their names, without suffixes."""
    names = image_names(path)
    print(f"{path}: {len(names)} images in the order of their names, from {names[0]} to {names[-1]}")
    ids = [Path(name).stem for name in names]
    return pd.DataFrame({"stimulus_id": ids}, index=np.arange(1, len(ids) + 1), dtype=object)


DESIGNS = {"nsd": nsd_design, "images": images_design}
# designs that go on after the last session that is on the disk
LONGER = {"nsd"}
