"""Split-half reliability of every voxel."""

from cortexrsa.brain.reliability import reliability_table
from cortexrsa.files import job_log, read_responses, write_table

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    table = reliability_table(
        read_responses(snakemake.input.responses), settings["ceiling_splits"], settings["seed"]
    )
    write_table(snakemake.output.table, table, settings)
