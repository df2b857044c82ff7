"""Whom a claim is about: networks and ROIs by name, by role and by family."""

from __future__ import annotations

from dataclasses import dataclass, field

# roles that a claim about guided networks has by itself: such a network and its ROIs, and its controls
GUIDED, CONTROLS = "guided", "controls"


class Unplayed(ValueError):
    """A role that nobody plays, or a family without a network in the study; its text is the reason."""


def words(role: str) -> str:
    """The name of a role as it stands in a sentence: task_optimised is task-optimised."""
    return role.replace("_", "-")


@dataclass(frozen=True)
class Cast:
    """Who plays which part in the claims of a study.

    A set of networks (or of ROIs) is a name, {"role": R}, {"family": F} (of networks alone), or a list of
    sets. A role is a set too, or None where nobody plays it.

    Attributes
    ----------
    families : family of every network of the study, by name
    networks, rois : sets by role
    lineages : of every network: those of one lineage count once where a claim is about a family

    Examples
    --------
    >>> families = {"a": "generative", "b": "untrained"}
    >>> cast = Cast(families, {"control": {"family": "untrained"}}, {"late": "LO"})
    >>> cast.members([{"role": "control"}, "c"])
    ['b', 'c']
    >>> cast.members({"role": "late"}, "roi")
    ['LO']
    """

    families: dict[str, str] = field(default_factory=dict)
    networks: dict = field(default_factory=dict)
    rois: dict = field(default_factory=dict)
    lineages: dict[str, str] = field(default_factory=dict)

    def members(self, chosen: object, kind: str = "network", above: tuple[str, ...] = ()) -> list[str]:
        """Names in a set, each once, in its order; families by name.

        Parameters
        ----------
        chosen : the set
        kind : network or roi
        above : roles that led here

        Raises
        ------
        Unplayed : nobody is in it.
        ValueError : a role that contains itself.
        """
        if isinstance(chosen, str):
            return [chosen]
        if isinstance(chosen, list):
            found = [name for item in chosen for name in self.members(item, kind, above)]
            return list(dict.fromkeys(found))
        ((key, name),) = chosen.items()
        if key == "family":
            found = sorted(network for network, family in self.families.items() if family == name)
            if not found:
                raise Unplayed(f"the study has no {name} network")
            return found
        if name in above:
            raise ValueError(" > ".join([*above, name]))
        value = (self.networks if kind == "network" else self.rois).get(name)
        if value is None or value == []:
            raise Unplayed(self.nobody(name, kind))
        return self.members(value, kind, (*above, name))

    def played(self, chosen: object, kind: str) -> list[str]:
        """`members` of a list of several, without the roles that nobody plays, unless that is all of them."""
        if not isinstance(chosen, list):
            return self.members(chosen, kind)
        found, reasons = [], []
        for item in chosen:
            try:
                found += self.members(item, kind)
            except Unplayed as reason:
                reasons.append(str(reason))
        if not found:
            raise Unplayed("; ".join(dict.fromkeys(reasons)))
        return list(dict.fromkeys(found))

    @staticmethod
    def nobody(role: str, kind: str) -> str:
        """What to say of a role that nobody plays."""
        if role in (GUIDED, CONTROLS):
            return "the study has no network that is trained with a brain"
        noun, place = ("network", "networks") if kind == "network" else ("ROI", "rois")
        return f"the study has no {words(role)} {noun} (roles.{place})"


def sets_in(value: object) -> list[tuple[str, object]]:
    """All sets of a claim (or of a part of it), as pairs of kind (network or roi) and set, in their order."""
    if isinstance(value, list):
        return [found for item in value for found in sets_in(item)]
    if not isinstance(value, dict):
        return []
    found = []
    for key, item in value.items():
        if key not in ("network", "pair", "roi"):
            found += sets_in(item)
            continue
        for one in item if isinstance(item, list) else [item]:
            chosen = one.get("mean", one.get("new_seed", one)) if isinstance(one, dict) else one
            # the first or second of a pair is no set
            if not (isinstance(chosen, dict) and "pair" in chosen):
                found.append(("roi" if key == "roi" else "network", chosen))
    return found
