"""A small calibration study, and the world it is made in."""

import numpy as np
import pandas as pd
import pytest

from cortexrsa.figures.calibration import plot_calibration, summary
from cortexrsa.validation.calibration import (
    EQUIVALENCE,
    SIGNALS,
    STATISTICS,
    World,
    coverage,
    false_positives,
)


@pytest.fixture(scope="module")
def one_subject():
    truth = World(1, SIGNALS["weak"]).truth(400, 15)
    return coverage(1, 40, SIGNALS["weak"], truth, simulations=60, draws=100)


@pytest.mark.slow
def test_intervals_cover_at_weak_signal(one_subject):
    """93 to 97 %, within three standard errors of the mean over a kind of statistic."""
    rates = one_subject.pivot(index="statistic", columns="errors", values="coverage")
    assert set(rates.index) >= {"score", "difference of layers", "centroid", "profile correlation"}
    assert (rates.loc[EQUIVALENCE] <= 0.025 + 0.06).all()
    rates = rates.drop(EQUIVALENCE)
    for errors in ("one-pass", "resampled"):
        # scores of one study err together, so the mean over them is hardly more certain than one of them
        assert rates[errors].between(0.93 - 0.085, 1).all()
        assert rates.loc[list(STATISTICS), errors].mean() == pytest.approx(0.95, abs=0.03)


@pytest.mark.slow
def test_the_plain_bootstrap_is_too_wide(one_subject):
    ratios = one_subject.set_index(["errors", "statistic"])["se_ratio"]
    assert ratios["bootstrap", "score"] > 1.25
    for errors in ("one-pass", "resampled"):
        assert ratios[errors, "score"] < 1.25
    # layers chosen in halves: the choice is taken as made
    assert ratios["one-pass", "held-out best layer"] < 1.3 < ratios["resampled", "held-out best layer"]


@pytest.mark.slow
def test_tests_keep_their_level():
    table = false_positives(1, 40, simulations=80, permutations=199).set_index("statistic")
    assert (table["rate"] <= 0.05 + 3 * table["mc_error"]).all()


def test_truth_is_what_large_studies_score():
    world = World(3, 1.0)
    first, second = world.truth(150, 4), world.truth(300, 4)
    assert first.shape == (2, 2, 8)
    assert np.abs(first - second).max() < 0.1
    # the early ROI turns away from the layers with depth, the late one towards them
    assert (np.diff(second[0]) < 0.02).all()
    assert (np.diff(second[1]) > -0.02).all()
    assert np.abs(World(3, 1.0, related=False).truth(150, 4)).max() < 0.03


@pytest.mark.slow
def test_figure_shows_every_statistic(one_subject):
    none = false_positives(1, 40, simulations=2, permutations=19).assign(signal="none")
    table = pd.concat([one_subject.assign(signal="weak"), none]).assign(subjects=1, stimuli=40)
    figure = plot_calibration(table)
    labels = [axes.get_ylabel().replace("\n", " ") for axes in figure.axes[:-3:3]]
    assert labels == list(one_subject["statistic"].unique())
    rows = summary(table).splitlines()
    assert rows[0] == "| signal | statistic | 1 x 40 |"
    assert len(rows) == 2 + one_subject["statistic"].nunique() + 3
    assert rows[2].startswith("| weak | score | ")
    assert rows[2].count(" / ") == 2
