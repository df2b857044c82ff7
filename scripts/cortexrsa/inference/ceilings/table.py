"""Table of the noise ceilings of a data set, of every kind that the data allow."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import xarray

from cortexrsa.brain.reliability import repeats_of
from cortexrsa.formats.columns.ceilings import CEILINGS
from cortexrsa.formats.rdms import RDMs
from cortexrsa.formats.responses import runs_of, trials_of
from cortexrsa.geometry.crossnobis import prepared
from cortexrsa.geometry.registry import DISSIMILARITIES
from cortexrsa.inference.ceilings.bounds import Ceiling, of_mean_rdm, of_people
from cortexrsa.inference.ceilings.moments import moment_ceiling
from cortexrsa.inference.ceilings.repeats import split_half_ceiling, voxel_half_ceiling
from cortexrsa.inference.ceilings.subjects import bounds_of_people, published_ceilings
from cortexrsa.inference.design import Design
from cortexrsa.inference.names import GROUP
from cortexrsa.inference.replication import Replication, replication
from cortexrsa.inference.settings import MEAN_RDM, Settings
from cortexrsa.inference.splits import brain_rows, parts_of, splits_of

ASSUMES = {
    "subjects": "subjects share one geometry; upper includes the subject in the mean RDM, lower leaves it "
    "out, attainable is the similarity to the shared geometry, with errors that are independent",
    "subjects-unscaled": "as subjects, with the mean of the RDMs as they are; for comparison with published "
    "tables",
    "subjects-unscaled-squared": "as subjects-unscaled, the mean of the squared similarities; for comparison "
    "with published tables of explained variance",
    MEAN_RDM: "subjects share one geometry and have independent errors; reliability is the similarity of the "
    "mean RDMs of two groups of as many people, attainable that of the shared geometry with one",
    "split-half": "repeats differ by independent noise; reliability is the similarity of two measurements of "
    "this quality, attainable that of the noiseless RDM with this one",
    "moments": "training and test images share the variance of signal and of noise; reliability is the "
    "similarity of two measurements of this quality, attainable that of the noiseless RDM with this one",
    "voxel-halves": "voxels have independent noise; optimistic, since noise that they share counts as signal",
    "unknown": "one RDM and no repeats, or averages over more repeats that vary no less: no bound can be "
    "given",
}


def usable_trials(
    responses: xarray.DataArray, subject: str, roi: str, split: str, dissimilarity: str = "correlation"
) -> tuple[np.ndarray, np.ndarray | None] | None:
    """Trials (n, repeats, voxels) of one subject, ROI and split, prepared for a dissimilarity; their runs.

    None where halves of the repeats are too few for an RDM: two repeats are needed, for crossnobis four, each
    of them in a run of its own.
    """
    if "repeat" not in responses.dims:
        return None
    trials = prepared(trials_of(responses, subject, roi), dissimilarity)
    trials = trials[(responses["split"] == split).to_numpy()]
    complete = np.isfinite(trials).all(axis=(0, 2))
    record = DISSIMILARITIES[dissimilarity]
    needed = 2 * record.repeats
    if complete.sum() < needed:
        return None
    runs = runs_of(responses, subject)
    if runs is not None:
        runs = runs[(responses["split"] == split).to_numpy()][:, complete]
        if record.across_runs and (np.diff(np.sort(runs, axis=1), axis=1) == 0).any():
            return None
    return trials[:, complete], runs


def average_ceilings(
    responses: xarray.DataArray,
    subject: str,
    roi: str,
    split: str,
    methods: dict[str, Replication],
    dissimilarity: str,
    comparison: str,
    settings: Settings,
) -> list[dict]:
    """Ceilings of one subject, ROI and split from averages over different numbers of repeats; none without.

    Two rows: of kind "moments" ("unknown", without bounds, where these give no noise), and of kind
    "voxel-halves", the optimistic end of the bracket.
    """
    repeats = repeats_of(responses)
    if repeats is None or split not in repeats:
        return []
    own = prepared(trials_of(responses, subject, roi), dissimilarity)[:, 0]
    patterns = {name: own[responses["split"].to_numpy() == name] for name in repeats}
    dissimilarity = DISSIMILARITIES[dissimilarity].of_layers  # whitened patterns are compared by it
    moments = moment_ceiling(patterns, repeats, split, dissimilarity, comparison, settings)
    halves = voxel_half_ceiling(patterns[split], methods[split], dissimilarity, comparison, settings)
    known = {"kind": "moments"} | moments.known() if moments else {"kind": "unknown"}
    # no model exceeds 1
    bounded = halves.known() | {"attainable_ci_high": min(1.0, halves.attainable_ci_high)}
    return [known, {"kind": "voxel-halves"} | bounded]


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
    bounds = [name for name in Ceiling.names() if name in known]
    means = known.groupby("kind", sort=False)[bounds].mean()
    first = [{"subject": GROUP, "kind": "unknown"}] if unknown.any() else []
    return first + [{"subject": GROUP, "kind": kind} | row for kind, row in means.to_dict("index").items()]


def ceiling_table(
    brain: RDMs,
    responses: xarray.DataArray | None,
    dataset: str,
    comparison: str,
    settings: Settings,
    threads: int = 1,
    design: Design | None = None,
) -> pd.DataFrame:
    """Noise ceilings of every ROI and split, of every kind that the data allow.

    Parameters
    ----------
    brain : RDMs with columns subject, roi
    responses : see `formats.responses.write_responses`; None for a data set of RDMs
    settings : with fixed subjects who have responses, the group's ceiling is the mean of theirs
    threads : the result does not depend on it
    design : of the stimuli, where they are not drawn one by one; intervals of `moments` resample single ones

    Returns
    -------
    table with the columns `CEILINGS`; where neither several subjects nor repeats exist, or these do not tell
    the noise, a row of kind "unknown" without bounds.
    """
    rows, methods = [], {}
    for split in splits_of(brain):
        keep = (brain.pattern_descriptors["split"] == split).to_numpy()
        methods[split] = replication(int(keep.sum()), settings, design and design.subset(keep))
    for part, split in product(parts_of(brain), splits_of(brain)):
        targets, subjects, rois = brain_rows(part, split)
        for r, roi in enumerate(rois):
            found = []
            fixed = settings.fixed_subjects(len(subjects))
            shared = settings.group == MEAN_RDM
            if len(subjects) > 1 and (shared or not fixed or responses is None):
                own = targets.take(range(r, len(targets), len(rois)))
                lower, upper = bounds_of_people(own, methods[split], comparison, settings, threads)
                size = len(subjects), settings.confidence, comparison
                bounds = {"subjects": of_people(lower, upper, *size)}
                # the first row of the group is the primary one
                if shared:
                    bounds = {MEAN_RDM: of_mean_rdm(lower, *size)} | bounds
                found += [{"subject": GROUP, "kind": kind} | own.known() for kind, own in bounds.items()]
                found += [{"subject": GROUP} | row for row in published_ceilings(own, comparison)]
            if responses is not None:
                for subject in subjects:
                    place = subject, roi, split
                    found += _of_one(part, responses, place, methods, comparison, settings, threads)
            if len(subjects) > 1 and fixed and responses is not None and not shared:
                found += mean_over_subjects(found)
            for bounds in found or [{"subject": subjects[0], "kind": "unknown"}]:
                rows.append({"dataset": dataset, "roi": roi, "split": split, "measure": comparison} | bounds)
    rows = [row | {"assumes": ASSUMES[row["kind"]]} for row in rows]
    return pd.DataFrame(rows, columns=list(CEILINGS.columns))


def _of_one(brain, responses, place, methods, comparison, settings, threads) -> list[dict]:
    """Ceilings of one subject, ROI and split from the responses."""
    subject, roi, split = place
    dissimilarity = brain.dissimilarity_measure
    usable = usable_trials(responses, subject, roi, split, dissimilarity)
    if usable is None:
        found = average_ceilings(responses, *place, methods, dissimilarity, comparison, settings)
        return [{"subject": subject} | bounds for bounds in found]
    trials, runs = usable
    bounds = split_half_ceiling(
        trials, methods[split], dissimilarity, comparison, settings, threads, folds=runs
    )
    return [{"subject": subject, "kind": "split-half"} | bounds.known()]
