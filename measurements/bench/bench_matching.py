"""Plans of soft matching, against SciPy's assignment (of equal numbers) and POT's solver alone."""

from functools import partial
from importlib.metadata import version

import numpy as np
import ot
from harness import Case
from scipy import optimize

from cortexrsa.encoding.matching import MOST_FEATURES, Matching, in_standard_units

STIMULI = 1750


def world(voxels: int) -> dict:
    """Features and noisy voxels of 50 dimensions that they share."""
    random = np.random.default_rng(0)
    shared = random.standard_normal((STIMULI, 50))
    features, responses = (
        shared @ random.standard_normal((50, units)) + noise * random.standard_normal((STIMULI, units))
        for units, noise in ((MOST_FEATURES, 5), (voxels, 15))
    )
    r = in_standard_units(features).T @ in_standard_units(responses) / STIMULI
    return {"features": features, "voxels": responses, "r": r}


def plan(features, voxels, r):
    del r
    return Matching.fitted(features, voxels)


def assignment(features, voxels, r):
    return optimize.linear_sum_assignment(r, maximize=True)


def solver(features, voxels, r):
    return ot.emd([], [], 1 - r, numItermax=10**9)


def case(voxels: int, peer: str, theirs) -> Case:
    return Case(
        name=f"soft matching, {voxels:,} voxels",
        size=f"{MOST_FEATURES:,} features x {voxels:,} voxels, {STIMULI:,} stimuli",
        peer=peer,
        inputs=partial(world, voxels),
        ours=plan,
        theirs=theirs,
        repeats=1,
    )


CASES = [
    case(MOST_FEATURES, f"SciPy {version('scipy')} linear_sum_assignment, given correlations", assignment),
    case(8428, f"POT {version('POT')} ot.emd, given correlations", solver),
]
