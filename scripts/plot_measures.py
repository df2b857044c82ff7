"""Figures of all measures."""

from cortexrsa.figures.measures import plot_measure_profiles, plot_measure_ranks, plot_rdm_variance
from cortexrsa.figures.style import draw, marked
from cortexrsa.formats.columns.measures import MEASURE_RANKS, MEASURES, RDM_VARIANCE
from cortexrsa.formats.tables import read_table
from cortexrsa.jobs import job_log

with job_log(snakemake.log[0]):
    out = snakemake.output
    models = marked(snakemake.params.settings["models"], snakemake.input.get("learning"))
    profiles = read_table(snakemake.input.measures, MEASURES)
    draw(out.measures, plot_measure_profiles, profiles, models)
    ranks = read_table(snakemake.input.ranks, MEASURE_RANKS)
    draw(out.measure_ranks, plot_measure_ranks, ranks, models)
    variance = read_table(snakemake.input.variance, RDM_VARIANCE)
    draw(out.rdm_variance, plot_rdm_variance, variance, models)
