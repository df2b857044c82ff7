"""Noise ceilings in figures: bounds of people and what repeats attain look different."""

from __future__ import annotations

import numpy as np

PEOPLE, REPEATS = "noise ceiling (bounds of people)", "noise ceiling (attainable, with interval)"


def label_of(ceiling: dict) -> str | None:
    """Name of a ceiling in a legend; None where nothing is known."""
    if np.isfinite(ceiling["lower"]):
        return PEOPLE
    return REPEATS if np.isfinite(ceiling["attainable"]) else None


def draw_ceiling(axes, ceiling: dict, colour, along: str = "y", alpha: float = 0.18) -> None:
    """Ceiling of one ROI: of people a band from the lower to the upper bound, of repeats a dashed line at the
    attainable value with its interval hatched.

    Parameters
    ----------
    ceiling : of `primary_ceilings`
    along : the axis of the scores, x or y
    """
    span, line = (axes.axvspan, axes.axvline) if along == "x" else (axes.axhspan, axes.axhline)
    label = label_of(ceiling)
    if label == PEOPLE:
        span(ceiling["lower"], ceiling["upper"], color=colour, alpha=alpha, lw=0, zorder=0)
    elif label == REPEATS:
        low, high = ceiling["attainable_ci_low"], ceiling["attainable_ci_high"]
        span(low, high, fc="none", ec=colour, alpha=alpha, hatch="////", lw=0, zorder=0)
        line(ceiling["attainable"], color=colour, ls="--", lw=0.8, zorder=0)


def handle_of(label: str, alpha: float = 0.2):
    """What a legend shows of a ceiling."""
    import matplotlib.pyplot as plt

    if label == PEOPLE:
        return plt.Rectangle((0, 0), 1, 1, color="0.5", alpha=alpha, lw=0, label=label)
    return plt.Line2D([], [], color="0.5", ls="--", lw=0.8, label=label)
