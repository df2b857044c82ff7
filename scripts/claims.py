"""Verdicts on the claims, and what is read off the profiles."""

from cortexrsa.formats.columns.ceilings import CEILINGS
from cortexrsa.formats.columns.claims import CLAIMS, PROFILES
from cortexrsa.formats.columns.learning import LEARNING
from cortexrsa.formats.columns.scores import SCORES
from cortexrsa.formats.tables import read_table, write_table
from cortexrsa.inference.ceilings.primary import primary_ceilings
from cortexrsa.inference.claims import evaluate, summarise
from cortexrsa.inference.settings import Settings
from cortexrsa.inference.study import Study, model_scores, read_results, smallest_p
from cortexrsa.jobs import job_log
from cortexrsa.networks.learning import unlearned

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    claims, inference = settings["claims"], Settings(**settings["inference"])
    results = read_results(snakemake.input.scores)
    ceilings = read_table(snakemake.input.ceilings, CEILINGS)
    study = Study(
        models={name: model_scores(result, inference.seed) for name, result in results.items()},
        rois=[str(roi) for roi in next(iter(results.values()))["roi"].to_numpy()],
        ceilings=primary_ceilings(ceilings),
        roles=claims["models"],
        early=claims["rois"]["early"],
        late=claims["rois"]["late"],
        equivalence=claims["equivalence"],
        confidence=inference.confidence,
        seed=inference.seed,
        smallest_p=smallest_p(read_table(snakemake.input.table, SCORES)),
        unlearned=unlearned(read_table(learning, LEARNING))
        if (learning := snakemake.input.get("learning"))
        else {},
    )
    write_table(snakemake.output.claims, evaluate(study), settings, CLAIMS)
    write_table(snakemake.output.profiles, summarise(study), settings, PROFILES)
