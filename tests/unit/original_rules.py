"""The claims of the original study as they were programmed once, to compare original_study_v1.yaml with.

The code is that of the version before claims were files, but for where it finds roles.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from cortexrsa.inference import profiles
from cortexrsa.inference.ceilings.primary import signal_of
from cortexrsa.inference.centroids import Centroid
from cortexrsa.inference.claims.study import Study
from cortexrsa.inference.errors import UNDEFINED, Estimate, Replicated
from cortexrsa.inference.profile_errors import largest_difference, profile_correlations

STATEMENTS = {
    "H1": "{early} matches early, {late} later layers of task-optimised networks",
    "H2": "{late} matches middle layers rather than the last",
    "H3": "The depth of the network does not change the trend",
    "H4": "The VAE is less similar to {both}",
    "H5": "There is no trend across the layers of the VAE",
    "H6": "The self-supervised network (SimCLR) mirrors the task-optimised ones",
}
TASK = "task-optimised"
COLUMNS = [
    "claim",
    "statement",
    "models",
    "roi",
    "statistic",
    "estimate",
    "ci_low",
    "ci_high",
    "p",
    "verdict",
]
COLUMNS += ["reason"]


@dataclass
class FormerStudy:
    """A study with the roles of the original one."""

    models: dict
    rois: list
    ceilings: dict
    roles: dict
    early: str | None
    late: str | None
    equivalence: float
    confidence: float
    unlearned: dict
    smallest_p: dict
    seed: int

    @property
    def both(self) -> list[str]:
        return list(dict.fromkeys(filter(None, (self.early, self.late))))


def of_study(study: Study) -> FormerStudy:
    """A study as the former code knew it."""
    roles = {"task_optimised": None, "generative": None, "self_supervised": None, "untrained": None}
    return FormerStudy(
        *(study.models, study.rois, study.ceilings, roles | study.cast.networks),
        *(study.cast.rois.get("early"), study.cast.rois.get("late"), 0.2, study.confidence),
        *(study.unlearned, study.smallest_p, study.seed),
    )


# ---- verdicts --------------------------------------------------------------------------------------------


# an end of the interval nearer to the bound than this share of the interval's width is said to be near
BARELY = 0.05


def apart(value: float, bound: float, decimals: int = 3) -> str:
    """A number with at least `decimals`, and as many as tell it from the bound."""
    while decimals < 12 and value != bound and round(value, decimals) == round(bound, decimals):
        decimals += 1
    return f"{value:.{decimals}f}"


def _barely(low: float, high: float, bounds: Iterable[float]) -> str:
    """Words for an interval of which an end all but touches one of the bounds; nothing otherwise."""
    pairs = [(end, bound) for end in (low, high) for bound in bounds]
    end, bound = min(pairs, key=lambda pair: abs(pair[0] - pair[1]))
    if abs(end - bound) >= BARELY * (high - low):
        return ""
    return f", barely: it {'begins' if end == low else 'ends'} at {apart(end, bound)}"


def _direction(low: float, high: float) -> tuple[str, str]:
    barely = _barely(low, high, [0])
    if low > 0:
        return "supported", f"the interval lies above 0{barely}"
    if high < 0:
        return "contradicted", f"the interval lies below 0{barely}"
    return "inconclusive", f"the interval spans 0{barely}"


def _equivalence(low: float, high: float, bound: float) -> tuple[str, str]:
    barely = _barely(low, high, [-bound, bound])
    if -bound < low and high < bound:
        return "supported", f"the interval lies inside ±{bound:.3f}{barely}"
    if low > bound or high < -bound:
        return "contradicted", f"the interval lies outside ±{bound:.3f}{barely}"
    return "inconclusive", f"the interval spans ±{bound:.3f}{barely}"


def _overall(parts: list[dict]) -> tuple[str, str]:
    """Verdict of a claim whose parts must all hold; without one of them the claim itself is not tested."""
    for verdict in ("untestable", "contradicted", "inconclusive"):
        hit = [part for part in parts if part["verdict"] == verdict]
        if hit:
            where = "; ".join(dict.fromkeys(_place(part) for part in hit))
            return verdict, f"{where}: {hit[0]['reason']}" if where else hit[0]["reason"]
    return "supported", "all parts are supported"


def _place(part: dict) -> str:
    return " in ".join(filter(None, (part["models"], part["roi"])))


def holm(p: Iterable[float]) -> np.ndarray:
    """Holm's (1979) adjusted p-values."""
    p = np.asarray(list(p), float)
    order = np.argsort(p)
    steps = (len(p) - np.arange(len(p))) * p[order]
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted


class CentroidDifference:
    """Difference of two depth centroids, with limits recovered from those of either (MOVER).

    Where an interval reaches an end of the depths, nothing is known beyond it, and the limits are those of
    the two intervals subtracted.

    References
    ----------
    Zou & Donner 2008, doi:10.1002/sim.3095 (with correlated estimates: Zou 2007)
    """

    def __init__(self, late: Centroid, early: Centroid):
        self.late, self.early = late, early
        self.estimate = late.estimate - early.estimate
        self.correlation = self._correlation() if np.isfinite(self.estimate) else np.nan

    def _correlation(self) -> float:
        """Of the two estimates, by their linearisation: torque over the sum of the weights."""
        linear = []
        for each in (self.late, self.early):
            moments, at = each.moments(), each.estimate
            weight = moments.estimate[1]
            linear.append(moments.apply(lambda m, at=at, w=weight: (m[..., 0] - at * m[..., 1]) / w))
        difference = linear[0].apply(np.subtract, linear[1])
        first, second, both = (each.evaluated().variance for each in (*linear, difference))
        if not first * second > 0:
            return 0.0
        return float(np.clip((first + second - both) / (2 * np.sqrt(first * second)), -1, 1))

    def interval(self, confidence: float) -> tuple[float, float]:
        (late_low, late_high), (early_low, early_high) = (
            each.interval(confidence) for each in (self.late, self.early)
        )
        late, early = self.late.grid, self.early.grid
        room = late_low - late[0], early_low - early[0], late[-1] - late_high, early[-1] - early_high
        if min(room) <= 0:
            return late_low - early_high, late_high - early_low
        below, above = self.late.estimate - late_low, late_high - self.late.estimate
        early_below, early_above = self.early.estimate - early_low, early_high - self.early.estimate
        shared = 2 * self.correlation
        down = below**2 + early_above**2 - shared * below * early_above
        up = above**2 + early_below**2 - shared * above * early_below
        return self.estimate - np.sqrt(max(down, 0)), self.estimate + np.sqrt(max(up, 0))

    def p_value(self) -> float:
        """Two-sided: the smallest level at which the interval excludes 0, by bisection."""
        if not np.isfinite(self.interval(0.5)).all():
            return np.nan
        excluded, included = 0.0, 1.0  # confidence
        for _ in range(40):
            confidence = (excluded + included) / 2
            low, high = self.interval(confidence)
            if low > 0 or high < 0:
                excluded = confidence
            else:
                included = confidence
        return 1 - excluded


# ---- what can be tested ----------------------------------------------------------------------------------


def _obstacle(
    study: FormerStudy, models: dict[str, str | None], rois: list[str], bound: bool = False
) -> str | None:
    """Why a part cannot be tested, or None.

    Parameters
    ----------
    models : name of the network by role
    rois : labels
    bound : whether an equivalence bound is needed
    """
    for role, model in models.items():
        if model is None:
            return f"the study has no {role} network"
        if model not in study.models:
            return f"{model} is not in this study"
        if model in study.unlearned:
            return f"{model} did not learn ({study.unlearned[model]})"
    if not rois or None in rois:
        which = "late" if study.early else "early" if study.late else "early and no late"
        return f"the study has no {which} ROI (claims.rois)"
    for roi in rois:
        if roi not in study.rois:
            return f"ROI {roi} is not in this data set, or of other subjects"
        ceiling = study.ceilings[roi]
        if ceiling["kind"] == "unknown":
            if bound:
                return f"no noise ceiling in {roi}, so no equivalence bound"
        elif not signal_of(ceiling)[2] > 0:
            return _no_signal(study, roi)
    return None


def _no_signal(study: FormerStudy, roi: str) -> str:
    """Why a ROI's signal is not reliable, and how a significant score in it goes with that."""
    ceiling = study.ceilings[roi]
    name, value, low = signal_of(ceiling)
    said = "noise ceiling's lower bound" if name == "lower" else "reliability of the RDM"
    text = f"no reliable signal in {roi}: {said} {value:.3f}, "
    text += f"interval from {apart(low, 0)}{', barely below 0' * (low > -BARELY * value)}"
    smallest = study.smallest_p.get(roi, np.nan)
    if smallest < 1 - study.confidence:
        text += (
            f". A layer does score above 0 there (smallest p_fwe {smallest:.2g}): the permutation test takes "
        )
        if ceiling["kind"] == "subjects":
            text += "these people as they are, while the ceiling's interval generalises to other people too"
        else:
            text += (
                "this measurement as it is, while the ceiling asks whether another one would agree with it"
            )
    return text


def _part(models: list, roi: str | None, statistic: str, **values) -> dict:
    row = {
        "models": ", ".join(filter(None, models)),
        "roi": roi or "",
        "statistic": statistic,
        "estimate": np.nan,
        "ci_low": np.nan,
        "ci_high": np.nan,
        "p": np.nan,
        "verdict": "untestable",
        "reason": "",
    }
    return row | values


def _tested(study: FormerStudy, found: Estimate, bound: float | None = None) -> dict:
    """Estimate, interval, p and verdict of a scalar; of equivalence where a bound is given."""
    _, low, high = (float(x) for x in found.interval(study.confidence))
    if not np.isfinite(low):
        return {"reason": f"the statistic is undefined in over {UNDEFINED:.0%} of the replicates"}
    row = {"estimate": float(found.value), "ci_low": low, "ci_high": high}
    if bound is None:
        verdict, reason = _direction(low, high)
        p = float(found.p_value())
    else:
        verdict, reason = _equivalence(low, high, bound)
        p = float(found.equivalence_p(bound))
    return row | {"p": p, "verdict": verdict, "reason": reason}


def _bound(study: FormerStudy, roi: str) -> float:
    return study.equivalence * study.ceilings[roi]["attainable"]


def _scores(study: FormerStudy, model: str, roi: str) -> Replicated:
    index = study.rois.index(roi)
    return study.models[model].scores.apply(lambda scores: scores[..., index, :])


def _drawn(study: FormerStudy, model: str) -> dict[str, Replicated]:
    """Scores of a network's layers by ROI, in joint draws of all: for the positive part of a score."""
    drawn = study.models[model].scores.drawn(study.seed)
    return {roi: drawn.apply(lambda scores, k=k: scores[..., k, :]) for k, roi in enumerate(study.rois)}


def _heldout(study: FormerStudy, model: str, roi: str, candidate: str) -> Replicated:
    roi_index, index = study.rois.index(roi), study.models[model].candidates.index(candidate)
    return study.models[model].heldout.apply(lambda scores: scores[..., roi_index, index])


# ---- the claims ------------------------------------------------------------------------------------------


def early_and_late(study: FormerStudy) -> list[dict]:
    """H1: depth centroid of the late ROI minus that of the early ROI, in every task-optimised network."""
    parts = []
    for model in study.roles["task_optimised"] or [None]:
        pair = f"{study.late} - {study.early}" if len(study.both) == 2 else ""
        row = _part([model], pair, "difference of depth centroids")
        obstacle = _obstacle(study, {TASK: model}, [study.early, study.late])
        if obstacle is None and study.early == study.late:
            obstacle = f"needs two ROIs: the early and the late one are the same, {study.early}"
        if obstacle:
            parts.append(row | {"reason": obstacle})
            continue
        drawn = _drawn(study, model)
        late, early = (Centroid(drawn[roi], study.models[model].depth) for roi in (study.late, study.early))
        difference = CentroidDifference(late, early)
        low, high = difference.interval(study.confidence)
        if not np.isfinite(low):
            parts.append(row | {"reason": "no layer scores above 0, or a layer has no score"})
            continue
        verdict, reason = _direction(low, high)
        values = {"estimate": difference.estimate, "ci_low": low, "ci_high": high}
        parts.append(row | values | {"p": difference.p_value(), "verdict": verdict, "reason": reason})
    return parts


def middle_over_last(study: FormerStudy) -> list[dict]:
    """H2: best layer of the middle third (chosen on other stimuli) minus the last layer, in the late ROI."""
    parts = []
    for model in study.roles["task_optimised"] or [None]:
        row = _part([model], study.late, "held-out best middle layer - last layer")
        obstacle = _obstacle(study, {TASK: model}, [study.late])
        if obstacle is None and np.isnan(_heldout(study, model, study.late, "middle").estimate):
            obstacle = "the network has no layer in the middle third of its depth"
        if obstacle:
            parts.append(row | {"reason": obstacle})
            continue
        middle, last = (_heldout(study, model, study.late, which) for which in ("middle", "last"))
        parts.append(row | _tested(study, middle.apply(np.subtract, last).evaluated()))
    return parts


def depth_does_not_matter(study: FormerStudy) -> list[dict]:
    """H3: largest difference of two networks' profiles over relative depth, within the equivalence bound."""
    parts = []
    networks = study.roles["task_optimised"] or []
    pairs = list(combinations(networks, 2))
    if not pairs:
        reason = "needs two task-optimised networks"
        return [_part(networks, "", "largest difference of profiles", reason=reason)]
    for pair in pairs:
        for roi in study.both or [None]:
            row = _part(list(pair), roi, "largest difference of profiles")
            obstacle = _obstacle(
                study, dict(zip((TASK, f"second {TASK}"), pair, strict=True)), [roi], bound=True
            )
            if obstacle:
                parts.append(row | {"reason": obstacle})
                continue
            parts.append(row | _largest_difference(study, pair, roi))
    return parts


def _largest_difference(study: FormerStudy, pair: tuple[str, str], roi: str) -> dict:
    first, second = (
        _scores(study, model, roi).apply(
            lambda scores, depth=study.models[model].depth: profiles.on_grid(scores, depth)
        )
        for model in pair
    )
    bound = _bound(study, roi)
    found = largest_difference(first, second, bound, study.confidence, study.seed)
    if found is None:
        return {"reason": "a layer of one of the networks has no score"}
    verdict, reason = _equivalence(found.low, found.high, bound)
    correlation = np.corrcoef(first.estimate, second.estimate)[0, 1]
    return {
        "estimate": found.value,
        "ci_low": found.low,
        "ci_high": found.high,
        "p": found.p,
        "verdict": verdict,
        "reason": f"{reason}; the profiles correlate {correlation:.2f}",
    }


def vae_is_less_similar(study: FormerStudy) -> list[dict]:
    """H4: held-out best layer of each task-optimised network minus that of the VAE, Holm over all parts."""
    parts = []
    vae = study.roles["generative"]
    for model in study.roles["task_optimised"] or [None]:
        for roi in study.both or [None]:
            row = _part([model, vae], roi, "difference of held-out best layers")
            obstacle = _obstacle(study, {TASK: model, "generative": vae}, [roi])
            if obstacle:
                parts.append(row | {"reason": obstacle})
                continue
            best, other = (_heldout(study, name, roi, "all") for name in (model, vae))
            parts.append(row | _tested(study, best.apply(np.subtract, other).evaluated()))
    tested = [part for part in parts if np.isfinite(part["p"])]
    for part, adjusted in zip(tested, holm(part["p"] for part in tested), strict=True):
        part["p"] = adjusted
        if part["verdict"] != "inconclusive" and adjusted >= 1 - study.confidence:
            part["verdict"] = "inconclusive"
        part["reason"] += f"; Holm-adjusted p {adjusted:.3g}"
    return parts


def vae_has_no_trend(study: FormerStudy) -> list[dict]:
    """H5: slope and curvature of the VAE's profile, both within the equivalence bound."""
    parts = []
    vae = study.roles["generative"]
    for roi in study.both or [None]:
        for name, shape in (("slope", profiles.slope), ("curvature", profiles.curvature)):
            row = _part([vae], roi, f"{name} of the profile")
            obstacle = _obstacle(study, {"generative": vae}, [roi], bound=True)
            if obstacle is None and len(study.models[vae].depth) < 3:
                obstacle = "needs at least 3 layers"
            if obstacle:
                parts.append(row | {"reason": obstacle})
                continue
            depth = study.models[vae].depth
            statistic = _scores(study, vae, roi).apply(
                lambda scores, depth=depth, shape=shape: shape(scores, depth)
            )
            parts.append(row | _tested(study, statistic.evaluated(), _bound(study, roi)))
    return parts


def ssl_mirrors_task(study: FormerStudy) -> list[dict]:
    """H6: profile correlation of SimCLR with a task-optimised network, minus the untrained network's."""
    parts = []
    ssl, untrained = study.roles["self_supervised"], study.roles["untrained"]
    # one network, or the same with several random seeds
    controls = untrained if isinstance(untrained, list) and untrained else [untrained or None]
    rois = study.both
    for model in study.roles["task_optimised"] or [None]:
        row = _part(
            [ssl, model, *controls],
            " and ".join(rois),
            "disattenuated profile correlation, minus the untrained network's",
        )
        needed = {TASK: model, "self-supervised": ssl}
        needed |= {f"untrained ({k})" if k else "untrained": name for k, name in enumerate(controls)}
        obstacle = _obstacle(study, needed, rois)
        if obstacle:
            parts.append(row | {"reason": obstacle})
            continue
        networks = [study.models[name] for name in (model, ssl, *controls)]
        indices = [study.rois.index(roi) for roi in rois]
        found, draws, dof = profile_correlations(networks, indices, study.seed)
        trained, baseline = found[0], found[1:].mean()
        if not np.isfinite(trained) or not np.isfinite(baseline):
            reason = "a profile varies over the layers no more than its sampling error"
            parts.append(row | {"reason": reason})
            continue
        variance = np.var(draws[:, 0] - draws[:, 1:].mean(axis=1))
        tested = _tested(study, Estimate(trained - baseline, variance, dof))
        seeds = f" (mean of {len(controls)} seeds)" if len(controls) > 1 else ""
        tested["reason"] += f"; {trained:.2f} against {baseline:.2f} untrained{seeds}"
        parts.append(row | tested)
    return parts


CLAIMS = {
    "H1": early_and_late,
    "H2": middle_over_last,
    "H3": depth_does_not_matter,
    "H4": vae_is_less_similar,
    "H5": vae_has_no_trend,
    "H6": ssl_mirrors_task,
}


def evaluate(study: FormerStudy) -> pd.DataFrame:
    """All claims: one row a part and one "overall" row a claim, with `COLUMNS`."""
    rows = []
    for claim, parts_of in CLAIMS.items():
        parts = parts_of(study)
        verdict, reason = _overall(parts)
        overall = _part([], "", "overall", verdict=verdict, reason=reason)
        statement = STATEMENTS[claim].format(
            early=study.early or "The early ROI",
            late=study.late or ("The late ROI" if claim == "H2" else "the late ROI"),
            both=" and to ".join(study.both) or "the early and to the late ROI",
        )
        rows += [{"claim": claim, "statement": statement} | part for part in (overall, *parts)]
    return pd.DataFrame(rows, columns=COLUMNS)
