"""Scores against the mean RDM of several people: what they share, beside how well each is predicted.

The mean of people's scores tells how well a network predicts a typical person, with all that is that person's
own. The mean RDM averages over what is anyone's own, and the score against it tells how well a network
predicts what is left.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import xarray

from cortexrsa.errors import InputError
from cortexrsa.formats.rdms import RDMs
from cortexrsa.geometry.compare import usable
from cortexrsa.geometry.mean_rdm import on_scale
from cortexrsa.geometry.rdm import kept_pairs
from cortexrsa.inference.names import GROUP, OF_THE_MEAN
from cortexrsa.inference.splits import brain_rows, splits_of


def mean_rdms(brain: RDMs, comparison: str) -> tuple[RDMs, RDMs]:
    """Mean RDM over people of every ROI, and those without each of them in turn.

    Parameters
    ----------
    brain : RDMs with columns subject, roi, of ROIs that have the same subjects
    comparison : RDMs are averaged on its scale, within each split

    Returns
    -------
    mean, without : RDMs with the columns subject (group, or the one who is left out) and roi. Pairs of
        stimuli of two splits are 0: nothing is made of them.

    Raises
    ------
    InputError : an RDM whose dissimilarities are all the same has no part in a mean; see also `brain_rows`.
    """
    _, subjects, rois = brain_rows(brain, splits_of(brain)[0])
    m, pairs = len(subjects), brain.dissimilarities.shape[1]
    mean, without = np.zeros((1, len(rois), pairs)), np.zeros((m, len(rois), pairs))
    for split in splits_of(brain):
        within = kept_pairs((brain.pattern_descriptors["split"] == split).to_numpy())
        rows = brain_rows(brain, split)[0]
        for (subject, roi), row in zip(product(subjects, rois), rows, strict=True):
            if not usable(row):
                found = f"one dissimilarity of all pairs ({split} stimuli)"
                expected = "RDMs that vary, or inference.group: mean-score"
                raise InputError(f"brain RDM of subject {subject} in {roi}", found, expected)
        own = np.stack([on_scale(each, comparison) for each in rows]).reshape(m, len(rois), -1)
        total = own.sum(axis=0)
        mean[..., within] = total / m
        without[..., within] = (total - own) / (m - 1)

    def rdms(values: np.ndarray, names: list[str]) -> RDMs:
        table = pd.DataFrame({"subject": np.repeat(names, len(rois)), "roi": rois * len(names)})
        patterns = brain.pattern_descriptors, brain.dissimilarity_measure
        return RDMs(values.reshape(len(table), -1), table, *patterns)

    return rdms(mean, [GROUP]), rdms(without, subjects)


def as_people(mean: xarray.Dataset, without: xarray.Dataset | None, subjects: list[str]) -> dict:
    """Variables of `scores.score_network` for the group: values of people whose mean is the mean RDM's score.

    Each person has a pseudo-value of the jackknife, S + (m - 1)(mean of S_-k - S_-i) with the scores S_-i
    without person i, so that the mean is S and the spread is the jackknife's variance over people (Efron &
    Stein 1981, doi:10.1214/aos/1176345462). Deviations in the replicates of the stimuli likewise.

    Parameters
    ----------
    mean, without : results of the mean RDM, and of those without one person each; None for people who are
        taken as they are, all of whom then have the score of the mean RDM
    subjects : names
    """
    m, found = len(subjects), {}
    for name in OF_THE_MEAN:
        values = mean[name].isel(subject=[0] * m).assign_coords(subject=subjects)
        if without is not None:
            left_out = without[name]
            values = values + (m - 1) * (left_out.mean("subject") - left_out)
        found[f"group_{name}"] = values.astype(mean[name].dtype)
    return found


def with_test(result: xarray.Dataset, mean: xarray.Dataset) -> xarray.Dataset:
    """The result with the test of the mean RDM in the place of that of the mean score."""
    own = result.copy()
    for name in ("p", "null_maximum"):
        values = own[name].copy()
        values.loc[{"unit": GROUP}] = mean[name].isel(unit=0, drop=True)
        own[name] = values
    return own
