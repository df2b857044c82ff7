"""The calibration of encoding models: its truth is the truth, and intervals cover it."""

import numpy as np
import pytest

from cortexrsa.validation import encoding
from cortexrsa.validation.encoding import SCHEMES, World, coverage


def test_the_reliability_of_the_world_is_that_of_its_trials():
    world, random = World(), np.random.default_rng(1)
    signal, _ = world.draw(4000, random)
    halves = [world.averages(signal, encoding.REPEATS // 2, random) for _ in range(2)]
    voxels = np.arange(60)
    r = [np.corrcoef(halves[0][:, v], halves[1][:, v])[0, 1] for v in voxels]
    assert np.sqrt(r).mean() == pytest.approx(world.mean_root(voxels), abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES)
def test_intervals_cover_in_a_small_study(monkeypatch, scheme):
    monkeypatch.setattr(encoding, "POPULATION", 500)
    monkeypatch.setattr(encoding, "ALL_VOXELS", 120)
    table = coverage(scheme, 60, 6).set_index("statistic")
    assert list(table.columns) == ["coverage", "mc_error", "se_ratio", "bias"]
    # of 6 studies, a rate of .95 leaves 3 or fewer once in 500
    covered = table["coverage"].drop("score in new voxels, voxels fixed")
    assert (covered > 0.5).all()
    assert table["bias"].abs().max() < 0.05
