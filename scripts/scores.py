"""Tidy table of the scores of all networks, corrected for the family of tests."""

from cortexrsa.formats.columns.scores import SCORES
from cortexrsa.formats.tables import write_table
from cortexrsa.inference.score_table import score_table
from cortexrsa.inference.settings import Settings
from cortexrsa.inference.study import read_results
from cortexrsa.jobs import job_log

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    table = score_table(
        read_results(snakemake.input.scores),
        snakemake.wildcards.dataset,
        settings["comparison"],
        Settings(**settings["inference"]),
    )
    write_table(snakemake.output.table, table, settings, SCORES)
