"""Prevalence from few people, and what claims say of each of them."""

import numpy as np
import pandas as pd
import pytest

from cortexrsa.inference.claims.people import with_people
from cortexrsa.inference.prevalence import prevalence


@pytest.mark.parametrize(
    ("found", "people", "level"), [(3, 3, 0.025), (2, 4, 0.025), (14, 20, 0.05), (0, 3, 0.05)]
)
def test_prevalence_is_that_of_its_posterior(found, people, level):
    """By summing the likelihood over all prevalences, with a uniform prior."""
    grid = np.linspace(0, 1, 200_001)
    share = level + (1 - level) * grid
    density = share**found * (1 - share) ** (people - found)
    value, low, high = prevalence(found, people, level)
    assert value == pytest.approx(grid[density.argmax()], abs=1e-4)
    mass = np.cumsum(density) / density.sum()
    inside = np.interp(high, grid, mass) - np.interp(low, grid, mass)
    assert inside == pytest.approx(0.95, abs=2e-3)
    # nowhere outside is the density higher than inside
    outside = density[(grid < low - 1e-3) | (grid > high + 1e-3)]
    assert outside.max(initial=0) <= density[(grid > low) & (grid < high)].min() * 1.02


def test_reasons_tell_each_person():
    def table(verdict):
        rows = {"claim": "A", "statistic": ["overall", "score"], "verdict": verdict, "reason": "so it is"}
        return pd.DataFrame(rows)

    alone = {"p1": table("supported"), "p2": table("inconclusive"), "p3": table("supported")}
    told = with_people(table("supported"), alone, 0.95)["reason"]
    assert told[0].startswith(
        "so it is; each person alone: supported in p1, p3, inconclusive in p2; it may hold in 66%"
    )
    assert told[1] == "so it is"
    untestable = dict.fromkeys(alone, table("untestable"))
    assert with_people(table("untestable"), untestable, 0.95)["reason"][0] == "so it is"
