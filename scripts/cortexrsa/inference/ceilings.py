"""Noise ceilings: what the best possible model could score."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray
from scipy.stats import rankdata

from cortexrsa.brain.reliability import repeats_of
from cortexrsa.files import RDMs
from cortexrsa.geometry.compare import normalise
from cortexrsa.geometry.rdm import rdm
from cortexrsa.inference.bootstrap import RANKED, Resampled, draw_counts, interval, resampled_similarity
from cortexrsa.inference.moments import moment_ceiling, voxel_half_ceiling
from cortexrsa.inference.rsa import GROUP, PRIMARY, brain_array, splits_of

ASSUMES = {
    "subjects": "subjects share one geometry; upper includes the subject in the mean RDM, lower leaves it "
    "out",
    "split-half": "repeats differ by independent noise; lower is the similarity of two measurements of this "
    "quality, upper that of the noiseless RDM with this one",
    "moments": "training and test images share the variance of signal and of noise; lower is the similarity "
    "of two measurements of this quality, upper that of the noiseless RDM with this one",
    "voxel-halves": "voxels have independent noise; optimistic, since noise that they share counts as signal",
    "unknown": "one RDM and no repeats: no bound can be given",
}


def mean_rdms(brain: np.ndarray, comparison: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean RDM with, and without, each subject: two arrays (subjects, pairs).

    RDMs are brought to the scale of the comparison before the mean (ranks, or normalised dissimilarities).
    """
    # ranks themselves, not scaled: their sums tie exactly
    scaled = rankdata(brain, axis=1) if comparison in RANKED else normalise(brain, comparison)
    total = scaled.sum(axis=0)
    subjects = len(brain)
    return np.tile(total / subjects, (subjects, 1)), (total - scaled) / (subjects - 1)


def subject_ceiling(brain: np.ndarray, counts: np.ndarray, comparison: str, confidence: float) -> dict:
    """Ceiling from several subjects.

    upper = mean over subjects of the similarity to the mean RDM of all, lower = the same to the mean RDM of
    the others (Nili et al. 2014, doi:10.1371/journal.pcbi.1003553).

    Parameters
    ----------
    brain : (subjects >= 2, pairs)
    counts : (draws, n) resamples of the stimuli

    Returns
    -------
    dict of lower, upper, ci_low (of the lower bound), ci_high (of the upper bound)
    """
    with_subject, without_subject = mean_rdms(brain, comparison)
    full = np.ones((1, counts.shape[1]), int)

    def mean_similarity(references: np.ndarray, counts: np.ndarray) -> np.ndarray:
        similarities = [
            resampled_similarity(subject[None], reference[None], counts, comparison)[:, 0, 0]
            for subject, reference in zip(brain, references, strict=True)
        ]
        return np.mean(similarities, axis=0)

    bounds = {}
    for name, references in (("lower", without_subject), ("upper", with_subject)):
        bounds[name] = Resampled(
            mean_similarity(references, full)[0],
            mean_similarity(references, counts),
            None,
            None,
            counts.shape[1],
            len(brain),
        )
    return _with_interval(bounds, confidence)


def spearman_brown(reliability: np.ndarray, factor: float = 2) -> np.ndarray:
    """Reliability of `factor` times the data, from that of one part (Spearman 1910; Brown 1910)."""
    return factor * reliability / (1 + (factor - 1) * reliability)


def split_half_ceiling(
    trials: np.ndarray,
    counts: np.ndarray,
    splits: int,
    seed: int,
    dissimilarity: str,
    comparison: str,
    confidence: float,
) -> dict:
    """Ceiling from repeated presentations to one subject.

    Halves of the repeats give two RDMs; their mean similarity over random splits, stepped up to all repeats
    by Spearman-Brown, is the reliability of the RDM: the lower bound. Its square root, the correlation of
    the measured with the noiseless RDM in classical test theory, is the upper bound.

    Parameters
    ----------
    trials : (n, repeats >= 2, voxels)
    counts : (draws, n) resamples of the stimuli
    splits : number of random splits (all are distinct halves of the same repeats)
    seed : of the splits

    Returns
    -------
    dict of lower, upper, ci_low (of the lower bound), ci_high (of the upper bound)
    """
    # a stream of its own: the stimuli are drawn from `seed`
    generator = np.random.default_rng([seed, 3])
    repeats = trials.shape[1]
    half = repeats // 2
    # two repeats can be split in one way only
    splits = min(splits, 1 if repeats == 2 else splits)
    estimates, draws = np.zeros(1), np.zeros(len(counts))
    full = np.ones((1, counts.shape[1]), int)
    for _ in range(splits):
        order = generator.permutation(repeats)
        first = rdm(trials[:, order[:half]].mean(axis=1), dissimilarity)[None]
        second = rdm(trials[:, order[half : 2 * half]].mean(axis=1), dissimilarity)[None]
        estimates += resampled_similarity(first, second, full, comparison)[:, 0, 0] / splits
        draws += resampled_similarity(first, second, counts, comparison)[:, 0, 0] / splits
    halves = Resampled(estimates[0], draws, None, None, counts.shape[1], 1)
    whole = halves.apply(lambda half_similarity: spearman_brown(half_similarity, repeats / half))
    return _with_interval(
        {"lower": whole, "upper": whole.apply(lambda reliability: np.sqrt(np.maximum(reliability, 0)))},
        confidence,
    )


def _with_interval(bounds: dict[str, Resampled], confidence: float) -> dict:
    limits = {name: interval(bound, confidence) for name, bound in bounds.items()}
    return {
        "lower": float(bounds["lower"].estimate),
        "upper": float(bounds["upper"].estimate),
        "ci_low": float(limits["lower"][1]),
        "ci_high": float(limits["upper"][2]),
    }


def usable_trials(responses: xarray.DataArray, subject: str, roi: str, split: str) -> np.ndarray | None:
    """Single trials (n, repeats, voxels) of one subject, ROI and split; None with fewer than two repeats."""
    if "repeat" not in responses.dims:
        return None
    voxels = (responses["subject"] == subject) & (responses["roi"] == roi)
    trials = responses.isel(
        voxel=voxels.to_numpy(), stimulus=(responses["split"] == split).to_numpy()
    ).transpose("stimulus", "repeat", "voxel")
    trials = trials.to_numpy()
    complete = np.isfinite(trials).all(axis=(0, 2))
    return trials[:, complete] if complete.sum() >= 2 else None


def average_ceilings(
    responses: xarray.DataArray,
    subject: str,
    roi: str,
    split: str,
    counts: dict[str, np.ndarray],
    dissimilarity: str,
    comparison: str,
    inference: dict,
) -> list[dict]:
    """Ceilings of one subject, ROI and split from averages over different numbers of repeats; none without.

    Two rows: of kind "moments", and of kind "voxel-halves", the optimistic end of the bracket.
    """
    repeats = repeats_of(responses)
    if repeats is None:
        return []
    voxels = ((responses["subject"] == subject) & (responses["roi"] == roi)).to_numpy()
    own = responses.isel(voxel=voxels).transpose("stimulus", "voxel")
    patterns = {name: own.to_numpy()[own["split"].to_numpy() == name] for name in repeats}
    seed, confidence = inference["seed"], inference["confidence"]
    moments = moment_ceiling(patterns, repeats, split, counts, dissimilarity, comparison, seed, confidence)
    halves = voxel_half_ceiling(
        patterns[split],
        counts[split],
        inference["ceiling_splits"],
        seed,
        dissimilarity,
        comparison,
        confidence,
    )
    return [{"kind": "moments"} | moments, {"kind": "voxel-halves"} | halves]


def mean_over_subjects(rows: list[dict]) -> list[dict]:
    """The group's ceilings where subjects are fixed: means of the subjects' bounds (and of their limits)."""
    table = pd.DataFrame(rows)
    table = table[table["kind"] != "unknown"] if len(rows) else table
    if not len(table):
        return []
    means = table.groupby("kind", sort=False)[["lower", "upper", "ci_low", "ci_high"]].mean()
    return [{"subject": GROUP, "kind": kind} | row for kind, row in means.to_dict("index").items()]


def ceiling_table(
    brain: RDMs, responses: xarray.DataArray | None, dataset: str, comparison: str, inference: dict
) -> pd.DataFrame:
    """Noise ceilings of every ROI and split, of every kind that the data allow.

    Parameters
    ----------
    brain : RDMs with columns subject, roi
    responses : see `files.write_responses`; None for a data set of RDMs
    inference : bootstrap, ceiling_splits, seed, confidence; subject_effect: fixed, if the group's ceiling is
        to be the mean of those of its subjects

    Returns
    -------
    table with columns dataset, subject, roi, split, measure, kind, lower, upper, ci_low, ci_high, assumes;
    where neither several subjects nor repeats exist, one row of kind "unknown" without bounds.
    """
    rows = []
    fixed = inference.get("subject_effect") == "fixed"
    counts_of = {}
    for index, split in enumerate(splits_of(brain)):
        n = int((brain.patterns["split"] == split).sum())
        # the first as every score's; splits are resampled independently of each other
        seed = [inference["seed"], 6] if index else inference["seed"]
        counts_of[split] = draw_counts(n, inference["bootstrap"], seed)
    for split in splits_of(brain):
        targets, subjects, rois = brain_array(brain, split)
        n = int((brain.patterns["split"] == split).sum())
        counts = draw_counts(n, inference["bootstrap"], inference["seed"])
        for r, roi in enumerate(rois):
            found = []
            if len(subjects) > 1 and not fixed:
                bounds = subject_ceiling(targets[:, r], counts, comparison, inference["confidence"])
                found.append({"subject": GROUP, "kind": "subjects"} | bounds)
            for subject in subjects:
                trials = None if responses is None else usable_trials(responses, subject, roi, split)
                if trials is not None:
                    bounds = split_half_ceiling(
                        trials,
                        counts,
                        inference["ceiling_splits"],
                        inference["seed"],
                        brain.measure,
                        comparison,
                        inference["confidence"],
                    )
                    found.append({"subject": subject, "kind": "split-half"} | bounds)
                elif responses is not None:
                    found += [
                        {"subject": subject} | bounds
                        for bounds in average_ceilings(
                            responses, subject, roi, split, counts_of, brain.measure, comparison, inference
                        )
                    ]
            if len(subjects) > 1 and fixed:
                found += mean_over_subjects(found)
            for bounds in found or [{"subject": subjects[0], "kind": "unknown"}]:
                rows.append({"dataset": dataset, "roi": roi, "split": split, "measure": comparison} | bounds)
    table = pd.DataFrame(rows).reindex(
        columns=[
            "dataset",
            "subject",
            "roi",
            "split",
            "measure",
            "kind",
            "lower",
            "upper",
            "ci_low",
            "ci_high",
        ]
    )
    return table.assign(assumes=table["kind"].map(ASSUMES))


def primary_ceilings(table: pd.DataFrame) -> dict[str, dict]:
    """Per ROI the row that bounds the group's scores: over subjects where there are several, else repeats."""
    rows = table[table["split"] == PRIMARY].sort_values(
        "subject", key=lambda subject: subject != GROUP, kind="stable"
    )
    return {row["roi"]: row for row in rows.drop_duplicates("roi").to_dict("records")}
