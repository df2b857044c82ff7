"""Coverage and error rates where stimuli come in categories or in time, or people are few."""

from cortexrsa.formats.columns.calibration import DESIGNS
from cortexrsa.formats.tables import write_table
from cortexrsa.jobs import job_log
from cortexrsa.validation.designs import calibrated

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    write_table(snakemake.output.table, calibrated(**settings), settings, DESIGNS)
