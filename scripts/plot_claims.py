"""Figures of the claims."""

import pandas as pd

from cortexrsa.figures.claims import plot_centroids, plot_verdicts
from cortexrsa.figures.style import save
from cortexrsa.files import job_log

with job_log(snakemake.log[0]):
    models, out = snakemake.params.settings, snakemake.output
    profiles, claims = pd.read_csv(snakemake.input.profiles), pd.read_csv(snakemake.input.claims)
    save(plot_centroids(profiles, models), out.centroids_svg, out.centroids_png)
    save(plot_verdicts(claims, models), out.verdicts_svg, out.verdicts_png)
