"""Claims about networks that are trained with a brain: one for each, on people whom it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cortexrsa.claim_names import CONTROLS, GUIDED
from cortexrsa.inference.claims.study import Study
from cortexrsa.seeds import control_of


@dataclass(frozen=True)
class Asked:
    """A claim as it is evaluated.

    Attributes
    ----------
    claim : its content, whose id names the network where the claim is about a guided one
    studies : that it is evaluated on
    source : id of the claim in its file
    """

    claim: dict
    studies: Sequence[Study]
    source: str


def asked_of(studies: Sequence[Study], claims: Sequence[dict]) -> list[Asked]:
    """All claims, and in the place of one about guided networks one for each of them.

    Parameters
    ----------
    studies : see `evaluate.evaluate`
    claims : of one file
    """
    found = []
    for claim in claims:
        name = claim["id"]
        if "guided" not in claim:
            found.append(Asked(claim, studies, name))
        elif not studies[0].guided:
            found.append(Asked(claim, [_playing(study, None, [], []) for study in studies], name))
        else:
            for network, own in studies[0].guided.items():
                there = own.studies or studies
                played = [_playing(study, network, own.controls, own.rois) for study in there]
                caveats = ["; ".join(filter(None, [own.caveat, study.caveat])) for study in there]
                played = [replace(study, caveat=said) for study, said in zip(played, caveats, strict=True)]
                found.append(Asked(claim | {"id": f"{name} {network}"}, played, name))
    return found


def _playing(study: Study, network: str | None, controls: list[str], rois: list[str]) -> Study:
    """The study, in which a guided network, its controls and its ROIs play their roles."""
    cast = replace(
        study.cast,
        networks=study.cast.networks | {GUIDED: network, CONTROLS: controls},
        rois=study.cast.rois | {GUIDED: rois},
    )
    return replace(study, cast=cast)


def lacking_controls(study: Study, claim: dict) -> str | None:
    """Controls that a claim needs, and that a guided network has not; None: it has all."""
    if not study.cast.networks.get(GUIDED):
        return None
    there = {control_of(network) for network in study.cast.networks[CONTROLS]}
    lacking = [control for control in claim.get("controls", []) if control not in there]
    return f"no control of these kinds: {', '.join(lacking)}" if lacking else None
