"""BIDS folders: runs, events, confounds, stimuli and ROI masks, checked where they enter."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from nilearn.image import resample_to_img
from nilearn.interfaces.bids import get_bids_files, parse_bids_filename

from cortexrsa.errors import InputError, suggestion
from cortexrsa.formats.images import IMAGE_SUFFIXES, load_images
from cortexrsa.formats.stimuli import check_stimuli

TABLE = "stimuli.tsv"
# what the confounds of a run are called by fMRIPrep, now and before version 20
CONFOUNDS = ("desc-confounds_timeseries", "desc-confounds_regressors")
TR_TOLERANCE = 1e-3  # seconds; headers hold float32
GRID_TOLERANCE = 1e-3  # mm, between affines
LEAST_OVERLAP = 0.5  # of a mask's voxels that must lie in the volume of the BOLD


@dataclass(frozen=True)
class Run:
    """One BOLD run: its labels (session and run are None where the file name has none) and files."""

    subject: str
    session: str | None
    run: str | None
    bold: Path
    events: Path
    confounds: Path | None
    tr: float  # seconds

    @property
    def label(self) -> str:
        """sub-01, ses-02 and run-03, as far as they exist."""
        parts = (("sub", self.subject), ("ses", self.session), ("run", self.run))
        return "_".join(f"{key}-{value}" for key, value in parts if value is not None)


# ---- subjects and runs -----------------------------------------------------------------------------------


def subject_labels(folder: str | Path, options: dict) -> list[str]:
    """Labels of the subjects: those of `options`, or all that have a folder.

    Raises
    ------
    InputError : no such folder, no subjects in it, or one of those named is not there.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError("path", "no such folder", "a BIDS folder", file=folder)
    present = sorted(path.name.removeprefix("sub-") for path in folder.glob("sub-*") if path.is_dir())
    if not present:
        raise InputError("subjects", "no folder sub-*", "a BIDS folder", file=folder)
    for subject in options.get("subjects") or []:
        if subject not in present:
            raise InputError("subjects", repr(subject), suggestion(subject, present), file=folder)
    return list(options.get("subjects") or present)


def find_runs(folder: str | Path, options: dict) -> list[Run]:
    """Runs of all subjects, in the order of sessions and runs.

    Parameters
    ----------
    folder : BIDS folder
    options : of the card: task; subjects, sessions (labels; None for all), derivatives (folder below it in
        which the preprocessed BOLD and its confounds lie, None for raw BOLD), space, desc (entities of the
        preprocessed BOLD), confounds (names of columns)

    Raises
    ------
    InputError : no runs; two files for one run; a run without events or confounds; a TR that is missing,
        differs between header and sidecar, or between runs; a subject without a session that others have.
    """
    folder = Path(folder)
    runs = [run for subject in subject_labels(folder, options) for run in _runs_of(folder, subject, options)]
    sessions = {run.session for run in runs}
    for subject in dict.fromkeys(run.subject for run in runs):
        lacking = sessions - {run.session for run in runs if run.subject == subject}
        if lacking:
            named = ", ".join(sorted(f"ses-{session}" for session in lacking))
            expected = "all sessions in all subjects (name those to use in options.sessions)"
            raise InputError("sessions", f"no runs of {named}", expected, file=folder / f"sub-{subject}")
    for run in runs[1:]:
        if abs(run.tr - runs[0].tr) > TR_TOLERANCE:
            expected = f"{runs[0].tr:g} s, as in {runs[0].bold.name}"
            raise InputError("RepetitionTime", f"{run.tr:g} s", expected, file=run.bold)
    return runs


def _runs_of(folder: Path, subject: str, options: dict) -> list[Run]:
    source = folder / options["derivatives"] if options.get("derivatives") else folder
    filters = [("task", options["task"])]
    filters += [(key, options[key]) for key in ("space", "desc") if options.get(key)]
    paths = [
        Path(path)
        for path in get_bids_files(source, "bold", "nii*", subject, "func", filters)
        if options.get("derivatives") or "space" in dict(filters) or "_space-" not in path
    ]
    labels = {path: parse_bids_filename(path)["entities"] for path in paths}
    sessions = options.get("sessions")
    if sessions:
        paths = [path for path in paths if labels[path].get("ses") in sessions]
    if not paths:
        described = ", ".join(f"{key}-{value}" for key, value in filters)
        found = f"no BOLD of {described}" + (f" in sessions {', '.join(sessions)}" if sessions else "")
        raise InputError("runs", found, "func/*_bold.nii.gz", file=source / f"sub-{subject}")
    seen: dict[tuple, Path] = {}
    runs = []
    for path in sorted(paths, key=lambda path: (labels[path].get("ses", ""), _number(labels[path]), path)):
        entities = labels[path]
        key = (entities.get("ses"), _number(entities))
        if key in seen:
            found = f"two files for one run, {seen[key].name} and {path.name}"
            raise InputError("runs", found, "one (options.space and options.desc choose)", file=path.parent)
        seen[key] = path
        runs.append(
            Run(
                subject,
                entities.get("ses"),
                entities.get("run"),
                path,
                _events_of(folder, subject, entities),
                _confounds_of(path, entities) if options.get("confounds") else None,
                _repetition_time(path, source if source == folder else folder),
            )
        )
    return runs


def _number(entities: dict) -> tuple:
    """The run's index: 1 and 01 are the same run."""
    run = entities.get("run", "")
    return (int(run), "") if run.isdecimal() else (-1, run)


def _stem(subject: str, entities: dict) -> str:
    keys = ("ses", "task", "acq", "run")
    return "_".join([f"sub-{subject}", *(f"{key}-{entities[key]}" for key in keys if key in entities)])


def _events_of(folder: Path, subject: str, entities: dict) -> Path:
    place = folder / f"sub-{subject}"
    if "ses" in entities:
        place = place / f"ses-{entities['ses']}"
    path = place / "func" / f"{_stem(subject, entities)}_events.tsv"
    if not path.is_file():
        raise InputError("file", "no such file", "the events of the run", file=path)
    return path


def _confounds_of(bold: Path, entities: dict) -> Path:
    stem = _stem(entities["sub"], entities)
    for name in CONFOUNDS:
        if (path := bold.parent / f"{stem}_{name}.tsv").is_file():
            return path
    raise InputError("confounds", "no file of them", f"{stem}_{CONFOUNDS[0]}.tsv beside it", file=bold)


def sidecars_of(bold: Path, folder: Path) -> list[Path]:
    """JSON files that describe a BOLD file, the nearest last (the inheritance principle of BIDS)."""
    entities = set(bold.name.split("_")[:-1])
    found = []
    for place in [*reversed(bold.parents)]:
        if place == folder or folder in place.parents:
            own = [path for path in place.glob("*bold.json") if set(path.name.split("_")[:-1]) <= entities]
            found += sorted(own, key=lambda path: path.name.count("_"))
    return found


def _repetition_time(bold: Path, folder: Path) -> float:
    """TR in seconds of the sidecars, or else of the header; they must not contradict each other."""
    described = None
    for path in sidecars_of(bold, folder):
        try:
            described = json.loads(path.read_text(encoding="utf-8")).get("RepetitionTime", described)
        except (OSError, ValueError) as error:
            raise InputError("JSON", error, "a sidecar as BIDS has it", file=path) from error
        if described is not None and not (isinstance(described, int | float) and described > 0):
            raise InputError("RepetitionTime", repr(described), "seconds", file=path)
    header = open_bold(bold).header
    unit = {"msec": 1e-3, "usec": 1e-6}.get(header.get_xyzt_units()[1], 1.0)
    stored = float(header.get_zooms()[3]) * unit
    if described is None and stored <= 0:
        raise InputError("RepetitionTime", "none in sidecars or header", "seconds in a sidecar", file=bold)
    if described is None:
        return stored
    if stored > 0 and abs(stored - described) > TR_TOLERANCE:
        found = f"{stored:g} s in the header, {described:g} s in the sidecar"
        raise InputError("RepetitionTime", found, "one TR", file=bold)
    return float(described)


# ---- images of one run -----------------------------------------------------------------------------------


def _load(path: Path) -> nib.Nifti1Image:
    try:
        return nib.load(path)
    except (OSError, nib.filebasedimages.ImageFileError) as error:
        raise InputError("NIfTI", " ".join(str(error).split()), "a readable NIfTI file", file=path) from error


def open_bold(path: Path) -> nib.Nifti1Image:
    """A 4-D NIfTI file, its data still on disk.

    Raises
    ------
    InputError : not readable as NIfTI, or not of four dimensions.
    """
    image = _load(path)
    if len(image.shape) != 4 or image.shape[3] < 2:
        raise InputError("shape", image.shape, "four dimensions, time last", file=path)
    return image


def read_volumes(path: Path) -> np.ndarray:
    """Data of a NIfTI file, in the type it is stored in unless the header scales it (then float32).

    Raises
    ------
    InputError : not readable, or shorter than its header says.
    """
    image = _load(path)
    try:
        if image.dataobj.slope == 1 and image.dataobj.inter == 0:
            return np.asanyarray(image.dataobj)
        return image.get_fdata(dtype=np.float32, caching="unchanged")
    except (OSError, EOFError, ValueError, zlib.error, gzip.BadGzipFile) as error:
        found = " ".join(str(error).split())
        raise InputError(
            "data", found, f"{image.shape} values, a file that is complete", file=path
        ) from error


def check_series(series: np.ndarray, path: Path) -> str:
    """Refuse volumes without data, and return a fingerprint of the series.

    Parameters
    ----------
    series : (scans, v) of the voxels of interest
    path : to name in an error

    Raises
    ------
    InputError : a volume that is NaN or zero in all voxels of interest.
    """
    for name, missing in (("NaN", ~np.isfinite(series)), ("zero", series == 0)):
        volumes = np.flatnonzero(missing.all(axis=1))
        if len(volumes):
            found = f"{len(volumes)} of {len(series)} volumes {name} in all ROIs, the first is {volumes[0]}"
            raise InputError("volumes", found, "data in every volume", file=path)
    return hashlib.sha256(np.ascontiguousarray(series)).hexdigest()


def check_grid(image: nib.Nifti1Image, first: nib.Nifti1Image, path: Path, first_path: Path) -> None:
    """Refuse a run whose voxels are not those of the subject's first run."""
    if image.shape[:3] != first.shape[:3]:
        raise InputError("grid", image.shape[:3], f"{first.shape[:3]}, as in {first_path.name}", file=path)
    if np.abs(image.affine - first.affine).max() > GRID_TOLERANCE:
        found = f"an affine that differs by {np.abs(image.affine - first.affine).max():.3g}"
        raise InputError(
            "grid", found, f"that of {first_path.name} (realign and resample the runs)", file=path
        )


# ---- events, confounds, stimuli --------------------------------------------------------------------------


def _read_tsv(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, sep="\t", dtype=str, na_values=["n/a"], keep_default_na=False)
    except (OSError, ValueError) as error:
        raise InputError("table", " ".join(str(error).split()), "tab-separated values", file=path) from error


def read_events(run: Run, duration: float | None = None) -> pd.DataFrame:
    """Presentations of a run; rows whose stimulus_id is n/a (fixation, responses) are left out.

    Parameters
    ----------
    run : see `find_runs`
    duration : of the run in seconds; None leaves the end of the run unchecked

    Returns
    -------
    onset, duration (seconds) and stimulus_id of each presentation, in the order of the file

    Raises
    ------
    InputError : a missing column, a value that is no number, no presentation at all, two of them at the same
        time, or one that begins after the end of the run.
    """
    table = _read_tsv(run.events)
    for column in ("onset", "duration", "stimulus_id"):
        if column not in table:
            raise InputError("columns", ", ".join(table), f"also {column}", file=run.events)
    table = table[table["stimulus_id"].notna()]
    if table.empty:
        raise InputError("stimulus_id", "n/a only", "at least one presentation", file=run.events)
    events = table[["stimulus_id"]].copy()
    for column in ("onset", "duration"):
        events[column] = pd.to_numeric(table[column], errors="coerce")
        wrong = ~np.isfinite(events[column]) | ((events[column] < 0) & (column == "duration"))
        if wrong.any():
            row = wrong.idxmax()
            raise InputError(f"{column}, line {row + 2}", table[column][row], "seconds", file=run.events)
    repeated = events["onset"][events["onset"].duplicated()]
    if len(repeated):
        found = f"two stimuli at {repeated.iloc[0]:g} s"
        raise InputError("onset", found, "one presentation at a time", file=run.events)
    if duration is not None and (events["onset"] >= duration).any():
        row = (events["onset"] >= duration).idxmax()
        expected = f"at most {duration:g} s, the end of the run"
        raise InputError(f"onset, line {row + 2}", f"{events['onset'][row]:g} s", expected, file=run.events)
    return events.reset_index(drop=True)


def read_confounds(run: Run, names: list[str], scans: int) -> pd.DataFrame:
    """Confounds of a run by name, (scans, c). A first value n/a, as derivatives have, becomes the mean.

    Raises
    ------
    InputError : no such column (with the nearest), another number of rows than scans, or a value that is
        missing or no number.
    """
    table = _read_tsv(run.confounds)
    for name in names:
        if name not in table:
            raise InputError("columns", f"no {name!r}", suggestion(name, list(table)), file=run.confounds)
    if len(table) != scans:
        raise InputError("rows", len(table), f"{scans}, one for each volume", file=run.confounds)
    values = table[names].apply(pd.to_numeric, errors="coerce")
    values.iloc[0] = values.iloc[0].fillna(values.mean())
    for name in names:
        if not np.isfinite(values[name]).all():
            row = int((~np.isfinite(values[name])).to_numpy().argmax())
            raise InputError(f"{name}, line {row + 2}", table[name].iloc[row], "a number", file=run.confounds)
    return values


def read_stimuli(
    folder: str | Path, options: dict, events: dict[Run, pd.DataFrame]
) -> tuple[np.ndarray, pd.DataFrame]:
    """Stimuli of a BIDS folder: their images, and one row each.

    Parameters
    ----------
    folder : BIDS folder
    options : of the card: stimuli (folder of the images below it), table (file with stimulus_id, filename,
        split and any labels; below `folder`, or absolute; None for `stimuli.tsv` among the images, if there
        is one), unshown (refuse, or drop stimuli that a subject did not see)
    events : of every run, see `read_events`

    Returns
    -------
    images : (n, H, W, 3) uint8
    stimuli : n rows: stimulus_id, split, repeats (the fewest of any subject) and the labels of the table.
        Without a table they are those that were shown, in the order of their names, all in the split test.

    Raises
    ------
    InputError : a stimulus that is shown but not in the table, in the table but not shown, or without image;
        see also `files.check_stimuli` and `images.load_images`.
    """
    folder = Path(folder)
    images = folder / options["stimuli"]
    if not images.is_dir():
        raise InputError("folder", "no such folder", "a folder of images", file=images)
    shown = pd.concat([e.assign(subject=run.subject) for run, e in events.items()], ignore_index=True)
    path = folder / options["table"] if options.get("table") else images / TABLE
    if options.get("table") or path.is_file():
        table = _read_tsv(path)
        if "stimulus_id" not in table:
            raise InputError("columns", ", ".join(table), "also stimulus_id", file=path)
        if table["stimulus_id"].isna().any():
            raise InputError("stimulus_id", "n/a", "an id in every row", file=path)
        known = set(table["stimulus_id"])
        for run, own in events.items():
            unknown = own["stimulus_id"][~own["stimulus_id"].isin(known)]
            if len(unknown):
                raise InputError(
                    "stimulus_id",
                    repr(unknown.iloc[0]),
                    f"a stimulus of {path.name}: {suggestion(unknown.iloc[0], sorted(known))}",
                    file=run.events,
                )
    else:
        table = pd.DataFrame({"stimulus_id": sorted(set(shown["stimulus_id"]))})
    counts = shown.groupby(["stimulus_id", "subject"]).size().unstack(fill_value=0)
    counts = counts.reindex(table["stimulus_id"], fill_value=0)
    seen = (counts > 0).all(axis=1).to_numpy()
    if options["unshown"] == "refuse" and not seen.all():
        stimulus = counts.index[~seen][0]
        subject = counts.columns[(counts.loc[stimulus] == 0).to_numpy()][0]
        found = f"{stimulus!r} was never shown to sub-{subject}"
        expected = "every stimulus shown to every subject (options.unshown: drop leaves the others out)"
        raise InputError("stimuli", found, expected, file=path if path.is_file() else folder)
    if not seen.all():
        print(f"{(~seen).sum()} of {len(seen)} stimuli were not shown to every subject, and are left out")
    table = table[seen].reset_index(drop=True)
    table["repeats"] = counts.min(axis=1).to_numpy()[seen]
    if "split" not in table:
        table["split"] = "test"
    names = table.pop("filename") if "filename" in table else _image_names(images, table["stimulus_id"])
    for stimulus, name in zip(table["stimulus_id"], names, strict=True):
        if pd.isna(name) or not (images / name).is_file():
            found = "no image" if pd.isna(name) else f"no file {name}"
            raise InputError(f"image of {stimulus!r}", found, "a JPEG or PNG of that name", file=images)
    pixels = load_images(images, list(names))
    first = ["stimulus_id", "split", "repeats"]
    table = table[first + [column for column in table if column not in first]]
    check_stimuli(pixels, table, path if path.is_file() else folder)
    return pixels, table


def _image_names(folder: Path, stimuli: pd.Series) -> list[str | None]:
    """Files named like the stimuli, with or without the suffix of an image."""
    files = {path.name: path.name for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES}
    files |= {Path(name).stem: name for name in list(files)}
    return [files.get(stimulus) for stimulus in stimuli]


# ---- ROIs ------------------------------------------------------------------------------------------------


def roi_file(folder: str | Path, place: dict, subject: str) -> Path:
    """The mask or atlas of a ROI; `{subject}` in its name stands for the subject's label."""
    name = place["mask"] if "mask" in place else place["atlas"]
    return Path(folder) / name.replace("{subject}", subject)


def roi_mask(folder: str | Path, place: dict, run: Run, bold: nib.Nifti1Image) -> np.ndarray:
    """Voxels (x, y, z) of a ROI, on the grid of the BOLD.

    A mask or atlas on another grid is resampled (nilearn; masks linearly and cut at the threshold, atlases
    to the nearest label), which is said in the log.

    Parameters
    ----------
    folder : BIDS folder
    place : mask (file) with threshold (voxels above it belong to the ROI; 0.5 suits masks and probabilities),
        or atlas (file) with label (a number, or a list of them)
    run : of the subject
    bold : a run of the subject

    Raises
    ------
    InputError : no such file; another space than the BOLD, by its name or by where it lies; no voxel, as it
        is or after resampling; labels that the atlas lacks.
    """
    path = roi_file(folder, place, run.subject)
    if not path.is_file():
        raise InputError("ROI", "no such file", "a NIfTI mask or atlas", file=path)
    _check_space(path, run.bold)
    image = _load(path)
    if len(image.shape) == 4 and image.shape[3] == 1:
        image = image.slicer[..., 0]
    if len(image.shape) != 3:
        raise InputError("shape", image.shape, "three dimensions", file=path)
    values = np.nan_to_num(np.asarray(read_volumes(path), np.float32).reshape(image.shape))
    if "atlas" in place:
        labels = np.atleast_1d(place["label"])
        lacking = [int(label) for label in labels if not (values == label).any()]
        if lacking:
            present = [int(label) for label in np.unique(values) if label]
            raise InputError("label", lacking[0], f"one of {', '.join(map(str, present[:30]))}", file=path)
        inside, threshold, how = np.isin(values, labels), None, "nearest"
    else:
        threshold = place["threshold"]
        inside, how = values > threshold, "linear"
        if not inside.any():
            found = f"no voxel above {threshold:g} (largest value {values.max():g})"
            raise InputError("ROI", found, "at least one voxel", file=path)
    same = image.shape == bold.shape[:3] and np.abs(image.affine - bold.affine).max() <= GRID_TOLERANCE
    if same:
        return inside
    _check_overlap(inside, image.affine, bold, path)
    source = values if threshold is not None else inside.astype(np.float32)
    resampled = resample_to_img(
        nib.Nifti1Image(source, image.affine),
        nib.Nifti1Image(np.zeros(bold.shape[:3], np.float32), bold.affine),
        interpolation=how,
        force_resample=True,
        copy_header=True,
    ).get_fdata()
    mask = resampled > (0.5 if threshold is None else threshold)
    print(
        f"{path.name}: resampled from {image.shape} to the grid of the BOLD {bold.shape[:3]}, "
        f"{inside.sum()} voxels became {mask.sum()}"
    )
    if not mask.any():
        found = f"no voxel left of {inside.sum()} after resampling to the grid of the BOLD {bold.shape[:3]}"
        raise InputError("ROI", found, "at least one voxel", file=path)
    return mask


def _check_space(path: Path, bold: Path) -> None:
    """Refuse a mask whose name says another space than the BOLD's."""
    spaces = [parse_bids_filename(file)["entities"].get("space") for file in (path, bold)]
    # T1w and native masks may well be on the grid of raw BOLD; templates never are
    if spaces[0] is not None and spaces[0] != spaces[1] and "MNI" in f"{spaces[0]}{spaces[1]}":
        expected = f"that of {bold.name} ({spaces[1] or 'native'})"
        raise InputError("space", spaces[0], expected, file=path)


def _check_overlap(inside: np.ndarray, affine: np.ndarray, bold: nib.Nifti1Image, path: Path) -> None:
    """Refuse a mask that lies outside of the BOLD's volume, as one in another space does."""
    place = nib.affines.apply_affine(np.linalg.inv(bold.affine) @ affine, np.argwhere(inside))
    within = ((place > -0.5) & (place < np.array(bold.shape[:3]) - 0.5)).all(axis=1).mean()
    if within < LEAST_OVERLAP:
        found = f"{within:.0%} of its voxels in the volume of the BOLD"
        raise InputError("space", found, f"the space of the BOLD (at least {LEAST_OVERLAP:.0%})", file=path)
