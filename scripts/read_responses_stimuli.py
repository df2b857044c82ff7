"""Read the stimuli of a data set of responses."""

from cortexrsa.brain.loaders.responses_stimuli import load_stimuli
from cortexrsa.downloaded import check
from cortexrsa.formats.stimuli import write_stimuli
from cortexrsa.jobs import job_log, warn

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    if downloads := snakemake.input.get("downloads"):
        check(downloads, snakemake.params.files)
    images, stimuli, warnings = load_stimuli(settings, downloads)
    for text in warnings:
        warn(text)
    write_stimuli(snakemake.output.images, snakemake.output.stimuli, images, stimuli, settings)
