"""Figures of what training with a brain gains."""

from cortexrsa.figures.guided import plot_gains, plot_tasks
from cortexrsa.figures.style import draw, marked
from cortexrsa.formats.columns.guided import GUIDED
from cortexrsa.formats.tables import read_table
from cortexrsa.jobs import job_log

with job_log(snakemake.log[0]):
    out, settings = snakemake.output, snakemake.params.settings
    models = marked(settings["models"], snakemake.input.get("learning"))
    table = read_table(snakemake.input.gains, GUIDED)
    draw(out.guided, plot_gains, table, models, settings["confidence"])
    draw(out.guided_tasks, plot_tasks, table, models, settings["confidence"])
