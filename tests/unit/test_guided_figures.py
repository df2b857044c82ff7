"""Figures of what training with a brain gains."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from test_figures import misplaced

from cortexrsa.figures.guided import plot_gains, plot_tasks, primary_people
from cortexrsa.formats.columns.guided import GUIDED

KINDS = ("guided", "unguided", "shuffled", "spectrum", "low_level", "other_roi", "labels")


def table(cards=("net",), measures=("rsa", "partial_rsa", "encoding"), rois=("LO", "V1")):
    random, rows = np.random.default_rng(0), []
    places = [
        (m, roi, people) for m in measures for roi in rois for people in ("not trained with", "trained with")
    ]
    places += [(m, "", "") for m in ("accuracy", "accuracy under noise", "accuracy under blur",
                                     "accuracy under contrast", "accuracy under pgd")]  # fmt: skip
    for card, (measure, roi, people) in itertools.product(cards, places):
        pairs = [(kind, "unguided") for kind in KINDS if kind != "unguided"] + [("guided", "best control")]
        for network, over in [(kind, "") for kind in KINDS] + pairs:
            value = random.normal(0.1, 0.05)
            # those who were seen are not drawn
            value += 100 * (people == "trained with")
            row = {"dataset": "sim", "model": card, "objective": "supervised", "loss": "cka", "weight": 1.0}
            row |= {
                "measure": measure,
                "roi": roi,
                "guided_roi": roi == "LO",
                "people": people,
                "subjects": 2,
            }
            row |= {"network": network, "over": over, "seeds": 5, "value": value, "se": 0.02}
            row |= {"ci_low": value - 0.04, "ci_high": value + 0.04, "p": 0.01, "share": 0.2}
            rows.append(row | {"n_stimuli": 120, "note": ""})
    return pd.DataFrame(rows, columns=list(GUIDED.columns))


@pytest.mark.parametrize("plot", [plot_gains, plot_tasks])
@pytest.mark.parametrize("cards", [("net",), ("net", "other", "third")], ids=["one", "three"])
@pytest.mark.parametrize("scale", [1, 0.3, 0.01])
def test_every_gain_is_drawn_and_text_is_apart(plot, cards, scale):
    own = table(cards)
    numbers = ["value", "ci_low", "ci_high"]
    own[numbers] = (own[numbers] - 0.1) * scale
    models = {name: {"label": f"ResNet-18 + LO ({name})", "family": "brain-guided"} for name in cards}
    figure = plot(own, models, 0.95)
    _, outside, touching = misplaced(figure)
    assert outside == touching == []
    panels = [axes for axes in figure.axes if axes.axison]
    assert len(panels) == (6 if plot is plot_gains else 5)
    wanted = own[(own["people"] != "trained with") & ((own["roi"] == "") == (plot is plot_tasks))]
    wanted = wanted[(wanted["over"] == "unguided") | (wanted["over"] == "best control")]
    drawn = [line.get_xdata()[0] for axes in panels for line in axes.lines if len(line.get_xdata()) == 1]
    np.testing.assert_allclose(np.sort(drawn), np.sort(wanted["value"]))
    plt.close(figure)


def test_a_study_without_a_metric_of_the_task_says_so():
    own = table()
    figure = plot_tasks(own[own["roi"] != ""], {}, 0.95)
    told = [text.get_text() for text in figure.findobj(Text)]
    assert any("No metric of the task is known" in text for text in told)
    plt.close(figure)


def test_people_who_were_trained_with_are_drawn_where_there_are_no_others():
    own = table()
    own = own[(own["people"] != "not trained with") | (own["roi"] == "V1")]
    found = primary_people(own)
    people = found.groupby("roi")["people"].agg(set).to_dict()
    assert people == {"": {""}, "LO": {"trained with"}, "V1": {"not trained with"}}
