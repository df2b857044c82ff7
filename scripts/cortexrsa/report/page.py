"""The page of a study and data set: the answer first, then what it rests on, then every figure."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from cortexrsa.cards import cards_of, claims_of, generalises, load_card, trained_on
from cortexrsa.figures.style import marked, ordered_rois, told_apart
from cortexrsa.formats.columns.ceilings import CEILINGS
from cortexrsa.formats.columns.claims import CLAIMS, PROFILES
from cortexrsa.formats.columns.learning import LEARNING
from cortexrsa.formats.columns.reliability import RELIABILITY
from cortexrsa.formats.columns.scores import SCORES
from cortexrsa.formats.columns.stimuli import STIMULI
from cortexrsa.formats.columns.warnings import WARNINGS
from cortexrsa.formats.tables import Table, read_table
from cortexrsa.inference.ceilings.primary import primary_ceilings
from cortexrsa.inference.names import GROUP
from cortexrsa.networks.learning import unlearned
from cortexrsa.registration import summary
from cortexrsa.report import answer
from cortexrsa.report.answer import listed
from cortexrsa.report.figures import figure
from cortexrsa.report.methods import bibtex, methods, references
from cortexrsa.report.templates import rendered
from cortexrsa.seeds import card_of, variants_of
from cortexrsa.storage import atomic_path

# the headline stands on the first screen; the table of verdicts there replaces its drawing
HEADLINE, INSTEAD = "rois", ("verdicts",)
# regions in the title
MOST = 6
SECTIONS = {
    "Networks compared": ("comparisons",),
    "Training with the brain": ("guided", "guided_tasks"),
    "Measures side by side": ("measures", "measure_ranks", "encoding", "encoding_maps", "rdm_variance"),
    "Layers": ("profiles", "heatmap", "centroids"),
    "Geometry": ("rdms", "mds"),
    "Data quality": ("reliability", "stimuli", "inputs", "masks", "tsnr", "design", "beta_recovery"),
    "Networks": ("learning",),
}


def _table(path: Path, columns: Table) -> pd.DataFrame | None:
    return read_table(path, columns) if path.is_file() else None


def facts(folder: Path, stimuli: Path, rois: list[str]) -> dict:
    """What the answer rests on.

    Parameters
    ----------
    folder : of the results of the study and data set
    stimuli : table of the data set's stimuli
    rois : in their order

    Returns
    -------
    facts : stimuli (count by split), subjects (count), fewer (count by ROI that some subjects lack), voxels
        (mean count by ROI; empty for data sets of RDMs), reliability (median over voxels by ROI, of the test
        stimuli; without those where it is not known)
    """
    splits = read_table(stimuli, STIMULI)["split"].value_counts()
    scores = read_table(folder / "scores.csv", SCORES)
    people = scores[scores["subject"] != GROUP].groupby("roi")["subject"].nunique()
    total = scores.loc[scores["subject"] != GROUP, "subject"].nunique()
    fewer = {roi: int(people[roi]) for roi in rois if people.get(roi, total) < total}
    found = {"stimuli": splits.to_dict(), "subjects": total, "fewer": fewer, "voxels": {}, "reliability": {}}
    voxels = _table(folder / "reliability.csv", RELIABILITY)
    if voxels is not None:
        for roi in rois:
            own = voxels[voxels["roi"] == roi]
            if len(own):
                one_split = own.drop_duplicates(["subject", "voxel"])
                found["voxels"][roi] = round(len(one_split) / own["subject"].nunique())
            known = own.loc[own["split"] == "test", "reliability"].dropna()
            if len(known):
                found["reliability"][roi] = known.median()
    return found


def _networks(models: dict[str, dict], learning: pd.DataFrame | None) -> list[dict]:
    """A row for every network: label, family, what it saw, whether it learned, its source."""
    rows = []
    for name, card in models.items():
        learned = ""
        if learning is not None and (own := learning[learning["model"] == name]).size:
            learned = "; ".join(own["reason"])
        saw = ", ".join(trained_on(card))
        if not saw:
            saw = "" if card["family"] in ("untrained", "baseline") else "not named in its card"
        rows.append(
            {"label": card["label"], "family": card["family"], "saw": saw, "learned": learned}
            | {"citation": card.get("citation", ""), "description": card.get("description", "")}
        )
    return rows


def _warnings(folder: Path) -> list[tuple[str, int]]:
    """Each warning once, with the number of jobs that gave it."""
    table = _table(folder / "warnings.csv", WARNINGS)
    return [] if table is None else list(table["warning"].value_counts(sort=False).items())


def shortfalls(
    models: dict[str, dict], learning: pd.DataFrame | None, ceilings: pd.DataFrame, rois: list[str]
) -> list[str]:
    """What limits the answer itself: networks that did not learn, and regions whose ceiling is not known.

    Parameters
    ----------
    models : label by name, and variant_of where one has the weights of another
    learning : table of the networks that were trained, if any
    ceilings : table of the data set
    rois : in their order
    """
    failed = {} if learning is None else unlearned(learning, variants_of(models))
    told = [f"{models[name]['label']} did not learn: {failed[name]}." for name in models if name in failed]
    bounds = primary_ceilings(ceilings)
    unknown = [roi for roi in rois if not np.isfinite(bounds.get(roi, {}).get("attainable", np.nan))]
    if unknown:
        told.append(f"What a perfect model would attain is not known in {listed(unknown)}.")
    return told


def registration(claims: list[answer.Claim]) -> str:
    """What is said of the registration of the claims, by file."""
    states: dict[str, dict[str, str]] = {}
    for claim in claims:
        states.setdefault(claim.file, {})[claim.name.removeprefix(f"{claim.file} ")] = claim.registered
    return summary(states)


def _sections(folder: Path, root: Path) -> dict[str, list]:
    """Figures by section, those without a section of their own last."""
    files = {path.stem: path for path in sorted((folder / "figures").glob("*.svg"))}
    placed = {name for names in SECTIONS.values() for name in names} | {HEADLINE, *INSTEAD}
    sections = SECTIONS | {"More figures": tuple(name for name in files if name not in placed)}
    return {
        title: [figure(files[name], root) for name in names if name in files]
        for title, names in sections.items()
    }


def page(config: dict, dataset: str, root: Path, results: Path) -> str:
    """The report of a study and data set as one HTML file that needs no other.

    Parameters
    ----------
    config : of the study, checked
    dataset : its name
    root : of the workflow
    results : folder of all results
    """
    folder = results / "studies" / config["study"] / dataset
    datasets, seeds = cards_of(config, root)
    models = told_apart({name: load_card("models", name, root) for name in config["models"]})
    seeds = {name: card | {"label": models[card_of(name)]["label"]} for name, card in seeds.items()}
    table = read_table(folder / "claims.csv", CLAIMS)
    profiles = read_table(folder / "profiles.csv", PROFILES)
    ceilings = read_table(folder / "ceilings.csv", CEILINGS)
    learning = folder / "learning.csv"
    trained = str(learning) if learning.is_file() else None
    claims = answer.claims_of(table, marked(seeds, trained))
    best = answer.best_layers(profiles, ceilings, marked(models, trained))
    rois = ordered_rois(each.roi for each in best)
    known = facts(folder, results / dataset / "stimuli.tsv", rois)
    versions = json.loads((folder / "claims.csv.json").read_text())["versions"]
    sentences = [answer.of_the_best(best, rois)]
    if claims:
        sentences = [answer.of_the_claims(claims), answer.of_the_first(claims), *sentences]
    learned = _table(learning, LEARNING)
    limits = shortfalls(models, learned, ceilings, rois)
    kinds = sorted({bound["kind"] for bound in primary_ceilings(ceilings).values()})
    files, _ = claims_of(config, root)
    headline = folder / "figures" / f"{HEADLINE}.svg"
    return rendered(
        "page.html",
        root,
        study=config["study"],
        dataset=dataset,
        card=datasets[dataset],
        question=[content["title"] for content in files.values()],
        sentences=sentences,
        claims=claims,
        measures=[
            name for name in answer.MEASURES.values() if any(name in claim.verdicts for claim in claims)
        ],
        best=best,
        rois=rois,
        named=listed(rois) if len(rois) <= MOST else f"{len(rois)} regions of the brain",
        headline=figure(headline, root) if headline.is_file() else None,
        facts=known,
        registered=registration(claims),
        generalises=generalises(datasets[dataset], config["inference"]["group"]),
        warnings=[(text, 1) for text in limits] + _warnings(folder),
        sections=_sections(folder, root),
        networks=_networks(models, learned),
        methods=methods(config, datasets[dataset], models, known | {"ceilings": kinds}, versions, files),
        bibtex=bibtex(dataset, datasets[dataset], models, references(config, datasets[dataset]), root),
        tables=sorted(path.name for path in folder.glob("*.csv")),
        versions=versions,
    )


def write_page(config: dict, dataset: str, root: Path, results: Path) -> Path:
    """Write `page` beside the results, and return its place."""
    path = results / "studies" / config["study"] / dataset / "report.html"
    text = page(config, dataset, root, results)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path
