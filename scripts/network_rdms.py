"""RDMs of every layer of a network."""

from cortexrsa.files import job_log, write_rdms
from cortexrsa.geometry.regions_and_layers import network_rdms

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    rdms = network_rdms(
        snakemake.input.activations, snakemake.input.stimuli, settings["dissimilarity"], snakemake.threads
    )
    write_rdms(snakemake.output.rdms, rdms, settings)
