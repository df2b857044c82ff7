"""Figures of the geometry."""

from pathlib import Path

from cortexrsa.figures.geometry import plot_mds, plot_rdms
from cortexrsa.figures.style import marked, save
from cortexrsa.files import job_log, read_rdms, read_table

with job_log(snakemake.log[0]):
    settings, out = snakemake.params.settings, snakemake.output
    models = marked(settings["models"], snakemake.input.get("learning"))
    comparison = settings["comparison"]
    brain = read_rdms(snakemake.input.brain)
    networks = {Path(path).stem: read_rdms(path) for path in snakemake.input.networks}
    scores = read_table(snakemake.input.scores)
    save(plot_rdms(brain, networks, scores, models, comparison), out.rdms_svg, out.rdms_png)
    save(plot_mds(brain, networks, models, comparison, settings["seed"]), out.mds_svg, out.mds_png)
