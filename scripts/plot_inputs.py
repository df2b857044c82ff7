"""Contact sheet of what the networks saw."""

from cortexrsa.figures.quality import plot_inputs
from cortexrsa.figures.style import draw
from cortexrsa.formats.netcdf import read_dataset
from cortexrsa.jobs import job_log

with job_log(snakemake.log[0]):
    inputs = read_dataset(snakemake.input.inputs)
    out = snakemake.output
    draw(out.inputs, plot_inputs, inputs, snakemake.params.settings)
