"""Read the stimuli of a BIDS folder, and check all of it but the data of the BOLD."""

from cortexrsa.brain.loaders.bids import cut_off, unbalanced
from cortexrsa.brain.loaders.bids_folder import read_folder
from cortexrsa.brain.loaders.bids_stimuli import read_stimuli, what_was_left_out
from cortexrsa.formats.bids_names import runs_of_all
from cortexrsa.formats.stimuli import write_stimuli
from cortexrsa.jobs import job_log, warn

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    folder, options = settings["folder"], settings["options"] | {"subjects": settings["subjects"]}
    runs, events = read_folder(folder, settings["rois"], options)
    images, stimuli = read_stimuli(folder, options, events)
    # of all subjects: some may have been left out when the card was read
    _, skipped = runs_of_all(folder, settings["options"])
    for text in [*skipped, *unbalanced(runs), *cut_off(runs), *what_was_left_out(events, stimuli)]:
        warn(text)
    write_stimuli(snakemake.output.images, snakemake.output.stimuli, images, stimuli, settings)
