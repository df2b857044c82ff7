"""Layer and weight of a guided training, chosen on validation stimuli of the training split."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from cortexrsa.errors import InputError
from cortexrsa.formats.columns.choice import CHOICE
from cortexrsa.guidance.settings import Guidance, Lesson


def candidates(guidance: Guidance) -> list[Guidance]:
    """What there is to choose from: every weight with every layer of each ROI.

    The card's own alone, where it leaves no choice or has a weight of 0: then nothing is learned.
    """
    wanted = guidance.choose
    if not wanted or guidance.weight == 0:
        return [guidance]
    rois = list(guidance.layers)
    layers = [wanted.get("layers", {}).get(roi, [guidance.layers[roi]]) for roi in rois]
    return [
        replace(guidance, weight=weight, layers=dict(zip(rois, chosen, strict=True)))
        for chosen in itertools.product(*layers)
        for weight in wanted.get("weights", [guidance.weight])
    ]


def choose(guidance: Guidance, tried: Callable[[Guidance], float]) -> tuple[Guidance, pd.DataFrame]:
    """The candidate whose short training is the most similar to the target on the validation stimuli.

    Parameters
    ----------
    guidance : of the card
    tried : trains with a candidate, and returns the similarity

    Returns
    -------
    chosen : the first of the most similar
    table : with the columns `CHOICE`

    Raises
    ------
    InputError : no candidate has a similarity.
    """
    found = candidates(guidance)
    values = [tried(candidate) for candidate in found] if len(found) > 1 else [np.nan]
    if len(found) > 1 and np.isnan(values).all():
        expected = "targets and layers that vary over the validation stimuli, or a lower learning_rate"
        raise InputError("weights.training.brain.choose", "NaN as similarity of every candidate", expected)
    best = int(np.nanargmax(values)) if len(found) > 1 else 0
    rows = [
        [
            "; ".join(f"{roi}: {layer}" for roi, layer in candidate.layers.items()),
            *(candidate.weight, value, k == best),
        ]
        for k, (candidate, value) in enumerate(zip(found, values, strict=True))
    ]
    return found[best], pd.DataFrame(rows, columns=list(CHOICE.columns))


def with_layers(lesson: Lesson, rois: Sequence[str], guidance: Guidance, order: Sequence[str]) -> Lesson:
    """The lesson of a candidate: the same targets for its layers, in the order in which they run.

    Parameters
    ----------
    lesson : its targets are those of `rois`, in their order
    order : all layers of the network
    """
    pairs = [(guidance.layers[roi], target) for roi, (_, target) in zip(rois, lesson.targets, strict=True)]
    return replace(lesson, targets=sorted(pairs, key=lambda pair: list(order).index(pair[0])))
