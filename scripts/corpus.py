"""Make a training corpus that is one array of images."""

from cortexrsa.downloaded import check
from cortexrsa.formats.corpus import write_corpus
from cortexrsa.jobs import job_log
from cortexrsa.networks.corpora import cifar10_corpus
from cortexrsa.networks.procedural import procedural_corpus

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    if settings["kind"] == "cifar10":
        check(snakemake.input[0], snakemake.params.files)
        images, index = cifar10_corpus(snakemake.input[0])
    else:
        images, index = procedural_corpus(settings["options"])
    write_corpus(snakemake.output.images, snakemake.output.index, images, index, settings)
