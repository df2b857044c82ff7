"""A ROI of its own subjects (one RDM of a mean, another species) beside those of people."""

import numpy as np
import pandas as pd
import pytest

from cortexrsa.brain.loaders.rdms import load_rdm_dataset
from cortexrsa.errors import InputError
from cortexrsa.figures.scores import plot_rois
from cortexrsa.formats.netcdf import read_dataset, write_dataset
from cortexrsa.formats.rdms import RDMs
from cortexrsa.inference.ceilings.primary import primary_ceilings
from cortexrsa.inference.ceilings.table import ceiling_table
from cortexrsa.inference.names import of_the_group
from cortexrsa.inference.score_table import score_table
from cortexrsa.inference.scores import score_network
from cortexrsa.inference.settings import Settings
from cortexrsa.inference.splits import brain_rows
from cortexrsa.inference.study import parts_of, smallest_p

N, PAIRS = 12, 66
PATTERNS = pd.DataFrame({"stimulus_id": [f"s{k}" for k in range(N)], "split": "test"})
SETTINGS = Settings(bootstrap=20, permutations=19, halves=2, seed=1)
ROWS = [
    ("p1", "V1"),
    ("p2", "V1"),
    ("p3", "V1"),
    ("monkeys", "mIT"),
    ("p1", "IT"),
    ("p2", "IT"),
    ("p3", "IT"),
]
PEOPLE = [k for k, (subject, _) in enumerate(ROWS) if subject != "monkeys"]


def rdms(rows, columns, seed):
    values = np.random.default_rng(seed).random((len(rows), PAIRS))
    return RDMs(values, pd.DataFrame(rows, columns=columns), PATTERNS, "correlation")


BRAIN = rdms(ROWS, ["subject", "roi"], 0)
NETWORK = rdms([("a", 0, 0.0), ("b", 1, 0.5), ("c", 2, 1.0)], ["layer", "layer_index", "depth"], 1)


def part(keep):
    descriptors = BRAIN.rdm_descriptors.iloc[keep].reset_index(drop=True)
    return RDMs(BRAIN.dissimilarities[keep], descriptors, PATTERNS, "correlation")


@pytest.fixture(scope="module")
def together():
    return score_network(NETWORK, BRAIN, "spearman", SETTINGS)


def table_of(result):
    table = score_table({"net": result}, "d", "spearman", SETTINGS)
    return table.sort_values(["roi", "subject", "layer"]).reset_index(drop=True)


def test_scores_are_those_of_each_set_of_subjects_alone(together, tmp_path):
    write_dataset(tmp_path / "net.nc", together, {})
    stored = read_dataset(tmp_path / "net.nc")
    alone = [score_network(NETWORK, part(keep), "spearman", SETTINGS) for keep in (PEOPLE, [3])]
    expected = pd.concat(map(table_of, alone)).sort_values(["roi", "subject", "layer"])
    table = table_of(stored)
    pd.testing.assert_frame_equal(table, expected.reset_index(drop=True), rtol=1e-6)
    assert set(table.loc[table["roi"] == "mIT", "subject"]) == {"monkeys"}
    assert set(table.loc[table["roi"] == "IT", "subject"]) == {"p1", "p2", "p3", "group"}
    assert [list(own["roi"].to_numpy()) for own in parts_of(stored)] == [["V1", "IT"], ["mIT"]]
    assert np.isfinite(table[["score", "se", "p", "p_fwe", "q_fdr"]]).all(axis=None)


def test_the_ceiling_of_one_rdm_is_unknown_and_figures_show_its_roi(together):
    ceilings = ceiling_table(BRAIN, None, "d", "spearman", SETTINGS)
    kinds = {roi: row["kind"] for roi, row in primary_ceilings(ceilings).items()}
    assert kinds == {"V1": "subjects", "IT": "subjects", "mIT": "unknown"}
    scores = table_of(together)
    shown = of_the_group(scores)
    assert shown.groupby("roi")["subject"].unique().map(list).to_dict() == {
        "IT": ["group"],
        "V1": ["group"],
        "mIT": ["monkeys"],
    }
    assert set(smallest_p(scores)) == {"IT", "V1", "mIT"}
    figure = plot_rois(scores, ceilings, {"net": {"label": "Net", "family": "generative"}})
    assert [axes.get_title() for axes in figure.axes if axes.axison] == ["V1", "IT", "mIT"]


def test_a_roi_that_one_subject_lacks_is_still_refused():
    with pytest.raises(InputError, match="p1: found no ROI IT"):
        brain_rows(part([0, 1, 2, 5, 6]), "test")
    with pytest.raises(InputError, match="no ROI"):
        score_network(NETWORK, part([0, 1, 2, 5, 6]), "spearman", SETTINGS)


def test_the_card_names_the_subjects_of_such_a_roi(tmp_path):
    from PIL import Image

    (tmp_path / "images").mkdir()
    for k in range(N):
        Image.effect_noise((8, 8), 50).save(tmp_path / "images" / f"{k}.png")
    np.save(tmp_path / "it.npy", BRAIN.dissimilarities[:3])
    np.save(tmp_path / "mit.npy", BRAIN.dissimilarities[3])
    card = {
        "path": str(tmp_path),
        "images": "images",
        "rois": {"IT": {"file": "it.npy"}, "mIT": {"file": "mit.npy", "subjects": ["monkeys"]}},
        "options": {"dissimilarity": "correlation", "aspect_tolerance": 0.05},
    }
    _, _, read = load_rdm_dataset(card, None)
    assert read.rdm_descriptors["subject"].tolist() == ["sub-01", "sub-02", "sub-03", "monkeys"]
    np.testing.assert_array_equal(read.dissimilarities, BRAIN.dissimilarities[:4])
    del card["rois"]["mIT"]["subjects"]
    with pytest.raises(InputError, match="found 1 subjects, expected 3, as in IT"):
        load_rdm_dataset(card, None)
    card["rois"]["mIT"]["subjects"] = ["sub-02"]
    with pytest.raises(InputError, match="subjects of no other ROI"):
        load_rdm_dataset(card, None)
