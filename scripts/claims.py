"""Verdicts on the claims, and what is read off the profiles."""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from cortexrsa.claim_names import Cast
from cortexrsa.formats.columns.ceilings import CEILINGS
from cortexrsa.formats.columns.claims import CLAIMS, PROFILES
from cortexrsa.formats.columns.learning import LEARNING
from cortexrsa.formats.columns.scores import SCORES
from cortexrsa.formats.netcdf import read_dataset
from cortexrsa.formats.tables import read_table, write_table
from cortexrsa.inference.ceilings.primary import primary_ceilings
from cortexrsa.inference.claims.evaluate import evaluate
from cortexrsa.inference.claims.people import with_people
from cortexrsa.inference.claims.study import Guidance, Study
from cortexrsa.inference.names import PRIMARY
from cortexrsa.inference.profile_table import summarise
from cortexrsa.inference.settings import Settings, few_people, taken_as_fixed
from cortexrsa.inference.study import (
    model_scores,
    models_of_seeds,
    of_people,
    of_rois,
    parts_of,
    read_results,
    reliability_ceilings,
    samples_voxels,
    smallest_p,
)
from cortexrsa.inference.voxels import noise_said
from cortexrsa.jobs import job_log
from cortexrsa.networks.learning import unlearned

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    inference, roles = Settings(**settings["inference"]), settings["roles"]
    results = read_results(snakemake.input.scores)
    ceilings = read_table(snakemake.input.ceilings, CEILINGS)
    parts = {name: parts_of(result) for name, result in results.items()}
    encoded = {
        Path(path).stem: read_dataset(path).sel(estimator=settings["encoding"])
        for path in snakemake.input.get("encoding", [])
    }
    matched = {Path(path).stem: read_dataset(path) for path in snakemake.input.get("soft_matching", [])}
    measured = {Path(path).stem: read_dataset(path) for path in snakemake.input.measures}
    # by measure, and by network
    others = {"encoding": encoded, "soft_matching": matched} | {
        measure: {name: result.sel(measure=measure) for name, result in measured.items()}
        for measure in settings["measures"]
    }

    guided = settings.get("guided", {})
    # the seeds of controls are the same draws as those of the network that they control for
    paired = settings["variants"] | {
        control: name for name, own in guided.items() for control in own["controls"]
    }

    def models_of(k: int, voxels: bool, people: list[str] | None = None) -> dict:
        chosen = {
            name: own[k] if people is None else of_people(own[k], people) for name, own in parts.items()
        }
        return models_of_seeds(
            {name: model_scores(own, inference.seed, voxels) for name, own in chosen.items()}, paired
        )

    def of_others(k: int, people: list[str] | None = None) -> dict:
        chosen = {
            measure: {name: own if people is None else of_people(own, people) for name, own in found.items()}
            for measure, found in others.items()
        }
        return {
            (measure, PRIMARY): models_of_seeds(of_rois(found, rois[k], inference.seed), paired)["models"]
            for measure, found in chosen.items()
        }

    def of_person(k: int, person: str) -> Study:
        own = primary_ceilings(ceilings[ceilings["subject"] == person])
        unknown = {roi: {"kind": "unknown"} for roi in studies[k].rois}
        models = models_of(k, voxels=False, people=[person])
        return replace(studies[k], **models, ceilings=unknown | own, caveat="", others={}, over_voxels=None)

    def of_unseen(k: int, trained: list[str] | None) -> Study | None:
        """The study of people that a network was not trained with; None where there are none."""
        part = next(iter(parts.values()))[k]
        people = [str(name) for name in part["subject"].to_numpy()]
        unseen = [name for name in people if trained is not None and name not in trained]
        if not unseen:
            return None
        few = few_people(part.attrs["subject_effect"], len(unseen))
        caveat = "; ".join(
            filter(None, [f"on people that it was not trained with: {', '.join(unseen)}", few])
        )
        return replace(
            studies[k],
            **models_of(k, voxels=False, people=unseen),
            others=of_others(k, unseen),
            caveat=caveat,
            over_voxels=None,
        )

    rois = [[str(roi) for roi in part["roi"].to_numpy()] for part in next(iter(parts.values()))]

    # ROIs of other subjects cannot be compared with these: a study for each set of subjects
    studies = [
        Study(
            **models_of(k, voxels=False),
            rois=rois[k],
            ceilings=primary_ceilings(ceilings),
            cast=Cast(settings["families"], roles["networks"], roles["rois"], settings["lineages"]),
            confidence=inference.confidence,
            seed=inference.seed,
            caveat=part.attrs["caveat"],
            smallest_p=smallest_p(read_table(snakemake.input.table, SCORES)),
            unlearned=unlearned(read_table(learning, LEARNING), settings["variants"])
            if (learning := snakemake.input.get("learning"))
            else {},
            others=of_others(k),
            other_ceilings={"encoding": reliability_ceilings(one, rois[k])}
            if (one := next(iter(encoded.values()), None)) is not None
            else {},
        )
        for k, part in enumerate(next(iter(parts.values())))
    ]
    for k, (study, part) in enumerate(zip(studies, next(iter(parts.values())), strict=True)):
        if samples_voxels(part):
            study.over_voxels = replace(study, **models_of(k, voxels=True), noise=noise_said(part))
    everyone = {str(name) for part in next(iter(parts.values())) for name in part["subject"].to_numpy()}
    for name, own in guided.items():
        unseen, caveat = [of_unseen(k, own["subjects"]) for k in range(len(studies))], ""
        if missing := [roi for k, one in enumerate(unseen) if one is None for roi in rois[k]]:
            unseen, caveat = [], f"on people that it was trained with: no others in {', '.join(missing)}"
        elif own["subjects"] is not None and not everyone & set(own["subjects"]):
            # of another data set nobody has to be left out
            unseen = []
        for study in studies:
            study.guided[name] = Guidance(own["controls"], own["rois"], unseen, caveat)
    claims = evaluate(studies, settings["claims"], settings["registered"])
    first = next(iter(parts.values()))[0]
    people = [str(person) for person in first["subject"].to_numpy()]
    if len(people) > 1 and taken_as_fixed(first.attrs["subject_effect"], len(people)):
        alone = {
            person: evaluate([of_person(0, person), *studies[1:]], settings["claims"]) for person in people
        }
        unseen = tuple(name for name, own in studies[0].guided.items() if own.studies)
        claims = with_people(claims, alone, inference.confidence, unseen)
    write_table(snakemake.output.claims, claims, settings, CLAIMS)
    profiles = pd.concat([summarise(study) for study in studies], ignore_index=True)
    write_table(snakemake.output.profiles, profiles, settings, PROFILES)
