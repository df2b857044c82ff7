"""From the trials of all subjects to the responses of voxels: the one path of every loader.

Trials -> z-scores of each voxel in each session or run -> places of stimuli and repeats -> a selection of
voxels or the mean over repeats, where they are wanted.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import xarray

from cortexrsa.brain.reliability import noise_ceiling, split_half_reliability, total_variance
from cortexrsa.brain.responses import BLOCK, recorded, voxels_of_subjects
from cortexrsa.errors import InputError
from cortexrsa.formats.responses import runs_name

LARGE = 2**28  # bytes from which trials lie in a file on the disk instead of in memory


@dataclass(frozen=True)
class Source:
    """Trials of one subject.

    Attributes
    ----------
    subject : name in the results
    trials : a row for each trial: stimulus_id, session, run (text; "" where there is none), and maybe repeats
        (presentations in an average)
    voxels : coords of the voxels, each (v,); roi at least
    read : values (rows, v) of some rows of `trials`, by their places; NaN where a trial was not recorded
    averages : each row is an average over repeats already, and each stimulus has one
    """

    subject: str
    trials: pd.DataFrame
    voxels: dict[str, np.ndarray]
    read: Callable[[np.ndarray], np.ndarray]
    averages: bool = False
    attributes: dict = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Number of voxels; those of several ROIs count in each."""
        return len(self.voxels["roi"])


def source_of_betas(subject: str, betas: xarray.DataArray) -> Source:
    """Trials of the betas that the workflow estimated, see `betas.SubjectBetas`."""
    names = ("stimulus_id", "session", "run")
    trials = pd.DataFrame({name: betas[name].values.astype(object) for name in names})
    voxels = {name: betas[name].values for name in ("roi", "i", "j", "k")}
    return Source(subject, trials, voxels, lambda rows: betas.values[rows], attributes=dict(betas.attrs))


def assemble(
    stimuli: pd.DataFrame,
    sources: list[Source],
    zscore: str = "none",
    single_trials: bool = True,
    scratch: str | Path | None = None,
) -> xarray.DataArray:
    """Responses of all subjects to all stimuli, from their trials.

    The values of one session of one subject are in memory at a time, and those of all in a file on the disk
    where they are many.

    Parameters
    ----------
    stimuli : n rows with stimulus_id and split; trials of other stimuli count for the z-scores, and are then
        left out
    sources : of the subjects
    zscore : each voxel over all trials of a session or of a run, or none
    single_trials : repeats are kept; otherwise those of a stimulus are averaged, every one counting the same
        (as the runs in nilearn's fixed effects)
    scratch : folder of the file on the disk; None for memory alone

    Returns
    -------
    (stimulus, repeat, voxel), repeats in the order of the trials and NaN beyond a stimulus's own, or
    (stimulus, voxel); float32, with the coords of `formats.responses.write_responses`, those of the sources
    on voxel where all have them, the runs of each subject's trials (`formats.responses.runs_of`), and, of
    averages, repeats on stimulus. The attribute zscore tells how

    Raises
    ------
    InputError : a run of one subject that is one of another too, or a stimulus without trial in a subject.
    """
    _check_people(sources)
    placed = [_placed(stimuli, source) for source in sources]
    most = max(int(repeat.max()) + 1 for _, _, repeat in placed)
    shape = (len(stimuli), most, sum(source.size for source in sources))
    trials = _space(shape, scratch)
    start = 0
    for source, where in zip(sources, placed, strict=True):
        _fill(trials[..., start : start + source.size], source, where, zscore)
        start += source.size
    runs = {
        runs_name(source.subject): (("stimulus", "repeat"), _runs(source, *where, shape[:2]))
        for source, where in zip(sources, placed, strict=True)
        if _has_runs(source)
    }
    responses = xarray.DataArray(
        trials,
        dims=("stimulus", "repeat", "voxel"),
        coords=_coords(stimuli, sources) | runs,
        name="responses",
        attrs={"zscore": zscore},
    )
    if all(source.averages for source in sources):
        responses = responses.isel(repeat=0).drop_vars(runs)
        counts = _repeats(sources, placed, len(stimuli))
        return responses if counts is None else responses.assign_coords(repeats=("stimulus", counts))
    return responses if single_trials else mean_over_repeats(responses)


def _fill(trials: np.ndarray, source: Source, where: tuple[np.ndarray, ...], zscore: str) -> None:
    """Write the trials of one subject (n, repeats, its voxels), a session or run at a time.

    Parameters
    ----------
    where : of `_placed`
    zscore : see `assemble`
    """
    rows, position, repeat = where
    groups = _groups(source.trials, zscore)
    for group in pd.unique(groups):
        own = np.flatnonzero(groups == group)
        values = source.read(own)
        if zscore != "none":
            values = standardise(values, np.zeros(len(own)))
        kept = np.flatnonzero(np.isin(own, rows))
        at = np.searchsorted(rows, own[kept])
        trials[position[at], repeat[at]] = values[kept]


def _repeats(sources: list[Source], placed: list[tuple], n: int) -> np.ndarray | None:
    """Presentations in a stimulus's average, the fewest of any subject; None where they are not known."""
    if not all("repeats" in source.trials for source in sources):
        return None
    counts = np.zeros((len(sources), n), int)
    for own, source, (rows, position, _) in zip(counts, sources, placed, strict=True):
        own[position] = source.trials["repeats"].to_numpy()[rows]
    return counts.min(axis=0)


def _groups(trials: pd.DataFrame, zscore: str) -> np.ndarray:
    """What is read, and z-scored, at once: a number for each session or run of one."""
    # a run may be called like one of another session
    names = [name for name in ("session", "run")[: 1 + (zscore == "run")] if name in trials]
    return trials.groupby(names, sort=False).ngroup().to_numpy() if names else np.zeros(len(trials), int)


def _has_runs(source: Source) -> bool:
    """Whether it is known in which run, or session, the trials were."""
    return any(name in source.trials and (source.trials[name] != "").any() for name in ("session", "run"))


def _runs(
    source: Source, rows: np.ndarray, position: np.ndarray, repeat: np.ndarray, shape: tuple[int, int]
) -> np.ndarray:
    """Number of the run of each trial, over all sessions; where runs are not known, of the session."""
    runs = np.full(shape, -1, np.int32)
    runs[position, repeat] = _groups(source.trials, "run")[rows]
    return runs


def _space(shape: tuple[int, ...], scratch: str | Path | None) -> np.ndarray:
    """Room for the trials, NaN: in memory, or in a file that goes with the process."""
    if scratch is None or 4 * np.prod(shape, dtype=np.int64) < LARGE:
        return np.full(shape, np.nan, np.float32)
    with tempfile.TemporaryFile(dir=scratch) as file:
        trials = np.memmap(file, np.float32, "w+", shape=shape)
    for row in range(shape[0]):
        trials[row] = np.nan
    return trials


def _placed(stimuli: pd.DataFrame, source: Source) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Trials of the stimuli, the place of each one's stimulus, and the number of its repeat."""
    position = pd.Index(stimuli["stimulus_id"]).get_indexer(source.trials["stimulus_id"])
    rows = np.flatnonzero(position >= 0)
    position = position[rows]
    lacking = np.setdiff1d(np.arange(len(stimuli)), position)
    if len(lacking):
        found = f"no beta of {stimuli['stimulus_id'].iloc[lacking[0]]} (its presentations were left out)"
        expected = "a beta of every stimulus in every subject (options.table names the stimuli to use)"
        raise InputError("betas", found, expected, file=source.subject)
    return rows, position, pd.Series(position).groupby(position).cumcount().to_numpy()


def _coords(stimuli: pd.DataFrame, sources: list[Source]) -> dict[str, tuple[str, np.ndarray]]:
    coords = {name: ("stimulus", stimuli[name].to_numpy(object)) for name in ("stimulus_id", "split")}
    shared = [name for name in sources[0].voxels if all(name in source.voxels for source in sources)]
    for name in shared:
        coords[name] = ("voxel", np.concatenate([source.voxels[name] for source in sources]))
    labels = [np.full(source.size, source.subject, object) for source in sources]
    coords["subject"] = ("voxel", np.concatenate(labels))
    return coords


def _check_people(sources: list[Source]) -> None:
    """Refuse the same data under the names of two people."""
    seen: dict[str, str] = {}
    for source in sources:
        for fingerprint, label in json.loads(source.attributes.get("fingerprints", "{}")).items():
            if fingerprint in seen:
                found = f"the same data as {seen[fingerprint]}"
                raise InputError(label, found, "each person once", file=source.subject)
            seen[fingerprint] = label


def standardise(betas: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """z-scores of the betas (rows, v) over the rows of each group (a run or a session), voxel by voxel.

    A voxel that is constant in a group, as one is that was not recorded in a session, has no z-scores there:
    NaN, so that it is dropped and counted.
    """
    scored = np.empty_like(betas)
    for group in pd.unique(groups):
        rows = groups == group
        values = betas[rows].astype(np.float64)
        recorded = ~np.isnan(values).all(axis=1)
        # trials that were not recorded are no values
        mean, deviation = values[recorded].mean(axis=0), values[recorded].std(axis=0)
        constant = (values[recorded] == values[recorded][:1]).all(axis=0)
        values -= mean
        scored[rows] = np.divide(values, deviation, out=np.full_like(values, np.nan), where=~constant)
    return scored


def mean_over_repeats(responses: xarray.DataArray) -> xarray.DataArray:
    """Responses (stimulus, voxel) averaged over the repeats that each subject has of each stimulus.

    A voxel that is NaN in one of them is NaN in the mean: a mean over the others would be another quantity.
    """
    values = responses.transpose("stimulus", "repeat", "voxel").values
    averages = np.empty((values.shape[0], values.shape[2]), np.float32)
    for own in voxels_of_subjects(responses).values():
        present = recorded(values, own)
        counts = present.sum(axis=1)[:, None]
        for start in range(0, len(own), BLOCK):
            block = own[start : start + BLOCK]
            total = np.where(present[..., None], values[..., block], 0).sum(axis=1, dtype=np.float64)
            averages[:, block] = np.divide(total, counts, out=np.full_like(total, np.nan), where=counts > 0)
    of_trials = [name for name, coord in responses.coords.items() if "repeat" in coord.dims]
    return responses.isel(repeat=0).drop_vars(of_trials).copy(data=averages)


# ---- selection of voxels ---------------------------------------------------------------------------------


def select_reliable(
    responses: xarray.DataArray,
    minimum: float,
    splits: int,
    seed: int,
    by: str = "split-half",
) -> xarray.DataArray:
    """Voxels whose reliability over the training stimuli reaches a minimum.

    The test stimuli have no say, so that scores on them are not inflated by the selection.

    Parameters
    ----------
    responses : single trials of `assemble`
    minimum : of the split-half reliability of the mean, or of the ncsnr
    splits, seed : see `reliability.split_half_reliability`
    by : split-half or ncsnr

    Raises
    ------
    InputError : no single trials, or fewer than three training stimuli with two presentations; a ROI without
        any voxel left.
    """
    train = (responses["split"] == "train").values
    values = responses.values if "repeat" in responses.dims else None
    keep = np.zeros(responses.sizes["voxel"], bool)
    for subject, own in voxels_of_subjects(responses).items():
        present = None if values is None else recorded(values, own)[train]
        repeated = 0 if values is None else int((present.sum(axis=1) >= 2).sum())
        if repeated < 3:
            found = f"{repeated} training stimuli with two single-trial betas for {subject}"
            expected = "at least 3 to select voxels by (or glm.minimum_reliability: null)"
            raise InputError("repeats", found, expected)
        for start in range(0, len(own), BLOCK):
            block = own[start : start + BLOCK]
            trials = values[..., block][train]
            if by == "ncsnr":
                reliable = noise_ceiling(trials, total_variance(responses, trials), present)[0]
            else:
                reliable = split_half_reliability(trials, splits, seed, present)
            keep[block] = np.nan_to_num(reliable, nan=-1.0) >= minimum
    what = f"{'an ncsnr' if by == 'ncsnr' else 'a reliability'} of at least {minimum:g}"
    print(f"{keep.sum()} of {len(keep)} voxels have {what}")
    places = {"subject": responses["subject"].values, "roi": responses["roi"].values}
    for (subject, roi), own in pd.DataFrame(places).assign(kept=keep).groupby(["subject", "roi"])["kept"]:
        if not own.any():
            found = f"none of {len(own)} voxels of {subject} with {what}"
            raise InputError(f"roi {roi}", found, "at least one voxel (choose a lower minimum)")
    return responses.isel(voxel=np.flatnonzero(keep))
