"""Banded ridge: layers or networks predict the voxels together, each with its own regularisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray
from himalaya.kernel_ridge import generate_dirichlet_samples, solve_multiple_kernel_ridge_random_search
from threadpoolctl import threadpool_limits

from cortexrsa.encoding.backend import backend
from cortexrsa.encoding.fits import Splits, batches
from cortexrsa.encoding.folds import Partition, conditional, partitions
from cortexrsa.encoding.kernels import Kernel
from cortexrsa.encoding.regions import Region, places_of, regions_of
from cortexrsa.encoding.scores import scaled
from cortexrsa.encoding.settings import EncodingSettings
from cortexrsa.errors import InputError
from cortexrsa.inference.errors import Replicates, over_subjects
from cortexrsa.inference.names import GROUP, SELECTION
from cortexrsa.inference.settings import Settings

JOINT = "all bands"


def banded_ridge(
    kernels: Sequence[Kernel], responses: np.ndarray, splits: Splits, settings: EncodingSettings, seed: int
) -> np.ndarray:
    """Predictions (m, v) of kernel ridge with a regularisation for every band and voxel.

    The bands' weights and the regularisation have the smallest squared error in the folds of the training
    stimuli, by random search over weights that sum to 1 (himalaya, Dupré la Tour et al. 2022,
    doi:10.1016/j.neuroimage.2022.119728); each band by itself and all of equal weight are among those tried.

    Parameters
    ----------
    kernels : of the bands
    responses : (n, v), to the training stimuli
    splits : see `folds.Partition`
    settings : `grid`, `band_candidates`
    seed : of the weights that are tried
    """
    device, mean = backend(), responses.mean(axis=0)
    k, n = len(kernels), len(responses)
    # himalaya's own first candidate is of equal weights
    random = device.to_numpy(generate_dirichlet_samples(settings.band_candidates, k, random_state=seed))
    candidates = np.concatenate([np.full((1, k), 1 / k), np.eye(k), random])
    deltas, dual, _ = solve_multiple_kernel_ridge_random_search(
        device.asarray(np.stack([kernel.train for kernel in kernels])),
        device.asarray(responses - mean),
        n_iter=device.asarray(candidates),
        alphas=device.asarray(settings.grid),
        cv=splits,
        return_weights="dual",
        **batches(n, n, len(settings.grid)),
    )
    weights, dual = np.exp(device.to_numpy(deltas)), device.to_numpy(dual)
    return mean + sum(weight * (kernel.test @ dual) for kernel, weight in zip(kernels, weights, strict=True))


@dataclass(frozen=True)
class Explained:
    """Variance that sets of bands explain in one region.

    Attributes
    ----------
    r2 : of every set, mean over the voxels
    influence : of every set, (m,) of every test stimulus, in standard errors
    """

    r2: dict[frozenset, float]
    influence: dict[frozenset, np.ndarray]


def sets_of(bands: int) -> list[frozenset]:
    """Sets of bands that are fitted: all, all but each, and each alone."""
    everything = frozenset(range(bands))
    found = [everything, *(everything - {b} for b in range(bands)), *(frozenset({b}) for b in range(bands))]
    return list(dict.fromkeys(found))


def explained_variance(predicted: np.ndarray, region: Region) -> tuple[float, np.ndarray]:
    """R2 of predictions (m, v), mean over the voxels, and the influence of every test stimulus on it.

    R2 = 1 - E / T of one voxel has the influence (E d^2 / T - e^2) / T, with e and d the residual and the
    deviation of a stimulus, E and T the means of their squares.
    """
    measured = region.targets.measured
    residual = (measured - predicted) ** 2
    deviation = (measured - measured.mean(axis=0)) ** 2
    error, variance = residual.mean(axis=0), deviation.mean(axis=0)
    influence = ((error * deviation / variance - residual) / variance).mean(axis=1)
    return (1 - error / variance).mean(), scaled(influence)


def encode_bands(
    bands: dict[str, Sequence],
    responses: xarray.DataArray,
    settings: EncodingSettings,
    inference: Settings,
    units: np.ndarray | None = None,
) -> pd.DataFrame:
    """Unique and shared variance of bands on held-out stimuli.

    unique : R2 of all bands less that of all others; shared : R2 of a band alone less its unique part.

    Parameters
    ----------
    bands : by name, functions of a `Partition` that make the kernel of the band
    responses : see `network.encode_network`
    settings, inference : of the study
    units : (stimuli,) labels that folds do not split

    Returns
    -------
    table with the columns of `formats.columns.banded.BANDED` but for the data set; a row for each band, and
    one for all together

    Raises
    ------
    InputError : fewer than two bands, or one that does not vary over the training stimuli.
    """
    names = list(bands)
    if len(names) < 2:
        raise InputError("encoding.bands", f"{len(names)} band", "at least two")
    split = responses["split"].to_numpy()
    parts = partitions(split, settings.folds, inference.seed, units)
    regions = regions_of(responses, settings.minimum_reliability, SELECTION not in split)
    means = responses.mean("repeat", skipna=True) if "repeat" in responses.dims else responses
    means = means.transpose("stimulus", "voxel").to_numpy().astype(np.float64)
    places, sets = places_of(parts), sets_of(len(names))
    m = sum(len(part.test) for part in parts)
    predicted = {each: np.empty((m, means.shape[1])) for each in sets}
    with threadpool_limits(1, "blas"):  # several threads round differently
        for part, place in zip(parts, places, strict=True):
            kernels = _kernels(bands, part)
            for each in sets:
                chosen = [kernels[b] for b in sorted(each)]
                predicted[each][place] = banded_ridge(
                    chosen, means[part.train], part.splits, settings, inference.seed
                )
    found = []
    for region in regions:
        r2, influence = {}, {}
        for each in sets:
            r2[each], influence[each] = explained_variance(predicted[each][:, region.voxels], region)
        found.append(Explained(r2, influence))
    return _table(names, regions, found, inference, conditional(parts))


def _kernels(bands: dict, part: Partition) -> list[Kernel]:
    kernels = []
    for name, kernel_of in bands.items():
        kernels.append(kernel_of(part))
        if not kernels[-1].scale:
            raise InputError(
                f"encoding.bands: {name}", "a constant layer", "one that varies over the stimuli"
            )
    return kernels


def _table(names, regions, found: list[Explained], inference: Settings, given: str) -> pd.DataFrame:
    """Rows of `encode_bands`, of every subject and, where there are several, of their mean."""
    everything = frozenset(range(len(names)))
    rows = []
    for roi in dict.fromkeys(region.roi for region in regions):
        chosen = [k for k, region in enumerate(regions) if region.roi == roi]
        people = [(regions[k].subject, [k]) for k in chosen]
        for subject, members in [*people, *([(GROUP, chosen)] if len(chosen) > 1 else [])]:

            def estimate(plus: frozenset, minus: frozenset | None = None, members=members) -> list[float]:
                return _estimated([found[k] for k in members], plus, minus, inference)

            counts = {
                "n_stimuli": len(regions[chosen[0]].targets.measured),
                "n_voxels": sum(len(regions[k].voxels) for k in members),
                "given": given,
            }
            unique = [estimate(everything, everything - {b}) for b in range(len(names))]
            alone = [estimate(frozenset({b})) for b in range(len(names))]
            joint = estimate(everything)
            shared = joint[0] - sum(each[0] for each in unique)
            head = {"subject": subject, "roi": roi}
            rows.append({**head, "band": JOINT, **_row(joint, [np.nan] * 3, shared), **counts})
            for name, own, lone in zip(names, unique, alone, strict=True):
                rows.append({**head, "band": name, **_row(lone, own, lone[0] - own[0]), **counts})
    return pd.DataFrame(rows)


def _row(r2: list[float], unique: list[float], shared: float) -> dict:
    names = ("r2", "r2_low", "r2_high", "unique", "unique_low", "unique_high")
    return dict(zip(names, [*r2, *unique], strict=True)) | {"shared": shared}


def _estimated(
    found: list[Explained], plus: frozenset, minus: frozenset | None, inference: Settings
) -> list[float]:
    """R2 of a set of bands (less that of another) with its interval, mean over the subjects."""
    values = np.array([each.r2[plus] - (each.r2[minus] if minus else 0.0) for each in found])
    influences = [each.influence[plus] - (each.influence[minus] if minus else 0.0) for each in found]
    rows = np.stack(influences, axis=1)
    stimuli = Replicates((len(rows), 0), (1.0, 0.0), 1.0, len(rows) - 1.0)
    fixed = inference.fixed_subjects(len(found))
    replicated = over_subjects(values[:, None], rows[..., None], stimuli, inference.seed, fixed)
    _, low, high = replicated.evaluated().interval(inference.confidence)
    return [float(replicated.estimate[0]), float(low[0]), float(high[0])]
