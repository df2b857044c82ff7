"""Split-half reliability of every voxel."""

from cortexrsa.brain.reliability import reliability_table
from cortexrsa.formats.columns.reliability import RELIABILITY
from cortexrsa.formats.responses import read_responses
from cortexrsa.formats.tables import write_table
from cortexrsa.jobs import job_log

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    table = reliability_table(
        read_responses(snakemake.input.responses), settings["ceiling_splits"], settings["seed"]
    )
    write_table(snakemake.output.table, table, settings, RELIABILITY)
