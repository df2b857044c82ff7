"""Files of claims: read, and checked against the networks, families and ROIs that there are."""

from __future__ import annotations

import string
from dataclasses import dataclass
from pathlib import Path

from cortexrsa.claim_names import CONTROLS, GUIDED, Cast, Unplayed, sets_in
from cortexrsa.errors import InputError, reason, suggestion
from cortexrsa.formats.yaml_files import read_yaml
from cortexrsa.schemas import definition, validate

FOLDER = "resources/claims"
# where the roles of networks and of ROIs stand in the configuration
PLACES = {"network": "networks", "roi": "rois"}
SCORES = ("score", "slope", "curvature")
# what may be said of them, by the kind of their readings
EXPECTED = {
    **dict.fromkeys(SCORES, ("greater", "less", "equivalent", "at_least", "at_most", "ordered", "same_sign")),
    "centroid": ("greater", "less", "ordered", "same_sign"),
    "correlation": ("greater", "less", "ordered", "same_sign"),
    "squared distance": ("greater", "less", "at_most", "same_sign"),
    "largest difference": ("equivalent",),
}


def claim_names(root: str | Path) -> list[str]:
    """Names of the files of claims below the project folder `root`."""
    return sorted(path.stem for path in Path(root, FOLDER).glob("*.yaml"))


def load_claims(name: str, root: str | Path) -> dict:
    """Read `resources/claims/NAME.yaml` below `root`, check it and fill in its defaults.

    Raises
    ------
    InputError : no such file (with the nearest), or a fault in it.
    """
    file = f"{FOLDER}/{name}.yaml"
    content = validate("claims", read_yaml(Path(root, file), file), file)
    seen = set()
    for index, claim in enumerate(content["claims"]):
        if claim["id"] in seen:
            raise InputError(
                f"claims[{index}].id", f"{claim['id']!r} twice", "a name for each claim", file=file
            )
        seen.add(claim["id"])
        tests = claim.get("tests") or [claim]
        for where, test in [("tests", test) for test in tests] + [("requires", t) for t in claim["requires"]]:
            _check_test(test, claim, f"{claim['id']}.{where}" if where in claim else claim["id"], file)
    return content


# ---- what a schema cannot say ----------------------------------------------------------------------------


def _check_test(test: dict, claim: dict, field: str, file: str) -> None:
    """One test: its readings go together, and what is expected can be said of them."""
    statistic, expect = test["statistic"], test["expect"]
    expect = expect if isinstance(expect, dict) else {expect: 0}
    said = [key for key in expect if key != "of"]
    if len(said) != 1:
        expected = "one of greater, less, equivalent, at_least, at_most, ordered, same_sign"
        raise InputError(f"{field}.expect", ", ".join(said) or "only of", expected, file=file)
    (sense,) = said
    if "of" in expect and sense not in ("equivalent", "at_least", "at_most"):
        raise InputError(
            f"{field}.expect.of", f"beside {sense}", "equivalent, at_least or at_most", file=file
        )
    if "of" in expect and sense == "equivalent" and not expect[sense] < 1:
        expected = "a number < 1: the rule must reject what it is compared with"
        raise InputError(f"{field}.expect.equivalent", expect[sense], expected, file=file)
    kinds = set()
    for own in [statistic, *([expect["of"]] if "of" in expect else [])]:
        kinds |= _check_statistic(own, f"{field}.statistic", file)
    units = {"score" if kind in SCORES else kind for kind in kinds}
    if len(units) > 1:
        raise InputError(
            f"{field}.statistic", " with ".join(sorted(units)), "readings in one unit", file=file
        )
    kind = sorted(kinds)[0]
    # wherever the network is named: readings inside a sum, and the steps of an order, take it from there
    if kind not in SCORES and _names_new_seed([statistic, expect]):
        found = f"new_seed of a {kind}"
        raise InputError(f"{field}.statistic.network", found, f"of {', '.join(SCORES)}", file=file)
    if sense not in EXPECTED[kind]:
        raise InputError(
            f"{field}.expect", f"{sense} of a {kind}", suggestion(sense, EXPECTED[kind]), file=file
        )
    if kind == "largest difference" and "compare" not in statistic:
        raise InputError(f"{field}.statistic", "a largest difference in a sum", "one alone", file=file)
    if sense == "same_sign" and _names_measure(statistic):
        expected = "none: same_sign names the measures"
        raise InputError(f"{field}.statistic", "a measure beside same_sign", expected, file=file)
    _check_bound(test, claim, sense, field, file)


def _names_measure(statistic: dict) -> bool:
    """Whether a statistic says of any of its readings which measure it is of."""
    parts = [part for key in ("difference", "mean") for part in statistic.get(key, [])]
    return "measure" in statistic or any(map(_names_measure, parts))


def _names_new_seed(value: object) -> bool:
    """Whether a network of any part is one of a new seed."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return "new_seed" in _keys(value) or any(map(_names_new_seed, parts))


def _check_statistic(statistic: dict, field: str, file: str) -> set[str]:
    """Kinds of the readings of a statistic; keys of comparisons stand at comparisons alone."""
    for key in ("difference", "mean"):
        if key in statistic:
            found = set()
            for index, part in enumerate(statistic[key]):
                found |= _check_statistic(part, f"{field}.{key}[{index}]", file)
            return found
    for key in ("of", "with", "depth", "centred"):
        if key in statistic and "compare" not in statistic:
            raise InputError(f"{field}.{key}", "no compare beside it", "a key of compare alone", file=file)
    kind = "score" if "score" in statistic else statistic.get("profile") or statistic["compare"]
    if "compare" not in statistic and isinstance(statistic.get("roi"), list):
        raise InputError(
            f"{field}.roi", "a list", "one ROI, or {mean: [...]}; compare alone joins several", file=file
        )
    if kind == "correlation" and ("depth" in statistic or "centred" in statistic):
        raise InputError(
            f"{field}.{'depth' if 'depth' in statistic else 'centred'}",
            "beside correlation",
            "no such key: profiles are centred, by relative depth",
            file=file,
        )
    return {kind}


def _check_bound(test: dict, claim: dict, sense: str, field: str, file: str) -> None:
    """Networks and ROIs that a statistic takes from `each` are bound there, or in an order."""
    bound = {key for one in (claim["each"], test.get("each", {})) for key in one}
    if sense == "ordered":
        bound |= set(test["expect"]["ordered"])

    def check(node: dict, bound: set[str]) -> None:
        bound = bound | ({"network", "roi"} & set(node))
        parts = [part for key in ("difference", "mean") for part in node.get(key, [])]
        for part in parts:
            check(part, bound)
        if parts:
            return
        chosen = [node.get(side, {}) for side in ("of", "with")] if "compare" in node else [{}]
        for own in chosen:
            for key in ("network", "roi"):
                if key in bound or key in own or (key == "network" and "pair" in bound and "compare" in node):
                    continue
                expected = f"a {key} here, or in `each`"
                raise InputError(f"{field}.statistic", f"no {key} named", expected, file=file)
        pairs = [one for one in [node, *chosen] if "pair" in _keys(one.get("network"))]
        if pairs and "pair" not in bound:
            raise InputError(f"{field}.statistic", "{pair: ...}", "a `pair` in `each`", file=file)

    check(test["statistic"], bound)
    if isinstance(test["expect"], dict) and "of" in test["expect"]:
        check(test["expect"]["of"], bound)


def _keys(value: object) -> list[str]:
    return list(value) if isinstance(value, dict) else []


# ---- against a study -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Known:
    """The names that claims and roles may have.

    Attributes
    ----------
    models, rois : of any card of the project
    models_here, rois_here : of the study
    """

    models: list[str]
    rois: list[str]
    models_here: list[str]
    rois_here: list[str]


def check_claims(files: dict[str, dict], roles: dict, known: Known, file: str | Path) -> list[str]:
    """Check the names in roles and claims, and tell which claims a study cannot test.

    Parameters
    ----------
    files : claims by the name of their file
    roles : of the configuration: networks and rois
    file : name of the configuration file, for an error

    Returns
    -------
    told : a line for each role, and each claim, about a network or a ROI that the study does not have

    Raises
    ------
    InputError : a network, family, role or ROI that there is not (with the nearest); a role that contains
        itself, or that claims about guided networks bring; a statement whose braces hold no role.
    """
    told = []
    for kind, place in PLACES.items():
        for role, value in roles[place].items():
            field = f"roles.{place}.{role}"
            if role in (GUIDED, CONTROLS):
                expected = "another name: claims about guided networks bring this role"
                raise InputError(field, f"the role {role!r}", expected, file=file)
            for one in _flat(value):
                _check_name(one, kind, roles, known, field, file)
            _check_circle(role, kind, roles, field, file)
            told += _absent(_flat(value), kind, known, f"{file}: {field}")
    for name, content in files.items():
        source = f"{FOLDER}/{name}.yaml"
        for claim in content["claims"]:
            own = _roles_in(claim, roles)
            _check_statement(claim, [*own["rois"], "rois"], source)
            for kind, chosen in sets_in(claim):
                for one in _flat(chosen):
                    _check_name(one, kind, own, known, claim["id"], source)
                    told += _absent([one], kind, known, f"{source}: {claim['id']}")
    return list(dict.fromkeys(told))


def _roles_in(claim: dict, roles: dict) -> dict:
    """The roles that a claim may name: one about guided networks brings its own."""
    if "guided" not in claim:
        return roles
    own = {"networks": {GUIDED: None, CONTROLS: None}, "rois": {GUIDED: None}}
    return {place: roles[place] | more for place, more in own.items()}


def _check_statement(claim: dict, roles: list[str], file: str) -> None:
    """Braces of a statement hold a role of a ROI, or `rois`: anything else could not be filled in."""
    field, expected = f"{claim['id']}.statement", "{ROLE} of a ROI, with {{ and }} for braces as such"
    try:
        parts = list(string.Formatter().parse(claim["statement"]))
    except ValueError as error:
        raise InputError(field, reason(error), expected, file=file) from error
    for _, name, form, conversion in parts:
        if name is not None and (name not in roles or form or conversion):
            found = name + f"!{conversion}" * bool(conversion) + f":{form}" * bool(form)
            raise InputError(field, f"{{{found}}}", f"{expected}: {suggestion(name, roles)}", file=file)


def _flat(value: object) -> list:
    if value is None:
        return []
    return [one for item in value for one in _flat(item)] if isinstance(value, list) else [value]


def _check_name(one: object, kind: str, roles: dict, known: Known, field: str, file: str | Path) -> None:
    """A single name, role or family is one that there is."""
    if isinstance(one, str):
        noun, possible = ("network", known.models) if kind == "network" else ("ROI", known.rois)
        if one not in possible:
            raise InputError(field, f"the {noun} {one!r}", suggestion(one, possible), file=file)
        return
    ((key, name),) = one.items()
    if key == "family":
        families = definition("models", "family")["enum"]
        if name not in families:
            raise InputError(field, f"the family {name!r}", suggestion(name, families), file=file)
    elif name not in roles[PLACES[kind]]:
        possible = sorted(roles[PLACES[kind]])
        expected = f"a role of roles.{PLACES[kind]}: {suggestion(name, possible)}"
        raise InputError(field, f"the role {name!r}", expected, file=file)


def _check_circle(role: str, kind: str, roles: dict, field: str, file: str | Path) -> None:
    try:
        Cast({}, roles["networks"], roles["rois"]).members({"role": role}, kind)
    except Unplayed:
        return
    except ValueError as circle:
        raise InputError(
            field, f"a circle, {circle}", "a role that does not contain itself", file=file
        ) from circle


def _absent(chosen: list, kind: str, known: Known, where: str) -> list[str]:
    """A line, where networks or ROIs are known ones but not of this study."""
    here = known.models_here if kind == "network" else known.rois_here
    missing = [one for one in chosen if isinstance(one, str) and one not in here]
    place = "models" if kind == "network" else f"the ROIs of the data sets ({', '.join(here)})"
    return [f"{where}: {name} is not in {place}: claims about it are untestable" for name in missing]
