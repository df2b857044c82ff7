"""Read the stimuli of a BIDS folder, and check all of it but the data of the BOLD."""

from cortexrsa.brain.loaders.bids import check_people, cut_off, find_runs, read_subject, unbalanced, unfitting
from cortexrsa.brain.loaders.bids_stimuli import read_stimuli, what_was_left_out
from cortexrsa.errors import InputError
from cortexrsa.formats.bids_names import runs_of_all
from cortexrsa.formats.stimuli import write_stimuli
from cortexrsa.jobs import job_log, warn

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    folder, options = settings["folder"], settings["options"] | {"subjects": settings["subjects"]}
    runs = find_runs(folder, options)
    check_people(runs)
    events, confounds = {}, []
    for subject in settings["subjects"]:
        own = [run for run in runs if run.subject == subject]
        inputs = read_subject(folder, settings["rois"], options, own)
        events |= zip(own, inputs.events, strict=True)
        confounds += inputs.confounds
    # a subject may have no motion outlier; not all
    for pattern in unfitting(options["confounds"], confounds):
        raise InputError("confounds", f"none that fits {pattern}", "some in a run at least", file=folder)
    images, stimuli = read_stimuli(folder, options, events)
    # of all subjects: some may have been left out when the card was read
    _, skipped = runs_of_all(folder, settings["options"])
    for text in [*skipped, *unbalanced(runs), *cut_off(runs), *what_was_left_out(events, stimuli)]:
        warn(text)
    write_stimuli(snakemake.output.images, snakemake.output.stimuli, images, stimuli, settings)
