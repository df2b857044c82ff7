"""Perceptual hashes of the images of a corpus."""

import numpy as np

from cortexrsa.guidance.leaks import READ_AT, hashes_of_corpus
from cortexrsa.jobs import job_log
from cortexrsa.networks.streaming import open_corpus
from cortexrsa.storage import atomic_path, write_provenance

with job_log(snakemake.log[0]):
    settings, output = snakemake.params.settings, snakemake.output.hashes
    corpus = open_corpus(snakemake.input.index, snakemake.input.get("images"), settings["folder"])
    with atomic_path(output) as temporary:
        np.save(temporary, hashes_of_corpus(corpus, READ_AT), allow_pickle=False)
        write_provenance(output, settings, {"hashes.npy": temporary})
