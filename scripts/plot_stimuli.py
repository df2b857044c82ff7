"""Figure of the stimuli."""

from cortexrsa.figures.quality import plot_stimuli
from cortexrsa.figures.style import draw
from cortexrsa.formats.stimuli import read_stimuli
from cortexrsa.jobs import job_log

with job_log(snakemake.log[0]):
    images, stimuli = read_stimuli(snakemake.input.images, snakemake.input.stimuli)
    draw(snakemake.output.stimuli, plot_stimuli, images, stimuli)
