"""Claims about networks that are trained with a brain: one for each, against every control, over seeds."""

from dataclasses import replace

import numpy as np
import pytest
from test_claim_grammar import claims_in
from test_claims import DEPTH, FLAT, ROOT, network, study

from cortexrsa.claim_files import Known, check_claims, load_claims
from cortexrsa.inference.claims.evaluate import evaluate
from cortexrsa.inference.claims.study import Guidance
from cortexrsa.inference.names import PRIMARY
from cortexrsa.inference.study import models_of_seeds
from support import message_of

# two controls will do here
H9 = {"brain_guided": load_claims("brain_guided", ROOT)}
for claim in H9["brain_guided"]["claims"]:
    claim["controls"] = ["unguided", "shuffled"]
CONTROLS = ("unguided", "shuffled")
LATE = 0.1 + 0.2 * DEPTH


def guided_study(gains, seeds=5, apart=0.0, **changes):
    """Networks of several seeds: guided, less than that by a gain the controls, `apart` between seeds."""
    networks = {}
    for k in range(seeds):
        seed = "" if k == 0 else f"@{k + 1}"
        moved = apart * (k - (seeds - 1) / 2)
        networks[f"net{seed}"] = network(FLAT + moved, LATE + moved, seed=k)
        for c, (control, gain) in enumerate(zip(CONTROLS, gains, strict=True)):
            own = network(FLAT + moved, LATE - gain + moved, seed=10 * (c + 1) + k)
            networks[f"net~{control}{seed}"] = own
    found = models_of_seeds(networks, {f"net~{control}": "net" for control in CONTROLS})
    guided = {"net": Guidance([f"net~{control}" for control in CONTROLS], ["LO"])}
    settings = {"others": {("encoding", PRIMARY): found["models"]}, "guided": guided}
    return study(**(found | settings | changes))


def overall(table):
    return table[table["statistic"] == "overall"].set_index("claim")


def test_a_gain_over_every_control_is_supported_and_over_one_is_not():
    found = evaluate([guided_study((0.1, 0.1))], H9)
    whole = overall(found).loc["H9 net"]
    assert whole["verdict"] == "supported"
    assert whole["measure"] == "rsa, encoding"
    assert whole["statement"].startswith("Training with responses from LO makes a network more like LO")
    rows = found[found["statistic"] != "overall"]
    assert list(rows["models"]) == ["net, net~unguided", "net, net~shuffled"] * 2
    np.testing.assert_allclose(rows["estimate"], 0.1)
    # the largest p of all parts
    assert whole["p_family"] == pytest.approx(rows["p"].max())
    for gains in ((0.1, 0.0), (0.0, 0.1), (0.0, 0.0)):
        assert overall(evaluate([guided_study(gains)], H9)).loc["H9 net", "verdict"] == "inconclusive"
    worse = overall(evaluate([guided_study((0.1, -0.1))], H9)).loc["H9 net"]
    assert worse["verdict"] == "contradicted"


def test_without_the_controls_that_matter_it_is_untestable():
    whole = overall(evaluate([guided_study((0.1, 0.1))], {"brain_guided": load_claims("brain_guided", ROOT)}))
    assert whole.loc["H9 net", "verdict"] == "untestable"
    assert "no control of these kinds: spectrum, low_level" in whole.loc["H9 net", "reason"]


def test_seeds_are_paired():
    """What all networks of a seed share is no error of their difference, and of one network it is."""
    rows = evaluate([guided_study((0.1, 0.1), apart=0.2)], H9)
    of_gains = rows[rows["statistic"] != "overall"]
    assert (of_gains["ci_high"] - of_gains["ci_low"] < 0.05).all()
    score = guided_study((0.1, 0.1), apart=0.2).models["net"].heldout
    se = np.sqrt(score.evaluated().variance[1, 0])
    # five seeds in equal steps of .2
    assert se == pytest.approx(0.2 * np.sqrt(2.5 / 5), rel=0.05)


def test_too_few_seeds_are_untestable():
    whole = overall(evaluate([guided_study((0.1, 0.1), seeds=4)], H9)).loc["H9 net"]
    assert whole["verdict"] == "untestable"
    assert "net has 4 random seeds, of at least 5" in whole["reason"]


def test_without_guided_networks_the_claim_is_untestable():
    whole = overall(evaluate([study()], H9)).loc["H9"]
    assert whole["verdict"] == "untestable"
    assert whole["reason"] == "the study has no network that is trained with a brain"


def test_people_whom_the_network_has_not_seen_decide():
    plain = guided_study((0.1, 0.1))
    unseen = replace(guided_study((0.1, 0.0)), caveat="on people that it was not trained with: s4")
    plain.guided["net"] = replace(plain.guided["net"], studies=[unseen])
    whole = overall(evaluate([plain], H9)).loc["H9 net"]
    assert whole["verdict"] == "inconclusive"
    assert whole["reason"].endswith("on people that it was not trained with: s4")


def test_people_whom_the_network_has_seen_are_told_of():
    plain = guided_study((0.1, 0.1), caveat="about these 2 people alone")
    plain.guided["net"] = replace(plain.guided["net"], caveat="on people that it was trained with")
    whole = overall(evaluate([plain], H9)).loc["H9 net"]
    assert whole["reason"].endswith("on people that it was trained with; about these 2 people alone")


def test_registration_is_that_of_the_claim_in_its_file():
    found = evaluate([guided_study((0.1, 0.1))], H9, {"brain_guided": {"H9": "registered"}})
    assert found["registered"].tolist() == ["registered", "", "", "", ""]


def test_the_roles_are_those_of_claims_about_guided_networks_alone(tmp_path):
    roles = {"networks": {}, "rois": {}}
    known = Known(["vae"], ["V1"], ["vae"], ["V1"])
    text = "[{id: A, statement: so, GUIDED statistic: {score: best, roi: V1, network: {role: guided}}, "
    text += "expect: greater}]"
    assert check_claims(claims_in(tmp_path, text.replace("GUIDED", "guided: each,")), roles, known, "c") == []
    message = message_of(check_claims, claims_in(tmp_path, text.replace("GUIDED", "")), roles, known, "c")
    assert "A: found the role 'guided'" in message


@pytest.mark.parametrize(
    ("braces", "guided", "told"),
    [
        ("{late}, {rois} and {{x}}", "", None),
        ("{guided}", "guided: each,", None),
        ("{guided}", "", "{guided}"),
        (
            "{lat}",
            "",
            "{lat}, expected {ROLE} of a ROI, with {{ and }} for braces as such: one of late, rois",
        ),
        ("{}", "", "{}"),
        ("{late.x}", "", "{late.x}"),
        ("{late!r}", "", "{late!r}"),
        ("{late:>9}", "", "{late:>9}"),
        ("x {", "", "Single '{' encountered in format string"),
        ("x }", "", "Single '}' encountered in format string"),
    ],
)
def test_braces_of_a_statement_hold_a_role(tmp_path, braces, guided, told):
    roles, known = {"networks": {}, "rois": {"late": "LO"}}, Known(["vae"], ["LO"], ["vae"], ["LO"])
    text = f'[{{id: A, statement: "{braces}", {guided} statistic: {{score: best, network: vae, roi: LO}}, '
    files = claims_in(tmp_path, text + "expect: greater}]")
    if told is None:
        assert check_claims(files, roles, known, "c") == []
    else:
        assert f"A.statement: found {told}" in message_of(check_claims, files, roles, known, "c")
