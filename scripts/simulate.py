"""Simulate the stimuli and responses of a data set."""

from cortexrsa.brain.simulation import simulate
from cortexrsa.files import job_log, write_responses, write_stimuli

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    images, stimuli, responses = simulate(settings["options"] | {"rois": settings["rois"]})
    write_stimuli(snakemake.output.images, snakemake.output.stimuli, images, stimuli, settings)
    write_responses(snakemake.output.responses, responses, settings)
