"""How stimuli were drawn: in units that a card names, in fixed categories, in blocks of time."""

import numpy as np
import pandas as pd
import pytest
import xarray
from scipy import stats

from cortexrsa.brain.label_correlation import alike, intraclass_correlation, with_labels
from cortexrsa.encoding.design import by_units
from cortexrsa.encoding.folds import partitions, units_of
from cortexrsa.errors import InputError
from cortexrsa.formats.rdms import RDMs
from cortexrsa.geometry.compare import compare
from cortexrsa.geometry.rdm import pair_indices, rdm
from cortexrsa.inference.design import Design, design_of
from cortexrsa.inference.errors import Replicated, Replicates
from cortexrsa.inference.influence import influences
from cortexrsa.inference.pair_groups import PairGroups
from cortexrsa.inference.permutation import permutation_null
from cortexrsa.inference.replication import OnePass, replication
from cortexrsa.inference.scores import score_network
from cortexrsa.inference.settings import Settings
from cortexrsa.inference.smallest import small
from cortexrsa.inference.some_pairs import influences_of_some
from cortexrsa.inference.splits import Choice, chosen_in_halves
from support import message_of

ONE_PASS = Settings(standard_error="one-pass", permutations=39, halves=2)


def stimuli_of(labels, column="category", split="test"):
    rows = {"stimulus_id": [f"s{k}" for k in range(len(labels))], "split": split, "repeats": 1}
    return pd.DataFrame(rows | {column: labels})


def related(codes, seed, share=0.5):
    """A brain's and a model's RDM (1, pairs) of stimuli whose codes have a part of their category."""
    random = np.random.default_rng(seed)
    code = np.sqrt(share) * random.normal(size=(codes.max() + 1, 6))[codes]
    code = code + np.sqrt(1 - share) * random.normal(size=(len(codes), 6))
    return tuple(
        rdm(code @ random.normal(size=(6, 20)) + random.normal(size=(len(codes), 20)))[None] for _ in range(2)
    )


# ---- from the card ---------------------------------------------------------------------------------------


def test_unit_of_a_card():
    labels = np.repeat([f"c{k:02}" for k in range(12)], 5)
    table = stimuli_of(labels)
    assert design_of(table, None) is None
    design = design_of(table, "category")
    assert (design.labels == labels).all()
    assert not design.fixed
    assert not design.caveat()
    assert design_of(table, "category", "fixed").fixed
    few = design_of(table[:30], "category")
    assert few.fixed
    assert few.caveat() == "about these 6 units of `category` alone (10 are needed to say anything of others)"
    assert not design_of(table[:30], "category", "fixed").caveat()


def test_blocks_of_time():
    table = pd.concat(
        [stimuli_of([""] * 10, split="train"), stimuli_of([""] * 43, split="test")], ignore_index=True
    )
    design = design_of(table, {"blocks": 4, "lag": 2})
    assert list(pd.Series(design.labels).value_counts(sort=False)) == [4, 6, *[4] * 9, 7]
    tested = design.subset((table["split"] == "test").to_numpy())
    kept = tested.kept_pairs()
    first, second = pair_indices(43)
    assert set((second - first)[~kept]) == {1, 42}
    assert design_of(table, {"blocks": 4}).subset((table["split"] == "test").to_numpy()).kept_pairs() is None


@pytest.mark.parametrize(
    ("unit", "labels", "told"),
    [
        (
            "scene",
            list("ab" * 10),
            "unit: found 'scene', expected a column of the stimuli: one of stimulus_id, ",
        ),
        ("category", [*"ab" * 10, ""], "unit category: found an empty label"),
        (
            "category",
            [*"aaaa", *"bbb"],
            "unit category: found 3 test stimuli of 'b', expected at least 4 of each",
        ),
        (
            {"blocks": 3},
            list("ab" * 10),
            "unit.blocks: found 6 of 3 test stimuli, expected at least 10 blocks",
        ),
        (
            {"blocks": 2, "lag": 6},
            list("ab" * 10),
            "unit.lag: found 6 of 20 test stimuli, expected at most a quarter",
        ),
    ],
)
def test_wrong_units(unit, labels, told):
    assert told in message_of(design_of, stimuli_of(labels), unit)


def test_resampling_of_units_is_refused():
    design = Design(np.repeat(range(12), 4), "category")
    told = message_of(replication, 48, Settings(standard_error="resampled"), design)
    assert told.startswith("inference.standard_error: found resampled, expected one-pass")


# ---- halves and relabellings -----------------------------------------------------------------------------


def test_halves_split_no_unit_or_each_fixed_category():
    codes = np.random.default_rng(0).permutation(np.repeat(range(12), [5] * 6 + [4] * 6))
    random = np.random.default_rng(1)
    for half in Design(codes, "category").halves(5, random):
        assert len(set(codes[half])) == 6
        assert not set(codes[half]) & set(codes[~half])
    for half in Design(codes, "category", fixed=True).halves(5, random):
        inside = np.bincount(codes[half], minlength=12)
        assert (inside >= 2).all()
        assert (np.bincount(codes[~half], minlength=12) >= 2).all()
        assert abs(half.sum() - len(codes) / 2) <= 1


def test_relabelling_keeps_what_belongs_together():
    codes = np.random.default_rng(0).permutation(np.repeat(range(6), 4))
    orders = Design(codes, "category").relabellings(20, np.random.default_rng(0))
    assert (np.sort(orders, axis=1) == np.arange(24)).all()
    for order in orders:
        # all stimuli of a unit stand in the places of one
        assert all(len(set(codes[order[codes == unit]])) == 1 for unit in range(6))
    assert len({tuple(order) for order in orders}) == 20
    film = Design(codes, 4, lag=3)
    shifts = film.relabellings(99, np.random.default_rng(0))
    assert [row[0] for row in shifts] == list(range(3, 22))
    assert len(film.relabellings(5, np.random.default_rng(0))) == 5
    brain, model = related(np.arange(24), 0)
    kept = film.kept_pairs()
    null = permutation_null(brain, model, 99, 0, "spearman", 1, film)
    assert null.shape == (19, 1, 1)
    moved = np.zeros((24, 24))
    moved[np.triu_indices(24, 1)] = brain[0]
    moved = (moved + moved.T)[np.ix_(shifts[4], shifts[4])][np.triu_indices(24, 1)]
    assert null[4, 0, 0] == pytest.approx(stats.spearmanr(moved[kept], model[0, kept]).statistic)


# ---- errors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("comparison", ["spearman", "rho-a", "pearson", "cosine"])
def test_influences_over_some_pairs(comparison):
    brain, model = related(np.repeat(range(6), 5), 0)
    brain = np.round(brain, 1)  # with ties
    groups = PairGroups.of(30, 0)
    whole = influences(brain, model, groups, comparison)
    all_kept = influences_of_some(brain, model, np.ones(brain.shape[1], bool), groups, comparison)
    for name in ("scores", "stimuli", "pairs"):
        np.testing.assert_allclose(getattr(all_kept, name), getattr(whole, name), atol=1e-12)
    kept = Design(np.arange(30), 1, lag=4).kept_pairs()
    found = influences_of_some(brain, model, kept, groups, comparison)
    expected = compare(brain[:, kept], model[:, kept], comparison) if comparison != "rho-a" else found.scores
    np.testing.assert_allclose(found.scores, expected, atol=1e-12)


def test_influences_over_some_pairs_of_a_film_are_derivatives():
    """Of Pearson's correlation, with one stimulus counting more; the pairs left out count for nothing."""
    n = 20
    brain, model = related(np.arange(n), 3)
    kept = Design(np.arange(n), 1, lag=3).kept_pairs()
    found = influences_of_some(brain, model, kept, PairGroups.of(n, 0), "pearson")
    first, second = pair_indices(n)
    slopes = []
    for i in range(n):
        mass = kept * np.where((first == i) | (second == i), 1 + 1e-30j, 1)
        share = mass / mass.sum()
        x, y = (each[0] - share @ each[0] for each in (model, brain))
        slopes.append(((share * x * y).sum() / np.sqrt((share * x * x).sum() * (share * y * y).sum())).imag)
    # a row of h has (n - 2) a_i, over all pairs
    expected = np.array(slopes) / 1e-30 * (n * (n - 1) / 2) / (n - 2)
    np.testing.assert_allclose(found.stimuli[:, 0, 0], expected - expected.mean(), atol=1e-9)


def test_comparison_without_a_form_for_some_pairs():
    brain, model = related(np.arange(12), 0)
    kept = np.ones(66, bool)
    told = message_of(influences_of_some, brain, model, kept, PairGroups.of(12, 0), "tau-a")
    assert "measures.comparison: found tau-a, expected spearman, rho-a, pearson or cosine" in told


def test_fixed_categories_agree_with_the_jackknife_within_them():
    """Each stimulus left out, with the weight of its category made up by the others of it."""
    codes = np.repeat(range(4), 12)
    n = len(codes)
    brain, model = related(codes, 5, 0.8)
    first, second = pair_indices(n)

    def weighted(weights):
        mass = weights[first] * weights[second]
        mass = mass / mass.sum()
        x, y = model[0] - mass @ model[0], brain[0] - mass @ brain[0]
        return (mass * x * y).sum() / np.sqrt((mass * x * x).sum() * (mass * y * y).sum())

    without = np.empty(n)
    for i in range(n):
        weights = np.where(codes == codes[i], 12 / 11, 1.0)
        weights[i] = 0
        without[i] = weighted(weights)
    means = np.array([without[codes == unit].mean() for unit in range(4)])
    jackknife = 11 / 12 * ((without - means[codes]) ** 2).sum()
    variance = {}
    for fixed in (True, None):
        design = Design(codes, "category", fixed=True) if fixed else None
        method = OnePass(n, 0, design)
        score, deviations = method.similarity(brain, model, "pearson")
        found = Replicated(score, score + deviations, method.replicates).evaluated()
        variance[fixed] = found.variance[0, 0]
    assert found.dof[0, 0] == n - 1
    assert method.replicates.dof == n - 1
    assert OnePass(n, 0, Design(codes, "category", fixed=True)).replicates.dof == n - 4
    # the jackknife counts the noise of pairs twice
    assert 0.6 < variance[True] / jackknife < 1.1
    assert variance[True] < 0.8 * variance[None]


def test_scores_of_a_design():
    """Units go to the errors, the tests, and what is said of them; a film's scores leave near pairs out."""
    codes = np.repeat(range(12), 2)
    brain, model = related(codes, 0)
    patterns = stimuli_of(codes.astype(str))[["stimulus_id", "split"]]
    layers = RDMs(
        model, pd.DataFrame({"layer": ["a"], "layer_index": [0], "depth": [0.0]}), patterns, "correlation"
    )
    region = RDMs(brain, pd.DataFrame({"subject": ["s"], "roi": ["V1"]}), patterns, "correlation")
    found = score_network(layers, region, "spearman", ONE_PASS, design=Design(codes, "category"))
    made = Replicates.unpacked(found["replicates"].to_numpy()[0])
    assert made.dof == 11
    assert made.sizes == (66, 12)
    assert np.isfinite(found["heldout"].sel(candidate="all")).all()
    film = score_network(layers, region, "spearman", ONE_PASS, design=Design(codes, 2, lag=3))
    kept = Design(codes, 2, lag=3).kept_pairs()
    assert film["score"].item() == pytest.approx(compare(brain[:, kept], model[:, kept])[0, 0])
    assert found.attrs["caveat"] == ""


def test_small_samples_are_warned_of_and_smaller_ones_have_no_held_out_score():
    assert small(120, True, None, 1) == []
    assert len(small(18, True, 12, 6)) == 4
    (told,) = small(20, True, None, 1)
    assert told.startswith("20 test stimuli: few to choose layers in halves")
    assert "held-out scores are missing" in small(12, True, None, 1)[1]
    brain, model = related(np.arange(12), 0)
    method = OnePass(12, 0)
    choice = Choice({"all": np.arange(1)}, "spearman", ONE_PASS)
    found = chosen_in_halves(brain, model, (1, 1), method, choice)
    assert np.isnan(found[0]).all()
    assert found[1].shape == (sum(method.replicates.sizes), 1, 1, 1)


# ---- encoding, and labels --------------------------------------------------------------------------------


def test_folds_split_no_unit_of_the_card():
    table = pd.concat([stimuli_of(list("abcdefghij") * 3, split=split) for split in ("train", "test")])
    design = design_of(table.reset_index(drop=True), "category")
    units = units_of(table.reset_index(drop=True), None, design)
    (part,) = partitions(table["split"].to_numpy(), 5, 0, units)
    labels = table["category"].to_numpy()[part.train]
    for fitted, own in part.splits:
        assert not set(labels[fitted]) & set(labels[own])
    assert units_of(table, None, None) is None


def test_encoding_errors_over_units():
    """Influences that are the same within a unit: the error is that of as many stimuli as there are units."""
    codes = np.repeat(range(10), 6)
    single = np.random.default_rng(0).normal(size=10)
    single -= single.mean()
    values = single[codes] / np.sqrt(60 * 59)
    dims = ("split", "replicate", "subject", "roi", "layer")
    data = xarray.Dataset(
        {
            "deviations": (dims, values[None, :, None, None, None]),
            "corrected_deviations": (dims, values[None, :, None, None, None]),
            "heldout_deviations": ((*dims[1:4], "candidate"), values[:, None, None, None]),
            "replicates": (("split", "quantity"), np.zeros((1, 7))),
        }
    )
    found = by_units(data, Design(codes, "category"))
    made = Replicates.unpacked(found["replicates"].to_numpy()[0])
    rows = found["deviations"].to_numpy()[0, :, 0, 0, 0]
    assert made.sizes == (10, 0)
    assert made.dof == 9
    assert (rows**2).sum() == pytest.approx(single @ single / (10 * 9), rel=1e-5)
    within = by_units(data, Design(codes, "category", fixed=True))
    np.testing.assert_allclose(within["deviations"], 0, atol=1e-9)


def test_intraclass_correlation():
    random = np.random.default_rng(0)
    codes = np.repeat(range(12), 10)
    values = random.normal(size=(12, 40))[codes] * np.sqrt(0.3) + random.normal(size=(120, 40)) * np.sqrt(0.7)
    found = intraclass_correlation(values, codes)
    f = stats.f_oneway(*(values[codes == k] for k in range(12))).statistic
    np.testing.assert_allclose(found, (f - 1) / (f + 9))
    assert np.median(found) == pytest.approx(0.3, abs=0.06)
    coords = {"stimulus": range(120), "roi": ("voxel", ["V1"] * 20 + ["LO"] * 20)}
    responses = xarray.DataArray(values, dims=("stimulus", "voxel"), coords=coords)
    table = stimuli_of(codes.astype(str)).assign(name=[f"n{k}" for k in range(120)])
    assert set(alike(responses, table)) == {"category"}
    voxels = pd.DataFrame({"split": "test", "voxel": range(40)})
    np.testing.assert_allclose(with_labels(voxels, responses, table)["icc_category"], found)


def test_a_design_is_refused_where_a_unit_cannot_be_told():
    with pytest.raises(InputError, match="at most 250, or random"):
        OnePass(600, 0, Design(np.repeat(range(300), 2), "category", fixed=True))
