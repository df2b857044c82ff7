"""The two bounds of a noise ceiling, with the outer limits of their intervals."""

from __future__ import annotations

from dataclasses import dataclass

from cortexrsa.inference.errors import Estimate


@dataclass(frozen=True)
class Ceiling:
    """What the best possible model could score: two bounds, ci_low of the lower, ci_high of the upper."""

    lower: float
    upper: float
    ci_low: float
    ci_high: float


def ceiling(lower: Estimate, upper: Estimate, confidence: float) -> Ceiling:
    """Ceiling of two estimated bounds."""
    _, low, _ = lower.interval(confidence)
    _, _, high = upper.interval(confidence)
    return Ceiling(float(lower.value), float(upper.value), float(low), float(high))
