"""Figure of the encoding models."""

from cortexrsa.figures.encoding import plot_encoding
from cortexrsa.figures.style import draw, marked
from cortexrsa.formats.columns.encoding import ENCODING
from cortexrsa.formats.tables import read_table
from cortexrsa.jobs import job_log

with job_log(snakemake.log[0]):
    out = snakemake.output
    models = marked(snakemake.params.settings["models"], snakemake.input.get("learning"))
    table = read_table(snakemake.input.table, ENCODING)
    draw(out.encoding, plot_encoding, table, models)
