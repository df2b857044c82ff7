"""All claims of a study: one row for each part of a claim, and one for the claim as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd

from cortexrsa.claim_names import Unplayed, words
from cortexrsa.formats.columns import claims as tables
from cortexrsa.inference.ceilings.primary import signal_of
from cortexrsa.inference.claims.guided import Asked, asked_of, lacking_controls
from cortexrsa.inference.claims.study import Study
from cortexrsa.inference.claims.terms import Scope, label_of, measures_of, networks_of, place_of, terms
from cortexrsa.inference.claims.values import NoValue, Terms, value_of
from cortexrsa.inference.claims.verdicts import (
    BARELY,
    Bound,
    agreeing,
    apart,
    holm_over_parts,
    judged,
    overall,
)
from cortexrsa.inference.families import false_discovery_q
from cortexrsa.inference.holm import holm
from cortexrsa.inference.names import PRIMARY
from cortexrsa.inference.settings import MEAN_RDM

SENSES = ("greater", "less", "equivalent", "at_least", "at_most")


@dataclass(frozen=True)
class Part:
    """One thing that a claim says: a statistic, of whom, and what is expected of it.

    Attributes
    ----------
    statistic : see docs/claims.md
    scope : of its networks and ROI
    expect : sense (of `SENSES`) and number, with `of` where the bound is another statistic's
    label : of the statistic, in words
    obstacle : why there is nothing to evaluate, or None
    """

    statistic: dict
    scope: Scope
    expect: dict
    label: str
    obstacle: str | None = None


# ---- from a claim to its parts ---------------------------------------------------------------------------


def _scopes(scope: Scope, each: dict) -> Iterator[tuple[Scope, str | None]]:
    """The scope of every part that `each` makes, with the reason where it makes none."""
    found = [(scope, None)]
    for key, kind in (("network", "network"), ("pair", "network"), ("roi", "roi")):
        if key not in each:
            continue
        try:
            names = scope.cast.played(each[key], "roi") if kind == "roi" else scope.cast.members(each[key])
        except Unplayed as reason:
            found = [(one, obstacle or str(reason)) for one, obstacle in found]
            continue
        if key == "pair":
            if len(names) < 2:
                said = f"{_role_in(each[key])}networks"
                reason = f"needs two {said}, found {len(names)}"
                found = [(replace(one, network={"mean": names}), reason) for one, _ in found]
                continue
            made = [{"pair": pair} for pair in combinations(names, 2)]
        else:
            made = [{key: name} for name in names]
        found = [(replace(one, **said), obstacle) for one, obstacle in found for said in made]
    yield from found


def _role_in(chosen: object) -> str:
    return f"{words(chosen['role'])} " if isinstance(chosen, dict) and "role" in chosen else ""


def _tests_of(claim: dict) -> list[dict]:
    """The tests of a claim; a claim of one test has it in its own keys."""
    if "tests" in claim:
        return claim["tests"]
    return [{key: claim[key] for key in ("statistic", "expect", "label") if key in claim}]


def _parts(test: dict, scope: Scope, obstacle: str | None) -> Iterator[Part]:
    """The parts of a test: one for each of `each`, and for each pair of neighbours of an order."""
    for inner, own in _scopes(scope, test.get("each", {})):
        statistic, expect = test["statistic"], test["expect"]
        reason = obstacle or own
        label = test.get("label") or label_of(statistic)
        if not isinstance(expect, dict):
            expect = {expect: 0.0}
        if "ordered" not in expect:
            yield Part(statistic, inner, expect, label, reason)
            continue
        ((key, order),) = expect["ordered"].items()
        for lower, higher in zip(order, order[1:], strict=False):
            step = {"difference": [statistic | {key: higher}, statistic | {key: lower}]}
            yield Part(step, inner, {"greater": 0.0}, test.get("label") or label_of(step), reason)


# ---- what can be tested ----------------------------------------------------------------------------------


def _obstacle(study: Study, of: Terms, bounded: bool) -> str | None:
    """Why the terms of a part cannot be evaluated, or None; `bounded` by the noise ceiling."""
    readings = [reading for _, reading in of]
    for reading in readings:
        models = study.scores_of(reading.measure, reading.split)
        if not models:
            return f"the study has no scores of the measure {reading.measure} in the {reading.split} split"
        if bounded and not study.ceilings_of(reading.measure):
            return f"the noise ceiling is that of RSA, not of {reading.measure}"
        for network in filter(None, (reading.network, reading.other)):
            if network not in models:
                return f"{network} is not in this study"
            if network in study.unlearned:
                return f"{network} did not learn ({study.unlearned[network]})"
    for roi in _rois(of):
        if roi not in study.rois:
            return f"ROI {roi} is not in this data set, or of other subjects"
        measured = dict.fromkeys(reading.measure for reading in readings)
        if bounded and any(study.ceilings_of(each)[roi]["kind"] == "unknown" for each in measured):
            return f"no noise ceiling in {roi}, so no bound"
        # whether a ROI has a signal at all is asked of its RDMs, whatever the measure
        if study.ceilings[roi]["kind"] != "unknown" and not signal_of(study.ceilings[roi])[2] > 0:
            return _no_signal(study, roi)
    return None


def _few_seeds(study: Study, of: Terms, needed: int) -> str | None:
    """Which network of the terms has fewer random seeds than a claim needs, or None."""
    for network in dict.fromkeys(reading.network for _, reading in of):
        found = len(study.seeds.get(network, [network]))
        if found < needed:
            return f"{network} has {found} random seed{'s' * (found > 1)}, of at least {needed}"
    return None


def _rois(of: Terms) -> list[str]:
    return list(dict.fromkeys(roi for _, reading in of for roi in (*reading.rois, *reading.other_rois)))


def _no_signal(study: Study, roi: str) -> str:
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
        if ceiling["kind"] in ("subjects", MEAN_RDM):
            text += "these people as they are, while the ceiling's interval generalises to other people too"
        else:
            text += (
                "this measurement as it is, while the ceiling asks whether another one would agree with it"
            )
    return text


# ---- rows ------------------------------------------------------------------------------------------------


def _row(part: Part) -> dict:
    """The row of a part before it is evaluated."""
    return {
        "models": ", ".join(networks_of(part.statistic, part.scope)),
        "roi": place_of(part.statistic, part.scope),
        "statistic": part.label,
        "measure": measures_of(part.statistic, part.scope),
        "estimate": np.nan,
        "ci_low": np.nan,
        "ci_high": np.nan,
        "p": np.nan,
        "p_for": 1.0,
        "p_against": 1.0,
        "verdict": "untestable",
        "reason": "",
    }


def _evaluated(studies: Sequence[Study], part: Part) -> dict:
    """The row of a part with its value, verdict and reason, from the study that has its ROIs."""
    row = _row(part)
    if part.obstacle:
        return row | {"reason": part.obstacle}
    sense = next(key for key in SENSES if key in part.expect)
    bounded = sense not in ("greater", "less")
    try:
        of = terms(part.statistic, part.scope)
        against = terms(part.expect["of"], part.scope) if "of" in part.expect else []
        rois = set(_rois(of + against))
        study = next((one for one in studies if rois <= set(one.rois)), studies[0])
        obstacle = _obstacle(study, of + against, bounded and not against) or _same(of)
        obstacle = obstacle or _few_seeds(study, of + against, part.scope.seeds)
        if obstacle:
            raise NoValue(obstacle)
        if against:
            return row | _relative(study, of, against, sense, part.expect[sense])
        bound = part.expect[sense]
        if bounded:
            return row | _against_ceiling(study, of, bound, sense)
        return row | judged(value_of(study, of, bound), study.confidence, bound, sense)
    except (Unplayed, NoValue) as reason:
        return row | {"reason": str(reason)}


def _rows(studies: Sequence[Study], part: Part) -> list[dict]:
    """The row of a part; of one that several measures share, a row for each of them."""
    if "same_sign" not in part.expect:
        return [_evaluated(studies, part)]
    own = [
        replace(part, scope=replace(part.scope, measure=measure), expect={"greater": 0.0})
        for measure in part.expect["same_sign"]["measure"]
    ]
    return agreeing([_evaluated(studies, each) for each in own])


def _same(of: Terms) -> str | None:
    """Why a difference is of nothing, or None."""
    readings = [reading for _, reading in of]
    if len(readings) > 1 and len(set(readings)) == 1:
        (roi,) = readings[0].rois
        return f"needs two ROIs, or two networks: both are {readings[0].network} in {roi}"
    return None


def _against_ceiling(study: Study, of: Terms, share: float, sense: str) -> dict:
    """Row of a statistic that is compared with a share of what a perfect model attains, whose error counts.

    Of several ROIs it is the one in which the bound is the stricter; that of a squared distance is squared.
    """
    ceilings = study.ceilings_of(of[0][1].measure)
    choose = max if sense == "at_least" else min
    roi = choose(_rois(of), key=lambda roi: ceilings[roi]["attainable"])
    names = "attainable", "attainable_ci_low", "attainable_ci_high"
    limits = [ceilings[roi][name] for name in names]
    power = 2 if of[0][1].kind == "squared distance" else 1
    bound = Bound(*(np.sign(limit) * abs(share * limit) ** power for limit in limits))
    sense = {"at_least": "greater", "at_most": "less"}.get(sense, sense)
    found = value_of(study, of, bound.value)
    stricter = bound.with_error(abs(found.value) if sense == "equivalent" else found.value)
    if of[0][1].kind == "largest difference":
        found = value_of(study, of, stricter)
    row = judged(found, study.confidence, stricter, sense)
    said = f"{share:g} of the attainable {limits[0]:.3f} [{limits[1]:.3f}, {limits[2]:.3f}] in {roi}"
    return row | {"reason": f"{row['reason']}; the bound is {said}, with its error"}


def _relative(study: Study, of: Terms, against: Terms, sense: str, share: float) -> dict:
    """Row of a statistic that is compared with a share of another one, whose error counts too."""
    value, reference = value_of(study, of), value_of(study, against)
    low, high = value.limits(study.confidence)
    row = {"estimate": value.value, "ci_low": low, "ci_high": high}
    said = f"{share:g} x {reference.value:.3f}"

    def less(sign: float, factor: float):
        """The value of sign x statistic + factor x reference."""
        own, other = (
            [(scale * weight, one) for weight, one in terms]
            for scale, terms in ((sign, of), (factor, against))
        )
        return value_of(study, own + other)

    if sense != "equivalent":
        more = judged(less(1, -share), study.confidence, 0.0, "greater" if sense == "at_least" else "less")
        return more | row | {"reason": f"of the difference from {said}, {more['reason']}"}
    limits = reference.limits(study.confidence)
    if limits[0] <= 0 <= limits[1]:
        reason = f"no assay sensitivity: the statistic to compare with, {reference.value:.3f} "
        return row | {"reason": reason + f"[{limits[0]:.3f}, {limits[1]:.3f}], cannot be told from 0"}
    factor = share * np.sign(reference.value)
    sides = [less(sign, factor) for sign in (-1, 1)]
    ends = [side.limits(study.confidence) for side in sides]
    one_sided = [p / 2 if side.value > 0 else 1 - p / 2 for side in sides for p in (side.p_value(0.0),)]
    row |= {"p": max(one_sided), "p_for": min(1.0, 2 * max(one_sided))}
    row["p_against"] = min((side.p_value(0.0) for side in sides if side.value < 0), default=1.0)
    bound = share * abs(reference.value)
    if all(end[0] > 0 for end in ends):
        return row | {"verdict": "supported", "reason": f"within ±{bound:.3f} ({said}) to either side"}
    if any(end[1] < 0 for end in ends):
        return row | {"verdict": "contradicted", "reason": f"beyond ±{bound:.3f} ({said})"}
    reason = f"cannot be told from ±{bound:.3f} ({said})"
    if (high - low) / 2 > bound:
        reason = f"too imprecise: half the interval is {(high - low) / 2:.3f}, the bound {bound:.3f} ({said})"
    return row | {"verdict": "inconclusive", "reason": reason}


def _claim_rows(studies: Sequence[Study], content: dict, claim: dict) -> list[dict]:
    """The claim as a whole, and its parts."""
    study = studies[0]
    scope = Scope(study.cast, measure=claim["measure"], split=claim["split"], seeds=claim.get("seeds", 1))
    parts, required, lacking = [], [], lacking_controls(study, claim)
    for inner, obstacle in _scopes(scope, claim["each"]):
        obstacle = obstacle or lacking
        needed = _rows_of_tests(studies, claim["requires"], inner, obstacle)
        unmet = [row for row in needed if row["verdict"] != "supported"]
        if unmet and obstacle is None:
            first = unmet[0]
            place = " in ".join(filter(None, (first["models"], first["roi"])))
            obstacle = f"needs first: {first['statistic']} of {place}: {first['reason']}"
        required += [row | {"statistic": f"needs first: {row['statistic']}"} for row in needed]
        parts += _rows_of_tests(studies, _tests_of(claim), inner, obstacle)
    if claim["holm_over_parts"]:
        holm_over_parts(parts, study.confidence)
    corrected = content["contradicted_by"] == "corrected test"
    verdict, reason = overall(parts, study.confidence, corrected)
    whole = _row(Part({"mean": []}, scope, {}, "overall"))
    whole |= {"verdict": verdict, "reason": reason, "p_for": max(part["p_for"] for part in parts)}
    whole["measure"] = ", ".join(dict.fromkeys(part["measure"] for part in parts))
    return [whole, *required, *parts]


def _rows_of_tests(
    studies: Sequence[Study], tests: list[dict], scope: Scope, obstacle: str | None
) -> list[dict]:
    return [row for test in tests for part in _parts(test, scope, obstacle) for row in _rows(studies, part)]


def _of_other_measures(all_asked: Sequence[Asked], content: dict, rows: list[dict]) -> None:
    """Verdicts on the scores of the other measures that a study has, in place.

    They are those of the same claims, corrected over the claims of the file in the same way.
    """
    asked = [one for one in all_asked if not _names_measure(one.claim)]
    names = {one.claim["id"] for one in asked}
    for measure in tables.OTHER_MEASURES:
        if not any(study.scores_of(measure, PRIMARY) for one in asked for study in one.studies):
            continue
        found = [
            {"claim": one.claim["id"]} | row
            for one in asked
            for row in _claim_rows(one.studies, content, one.claim | {"measure": measure})
        ]
        _correct_family(found, content["family"], asked[0].studies[0].confidence)
        own = [row for row in rows if row["claim"] in names]
        for row, other in zip(own, found, strict=True):
            row[f"verdict_{measure}"] = other["verdict"]


def _names_measure(claim: object) -> bool:
    """Whether a claim, or a part of it, says which measure it is about."""
    if isinstance(claim, dict):
        said = claim.get("measure", "rsa") != "rsa"
        return said or any(map(_names_measure, claim.values()))
    return isinstance(claim, list) and any(map(_names_measure, claim))


def _statement(study: Study, statement: str) -> str:
    """The sentence of a claim with the ROIs that play its roles, {late}; {rois} are all of them."""
    named, missing = {}, set()
    for role in study.cast.rois:
        try:
            named[role] = " and ".join(study.cast.members({"role": role}, "roi"))
        except Unplayed:
            missing.add(role)
            named[role] = f"the {words(role)} ROI"
    played = [name for role, name in named.items() if role not in missing]
    text = statement.format_map(named | {"rois": " and ".join(dict.fromkeys(played)) or "any ROI"})
    begins_with_role = any(statement.startswith(f"{{{role}}}") for role in missing)
    return text[0].upper() + text[1:] if begins_with_role else text


def _correct_family(rows: list[dict], family: str, confidence: float) -> None:
    """p over the claims of a file, and the verdicts that the correction does not leave, in place."""
    wholes = [row for row in rows if row["statistic"] == "overall" and row["verdict"] != "untestable"]
    for row in rows:
        row["p_family"] = np.nan
    if family == "none" or not wholes:
        return
    p = np.array([row["p_for"] for row in wholes])
    adjusted = holm(p) if family == "confirmatory" else false_discovery_q(p)
    name = "Holm" if family == "confirmatory" else "the false discovery rate"
    for row, own in zip(wholes, adjusted, strict=True):
        row["p_family"] = own
        if row["verdict"] == "supported" and own >= 1 - confidence:
            row["verdict"] = "inconclusive"
            row["reason"] += f", but not after correction by {name} over {len(wholes)} claims (p {own:.3g})"


def evaluate(
    studies: Sequence[Study], files: dict[str, dict], registered: dict[str, dict[str, str]] | None = None
) -> pd.DataFrame:
    """All claims: one row a part and one "overall" row a claim, with the columns `columns.claims.CLAIMS`.

    Parameters
    ----------
    studies : one for each set of ROIs that have the same subjects; mostly one
    files : claims by the name of their file, checked (`claim_files.load_claims`)
    registered : what is said of the registration of each, by file and claim
    """
    rows = []
    for name, content in files.items():
        asked, found = asked_of(studies, content["claims"]), []
        for one in asked:
            said = {"file": name, "claim": one.claim["id"]}
            said["statement"] = _statement(one.studies[0], one.claim["statement"])
            own = [said | row for row in _claim_rows(one.studies, content, one.claim)]
            own[0]["registered"] = (registered or {}).get(name, {}).get(one.source, "")
            found += own
        _correct_family(found, content["family"], studies[0].confidence)
        _of_other_measures(asked, content, found)
        caveats = {one.claim["id"]: one.studies[0].caveat for one in asked}
        for row in found:
            caveat = caveats[row["claim"]]
            if caveat and row["statistic"] == "overall" and row["verdict"] != "untestable":
                row["reason"] += f"; {caveat}"
        rows += [{"registered": ""} | row for row in found]
    return pd.DataFrame(rows, columns=list(tables.CLAIMS.columns))
