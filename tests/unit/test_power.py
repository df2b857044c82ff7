"""Simulated studies of a design: what is planted in them, and how it is counted."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from cortexrsa.claim_files import load_claims
from cortexrsa.claim_names import Cast
from cortexrsa.figures.power import as_text, plot_power
from cortexrsa.inference.ceilings.primary import signal_of
from cortexrsa.inference.settings import Settings
from cortexrsa.studies import people_of_power
from cortexrsa.validation.power import VERDICTS, Design, power, simulated
from support import ROOT, message_of

FAMILIES = {"net": "task-optimised", "ssl": "self-supervised", "vae": "generative", "raw": "untrained"}
CAST = Cast(
    FAMILIES,
    {"task_optimised": ["net"], "self_supervised": "ssl", "generative": "vae", "untrained": "raw"},
    {"early": "V1", "late": "LO"},
)
QUICK = Settings(standard_error="one-pass", halves=2, seed=3)


def design(effect, subjects=1, reliability=0.7):
    return Design(FAMILIES, {"V1": reliability, "LO": reliability}, subjects, effect)


@pytest.mark.parametrize("subjects", [1, 3])
def test_the_effect_is_in_the_scores(subjects):
    strong, none = (simulated(design(effect, subjects), 40, QUICK, CAST) for effect in (1.0, 0.0))
    early, late = strong.models["net"].scores.estimate
    assert early[0] > early[-1] + 0.1
    assert late[4] > late[0] + 0.1
    assert strong.models["vae"].scores.estimate.max() < 0.5 * early.max()
    assert none.models["vae"].scores.estimate.mean() == pytest.approx(
        none.models["net"].scores.estimate.mean(), abs=0.25
    )
    assert strong.models["raw"].scores.estimate.max() < 0.5 * early.max()
    assert all(0.3 < signal_of(ceiling)[1] < 1 for ceiling in strong.ceilings.values())


def test_held_out_intervals_are_of_the_order_of_the_scores():
    """Covariances of few stimuli lack directions, along which a chosen layer must not move."""
    for seed in (1, 2, 3):
        study = simulated(design(1.0), 40, Settings(standard_error="one-pass", halves=2, seed=seed), CAST)
        for model in study.models.values():
            se, _, _ = model.heldout.evaluated().interval()
            assert np.nanmax(se) < 0.5


def test_shares_of_verdicts_and_their_figure():
    files = {"original_study": load_claims("original_study", ROOT)}
    table = power(design(1.0), 40, files, CAST, studies=2)
    assert table.groupby("claim")["share"].sum().tolist() == pytest.approx([1] * 6)
    assert set(table["verdict"]) == set(VERDICTS)
    shares = table.set_index(["claim", "verdict"])["share"]
    assert shares["H4", "supported"] == 1
    # one classifier cannot show what depth does
    assert shares["H3", "untestable"] == 1
    text = as_text(table)
    assert "H4 (original_study): share of 2 simulated studies, in %" in text
    figure = plot_power(table)
    assert [panel.get_title() for panel in figure.axes if panel.get_visible()][:2] == ["H1", "H2"]
    plt.close(figure)


def test_people_of_simulated_studies():
    config = {"power": {"subjects": None}, "inference": {"group": "mean-rdm"}}
    for options, people in (({}, 1), ({"subjects": 1}, 1), ({"subjects": ["01"]}, 1)):
        assert people_of_power(config, {"options": options}) == people
    card = {"options": {"subjects": ["S1", "S2"]}}
    assert message_of(people_of_power, config, card) == (
        "inference.group: found mean-rdm, with 2 people, expected mean-score: power simulates means of "
        "people's scores"
    )
    assert people_of_power(config | {"inference": {"group": "mean-score"}}, card) == 2
    assert people_of_power(config | {"power": {"subjects": 1}}, card) == 1
