"""Noise ceilings of every ROI."""

from cortexrsa.brain.responses import clean_responses
from cortexrsa.files import job_log, read_rdms, read_responses, write_table
from cortexrsa.inference.ceilings import ceiling_table

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    responses = None
    if path := snakemake.input.get("responses"):
        responses, _ = clean_responses(read_responses(path), path)
    table = ceiling_table(
        read_rdms(snakemake.input.brain),
        responses,
        snakemake.wildcards.dataset,
        settings["comparison"],
        settings["inference"],
        snakemake.threads,
    )
    write_table(snakemake.output.table, table, settings)
