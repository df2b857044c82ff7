"""RDMs of every layer of a network."""

from cortexrsa.formats.rdms import write_rdms
from cortexrsa.geometry.layers import network_rdms
from cortexrsa.jobs import job_log

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    rdms = network_rdms(
        snakemake.input.activations,
        snakemake.input.stimuli,
        settings["dissimilarity"],
        settings["units"],
        snakemake.threads,
    )
    write_rdms(snakemake.output.rdms, rdms, settings)
