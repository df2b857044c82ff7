"""From a value with its errors to a verdict, and from the parts of a claim to the claim."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cortexrsa.inference.claims.values import Value
from cortexrsa.inference.holm import holm

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


def direction(low: float, high: float, bound: float = 0.0, above: bool = True) -> tuple[str, str]:
    """Verdict and reason of a claim that a statistic lies above a bound, or below it."""
    barely, said = _barely(low, high, [bound]), f"{bound:.3f}" if bound else "0"
    if low > bound:
        return "supported" if above else "contradicted", f"the interval lies above {said}{barely}"
    if high < bound:
        return "contradicted" if above else "supported", f"the interval lies below {said}{barely}"
    return "inconclusive", f"the interval spans {said}{barely}"


def equivalence(low: float, high: float, bound: float) -> tuple[str, str]:
    """Verdict and reason of a claim that a statistic lies within a bound of 0, to either side."""
    barely = _barely(low, high, [-bound, bound])
    if -bound < low and high < bound:
        return "supported", f"the interval lies inside ±{bound:.3f}{barely}"
    if low > bound or high < -bound:
        return "contradicted", f"the interval lies outside ±{bound:.3f}{barely}"
    if (high - low) / 2 > bound:
        return (
            "inconclusive",
            f"too imprecise: half the interval, {(high - low) / 2:.3f}, exceeds {bound:.3f}",
        )
    return "inconclusive", f"the interval spans ±{bound:.3f}{barely}"


@dataclass(frozen=True)
class Bound:
    """What a statistic is compared with, and the limits of its interval."""

    value: float
    low: float
    high: float

    def with_error(self, value: float) -> float:
        """The bound that an interval of the statistic alone must reach.

        The limits of a difference of two independent estimates follow from those of each (MOVER, Zou &
        Donner 2008, doi:10.1002/sim.3095): at distance d, half an interval w of the statistic and an error e
        of the bound on that side leave a difference if w^2 + e^2 < d^2.
        """
        distance = self.value - value
        error = self.value - self.low if distance > 0 else self.high - self.value
        return float(value + np.sign(distance) * np.sqrt(max(distance**2 - error**2, 0.0)))


def judged(found: Value, confidence: float, bound: float, sense: str) -> dict:
    """Estimate, interval, p, verdict and reason of a statistic.

    Parameters
    ----------
    bound : that the statistic is compared with
    sense : greater, less, or equivalent (within the bound of 0, to either side)

    Returns
    -------
    columns of the table, and of the part: p_for and p_against, two-sided p that support and contradict the
        claim (1 where the estimate is on the other side)
    """
    low, high = found.limits(confidence)
    row = {"estimate": found.value, "ci_low": low, "ci_high": high}
    if sense == "equivalent":
        verdict, reason = equivalence(low, high, bound)
        p = found.equivalence_p(bound)
        sides = {"p_for": min(1.0, 2 * p), "p_against": min(1.0, 2 * found.beyond_p(bound))}
    else:
        verdict, reason = direction(low, high, bound, sense == "greater")
        p = found.p_value(bound)
        right = (found.value > bound) == (sense == "greater")
        sides = {"p_for": p if right else 1.0, "p_against": 1.0 if right else p}
    return row | {"p": p, "verdict": verdict, "reason": reason + found.note} | sides


def agreeing(rows: list[dict]) -> list[dict]:
    """The same statistic by several measures: does each tell it from 0, on the side of the first?

    Parameters
    ----------
    rows : of the measures, as of `judged` with the sense greater than 0

    Returns
    -------
    rows with the verdict on the agreement. The first measure supports it on either side of 0, the others on
    its side alone. Two that are told from 0 on different sides contradict it, at the larger p of the two.
    """
    first, *others = rows
    told = first["verdict"] in ("supported", "contradicted")
    found = [first | {"verdict": "supported", "p_for": first["p"], "p_against": 1.0} if told else first]
    for row in others:
        if "untestable" in (first["verdict"], row["verdict"]):
            reason = row["reason"] if row["verdict"] == "untestable" else f"{first['measure']} is untestable"
            found.append(row | {"verdict": "untestable", "reason": reason})
            continue
        same = row["estimate"] * first["estimate"] > 0
        sides = {"p_for": row["p"] if same else 1.0, "p_against": 1.0 if same else max(row["p"], first["p"])}
        if not told or row["verdict"] == "inconclusive":
            reason = row["reason"] if told else f"{row['reason']}; {first['measure']}: {first['reason']}"
            found.append(row | sides | {"verdict": "inconclusive", "reason": reason})
        else:
            reason = row["reason"] + f", {'as' if same else 'against'} that of {first['measure']}"
            found.append(row | sides | {"verdict": "supported" if same else "contradicted", "reason": reason})
    return found


def holm_over_parts(parts: list[dict], confidence: float) -> None:
    """Take back, in place, the verdicts that Holm's correction over all tested parts does not leave."""
    tested = [part for part in parts if np.isfinite(part["p"])]
    for part, adjusted in zip(tested, holm([part["p"] for part in tested]), strict=True):
        part["p"] = adjusted
        if part["verdict"] != "inconclusive" and adjusted >= 1 - confidence:
            part["verdict"] = "inconclusive"
        part["reason"] += f"; Holm-adjusted p {adjusted:.3g}"


def overall(parts: list[dict], confidence: float, corrected: bool) -> tuple[str, str]:
    """Verdict of a claim whose parts must all hold; without one of them the claim itself is not tested.

    Parameters
    ----------
    parts : rows, as of `judged`
    corrected : whether a part contradicts the claim only if its p, Holm-adjusted over the parts, is small
    """
    untestable, contradicted, inconclusive = (
        [part for part in parts if part["verdict"] == verdict]
        for verdict in ("untestable", "contradicted", "inconclusive")
    )
    if untestable:
        return "untestable", _because(untestable)
    if contradicted and corrected:
        adjusted = holm([part["p_against"] for part in parts])
        against = [part for part, p in zip(parts, adjusted, strict=True) if p < 1 - confidence]
        if against:
            return "contradicted", _because(against)
        smallest = f"Holm-adjusted p {adjusted.min():.3g} over {len(parts)} parts"
        return "inconclusive", f"{_because(contradicted)}; not contradicted after correction ({smallest})"
    if contradicted:
        return "contradicted", _because(contradicted)
    if inconclusive:
        return "inconclusive", _because(inconclusive)
    return "supported", "all parts are supported"


def _because(parts: list[dict]) -> str:
    where = "; ".join(dict.fromkeys(_place(part) for part in parts))
    return f"{where}: {parts[0]['reason']}" if where else parts[0]["reason"]


def _place(part: dict) -> str:
    return " in ".join(filter(None, (part["models"], part["roi"])))
