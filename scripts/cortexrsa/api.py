"""The library's front door: RSA of arrays, without the workflow.

Patterns are arrays (n stimuli, p features or voxels), RDMs condensed upper triangles (n (n - 1) / 2,), i < j,
in the order of `scipy.spatial.distance.squareform`. See docs/library.md. The workflow does not use this
module.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray

from cortexrsa.errors import InputError, suggestion
from cortexrsa.formats import rdms as _rdm_files
from cortexrsa.geometry import compare as _compare
from cortexrsa.geometry import crossnobis as _crossnobis
from cortexrsa.geometry.rdm import n_stimuli
from cortexrsa.geometry.registry import COMPARISONS, DISSIMILARITIES
from cortexrsa.inference import families
from cortexrsa.inference.against_zero import p_and_null
from cortexrsa.inference.ceilings.repeats import split_half_ceiling
from cortexrsa.inference.ceilings.subjects import subject_ceiling
from cortexrsa.inference.design import Design
from cortexrsa.inference.errors import over_subjects
from cortexrsa.inference.replication import replication
from cortexrsa.inference.settings import STANDARD_ERRORS, Settings, taken_as_fixed

if TYPE_CHECKING:
    import torch

# fewer do not tell an error: an interval has one degree of freedom less than there are stimuli
FEWEST_STIMULI = 8


# ---- checks ----------------------------------------------------------------------------------------------


def _known(field: str, name: str, possible: Sequence[str]) -> None:
    if name not in possible:
        raise InputError(field, repr(name), suggestion(name, possible))


def _patterns(patterns: np.ndarray) -> np.ndarray:
    """Trials (n, repeats, p) of patterns or trials, after a check."""
    values = np.asarray(patterns)
    if values.dtype.kind not in "iuf" or values.ndim not in (2, 3) or len(values) < 2 or not values.size:
        expected = "numbers (stimuli, features) or (stimuli, repeats, features)"
        raise InputError("patterns", f"{values.dtype} {values.shape}", expected)
    values = values.astype(np.float64, copy=False)
    trials = values[:, None] if values.ndim == 2 else values
    missing = np.isnan(trials).all(axis=2)
    if not np.isfinite(trials[~missing]).all() or missing.all(axis=1).any():
        raise InputError("patterns", "NaN or infinite values", "finite values; NaN in whole trials only")
    return trials


def _rdms(field: str, rdms: np.ndarray, n: int | None = None) -> np.ndarray:
    """RDMs (k, pairs) of one or several, after a check; n stimuli, where that is known."""
    values = np.atleast_2d(np.asarray(rdms, np.float64))
    try:
        found = n_stimuli(values.shape[1])
    except ValueError:
        found = 0
    if values.ndim != 2 or found < 3 or (n is not None and found != n):
        of = "n" if n is None else n
        expected = f"condensed RDMs of {of} stimuli, (pairs,) or (RDMs, pairs)"
        raise InputError(field, f"shape {np.shape(rdms)}", expected)
    return values


def _sample(brain: np.ndarray, networks: np.ndarray, comparison: str) -> tuple[np.ndarray, np.ndarray, int]:
    """RDMs of subjects and of layers over the same stimuli, after a check, and the number of the stimuli."""
    _known("comparison", comparison, list(COMPARISONS))
    brain = _rdms("brain", brain)
    n = n_stimuli(brain.shape[1])
    if n < FEWEST_STIMULI:
        raise InputError("stimuli", n, f"at least {FEWEST_STIMULI}")
    if not np.isfinite(brain).all():
        raise InputError("brain", "NaN or infinite values", "finite dissimilarities")
    return brain, _rdms("networks", networks, n), n


def _settings(confidence: float, standard_error: str, seed: int, splits: int = 50) -> Settings:
    _known("standard_error", standard_error, STANDARD_ERRORS)
    return Settings(confidence=confidence, standard_error=standard_error, seed=seed, ceiling_splits=splits)


# ---- geometry --------------------------------------------------------------------------------------------


def rdm(
    patterns: np.ndarray,
    dissimilarity: str = "correlation",
    threads: int = 1,
    runs: np.ndarray | None = None,
) -> np.ndarray:
    """Representational dissimilarity matrix of patterns (Kriegeskorte et al. 2008).

    Parameters
    ----------
    patterns : (n, p) patterns of n stimuli over p features or voxels; or (n, repeats, p) single trials, with
        NaN in the trials that a stimulus does not have
    dissimilarity : correlation (1 - Pearson r), cosine, euclidean (squared, divided by p), mahalanobis
        (squared, of patterns whitened by their noise, divided by p) or crossnobis (of two or more trials)
    threads : the result does not depend on it
    runs : (n, repeats) int, the run of each single trial, for crossnobis, which multiplies trials of
        different runs; None: the first trials of all stimuli belong to one run, the second trials to
        another, ...

    Returns
    -------
    (n (n - 1) / 2,) float64, i < j; NaN where a pattern is constant (correlation) or zero (cosine)

    Raises
    ------
    InputError : an unknown dissimilarity; patterns of another shape, or not finite; too few trials.

    References
    ----------
    Kriegeskorte, Mur & Bandettini 2008, doi:10.3389/neuro.06.004.2008; Walther et al. 2016,
    doi:10.1016/j.neuroimage.2015.12.012 (crossnobis)

    Examples
    --------
    >>> patterns = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 4.0], [3.0, 2.0, 1.0]])
    >>> rdm(patterns).round(3)
    array([0.018, 2.   , 1.982])
    >>> rdm(patterns, "euclidean").round(3)
    array([0.333, 2.667, 4.333])
    """
    _known("dissimilarity", dissimilarity, list(DISSIMILARITIES))
    trials = _patterns(patterns)
    fewest = int(np.isfinite(trials).all(axis=2).sum(axis=1).min())
    record = DISSIMILARITIES[dissimilarity]
    if fewest < record.repeats:
        raise InputError("repeats", fewest, f"at least 2 trials of each stimulus for {dissimilarity}")
    if record.across_runs and runs is not None:
        runs = np.asarray(runs)
        if runs.shape != trials.shape[:2]:
            raise InputError("runs", runs.shape, f"one of each trial, {trials.shape[:2]}")
        apart = _crossnobis.folds_per_stimulus(np.isfinite(trials).all(axis=2), runs).min()
        if apart < 2:
            raise InputError(
                "runs", "a stimulus with all trials in one run", f"at least 2 for {dissimilarity}"
            )
    prepared = _crossnobis.prepared(trials, dissimilarity)
    return _crossnobis.rdm_of_trials(prepared, dissimilarity, threads, runs)


def compare(
    rdms: np.ndarray, references: np.ndarray, comparison: str = "spearman", threads: int = 1
) -> np.ndarray:
    """Similarity of RDMs.

    Parameters
    ----------
    rdms : (k, pairs), or one RDM (pairs,)
    references : (m, pairs), or one RDM (pairs,), of the same stimuli
    comparison : spearman, rho-a, tau-a, pearson, cosine, corr_cov or cosine_cov (whitened)
    threads : the result does not depend on it

    Returns
    -------
    (k, m) float64, without the axes of single RDMs; NaN where an RDM has a NaN or does not vary

    Raises
    ------
    InputError : an unknown comparison; arrays that are no condensed RDMs of the same stimuli.

    References
    ----------
    Nili et al. 2014, doi:10.1371/journal.pcbi.1003553; Diedrichsen et al. 2020, arXiv:2007.02789 (whitened)

    Examples
    --------
    >>> print(compare([1.0, 2.0, 3.0], [1.0, 3.0, 2.0]).round(3))
    0.5
    >>> compare([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]], [1.0, 3.0, 2.0], "tau-a").round(3)
    array([ 0.333, -0.333])
    """
    _known("comparison", comparison, list(COMPARISONS))
    first = _rdms("rdms", rdms)
    second = _rdms("references", references, n_stimuli(first.shape[1]))
    similarity = _compare.compare(first, second, comparison, threads)
    kept = tuple(slice(None) if np.ndim(side) == 2 else 0 for side in (rdms, references))
    return similarity[kept]


# ---- inference -------------------------------------------------------------------------------------------


def scores(
    brain: np.ndarray,
    networks: np.ndarray,
    comparison: str = "spearman",
    confidence: float = 0.95,
    standard_error: str = "one-pass",
    seed: int = 0,
    threads: int = 1,
    units: Sequence | None = None,
    subject_effect: str | None = None,
) -> pd.DataFrame:
    """Similarity of each network RDM to those of the subjects, with errors over stimuli and subjects.

    Errors say how much scores would vary over other stimuli of the same population, and with five subjects or
    more, over other subjects too (Schütt et al. 2023).

    Parameters
    ----------
    brain : (subjects, pairs), or (pairs,) of one subject
    networks : (k, pairs), such as the layers of a network; or one RDM (pairs,)
    comparison : see `compare`
    confidence : of the interval
    standard_error : one-pass, from the influence of every stimulus and pair of stimuli; resampled, from
        1,000 resamples of the stimuli; or bootstrap, the same without a correction for the noise of pairs
    seed : of the random numbers
    threads : the result does not depend on it
    units : (n,) category, scene or block of time of each stimulus, if stimuli were not drawn one by one;
        errors are then over other units, in one pass
    subject_effect : random; fixed (errors are over other stimuli only); None: random with five subjects or
        more

    Returns
    -------
    DataFrame, one row a network RDM: score (the mean over subjects of the similarity), se, ci_low, ci_high

    Raises
    ------
    InputError : see `compare`; fewer than 8 stimuli; brain RDMs that are not finite; fewer than 4 units, a
        number of labels other than of stimuli, or units with errors by resampling.

    References
    ----------
    Schütt et al. 2023, doi:10.7554/eLife.82566; of units: see `inference.design_units`

    Examples
    --------
    >>> generator = np.random.default_rng(0)
    >>> signal = generator.normal(size=(20, 30))
    >>> brain = np.stack([rdm(signal + generator.normal(size=signal.shape)) for _ in range(4)])
    >>> networks = np.stack([rdm(signal), rdm(generator.normal(size=signal.shape))])
    >>> table = scores(brain, networks)
    >>> list(table.columns)
    ['score', 'se', 'ci_low', 'ci_high']
    >>> (table["ci_low"] > 0).tolist()
    [True, False]
    """
    brain, networks, n = _sample(brain, networks, comparison)
    settings = _settings(confidence, standard_error, seed)
    design = _design(units, n)
    if design and standard_error != "one-pass":
        raise InputError("standard_error", standard_error, "one-pass, for errors over units")
    method = replication(n, settings, design)
    similarity, deviations = method.similarity(brain, networks, comparison, threads)
    fixed = taken_as_fixed(subject_effect, len(brain))
    group = over_subjects(similarity, deviations, method.replicates, seed, fixed).evaluated()
    se, low, high = group.interval(confidence)
    return pd.DataFrame({"score": group.value, "se": se, "ci_low": low, "ci_high": high})


def _design(units: Sequence | None, n: int) -> Design | None:
    if units is not None and len(units) != n:
        raise InputError("units", f"{len(units)} labels", f"{n}, one a stimulus")
    return None if units is None else Design(np.asarray(units), "units")


def permutation_test(
    brain: np.ndarray,
    networks: np.ndarray,
    comparison: str = "spearman",
    permutations: int = 1000,
    seed: int = 0,
    threads: int = 1,
    units: Sequence | None = None,
) -> pd.DataFrame:
    """Test of each similarity against zero by relabelling of the stimuli (Mantel 1967), or of their units.

    Parameters
    ----------
    brain, networks : see `scores`
    comparison : see `compare`
    permutations : number of random relabellings, the same for all RDMs; with more than 2,000 stimuli p
        follows from the moments of all relabellings, and the distribution of the maximum from as many draws
    seed : of the permutations
    threads : the result does not depend on it
    units : (n,) see `scores`: labels of units are permuted, not labels of single stimuli

    Returns
    -------
    DataFrame, one row for each network RDM: score; p, one-sided, by permutations (b + 1) / (N + 1); p_fwe,
    corrected for all network RDMs by the distribution of the maximum; q_fdr, by the false discovery rate

    Raises
    ------
    InputError : see `scores`.

    References
    ----------
    Mantel 1967; Mielke 1979 (moments); Nichols & Holmes 2002, doi:10.1002/hbm.1058; Benjamini & Hochberg 1995

    Examples
    --------
    >>> generator = np.random.default_rng(0)
    >>> signal = generator.normal(size=(20, 30))
    >>> networks = np.stack([rdm(signal), rdm(generator.normal(size=signal.shape))])
    >>> test = permutation_test(rdm(signal + generator.normal(size=signal.shape)), networks)
    >>> (test["p_fwe"] < 0.05).tolist()
    [True, False]
    """
    brain, networks, n = _sample(brain, networks, comparison)
    similarity = _compare.compare(brain, networks, comparison, threads)[:, None]
    if len(brain) > 1:
        similarity = np.concatenate([similarity, similarity.mean(axis=0, keepdims=True)])
    design = _design(units, n)
    p, null = p_and_null(brain, networks, similarity, comparison, permutations, seed, threads, design)
    # of the mean over subjects, or of the only one
    observed, p, null = similarity[-1, 0], p[-1, 0], null[:, -1, 0]
    # a constant RDM has no similarity in any permutation
    maximum = np.fmax.reduce(null, axis=1)
    return pd.DataFrame(
        {
            "score": observed,
            "p": p,
            "p_fwe": families.familywise_p(observed, maximum),
            "q_fdr": families.false_discovery_q(p),
        }
    )


def ceiling_of_subjects(
    brain: np.ndarray,
    comparison: str = "spearman",
    confidence: float = 0.95,
    standard_error: str = "one-pass",
    seed: int = 0,
    threads: int = 1,
) -> dict[str, float]:
    """Noise ceiling of the scores that a network could reach, from the RDMs of several subjects.

    Parameters
    ----------
    brain : (subjects >= 2, pairs)
    comparison, confidence, standard_error, seed, threads : see `scores`

    Returns
    -------
    dict of lower (similarity of each subject to the mean RDM of the others) and lower_ci_low, upper (to the
    mean RDM of all) and upper_ci_high, attainable (to the geometry that subjects share), attainable_ci_low,
    attainable_ci_high

    Raises
    ------
    InputError : see `scores`; a single subject.

    References
    ----------
    Nili et al. 2014, doi:10.1371/journal.pcbi.1003553

    Examples
    --------
    >>> generator = np.random.default_rng(0)
    >>> signal = generator.normal(size=(20, 30))
    >>> brain = np.stack([rdm(signal + generator.normal(size=signal.shape)) for _ in range(4)])
    >>> ceiling = ceiling_of_subjects(brain)
    >>> 0 < ceiling["lower"] < ceiling["attainable"] < ceiling["upper"] < 1
    True
    """
    brain, _, n = _sample(brain, brain, comparison)
    if len(brain) < 2:
        raise InputError("subjects", len(brain), "at least 2; see ceiling_of_repeats for one")
    settings = _settings(confidence, standard_error, seed)
    return subject_ceiling(brain, replication(n, settings), comparison, settings, threads).known()


def ceiling_of_repeats(
    trials: np.ndarray,
    dissimilarity: str = "correlation",
    comparison: str = "spearman",
    splits: int = 50,
    confidence: float = 0.95,
    standard_error: str = "one-pass",
    seed: int = 0,
    threads: int = 1,
) -> dict[str, float]:
    """Noise ceiling of one subject and ROI, from repeated presentations.

    Parameters
    ----------
    trials : (n, repeats, voxels), NaN in the trials that a stimulus does not have
    dissimilarity : see `rdm`
    splits : random halves of the repeats
    comparison, confidence, standard_error, seed, threads : see `scores`

    Returns
    -------
    dict of reliability (similarity of the RDMs of two measurements like this one, by Spearman and Brown) and
    reliability_ci_low, attainable (similarity of the noiseless RDM to the measured RDM: the root of the
    reliability), attainable_ci_low and attainable_ci_high

    Raises
    ------
    InputError : see `rdm` and `scores`; too few repeats of a stimulus to halve.

    References
    ----------
    Spearman 1910; Brown 1910

    Examples
    --------
    >>> generator = np.random.default_rng(0)
    >>> trials = generator.normal(size=(20, 1, 30)) + generator.normal(size=(20, 4, 30))
    >>> ceiling = ceiling_of_repeats(trials)
    >>> 0 < ceiling["reliability"] < ceiling["attainable"] < 1
    True
    """
    _known("dissimilarity", dissimilarity, list(DISSIMILARITIES))
    _known("comparison", comparison, list(COMPARISONS))
    values = _patterns(trials)
    fewest = int(np.isfinite(values).all(axis=2).sum(axis=1).min())
    # either half of the repeats makes an RDM
    needed = 2 * DISSIMILARITIES[dissimilarity].repeats
    if fewest < needed:
        raise InputError("repeats", fewest, f"at least {needed} trials of each stimulus")
    if len(values) < FEWEST_STIMULI:
        raise InputError("stimuli", len(values), f"at least {FEWEST_STIMULI}")
    settings = _settings(confidence, standard_error, seed, splits)
    method, prepared = replication(len(values), settings), _crossnobis.prepared(values, dissimilarity)
    return split_half_ceiling(prepared, method, dissimilarity, comparison, settings, threads).known()


# ---- encoding models -------------------------------------------------------------------------------------


def encoding(
    layers: Mapping[str, np.ndarray],
    responses: np.ndarray,
    split: Sequence[str],
    method: str = "ridge",
    folds: int = 5,
    units: Sequence | None = None,
    confidence: float = 0.95,
    permutations: int = 1000,
    seed: int = 0,
    threads: int = 1,
) -> pd.DataFrame:
    """How well layers predict the responses of voxels to stimuli outside of the training set.

    Ridge regression with a regularisation for each voxel, chosen in folds of the training stimuli; or partial
    least squares with 25 components. The score is the mean over voxels of Pearson's r between predicted and
    measured mean responses to the test stimuli; with repeats, it is also corrected for noise: divided by the
    mean root of the voxels' reliability. Intervals are over test stimuli, conditional on the
    training set and on the voxels.

    Parameters
    ----------
    layers : name -> (n, features)
    responses : (n, voxels); or (n, repeats, voxels) single trials, NaN where a stimulus has fewer
    split : (n,) train or test; without train every stimulus is predicted from the other folds
    method : ridge or pls
    folds : of the training stimuli
    units : (n,) labels (categories, clusters of near-duplicates); stimuli of one label stay in one fold
    confidence : of the intervals
    permutations : number of relabellings of the test stimuli, for p
    seed : of the folds and permutations
    threads : the result does not depend on it

    Returns
    -------
    DataFrame, one row a layer: layer, score, se, ci_low, ci_high; corrected, corrected_low, corrected_high
    (NaN without repeats); p, one-sided

    Raises
    ------
    InputError : an unknown method or split; arrays that do not fit each other, or are not finite; voxels that
        do not vary; too few stimuli for the folds.

    References
    ----------
    Naselaris et al. 2011, doi:10.1016/j.neuroimage.2010.07.073; Dupré la Tour et al. 2022,
    doi:10.1016/j.neuroimage.2022.119728 (himalaya)

    Examples
    --------
    >>> generator = np.random.default_rng(0)
    >>> features = generator.normal(size=(100, 30))
    >>> signal = features @ generator.normal(size=(30, 20))
    >>> trials = signal[:, None] + 5 * generator.normal(size=(100, 4, 20))
    >>> layers = {"code": features, "other": generator.normal(size=(100, 30))}
    >>> table = encoding(layers, trials, ["train"] * 60 + ["test"] * 40)
    >>> (table["ci_low"] > 0).tolist()
    [True, False]
    """
    # himalaya takes a second to load
    from cortexrsa.encoding.network import encode_network
    from cortexrsa.encoding.settings import METHODS, EncodingSettings
    from cortexrsa.encoding.table import replicated

    _known("method", method, METHODS)
    data = _responses(responses, split)
    features = {name: _features(name, values, len(data)) for name, values in layers.items()}
    names = list(features)
    depth = np.linspace(0, 1, len(names)) if len(names) > 1 else np.zeros(len(names))
    rows = pd.DataFrame({"layer": names, "layer_index": range(len(names)), "depth": depth})
    settings = Settings(permutations=permutations, seed=seed, confidence=confidence)
    chosen = EncodingSettings(methods=(method,), folds=folds)
    labels = None if units is None else np.asarray(units)
    found = encode_network(rows, features.__getitem__, data, chosen, settings, labels, threads)
    table, own = pd.DataFrame({"layer": names}), found.sel(estimator=method)
    for which, ends in (("score", "ci_"), ("corrected", "corrected_")):
        values = replicated(own, seed, which)
        error, low, high = values.evaluated().interval(confidence)
        table[which] = values.estimate[0]
        if which == "score":
            table["se"] = error[0]
        table[f"{ends}low"], table[f"{ends}high"] = low[0], high[0]
    return table.assign(p=own["p"].to_numpy()[0, 0])


def _features(name: str, values: np.ndarray, n: int) -> np.ndarray:
    values = np.asarray(values)
    if values.ndim != 2 or len(values) != n or values.dtype.kind not in "iuf":
        raise InputError(f"layers: {name}", f"{values.dtype} {values.shape}", f"numbers ({n}, features)")
    return values.astype(np.float32, copy=False)


def _responses(responses: np.ndarray, split: Sequence[str]) -> xarray.DataArray:
    """Responses of the voxels of one subject and ROI as the workflow has them, after a check."""
    trials = _patterns(responses)
    labels = np.asarray(split, object)
    if labels.shape != (len(trials),) or not set(labels) <= {"train", "test"} or "test" not in labels:
        found = f"{labels.shape}, {', '.join(map(str, dict.fromkeys(labels.ravel()[:100])))}"
        raise InputError("split", found, f"({len(trials)},) of train and test")
    means = np.nanmean(trials, axis=1)
    for name in dict.fromkeys(labels):
        constant = int((np.ptp(means[labels == name], axis=0) == 0).sum())
        if constant:
            found = f"{constant} voxels of one value over the {name} stimuli"
            raise InputError("responses", found, "voxels that vary")
    coords = {"stimulus_id": np.arange(len(trials)).astype(str).astype(object), "split": labels}
    size = np.full(trials.shape[2], "", object)
    return xarray.DataArray(
        trials if np.ndim(responses) == 3 else trials[:, 0],
        dims=("stimulus", "repeat", "voxel") if np.ndim(responses) == 3 else ("stimulus", "voxel"),
        coords={name: ("stimulus", values) for name, values in coords.items()}
        | {name: ("voxel", size + value) for name, value in (("subject", "sub-01"), ("roi", "ROI"))},
        name="responses",
    )


# ---- files -----------------------------------------------------------------------------------------------


def read_rdms(path: str | Path) -> _rdm_files.RDMs:
    """RDMs of a file that the workflow or `write_rdms` wrote.

    Returns
    -------
    RDMs with `dissimilarities` (k, pairs), the tables `rdm_descriptors` (k rows: layer, depth; or subject,
    roi) and `pattern_descriptors` (n rows: stimulus_id, split), and `dissimilarity_measure`

    Raises
    ------
    InputError : the file cannot be read as such, or its parts disagree.

    Examples
    --------
    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/rdms.h5"
    >>> write_rdms(path, [1.0, 2.0, 3.0], stimuli=["cat", "dog", "tree"], rdm_descriptors={"roi": ["V1"]})
    >>> rdms = read_rdms(path)
    >>> rdms.dissimilarities
    array([[1., 2., 3.]])
    >>> rdms.pattern_descriptors["stimulus_id"].tolist()
    ['cat', 'dog', 'tree']
    """
    return _rdm_files.read_rdms(path)


def write_rdms(
    path: str | Path,
    rdms: np.ndarray,
    stimuli: Sequence[str],
    rdm_descriptors: dict[str, Sequence] | None = None,
    dissimilarity: str = "correlation",
) -> None:
    """Write RDMs as HDF5, in the layout that `rsatoolbox.rdm.load_rdm` opens.

    Parameters
    ----------
    path : of the file
    rdms : (k, pairs), or one RDM (pairs,)
    stimuli : n names, each once
    rdm_descriptors : name -> k values that describe the RDMs, such as roi
    dissimilarity : what was measured

    Raises
    ------
    InputError : arrays that are no condensed RDMs; stimuli or descriptors that do not fit them.
    """
    values = _rdms("rdms", rdms, len(stimuli))
    if len(set(stimuli)) < len(stimuli):
        raise InputError("stimuli", "a name twice", "each name once")
    descriptors = rdm_descriptors or {"index": range(len(values))}
    for name, column in descriptors.items():
        if len(column) != len(values):
            raise InputError(
                f"rdm_descriptors: {name}", f"{len(column)} values", f"{len(values)}, one an RDM"
            )
    _rdm_files.write_rdms(
        path,
        _rdm_files.RDMs(
            values,
            pd.DataFrame(descriptors),
            pd.DataFrame({"stimulus_id": list(stimuli)}),
            dissimilarity,
        ),
        settings={},
    )


# ---- networks --------------------------------------------------------------------------------------------


def build_network(
    source: str, name: str, seed: int = 0, weights: str | Path | None = None, **options
) -> torch.nn.Module:
    """Build a network.

    Parameters
    ----------
    source : torchvision, timm, hub, resnet, cornet_s, vae, autoencoder or another source of the cards
    name : of the network in this source, such as resnet18
    seed : of the random weights
    weights : file of a state dict (safetensors or PyTorch; nothing is unpickled) that fits exactly; None:
        random weights
    options : of the source, see docs/add-a-model.md

    Returns
    -------
    torch.nn.Module in evaluation mode, on the CPU

    Raises
    ------
    InputError : an unknown source, name or option (the nearest are listed); weights that do not fit.

    Examples
    --------
    >>> network = build_network("resnet", "resnet18", width=8)
    >>> sum(parameter.numel() for parameter in network.parameters()) > 10_000
    True
    """
    # seconds: whoever has no network does not wait for it
    from cortexrsa.networks.build import build
    from cortexrsa.networks.weights import load_weights

    network = build({"source": source, "name": name, "options": options}, seed)
    if weights is not None:
        load_weights(network, {}, weights)
    return network.eval()


def extract(
    network: torch.nn.Module,
    images: np.ndarray,
    layers: Sequence[str],
    size: int,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    batch_size: int = 64,
    device: str | None = None,
) -> dict[str, np.ndarray]:
    """Activations of layers of a network to images.

    Parameters
    ----------
    network : torch.nn.Module; it is put into evaluation mode on `device`
    images : (n, H, W, 3) uint8; whole images are resized, none is cropped, and an image that is not square
        lies on a square of middle grey
    layers : names of its modules in the order in which they run, see `network.named_modules()`
    size : side of the network's input, in pixels
    mean, std : of its three channels; images in [0, 1], less the mean, are divided by std
    batch_size : images at a time, halved if memory runs out
    device : cpu or cuda; None: the GPU if there is one

    Returns
    -------
    layer -> (n, features) float32

    Raises
    ------
    InputError : unknown layers (the nearest are listed), or layers in another order; images of another shape
        or dtype; activations that are not finite.

    Examples
    --------
    >>> images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
    >>> network = build_network("resnet", "resnet18", width=8)
    >>> activations = extract(network, images, ["layer1", "layer4"], size=32, device="cpu")
    >>> {layer: values.shape[0] for layer, values in activations.items()}
    {'layer1': 4, 'layer4': 4}
    """
    from cortexrsa.networks import extraction
    from cortexrsa.networks.settings import Preprocessing

    preprocessing = Preprocessing(size, mean, std)
    with tempfile.TemporaryDirectory() as folder:
        extraction.extract(network, images, preprocessing, layers, folder, batch_size, device=device)
        return {layer: np.load(Path(folder, f"{layer}.npy")) for layer in layers}
