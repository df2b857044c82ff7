"""Figure of planted and recovered betas."""

from cortexrsa.figures.bold import plot_beta_recovery
from cortexrsa.figures.style import draw
from cortexrsa.formats.columns.beta_recovery import BETA_RECOVERY
from cortexrsa.formats.tables import read_table
from cortexrsa.jobs import job_log

with job_log(snakemake.log[0]):
    table = read_table(snakemake.input.table, BETA_RECOVERY)
    draw(snakemake.output.beta_recovery, plot_beta_recovery, table)
