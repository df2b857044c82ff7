"""Verdicts on the claims, and what is read off the profiles."""

import pandas as pd

from cortexrsa.files import job_log, write_table
from cortexrsa.inference.ceilings import ceilings_for_claims
from cortexrsa.inference.claims import Study, evaluate, summarise
from cortexrsa.inference.rsa import PRIMARY, model_scores, read_results

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    claims, inference = settings["claims"], settings["inference"]
    results = read_results(snakemake.input.scores)
    study = Study(
        models={name: model_scores(result, inference["seed"]) for name, result in results.items()},
        rois=[str(roi) for roi in next(iter(results.values()))["roi"].to_numpy()],
        ceilings=ceilings_for_claims(pd.read_csv(snakemake.input.ceilings), PRIMARY),
        roles=claims["models"],
        early=claims["rois"]["early"],
        late=claims["rois"]["late"],
        equivalence=claims["equivalence"],
        confidence=inference["confidence"],
    )
    write_table(snakemake.output.claims, evaluate(study), settings)
    write_table(snakemake.output.profiles, summarise(study), settings)
