"""Bias of crossnobis over simulated experiments without a signal."""

from cortexrsa.formats.columns.calibration import FOLDS
from cortexrsa.formats.tables import write_table
from cortexrsa.jobs import job_log
from cortexrsa.validation.folds import bias_of_crossnobis

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    write_table(snakemake.output.table, bias_of_crossnobis(**settings), settings, FOLDS)
