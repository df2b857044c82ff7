"""Networks compared with each other, with the noise ceiling and with their untrained controls.

The rules are those of docs/comparisons.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cortexrsa.formats.columns.comparisons import CEILING, COMPARISONS, CONTROL, PAIR, RANKS
from cortexrsa.formats.netcdf import read_dataset
from cortexrsa.inference.contrasts import Differences, differences, ranks
from cortexrsa.inference.errors import Replicated
from cortexrsa.inference.families import false_discovery_q
from cortexrsa.inference.holm import holm
from cortexrsa.inference.names import FITTED, PRIMARY
from cortexrsa.inference.seeds import over_seeds
from cortexrsa.inference.settings import Settings
from cortexrsa.inference.study import group_scores, parts_of
from cortexrsa.inference.tails import student_quantile, student_tail
from cortexrsa.seeds import by_card

ATTAINABLE = "noise ceiling (attainable)"
# what is compared, by the candidates of `scores.score_network`
STATISTICS = {"all": "held-out best layer", FITTED: "held-out weighted layers"}
NUMBERS = ("second_score", "difference", "se", "ci_low", "ci_high", "p", "p_fwe", "q_fdr")


@dataclass
class Part:
    """Networks' held-out scores in the ROIs of one set of subjects.

    Attributes
    ----------
    rois : labels
    statistics : of `STATISTICS`, in the order of the scores' last axis
    scores : by network, Replicated of (rois, statistics); of several seeds their mean
    seeds : scores of the single seeds by network, (seeds, rois, statistics)
    """

    rois: list[str]
    statistics: list[str]
    scores: dict[str, Replicated]
    seeds: dict[str, np.ndarray]

    @classmethod
    def of(
        cls,
        rois: list[str],
        statistics: list[str],
        networks: dict[str, Replicated],
        variants: dict[str, str] | None = None,
    ) -> Part:
        """Of single networks, see `cortexrsa.seeds`: those of one card count as one."""
        groups = by_card(networks)
        seeds = {name: np.stack([each.estimate for each in own]) for name, own in groups.items()}
        return cls(rois, statistics, over_seeds(groups, variants)[0], seeds)


def read_parts(paths: dict[str, str], seed: int, variants: dict[str, str] | None = None) -> list[Part]:
    """Held-out scores of all networks, read one network at a time.

    Parameters
    ----------
    paths : files of `scores.score_network` by network, each seed for itself
    seed : of draws of subjects, shared by all networks
    variants : see `over_seeds`
    """
    # labels of ROIs, of statistics, scores by network
    parts: list[tuple[list[str], list[str], dict[str, Replicated]]] = []
    for name, path in paths.items():
        result = read_dataset(path, ["heldout", "heldout_deviations", "replicates"])
        candidates = [str(candidate) for candidate in result["candidate"].to_numpy()]
        kept = [candidates.index(candidate) for candidate in STATISTICS if candidate in candidates]
        for k, part in enumerate(parts_of(result)):
            if k == len(parts):
                labels = [STATISTICS[candidates[index]] for index in kept]
                parts.append(([str(roi) for roi in part["roi"].to_numpy()], labels, {}))
            heldout = group_scores(part.sel(split=PRIMARY), seed, "heldout")
            parts[k][2][name] = heldout.apply(lambda values, kept=kept: values[..., kept])
    return [Part.of(*part, variants) for part in parts]


def compare_networks(
    parts: list[Part],
    ceilings: dict[str, dict],
    controls: dict[str, str | None],
    dataset: str,
    measure: str,
    settings: Settings,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All comparisons of a data set, and the ranks of its networks.

    Parameters
    ----------
    parts : of `read_parts`
    ceilings : by ROI, see `ceilings.primary.primary_ceilings`
    controls : name of each network's untrained control; None where it has none
    dataset, measure : for the tables
    settings : confidence and seed

    Returns
    -------
    comparisons : with the columns `formats.columns.comparisons.COMPARISONS`; of one network no pairs
    ranks : with the columns `formats.columns.comparisons.RANKS`
    """
    rows, ranked = [], []
    for part in parts:
        for r, roi in enumerate(part.rois):
            for s, statistic in enumerate(part.statistics):
                scores = {
                    name: each.apply(lambda values, r=r, s=s: values[..., r, s])
                    for name, each in part.scores.items()
                }
                one = Comparison.of(scores, settings)
                place = {"dataset": dataset, "roi": roi, "measure": measure, "statistic": statistic}
                found = [one.pairs(), one.against_ceiling(ceilings[roi]), one.against_controls(controls)]
                rows += [table.assign(**place) for table in found if len(table)]
                seeds = {name: each[:, r, s] for name, each in part.seeds.items()}
                ranked.append(one.ranks(seeds).assign(**place))
    # one network alone still has its rows against the ceiling
    joined, order = (pd.concat(tables, ignore_index=True) for tables in (rows, ranked))
    return joined[list(COMPARISONS.columns)], order[list(RANKS.columns)]


@dataclass
class Comparison:
    """Networks compared in one ROI.

    Attributes
    ----------
    names : of all networks, the highest score first, those without a score last
    score : (networks,)
    scores : Replicated of those networks that have a score and an error, which come first
    settings : confidence and seed
    tested : of all pairs of those
    first, second : (pairs,) indices of the pairs
    """

    names: list[str]
    score: np.ndarray
    scores: Replicated
    settings: Settings
    tested: Differences
    first: np.ndarray
    second: np.ndarray

    @classmethod
    def of(cls, scores: dict[str, Replicated], settings: Settings) -> Comparison:
        """Of Replicated scalars by network."""
        sound = {
            name: each
            for name, each in scores.items()
            if np.isfinite(each.estimate) and np.isfinite(each.evaluated().variance)
        }
        order = sorted(sound, key=lambda name: (-float(sound[name].estimate), name))
        names = order + sorted(name for name in scores if name not in sound)
        together = _joined([scores[name] for name in names], len(order))
        first, second = np.triu_indices(len(order), k=1)
        tested = differences(together, first, second, settings.confidence, settings.seed)
        score = np.array([float(scores[name].estimate) for name in names])
        return cls(names, score, together, settings, tested, first, second)

    @property
    def sound(self) -> int:
        """Number of networks that have a score and an error."""
        return len(self.scores.estimate)

    def pairs(self) -> pd.DataFrame:
        """Every pair, the higher score first."""
        first, second = np.triu_indices(len(self.names), k=1)
        values = {name: np.full(len(first), np.nan) for name in NUMBERS}
        known = second < self.sound
        values["second_score"] = self.score[second]
        for name, found in _numbers(self.tested).items():
            values[name][known] = found
        note = np.where(known, "", [self._missing(k) for k in second] if not known.all() else "")
        return self._rows(PAIR, first, np.array(self.names, object)[second], values, note)

    def against_ceiling(self, ceiling: dict) -> pd.DataFrame:
        """Every network against what a perfect model attains.

        The limits of the difference are recovered from those of the score and of the bound (MOVER, Zou &
        Donner 2008, doi:10.1002/sim.3095), as if the two were independent. They rise and fall with the same
        brain data, so the interval is rather too wide.
        """
        values = {name: np.full(len(self.names), np.nan) for name in NUMBERS}
        note = np.array([self._missing(k) for k in range(len(self.names))], object)
        if not np.isfinite(ceiling["attainable"]):
            note[: self.sound] = "no noise ceiling is known here"
        else:
            known = slice(0, self.sound)
            values["second_score"][:] = ceiling["attainable"]
            found = self.scores.evaluated()
            _, low, _ = found.interval(self.settings.confidence)
            quantile = student_quantile(0.5 + self.settings.confidence / 2, found.dof)
            difference = found.value - ceiling["attainable"]
            # the side of the ceiling's interval on which the score lies
            limit = np.where(difference < 0, ceiling["attainable_ci_low"], ceiling["attainable_ci_high"])
            se = np.hypot(found.value - low, limit - ceiling["attainable"]) / quantile
            p = 2 * student_tail(np.abs(difference) / se, found.dof)
            values["difference"][known], values["se"][known] = difference, se
            values["ci_low"][known] = difference - quantile * se
            values["ci_high"][known] = difference + quantile * se
            values["p"][known], values["p_fwe"][known] = p, holm(p)
            values["q_fdr"][known] = false_discovery_q(p)
        return self._rows(CEILING, np.arange(len(self.names)), ATTAINABLE, values, note)

    def against_controls(self, controls: dict[str, str | None]) -> pd.DataFrame:
        """Every network that has an untrained control against it; a family of its own."""
        place = {name: k for k, name in enumerate(self.names)}
        pairs = [(place[name], place[controls[name]]) for name in self.names if controls.get(name)]
        first, second = (np.array([pair[k] for pair in pairs], int) for k in range(2))
        known = (first < self.sound) & (second < self.sound)
        values = {name: np.full(len(first), np.nan) for name in NUMBERS}
        values["second_score"] = self.score[second]
        tested = differences(
            self.scores, first[known], second[known], self.settings.confidence, self.settings.seed
        )
        for name, found in _numbers(tested).items():
            values[name][known] = found
        note = ["" if sound else self._missing(max(pair)) for sound, pair in zip(known, pairs, strict=True)]
        return self._rows(CONTROL, first, np.array(self.names, object)[second], values, note)

    def ranks(self, seeds: dict[str, np.ndarray]) -> pd.DataFrame:
        """One row a network: its score, and its rank with the interval that holds for all at once.

        Parameters
        ----------
        seeds : scores of the single seeds by network
        """
        n = self.sound
        _, low, high = self.scores.evaluated().interval(self.settings.confidence)
        found = ranks(
            self.scores.estimate, self.tested.p_fwe, self.first, self.second, self.settings.confidence
        )
        table = pd.DataFrame({"model": self.names, "score": self.score})
        limits = {"ci_low": low, "ci_high": high}
        limits |= {"rank": found.rank, "rank_low": found.low, "rank_high": found.high}
        for name, values in limits.items():
            table[name] = np.concatenate([np.asarray(values, float), np.full(len(table) - n, np.nan)])
        table["networks"] = n
        table["seeds"] = [len(seeds[name]) for name in self.names]
        several = [seeds[name] if len(seeds[name]) > 1 else [np.nan, np.nan] for name in self.names]
        table["seed_sd"] = [np.std(each, ddof=1) for each in several]
        table["note"] = [self._missing(k) for k in range(len(table))]
        return table

    def _missing(self, k: int) -> str:
        """Why a network is not compared; nothing if it is."""
        if k < self.sound:
            return ""
        if np.isnan(self.score[k]):
            return f"{self.names[k]} has no score here: a layer does not vary, or none can be chosen"
        return f"the score of {self.names[k]} is undefined in too many replicates"

    def _rows(self, kind: str, first: np.ndarray, second, values: dict, note) -> pd.DataFrame:
        table = pd.DataFrame({"first": np.array(self.names, object)[first]})
        return table.assign(kind=kind, second=second, first_score=self.score[first], **values, note=note)


def _numbers(found: Differences) -> dict[str, np.ndarray]:
    return {
        "difference": found.value,
        "se": found.se,
        "ci_low": found.low,
        "ci_high": found.high,
        "p": found.p,
        "p_fwe": found.p_fwe,
        "q_fdr": found.q_fdr,
    }


def _joined(scores: list[Replicated], number: int) -> Replicated:
    """The first `number` of scalars as one array, which may be empty."""
    return scores[0].apply(lambda *values: np.stack(values, axis=-1)[..., :number], *scores[1:])
