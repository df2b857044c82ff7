"""Figure of the reliability of the voxels."""

from cortexrsa.figures.quality import plot_reliability
from cortexrsa.figures.style import draw
from cortexrsa.formats.columns.reliability import RELIABILITY
from cortexrsa.formats.tables import read_table
from cortexrsa.jobs import job_log

with job_log(snakemake.log[0]):
    table = read_table(snakemake.input.table, RELIABILITY)
    draw(snakemake.output.reliability, plot_reliability, table)
