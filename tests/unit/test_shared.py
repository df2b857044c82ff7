"""The score against the mean RDM of several people, and its ceiling."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cortexrsa.formats.rdms import RDMs
from cortexrsa.geometry.compare import compare
from cortexrsa.geometry.rdm import kept_pairs, rdm
from cortexrsa.inference.ceilings.table import ceiling_table
from cortexrsa.inference.score_table import score_table
from cortexrsa.inference.scores import score_network
from cortexrsa.inference.settings import Settings
from cortexrsa.inference.study import group_scores, model_scores, of_people
from support import message_of

N, PEOPLE = 30, 6
SHARED = Settings(permutations=199, halves=2, group="mean-rdm", confidence=0.9)


def a_study(people=PEOPLE, noise=2.0, seed=0, n=N):
    """RDMs of people, a network whose first layer is what they share, and the pairs that are tested."""
    random = np.random.default_rng(seed)
    code = random.normal(size=(n, 8))
    split = np.where(np.arange(n) < n - 8, "test", "train")
    patterns = pd.DataFrame({"stimulus_id": [f"{k}" for k in range(n)], "split": split})
    own = [rdm(code + noise * random.normal(size=code.shape)) for _ in range(2 * people)]
    table = pd.DataFrame({"subject": np.repeat([f"p{k}" for k in range(people)], 2)})
    brain = RDMs(np.stack(own), table.assign(roi=["A", "B"] * people), patterns, "correlation")
    layers = pd.DataFrame({"layer": ["code", "noisy"], "layer_index": [0, 1], "depth": [0.0, 1.0]})
    values = np.stack([rdm(code), rdm(code + random.normal(size=code.shape))])
    return brain, RDMs(values, layers, patterns, "correlation"), kept_pairs(split == "test")


def mean_of_ranks(rdms):
    return stats.rankdata(rdms, axis=1).mean(axis=0)


def test_score_and_jackknife_of_the_mean_rdm():
    brain, network, test = a_study()
    result = score_network(network, brain, "spearman", SHARED)
    own = brain.dissimilarities[0::2][:, test]
    layer = network.dissimilarities[0, test]
    score = stats.spearmanr(mean_of_ranks(own), layer).statistic
    scores = group_scores(result.sel(split="test"), 0)
    assert scores.estimate[0, 0] == pytest.approx(score)
    table = score_table({"net": result}, "sim", "spearman", SHARED)
    (row,) = table.query("subject == 'group' and roi == 'A' and layer == 'code' and split == 'test'").to_dict(
        "records"
    )
    assert row["score"] == pytest.approx(score)
    assert row["note"] == "against the mean RDM of the subjects"
    # of a person nothing changes
    plain = score_network(network, brain, "spearman", replace(SHARED, group="mean-score"))
    one = table.query("subject == 'p2' and split == 'test'")["score"].to_numpy().reshape(2, 2)
    np.testing.assert_allclose(one, plain["score"].sel(split="test", subject="p2"))
    alone = model_scores(of_people(result, ["p2"]), 0).scores.estimate
    np.testing.assert_allclose(alone, plain["score"].sel(split="test", subject="p2"))
    # rows without one person each are those of the jackknife
    left_out = [
        stats.spearmanr(mean_of_ranks(np.delete(own, k, axis=0)), layer).statistic for k in range(PEOPLE)
    ]
    values = result["group_score"].sel(split="test", roi="A", layer="code").to_numpy()
    assert values.var(ddof=1) / PEOPLE == pytest.approx(
        (PEOPLE - 1) / PEOPLE * ((left_out - np.mean(left_out)) ** 2).sum()
    )


def test_people_who_are_taken_as_they_are_leave_the_errors_of_one_rdm():
    brain, network, test = a_study()
    result = score_network(network, brain, "spearman", replace(SHARED, subject_effect="fixed"))
    found = group_scores(result.sel(split="test"), 0).evaluated().interval(0.95)
    mean = np.zeros((2, brain.dissimilarities.shape[1]))
    for split in (test, kept_pairs((brain.pattern_descriptors["split"] == "train").to_numpy())):
        for roi in range(2):
            mean[roi, split] = mean_of_ranks(brain.dissimilarities[roi::2][:, split])
    one = RDMs(
        mean, pd.DataFrame({"subject": "m", "roi": ["A", "B"]}), brain.pattern_descriptors, "correlation"
    )
    plain = score_network(network, one, "spearman", SHARED)
    for ours, theirs in zip(
        found, group_scores(plain.sel(split="test"), 0).evaluated().interval(0.95), strict=True
    ):
        np.testing.assert_allclose(ours, theirs)
    np.testing.assert_array_equal(result["p"].sel(unit="group"), plain["p"].sel(unit="m"))
    np.testing.assert_array_equal(
        result["null_maximum"].sel(unit="group"), plain["null_maximum"].sel(unit="m")
    )


def test_an_rdm_that_does_not_vary_has_no_part_in_a_mean():
    brain, network, _ = a_study(people=3)
    brain.dissimilarities[2] = 1.0
    message = message_of(score_network, network, brain, "spearman", SHARED)
    assert message == (
        "brain RDM of subject p1 in A: found one dissimilarity of all pairs (test stimuli), expected RDMs "
        "that vary, or inference.group: mean-score"
    )


@pytest.mark.slow
def test_the_ceiling_of_the_mean_rdm_is_what_the_shared_geometry_scores():
    found, reached, repeated = [], [], []
    for seed in range(20):
        brain, network, test = a_study(people=2 * PEOPLE, seed=seed, n=48)
        one, other = (brain.dissimilarities[0::2][half][:, test] for half in np.split(np.arange(12), 2))
        first = RDMs(
            brain.dissimilarities[:12], brain.rdm_descriptors[:12], brain.pattern_descriptors, "correlation"
        )
        row = (
            ceiling_table(first, None, "sim", "spearman", SHARED)
            .query("split == 'test' and roi == 'A'")
            .iloc[0]
        )
        assert row["kind"] == "mean-rdm"
        assert row["attainable_ci_low"] < row["attainable"] < row["attainable_ci_high"]
        found.append(row[["reliability", "attainable"]].to_numpy(float))
        means = [mean_of_ranks(half)[None] for half in (one, other)]
        repeated.append(compare(*means, "spearman").item())
        reached.append(compare(means[0], network.dissimilarities[:1, test], "spearman").item())
    reliability, attainable = np.mean(found, axis=0)
    assert reliability == pytest.approx(np.mean(repeated), abs=0.04)
    assert attainable == pytest.approx(np.mean(reached), abs=0.04)
    # and it is more than one person's RDM lets a model attain
    plain = ceiling_table(first, None, "sim", "spearman", replace(SHARED, group="mean-score"))
    assert plain.iloc[0]["kind"] == "subjects"
    assert row["attainable"] > plain.iloc[0]["attainable"]
