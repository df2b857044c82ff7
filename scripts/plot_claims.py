"""Figures of the claims."""

from cortexrsa.figures.claims import plot_centroids, plot_verdicts
from cortexrsa.figures.style import draw, marked
from cortexrsa.formats.columns.claims import CLAIMS, PROFILES
from cortexrsa.formats.tables import read_table
from cortexrsa.jobs import job_log

with job_log(snakemake.log[0]):
    out = snakemake.output
    models = marked(snakemake.params.settings["models"], snakemake.input.get("learning"))
    profiles, claims = (
        read_table(snakemake.input.profiles, PROFILES),
        read_table(snakemake.input.claims, CLAIMS),
    )
    draw(out.centroids, plot_centroids, profiles, models)
    draw(out.verdicts, plot_verdicts, claims, models)
