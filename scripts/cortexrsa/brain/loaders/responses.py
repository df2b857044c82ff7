"""Loader `responses`: betas that are already there, in files of any common format."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray

from cortexrsa.brain.assembly import Source, assemble, mean_over_repeats, select_reliable
from cortexrsa.brain.loaders.places import place
from cortexrsa.brain.loaders.responses_files import base_of, filled, on_disk, placeholders_of, same_name
from cortexrsa.brain.loaders.responses_rois import Brain, Part, brain_of, parts_of_values, voxels_of_rois
from cortexrsa.brain.loaders.responses_trials import UNKNOWN, read_trials
from cortexrsa.brain.loaders.responses_values import check_values, layout_of, read_part, scale_of
from cortexrsa.brain.reliability import noise_ceiling, total_variance
from cortexrsa.brain.responses import BLOCK, recorded, voxels_of_subjects
from cortexrsa.errors import InputError, concerning
from cortexrsa.formats.foreign_arrays import open_array
from cortexrsa.jobs import warn


def load_responses(
    card: dict, downloads: str | Path | None, stimuli: pd.DataFrame, scratch: str | Path | None = None
) -> xarray.DataArray:
    """Responses of all subjects to the stimuli; the values of one session are in memory at a time.

    Parameters
    ----------
    card : of the data set: path, rois, options
    downloads : folder of the downloaded files, or None
    stimuli : of `load_stimuli`
    scratch : folder for a large array while it is filled

    Returns
    -------
    see `assembly.assemble`; the attribute spaces says in JSON where the voxels of each subject lie (`_space`)

    Raises
    ------
    InputError : see `source_of`, `assembly.assemble` and `assembly.select_reliable`; z-scores of averages, or
        over runs that are not known.
    """
    base, options = base_of(card, downloads), card["options"]
    # all headers, masks and tables before any value
    sources = [source_of(base, card["rois"], options, subject) for subject in options["subjects"]]
    zscore = _zscore(options, sources)
    responses = assemble(stimuli, sources, zscore, scratch=scratch)
    selection = options["selection"]
    if selection:
        with concerning("options.selection"):
            responses = select_reliable(responses, **selection)
    if options["average"] and "repeat" in responses.dims:
        responses = _averages(responses)
    spaces = {source.subject: source.attributes["space"] for source in sources}
    return responses.assign_attrs(spaces=json.dumps(spaces))


def _averages(responses: xarray.DataArray) -> xarray.DataArray:
    """Means over the repeats, with what ceilings need of the repeats: their numbers, and each ncsnr."""
    values, ncsnr = responses.values, np.full(responses.sizes["voxel"], np.nan)
    counts = np.full(responses.sizes["stimulus"], np.iinfo(int).max)
    for own in voxels_of_subjects(responses).values():
        present = recorded(values, own)
        counts = np.minimum(counts, present.sum(axis=1))
        if (present.sum(axis=1) >= 2).sum() < 3:
            continue
        for start in range(0, len(own), BLOCK):
            block = own[start : start + BLOCK]
            trials = values[..., block]
            ncsnr[block] = noise_ceiling(trials, total_variance(responses, trials), present)[0]
    averages = mean_over_repeats(responses)
    return averages.assign_coords(repeats=("stimulus", counts), ncsnr=("voxel", ncsnr))


def _zscore(options: dict, sources: list[Source]) -> str:
    """What each voxel is z-scored over: of trials a session, unless the card says otherwise."""
    averages, wanted = sources[0].averages, options["zscore"]
    if wanted is None:
        wanted = "none" if averages else "session"
    if averages and wanted != "none":
        expected = "none: these are averages over repeats of several sessions"
        raise InputError("options.zscore", wanted, expected, file="data set card")
    for source in sources:
        if wanted != "none" and not (source.trials[wanted] != "").any():
            if wanted == "run":
                expected = "a column run of the trials (options.trials.run)"
                raise InputError("options.zscore", "run, and no run is known", expected, file=source.subject)
            warn(f"{source.subject}: no sessions are known: each voxel is z-scored over all trials")
    return wanted


# ---- one subject -----------------------------------------------------------------------------------------


def source_of(base: str | Path, rois: dict[str, dict], options: dict, subject: str) -> Source:
    """Trials and voxels of one subject, once all headers have been checked; the values are still on the disk.

    Parameters
    ----------
    base : folder from which the names of the card start
    rois, options : of the card
    subject : name

    Raises
    ------
    InputError : see `responses_trials.read_trials`, `responses_rois.voxels_of_rois`, `responses_values`; a
        session or run without a file, files of one subject with other voxels.
    """
    trials = read_trials(base, options, subject)
    keys = parts_of_values(options, rois)
    files = _files(base, options, subject, trials, keys)
    parts = _parts(options, files, keys)
    inside = brain_of(base, options["voxels"], subject, parts)
    chosen = voxels_of_rois(base, rois, options, subject, parts, inside)
    used = np.unique(np.concatenate(list(chosen.values())))
    columns = np.concatenate([np.searchsorted(used, voxels) for voxels in chosen.values()])
    reader = _Reader(options, files, parts, used, columns, subject)
    averages = options["trials"]["repeats"] is not None
    kept = [name for name in ("stimulus_id", "session", "run", "repeats") if name in trials]
    if options["trials"]["repeats"] == UNKNOWN:
        kept.remove("repeats")
    coords, space = _coords(chosen, used[columns], parts, inside), _space(parts, inside)
    return Source(subject, trials[kept], coords, reader.read, averages, {"space": space})


@dataclass(frozen=True)
class _File:
    """Files of the trials of one session and run, one for each part of the voxels."""

    label: str
    rows: np.ndarray  # of the table of trials
    places: np.ndarray  # along the axis of the trials
    paths: list[Path]
    expected: int | None  # trials in the file; None where the table does not tell


def _files(base, options: dict, subject: str, trials: pd.DataFrame, parts: list[dict]) -> list[_File]:
    """Files of every session and run of the trials."""
    name = filled(options["values"]["file"], {"subject": subject})
    keys = [key for key in ("session", "run") if key in placeholders_of(name)]
    groups = trials.groupby(keys, sort=False).indices if keys else {"": np.arange(len(trials))}
    present = on_disk(base, name) if keys else []
    found = []
    for values, rows in groups.items():
        own = dict(zip(keys, values if isinstance(values, tuple) else (values,), strict=bool(keys)))
        written = _written(own, present) if keys else {}
        label = " ".join(f"{key} {value}" for key, value in own.items()) or "trials"
        if written is None:
            lacking = place(base, filled(name, own))
            expected = "a file of values (options.sessions chooses sessions)"
            raise InputError(f"{label} of {subject}", "no file", expected, file=lacking)
        paths = [place(base, filled(name, written | part)) for part in parts]
        number = int(trials["rows"].iloc[rows[0]])
        places = trials["place"].to_numpy()[rows]
        found.append(_File(label, rows, places, paths, None if number < 0 else number))
    return found


def _written(own: dict[str, str], present: list[dict[str, str]]) -> dict[str, str] | None:
    """Session and run as the names of files write them: 1 may be 01."""
    for values in present:
        if all(same_name(values[key], value) for key, value in own.items()):
            return {key: values[key] for key in own}
    return None


def _parts(options: dict, files: list[_File], keys: list[dict[str, str]]) -> list[Part]:
    """Grids of the parts of the voxels, the same in all files; all headers are read here."""
    settings, parts = options["values"], []
    for file in files:
        for k, path in enumerate(file.paths):
            with open_array(path, settings["key"]) as array:
                layout = layout_of(array, settings["axes"], file.expected)
                scale_of(settings["scale"], array)
                affine = None if settings["affine"] == "ignore" else array.affine
            if file.expected is None and file.places.max() >= layout.trials:
                found = f"trial {file.places.max()} (from 0), and {layout.trials} trials in the file"
                base = options["trials"]["base"]
                expected = (
                    f"places in the file (does the index count from {1 - base}? options.trials.base: {base})"
                )
                raise InputError(options["trials"]["index"], found, expected, file=path)
            if file is files[0]:
                parts.append(Part(keys[k], layout.grid, affine, path))
            elif layout.grid != parts[k].grid:
                expected = f"{parts[k].grid}, as in {parts[k].source.name}"
                raise InputError("shape", f"a grid of {layout.grid}", expected, file=path)
    return parts


def _coords(
    chosen: dict, voxels: np.ndarray, parts: list[Part], inside: Brain | None
) -> dict[str, np.ndarray]:
    """ROI and place of each voxel: i, j and k in a volume, or an index; the part where there are several."""
    coords = {"roi": np.repeat(np.array(list(chosen), object), [len(voxels) for voxels in chosen.values()])}
    starts = np.cumsum([0, *(part.voxels for part in parts)])
    part = np.searchsorted(starts, voxels, side="right") - 1
    own = voxels - starts[part]
    if len(parts) > 1:
        names = np.array(["_".join(part.keys.values()) for part in parts], object)
        coords["part"] = names[part]
    if inside is not None:
        return coords | dict(zip("ijk", inside.places()[:, voxels], strict=True))
    if len(parts) == 1 and len(parts[0].grid) == 3:
        return coords | dict(zip("ijk", np.unravel_index(own, parts[0].grid), strict=True))
    return coords | {"index": own}


def _space(parts: list[Part], inside: Brain | None) -> list[dict]:
    """File, name, grid and affine of each part of the voxels; none where they are those of a mask."""
    if inside is not None:
        return []
    return [
        {
            "file": str(part.source),
            "part": "_".join(part.keys.values()),
            "grid": list(part.grid),
            "affine": None if part.affine is None else np.asarray(part.affine).tolist(),
        }
        for part in parts
    ]


@dataclass(frozen=True)
class _Reader:
    """Reads values of some trials of a subject."""

    options: dict
    files: list[_File]
    parts: list[Part]
    used: np.ndarray
    columns: np.ndarray
    subject: str

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Values (rows, voxels of all ROIs) float32; NaN in voxels that have one value in a whole file."""
        values = np.empty((len(rows), len(self.used)), np.float32)
        for file in self.files:
            at = np.flatnonzero(np.isin(rows, file.rows))
            if len(at):
                order = np.searchsorted(file.rows, rows[at])
                values[at] = self._of_file(file, file.places[order])
        return values[:, self.columns]

    def _of_file(self, file: _File, places: np.ndarray) -> np.ndarray:
        settings, start, found = self.options["values"], 0, []
        for part, path in zip(self.parts, file.paths, strict=True):
            own = self.used[(self.used >= start) & (self.used < start + part.voxels)] - start
            start += part.voxels
            with open_array(path, settings["key"]) as array:
                layout = layout_of(array, settings["axes"], file.expected)
                found.append(read_part(array, layout, places, own, scale_of(settings["scale"], array)))
        values = np.concatenate(found, axis=1)
        kept = check_values(values, file.paths[0], f"{file.label} of {self.subject}")
        if not kept.all():
            warn(f"{file.paths[0]}: {(~kept).sum()} of {len(kept)} trials are NaN in all voxels: left out")
        if len(values) > 1:
            # not recorded there, as at the edge of the volume
            values[:, (values == values[:1]).all(axis=0)] = np.nan
        return values
