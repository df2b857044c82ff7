"""Claims beyond low-level descriptors, in worlds whose low-level drive is none of the controls."""

from pathlib import Path

import numpy as np
import pytest

from cortexrsa.claim_files import load_claims
from cortexrsa.inference.claims.evaluate import evaluate
from cortexrsa.validation.low_level import World, rules_of, study_of

CLAIMS = load_claims("measures", Path(__file__).resolve().parents[2])
GAIN = "held-out best layer, less that of random weights"
TEST = 40


def found_in(truth):
    """The study of one world, and the verdicts on H8 and its parts."""
    random = np.random.default_rng(0)
    study = study_of(World.drawn(2 * TEST, truth, random), TEST, random, 0)
    table = evaluate([study], {"measures": rules_of(CLAIMS)})
    return study, table.set_index(["claim", "statistic", "roi"])["verdict"]


@pytest.mark.slow
def test_descriptors_do_not_exhaust_low_level_drive_and_random_weights_have_the_rest():
    study, verdicts = found_in("low-level drive alone")
    raw, partial = (
        models["net"].scores.estimate[0].max() for models in (study.models, *study.others.values())
    )
    assert raw > 0.5
    assert 0.1 < partial < 0.7 * raw
    assert not {verdicts["H8", GAIN, roi] for roi in ("V1", "LO")} & {"supported", "untestable"}
    assert verdicts["H8", "overall", ""] not in ("supported", "untestable")
    assert ("H8, descriptors alone", "overall", "") in verdicts
    assert ("H8, descriptors alone", GAIN, "V1") not in verdicts


@pytest.mark.slow
def test_what_is_beyond_them_is_told_from_random_weights():
    _, verdicts = found_in("half is beyond")
    assert {verdicts["H8", GAIN, roi] for roi in ("V1", "LO")} == {"supported"}
