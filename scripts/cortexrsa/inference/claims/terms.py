"""What a statistic of a claim is made of: a weighted sum of readings of single networks in single ROIs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from cortexrsa.claim_names import Cast, Unplayed

# how readings are named in the table
READINGS = {
    "centroid": "depth centroid",
    "slope": "slope of the profile",
    "curvature": "curvature of the profile",
    "largest difference": "largest difference of profiles",
    "correlation": "disattenuated profile correlation",
    "squared distance": "squared distance of profiles",
}
LAYERS = {
    "best": "held-out best layer",
    "weighted": "held-out weighted layers",
    "last": "last layer",
    "middle": "held-out best middle layer",
    "first third": "held-out best layer of the first third",
    "middle third": "held-out best layer of the middle third",
    "last third": "held-out best layer of the last third",
}
COMPARED = ("largest difference", "correlation", "squared distance")


@dataclass(frozen=True)
class Reading:
    """One number read off the scores of a network, or off those of two.

    Attributes
    ----------
    kind : score, or a key of `READINGS`
    network, other : names; other of `COMPARED` alone
    rois, other_rois : labels; of `COMPARED` several may be joined
    layer : of a score, a key of `LAYERS` or ("layer", NAME)
    measure, split : of the scores
    depth : relative or stage: how the layers of two profiles are matched
    centred : whether each profile is taken about its mean
    family : of which the network is a member by chance, where the claim is about the family's mean
    new_seed : whether the network is taken with a random seed of which its own are a sample
    """

    kind: str
    network: str
    rois: tuple[str, ...]
    other: str = ""
    other_rois: tuple[str, ...] = ()
    layer: str | tuple[str, str] = ""
    measure: str = "rsa"
    split: str = "test"
    depth: str = "relative"
    centred: bool = False
    family: str = ""
    new_seed: bool = False


@dataclass(frozen=True)
class Scope:
    """What a statistic means where it does not say: the networks and the ROI of the part.

    Attributes
    ----------
    cast : see `claim_names.Cast`
    network, roi : of the part, or None
    pair : two networks, or None
    measure, split : of the claim
    seeds : as many random seeds as each network of the claim needs
    """

    cast: Cast
    network: object = None
    roi: object = None
    pair: tuple[str, str] | None = None
    measure: str = "rsa"
    split: str = "test"
    seeds: int = 1

    def within(self, node: dict) -> Scope:
        """The scope inside a part of a statistic that says more."""
        said = {key: node[key] for key in ("network", "roi", "measure", "split") if key in node}
        return replace(self, **said)

    def networks(self, chosen: object) -> list[str]:
        """Names of one network, or of several over which a reading is averaged."""
        if chosen is None:
            raise Unplayed("no network is named")
        if isinstance(chosen, dict) and "pair" in chosen:
            return [self.pair[chosen["pair"] == "second"]]
        if isinstance(chosen, dict) and "mean" in chosen:
            return self.cast.members(chosen["mean"])
        if isinstance(chosen, dict) and "new_seed" in chosen:
            return self.cast.members(chosen["new_seed"])
        return _alone(self.cast.members(chosen), chosen, "network")

    def places(self, chosen: object) -> list[tuple[str, ...]]:
        """ROIs of a reading: joined ones in one tuple, several over which it is averaged in one each."""
        if chosen is None:
            raise Unplayed("no ROI is named")
        if isinstance(chosen, list):
            return [tuple(self.cast.played(chosen, "roi"))]
        if isinstance(chosen, dict) and "mean" in chosen:
            return [(roi,) for roi in self.cast.played(chosen["mean"], "roi")]
        return [(_alone(self.cast.members(chosen, "roi"), chosen, "roi")[0],)]


def _alone(names: list[str], chosen: object, kind: str) -> list[str]:
    if len(names) > 1:
        noun = "ROIs" if kind == "roi" else "networks"
        raise Unplayed(f"{_said(chosen)} has {len(names)} {noun}: write each, or {{mean: ...}}")
    return names


def _said(chosen: object) -> str:
    """A set as a claim has it, in words."""
    if isinstance(chosen, dict):
        ((key, name),) = chosen.items()
        return f"{key} {name}"
    return str(chosen)


def _family(chosen: object) -> str:
    """The family whose mean a set of networks is, if it is one."""
    of = chosen.get("mean") if isinstance(chosen, dict) else None
    return of.get("family", "") if isinstance(of, dict) else ""


def _nodes(statistic: dict, scope: Scope, weight: float = 1.0) -> Iterator[tuple[float, dict, Scope]]:
    """The readings that a statistic is made of, as it writes them, with their weights and scopes."""
    scope = scope.within(statistic)
    if "difference" in statistic:
        first, second = statistic["difference"]
        yield from _nodes(first, scope, weight)
        yield from _nodes(second, scope, -weight)
    elif "mean" in statistic:
        for part in statistic["mean"]:
            yield from _nodes(part, scope, weight / len(statistic["mean"]))
    else:
        yield weight, statistic, scope


def kind_of(node: dict) -> str:
    """What a single reading is: score, or a key of `READINGS`."""
    return "score" if "score" in node else node.get("profile") or node["compare"]


def kinds(statistic: dict) -> set[str]:
    """All kinds of reading in a statistic."""
    return {kind_of(node) for _, node, _ in _nodes(statistic, Scope(Cast()))}


def _sides(node: dict, scope: Scope) -> list[tuple[object, object]]:
    """Network and ROI of a reading, as the claim has them; two of each for a comparison."""
    if kind_of(node) not in COMPARED:
        return [(scope.network, scope.roi)]
    found = []
    for key, member in (("of", "first"), ("with", "second")):
        side = node.get(key, {})
        default = {"pair": member} if scope.pair and "network" not in node else scope.network
        found.append((side.get("network", default), side.get("roi", scope.roi)))
    return found


def terms(statistic: dict, scope: Scope) -> list[tuple[float, Reading]]:
    """The weighted readings that a statistic is the sum of.

    Raises
    ------
    Unplayed : the study has nobody for a part of it.
    """
    found = []
    for weight, node, inner in _nodes(statistic, scope):
        options = {"kind": kind_of(node), "measure": inner.measure, "split": inner.split}
        if "score" in node:
            layer = node["score"]
            options["layer"] = layer if isinstance(layer, str) else ("layer", layer["layer"])
        options |= {key: node[key] for key in ("depth", "centred") if key in node}
        options["family"] = next(filter(None, (_family(network) for network, _ in _sides(node, inner))), "")
        options["new_seed"] = isinstance(inner.network, dict) and "new_seed" in inner.network
        sides = [(inner.networks(network), inner.places(roi)) for network, roi in _sides(node, inner)]
        made = [{}]
        for (networks, places), names in zip(
            sides, (("network", "rois"), ("other", "other_rois")), strict=False
        ):
            made = [
                one | dict(zip(names, (network, place), strict=True))
                for one in made
                for network in networks
                for place in places
            ]
        if len(sides) == 2 and sides[0][1] == sides[1][1]:
            # a mean over ROIs is of comparisons within each
            made = [one for one in made if one["rois"] == one["other_rois"]]
        found += [(weight / len(made), Reading(**options, **one)) for one in made]
    return found


def compares_rois(found: list[tuple[float, Reading]]) -> bool:
    """Whether a sum of readings sets ROIs against each other, and is no mean over them.

    Examples
    --------
    >>> early, late = (Reading("slope", "resnet18", (roi,)) for roi in ("V1", "LO"))
    >>> compares_rois([(1.0, late), (-1.0, early)]), compares_rois([(0.5, late), (0.5, early)])
    (True, False)
    """
    rois = {roi for _, reading in found for roi in (*reading.rois, *reading.other_rois)}
    weights: dict[tuple, dict[str, float]] = {}
    for weight, reading in found:
        if reading.other_rois and set(reading.rois) != set(reading.other_rois):
            return True
        # what is said of one ROI alone must be said of each, in the same measure
        own = weights.setdefault(replace(reading, rois=(), other_rois=()), dict.fromkeys(rois, 0.0))
        for roi in reading.rois:
            own[roi] += weight
    return any(max(own.values()) - min(own.values()) > 1e-9 for own in weights.values())


def networks_of(statistic: dict, scope: Scope) -> list[str]:
    """Names of all networks of a statistic, in its order, as far as the study has any."""
    found = []
    for _, node, inner in _nodes(statistic, scope):
        for network, _ in _sides(node, inner):
            try:
                found += inner.networks(network)
            except Unplayed:
                continue
    return list(dict.fromkeys(found))


def measures_of(statistic: dict, scope: Scope) -> str:
    """Names of the measures that a statistic is made of, joined by a comma."""
    return ", ".join(dict.fromkeys(inner.measure for _, _, inner in _nodes(statistic, scope)))


def place_of(statistic: dict, scope: Scope) -> str:
    """ROIs of a statistic in words: LO, V1 and LO, LO - V1; empty where one is missing."""
    scope = scope.within(statistic)
    if "difference" in statistic:
        first, second = (place_of(part, scope) for part in statistic["difference"])
        if not first or not second:
            return ""
        return first if first == second else f"{first} - {second}"
    if "mean" in statistic:
        parts = [place_of(part, scope) for part in statistic["mean"]]
    else:
        try:
            parts = [
                roi for _, chosen in _sides(statistic, scope) for own in scope.places(chosen) for roi in own
            ]
        except Unplayed:
            return ""
    return " and ".join(dict.fromkeys(parts))


def label_of(statistic: dict) -> str:
    """A statistic in words, without its networks and ROIs."""
    if "difference" in statistic:
        first, second = (label_of(part) for part in statistic["difference"])
        if first != second:
            return f"{first} - {second}"
        return f"difference of {first}" if "difference" in first else f"difference of {_plural(first)}"
    if "mean" in statistic:
        return f"mean of {' and '.join(dict.fromkeys(_plural(label_of(part)) for part in statistic['mean']))}"
    if "score" in statistic:
        layer = statistic["score"]
        return LAYERS[layer] if isinstance(layer, str) else f"layer {layer['layer']}"
    label = READINGS[kind_of(statistic)]
    if statistic.get("centred"):
        label = label.replace("profiles", "centred profiles")
    return label + (", by stage" if statistic.get("depth") == "stage" else "")


def _plural(label: str) -> str:
    head, _, rest = label.partition(" of the profile")
    if rest or label.endswith(" of the profile"):
        return f"{head}s of the profile{rest}"
    head, _, rest = label.partition(" of the ")
    if rest:
        return f"{head}s of the {rest}"
    return label if label.endswith("s") else f"{label}s"
