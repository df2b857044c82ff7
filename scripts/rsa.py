"""Scores of all layers of a network in all ROIs, with resamples and permutations."""

from cortexrsa.formats.netcdf import write_dataset
from cortexrsa.formats.rdms import read_rdms
from cortexrsa.inference.rsa import score_network
from cortexrsa.jobs import job_log

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    scores = score_network(
        read_rdms(snakemake.input.network),
        read_rdms(snakemake.input.brain),
        settings["comparison"],
        settings["inference"],
        threads=snakemake.threads,
        source=snakemake.input.network,
    )
    write_dataset(snakemake.output.scores, scores, settings)
