"""Noise ceilings of every ROI."""

from cortexrsa.brain.responses import clean_responses
from cortexrsa.formats.columns.ceilings import CEILINGS
from cortexrsa.formats.rdms import read_rdms
from cortexrsa.formats.responses import read_responses
from cortexrsa.formats.tables import write_table
from cortexrsa.inference.ceilings.table import ceiling_table
from cortexrsa.inference.settings import Settings
from cortexrsa.jobs import job_log

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    responses = None
    if path := snakemake.input.get("responses"):
        responses, _ = clean_responses(read_responses(path), path)
    table = ceiling_table(
        read_rdms(snakemake.input.brain, in_memory=False),  # of many stimuli they are large
        responses,
        snakemake.wildcards.dataset,
        settings["comparison"],
        Settings(**settings["inference"]),
        snakemake.threads,
    )
    write_table(snakemake.output.table, table, settings, CEILINGS)
