"""What a study found, in a few sentences and in the table of its claims."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cortexrsa.formats.columns.claims import OTHER_MEASURES
from cortexrsa.inference.ceilings.primary import primary_ceilings
from cortexrsa.inference.claims.words import MEASURES, evidence, labelled, place, with_interval

# numbers in a sentence
MOST = 4
ORDER = ("supported", "contradicted", "inconclusive", "untestable")


@dataclass(frozen=True)
class Part:
    """A part of a claim: what was estimated where, what came out, and what follows."""

    statistic: str
    place: str
    evidence: str
    verdict: str


@dataclass(frozen=True)
class Claim:
    """A claim as a whole.

    Attributes
    ----------
    file, name, statement : of the claim; names that stand in several files have that of the file before them
    measures : whose scores it is made of, in words
    verdicts : by the measure; of a claim of several measures, by the first of them
    reason : of the verdict, in words
    registered : what is said of its registration
    parts : what it rests on
    """

    file: str
    name: str
    statement: str
    measures: str
    verdicts: dict[str, str]
    reason: str
    registered: str
    parts: list[Part]


def claims_of(table: pd.DataFrame, models: dict[str, dict]) -> list[Claim]:
    """The claims of a study.

    Parameters
    ----------
    table : `claims.csv`
    models : label and family by model name
    """
    found = []
    ambiguous = table.groupby("claim")["file"].nunique().max() > 1
    for (file, claim), rows in table.groupby(["file", "claim"], sort=False):
        whole = rows[rows["statistic"] == "overall"].iloc[0]
        details = rows[rows["statistic"] != "overall"]
        named = details["measure"].nunique() > 1
        parts = [
            Part(row["statistic"], place(row, models, named), labelled(evidence(row), models), row["verdict"])
            for _, row in details.iterrows()
        ]
        own = [MEASURES[measure] for measure in whole["measure"].split(", ")]
        others = {MEASURES[other]: whole[f"verdict_{other}"] for other in OTHER_MEASURES}
        verdicts = {own[0]: whole["verdict"]} | {
            other: verdict for other, verdict in others.items() if verdict
        }
        reason = labelled(whole["reason"], models)
        said = whole["statement"], " and ".join(own), verdicts, reason, whole["registered"], parts
        found.append(Claim(file, f"{file} {claim}" if ambiguous else claim, *said))
    return found


def listed(names: list[str]) -> str:
    """Names in a sentence.

    Examples
    --------
    >>> listed(["V1", "V2", "LO"])
    'V1, V2 and LO'
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def of_the_claims(claims: list[Claim]) -> str:
    """How many claims have which verdict, and which they are.

    Examples
    --------
    >>> verdicts = {"RSA": "supported"}
    >>> of_the_claims([Claim("", name, "", "RSA", verdicts, "", "", []) for name in ("H1", "H2")])
    'Of 2 claims 2 are supported (H1 and H2).'
    """
    verdicts = [next(iter(claim.verdicts.values())) for claim in claims]
    said = []
    for verdict, count in sorted(Counter(verdicts).items(), key=lambda item: ORDER.index(item[0])):
        names = [claim.name for claim, own in zip(claims, verdicts, strict=True) if own == verdict]
        said.append(f"{count} {'is' if count == 1 else 'are'} {verdict} ({listed(names)})")
    return f"Of {len(claims)} claim{'s' * (len(claims) > 1)} {listed(said)}."


def of_the_first(claims: list[Claim]) -> str:
    """The first claim, its verdict, and the numbers of the first statistic that comes to this verdict.

    Parts of this statistic that come to another verdict are left out: they do not speak for it.
    """
    first = claims[0]
    verdict = next(iter(first.verdicts.values()))
    told = f"{first.name} ({first.statement}) is {verdict}"
    telling = next((part.statistic for part in first.parts if part.verdict == verdict), None)
    own = [part for part in first.parts if part.statistic == telling and part.verdict == verdict]
    if not own or verdict == "untestable":
        return f"{told}: {first.reason}."
    shown = own[:MOST]
    numbers = [f"{part.evidence} for {part.place}" if part.place else part.evidence for part in shown]
    more = f" ({len(own) - MOST} more in the table)" if len(own) > MOST else ""
    return f"{told}. Its {telling}: {'; '.join(numbers)}{more}."


@dataclass(frozen=True)
class Best:
    """The best layer of a network in a ROI: score on held-out stimuli, share of what is attainable, centroid.

    Attributes
    ----------
    model : its label
    roi : region of interest
    score, centroid : in words, with their intervals; empty where there is none, the centroid of a network
        of one layer
    value : of the score
    share : of the attainable score, in words; empty where it is not known
    """

    model: str
    roi: str
    score: str
    centroid: str
    value: float
    share: str


def best_layers(profiles: pd.DataFrame, ceilings: pd.DataFrame, models: dict[str, dict]) -> list[Best]:
    """The best layer of every network in every ROI, the highest score first in each.

    Parameters
    ----------
    profiles, ceilings : tables of the data set
    models : label and family by model name
    """
    bounds = primary_ceilings(ceilings)
    centroids = profiles[profiles["statistic"] == "depth centroid"].set_index(["model", "roi"])
    found = []
    for _, row in profiles[profiles["statistic"] == "held-out best layer"].iterrows():
        key = row["model"], row["roi"]
        limits = ["estimate", "ci_low", "ci_high"]
        centroid = ""
        if key in centroids.index:
            numbers = centroids.loc[key, limits]
            centroid = with_interval(*numbers) if np.isfinite(numbers["estimate"]) else "no score above 0"
        score = with_interval(*row[limits]) if np.isfinite(row["estimate"]) else ""
        attainable = bounds.get(row["roi"], {}).get("attainable", np.nan)
        share = f"{100 * row['estimate'] / attainable:.0f} %" if score and attainable > 0 else ""
        label = models[row["model"]]["label"] if row["model"] in models else row["model"]
        found.append(Best(label, row["roi"], score, centroid, row["estimate"], share))
    return sorted(found, key=lambda best: (best.roi, -np.nan_to_num(best.value, nan=-np.inf)))


def of_the_best(best: list[Best], rois: list[str]) -> str:
    """Which network has the highest score in each ROI."""
    said = []
    for roi in rois:
        own = [each for each in best if each.roi == roi and each.score]
        if own:
            share = f", {own[0].share} of what is attainable" if own[0].share else ""
            said.append(f"that of {own[0].model} in {roi} ({own[0].score}{share})")
    if not said:
        return "No network has a score on stimuli that were not used to choose its layer."
    return f"On held-out stimuli, the highest score of a network's best layer is {listed(said)}."
