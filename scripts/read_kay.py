"""Read the stimuli and responses of Kay et al. (2008), packaged or raw."""

from cortexrsa.brain.loaders.kay import LOADERS
from cortexrsa.brain.responses import clean_responses
from cortexrsa.downloaded import check
from cortexrsa.errors import concerning
from cortexrsa.formats.responses import write_responses
from cortexrsa.formats.stimuli import write_stimuli
from cortexrsa.jobs import job_log

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    check(snakemake.input.downloads, snakemake.params.files)
    images, stimuli, responses = LOADERS[settings["loader"]](settings, snakemake.input.downloads)
    # what later stages will drop is counted, and refused if too little is left, before anything is written
    with concerning(snakemake.input.downloads):
        _, counts = clean_responses(responses)
    print(counts.to_string(index=False))
    write_stimuli(snakemake.output.images, snakemake.output.stimuli, images, stimuli, settings)
    write_responses(snakemake.output.responses, responses, settings)
