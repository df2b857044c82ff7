"""Captions take their numbers from the run."""

import re
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from jinja2 import Environment, StrictUndefined

from cortexrsa.figures.claims import plot_verdicts
from cortexrsa.figures.scores import plot_heatmap

ROOT = Path(__file__).resolve().parents[2]
CAPTIONS = sorted((ROOT / "resources/captions").glob("*.rst"))


def rendered(path, confidence):
    settings = {
        "confidence": confidence,
        "comparison": "pearson",
        "models": {},
        "registration": "mine: not registered.",
        "generalises": "Intervals are about other stimuli.",
    }
    snakemake = SimpleNamespace(params=SimpleNamespace(settings=settings), config={})
    return Environment(undefined=StrictUndefined).from_string(path.read_text()).render(snakemake=snakemake)


@pytest.mark.parametrize("path", CAPTIONS, ids=lambda path: path.stem)
def test_no_setting_is_written_out(path):
    source = re.sub(r"\{\{.*?\}\}", "", path.read_text())
    assert not re.findall(r"\d+(?:\.\d+)? ?%|p < ?[\d.]+", source)
    assert rendered(path, 0.9)


def test_every_interval_has_the_confidence_of_the_run():
    with_intervals = {path.stem for path in CAPTIONS if "90 %" in rendered(path, 0.9)}
    assert with_intervals == {
        "centroids",
        "compared",
        "comparisons",
        "encoding",
        "guided",
        "guided_tasks",
        "measure_ranks",
        "measures",
        "profiles",
        "ranks",
        "rdm_variance",
        "rois",
        "verdicts",
    }
    assert "99.5 %" in rendered(ROOT / "resources/captions/rois.rst", 0.995)
    assert "p < 0.1)" in rendered(ROOT / "resources/captions/heatmap.rst", 0.9)
    assert "(pearson)" in rendered(ROOT / "resources/captions/rdms.rst", 0.9)


@pytest.mark.parametrize("rule", ["plot_scores", "plot_claims", "plot_comparisons"])
def test_the_rule_knows_the_confidence(rule):
    rules = (ROOT / "rules/figures.smk").read_text()
    (block,) = re.findall(
        rf"^(?:use )?rule [^\n]*\b{rule}\b[^\n]*:\n(.*?)(?=^\S|\Z)", rules, re.DOTALL | re.MULTILINE
    )
    assert "settings=settings_of_score_figures" in block
    settings = (ROOT / "rules/common/settings.smk").read_text()
    (body,) = re.findall(
        r"^def settings_of_score_figures\(.*?\n(.*?)(?=^\S|\Z)", settings, re.DOTALL | re.MULTILINE
    )
    assert '"confidence": confidence' in body
    assert '["inference"]["confidence"]' in body


def test_dots_of_the_heat_map_follow_the_confidence():
    table = pd.DataFrame(
        {
            **{"model": "net", "roi": "IT", "subject": "sub-01", "split": "test", "measure": "spearman"},
            "layer": ["a", "b", "c"],
            "layer_index": range(3),
            "score": [0.1, 0.2, 0.3],
            "p_fwe": [0.001, 0.03, 0.2],
        }
    )
    models = {"net": {"label": "A net", "family": "generative"}}
    for alpha, dots in ((0.05, 2), (0.01, 1), (0.5, 3)):
        figure = plot_heatmap(table, models, alpha)
        assert len(figure.axes[0].lines[0].get_xdata()) == dots
        plt.close(figure)


def test_an_end_of_an_interval_keeps_its_sign_in_the_table_of_verdicts():
    claims = pd.DataFrame(
        {
            **{
                "file": "mine",
                "claim": "H1",
                "statement": "It is so",
                "models": "net",
                "roi": "IT",
                "measure": "rsa",
                "verdict": "supported",
                "verdict_encoding": "inconclusive",
                "verdict_partial_rsa": "",
            },
            "statistic": ["overall", "difference"],
            "estimate": [np.nan, 0.05],
            "ci_low": [np.nan, 0.0003],
            "ci_high": [np.nan, 0.1],
            "reason": "",
        }
    )
    figure = plot_verdicts(claims, {"net": {"label": "A net", "family": "generative"}})
    texts = " ".join(text.get_text() for text in figure.axes[0].texts)
    plt.close(figure)
    assert "A net in IT: 0.0500 [0.0003, 0.1000]" in texts
    # a column for each measure that has verdicts
    assert "RSA: supported encoding: inconclusive difference:" in texts
