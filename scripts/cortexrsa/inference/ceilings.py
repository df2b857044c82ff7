"""Noise ceilings: what the best possible model could score."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray

from cortexrsa.brain.reliability import repeats_of
from cortexrsa.formats.rdms import RDMs
from cortexrsa.geometry.compare import compare
from cortexrsa.geometry.crossnobis import prepared, rdm_of_trials
from cortexrsa.geometry.mean_rdm import mean_rdm, means_without_each
from cortexrsa.geometry.regions import trials_of
from cortexrsa.geometry.registry import DISSIMILARITIES
from cortexrsa.inference.bootstrap import Resampled, Resamples, group_scores, interval
from cortexrsa.inference.moments import moment_ceiling, voxel_half_ceiling
from cortexrsa.inference.resampling import resampled_similarity
from cortexrsa.inference.rsa import GROUP, PRIMARY, brain_array, splits_of

ASSUMES = {
    "subjects": "subjects share one geometry; upper includes the subject in the mean RDM, lower leaves it "
    "out",
    "subjects-unscaled": "as subjects, with the mean of the RDMs as they are; for comparison with published "
    "tables",
    "subjects-unscaled-squared": "as subjects-unscaled, the mean of the squared similarities; for comparison "
    "with published tables of explained variance",
    "split-half": "repeats differ by independent noise; lower is the similarity of two measurements of this "
    "quality, upper that of the noiseless RDM with this one",
    "moments": "training and test images share the variance of signal and of noise; lower is the similarity "
    "of two measurements of this quality, upper that of the noiseless RDM with this one",
    "voxel-halves": "voxels have independent noise; optimistic, since noise that they share counts as signal",
    "unknown": "one RDM and no repeats, or averages over more repeats that vary no less: no bound can be "
    "given",
}


def subject_ceiling(
    brain: np.ndarray, resamples: Resamples, comparison: str, confidence: float, seed: int, threads: int = 1
) -> dict:
    """Ceiling from several subjects.

    upper = mean over subjects of the similarity to the mean RDM of all, lower = the same to the mean RDM of
    the others (Nili et al. 2014, doi:10.1371/journal.pcbi.1003553). The similarities of the subjects are
    resampled like scores of a model (both factors), the mean RDMs as they are.

    Parameters
    ----------
    brain : (subjects >= 2, pairs)
    resamples : of the stimuli
    seed : of the draws of subjects
    threads : the result does not depend on it

    Returns
    -------
    dict of lower, upper, ci_low (of the lower bound), ci_high (of the upper bound)
    """
    with_subject = np.tile(mean_rdm(brain, comparison), (len(brain), 1))
    without_subject = means_without_each(brain, comparison)
    counts = resamples.counts
    bounds = {}
    for name, references in (("lower", without_subject), ("upper", with_subject)):
        similarities = [
            resampled_similarity(subject[None], reference[None], counts, comparison, threads)[:, 0, 0]
            for subject, reference in zip(brain, references, strict=True)
        ]
        scores, draws, left_out = resamples.parts(np.stack(similarities, axis=1))
        bounds[name] = group_scores(scores, draws, counts.shape[1], seed, left_out, resamples.shares)
    return _with_interval(bounds, confidence)


def published_ceilings(brain: np.ndarray, comparison: str) -> list[dict]:
    """Ceilings from several subjects by the conventions of published tables, without intervals.

    The mean RDM is that of the RDMs as they are, not of their ranks or normalised dissimilarities; bounds are
    the mean similarity, or the mean of its square (as in the Algonauts Project, Cichy et al. 2019,
    arXiv:1905.05675).

    Parameters
    ----------
    brain : (subjects >= 2, pairs)
    comparison : of `registry.COMPARISONS`

    Returns
    -------
    a dict for each convention: kind, lower, upper
    """
    total, count = brain.sum(axis=0), len(brain)
    references = {"lower": (total - brain) / (count - 1), "upper": np.tile(total / count, (count, 1))}
    similarity = {
        name: np.array([compare(brain[[k]], means[[k]], comparison)[0, 0] for k in range(count)])
        for name, means in references.items()
    }
    plain = {name: float(values.mean()) for name, values in similarity.items()}
    squared = {name: float((values**2).mean()) for name, values in similarity.items()}
    return [{"kind": "subjects-unscaled"} | plain, {"kind": "subjects-unscaled-squared"} | squared]


def spearman_brown(reliability: np.ndarray, factor: float = 2) -> np.ndarray:
    """Reliability of `factor` times the data, from that of one part (Spearman 1910; Brown 1910)."""
    return factor * reliability / (1 + (factor - 1) * reliability)


def split_half_ceiling(
    trials: np.ndarray,
    resamples: Resamples,
    splits: int,
    seed: int,
    dissimilarity: str,
    comparison: str,
    confidence: float,
    threads: int = 1,
) -> dict:
    """Ceiling from repeated presentations to one subject.

    Halves of the repeats give two RDMs; their mean similarity over random splits, stepped up to all repeats
    by Spearman-Brown, is the reliability of the RDM: the lower bound. Its square root, the correlation of
    the measured with the noiseless RDM in classical test theory, is the upper bound.

    Parameters
    ----------
    trials : (n, repeats >= 2, voxels), see `crossnobis.prepared`; repeats >= 4 for crossnobis
    resamples : of the stimuli
    splits : number of random splits (all are distinct halves of the same repeats)
    seed : of the splits
    dissimilarity : see `crossnobis.rdm_of_trials`
    threads : the result does not depend on it

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
    counts = resamples.counts
    similarity = np.zeros(len(counts))
    for _ in range(splits):
        order = generator.permutation(repeats)
        first, second = (
            rdm_of_trials(trials[:, chosen], dissimilarity)[None]
            for chosen in (order[:half], order[half : 2 * half])
        )
        similarity += resampled_similarity(first, second, counts, comparison, threads)[:, 0, 0] / splits
    whole = resamples.resampled(spearman_brown(similarity, repeats / half))
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


def usable_trials(
    responses: xarray.DataArray, subject: str, roi: str, split: str, dissimilarity: str = "correlation"
) -> np.ndarray | None:
    """Trials (n, repeats, voxels) of one subject, ROI and split, prepared for their dissimilarity.

    None where halves of the repeats are too few for an RDM: two repeats are needed, for crossnobis four.
    """
    if "repeat" not in responses.dims:
        return None
    trials = prepared(trials_of(responses, subject, roi), dissimilarity)
    trials = trials[(responses["split"] == split).to_numpy()]
    complete = np.isfinite(trials).all(axis=(0, 2))
    needed = 2 * DISSIMILARITIES[dissimilarity].repeats
    return trials[:, complete] if complete.sum() >= needed else None


def average_ceilings(
    responses: xarray.DataArray,
    subject: str,
    roi: str,
    split: str,
    resamples: dict[str, Resamples],
    dissimilarity: str,
    comparison: str,
    inference: dict,
) -> list[dict]:
    """Ceilings of one subject, ROI and split from averages over different numbers of repeats; none without.

    Two rows: of kind "moments" ("unknown", without bounds, where these give no noise), and of kind
    "voxel-halves", the optimistic end of the bracket.
    """
    repeats = repeats_of(responses)
    if repeats is None:
        return []
    own = prepared(trials_of(responses, subject, roi), dissimilarity)[:, 0]
    patterns = {name: own[responses["split"].to_numpy() == name] for name in repeats}
    dissimilarity = DISSIMILARITIES[dissimilarity].of_layers  # whitened patterns are compared by it
    seed, confidence = inference["seed"], inference["confidence"]
    moments = moment_ceiling(patterns, repeats, split, resamples, dissimilarity, comparison, seed, confidence)
    halves = voxel_half_ceiling(
        patterns[split],
        resamples[split],
        inference["ceiling_splits"],
        seed,
        dissimilarity,
        comparison,
        confidence,
    )
    known = {"kind": "moments"} | moments if moments else {"kind": "unknown"}
    return [known, {"kind": "voxel-halves"} | halves]


def mean_over_subjects(rows: list[dict]) -> list[dict]:
    """The group's ceilings where subjects are fixed: means of the subjects' bounds (and of their limits)."""
    if not rows:
        return []
    table = pd.DataFrame(rows)
    unknown = table["kind"] == "unknown"
    # those of the kind that every subject has: a mean without one would be of another group
    known = (
        table[~unknown]
        .groupby("kind", sort=False)
        .filter(lambda kind: len(kind) == table["subject"].nunique())
    )
    means = known.groupby("kind", sort=False)[["lower", "upper", "ci_low", "ci_high"]].mean()
    first = [{"subject": GROUP, "kind": "unknown"}] if unknown.any() else []
    return first + [{"subject": GROUP, "kind": kind} | row for kind, row in means.to_dict("index").items()]


def ceiling_table(
    brain: RDMs,
    responses: xarray.DataArray | None,
    dataset: str,
    comparison: str,
    inference: dict,
    threads: int = 1,
) -> pd.DataFrame:
    """Noise ceilings of every ROI and split, of every kind that the data allow.

    Parameters
    ----------
    brain : RDMs with columns subject, roi
    responses : see `files.write_responses`; None for a data set of RDMs
    inference : bootstrap, ceiling_splits, seed, confidence; subject_effect: fixed, if the
        group's ceiling is to be the mean of those of its subjects
    threads : the result does not depend on it

    Returns
    -------
    table with columns dataset, subject, roi, split, measure, kind, lower, upper, ci_low, ci_high, assumes;
    where neither several subjects nor repeats exist, or these do not tell the noise, a row of kind "unknown"
    without bounds.
    """
    rows = []
    fixed = inference.get("subject_effect") == "fixed"
    resamples_of = {}
    for index, split in enumerate(splits_of(brain)):
        n = int((brain.pattern_descriptors["split"] == split).sum())
        # the first as every score's; splits are resampled independently of each other
        stream = (6,) if index else ()
        resamples_of[split] = Resamples.of(n, inference["bootstrap"], inference["seed"], *stream)
    for split in splits_of(brain):
        targets, subjects, rois = brain_array(brain, split)
        n = int((brain.pattern_descriptors["split"] == split).sum())
        resamples = Resamples.of(n, inference["bootstrap"], inference["seed"])
        seed, confidence = inference["seed"], inference["confidence"]
        for r, roi in enumerate(rois):
            found = []
            if len(subjects) > 1 and not fixed:
                bounds = subject_ceiling(targets[:, r], resamples, comparison, confidence, seed, threads)
                found.append({"subject": GROUP, "kind": "subjects"} | bounds)
                # after it: the first row of the group is the primary one
                found += [{"subject": GROUP} | row for row in published_ceilings(targets[:, r], comparison)]
            for subject in subjects:
                trials = (
                    None
                    if responses is None
                    else usable_trials(responses, subject, roi, split, brain.dissimilarity_measure)
                )
                if trials is not None:
                    bounds = split_half_ceiling(
                        trials,
                        resamples,
                        inference["ceiling_splits"],
                        seed,
                        brain.dissimilarity_measure,
                        comparison,
                        confidence,
                        threads,
                    )
                    found.append({"subject": subject, "kind": "split-half"} | bounds)
                elif responses is not None:
                    found += [
                        {"subject": subject} | bounds
                        for bounds in average_ceilings(
                            responses,
                            subject,
                            roi,
                            split,
                            resamples_of,
                            brain.dissimilarity_measure,
                            comparison,
                            inference,
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
