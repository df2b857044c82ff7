"""Table of what the networks trained here learned, and whether that is enough."""

from pathlib import Path

from cortexrsa.formats.columns.learning import LEARNING
from cortexrsa.formats.columns.metrics import METRICS
from cortexrsa.formats.tables import read_table, write_table
from cortexrsa.jobs import job_log
from cortexrsa.networks.learning import learning_table

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    metrics = {Path(path).parent.name: read_table(path, METRICS) for path in snakemake.input.metrics}
    write_table(snakemake.output.table, learning_table(metrics, settings), settings, LEARNING)
