"""Student's t, against scipy.stats."""

import numpy as np
from scipy import stats

from cortexrsa.inference.tails import student_quantile, student_tail

DOF = np.array([0.5, 1, 2.5, 11, 119, 1e6, np.inf])[:, None]


def test_tails_and_quantiles_are_those_of_scipy():
    t = np.array([-50, -3, -1e-3, 0, 0.5, 2, 40, 1e4, np.nan])
    np.testing.assert_allclose(student_tail(t, DOF), stats.t.sf(t, DOF), rtol=1e-12)
    p = np.array([1e-12, 0.001, 0.025, 0.5, 0.975, 1 - 1e-12, np.nan])
    np.testing.assert_allclose(student_quantile(p, DOF), stats.t.ppf(p, DOF), rtol=1e-10)
