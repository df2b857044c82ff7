"""Figure of the networks compared."""

from cortexrsa.figures.comparisons import plot_comparisons
from cortexrsa.figures.style import draw, marked
from cortexrsa.formats.columns.ceilings import CEILINGS
from cortexrsa.formats.columns.comparisons import COMPARISONS, RANKS
from cortexrsa.formats.tables import read_table
from cortexrsa.jobs import job_log

with job_log(snakemake.log[0]):
    out = snakemake.output
    settings = snakemake.params.settings
    tables = (
        read_table(snakemake.input.comparisons, COMPARISONS),
        read_table(snakemake.input.ranks, RANKS),
        read_table(snakemake.input.ceilings, CEILINGS),
    )
    models = marked(settings["models"], snakemake.input.get("learning"))
    draw(out.comparisons, plot_comparisons, *tables, models, settings["confidence"])
