"""Claims as files: what they may say, what they mean, and the mended rules of the original study."""

import re

import numpy as np
import pytest
import yaml
from test_claims import DEPTH, EARLY, FLAT, GOOD, LATE, MIDDLE, ROLES, ROOT, network, study

from cortexrsa.claim_files import claim_names, load_claims
from cortexrsa.claim_names import Cast
from cortexrsa.inference import profiles
from cortexrsa.inference.claims.evaluate import evaluate
from cortexrsa.inference.claims.terms import Scope, label_of, terms
from cortexrsa.inference.claims.values import NoValue, value_of
from cortexrsa.inference.layer_choice import candidate_layers
from cortexrsa.inference.study import models_of_seeds
from support import UNKNOWN, message_of

MENDED = {"original_study": load_claims("original_study", ROOT)}


def claims_in(tmp_path, text, **top):
    """Claims read from a file with these keys, and claims from YAML."""
    folder = tmp_path / "resources/claims"
    folder.mkdir(parents=True, exist_ok=True)
    content = {"title": "mine", **top, "claims": yaml.safe_load(text)}
    (folder / "mine.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return {"mine": load_claims("mine", tmp_path)}


def parts(of, files):
    table = evaluate([of], files)
    return table[table["statistic"] != "overall"]


# ---- what is wrong ---------------------------------------------------------------------------------------

ONE = "statement: so, statistic: {score: best, network: vae, roi: V1}"
BAD = [
    (f"[{{id: A, {ONE}}}]", "claims[0].expect: found nothing, expected this key"),
    (
        f"[{{id: A, {ONE}, expect: graeter}}]",
        "claims[0].expect: found 'graeter', expected one of greater, less; did you mean greater?",
    ),
    (
        f"[{{id: A, {ONE}, expect: greater}}, {{id: A, {ONE}, expect: less}}]",
        "claims[1].id: found 'A' twice, expected a name for each claim",
    ),
    (
        "[{id: A, statement: so, statistic: {scor: best}, expect: greater}]",
        "did you mean score?",
    ),
    (
        "[{id: A, statement: so, statistic: {score: bets, network: vae, roi: V1}, expect: greater}]",
        "claims[0].statistic.score: found 'bets', expected one of best, weighted, last, middle, first third, "
        "middle third, last third; did you mean best?",
    ),
    (
        "[{id: A, statement: so, statistic: {score: best, roi: V1}, expect: greater}]",
        "A.statistic: found no network named, expected a network here, or in `each`",
    ),
    (
        "[{id: A, statement: so, each: {network: vae}, statistic: {profile: centroid}, "
        "expect: {ordered: {roi: [V1]}}}]",
        "claims[0].expect.ordered.roi: found ['V1'], expected a list of at least 2 items",
    ),
    (
        "[{id: A, statement: so, statistic: {profile: centroid, network: vae, roi: V1}, "
        "expect: {at_least: 0.5}}]",
        "A.expect: found at_least of a centroid, expected one of greater, less, ordered",
    ),
    (
        "[{id: A, statement: so, each: {network: vae, roi: V1}, statistic: {difference: "
        "[{profile: centroid}, {score: best}]}, expect: greater}]",
        "A.statistic: found centroid with score, expected readings in one unit",
    ),
    (
        "[{id: A, statement: so, statistic: {score: best, network: vae, roi: [V1, LO]}, expect: greater}]",
        "A.statistic.roi: found a list, expected one ROI, or {mean: [...]}; compare alone joins several",
    ),
    (
        "[{id: A, statement: so, statistic: {score: last, network: {pair: first}, roi: V1}, expect: less}]",
        "A.statistic: found {pair: ...}, expected a `pair` in `each`",
    ),
    (
        f"[{{id: A, {ONE}, expect: {{equivalent: 1.5, of: {{score: best, network: vae, roi: V1}}}}}}]",
        "A.expect.equivalent: found 1.5, expected a number < 1: the rule must reject what it is compared",
    ),
    (
        f"[{{id: A, {ONE}, expect: {{same_sign: {{measure: [rsa]}}}}}}]",
        "claims[0].expect.same_sign.measure: found ['rsa'], expected a list of at least 2 items",
    ),
    (
        "[{id: A, statement: so, statistic: {score: best, network: vae, roi: V1, measure: rsa}, "
        "expect: {same_sign: {measure: [rsa, encoding]}}}]",
        "A.statistic: found a measure beside same_sign, expected none: same_sign names the measures",
    ),
    (
        "[{id: A, statement: so, statistic: {profile: centroid, network: {new_seed: vae}, roi: V1}, "
        "expect: less}]",
        "A.statistic.network: found new_seed of a centroid, expected of score, slope, curvature",
    ),
    (
        "[{id: A, statement: so, statistic: {network: {new_seed: vae}, roi: V1, difference: "
        "[{profile: centroid, network: resnet18}, {profile: centroid}]}, expect: less}]",
        "A.statistic.network: found new_seed of a centroid, expected of score, slope, curvature",
    ),
    (
        "[{id: A, statement: so, statistic: {profile: centroid, roi: V1}, "
        "expect: {ordered: {network: [resnet18, {new_seed: vae}]}}}]",
        "A.statistic.network: found new_seed of a centroid, expected of score, slope, curvature",
    ),
]


@pytest.mark.parametrize(("text", "expected"), BAD)
def test_fault_in_a_file_of_claims_is_one_line(tmp_path, text, expected):
    message = message_of(claims_in, tmp_path, text)
    assert message.startswith("resources/claims/mine.yaml: ")
    assert expected in message


@pytest.mark.parametrize("name", claim_names(ROOT))
def test_every_file_of_claims_is_valid(name):
    assert load_claims(name, ROOT)["claims"]


def test_the_claims_of_the_page_are_valid(tmp_path):
    """Those of later measures, and the example of the grammar."""
    page = (ROOT / "docs/claims.md").read_text()
    blocks = [text for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if text.startswith("title:")]
    assert len(blocks) == 2
    (tmp_path / "resources/claims").mkdir(parents=True)
    for block in blocks:
        (tmp_path / "resources/claims/page.yaml").write_text(block)
        found = load_claims("page", tmp_path)
    assert [claim["id"] for claim in found["claims"]] == ["H9"]
    assert [claim["measure"] for claim in found["claims"]] == ["rsa"]


# ---- what a statistic means ------------------------------------------------------------------------------


def estimate_of(statistic, of=None):
    of = of or study()
    scope = Scope(of.cast)
    return value_of(of, terms(statistic, scope)).value


def held(name, roi, candidate="all"):
    of = study().models[name]
    return of.heldout.estimate[["V1", "LO"].index(roi), of.candidates.index(candidate)]


def test_an_interaction_of_network_and_roi():
    cells = [{"score": "best", "network": n, "roi": r} for n in ("simclr", "vae") for r in ("LO", "V1")]
    found = estimate_of({"difference": [{"difference": cells[:2]}, {"difference": cells[2:]}]})
    ssl, vae = (held(name, "LO") - held(name, "V1") for name in ("simclr", "vae"))
    assert found == pytest.approx(ssl - vae)
    assert label_of({"difference": [{"difference": cells[:2]}, {"difference": cells[2:]}]}) == (
        "difference of difference of held-out best layers"
    )


def test_means_over_networks_rois_and_families():
    of = study()
    of.cast = Cast({"resnet18": "task-optimised", "resnet50": "task-optimised"}, ROLES, {})
    mean = {"score": {"layer": "layer3"}, "network": {"mean": [{"family": "task-optimised"}]}}
    found = estimate_of(mean | {"roi": {"mean": ["V1", "LO"]}}, of)
    expected = np.mean([of.models[name].scores.estimate[:, 3] for name in ("resnet18", "resnet50")])
    assert found == pytest.approx(expected)


def test_the_mean_of_a_family_generalises_over_lineages():
    """Networks are drawn too: the interval is wide where they differ, and five lineages are needed."""
    of, names = study(), [f"net{k}" for k in range(6)]
    for k, name in enumerate(names):
        of.models[name] = network(EARLY + 0.1 * (k // 2 - 1), LATE, seed=k)
    cast = Cast(dict.fromkeys(names, "self-supervised"), {}, {})
    family = {"score": "best", "roi": "V1", "network": {"mean": {"family": "self-supervised"}}}
    as_they_are = family | {"network": {"mean": names}}
    of.cast, widths = cast, []
    for statistic in (family, as_they_are):
        value = value_of(of, terms(statistic, Scope(cast)))
        assert value.value == pytest.approx(0.5, abs=0.02)
        widths.append(np.diff(value.limits(0.95)).item())
    assert widths[0] > 3 * widths[1]
    interaction = {"difference": [family | {"roi": "LO"}, family]}
    each = [of.models[name].heldout.estimate for name in names]
    found = value_of(of, terms(interaction, Scope(cast))).value
    assert found == pytest.approx(np.mean([one[1, 0] - one[0, 0] for one in each]))
    of.cast = Cast(cast.families, {}, {}, dict.fromkeys(names[:3], "one") | dict.fromkeys(names[3:], "two"))
    with pytest.raises(NoValue, match="2 independent lineages of networks in a family, of at least 5"):
        value_of(of, terms(family, Scope(of.cast)))


def test_a_new_seed_has_the_error_of_a_prediction():
    networks = {"net": network(EARLY, LATE, seed=1)}
    networks |= {f"net@{k}": network(EARLY + 0.05 * k, LATE, seed=k) for k in range(2, 5)}
    of = study(**models_of_seeds(networks))
    widths = []
    for chosen in ({"mean": ["net"]}, {"new_seed": "net"}):
        value = value_of(of, terms({"score": "best", "roi": "V1", "network": chosen}, Scope(of.cast)))
        assert value.value == pytest.approx(0.5 + 0.05 * 9 / 4)
        widths.append(np.diff(value.limits(0.95)).item())
    # of 4 seeds: s^2 (1 + 1/4) in the place of s^2 / 4
    assert widths[1] == pytest.approx(np.sqrt(5) * widths[0], rel=0.05)
    with pytest.raises(NoValue, match="vae has one random seed, which does not tell how much others differ"):
        estimate_of({"score": "best", "roi": "V1", "network": {"new_seed": "vae"}})


def test_errors_of_a_contrast_are_those_of_the_shared_replicates():
    of = study()
    first, second = (of.models[name].heldout.apply(lambda s: s[..., 1, 0]) for name in ("resnet18", "vae"))
    of.models["vae"].heldout.rows += of.models["resnet18"].heldout.rows  # errors in common
    found = value_of(
        of,
        terms(
            {"difference": [{"score": "best", "network": "resnet18"}, {"score": "best", "network": "vae"}]},
            Scope(of.cast, roi="LO"),
        ),
    )
    low, high = found.limits(0.95)
    expected = first.apply(np.subtract, of.models["vae"].heldout.apply(lambda s: s[..., 1, 0])).evaluated()
    assert (low, high) == pytest.approx(expected.interval(0.95)[1:])
    assert found.value == pytest.approx(first.estimate - second.estimate)


def test_an_order_has_a_part_for_each_step(tmp_path):
    text = """
- id: A
  statement: The order holds
  each: {network: resnet18}
  statistic: {profile: slope}
  expect: {ordered: {roi: [V1, LO]}}
- id: B
  statement: The order of networks holds
  statistic: {score: best, roi: V1}
  expect: {ordered: {network: [vae, resnet18, {role: self_supervised}]}}
"""
    found = parts(study(), claims_in(tmp_path, text))
    assert list(found["roi"]) == ["LO - V1", "V1", "V1"]
    assert list(found["models"]) == ["resnet18", "resnet18, vae", "simclr, resnet18"]
    of = study().models["resnet18"].scores.estimate
    rise = profiles.slope(of[1], DEPTH) - profiles.slope(of[0], DEPTH)
    assert found["estimate"].iloc[0] == pytest.approx(rise)
    assert list(found["verdict"]) == ["supported", "supported", "inconclusive"]


def test_at_least_a_share_of_the_ceiling_and_without_one(tmp_path):
    text = """
- id: A
  statement: Half
  each: {roi: [V1, LO]}
  statistic: {score: best, network: vae}
  expect: {at_least: 0.5}
"""
    found = parts(study(ceilings={"V1": GOOD, "LO": UNKNOWN}), claims_in(tmp_path, text))
    assert list(found["verdict"]) == ["contradicted", "untestable"]
    half = GOOD["attainable"] / 2
    assert f"lies below {half:.3f}" in found["reason"].iloc[0]
    assert found["reason"].iloc[1] == "no noise ceiling in LO, so no bound"


def test_a_measure_that_the_study_does_not_have_is_untestable(tmp_path):
    text = f"[{{id: A, {ONE}, measure: encoding, expect: greater}}]"
    found = parts(study(), claims_in(tmp_path, text))
    assert found["reason"].iloc[0] == "the study has no scores of the measure encoding in the test split"
    of = study()
    of.others["encoding", "test"] = {"vae": network(EARLY, LATE)}
    assert parts(of, claims_in(tmp_path, text))["estimate"].iloc[0] == pytest.approx(0.5)


def test_families_of_claims_are_corrected(tmp_path):
    row = "- {id: %s, statement: so, statistic: {score: best, network: vae, roi: %s}, expect: greater}\n"
    text = row % ("A", "V1") + row % ("B", "LO")
    # 2.1 standard errors above 0, and far above: Holm leaves the first, since it is the last in order
    of = study()
    of.models["vae"] = network(np.full(10, 0.021), np.full(10, 0.05))
    for family, expected in (("none", None), ("confirmatory", [0.036, 0.0]), ("exploratory", [0.036, 0.0])):
        table = evaluate([of], claims_in(tmp_path, text, family=family))
        whole = table[table["statistic"] == "overall"]
        assert list(whole["verdict"]) == ["supported", "supported"]
        if expected:
            assert list(whole["p_family"]) == pytest.approx(expected, abs=0.02)
    of.models["vae"] = network(np.full(10, 0.021), np.full(10, 0.021))
    verdicts = {}
    for family in ("none", "confirmatory"):
        table = evaluate([of], claims_in(tmp_path, text, family=family))
        verdicts[family] = list(table[table["statistic"] == "overall"]["verdict"])
    assert verdicts == {"none": ["supported"] * 2, "confirmatory": ["inconclusive"] * 2}


def test_a_claim_is_contradicted_by_a_corrected_test_alone(tmp_path):
    text = """
- {id: A, statement: so, each: {roi: [V1, LO]}, statistic: {score: best, network: vae}, expect: greater}
"""
    of = study()
    of.models["vae"] = network(np.full(10, -0.021), np.full(10, 0.05))
    (whole,) = evaluate([of], claims_in(tmp_path, text)).query("statistic == 'overall'").to_dict("records")
    assert whole["verdict"] == "inconclusive"
    assert "not contradicted after correction" in whole["reason"]
    first = claims_in(tmp_path, text, contradicted_by="any part")
    assert evaluate([of], first).iloc[0]["verdict"] == "contradicted"


# ---- layers ----------------------------------------------------------------------------------------------


def test_thirds_leave_pooled_layers_out():
    shapes = [f"8x{size}x{size}" for size in (32, 32, 16, 16, 8, 8, 4, 4, 4)] + ["512"]
    sets = candidate_layers(np.linspace(0, 1, 10), shapes)
    thirds = [list(sets[name]) for name in ("first third", "middle third", "last third")]
    assert thirds == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert list(sets["last"]) == [9]
    assert list(candidate_layers(np.zeros(1), ["12"])["first third"]) == [0]
    assert 9 in candidate_layers(np.linspace(0, 1, 10))["last third"]


def test_stages_end_at_one_depth():
    def of(blocks):
        sizes = np.repeat([32, 16, 8, 4], blocks)
        return profiles.stage_depth(["8x32x32", *(f"8x{size}x{size}" for size in sizes), "64"])

    (shallow, stages), (deep, others) = of([2, 2, 2, 2]), of([3, 4, 6, 3])
    assert stages == others == 5
    ends = [shallow[np.cumsum([0, 2, 2, 2, 2])[1:]], deep[np.cumsum([0, 3, 4, 6, 3])[1:]]]
    # the first stage holds the stem too
    np.testing.assert_allclose(ends[0][1:] - ends[0][0], (ends[1][1:] - ends[1][0]) * 1.0, atol=0.05)


# ---- the mended rules ------------------------------------------------------------------------------------


def overall_of(of, files=MENDED):
    table = evaluate([of], files)
    return table[table["statistic"] == "overall"].set_index("claim")


def test_the_story_is_told_by_the_mended_rules():
    of = study()
    # middle layers before the last, and yet a rise over the whole
    late = 0.5 - 1.2 * (DEPTH - 0.6) ** 2
    for seed, name in enumerate(("resnet18", "resnet50", "simclr")):
        of.models[name] = network(EARLY, late, seed=seed)
    found = overall_of(of)
    assert (
        found["verdict"].to_dict()
        == dict.fromkeys(["H1", "H2", "H3", "H4", "H5", "H6"], "supported")
        | {
            # the control of this story is as flat as the VAE in LO
        }
    )


def test_an_offset_is_no_change_of_the_trend():
    of = study()
    of.models["resnet50"] = network(EARLY - 0.2, MIDDLE - 0.2, seed=2)
    assert overall_of(of).loc["H3", "verdict"] == "supported"


def test_a_network_that_scores_nothing_shows_no_absence_of_a_trend():
    of = study()
    of.models["vae"] = network(0 * DEPTH, 0 * DEPTH, seed=4)
    found = overall_of(of).loc["H5"]
    assert found["verdict"] == "untestable"
    assert "needs first: held-out best layer of vae" in found["reason"]


def test_a_trend_of_a_flat_reference_cannot_be_missed():
    of = study()
    for name in ("resnet18", "resnet50"):
        of.models[name] = network(FLAT, FLAT, seed=1)
    assert "no assay sensitivity" in overall_of(of).loc["H5", "reason"]


@pytest.mark.parametrize(
    ("slope", "verdict"), [(0.0, "supported"), (0.3, "contradicted"), (0.08, "inconclusive")]
)
def test_the_trend_is_bounded_by_that_of_the_classifiers(slope, verdict):
    """Classifiers fall by .4 in V1 and the bound is a fifth of it: .08."""
    of = study()
    for name in ("resnet18", "resnet50"):
        of.models[name] = network(EARLY, LATE, seed=1)
    of.models["vae"] = network(FLAT + slope * DEPTH, FLAT, seed=4)
    table = evaluate([of], MENDED)
    row = table.query("claim == 'H5' and roi == 'V1' and statistic == 'slope of the profile'")
    assert row["verdict"].item() == verdict


@pytest.mark.parametrize("profile", [EARLY, MIDDLE])
def test_squared_distances_are_without_bias_and_cover(profile):
    """The distance less what errors add, in many samples of which the true one is known."""
    truth = {"a": np.stack([profile, FLAT]), "b": np.stack([EARLY, FLAT]), "c": np.stack([LATE, FLAT])}
    error, found = 0.03, []
    statistic = {"difference": [{"compare": "squared distance", "of": {"network": n}} for n in ("a", "c")]}
    shared = {"with": {"network": "b"}, "roi": ["V1", "LO"], "centred": True}
    statistic["difference"] = [part | shared for part in statistic["difference"]]
    grid = {
        name: profiles.centred_profiles(profiles.on_grid(values, DEPTH)) for name, values in truth.items()
    }
    true = np.mean((grid["a"] - grid["b"]) ** 2) - np.mean((grid["c"] - grid["b"]) ** 2)
    random = np.random.default_rng(0)
    for seed in range(120):
        of = study()
        of.models = {
            name: network(*(values + random.normal(0, error, values.shape)), error, 3 * seed + k)
            for k, (name, values) in enumerate(truth.items())
        }
        value = value_of(of, terms(statistic, Scope(of.cast)))
        low, high = value.limits(0.95)
        found.append((value.value, low <= true <= high))
    values, covered = np.array(found).T
    assert abs(values.mean() - true) < 3 * values.std() / np.sqrt(len(values))
    assert 0.89 <= covered.mean() <= 1


def test_a_match_is_told_where_the_control_is_flat():
    """A correlation has no value there; the distance has one."""
    of = study()
    of.models["untrained"] = network(FLAT, FLAT, seed=9)
    assert overall_of(of).loc["H6", "verdict"] == "supported"


def test_the_distance_of_a_control_is_the_mean_over_its_seeds():
    of, seeds = study(), [network(LATE, FLAT, seed=k) for k in (7, 8)]
    of.models |= dict(zip(("one", "two"), seeds, strict=True))
    control = {"compare": "squared distance", "with": {"network": "resnet18"}, "roi": ["V1", "LO"]}
    near = control | {"of": {"network": "simclr"}}

    def value(named):
        far = control | {"of": {"network": named}}
        return value_of(of, terms({"difference": [near, far]}, Scope(of.cast)))

    apart = value({"mean": ["one", "two"]})
    of.models["raw"] = seeds[0]
    of.seeds["raw"] = seeds
    together = value("raw")
    assert together.value == pytest.approx(apart.value)
    assert together.limits(0.95) == pytest.approx(apart.limits(0.95))


# ---- several measures ------------------------------------------------------------------------------------

ACROSS = {"measures": load_claims("measures", ROOT)}
FLIPPED = {"vae": lambda error: network(EARLY + 0.3, MIDDLE + 0.3, error, seed=4)}


def by_encoding(error=0.01, **other):
    """A study with scores of encoding models, which are those of RSA but for some networks."""
    models = study().models | {name: made(error) for name, made in other.items()}
    ceilings = {"encoding": dict.fromkeys(("V1", "LO"), GOOD)}
    return study(others={("encoding", "test"): models}, other_ceilings=ceilings)


def of_h7(of):
    table = evaluate([of], ACROSS)
    rows = table[table["claim"] == "H7"]
    return rows.iloc[0], rows.iloc[1:]


def test_measures_agree_where_both_tell_the_same_sign():
    whole, own = of_h7(by_encoding())
    assert whole["verdict"] == "supported"
    assert whole["measure"] == "rsa, encoding"
    # by turns, of two networks: centroids, the VAE in two ROIs, SimCLR
    assert list(own["measure"]) == ["rsa", "encoding"] * 8
    assert (own["verdict"] == "supported").all()
    of_rsa, of_encoding = (own[own["measure"] == name].reset_index(drop=True) for name in ("rsa", "encoding"))
    np.testing.assert_array_equal(of_rsa["estimate"], of_encoding["estimate"])


def test_a_sign_against_that_of_rsa_contradicts_and_one_that_is_not_told_does_not():
    whole, own = of_h7(by_encoding(**FLIPPED))
    assert whole["verdict"] == "contradicted"
    against = own[own["verdict"] == "contradicted"]
    assert set(against["measure"]) == {"encoding"}
    assert (against["statistic"] == "difference of held-out best layers").all()
    assert against["reason"].str.endswith("the interval lies below 0, against that of rsa").all()
    whole, own = of_h7(by_encoding(error=2.0, **FLIPPED))
    assert whole["verdict"] == "inconclusive"


def test_an_agreement_that_both_measures_state_below_zero_is_one(tmp_path):
    text = """
    - id: A
      statement: so
      statistic: {profile: slope, network: resnet18, roi: V1}
      expect: {same_sign: {measure: [rsa, encoding]}}
    """
    own = parts(by_encoding(), claims_in(tmp_path, text))
    assert (own["ci_high"] < 0).all()
    assert list(own["verdict"]) == ["supported", "supported"]


def test_claims_have_a_verdict_for_each_other_measure_of_the_study():
    plain, both = evaluate([study()], MENDED), evaluate([by_encoding()], MENDED)
    assert plain["verdict_encoding"].isna().all()
    assert both["verdict_partial_rsa"].isna().all()
    # the same scores give the same verdicts, also those that are bounded by a ceiling
    assert list(both["verdict_encoding"]) == list(both["verdict"]) == list(plain["verdict"])
    other = evaluate([by_encoding(**FLIPPED)], MENDED)
    whole = other[other["statistic"] == "overall"].set_index("claim")
    assert whole.loc["H4", "verdict"] == "supported"
    assert whole.loc["H4", "verdict_encoding"] == "contradicted"


def test_a_claim_that_names_its_measure_has_no_other_verdict():
    table = evaluate([by_encoding()], MENDED | ACROSS)
    assert table.loc[table["claim"] == "H7", "verdict_encoding"].isna().all()
    assert table.loc[table["claim"] == "H1", "verdict_encoding"].notna().all()


def test_without_encoding_models_agreement_is_untestable():
    whole, own = of_h7(study())
    assert whole["verdict"] == "untestable"
    reasons = own.loc[own["measure"] == "encoding", "reason"]
    assert set(reasons) == {"the study has no scores of the measure encoding in the test split"}
