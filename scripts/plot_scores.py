"""Figures of the scores."""

from cortexrsa.figures.scores import plot_heatmap, plot_profiles, plot_rois
from cortexrsa.figures.style import draw, marked
from cortexrsa.formats.columns.ceilings import CEILINGS
from cortexrsa.formats.columns.scores import SCORES
from cortexrsa.formats.tables import read_table
from cortexrsa.jobs import job_log

with job_log(snakemake.log[0]):
    out = snakemake.output
    settings = snakemake.params.settings
    models = marked(settings["models"], snakemake.input.get("learning"))
    scores, ceilings = (
        read_table(snakemake.input.scores, SCORES),
        read_table(snakemake.input.ceilings, CEILINGS),
    )
    draw(out.profiles, plot_profiles, scores, ceilings, models)
    draw(out.rois, plot_rois, scores, ceilings, models)
    alpha = round(1 - settings["confidence"], 12)
    draw(out.heatmap, plot_heatmap, scores, models, alpha)
