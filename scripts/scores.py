"""Tidy table of the scores of all networks, corrected for the family of tests."""

from cortexrsa.formats.columns.scores import SCORES
from cortexrsa.formats.tables import write_table
from cortexrsa.inference.rsa import read_results, score_table
from cortexrsa.jobs import job_log

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    table = score_table(
        read_results(snakemake.input.scores),
        snakemake.wildcards.dataset,
        settings["comparison"],
        settings["inference"],
    )
    write_table(snakemake.output.table, table, settings, SCORES)
