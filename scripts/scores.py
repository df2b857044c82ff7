"""Tidy table of the scores of all networks, corrected for the family of tests."""

from cortexrsa.formats.columns.scores import SCORES
from cortexrsa.formats.tables import write_table
from cortexrsa.inference.score_table import score_table
from cortexrsa.inference.settings import Settings
from cortexrsa.inference.study import read_results
from cortexrsa.jobs import job_log, warn

with job_log(snakemake.log[0]):
    settings, dataset = snakemake.params.settings, snakemake.wildcards.dataset
    for model, sources in settings["trained_on"].items():
        warn(
            f"{model} was trained on images of {', '.join(sources)}, "
            f"from which stimuli of {dataset} are taken"
        )
    table = score_table(
        read_results(snakemake.input.scores),
        dataset,
        settings["comparison"],
        Settings(**settings["inference"]),
    )
    write_table(snakemake.output.table, table, settings, SCORES)
