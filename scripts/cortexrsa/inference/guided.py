"""What training with a brain gains over every control, on stimuli and people that it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray

from cortexrsa.formats.columns.guided import (
    BEST,
    GUIDED,
    GUIDED_NETWORK,
    SEEN,
    UNGUIDED,
    UNSEEN,
)
from cortexrsa.inference.errors import Estimate, Replicated
from cortexrsa.inference.names import PRIMARY
from cortexrsa.inference.seeds import over_seeds
from cortexrsa.inference.settings import Settings, few_people, taken_as_fixed
from cortexrsa.inference.study import group_scores, of_people, parts_of
from cortexrsa.inference.tails import student_quantile
from cortexrsa.seeds import by_card

# of fewer seeds nothing is said of others
FEWEST_SEEDS = 5

# of the data set that a network was trained with, or another one of the same experiment
FITTED = "encoding models fitted on stimuli that the network was trained with, too"
CHOSEN = "layers chosen on stimuli that the network was trained with, too"

# results of a measure, by network (each seed of a card for itself)
Results = dict[str, xarray.Dataset]


@dataclass(frozen=True)
class Gain:
    """A score or a difference of scores, with its interval.

    Attributes
    ----------
    value, se, low, high, p : numbers; NaN where there is none
    """

    value: float
    se: float
    low: float
    high: float
    p: float

    @classmethod
    def of(cls, found: Estimate, confidence: float, tested: bool = True) -> Gain:
        """Of an estimate; p where it is a difference."""
        se, low, high = (float(limit) for limit in found.interval(confidence))
        return cls(float(found.value), se, low, high, float(found.p_value()) if tested else np.nan)


def over_best(found: list[Estimate], confidence: float) -> Gain:
    """The smallest of several differences: the gain over the control that is best, whichever that is.

    No control is chosen before the difference is estimated, so nothing is gained by the choice: the smallest
    difference exceeds 0 only if all of them do (an intersection-union test, Berger 1982), so its p is the
    largest of theirs. Its lower limit is the smallest of theirs, which is below the true smallest difference
    whenever that one's own limit is. All upper limits must hold at once (Bonferroni) for the smallest.

    Parameters
    ----------
    found : the differences, scalars
    confidence : of the interval

    References
    ----------
    Berger 1982, doi:10.1080/00401706.1982.10487790
    """
    values = np.array([float(each.value) for each in found])
    if not np.isfinite([*values, *(float(each.variance) for each in found)]).all():
        return Gain(float(values.min()), *[np.nan] * 4)
    low = min(float(each.interval(confidence)[1]) for each in found)
    together = 1 - (1 - confidence) / len(found)
    high = min(
        float(each.value + student_quantile(0.5 + together / 2, each.dof) * np.sqrt(each.variance))
        for each in found
    )
    p = max(float(each.p_value()) for each in found) if values.min() > 0 else 1.0
    return Gain(float(values.min()), np.nan, low, high, p)


# ---- the gains of one network ----------------------------------------------------------------------------


def _differences(names: list[str]) -> list[tuple[str, str]]:
    """Network and what it is compared with: all with weight 0, then the guided one with the others."""
    first = [kind for kind in names if kind != UNGUIDED] if UNGUIDED in names else []
    others = [kind for kind in names if kind not in (GUIDED_NETWORK, UNGUIDED)]
    return [(kind, UNGUIDED) for kind in first] + [(GUIDED_NETWORK, kind) for kind in others]


def gains_of(scores: dict[str, Replicated], confidence: float) -> Iterator[tuple[str, str, Gain]]:
    """Scores of a guided network and of its controls, and what is gained over which.

    Parameters
    ----------
    scores : by kind, `guided` first; Replicated alike of scalars, of several seeds their mean

    Yields
    ------
    network, over, gain : `over` is empty for a score
    """
    yield from _gains(
        {kind: own.evaluated() for kind, own in scores.items()},
        lambda kind, over: scores[kind].apply(np.subtract, scores[over]).evaluated(),
        confidence,
    )


def _gains(
    scores: dict[str, Estimate], difference: Callable[[str, str], Estimate], confidence: float
) -> Iterator[tuple[str, str, Gain]]:
    for kind, own in scores.items():
        yield kind, "", Gain.of(own, confidence, tested=False)
    found = {pair: difference(*pair) for pair in _differences(list(scores))}
    for (kind, over), each in found.items():
        yield kind, over, Gain.of(each, confidence)
    own = [each for (kind, _), each in found.items() if kind == GUIDED_NETWORK]
    if own:
        yield GUIDED_NETWORK, BEST, over_best(own, confidence)


def paired_gains(values: dict[str, np.ndarray], confidence: float) -> Iterator[tuple[str, str, Gain]]:
    """`gains_of` numbers that each seed has, on images that are the same for all: seeds alone are a sample.

    Parameters
    ----------
    values : by kind (seeds,), paired
    """

    def estimate(each: np.ndarray) -> Estimate:
        n = len(each)
        variance = each.var(ddof=1) / n if n > 1 else np.nan
        return Estimate(each.mean(), np.asarray(variance), np.asarray(max(n - 1.0, 1.0)))

    yield from _gains(
        {kind: estimate(own) for kind, own in values.items()},
        lambda kind, over: estimate(values[kind] - values[over]),
        confidence,
    )


# ---- the table -------------------------------------------------------------------------------------------


def people_of(subjects: list[str], trained: list[str] | None) -> dict[str, list[str]]:
    """Groups of people by what the network has seen of them, the primary one first.

    Parameters
    ----------
    subjects : of the data set
    trained : those that the network was trained with; None: all

    Examples
    --------
    >>> people_of(["a", "b", "c"], ["a", "b"])
    {'not trained with': ['c'], 'trained with': ['a', 'b']}
    >>> people_of(["a", "b"], None)
    {'trained with': ['a', 'b']}
    >>> people_of(["a", "b"], [])
    {'not trained with': ['a', 'b']}
    """
    seen = [name for name in subjects if trained is None or name in trained]
    unseen = [name for name in subjects if name not in seen]
    return {group: names for group, names in ((UNSEEN, unseen), (SEEN, seen)) if names}


def gains_table(
    results: dict[str, Results],
    guided: dict[str, dict],
    attainable: dict[str, dict[tuple[str, str], float]],
    dataset: str,
    settings: Settings,
) -> pd.DataFrame:
    """Scores and gains of every guided network in every ROI, under every measure, on the test stimuli.

    The score is that of the layer that is best on other stimuli. Seeds are paired: a guided network and its
    controls of one seed begin with the same weights and see the same images in the same order.

    Parameters
    ----------
    results : by measure and network, of `scores.score_network` or alike
    guided : by name of the guided network `controls` (names by kind), `rois` and `subjects` it was trained
        with (None: all), `chosen_apart` (layers are chosen on stimuli that it was not trained with),
        `objective`, `loss`, `weight`
    attainable : by measure what a perfect model attains, by subject (or group) and ROI
    settings : confidence and seed

    Returns
    -------
    table with the columns `formats.columns.guided.GUIDED`
    """
    rows = []
    for name, card in guided.items():
        kinds = {GUIDED_NETWORK: name} | card["controls"]
        about = {"dataset": dataset, "model": name} | {
            key: card[key] for key in ("objective", "loss", "weight")
        }
        for measure, networks in results.items():
            own = {kind: networks_of_card(networks, network) for kind, network in kinds.items()}
            for part in _parts(own, card["subjects"], settings):
                rows += _rows(part, about | {"measure": measure}, card, attainable.get(measure, {}), settings)
    return pd.DataFrame(rows, columns=list(GUIDED.columns))


def networks_of_card(networks: Results, card: str) -> list[xarray.Dataset]:
    """Results of the seeds of a card, in their order."""
    return by_card(networks)[card]


@dataclass(frozen=True)
class Part:
    """Held-out scores of a guided network and of its controls, of some people.

    Attributes
    ----------
    scores : by kind Replicated of (rois,), of several seeds their mean
    rois : labels
    seeds : number of seeds
    people, subjects : what the network has seen of them, and their names
    everyone : number of all people of these ROIs
    stimuli : number of test stimuli
    note : about whom it is
    """

    scores: dict[str, Replicated]
    rois: list[str]
    seeds: int
    people: str
    subjects: list[str]
    everyone: int
    stimuli: int
    note: str


def _parts(
    own: dict[str, list[xarray.Dataset]], trained: list[str] | None, settings: Settings
) -> Iterator[Part]:
    """The scores of ROIs that have the same people, of each group of these."""
    split = {kind: [parts_of(result) for result in seeds] for kind, seeds in own.items()}
    for k, first in enumerate(split[GUIDED_NETWORK][0]):
        subjects = [str(name) for name in first["subject"].to_numpy()]
        effect = first.attrs.get("subject_effect")
        # what is said of units of the design; people are told of by their group
        units = first.attrs.get("caveat", "").removeprefix(few_people(effect, len(subjects)))
        for people, names in people_of(subjects, trained).items():
            some = None if len(names) == len(subjects) else names
            scores = {
                kind: [_heldout(parts[k], some, settings.seed) for parts in seeds]
                for kind, seeds in split.items()
            }
            # one seed is left out of all networks at once: they are the same draws
            means, _ = over_seeds(scores, dict.fromkeys(own.keys() - {GUIDED_NETWORK}, GUIDED_NETWORK))
            note = few_people(effect, len(names))
            if taken_as_fixed(effect, len(names)) and len(names) == 1 < len(subjects):
                note = f"about {names[0]} alone"
            note = ", ".join(filter(None, (note, units.removeprefix(", "))))
            rois = [str(roi) for roi in first["roi"].to_numpy()]
            stimuli = int(np.ravel(first["n_stimuli"])[0])
            seeds = len(own[GUIDED_NETWORK])
            yield Part(means, rois, seeds, people, names, len(subjects), stimuli, note)


def _heldout(result: xarray.Dataset, people: list[str] | None, seed: int) -> Replicated:
    """Scores (rois,) of the layers that are best on other stimuli, of all people or of some."""
    part = result if people is None else of_people(result, people)
    index = [str(name) for name in result["candidate"].to_numpy()].index("all")
    scores = group_scores(part.sel(split=PRIMARY), seed, "heldout")
    return scores.apply(lambda values: values[..., index])


def _rows(part: Part, about: dict, card: dict, attainable: dict, settings: Settings) -> list[dict]:
    """Rows of one group of people under one measure."""
    rows = []
    few = "" if part.seeds >= FEWEST_SEEDS else f"{part.seeds} seeds, of at least {FEWEST_SEEDS}"
    if part.seeds == 1:
        few = "one seed: the interval is about these weights alone"
    for r, roi in enumerate(part.rois):
        scores = {kind: each.apply(lambda values, r=r: values[..., r]) for kind, each in part.scores.items()}
        bound = _bound(attainable, part, roi)
        place = about | {"roi": roi, "guided_roi": roi in card["rois"], "people": part.people}
        place |= {"subjects": len(part.subjects), "seeds": part.seeds, "n_stimuli": part.stimuli}
        note = "; ".join(filter(None, (few, part.note, *_seen(card, about["measure"]))))
        for network, over, gain in gains_of(scores, settings.confidence):
            said = note if np.isfinite(gain.value) else "no held-out score"
            rows.append(place | _cells(network, over, gain, bound) | {"note": said})
    return rows


def _seen(card: dict, measure: str) -> list[str]:
    """What was made of stimuli that the network was trained with."""
    if card["subjects"] == []:
        return []
    return [CHOSEN] * (not card["chosen_apart"]) + [FITTED] * (measure == "encoding")


def _cells(network: str, over: str, gain: Gain, bound: float) -> dict:
    cells = {"network": network, "over": over, "value": gain.value, "se": gain.se}
    cells |= {"ci_low": gain.low, "ci_high": gain.high, "p": gain.p}
    return cells | {"share": gain.value / bound if bound > 0 else np.nan}


def _bound(attainable: dict[tuple[str, str], float], part: Part, roi: str) -> float:
    """What a perfect model attains in these people: of some of them the mean of their own bounds."""
    if len(part.subjects) == part.everyone and ("group", roi) in attainable:
        return attainable["group", roi]
    return float(np.mean([attainable.get((subject, roi), np.nan) for subject in part.subjects]))


def attainable_of(
    ceilings: pd.DataFrame, encoded: dict[str, xarray.Dataset]
) -> dict[str, dict[tuple[str, str], float]]:
    """What a perfect model attains in RSA and in encoding, by subject (or group) and ROI, as far as known.

    Parameters
    ----------
    ceilings : with the columns `formats.columns.ceilings.CEILINGS`
    encoded : results of encoding models by network; the ceiling is the same for all
    """
    found = {"rsa": {}}
    for row in ceilings[ceilings["split"] == PRIMARY].itertuples():
        # of several kinds the first, as everywhere
        found["rsa"].setdefault((row.subject, row.roi), row.attainable)
    for result in list(encoded.values())[:1]:
        bound = result["ceiling"]
        found["encoding"] = {
            (str(subject), str(roi)): float(bound.sel(subject=subject, roi=roi))
            for subject in bound["subject"].to_numpy()
            for roi in bound["roi"].to_numpy()
        }
    return found


def tasks_table(
    learning: pd.DataFrame, robustness: pd.DataFrame, guided: dict[str, dict], dataset: str, confidence: float
) -> pd.DataFrame:
    """What the networks do on held-out images of their corpus, as rows of `GUIDED`: seeds are the sample.

    Parameters
    ----------
    learning : of the columns `formats.columns.learning.LEARNING`
    robustness : of the columns `formats.columns.robustness.ROBUSTNESS`
    guided : see `gains_table`
    """
    # their number is not in that table
    found = learning.assign(images=np.nan)[["model", "seed", "metric", "value", "images"]]
    if len(robustness):
        # strength 0 are images as they are
        corrupted = robustness[robustness["strength"] > 0]
        mean = corrupted.groupby(["model", "seed", "corruption"], sort=False, as_index=False).agg(
            value=("accuracy", "mean"), images=("images", "max")
        )
        mean["metric"] = "accuracy under " + mean["corruption"]
        found = pd.concat([found, mean[found.columns]])
    rows = []
    for name, card in guided.items():
        kinds = {GUIDED_NETWORK: name} | card["controls"]
        about = {"dataset": dataset, "model": name, "roi": "", "guided_roi": False, "people": ""}
        about |= {key: card[key] for key in ("objective", "loss", "weight")} | {"subjects": 0}
        for metric, own in found[found["model"].isin(kinds.values())].groupby("metric", sort=False):
            values = {
                kind: own[own["model"] == network].sort_values("seed")["value"].to_numpy()
                for kind, network in kinds.items()
            }
            place = about | {"measure": metric, "seeds": len(values[GUIDED_NETWORK])}
            place |= {"n_stimuli": own["images"].max()}
            for network, over, gain in paired_gains(values, confidence):
                rows.append(place | _cells(network, over, gain, np.nan) | {"note": "over seeds alone"})
    return pd.DataFrame(rows, columns=list(GUIDED.columns))
