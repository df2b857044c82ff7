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
from cortexrsa.inference.claims.study import Study
from cortexrsa.inference.names import PRIMARY
from cortexrsa.inference.profile_table import summarise
from cortexrsa.inference.settings import Settings, taken_as_fixed
from cortexrsa.inference.study import (
    model_scores,
    models_of_seeds,
    of_rois,
    one_person,
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

    def models_of(k: int, voxels: bool, place: int | None = None) -> dict:
        chosen = {name: own[k] if place is None else one_person(own[k], place) for name, own in parts.items()}
        return models_of_seeds(
            {name: model_scores(own, inference.seed, voxels) for name, own in chosen.items()},
            settings["variants"],
        )

    def of_person(k: int, place: int, person: str) -> Study:
        own = primary_ceilings(ceilings[ceilings["subject"] == person])
        unknown = {roi: {"kind": "unknown"} for roi in studies[k].rois}
        models = models_of(k, voxels=False, place=place)
        return replace(studies[k], **models, ceilings=unknown | own, caveat="", others={}, over_voxels=None)

    # ROIs of other subjects cannot be compared with these: a study for each set of subjects
    studies = [
        Study(
            **models_of(k, voxels=False),
            rois=[str(roi) for roi in part["roi"].to_numpy()],
            ceilings=primary_ceilings(ceilings),
            cast=Cast(settings["families"], roles["networks"], roles["rois"], settings["lineages"]),
            confidence=inference.confidence,
            seed=inference.seed,
            caveat=part.attrs["caveat"],
            smallest_p=smallest_p(read_table(snakemake.input.table, SCORES)),
            unlearned=unlearned(read_table(learning, LEARNING), settings["variants"])
            if (learning := snakemake.input.get("learning"))
            else {},
            others={
                (measure, PRIMARY): models_of_seeds(
                    of_rois(found, list(part["roi"].to_numpy()), inference.seed), settings["variants"]
                )["models"]
                for measure, found in others.items()
            },
            other_ceilings={"encoding": reliability_ceilings(one, list(part["roi"].to_numpy()))}
            if (one := next(iter(encoded.values()), None)) is not None
            else {},
        )
        for k, part in enumerate(next(iter(parts.values())))
    ]
    for k, (study, part) in enumerate(zip(studies, next(iter(parts.values())), strict=True)):
        if samples_voxels(part):
            study.over_voxels = replace(study, **models_of(k, voxels=True), noise=noise_said(part))
    claims = evaluate(studies, settings["claims"], settings["registered"])
    first = next(iter(parts.values()))[0]
    people = [str(person) for person in first["subject"].to_numpy()]
    if len(people) > 1 and taken_as_fixed(first.attrs["subject_effect"], len(people)):
        alone = {
            person: evaluate([of_person(0, place, person), *studies[1:]], settings["claims"])
            for place, person in enumerate(people)
        }
        claims = with_people(claims, alone, inference.confidence)
    write_table(snakemake.output.claims, claims, settings, CLAIMS)
    profiles = pd.concat([summarise(study) for study in studies], ignore_index=True)
    write_table(snakemake.output.profiles, profiles, settings, PROFILES)
