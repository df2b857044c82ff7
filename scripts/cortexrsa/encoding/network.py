"""Encoding models of one network: every layer predicts every voxel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray
from threadpoolctl import threadpool_limits

from cortexrsa.encoding import fits
from cortexrsa.encoding.backend import backend
from cortexrsa.encoding.design import by_units
from cortexrsa.encoding.folds import Partition, conditional, partitions
from cortexrsa.encoding.kernels import layer_kernel
from cortexrsa.encoding.regions import Region, Score, places_of, regions_of
from cortexrsa.encoding.settings import EncodingSettings
from cortexrsa.errors import InputError
from cortexrsa.geometry.threads import in_threads
from cortexrsa.inference.design import Design
from cortexrsa.inference.errors import QUANTITIES, Replicates
from cortexrsa.inference.families import p_values
from cortexrsa.inference.layer_choice import candidate_layers, choose_layers
from cortexrsa.inference.names import CANDIDATES, GROUP, PRIMARY, SELECTION
from cortexrsa.inference.settings import Settings
from cortexrsa.jobs import progress
from cortexrsa.streams import Stream, generator

SCALES = ("score", "median", "r2_mean", "corrected", "corrected_median", "corrected_r2")


@dataclass(frozen=True)
class Job:
    """What the fits of all layers share.

    Attributes
    ----------
    parts : training and test stimuli
    places : of the test stimuli of each part among all of them
    orders : of each part, (permutations, its test stimuli), the same for all networks
    regions : what is predicted
    means : (stimuli, voxels) mean responses over repeats
    settings : of the study
    """

    parts: list[Partition]
    places: list[np.ndarray]
    orders: list[np.ndarray]
    regions: list[Region]
    means: np.ndarray
    settings: EncodingSettings

    @property
    def n_stimuli(self) -> int:
        """Number of test stimuli and of those training stimuli that reliability may be from."""
        return sum(map(len, self.places)) + max(region.n_train for region in self.regions)


@dataclass(frozen=True)
class LayerResult:
    """One layer by one method.

    Attributes
    ----------
    scores : of every region
    cv : (partitions, v), of each `fits.Fit`
    alpha : (v,) geometric mean over the partitions
    """

    scores: list[Score]
    cv: np.ndarray
    alpha: np.ndarray


def encode_network(
    layers: pd.DataFrame,
    features: Callable[[str], np.ndarray],
    responses: xarray.DataArray,
    settings: EncodingSettings,
    inference: Settings,
    units: np.ndarray | None = None,
    threads: int = 1,
    design: Design | None = None,
    in_no_fold: np.ndarray | None = None,
) -> xarray.Dataset:
    """Scores of all layers of a network in all ROIs and subjects, with the influence of every stimulus.

    Parameters
    ----------
    layers : rows with layer, layer_index, depth
    features : function of a layer's name, whose (stimuli, p) activations are read a chunk at a time
    responses : (stimulus, voxel) averages, or (stimulus, repeat, voxel) single trials, with the coords of
        `formats.responses.write_responses`; voxels are usable (`brain.responses.clean_responses`)
    settings, inference : of the study
    units : (stimuli,) labels that folds do not split
    threads : over the layers; the result does not depend on it
    design : of the stimuli, where they are not drawn one by one: units of the test stimuli are relabelled,
        and replicates are of units
    in_no_fold : (stimuli,) bool, training stimuli that are fitted, and by which nothing is chosen

    Returns
    -------
    xarray.Dataset with the variables of `inference.scores.score_network`, for every `estimator`, in the one
        split test, so that what is made of similarities is made of these scores too; and with
        median, r2_mean, corrected, corrected_median, corrected_r2 (estimator, split, subject, roi, layer);
        corrected_deviations like deviations;
        n_voxels, n_left_out, ceiling (subject, roi): voxels, those of too little reliability, and the mean
        root of the reliability of the others;
        r, r2, cv, alpha (estimator, layer, voxel; float32) and reliability (voxel), of every voxel; and
        where it lies, as in the responses: i, j, k, or index, and part.
        Attributes: reliability_source, conditional (what the intervals take as given).

    Raises
    ------
    InputError : fewer training stimuli than folds; features of other stimuli.
    """
    job = _prepared(responses, settings, inference, units, design, in_no_fold)
    names = list(layers["layer"])
    with threadpool_limits(1, "blas"), progress(len(names), "layers") as bar:

        def work(name: str) -> dict[str, LayerResult]:
            found = _fit_layer(name, features(name), job)
            bar.update(1)
            return found

        # on a GPU one layer at a time
        found = in_threads(work, names, threads if backend().name == "numpy" else 1)
    data = _dataset(layers, found, responses, job, inference)
    tested = responses["split"].to_numpy() == PRIMARY
    return data if design is None else by_units(data, design.subset(tested))


def _prepared(
    responses: xarray.DataArray,
    settings: EncodingSettings,
    inference: Settings,
    units: np.ndarray | None,
    design: Design | None,
    in_no_fold: np.ndarray | None,
) -> Job:
    split = responses["split"].to_numpy()
    parts = partitions(split, settings.folds, inference.seed, units, in_no_fold)
    means = responses.mean("repeat", skipna=True) if "repeat" in responses.dims else responses
    orders = []
    for k, part in enumerate(parts):
        random, m = generator(inference.seed, Stream.LABELS, k), len(part.test)
        if design is not None:
            own = design.subset(np.isin(np.arange(len(split)), part.test))
            orders.append(own.relabellings(inference.permutations, random))
        else:
            orders.append(random.permuted(np.tile(np.arange(m), (inference.permutations, 1)), axis=1))
    # a film has no more orders than shifts
    orders = [own[: min(map(len, orders))] for own in orders]
    voxel_seed = inference.seed if settings.voxel_effect == "random" else None
    regions = regions_of(responses, settings.minimum_reliability, SELECTION not in split, voxel_seed)
    means = means.transpose("stimulus", "voxel").to_numpy().astype(np.float64)
    return Job(parts, places_of(parts), orders, regions, means, settings)


def _fit_layer(name: str, features: np.ndarray, job: Job) -> dict[str, LayerResult]:
    """All methods, of one layer."""
    if len(features) != len(job.means):
        found = f"{len(features)} rows"
        raise InputError(f"activations of {name}", found, f"{len(job.means)}, the stimuli of the responses")
    m, v = sum(len(part.test) for part in job.parts), job.means.shape[1]
    predicted = {method: np.empty((m, v)) for method in job.settings.methods}
    cv, alpha = ({method: np.empty((len(job.parts), v)) for method in job.settings.methods} for _ in range(2))
    for k, (part, places) in enumerate(zip(job.parts, job.places, strict=True)):
        kernel = layer_kernel(features, part.train, part.test, job.settings.units)
        if not np.isfinite(kernel.train).all() or not np.isfinite(kernel.test).all():
            raise InputError(f"activations of {name}", "NaN or infinite values", "finite values")
        for method in job.settings.methods:
            fit = _fit(method, kernel, job.means[part.train], part.splits, job)
            predicted[method][places], cv[method][k], alpha[method][k] = fit.predicted, fit.cv, fit.alpha
    return {
        method: LayerResult(
            [
                region.score(predicted[method][:, region.voxels], job.places, job.orders)
                for region in job.regions
            ],
            cv[method],
            np.exp(np.log(alpha[method]).mean(axis=0)),
        )
        for method in job.settings.methods
    }


def _fit(method: str, kernel, responses: np.ndarray, splits: fits.Splits, job: Job) -> fits.Fit:
    if not kernel.scale:
        return fits.nothing(kernel, responses)
    if method == "ridge":
        return fits.ridge(kernel, responses, splits, job.settings)
    # its components are those of one ROI
    found = fits.nothing(kernel, responses)
    for region in job.regions:
        own = fits.FITS[method](kernel, responses[:, region.voxels], splits, job.settings)
        found.predicted[:, region.voxels], found.cv[region.voxels] = own.predicted, own.cv
    return found


def _dataset(
    layers: pd.DataFrame,
    found: Sequence[dict[str, LayerResult]],
    responses: xarray.DataArray,
    job: Job,
    inference: Settings,
) -> xarray.Dataset:
    """The layers' results as `encode_network` returns them."""
    subjects, rois = (
        list(dict.fromkeys(getattr(r, name) for r in job.regions)) for name in ("subject", "roi")
    )
    places = [(subjects.index(region.subject), rois.index(region.roi)) for region in job.regions]
    shapes = list(layers.get("shape", [""] * len(layers)))
    candidates = candidate_layers(layers["depth"].to_numpy(), shapes)
    parts = [
        _of_method([each[method] for each in found], candidates, places, subjects, rois, job)
        for method in job.settings.methods
    ]
    data = xarray.concat(parts, dim="estimator").assign_coords(
        estimator=list(job.settings.methods),
        split=[PRIMARY],
        subject=subjects,
        roi=rois,
        layer=list(layers["layer"]),
        depth=("layer", layers["depth"].to_numpy()),
        layer_index=("layer", layers["layer_index"].to_numpy()),
        shape=("layer", shapes),
        candidate=list(CANDIDATES),
        quantity=list(QUANTITIES),
    )
    m = len(job.regions[0].targets.measured)
    rows = data.sizes["replicate"]
    packed = Replicates((rows, 0), (1.0, 0.0), 1.0, m - 1.0).packed()
    data["replicates"] = (("split", "quantity"), packed[None])
    data["n_stimuli"] = (("split",), [m])
    for name, values in {
        "n_voxels": [len(region.voxels) for region in job.regions],
        "n_left_out": [region.left_out for region in job.regions],
        "ceiling": [
            np.mean([part.ceiling for part in region.parts]) if region.parts else np.nan
            for region in job.regions
        ],
        "measured": np.ones(len(places)),
    }.items():
        data[name] = (("subject", "roi"), _table(values, places, subjects, rois))
    reliability = np.empty(job.means.shape[1], np.float32)
    for region in job.regions:
        reliability[region.voxels] = region.targets.reliability
    data["reliability"] = (("voxel",), reliability)
    where = [name for name in (*"ijk", "index", "part") if name in responses.coords]
    for name in ("subject", "roi", *where):
        label = f"voxel_{name}" if name in ("subject", "roi") else name
        data[label] = (("voxel",), responses[name].to_numpy())
    sources = list(dict.fromkeys(region.targets.source for region in job.regions))
    data.attrs["reliability_source"] = "; ".join(sources)
    data.attrs["subject_effect"] = inference.subject_effect or ""
    data.attrs["conditional"] = conditional(job.parts, job.settings.voxel_effect)
    return data


def _table(values, places, subjects, rois) -> np.ndarray:
    """(subjects, rois, ...) of values of the regions; NaN where a subject lacks a ROI."""
    values = np.asarray(values, float)
    table = np.full((len(subjects), len(rois), *values.shape[1:]), np.nan)
    for place, value in zip(places, values, strict=True):
        table[place] = value
    return table


def _of_method(results: list[LayerResult], candidates, places, subjects, rois, job: Job) -> xarray.Dataset:
    """Variables of one method, with the split of length 1 where similarities have one."""

    def gathered(value: Callable[[Score], object]) -> np.ndarray:
        """(subjects, rois, layers, ...)"""
        by_region = [[value(each.scores[k]) for each in results] for k in range(len(places))]
        return _table(by_region, places, subjects, rois)

    data = {
        name: (("split", "subject", "roi", "layer"), gathered(lambda s, n=name: getattr(s, n))[None])
        for name in SCALES
    }
    axes = ("split", "replicate", "subject", "roi", "layer")
    influence, corrected = (
        _table(_replicates(results, job, stimuli, voxels), places, subjects, rois)
        for stimuli, voxels in (("influence", "voxels"), ("corrected_influence", "corrected_voxels"))
    )
    for name, values in (("deviations", influence), ("corrected_deviations", corrected)):
        data[name] = (axes, np.moveaxis(values, -1, 0)[None].astype(np.float32))
    data |= _heldout(results, candidates, gathered, influence, places, (subjects, rois), job)
    data |= _tested(gathered, subjects)
    voxels = {
        "r": [np.empty(job.means.shape[1]) for _ in results],
        "r2": [np.empty(job.means.shape[1]) for _ in results],
        "cv": [each.cv.mean(axis=0) for each in results],
        "alpha": [each.alpha for each in results],
    }
    for layer, each in enumerate(results):
        for region, score in zip(job.regions, each.scores, strict=True):
            voxels["r"][layer][region.voxels] = score.r
            voxels["r2"][layer][region.voxels] = score.r2
    data |= {name: (("layer", "voxel"), np.array(v, np.float32)) for name, v in voxels.items()}
    unit = [*subjects, *([GROUP] if len(subjects) > 1 else [])]
    return xarray.Dataset(data, coords={"unit": unit})


def _replicates(results: list[LayerResult], job: Job, stimuli: str, voxels: str) -> list[list[np.ndarray]]:
    """Influences on a score, of every region and layer: of the test stimuli, then of the training stimuli,
    then of the groups of voxels of every region (0 on those of the others).
    """
    n = job.n_stimuli
    starts = np.cumsum([n, *(region.groups.number if region.groups else 0 for region in job.regions)])
    found = []
    for k in range(len(job.regions)):
        found.append([])
        for each in results:
            row, own = np.zeros(starts[-1]), getattr(each.scores[k], stimuli)
            row[: len(own)] = own
            row[starts[k] : starts[k + 1]] = getattr(each.scores[k], voxels)
            found[-1].append(row)
    return found


def _heldout(results, candidates, gathered, influence, places, names, job: Job) -> dict:
    """Scores of the layers that predict best in the training folds; the choice is taken as made."""
    subjects, rois = names
    # (subjects, rois, layers, partitions)
    cv = _table(
        [[each.cv[:, region.voxels].mean(axis=1) for each in results] for region in job.regions],
        places,
        subjects,
        rois,
    )
    folds = gathered(lambda score: score.folds)
    weights = np.array([len(place) for place in job.places]) / sum(map(len, job.places))
    scores = np.zeros((len(subjects), len(rois), len(CANDIDATES)))
    deviations = np.zeros((*scores.shape, influence.shape[-1]))
    with np.errstate(invalid="ignore"):
        mean = np.nanmean(cv, axis=0)
    for k, places_of_part in enumerate(job.places):
        # the same layer for all subjects, as with similarities
        chosen = choose_layers(mean[..., k], candidates)
        for c in range(len(CANDIDATES)):
            for roi in range(len(rois)):
                layer = chosen[roi, c]
                scores[:, roi, c] += weights[k] * folds[:, roi, layer, k] if layer >= 0 else np.nan
                if layer < 0:
                    deviations[:, roi, c] = np.nan
                    continue
                own = influence[:, roi, layer]
                deviations[:, roi, c, places_of_part] = own[:, places_of_part]
                deviations[:, roi, c, job.n_stimuli :] += weights[k] * own[:, job.n_stimuli :]
    axes = ("subject", "roi", "candidate")
    return {
        "heldout": (axes, scores),
        "heldout_deviations": (("replicate", *axes), np.moveaxis(deviations, -1, 0).astype(np.float32)),
    }


def _tested(gathered, subjects) -> dict:
    """p and null_maximum of `inference.scores.score_network`."""
    observed, null = gathered(lambda score: score.score), gathered(lambda score: score.null)
    if len(subjects) > 1:
        # a subject without the ROI has no part in the mean
        observed, null = (np.concatenate([each, np.nanmean(each, axis=0)[None]]) for each in (observed, null))
    null = np.moveaxis(null, -1, 0)
    maximum = np.where(
        np.isfinite(observed).any(axis=-1), np.nan_to_num(null, nan=-np.inf).max(axis=-1), np.nan
    )
    return {
        "p": (("unit", "roi", "layer"), p_values(observed, null)),
        "null_maximum": (("permutation", "unit", "roi"), maximum),
    }
