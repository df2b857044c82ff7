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
    draw(out.profiles_svg, out.profiles_png, plot_profiles, scores, ceilings, models)
    draw(out.rois_svg, out.rois_png, plot_rois, scores, ceilings, models)
    alpha = round(1 - settings["confidence"], 12)
    draw(out.heatmap_svg, out.heatmap_png, plot_heatmap, scores, models, alpha)
