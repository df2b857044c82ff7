"""RDMs of a ROI without each of several groups of its voxels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray

from cortexrsa.errors import InputError
from cortexrsa.formats.rdms import RDMs
from cortexrsa.formats.responses import runs_of, trials_of
from cortexrsa.geometry.crossnobis import prepared, rdm_of_trials
from cortexrsa.geometry.matched_noise import LEAST, Noise, draws_of, noisy_averages
from cortexrsa.geometry.rdm import rdm_of_sums
from cortexrsa.geometry.regions import regions_of
from cortexrsa.geometry.registry import DISSIMILARITIES
from cortexrsa.streams import Stream, generator

# the split of the stimuli on which ROIs are compared
PRIMARY = "test"
# where a voxel is, by the names of the axes that loaders give
PLACES = (("i", "j", "k"), ("x", "y", "z"))


def contiguous(places: np.ndarray, number: int) -> np.ndarray:
    """Groups of voxels that lie together, of nearly the same size.

    Halved (or cut in the proportion of the groups on either side) along the axis on which they spread most,
    again and again. Noise is shared by neighbours, so groups of scattered voxels would share theirs.

    Parameters
    ----------
    places : (v, axes) of the voxels
    number : of groups, at most v

    Returns
    -------
    (v,) int, 0 to number - 1

    References
    ----------
    Bentley 1975, doi:10.1145/361002.361007 (k-d tree)

    Examples
    --------
    >>> contiguous(np.array([[0, 0], [9, 0], [1, 1], [8, 1], [7, 0], [2, 1]]), 2).tolist()
    [0, 1, 0, 1, 1, 0]
    """
    groups = np.zeros(len(places), int)
    if number > 1:
        axis = int(np.ptp(places, axis=0).argmax())
        order = np.argsort(places[:, axis], kind="stable")
        first = number // 2
        cut = round(len(places) * first / number)
        for own, start, share in ((order[:cut], 0, first), (order[cut:], first, number - first)):
            groups[own] = start + contiguous(places[own], share)
    return groups


def places_of(responses: xarray.DataArray) -> tuple[np.ndarray, bool]:
    """Place of every voxel (v, axes), and whether it is known; else their order, which is that of a scan."""
    for names in PLACES:
        if all(name in responses.coords for name in names):
            return np.stack([responses[name].to_numpy() for name in names], axis=1).astype(float), True
    return np.arange(responses.sizes["voxel"], dtype=float)[:, None], False


def rdms_without(
    trials: np.ndarray,
    groups: np.ndarray,
    dissimilarity: str,
    threads: int = 1,
    folds: np.ndarray | None = None,
) -> np.ndarray:
    """RDM without the voxels of each group.

    A Gram matrix is a sum over voxels, and so over groups of them: one is left out by subtraction. Patterns
    that are whitened are whitened without the group.

    Parameters
    ----------
    trials : (n, repeats, v), see `regions.trials_of`
    groups : (v,) int, 0 to k - 1
    dissimilarity : of `registry.DISSIMILARITIES`
    folds : of `crossnobis.crossnobis`

    Returns
    -------
    (k, n (n - 1) / 2) float64
    """
    numbers = range(groups.max() + 1)
    if DISSIMILARITIES[dissimilarity].whitened:
        kept = (trials[..., groups != group] for group in numbers)
        return np.stack(
            [rdm_of_trials(prepared(own, dissimilarity), dissimilarity, threads, folds) for own in kept]
        )
    mean = trials[:, 0] if trials.shape[1] == 1 else np.nanmean(trials, axis=1)
    patterns = mean.astype(np.float64)
    # an origin near the patterns: what is left after a subtraction is no difference of large numbers
    if dissimilarity == "correlation":
        patterns -= patterns.mean(axis=1, keepdims=True)
    elif dissimilarity == "euclidean":
        patterns -= patterns.mean(axis=0)
    own = [patterns[:, groups == group] for group in numbers]
    products = np.stack([part @ part.T for part in own])
    sums = np.stack([part.sum(axis=1) for part in own])
    whole, total = products.sum(axis=0), sums.sum(axis=0)
    sizes = np.bincount(groups)
    return np.stack(
        [
            rdm_of_sums(whole - product, total - part, len(groups) - size, dissimilarity)
            for product, part, size in zip(products, sums, sizes, strict=True)
        ]
    )


def brain_rdms_without(
    responses: xarray.DataArray,
    dissimilarity: str,
    number: int,
    threads: int = 1,
    unequal_noise: str = "matched",
    seed: int = 1,
) -> tuple[RDMs, list[str]]:
    """RDMs of every subject and ROI over the test stimuli, whole and without each group of voxels.

    Parameters
    ----------
    responses, dissimilarity, threads : see `regions.brain_rdms`, which checks them
    number : of groups
    unequal_noise : matched: noise is added to the averages of the test stimuli until the ROIs of a subject
        are as reliable as the least reliable one that has a signal, in several draws; or ignored
    seed : of the noise

    Raises
    ------
    InputError : a ROI has fewer voxels than groups.

    Returns
    -------
    rdms : with columns subject, roi, group (-1: whole), draw; reliability and target of the averages (NaN
        where they are not known, or not matched), and noise: matched, ignored, averages (only these are
        known) or crossnobis (which noise does not move)
    texts : what to say of the groups
    """
    # those by which ROIs are compared: of many training stimuli the RDMs would fill a disk
    responses = responses.isel(stimulus=np.flatnonzero((responses["split"] == PRIMARY).to_numpy()))
    regions, (places, known) = regions_of(responses), places_of(responses)
    found, tables = [], []
    for subject in dict.fromkeys(regions["subject"]):
        rois = list(regions.loc[regions["subject"] == subject, "roi"])
        trials = {roi: trials_of(responses, subject, roi) for roi in rois}
        noise, levels = _noise(trials, dissimilarity, unequal_noise)
        target = _target(levels) if noise == "matched" else np.nan
        for roi, own in trials.items():
            here = ((responses["subject"] == subject) & (responses["roi"] == roi)).to_numpy()
            if here.sum() < number:
                few = f"{number}, but {here.sum()} voxels in {roi} of {subject}"
                raise InputError("voxel_groups", few, "no more groups than a ROI has voxels")
            groups = contiguous(places[here], number)
            level = levels[roi]
            random = generator(seed, Stream.MATCHED, len(tables))
            for draw, values in enumerate(_matched(own, level, target, random)):
                folds = runs_of(responses, subject) if DISSIMILARITIES[dissimilarity].across_runs else None
                whole = rdm_of_trials(prepared(values, dissimilarity), dissimilarity, threads, folds)
                found.append(np.vstack([whole, rdms_without(values, groups, dissimilarity, threads, folds)]))
                rows = pd.DataFrame({"subject": subject, "roi": roi, "group": range(-1, number)})
                rows["reliability"] = np.nan if level is None else level.reliability
                tables.append(rows.assign(draw=draw, target=target, noise=noise))
    patterns = pd.DataFrame({name: responses[name].to_numpy() for name in ("stimulus_id", "split")})
    texts = [] if known else ["voxels have no places: groups of them follow their order in the data"]
    table = pd.concat(tables, ignore_index=True)
    return RDMs(np.concatenate(found), table, patterns, dissimilarity), texts


def _noise(
    trials: dict[str, np.ndarray], dissimilarity: str, unequal_noise: str
) -> tuple[str, dict[str, Noise | None]]:
    """How unequal noise is met, and the noise of every ROI."""
    levels = {roi: Noise.of(own) for roi, own in trials.items()}
    record = DISSIMILARITIES[dissimilarity]
    if record.across_runs:
        return "crossnobis", levels
    if any(level is None for level in levels.values()):
        return "averages", levels
    matched = unequal_noise == "matched" and not record.whitened
    return "matched" if matched else "ignored", levels


def _matched(
    trials: np.ndarray, level: Noise | None, target: float, random: np.random.Generator
) -> list[np.ndarray]:
    """Draws of a ROI's averages that are no more reliable than the target; its trials, if they are not."""
    if not np.isfinite(target) or level.reliability <= target:
        return [trials]
    everywhere, added = np.ones(len(trials), bool), level.added(target)
    return noisy_averages(trials, everywhere, added, draws_of(len(trials)), random)


def _target(levels: dict[str, Noise]) -> float:
    """The lowest reliability of those ROIs that have a signal; NaN if fewer than two have."""
    found = [level.reliability for level in levels.values() if level.reliability >= LEAST]
    return min(found) if len(found) > 1 else np.nan
