"""Make a training corpus."""

from cortexrsa.files import job_log, write_corpus
from cortexrsa.networks.corpora import procedural_corpus

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    images, labels = procedural_corpus(settings)
    write_corpus(snakemake.output.images, snakemake.output.labels, images, labels, settings)
