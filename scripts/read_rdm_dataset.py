"""Read the stimuli and brain RDMs of a data set that comes as RDMs."""

from cortexrsa.brain.loaders.rdms import load_rdm_dataset
from cortexrsa.downloaded import check
from cortexrsa.formats.rdms import write_rdms
from cortexrsa.formats.stimuli import write_stimuli
from cortexrsa.jobs import job_log

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    if downloads := snakemake.input.get("downloads"):
        check(downloads, snakemake.params.files)
    images, stimuli, rdms = load_rdm_dataset(settings, downloads)
    write_stimuli(snakemake.output.images, snakemake.output.stimuli, images, stimuli, settings)
    write_rdms(snakemake.output.rdms, rdms, settings)
