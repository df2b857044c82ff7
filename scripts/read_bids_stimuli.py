"""Read the stimuli of a BIDS folder, and check its events against them."""

from cortexrsa.brain.loaders.bids import find_runs, read_events, read_stimuli
from cortexrsa.formats.stimuli import write_stimuli
from cortexrsa.jobs import job_log

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    runs = find_runs(settings["folder"], settings["options"] | {"subjects": settings["subjects"]})
    events = {run: read_events(run) for run in runs}
    images, stimuli = read_stimuli(settings["folder"], settings["options"], events)
    write_stimuli(snakemake.output.images, snakemake.output.stimuli, images, stimuli, settings)
